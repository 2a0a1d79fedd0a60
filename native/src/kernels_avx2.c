/* AVX2 with FMA: vectors of 256 bits. */
#include "kernels.h"

#if defined(__AVX2__) && defined(__FMA__)
#include <immintrin.h>

#define NAME "avx2"
#define SET(name) avx2_##name
#define LANES 8u
#define WIDE 8u
#define ROWS 2u
/* VPMADDUBSW adds pairs of products of unsigned and signed bytes, and saturates. The unsigned side is the size of an
 * input. The signed one is the weight, or ~weight = -weight - 1 where the input is negative: 2 * 128 * -128 just fits
 * into 16 bits. VPSIGNB would negate weights, but most processors have fewer units for it. */
#define WEIGHT int8_t
#define PLACE(n, k) ((n) * 4 + (k))
#define EXCLUDES_LEAST 0
#define SHARES 0
#define CORRECTS 1
#define MOVED 0
#define SOME 0

typedef float SET(vf) __attribute__((vector_size(32)));
typedef int32_t SET(vi) __attribute__((vector_size(32)));

static inline SET(vf) SET(minimum)(SET(vf) a, SET(vf) b) { return (SET(vf))_mm256_min_ps((__m256)a, (__m256)b); }
static inline SET(vf) SET(maximum)(SET(vf) a, SET(vf) b) { return (SET(vf))_mm256_max_ps((__m256)a, (__m256)b); }
static inline SET(vf) SET(fuse)(SET(vf) a, SET(vf) b, SET(vf) c) {
  return (SET(vf))_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)c);
}

typedef struct {
  __m256i sizes, signs;
} SET(inputs);
static inline SET(inputs) SET(spread)(const int8_t *x) {
  __m256i four = _mm256_set1_epi32(*(const ta_int32_anywhere *)(const void *)x);
  return (SET(inputs)){_mm256_abs_epi8(four), _mm256_cmpgt_epi8(_mm256_setzero_si256(), four)};
}
static inline SET(vi) SET(dot4)(SET(vi) sums, const int8_t *weights, SET(inputs) inputs) {
  __m256i signed_weights = _mm256_xor_si256(_mm256_loadu_si256((const __m256i *)(const void *)weights), inputs.signs);
  __m256i pairs = _mm256_maddubs_epi16(inputs.sizes, signed_weights);
  return sums + (SET(vi))_mm256_madd_epi16(pairs, _mm256_set1_epi16(1));
}

/* The sum of the negative inputs: what -weight - 1 lacks of -weight. */
static inline int32_t SET(correction)(const int8_t *x, size_t inputs) {
  const __m256i zero = _mm256_setzero_si256();
  __m256i sums = zero;
  for (size_t k = 0; k < inputs; k += 32) {
    __m256i negative = _mm256_min_epi8(_mm256_loadu_si256((const __m256i *)(const void *)(x + k)), zero);
    sums = _mm256_add_epi64(sums, _mm256_sad_epu8(_mm256_abs_epi8(negative), zero));
  }
  __m128i sum = _mm_add_epi64(_mm256_castsi256_si128(sums), _mm256_extracti128_si256(sums, 1));
  return -(_mm_cvtsi128_si32(sum) + _mm_extract_epi32(sum, 2));
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

const ta_kernels *ta_kernels_avx2(void) { return &avx2_set; }
#else
const ta_kernels *ta_kernels_avx2(void) { return NULL; }
#endif
