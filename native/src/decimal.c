/* From decimal digits to the nearest double. Up to 19 digits with small exponents, as all numbers have that Python
 * writes for weights, take exact products and quotients of 128 bits. All others take a decimal that is shifted by
 * bits, as in the strconv package of Go. */
#include "json.h"

#define ROOM (TA_DIGITS + 16)

/* hi * 2^64 + lo, times 2^exponent, where `more` says that the exact value is a little larger. Not for subnormal
 * numbers. */
static double rounded(uint64_t hi, uint64_t lo, int more, int exponent) {
  union {
    uint64_t bits;
    double value;
  } out;
  uint64_t low, half = (uint64_t)1 << 10;
  if (!hi) {
    hi = lo;
    lo = 0;
    exponent -= 64;
  }
  while (!(hi >> 63)) {
    hi = hi << 1 | lo >> 63;
    lo <<= 1;
    exponent--;
  }
  low = hi & 2047;
  hi >>= 11;
  if (low > half || (low == half && (lo || more || (hi & 1)))) hi++;
  /* The leading bit, and a carry of the rounding, add to the exponent. */
  out.bits = ((uint64_t)(1023 + 64 + 62 + exponent) << 52) + hi;
  return out.value;
}

static uint64_t power_of_5(int exponent) {
  uint64_t power = 1;
  while (exponent-- > 0) power *= 5;
  return power;
}

static double times(uint64_t number, int exponent) {
  uint64_t power = power_of_5(exponent);
  uint64_t n0 = number & UINT32_MAX, n1 = number >> 32, p0 = power & UINT32_MAX, p1 = power >> 32;
  uint64_t low = n0 * p0, middle = n1 * p0 + (low >> 32), other = n0 * p1 + (middle & UINT32_MAX);
  return rounded(n1 * p1 + (middle >> 32) + (other >> 32), other << 32 | (low & UINT32_MAX), 0, exponent);
}

static double divided(uint64_t number, int exponent) {
  uint64_t power = power_of_5(exponent), hi, lo = 0, rest;
  int shift = 0;
  while (!(number >> 63)) {
    number <<= 1;
    shift++;
  }
  hi = number / power;
  rest = number % power;
  for (int bit = 0; bit < 64; bit++) {
    rest <<= 1; /* 5^27 has 63 bits */
    lo <<= 1;
    if (rest >= power) {
      rest -= power;
      lo |= 1;
    }
  }
  return rounded(hi, lo, rest != 0, -64 - shift - exponent);
}

/* 0.d1 d2 d3 ... times 10^point */
typedef struct {
  uint8_t digits[ROOM];
  int count, point;
  int more; /* whether digits were cut off */
} decimal;

static void trim(decimal *number) {
  while (number->count && !number->digits[number->count - 1]) number->count--;
}

static void shift_right(decimal *number, int bits) {
  uint64_t rest = 0, mask = ((uint64_t)1 << bits) - 1;
  int read = 0, written = 0;
  for (; !(rest >> bits); read++) {
    if (read >= number->count && !rest) {
      number->count = 0;
      return;
    }
    rest = rest * 10 + (read < number->count ? number->digits[read] : 0);
  }
  number->point -= read - 1;
  for (; read < number->count; read++) {
    number->digits[written++] = (uint8_t)(rest >> bits);
    rest = (rest & mask) * 10 + number->digits[read];
  }
  while (rest) {
    uint8_t digit = (uint8_t)(rest >> bits);
    if (written < TA_DIGITS) {
      number->digits[written++] = digit;
    } else if (digit) {
      number->more = 1;
    }
    rest = (rest & mask) * 10;
  }
  number->count = written;
  trim(number);
}

static void shift_left(decimal *number, int bits) {
  uint64_t rest = 0;
  int first = 9; /* 2^27 has nine digits */
  for (int read = number->count - 1; read >= 0; read--) {
    rest += (uint64_t)number->digits[read] << bits;
    number->digits[read + 9] = (uint8_t)(rest % 10);
    rest /= 10;
  }
  while (rest) {
    number->digits[--first] = (uint8_t)(rest % 10);
    rest /= 10;
  }
  number->count += 9 - first;
  number->point += 9 - first;
  ta_move(number->digits, number->digits + first, (size_t)number->count);
  while (number->count > TA_DIGITS) number->more |= number->digits[--number->count] != 0;
  trim(number);
}

static uint64_t whole(const decimal *number) {
  uint64_t out = 0;
  int up, at = number->point;
  for (int place = 0; place < at; place++) out = out * 10 + (place < number->count ? number->digits[place] : 0);
  if (at < 0 || at >= number->count) return out;
  up = number->digits[at] >= 5;
  if (number->digits[at] == 5 && at + 1 == number->count && !number->more) up = (int)(out & 1);
  return out + (uint64_t)up;
}

static double shifted(const char *digits, size_t count, int exponent) {
  static const uint8_t steps[] = {1, 3, 6, 9, 13, 16, 19, 23, 26}; /* bits by which that many digits may shift */
  union {
    uint64_t bits;
    double value;
  } out;
  decimal number = {{0}, (int)count, (int)count + exponent, 0};
  int power = 0, step;
  for (size_t place = 0; place < count; place++) number.digits[place] = (uint8_t)(digits[place] - '0');
  trim(&number);
  while (number.point > 0) {
    step = number.point < (int)TA_COUNT(steps) ? steps[number.point] : 27;
    shift_right(&number, step);
    power += step;
  }
  while (number.point < 0 || (number.point == 0 && number.digits[0] < 5)) {
    step = -number.point < (int)TA_COUNT(steps) ? steps[-number.point] : 27;
    shift_left(&number, step);
    power -= step;
  }
  /* The value is from 0.5 to 1, times 2^power. Subnormal numbers have fewer bits. */
  while (power < -1021) {
    step = TA_MIN(27, -1021 - power);
    shift_right(&number, step);
    power += step;
    if (!number.count) return 0.0;
  }
  if (power > 1024) power = 1025;
  shift_left(&number, 27);
  shift_left(&number, 26);
  out.bits = whole(&number);
  if (out.bits >> 52) out.bits += (uint64_t)(power + 1021) << 52; /* normal: a carry of the rounding fits */
  if (out.bits >> 52 >= 2047) out.bits = (uint64_t)2047 << 52;
  return out.value;
}

double ta_decimal(const char *digits, size_t count, int64_t exponent) {
  uint64_t number = 0;
  union {
    uint64_t bits;
    double value;
  } infinite = {(uint64_t)2047 << 52};
  while (count && digits[count - 1] == '0') {
    count--;
    exponent++;
  }
  if (!count || (int64_t)count + exponent < -330) return 0.0;
  if ((int64_t)count + exponent > 310) return infinite.value;
  if (count > 19 || exponent < -27 || exponent > 27) return shifted(digits, count, (int)exponent);
  for (size_t place = 0; place < count; place++) number = number * 10 + (uint64_t)(digits[place] - '0');
  return exponent < 0 ? divided(number, (int)-exponent) : times(number, (int)exponent);
}
