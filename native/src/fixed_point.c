/* Whole numbers that stand for fractions; see the header for references. */
#include "fixed_point.h"

ta_multiplier ta_multiplier_of(double number) {
  ta_multiplier none = {0, 0};
  if (!(number > 0)) return none;
  int32_t shift = 0;
  while (number >= 1.0 && shift < 31) {
    number *= 0.5;
    shift++;
  }
  while (number < 0.5 && shift > -32) {
    number *= 2.0;
    shift--;
  }
  if (shift < -31 || number >= 1.0) return none;
  int64_t fraction = (int64_t)(number * 2147483648.0 + 0.5);
  if (fraction == (int64_t)1 << 31) {
    fraction /= 2;
    shift++;
  }
  ta_multiplier found = {(int32_t)fraction, shift};
  return found;
}

int32_t ta_shift_right(int32_t number, int32_t exponent) {
  if (exponent <= 0) return number;
  if (exponent > 31) return 0;
  int64_t mask = ((int64_t)1 << exponent) - 1, wide = number;
  int64_t magnitude = wide < 0 ? -wide : wide;
  int64_t rounded = (magnitude >> exponent) + ((magnitude & mask) > mask >> 1);
  return (int32_t)(wide < 0 ? -rounded : rounded);
}

/* The upper half of twice a product, rounded; as SaturatingRoundingDoublingHighMul. */
static int32_t high_product(int32_t a, int32_t b) {
  if (a == INT32_MIN && b == INT32_MIN) return INT32_MAX;
  int64_t product = (int64_t)a * b, nudge = product >= 0 ? (int64_t)1 << 30 : 1 - ((int64_t)1 << 30);
  return (int32_t)((product + nudge) / ((int64_t)1 << 31));
}

int32_t ta_multiply(int32_t number, ta_multiplier by) {
  int32_t left = by.shift > 0 ? TA_MIN(by.shift, 31) : 0, right = by.shift > 0 ? 0 : -by.shift;
  int32_t moved = (int32_t)((uint32_t)number << left);
  return ta_shift_right(high_product(moved, by.multiplier), right);
}

/* -- int16: sums wrap around, products are rounded. */

static int16_t wrapped(int32_t number) {
  return (int16_t)(uint16_t)(uint32_t)number;
}

static int16_t product16(int16_t a, int16_t b) {
  if (a == INT16_MIN && b == INT16_MIN) return INT16_MAX;
  int32_t product = (int32_t)a * b, nudge = product >= 0 ? 1 << 14 : 1 - (1 << 14);
  return (int16_t)((product + nudge) / (1 << 15));
}

/* Times 2^exponent, cut to int16. */
static int16_t shifted16(int16_t number, int32_t exponent) {
  int32_t result = number * (1 << exponent);
  return (int16_t)(result > INT16_MAX ? INT16_MAX : result < INT16_MIN ? INT16_MIN : result);
}

static int16_t sum16(int16_t a, int16_t b) {
  return wrapped((int32_t)a + b);
}

static int16_t saturated_sum16(int16_t a, int16_t b) {
  int32_t sum = (int32_t)a + b;
  return (int16_t)(sum > INT16_MAX ? INT16_MAX : sum < INT16_MIN ? INT16_MIN : sum);
}

/* exp on [-1/4, 0), a Taylor series around -1/8. */
static int16_t exp_of_quarter(int16_t a) {
  const int16_t start = 28918 /* exp(-1/8) */, third = 10923;
  int16_t x = sum16(a, 1 << 12), x2 = product16(x, x), x3 = product16(x2, x), x4 = product16(x2, x2);
  int16_t higher = product16(sum16((int16_t)ta_shift_right(x4, 2), x3), third);
  int16_t rest = (int16_t)ta_shift_right(sum16(higher, x2), 1);
  return saturated_sum16(start, product16(start, sum16(x, rest)));
}

/* exp of a number of 0 or below, with `integer_bits` bits before its point. */
static int16_t exp16(int16_t a, int32_t integer_bits) {
  static const int32_t factors[] = {1672461947, 1302514674, 790015084, 290630308, 39332535, 720401, 242};
  int32_t fraction_bits = 15 - integer_bits, quarter = 1 << (fraction_bits - 2);
  if (a == 0) return INT16_MAX;
  int16_t in_quarter = wrapped((a & (quarter - 1)) - quarter);
  int16_t result = exp_of_quarter(shifted16(in_quarter, integer_bits));
  int32_t rest = wrapped((int32_t)in_quarter - a);
  for (int32_t exponent = -2; exponent <= 4 && integer_bits > exponent; exponent++)
    if (rest & (1 << (fraction_bits + exponent)))
      result = product16(result, (int16_t)ta_shift_right(factors[exponent + 2], 16));
  if (integer_bits > 5 && a < -(1 << (20 - integer_bits))) return 0; /* below -32 */
  return result;
}

/* About 1 / ((1 + a) / 2) for a from 0 to 1, with two bits before the point: Newton's method. */
static int16_t reciprocal16(int16_t a) {
  const int16_t one = 1 << 13;
  int16_t half = (int16_t)(((int32_t)a + INT16_MAX + 1) / 2);
  int16_t x = sum16(23130 /* 48/17 */, product16(half, -15420 /* -32/17 */));
  for (int i = 0; i < 3; i++) {
    int16_t error = wrapped((int32_t)one - product16(half, x));
    x = sum16(x, shifted16(product16(x, error), 2));
  }
  return x;
}

int16_t ta_sigmoid16(int16_t number) {
  if (number == 0) return 1 << 14;
  int16_t negative = number > 0 ? wrapped(-(int32_t)number) : number;
  int16_t positive = shifted16(reciprocal16(exp16(negative, 3)), 1);
  return number > 0 ? positive : wrapped((int32_t)INT16_MAX - positive);
}

int16_t ta_tanh16(int16_t number, int32_t integer_bits) {
  if (number == 0) return 0;
  int16_t negative = number > 0 ? wrapped(-(int32_t)number) : number;
  int16_t size = shifted16(wrapped((int32_t)reciprocal16(exp16(negative, integer_bits + 1)) - (1 << 13)), 2);
  return number > 0 ? size : wrapped(-(int32_t)size);
}
