/* WebAssembly with relaxed SIMD, whose dot product of bytes becomes the processor's own. */
#include "kernels.h"

#if defined(__wasm_relaxed_simd__)
#include <wasm_simd128.h>

#define NAME "wasm-relaxed"
#define SET(name) wasm_relaxed_##name
#define LANES 4u
#define WIDE 8u
#define ROWS 2u
/* The relaxed dot product is defined where one side is from 0 to 127. So 128 is added to an input, which is then twice its
 * upper 7 bits and its lowest bit: two dot products. */
#define WEIGHT int8_t
#define PLACE(n, k) ((n) * 4 + (k))
#define EXCLUDES_LEAST 0
#define SHARES 1
#define CORRECTS 0
#define MOVED 128
#define SOME 0

typedef float SET(vf) __attribute__((vector_size(16)));
typedef int32_t SET(vi) __attribute__((vector_size(16)));

/* b < a ? b : a, that is a where one is NaN; so the arguments change places. */
static inline SET(vf) SET(minimum)(SET(vf) a, SET(vf) b) { return (SET(vf))wasm_f32x4_pmin((v128_t)b, (v128_t)a); }
static inline SET(vf) SET(maximum)(SET(vf) a, SET(vf) b) { return (SET(vf))wasm_f32x4_pmax((v128_t)b, (v128_t)a); }
static inline SET(vf) SET(fuse)(SET(vf) a, SET(vf) b, SET(vf) c) {
  return (SET(vf))wasm_f32x4_relaxed_madd((v128_t)a, (v128_t)b, (v128_t)c);
}

typedef struct {
  v128_t upper, lowest;
} SET(inputs);
static inline SET(inputs) SET(spread)(const int8_t *x) {
  v128_t four = wasm_v128_xor(wasm_i32x4_splat(*(const ta_int32_anywhere *)(const void *)x), wasm_i8x16_splat(-128));
  return (SET(inputs)){wasm_u8x16_shr(four, 1), wasm_v128_and(four, wasm_i8x16_splat(1))};
}
static inline SET(vi) SET(dot4)(SET(vi) sums, const int8_t *weights, SET(inputs) inputs) {
  v128_t four = wasm_v128_load(weights);
  v128_t half = wasm_i32x4_relaxed_dot_i8x16_i7x16_add(four, inputs.upper, wasm_i32x4_splat(0));
  sums += (SET(vi))wasm_i32x4_shl(half, 1);
  return (SET(vi))wasm_i32x4_relaxed_dot_i8x16_i7x16_add(four, inputs.lowest, (v128_t)sums);
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

/* Early implementations are wrong where the product and the sum share a register: V8 11.3, which Node 20 has under a flag,
 * adds the product twice. So each kind of tile computes one product, and the set is left out where one is wrong. */
static int is_right(void) {
  enum { OUTPUTS = 52, INPUTS = 4, COUNT = 3 }; /* tiles of 8, 4 and 1 vectors, of 2 rows and of 1 */
  static const int8_t x[COUNT * 64] = {1, -2, 3, -4, [64] = 5, -6, 7, -8, [128] = 9, 8, -7, 6};
  static const float x_scales[COUNT] = {1, 1, 1};
  int8_t weights[OUTPUTS * INPUTS];
  float scales[OUTPUTS], y[COUNT * OUTPUTS];
  uint8_t memory[1024] __attribute__((aligned(64)));
  for (int i = 0; i < OUTPUTS * INPUTS; i++) weights[i] = (int8_t)(i % 7 - 3);
  for (int n = 0; n < OUTPUTS; n++) scales[n] = 1;
  if (wasm_relaxed_set.int8_size(OUTPUTS, INPUTS) > sizeof memory) return 0;
  ta_matrix matrix;
  wasm_relaxed_set.int8_pack(&matrix, memory, weights, scales, OUTPUTS, INPUTS);
  wasm_relaxed_set.int8_product(&matrix, x, 64, x_scales, NULL, COUNT, NULL, 0, y, OUTPUTS);
  for (int i = 0; i < COUNT * OUTPUTS; i++) {
    int sum = 0;
    for (int k = 0; k < INPUTS; k++) sum += x[i / OUTPUTS * 64 + k] * weights[i % OUTPUTS * INPUTS + k];
    if (y[i] != (float)sum) return 0;
  }
  return 1;
}

const ta_kernels *ta_kernels_wasm_relaxed(void) { return is_right() ? &wasm_relaxed_set : NULL; }
#else
const ta_kernels *ta_kernels_wasm_relaxed(void) { return NULL; }
#endif
