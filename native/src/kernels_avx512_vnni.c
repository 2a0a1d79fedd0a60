/* AVX-512 with VNNI: VPDPBUSD adds 64 products of unsigned and signed bytes at once. */
#include "kernels.h"

#if defined(__AVX512VNNI__) && defined(__AVX512F__) && defined(__AVX512BW__) && defined(__AVX512DQ__) && \
    defined(__AVX512VL__)
#include <immintrin.h>

#define NAME "avx512-vnni"
#define SET(name) avx512_vnni_##name
#define LANES 16u
#define WIDE 16u
#define ROWS 4u
/* The unsigned side is the inputs, moved by 128: so weights are read by the instruction that multiplies. */
#define WEIGHT int8_t
#define PLACE(n, k) ((n) * 4 + (k))
#define EXCLUDES_LEAST 0
#define SHARES 1
#define CORRECTS 0
#define MOVED 128
#define SOME 1

typedef float SET(vf) __attribute__((vector_size(64)));
typedef int32_t SET(vi) __attribute__((vector_size(64)));
typedef __m512i SET(inputs);

static inline SET(vf) SET(minimum)(SET(vf) a, SET(vf) b) { return (SET(vf))_mm512_min_ps((__m512)a, (__m512)b); }
static inline SET(vf) SET(maximum)(SET(vf) a, SET(vf) b) { return (SET(vf))_mm512_max_ps((__m512)a, (__m512)b); }
static inline SET(vf) SET(fuse)(SET(vf) a, SET(vf) b, SET(vf) c) {
  return (SET(vf))_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)c);
}

static inline SET(vf) SET(load_some)(const float *from, size_t count) {
  return (SET(vf))_mm512_maskz_loadu_ps((__mmask16)((1u << count) - 1), from);
}
static inline void SET(store_some)(float *to, SET(vf) value, size_t count) {
  _mm512_mask_storeu_ps(to, (__mmask16)((1u << count) - 1), (__m512)value);
}

static inline __m512i SET(spread)(const int8_t *x) {
  return _mm512_xor_si512(_mm512_set1_epi32(*(const ta_int32_anywhere *)(const void *)x), _mm512_set1_epi8(-128));
}
static inline SET(vi) SET(dot4)(SET(vi) sums, const int8_t *weights, __m512i inputs) {
  return (SET(vi))_mm512_dpbusd_epi32((__m512i)sums, inputs, _mm512_loadu_si512(weights));
}

static inline void SET(narrow)(const SET(vf) * values, int8_t *out) {
  __m128i bytes = _mm512_cvtepi32_epi8(_mm512_cvttps_epi32((__m512)values[0]));
  _mm_storeu_si128((__m128i *)(void *)out, bytes);
}

static inline SET(vi) SET(widen)(const int8_t *from) {
  return (SET(vi))_mm512_cvtepi8_epi32(_mm_loadu_si128((const __m128i *)(const void *)from));
}

static inline float SET(largest)(SET(vf) x) { return _mm512_reduce_max_ps((__m512)x); }

static inline float SET(total)(SET(vf) x) {
  __m256 eight = _mm256_add_ps(_mm512_castps512_ps256((__m512)x), _mm512_extractf32x8_ps((__m512)x, 1));
  __m128 four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
  __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
}

#include "kernels_vectors.h"

const ta_kernels *ta_kernels_avx512_vnni(void) { return &avx512_vnni_set; }
#else
const ta_kernels *ta_kernels_avx512_vnni(void) { return NULL; }
#endif
