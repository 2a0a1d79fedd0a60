/* SSE4.1 with SSSE3: vectors of 128 bits. */
#include "kernels.h"

#if defined(__SSE4_1__) && defined(__SSSE3__)
#include <immintrin.h>

#define NAME "sse4.1"
#define SET(name) sse41_##name
#define LANES 4u
#define WIDE 8u
#define ROWS 2u
/* PMADDUBSW adds pairs of products of unsigned and signed bytes, and saturates. The unsigned side is the size of an
 * input. The signed one is the weight, or ~weight = -weight - 1 where the input is negative: 2 * 128 * -128 just fits
 * into 16 bits. PSIGNB would negate weights, but most processors have fewer units for it. */
#define WEIGHT int8_t
#define PLACE(n, k) ((n) * 4 + (k))
#define EXCLUDES_LEAST 0
#define SHARES 0
#define CORRECTS 1
#define MOVED 0
#define SOME 0

typedef float SET(vf) __attribute__((vector_size(16)));
typedef int32_t SET(vi) __attribute__((vector_size(16)));

static inline SET(vf) SET(minimum)(SET(vf) a, SET(vf) b) { return (SET(vf))_mm_min_ps((__m128)a, (__m128)b); }
static inline SET(vf) SET(maximum)(SET(vf) a, SET(vf) b) { return (SET(vf))_mm_max_ps((__m128)a, (__m128)b); }
static inline SET(vf) SET(fuse)(SET(vf) a, SET(vf) b, SET(vf) c) { return a * b + c; }

typedef struct {
  __m128i sizes, signs;
} SET(inputs);
static inline SET(inputs) SET(spread)(const int8_t *x) {
  __m128i four = _mm_set1_epi32(*(const ta_int32_anywhere *)(const void *)x);
  return (SET(inputs)){_mm_abs_epi8(four), _mm_cmpgt_epi8(_mm_setzero_si128(), four)};
}
static inline SET(vi) SET(dot4)(SET(vi) sums, const int8_t *weights, SET(inputs) inputs) {
  __m128i signed_weights = _mm_xor_si128(_mm_loadu_si128((const __m128i *)(const void *)weights), inputs.signs);
  __m128i pairs = _mm_maddubs_epi16(inputs.sizes, signed_weights);
  return sums + (SET(vi))_mm_madd_epi16(pairs, _mm_set1_epi16(1));
}

/* The sum of the negative inputs: what -weight - 1 lacks of -weight. */
static inline int32_t SET(correction)(const int8_t *x, size_t inputs) {
  const __m128i zero = _mm_setzero_si128();
  __m128i sums = zero;
  for (size_t k = 0; k < inputs; k += 16) {
    __m128i negative = _mm_min_epi8(_mm_loadu_si128((const __m128i *)(const void *)(x + k)), zero);
    sums = _mm_add_epi64(sums, _mm_sad_epu8(_mm_abs_epi8(negative), zero));
  }
  return -(_mm_cvtsi128_si32(sums) + _mm_extract_epi32(sums, 2));
}

static inline __m128i SET(narrow8)(SET(vf) low, SET(vf) high) {
  return _mm_packs_epi32(_mm_cvttps_epi32((__m128)low), _mm_cvttps_epi32((__m128)high));
}
static inline void SET(narrow)(const SET(vf) * values, int8_t *out) {
  __m128i bytes = _mm_packs_epi16(SET(narrow8)(values[0], values[1]), SET(narrow8)(values[2], values[3]));
  _mm_storeu_si128((__m128i *)(void *)out, bytes);
}

static inline SET(vi) SET(widen)(const int8_t *from) {
  return (SET(vi))_mm_cvtepi8_epi32(_mm_cvtsi32_si128(*(const ta_int32_anywhere *)(const void *)from));
}

static inline float SET(largest)(SET(vf) x) {
  __m128 two = _mm_max_ps((__m128)x, _mm_movehl_ps((__m128)x, (__m128)x));
  return _mm_cvtss_f32(_mm_max_ss(two, _mm_movehdup_ps(two)));
}
static inline float SET(total)(SET(vf) x) {
  __m128 two = _mm_add_ps((__m128)x, _mm_movehl_ps((__m128)x, (__m128)x));
  return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
}

#include "kernels_vectors.h"

const ta_kernels *ta_kernels_sse41(void) { return &sse41_set; }
#else
const ta_kernels *ta_kernels_sse41(void) { return NULL; }
#endif
