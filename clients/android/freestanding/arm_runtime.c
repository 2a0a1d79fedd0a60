/* What a compiler calls on ARMv7, where the processor may have no division: for builds without a compiler's own library.
 *
 * Run-time ABI for the Arm Architecture (IHI 0043), 4.1.2: conversion from double; 4.3.1: division. All of it is in
 * registers for whole numbers, so that it is the same with and without a floating-point unit.
 */
#include <stdint.h>

#define BITS_OF_FRACTION 52
#define BIAS 1023

/* Long division, a bit a step. The core never divides by 0; the answer is then 0. */
static uint32_t divide(uint32_t number, uint32_t by, uint32_t *rest) {
  uint32_t quotient = 0;
  if (by && number >= by) {
    int shift = __builtin_clz(by) - __builtin_clz(number);
    for (by <<= shift; shift >= 0; shift--, by >>= 1) {
      if (number < by) continue;
      number -= by;
      quotient |= 1u << shift;
    }
  }
  *rest = number;
  return quotient;
}

__attribute__((used)) static uint64_t divide_long(uint64_t number, uint64_t by, uint64_t *rest) {
  uint64_t quotient = 0;
  if (by && number >= by) {
    int shift = __builtin_clzll(by) - __builtin_clzll(number);
    for (by <<= shift; shift >= 0; shift--, by >>= 1) {
      if (number < by) continue;
      number -= by;
      quotient |= UINT64_C(1) << shift;
    }
  }
  *rest = number;
  return quotient;
}

static uint32_t magnitude(int32_t number) { return number < 0 ? 0u - (uint32_t)number : (uint32_t)number; }

static uint64_t long_magnitude(int64_t number) { return number < 0 ? 0u - (uint64_t)number : (uint64_t)number; }

/* A number with the sign of another: C rounds quotients to zero, and rests have the sign of the number. */
static uint32_t signed_as(uint32_t number, int is_negative) { return is_negative ? 0u - number : number; }

static uint64_t long_signed_as(uint64_t number, int is_negative) { return is_negative ? 0u - number : number; }

__attribute__((used)) static int64_t divide_signed_long(int64_t number, int64_t by, int64_t *rest) {
  uint64_t left, quotient = divide_long(long_magnitude(number), long_magnitude(by), &left);
  *rest = (int64_t)long_signed_as(left, number < 0);
  return (int64_t)long_signed_as(quotient, (number < 0) != (by < 0));
}

/* A quotient in r0 and a rest in r1 are a result of 64 bits. */
uint64_t __aeabi_uidivmod(uint32_t number, uint32_t by) {
  uint32_t rest, quotient = divide(number, by, &rest);
  return (uint64_t)rest << 32 | quotient;
}

uint32_t __aeabi_uidiv(uint32_t number, uint32_t by) {
  uint32_t rest;
  return divide(number, by, &rest);
}

uint64_t __aeabi_idivmod(int32_t number, int32_t by) {
  uint32_t rest, quotient = divide(magnitude(number), magnitude(by), &rest);
  return (uint64_t)signed_as(rest, number < 0) << 32 | signed_as(quotient, (number < 0) != (by < 0));
}

int32_t __aeabi_idiv(int32_t number, int32_t by) { return (int32_t)(uint32_t)__aeabi_idivmod(number, by); }

/* A quotient in r0 and r1 and a rest in r2 and r3 are no result that C has: the rest comes through memory. */
#define DIVIDE_LONG(function) \
  __asm__ volatile( \
      "push {r6, lr}\n" \
      "sub sp, sp, #16\n" \
      "add r6, sp, #8\n" \
      "str r6, [sp]\n" \
      "bl " #function "\n" \
      "ldr r2, [sp, #8]\n" \
      "ldr r3, [sp, #12]\n" \
      "add sp, sp, #16\n" \
      "pop {r6, pc}\n")

__attribute__((naked)) void __aeabi_uldivmod(void) { DIVIDE_LONG(divide_long); }

__attribute__((naked)) void __aeabi_ldivmod(void) { DIVIDE_LONG(divide_signed_long); }

/* A double, in two registers, to a whole number, towards zero. Beyond 64 bits C has no answer. */
__attribute__((pcs("aapcs"))) int64_t __aeabi_d2lz(double number) {
  union {
    double number;
    uint64_t bits;
  } as = {number};
  int exponent = (int)(as.bits >> BITS_OF_FRACTION & 0x7FF) - BIAS;
  uint64_t digits = (as.bits & (UINT64_C(1) << BITS_OF_FRACTION) - 1) | UINT64_C(1) << BITS_OF_FRACTION;
  if (exponent < 0) return 0;
  if (exponent > 63) exponent = 63;
  digits = exponent > BITS_OF_FRACTION ? digits << (exponent - BITS_OF_FRACTION) : digits >> (BITS_OF_FRACTION - exponent);
  return (int64_t)long_signed_as(digits, as.bits >> 63 != 0);
}
