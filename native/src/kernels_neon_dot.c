/* AArch64 with the dot product (ARMv8.2, phones since about 2018): SDOT adds 16 products of bytes at once. */
#include "kernels.h"

#if defined(__aarch64__) && defined(__ARM_FEATURE_DOTPROD) && !defined(__ARM_BIG_ENDIAN)
#include <arm_neon.h>

#define NAME "neon-dot"
#define SET(name) neon_dot_##name
#define LANES 4u
#define WIDE 16u
#define ROWS 4u
#define WEIGHT int8_t
#define PLACE(n, k) ((n) * 4 + (k))
#define EXCLUDES_LEAST 0
#define SHARES 1
#define CORRECTS 0
#define MOVED 0
#define SOME 0

typedef float SET(vf) __attribute__((vector_size(16)));
typedef int32_t SET(vi) __attribute__((vector_size(16)));

static inline SET(vf) SET(minimum)(SET(vf) a, SET(vf) b) {
  uint32x4_t less = vcltq_f32((float32x4_t)a, (float32x4_t)b);
  return (SET(vf))vbslq_f32(less, (float32x4_t)a, (float32x4_t)b);
}
static inline SET(vf) SET(maximum)(SET(vf) a, SET(vf) b) {
  uint32x4_t greater = vcgtq_f32((float32x4_t)a, (float32x4_t)b);
  return (SET(vf))vbslq_f32(greater, (float32x4_t)a, (float32x4_t)b);
}
static inline SET(vf) SET(fuse)(SET(vf) a, SET(vf) b, SET(vf) c) {
  return (SET(vf))vfmaq_f32((float32x4_t)c, (float32x4_t)a, (float32x4_t)b);
}

typedef int8x16_t SET(inputs);
static inline int8x16_t SET(spread)(const int8_t *x) {
  return vreinterpretq_s8_s32(vdupq_n_s32(*(const ta_int32_anywhere *)(const void *)x));
}
static inline SET(vi) SET(dot4)(SET(vi) sums, const int8_t *weights, int8x16_t inputs) {
  return (SET(vi))vdotq_s32((int32x4_t)sums, vld1q_s8(weights), inputs);
}

static inline int16x8_t SET(narrow8)(SET(vf) low, SET(vf) high) {
  return vcombine_s16(vqmovn_s32(vcvtq_s32_f32((float32x4_t)low)), vqmovn_s32(vcvtq_s32_f32((float32x4_t)high)));
}
static inline void SET(narrow)(const SET(vf) *values, int8_t *out) {
  int8x8_t low = vqmovn_s16(SET(narrow8)(values[0], values[1]));
  vst1q_s8(out, vcombine_s8(low, vqmovn_s16(SET(narrow8)(values[2], values[3]))));
}

static inline SET(vi) SET(widen)(const int8_t *from) {
  int32x2_t four = vdup_n_s32(*(const ta_int32_anywhere *)(const void *)from);
  return (SET(vi))vmovl_s16(vget_low_s16(vmovl_s8(vreinterpret_s8_s32(four))));
}

static inline float SET(largest)(SET(vf) x) {
  float32x2_t two = vpmax_f32(vget_low_f32((float32x4_t)x), vget_high_f32((float32x4_t)x));
  return vget_lane_f32(vpmax_f32(two, two), 0);
}
static inline float SET(total)(SET(vf) x) {
  float32x2_t two = vadd_f32(vget_low_f32((float32x4_t)x), vget_high_f32((float32x4_t)x));
  return vget_lane_f32(vpadd_f32(two, two), 0);
}

#include "kernels_vectors.h"

const ta_kernels *ta_kernels_neon_dot(void) { return &neon_dot_set; }
#else
const ta_kernels *ta_kernels_neon_dot(void) { return NULL; }
#endif
