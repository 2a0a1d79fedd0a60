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

static void quantize_one_range(const float *row, size_t count, ta_rounding rounding, int8_t *out, float *scale,
                               int32_t *zero) {
  float least = 0, largest = 0;
  for (size_t k = 0; k < count; k++) {
    least = row[k] < least ? row[k] : least;
    largest = row[k] > largest ? row[k] : largest;
  }
  ta_range range = ta_range_of(least, largest, rounding);
  for (size_t k = 0; k < count; k++) {
    float value = row[k] * range.factor;
    if (rounding == TA_EVEN) value = (value + TA_WHOLE) - TA_WHOLE;
    value += range.zero;
    value = value > -128.0f ? value : -128.0f; /* NaN, of an infinite row, becomes the least */
    value = value < 127.0f ? value : 127.0f;
    out[k] = (int8_t)(value + (value < 0 ? -0.49999997f : 0.49999997f));
  }
  for (size_t k = count; k < round_up(count, 64); k++) out[k] = 0;
  *zero = (int32_t)range.zero;
  *scale = range.scale;
}

static void scalar_quantize_ranges(const float *x, size_t rows, size_t count, ta_rounding rounding, int8_t *out,
                                   float *scales, int32_t *zeros) {
  for (size_t row = 0; row < rows; row++)
    quantize_one_range(x + row * count, count, rounding, out + row * round_up(count, 64), &scales[row], &zeros[row]);
}

/* Sums of products of a row with the weights of 4 outputs, or fewer at the end: independent sums that a processor adds at
 * the same time. */
static void int8_dots(const ta_matrix *matrix, const int8_t *x, size_t n, int32_t *sums) {
  const size_t inputs = matrix->inputs, last = matrix->outputs - 1;
  const int8_t *weights = matrix->weights, *w0 = weights + n * inputs, *w1 = weights + TA_MIN(n + 1, last) * inputs;
  const int8_t *w2 = weights + TA_MIN(n + 2, last) * inputs, *w3 = weights + TA_MIN(n + 3, last) * inputs;
  int32_t s0 = 0, s1 = 0, s2 = 0, s3 = 0;
  for (size_t k = 0; k < inputs; k++) {
    s0 += x[k] * w0[k];
    s1 += x[k] * w1[k];
    s2 += x[k] * w2[k];
    s3 += x[k] * w3[k];
  }
  sums[0] = s0;
  sums[1] = s1;
  sums[2] = s2;
  sums[3] = s3;
}

static void scalar_int8_product(const ta_matrix *matrix, const int8_t *x, size_t x_stride, const float *x_scales,
                                const int32_t *x_zeros, size_t rows, const float *bias, int add, float *y,
                                size_t y_stride) {
  for (size_t row = 0; row < rows; row++) {
    int32_t zero = x_zeros != NULL ? x_zeros[row] : 0;
    for (size_t first = 0; first < matrix->outputs; first += 4) {
      int32_t sums[4];
      int8_dots(matrix, x + row * x_stride, first, sums);
      for (size_t n = first; n < matrix->outputs && n < first + 4; n++) {
        float *to = y + row * y_stride + n;
        float base = add ? *to : bias ? bias[n] : 0;
        *to = base + x_scales[row] * matrix->scales[n] * (float)(sums[n - first] - zero * matrix->sums[n]);
      }
    }
  }
}

static void scalar_int8_sums(const ta_matrix *matrix, const int8_t *x, size_t x_stride, int32_t zero_point,
                             size_t rows, int32_t *out, size_t sums_stride) {
  for (size_t row = 0; row < rows; row++)
    for (size_t first = 0; first < matrix->outputs; first += 4) {
      int32_t sums[4];
      int8_dots(matrix, x + row * x_stride, first, sums);
      for (size_t n = first; n < matrix->outputs && n < first + 4; n++)
        out[row * sums_stride + n] = sums[n - first] - zero_point * matrix->sums[n];
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

/* 2^y, for y between the limits. */
static float power(float y) {
  union {
    float value;
    uint32_t bits;
  } shifted, result;
  y = y < -TA_MOST_POWER ? -TA_MOST_POWER : y;
  y = y > TA_MOST_POWER ? TA_MOST_POWER : y;
  shifted.value = y + TA_WHOLE;
  float f = y - (shifted.value - TA_WHOLE), s = f * f;
  float p = (f * TA_POWER_5 + TA_POWER_4) * s + (f * TA_POWER_3 + TA_POWER_2);
  result.value = p * s + (f * TA_POWER_1 + 1.0f);
  result.bits += shifted.bits << 23;
  return result.value;
}

static float sigmoid_of(float x) { return 1.0f / (1.0f + power(x * -TA_LOG2_E)); }

static float tanh_of(float x) {
  float e = power(x * (-2 * TA_LOG2_E));
  return (1.0f - e) / (1.0f + e);
}

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
  float n = limited * TA_LOG2_E + TA_WHOLE - TA_WHOLE;
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

/* A division takes as long as ten products in vectors. So the quotients of the gates are brought to one denominator,
 * below 2^91: two divisions a unit instead of five. */
static void scalar_lstm_step(const float *gates, size_t units, float *cell, float *hidden) {
  for (size_t u = 0; u < units; u++) {
    float i = 1.0f + power(gates[u] * -TA_LOG2_E), f = 1.0f + power(gates[units + u] * -TA_LOG2_E);
    float g = power(gates[2 * units + u] * (-2 * TA_LOG2_E)), o = 1.0f + power(gates[3 * units + u] * -TA_LOG2_E);
    float q = i * (1.0f + g);
    cell[u] = (cell[u] * q + (1.0f - g) * f) / (q * f);
    float c = power(cell[u] * (-2 * TA_LOG2_E));
    hidden[u] = (1.0f - c) / (o * (1.0f + c));
  }
}

static void scalar_add_scaled(float a, const float *x, size_t count, float *y) {
  for (size_t i = 0; i < count; i++) y[i] += a * x[i];
}

static void scalar_scale_bytes(float a, const int8_t *x, size_t count, float *y) {
  for (size_t i = 0; i < count; i++) y[i] = a * (float)x[i];
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
                                      .quantize_ranges = scalar_quantize_ranges,
                                      .int8_product = scalar_int8_product,
                                      .int8_sums = scalar_int8_sums,
                                      .float_product = scalar_float_product,
                                      .tanh = scalar_tanh,
                                      .sigmoid = scalar_sigmoid,
                                      .exp = scalar_exp,
                                      .lstm_step = scalar_lstm_step,
                                      .add_scaled = scalar_add_scaled,
                                      .scale_bytes = scalar_scale_bytes,
                                      .dot = scalar_dot,
                                      .add = scalar_add,
                                      .multiply = scalar_multiply,
                                      .sum_rows = scalar_sum_rows};

const ta_kernels *ta_kernels_scalar(void) { return &scalar_set; }

#undef BLOCK
