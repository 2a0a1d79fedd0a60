/* AVX-VNNI: VPDPBUSD on vectors of 256 bits, as desktop processors without AVX-512 have it. */
#include "kernels.h"

/* The compilers' names for the instruction are those of AVX-512 VNNI on short vectors, and stand for either. */
#if defined(__AVX2__) && defined(__FMA__) && \
    (defined(__AVXVNNI__) || (defined(__AVX512VNNI__) && defined(__AVX512VL__)))
#include <immintrin.h>

#define NAME "avx-vnni"
#define SET(name) avx_vnni_##name
#define LANES 8u
#define WIDE 8u
#define ROWS 2u
#define WEIGHT int8_t
#define PLACE(n, k) ((n) * 4 + (k))
#define EXCLUDES_LEAST 0
#define SHARES 1
#define CORRECTS 0
#define MOVED 128
#define SOME 0

typedef float SET(vf) __attribute__((vector_size(32)));
typedef int32_t SET(vi) __attribute__((vector_size(32)));

static inline SET(vf) SET(minimum)(SET(vf) a, SET(vf) b) { return (SET(vf))_mm256_min_ps((__m256)a, (__m256)b); }
static inline SET(vf) SET(maximum)(SET(vf) a, SET(vf) b) { return (SET(vf))_mm256_max_ps((__m256)a, (__m256)b); }
static inline SET(vf) SET(fuse)(SET(vf) a, SET(vf) b, SET(vf) c) {
  return (SET(vf))_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)c);
}

typedef __m256i SET(inputs);
static inline __m256i SET(spread)(const int8_t *x) {
  return _mm256_xor_si256(_mm256_set1_epi32(*(const ta_int32_anywhere *)(const void *)x), _mm256_set1_epi8(-128));
}
static inline SET(vi) SET(dot4)(SET(vi) sums, const int8_t *weights, __m256i inputs) {
  __m256i vector = _mm256_loadu_si256((const __m256i *)(const void *)weights);
  return (SET(vi))_mm256_dpbusd_epi32((__m256i)sums, inputs, vector);
}

static inline __m128i SET(narrow8)(SET(vf) values) {
  __m256i whole = _mm256_cvttps_epi32((__m256)values);
  return _mm_packs_epi32(_mm256_castsi256_si128(whole), _mm256_extracti128_si256(whole, 1));
}
static inline void SET(narrow)(const SET(vf) * values, int8_t *out) {
  __m128i bytes = _mm_packs_epi16(SET(narrow8)(values[0]), SET(narrow8)(values[1]));
  _mm_storeu_si128((__m128i *)(void *)out, bytes);
}

static inline SET(vi) SET(widen)(const int8_t *from) {
  return (SET(vi))_mm256_cvtepi8_epi32(_mm_loadl_epi64((const __m128i *)(const void *)from));
}

static inline float SET(largest)(SET(vf) x) {
  __m128 four = _mm_max_ps(_mm256_castps256_ps128((__m256)x), _mm256_extractf128_ps((__m256)x, 1));
  __m128 two = _mm_max_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_max_ss(two, _mm_movehdup_ps(two)));
}
static inline float SET(total)(SET(vf) x) {
  __m128 four = _mm_add_ps(_mm256_castps256_ps128((__m256)x), _mm256_extractf128_ps((__m256)x, 1));
  __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
}

#include "kernels_vectors.h"

const ta_kernels *ta_kernels_avx_vnni(void) { return &avx_vnni_set; }
#else
const ta_kernels *ta_kernels_avx_vnni(void) { return NULL; }
#endif
