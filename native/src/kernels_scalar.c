/* The kernels in plain C: the definition of all other sets, and what runs where no set of vectors is built. */
#include "kernels.h"

#define BLOCK 16u /* outputs that a float product keeps in registers */

static size_t round_up(size_t number, size_t step) { return (number + step - 1) / step * step; }

/* int8: row-major weights, then sums, then scales. */
static size_t scalar_int8_size(size_t outputs, size_t inputs) {
  return round_up(outputs * inputs, 64) + 2 * round_up(4 * outputs, 64);
}

static void scalar_int8_pack(ta_matrix *out, void *memory, const int8_t *weights, const float *scales,
                             size_t outputs, size_t inputs) {
  uint8_t *at = memory;
  int8_t *packed = memory;
  int32_t *sums = (int32_t *)(void *)(at + round_up(outputs * inputs, 64));
  float *packed_scales = (float *)(void *)(at + round_up(outputs * inputs, 64) + round_up(4 * outputs, 64));
  for (size_t n = 0; n < outputs; n++) {
    int32_t sum = 0;
    for (size_t k = 0; k < inputs; k++) {
      packed[n * inputs + k] = weights[n * inputs + k];
      sum += weights[n * inputs + k];
    }
    sums[n] = sum;
    packed_scales[n] = scales[n];
  }
  out->outputs = (uint32_t)outputs;
  out->inputs = (uint32_t)inputs;
  out->weights = packed;
  out->sums = sums;
  out->scales = packed_scales;
  out->is_float = 0;
  out->is_packed = 0;
}

/* float: blocks of outputs; in a block, the outputs of an input lie together. */
static size_t scalar_float_size(size_t outputs, size_t inputs) { return 4 * round_up(outputs, BLOCK) * inputs; }

static void scalar_float_pack(ta_matrix *out, void *memory, const float *weights, size_t outputs, size_t inputs) {
  float *packed = memory;
  for (size_t first = 0; first < outputs; first += BLOCK)
    for (size_t k = 0; k < inputs; k++)
      for (size_t n = first; n < first + BLOCK; n++) *packed++ = n < outputs ? weights[n * inputs + k] : 0;
  out->outputs = (uint32_t)outputs;
  out->inputs = (uint32_t)inputs;
  out->weights = memory;
  out->sums = NULL;
  out->scales = NULL;
  out->is_float = 1;
  out->is_packed = 0;
}

static float scalar_quantize(const float *row, size_t count, int8_t *out) {
  float largest = 0;
  for (size_t k = 0; k < count; k++) {
    float size = row[k] < 0 ? -row[k] : row[k];
    largest = size > largest ? size : largest;
  }
  size_t padded = round_up(count, 64);
  if (!(largest >= 1e-36f)) { /* 127 / largest would not be finite */
    for (size_t k = 0; k < padded; k++) out[k] = 0;
    return 1;
  }
  float inverse = 127.0f / largest;
  for (size_t k = 0; k < count; k++) {
    float value = row[k] * inverse;
    value = value > -127 ? value : -127; /* NaN, of an infinite row, becomes -127: no number converts undefined */
    value = value < 127 ? value : 127;
    /* The float below 0.5: with 0.5 itself, the float below 0.5 would round to 1. Exact halves still round away. */
    out[k] = (int8_t)(value + (value < 0 ? -0.49999997f : 0.49999997f));
  }
  for (size_t k = count; k < padded; k++) out[k] = 0;
  return largest / 127.0f;
}

static float scalar_quantize_range(const float *row, size_t count, ta_rounding rounding, int8_t *out,
                                   int32_t *zero_point) {
  float least = 0, largest = 0, factor;
  for (size_t k = 0; k < count; k++) {
    least = row[k] < least ? row[k] : least;
    largest = row[k] > largest ? row[k] : largest;
  }
  float scale = ta_range_scale(least, largest, rounding, &factor, zero_point), zero = (float)*zero_point;
  for (size_t k = 0; k < count; k++) {
    float value = row[k] * factor;
    if (rounding == TA_EVEN) value = (value + 12582912.0f) - 12582912.0f; /* 1.5 * 2^23 */
    value += zero;
    value = value > -128.0f ? value : -128.0f; /* NaN, of an infinite row, becomes the least */
    value = value < 127.0f ? value : 127.0f;
    out[k] = (int8_t)(value + (value < 0 ? -0.49999997f : 0.49999997f));
  }
  for (size_t k = count; k < round_up(count, 64); k++) out[k] = 0;
  return scale;
}

static int32_t int8_dot(const int8_t *x, const int8_t *weights, size_t inputs) {
  int32_t sum = 0;
  for (size_t k = 0; k < inputs; k++) sum += x[k] * weights[k];
  return sum;
}

static void scalar_int8_product(const ta_matrix *matrix, const int8_t *x, size_t x_stride, const float *x_scales,
                                size_t rows, const float *bias, int add, float *y, size_t y_stride) {
  const int8_t *weights = matrix->weights;
  for (size_t row = 0; row < rows; row++)
    for (size_t n = 0; n < matrix->outputs; n++) {
      int32_t sum = int8_dot(x + row * x_stride, weights + n * matrix->inputs, matrix->inputs);
      float *to = y + row * y_stride + n;
      float base = add ? *to : bias ? bias[n] : 0;
      *to = base + x_scales[row] * matrix->scales[n] * (float)sum;
    }
}

static void scalar_int8_sums(const ta_matrix *matrix, const int8_t *x, size_t x_stride, int32_t zero_point,
                             size_t rows, int32_t *sums, size_t sums_stride) {
  const int8_t *weights = matrix->weights;
  for (size_t row = 0; row < rows; row++)
    for (size_t n = 0; n < matrix->outputs; n++) {
      int32_t sum = int8_dot(x + row * x_stride, weights + n * matrix->inputs, matrix->inputs);
      sums[row * sums_stride + n] = sum - zero_point * matrix->sums[n];
    }
}

static void scalar_float_product(const ta_matrix *matrix, const float *x, size_t x_stride, size_t rows,
                                 const float *bias, int add, float *y, size_t y_stride) {
  for (size_t row = 0; row < rows; row++) {
    const float *weights = matrix->weights;
    for (size_t first = 0; first < matrix->outputs; first += BLOCK) {
      float sums[BLOCK] = {0};
      for (size_t k = 0; k < matrix->inputs; k++, weights += BLOCK)
        for (size_t j = 0; j < BLOCK; j++) sums[j] += x[row * x_stride + k] * weights[j];
      size_t count = TA_MIN(BLOCK, matrix->outputs - first);
      for (size_t j = 0; j < count; j++) {
        float *to = y + row * y_stride + first + j;
        *to = (add ? *to : bias ? bias[first + j] : 0) + sums[j];
      }
    }
  }
}

/* The rational function of Eigen (generic_fast_tanh_float): the quotient of two polynomials, odd by even, that were
 * fitted to tanh where it differs from 1 in float. */
static float tanh_of(float x) {
  x = x < -7.90531f ? -7.90531f : x;
  x = x > 7.90531f ? 7.90531f : x;
  float s = x * x;
  float p = s * -2.76076847742355e-16f + 2.00018790482477e-13f;
  p = p * s + -8.60467152213735e-11f;
  p = p * s + 5.12229709037114e-08f;
  p = p * s + 1.48572235717979e-05f;
  p = p * s + 6.37261928875436e-04f;
  p = p * s + 4.89352455891786e-03f;
  p = p * x;
  float q = s * 1.19825839466702e-06f + 1.18534705686654e-04f;
  q = q * s + 2.26843463243900e-03f;
  q = q * s + 4.89352518554385e-03f;
  return p / q;
}

static float sigmoid_of(float x) { return tanh_of(x * 0.5f) * 0.5f + 0.5f; }

static float power_of_2(int32_t exponent) { /* from -126 to 127 */
  union {
    uint32_t bits;
    float value;
  } power;
  power.bits = (uint32_t)(exponent + 127) << 23;
  return power.value;
}

/* exp(x) = 2^n exp(r) with r from -ln 2 / 2 to ln 2 / 2, and ln 2 in two parts, as in Cephes' expf. 0 below the smallest
 * normal float. */
static float exp_of(float x) {
  if (x != x) return x;
  if (x < -87.33654f) return 0;
  float limited = x < 89.0f ? x : 89.0f; /* exp(89) passes the largest float, and gives infinity */
  const float shift = 12582912.0f; /* 1.5 * 2^23: adding it rounds to a whole number */
  float n = limited * 1.44269504f + shift - shift;
  float r = limited - n * 0.693359375f - n * -2.12194440e-4f;
  float p = r * 1.9875691500e-4f + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * (r * r) + r + 1.0f;
  int32_t whole = (int32_t)n, half = whole / 2; /* 2^128 is no float, so the power has two parts */
  return p * power_of_2(half) * power_of_2(whole - half);
}

static void scalar_tanh(const float *x, size_t count, float *y) {
  for (size_t i = 0; i < count; i++) y[i] = tanh_of(x[i]);
}
static void scalar_sigmoid(const float *x, size_t count, float *y) {
  for (size_t i = 0; i < count; i++) y[i] = sigmoid_of(x[i]);
}
static void scalar_exp(const float *x, size_t count, float *y) {
  for (size_t i = 0; i < count; i++) y[i] = exp_of(x[i]);
}

static void scalar_lstm_step(const float *gates, size_t units, float *cell, float *hidden) {
  for (size_t u = 0; u < units; u++) {
    float input = sigmoid_of(gates[u]), forget = sigmoid_of(gates[units + u]);
    float candidate = tanh_of(gates[2 * units + u]), output = sigmoid_of(gates[3 * units + u]);
    cell[u] = forget * cell[u] + input * candidate;
    hidden[u] = output * tanh_of(cell[u]);
  }
}

static void scalar_add_scaled(float a, const float *x, size_t count, float *y) {
  for (size_t i = 0; i < count; i++) y[i] += a * x[i];
}

/* 16 sums, of every 16th product, are added in pairs: the order of one vector of 16, two of 8 or four of 4. */
static float scalar_dot(const float *x, const float *y, size_t count) {
  float sums[16] = {0};
  size_t i = 0;
  for (; i + 16 <= count; i += 16)
    for (size_t j = 0; j < 16; j++) sums[j] += x[i + j] * y[i + j];
  for (size_t j = 0; i < count; i++, j++) sums[j] += x[i] * y[i];
  for (size_t half = 8; half > 0; half /= 2)
    for (size_t j = 0; j < half; j++) sums[j] += sums[j + half];
  return sums[0];
}

static void scalar_add(const float *x1, const float *x2, size_t count, float *y) {
  for (size_t i = 0; i < count; i++) y[i] = x1[i] + x2[i];
}
static void scalar_multiply(const float *x1, const float *x2, size_t count, float *y) {
  for (size_t i = 0; i < count; i++) y[i] = x1[i] * x2[i];
}

static void scalar_sum_rows(const int8_t *table, size_t columns, const uint32_t *rows, size_t count, int32_t *out) {
  for (size_t k = 0; k < columns; k++) out[k] = 0;
  for (size_t row = 0; row < count; row++) {
    const int8_t *from = table + rows[row] * columns;
    for (size_t k = 0; k < columns; k++) out[k] += from[k];
  }
}

static const ta_kernels scalar_set = {.name = "scalar",
                                      .int8_size = scalar_int8_size,
                                      .int8_pack = scalar_int8_pack,
                                      .float_size = scalar_float_size,
                                      .float_pack = scalar_float_pack,
                                      .quantize = scalar_quantize,
                                      .quantize_range = scalar_quantize_range,
                                      .int8_product = scalar_int8_product,
                                      .int8_sums = scalar_int8_sums,
                                      .float_product = scalar_float_product,
                                      .tanh = scalar_tanh,
                                      .sigmoid = scalar_sigmoid,
                                      .exp = scalar_exp,
                                      .lstm_step = scalar_lstm_step,
                                      .add_scaled = scalar_add_scaled,
                                      .dot = scalar_dot,
                                      .add = scalar_add,
                                      .multiply = scalar_multiply,
                                      .sum_rows = scalar_sum_rows};

const ta_kernels *ta_kernels_scalar(void) { return &scalar_set; }

#undef BLOCK
