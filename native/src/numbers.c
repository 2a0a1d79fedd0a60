/* exp, log, tanh, square root and rounding, without a math library: the same results on every machine. */
#include "base.h"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

typedef union {
  double number;
  uint64_t bits;
} double_bits;

#define SIGN (UINT64_C(1) << 63)

static uint64_t bits_of(double number) {
  double_bits value;
  value.number = number;
  return value.bits;
}

static double from_bits(uint64_t bits) {
  double_bits value;
  value.bits = bits;
  return value.number;
}

static double infinity(void) { return from_bits(UINT64_C(0x7FF) << 52); }
static double not_a_number(void) { return from_bits(UINT64_C(0x7FF8) << 48); }
/* 2 to the power of -1022 to 1023. */
static double power_of_two(int exponent) { return from_bits((uint64_t)(exponent + 1023) << 52); }
static double absolute(double x) { return from_bits(bits_of(x) & ~SIGN); }
static double with_sign(double x, double sign) { return from_bits((bits_of(x) & ~SIGN) | (bits_of(sign) & SIGN)); }

int ta_is_finite(double x) { return (bits_of(x) >> 52 & 0x7FF) != 0x7FF; }

/* ln 2 in two parts: `k * LN2_HIGH` is exact for every exponent k. */
#define LN2_HIGH 6.93147180369123816490e-01
#define LN2_LOW 1.90821492927058770002e-10
#define LOG2_E 1.44269504088896338700

/* exp(k ln 2 + r) = 2^k exp(r), with |r| at most half of ln 2, and exp(r) as its series. The argument's rounding error
 * is added to the small part, so that only the last sum rounds. */
double ta_exp(double x) {
  if (x != x) return x;
  if (x > 709.782712893384) return infinity();
  if (x < -745.2) return 0.0;
  int k = (int)(x * LOG2_E + (x < 0 ? -0.5 : 0.5));
  double high = x - k * LN2_HIGH, low = k * LN2_LOW;
  double r = high - low, lost = (high - r) - low;
  static const double terms[] = {1.0 / 6227020800.0, 1.0 / 479001600.0, 1.0 / 39916800.0, 1.0 / 3628800.0,
                                 1.0 / 362880.0,     1.0 / 40320.0,     1.0 / 5040.0,     1.0 / 720.0,
                                 1.0 / 120.0,        1.0 / 24.0,        1.0 / 6.0,        0.5};
  double sum = terms[0];
  for (size_t i = 1; i < TA_COUNT(terms); i++) sum = sum * r + terms[i];
  double y = 1.0 + (r + (r * r * sum + lost));
  if (k > 1023) return y * 2.0 * power_of_two(1023);
  if (k < -1021) return y * power_of_two(k + 1000) * power_of_two(-1000);
  return y * power_of_two(k);
}

/* log(2^k m) with m near 1: log m = 2 artanh(s), s = f / (2 + f), f = m - 1, as its series. The sum is ordered so that
 * the largest part, f, comes last. */
double ta_log(double x) {
  if (x != x || x < 0) return not_a_number();
  if (x < power_of_two(-1022)) return x > 0 ? ta_log(x * power_of_two(54)) - 54 * LN2_HIGH - 54 * LN2_LOW : -infinity();
  if (!ta_is_finite(x)) return x;
  uint64_t bits = bits_of(x);
  int k = (int)(bits >> 52) - 1023;
  double m = from_bits((bits & ((UINT64_C(1) << 52) - 1)) | UINT64_C(0x3FF) << 52);
  if (m > 1.4142135623730951) {
    m *= 0.5;
    k++;
  }
  double f = m - 1.0, s = f / (2.0 + f), z = s * s, half = 0.5 * f * f;
  double sum = 2.0 / 23.0;
  for (int n = 21; n >= 3; n -= 2) sum = sum * z + 2.0 / n;
  double rest = s * (half + sum * z) + k * LN2_LOW;
  return k * LN2_HIGH - ((half - rest) - f);
}

/* Near 0 by the ninth convergent of the continued fraction x / (1 + z / (3 + z / (5 + ...))), z = x * x, as x minus a
 * small part; farther as 1 - 2 / (exp(2 x) + 1). */
double ta_tanh(double x) {
  double a = absolute(x);
  if (x != x) return x;
  if (a > 22.0) return with_sign(1.0, x);
  if (a > 0.8) return with_sign(1.0 - 2.0 / (ta_exp(2.0 * a) + 1.0), x);
  double z = x * x;
  double above = ((44.0 * z + 12870.0) * z + 810810.0) * z + 11486475.0;
  double below = (((45.0 * z + 13860.0) * z + 945945.0) * z + 16216200.0) * z + 34459425.0;
  return x - x * z * (above / below);
}

double ta_sqrt(double x) {
#if defined(__SSE2__)
  return _mm_cvtsd_f64(_mm_sqrt_sd(_mm_setzero_pd(), _mm_set_sd(x)));
#elif defined(__aarch64__) && defined(__GNUC__)
  double root;
  __asm__("fsqrt %d0, %d1" : "=w"(root) : "w"(x));
  return root;
#else
  if (x != x || x < 0) return not_a_number();
  if (!(x > 0) || !ta_is_finite(x)) return x;
  double scale = 1.0;
  if (x < power_of_two(-1000)) {
    x *= power_of_two(108);
    scale = power_of_two(-54);
  }
  /* Newton's method for 1 / sqrt(x), whose first guess halves the exponent; then one step of Heron's. */
  double y = from_bits(UINT64_C(0x5FE6EB50C7B537A9) - (bits_of(x) >> 1));
  for (int i = 0; i < 4; i++) y *= 1.5 - 0.5 * x * y * y;
  double root = x * y;
  return 0.5 * (root + x / root) * scale;
#endif
}

float ta_expf(float x) { return (float)ta_exp((double)x); }
float ta_tanhf(float x) { return (float)ta_tanh((double)x); }
float ta_logf(float x) { return (float)ta_log((double)x); }
/* The double has more than twice the float's bits, so that rounding twice is rounding once. */
float ta_sqrtf(float x) { return (float)ta_sqrt((double)x); }

double ta_round_even(double x) {
  const double whole = 4503599627370496.0; /* 2^52: doubles from here on have no fraction */
  double a = absolute(x);
  if (!(a < whole)) return x;
  double moved = a + whole; /* assigned, so that a processor with longer registers rounds it to a double */
  return with_sign(moved - whole, x);
}

double ta_floor(double x) {
  double nearest = ta_round_even(x);
  return nearest > x ? nearest - 1.0 : nearest;
}

float ta_from_half(uint16_t half) {
  union {
    uint32_t bits;
    float number;
  } value;
  uint32_t sign = (uint32_t)(half & 0x8000) << 16, exponent = half >> 10 & 0x1F, fraction = half & 0x3FF;
  if (exponent == 0) { /* zero and numbers below the smallest exponent: fraction * 2^-24 */
    value.number = (float)fraction * (1.0f / 16777216.0f);
    value.bits |= sign;
  } else {
    value.bits = sign | (exponent == 31 ? 0xFFu : exponent + 112) << 23 | fraction << 13;
  }
  return value.number;
}
