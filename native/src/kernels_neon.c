/* NEON, of ARMv7 and AArch64: vectors of 128 bits. */
#include "kernels.h"

#if defined(__ARM_NEON) && !defined(__ARM_BIG_ENDIAN)
#include <arm_neon.h>

#define NAME "neon"
#define SET(name) neon_##name
#define LANES 4u
#ifdef __aarch64__
#define WIDE 16u /* it has 32 registers */
#define ROWS 4u
#else
#define WIDE 8u
#define ROWS 2u
#endif
/* Pairs of inputs: SMULL and SMLAL add two products in 16 bits, SADALP adds pairs of those to 32 bits. -128 is no weight,
 * since 2 * 128 * 128 does not fit into 16 bits. */
#define WEIGHT int8_t
#define PLACE(n, k) ((k) / 2 * 8 + (n) * 2 + (k) % 2)
#define EXCLUDES_LEAST 1
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
#ifdef __aarch64__
  return (SET(vf))vfmaq_f32((float32x4_t)c, (float32x4_t)a, (float32x4_t)b);
#else
  return a * b + c;
#endif
}

typedef struct {
  int8x8_t first, second; /* pairs */
} SET(inputs);
static inline SET(inputs) SET(spread)(const int8_t *x) {
  int16x4_t pairs = vreinterpret_s16_s32(vdup_n_s32(*(const ta_int32_anywhere *)(const void *)x));
  return (SET(inputs)){vreinterpret_s8_s16(vdup_lane_s16(pairs, 0)), vreinterpret_s8_s16(vdup_lane_s16(pairs, 1))};
}
static inline SET(vi) SET(dot4)(SET(vi) sums, const int8_t *weights, SET(inputs) inputs) {
  int8x16_t four = vld1q_s8(weights);
  int16x8_t products = vmull_s8(vget_low_s8(four), inputs.first);
  products = vmlal_s8(products, vget_high_s8(four), inputs.second);
  return (SET(vi))vpadalq_s16((int32x4_t)sums, products);
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

const ta_kernels *ta_kernels_neon(void) { return &neon_set; }
#else
const ta_kernels *ta_kernels_neon(void) { return NULL; }
#endif
