/* The loops that take the time, once for each kind of processor. kernels_scalar.c is the definition. On the same inputs
 * the integers of every set equal its integers. Floats are equal too, because all sets multiply and add in the same order
 * without a fused multiply-add; only `float_product` may fuse, and is within 1e-6 of the largest value.
 *
 * Weights are packed at load, outputs first in groups of inputs, so that a vector times a matrix is broadcasts and
 * lanes with no horizontal sum. */
#ifndef TA_KERNELS_H
#define TA_KERNELS_H

#include "base.h"

#ifdef __clang__
#pragma STDC FP_CONTRACT OFF /* gcc: -ffp-contract=off, which -std=c99 says too */
#endif

/* With more inputs, a sum of products of 8-bit numbers could pass 32 bits. */
#define TA_MOST_INPUTS 65536

/* A packed matrix of `outputs` rows and `inputs` columns; from 1 to TA_MOST_INPUTS inputs. */
typedef struct {
  uint32_t outputs, inputs;
  const void *weights;  /* in the layout of the kernel set */
  const int32_t *sums;  /* int8: of each output's weights, padded as the kernels need; float: NULL */
  const float *scales;  /* int8: of each output, padded with 0; float: NULL */
  int is_float;
  int is_packed; /* 0: in the scalar layout, whatever the set */
} ta_matrix;

/* TA_EVEN: as XNNPACK does before products: halves to even, then the zero point is added.
 * TA_AWAY: as LiteRT's LSTM does: the zero point is added, then halves are rounded away from zero. */
typedef enum { TA_EVEN, TA_AWAY } ta_rounding;

typedef struct {
  const char *name; /* "scalar", "avx2", ... */

  /* Bytes of a packed matrix (weights, sums and scales together), and packing it into 64-aligned memory. int8 weights
   * are row-major (outputs, inputs), from -128 to 127; `scales` (outputs). */
  size_t (*int8_size)(size_t outputs, size_t inputs);
  void (*int8_pack)(ta_matrix *out, void *memory, const int8_t *weights, const float *scales, size_t outputs,
                    size_t inputs);
  size_t (*float_size)(size_t outputs, size_t inputs);
  void (*float_pack)(ta_matrix *out, void *memory, const float *weights, size_t outputs, size_t inputs);

  /* Rounds a row to int8 as LiteRT's dynamic-range kernels do: symmetric, 127 steps, scale = largest / 127, numbers
   * rounded to the nearest, halves away from zero. A row of zeros (all below 1e-36) has the scale 1 and zeros. Returns the scale. `out` has
   * room for `count` rounded up to 64, and is zero there. */
  float (*quantize)(const float *row, size_t count, int8_t *out);

  /* The same for each of `rows` rows, with a zero point: 255 steps from the least number of a row to the largest, and 0
   * is one of them. A row of zeros has the scale 1, and zeros. A number is about scale * (out - zero point). `out` has
   * rows of `count` rounded up to 64. LiteRT rounds in two ways, which differ for halves: those of int8 tables are
   * many. */
  void (*quantize_ranges)(const float *x, size_t rows, size_t count, ta_rounding rounding, int8_t *out, float *scales,
                          int32_t *zeros);

  /* For each of `rows` rows: y[n] = (add ? y[n] : bias ? bias[n] : 0) + x_scale * scales[n] * sum_k (x[k] - x_zero) w[n][k].
   * x: int8 rows `x_stride` bytes apart, each readable up to `inputs` rounded up to 64, zero there. `x_scales` (rows),
   * `x_zeros` (rows), from -128 to 127; NULL for 0.
   * y: float rows `y_stride` floats apart, not padded: exactly `outputs` are written. */
  void (*int8_product)(const ta_matrix *matrix, const int8_t *x, size_t x_stride, const float *x_scales,
                       const int32_t *x_zeros, size_t rows, const float *bias, int add, float *y, size_t y_stride);
  /* The integer sums themselves, of static int8 models: sums[n] = sum_k (x[k] - zero_point) * w[n][k]. */
  void (*int8_sums)(const ta_matrix *matrix, const int8_t *x, size_t x_stride, int32_t zero_point, size_t rows,
                    int32_t *sums, size_t sums_stride);
  void (*float_product)(const ta_matrix *matrix, const float *x, size_t x_stride, size_t rows, const float *bias,
                        int add, float *y, size_t y_stride);

  /* Element by element; in and out may be the same. tanh and sigmoid are within 2e-7 of the true value, exp within 1e-6 of
   * it relatively. */
  void (*tanh)(const float *x, size_t count, float *y);
  void (*sigmoid)(const float *x, size_t count, float *y);
  void (*exp)(const float *x, size_t count, float *y);

  /* One step of an LSTM: gates (4, units) are input, forget, candidate and output before their functions. cell
   * (units) is in and out, hidden (units) is out. */
  void (*lstm_step)(const float *gates, size_t units, float *cell, float *hidden);

  /* y[i] += a * x[i]; y[i] = a * x[i]; sum of x[i] * y[i]; y = x1 + x2; y = x1 * x2. */
  void (*add_scaled)(float a, const float *x, size_t count, float *y);
  void (*scale_bytes)(float a, const int8_t *x, size_t count, float *y);
  float (*dot)(const float *x, const float *y, size_t count);
  void (*add)(const float *x1, const float *x2, size_t count, float *y);
  void (*multiply)(const float *x1, const float *x2, size_t count, float *y);

  /* Sums rows of int8: out[k] = sum over rows of table[row * columns + k]. For n-grams. */
  void (*sum_rows)(const int8_t *table, size_t columns, const uint32_t *rows, size_t count, int32_t *out);
} ta_kernels;

/* sigmoid(x) = 1 / (1 + 2^y) with y = -x log2(e), and tanh(x) = (1 - 2^y) / (1 + 2^y) with y = -2 x log2(e). y is held
 * from -30 to 30, where both have reached 0 or 1 to 2e-9. Of y = n + f with n whole and f from -0.5 to 0.5, 2^f is a
 * polynomial with 1 at 0 (a minimax fit of the relative error, 9e-8), computed in three parts that do not wait for each
 * other; n is added to its exponent. The functions are within 2e-7. */
#define TA_POWER_1 6.931470037e-01f
#define TA_POWER_2 2.402224243e-01f
#define TA_POWER_3 5.550733581e-02f
#define TA_POWER_4 9.671512991e-03f
#define TA_POWER_5 1.326472731e-03f
#define TA_LOG2_E 1.44269504f
#define TA_MOST_POWER 30.0f
#define TA_WHOLE 12582912.0f /* 1.5 * 2^23: adding it rounds to a whole number, which is then in the lowest bits */

/* 4 bytes that are read at once, at any address, to be spread over a vector. */
#ifdef __GNUC__
typedef int32_t ta_int32_anywhere __attribute__((aligned(1), may_alias));
#endif

/* Of `quantize_ranges`, from the least and the largest number of a row, or 0: the scale, what to multiply numbers by, and
 * the zero point.
 *
 * References: xnn_f32_qd8_asymmetric_quantization_params of XNNPACK, src/xnnpack/quantization.h;
 * PortableAsymmetricQuantizeFloats of tensorflow/lite/kernels/internal/reference/portable_tensor_utils.cc. */
typedef struct {
  float scale, factor, zero;
} ta_range;

static inline ta_range ta_range_of(float least, float largest, ta_rounding rounding) {
  if (!(largest - least >= 1e-36f)) return (ta_range){1, 0, 0}; /* 255 / range would not be finite */
  if (rounding == TA_EVEN) {
    float steps = 255.0f / (largest - least);
    float from_least = -128.0f + least * steps, from_largest = 127.0f + largest * steps;
    /* Read from an array, as a processor would guess a branch wrongly every second time. */
    const float zeros[2] = {127.0f - largest * steps, -128.0f - least * steps};
    float zero = zeros[from_least + from_largest > 0];
    zero = zero > -128.0f ? zero : -128.0f;
    zero = zero < 127.0f ? zero : 127.0f;
    zero = (zero + TA_WHOLE) - TA_WHOLE;
    return (ta_range){(largest - least) / 255.0f, steps, zero};
  }
  double exact = ((double)largest - (double)least) / 255.0, low = (double)least / exact, high = (double)largest / exact;
  const double zeros[2] = {127.0 - high, -128.0 - low};
  double zero = zeros[128.0 - low < 127.0 + high];
  zero = zero > -128.0 ? zero : -128.0;
  zero = zero < 127.0 ? zero : 127.0;
  float scale = (float)exact;
  const double halves[2] = {0.5, -0.5};
  return (ta_range){scale, 1.0f / scale, (float)(int32_t)(zero + halves[zero < 0])};
}

/* The fastest set that the features (bits of textapp.h) allow, of those in this build; never NULL. */
const ta_kernels *ta_kernels_for(uint32_t features);

/* Each set, or NULL where its file was compiled without its instructions. Only kernels.c and tests call these. */
const ta_kernels *ta_kernels_scalar(void);
const ta_kernels *ta_kernels_sse41(void);
const ta_kernels *ta_kernels_avx2(void);
const ta_kernels *ta_kernels_avx_vnni(void);
const ta_kernels *ta_kernels_avx512_vnni(void);
const ta_kernels *ta_kernels_neon(void);
const ta_kernels *ta_kernels_neon_dot(void);
const ta_kernels *ta_kernels_wasm_simd(void);
const ta_kernels *ta_kernels_wasm_relaxed(void);

#endif
