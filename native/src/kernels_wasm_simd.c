/* WebAssembly with SIMD: vectors of 128 bits. */
#include "kernels.h"

#if defined(__wasm_simd128__)
#include <wasm_simd128.h>

#define NAME "wasm-simd"
#define SET(name) wasm_simd_##name
#define LANES 4u
#define WIDE 8u
#define ROWS 2u
/* Weights are kept in 16 bits: without relaxed SIMD there is a dot product of pairs of those only. */
#define WEIGHT int16_t
#define PLACE(n, k) ((k) / 2 * 8 + (n) * 2 + (k) % 2)
#define EXCLUDES_LEAST 0
#define SHARES 1
#define CORRECTS 0
#define MOVED 0
#define SOME 0

typedef float SET(vf) __attribute__((vector_size(16)));
typedef int32_t SET(vi) __attribute__((vector_size(16)));

/* b < a ? b : a, that is a where one is NaN; so the arguments change places. */
static inline SET(vf) SET(minimum)(SET(vf) a, SET(vf) b) { return (SET(vf))wasm_f32x4_pmin((v128_t)b, (v128_t)a); }
static inline SET(vf) SET(maximum)(SET(vf) a, SET(vf) b) { return (SET(vf))wasm_f32x4_pmax((v128_t)b, (v128_t)a); }
static inline SET(vf) SET(fuse)(SET(vf) a, SET(vf) b, SET(vf) c) { return a * b + c; }

typedef struct {
  v128_t first, second; /* pairs */
} SET(inputs);
static inline SET(inputs) SET(spread)(const int8_t *x) {
  v128_t four = wasm_i16x8_extend_low_i8x16(wasm_i32x4_splat(*(const ta_int32_anywhere *)(const void *)x));
  return (SET(inputs)){wasm_i32x4_shuffle(four, four, 0, 0, 0, 0), wasm_i32x4_shuffle(four, four, 1, 1, 1, 1)};
}
static inline SET(vi) SET(dot4)(SET(vi) sums, const int16_t *weights, SET(inputs) inputs) {
  sums += (SET(vi))wasm_i32x4_dot_i16x8(wasm_v128_load(weights), inputs.first);
  return sums + (SET(vi))wasm_i32x4_dot_i16x8(wasm_v128_load(weights + 8), inputs.second);
}

static inline v128_t SET(narrow8)(SET(vf) low, SET(vf) high) {
  return wasm_i16x8_narrow_i32x4(wasm_i32x4_trunc_sat_f32x4((v128_t)low), wasm_i32x4_trunc_sat_f32x4((v128_t)high));
}
static inline void SET(narrow)(const SET(vf) *values, int8_t *out) {
  v128_t low = SET(narrow8)(values[0], values[1]), high = SET(narrow8)(values[2], values[3]);
  wasm_v128_store(out, wasm_i8x16_narrow_i16x8(low, high));
}

static inline SET(vi) SET(widen)(const int8_t *from) {
  return (SET(vi))wasm_i32x4_extend_low_i16x8(wasm_i16x8_extend_low_i8x16(wasm_v128_load32_zero(from)));
}

static inline float SET(largest)(SET(vf) x) {
  float a = x[0] > x[2] ? x[0] : x[2], b = x[1] > x[3] ? x[1] : x[3];
  return a > b ? a : b;
}
static inline float SET(total)(SET(vf) x) { return (x[0] + x[2]) + (x[1] + x[3]); }

#include "kernels_vectors.h"

const ta_kernels *ta_kernels_wasm_simd(void) { return &wasm_simd_set; }
#else
const ta_kernels *ta_kernels_wasm_simd(void) { return NULL; }
#endif
