/* What this processor reaches at most with the instructions of each set of kernels: multiply-adds of bytes a nanosecond,
 * with all numbers in registers, and with one factor read from the first-level cache, as the kernels read weights.
 *
 *     cc -O2 native/bench/peak.c -o peak; ./peak
 *
 * It prints the clock (cycles a nanosecond, by additions of which each waits for the one before, a cycle long), and for
 * each set that the processor has its name, the multiply-adds from registers and from the cache. One thread. Rounds are
 * short, some 20 microseconds, and the fastest counts: it is the one that nothing disturbed. x86-64, gcc or clang. */
#define _POSIX_C_SOURCE 200809L
#include <immintrin.h>
#include <stdint.h>
#include <stdio.h>
#include <time.h>

enum { WEIGHTS = 3 << 12, ROUNDS = 3000, SUMS = 12 };

static int8_t weights[WEIGHTS] __attribute__((aligned(64)));

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

static void add(long count) {
  uint64_t sum = 0;
  for (long i = 0; i < count; i++) __asm__ volatile("add $1, %0\n\tadd $1, %0\n\tadd $1, %0\n\tadd $1, %0" : "+r"(sum));
}

/* Twelve sums that do not wait for each other, each in a register. The empty assembly keeps every step: a compiler need
 * not compute again what does not change. `from` is where the factor of sum 0 lies. */
#define TWELVE(DO) DO(0) DO(1) DO(2) DO(3) DO(4) DO(5) DO(6) DO(7) DO(8) DO(9) DO(10) DO(11)
#define LOOP(name, instructions, vector, zero, next)                            \
  __attribute__((target(instructions))) static void name(long count) {          \
    const vector inputs = *(const vector *)(const void *)weights;               \
    const vector *from = (const vector *)(const void *)weights;                 \
    const vector *end = from + WEIGHTS / sizeof(vector);                        \
    vector factor = from[1];                                                    \
    vector sum0 = zero(), sum1 = zero(), sum2 = zero(), sum3 = zero();          \
    vector sum4 = zero(), sum5 = zero(), sum6 = zero(), sum7 = zero();          \
    vector sum8 = zero(), sum9 = zero(), sum10 = zero(), sum11 = zero();        \
    for (long i = 0; i < count; i++) {                                          \
      TWELVE(next)                                                              \
      from += SUMS;                                                             \
      if (from == end) from = (const vector *)(const void *)weights;            \
    }                                                                           \
    (void)factor;                                                               \
  }

#define ADD_512(sum, by) sum = _mm512_dpbusd_epi32(sum, inputs, by); __asm__ volatile("" : "+v"(sum));
#define ADD_VNNI(sum, by) sum = _mm256_dpbusd_avx_epi32(sum, inputs, by); __asm__ volatile("" : "+x"(sum));
/* Without VNNI, products of pairs of bytes are added in 16 bits, and these in 32. */
#define ADD_256(sum, by)                                                                                          \
  sum = _mm256_add_epi32(sum, _mm256_madd_epi16(_mm256_maddubs_epi16(inputs, by), _mm256_set1_epi16(1)));         \
  __asm__ volatile("" : "+x"(sum));
#define ADD_128(sum, by)                                                                                \
  sum = _mm_add_epi32(sum, _mm_madd_epi16(_mm_maddubs_epi16(inputs, by), _mm_set1_epi16(1)));           \
  __asm__ volatile("" : "+x"(sum));

#define REGISTERS_512(n) __asm__ volatile("" : "+v"(factor)); ADD_512(sum##n, factor)
#define REGISTERS_VNNI(n) __asm__ volatile("" : "+x"(factor)); ADD_VNNI(sum##n, factor)
#define REGISTERS_256(n) __asm__ volatile("" : "+x"(factor)); ADD_256(sum##n, factor)
#define REGISTERS_128(n) __asm__ volatile("" : "+x"(factor)); ADD_128(sum##n, factor)
#define CACHE_512(n) ADD_512(sum##n, from[n])
#define CACHE_VNNI(n) ADD_VNNI(sum##n, from[n])
#define CACHE_256(n) ADD_256(sum##n, from[n])
#define CACHE_128(n) ADD_128(sum##n, from[n])

LOOP(registers_512, "avx512f,avx512vnni", __m512i, _mm512_setzero_si512, REGISTERS_512)
LOOP(cache_512, "avx512f,avx512vnni", __m512i, _mm512_setzero_si512, CACHE_512)
LOOP(registers_vnni, "avx2,avxvnni", __m256i, _mm256_setzero_si256, REGISTERS_VNNI)
LOOP(cache_vnni, "avx2,avxvnni", __m256i, _mm256_setzero_si256, CACHE_VNNI)
LOOP(registers_256, "avx2", __m256i, _mm256_setzero_si256, REGISTERS_256)
LOOP(cache_256, "avx2", __m256i, _mm256_setzero_si256, CACHE_256)
LOOP(registers_128, "sse4.1", __m128i, _mm_setzero_si128, REGISTERS_128)
LOOP(cache_128, "sse4.1", __m128i, _mm_setzero_si128, CACHE_128)

/* The most that a loop does in a nanosecond. */
static double rate(void (*loop)(long), double work) {
  const long count = 4000;
  double best = 0;
  for (int round = 0; round < ROUNDS; round++) {
    double start = now();
    loop(count);
    double found = (double)count * work / (now() - start);
    if (found > best) best = found;
  }
  return best;
}

static void print(const char *name, void (*registers)(long), void (*cache)(long), int bytes) {
  printf("%s %.1f %.1f\n", name, rate(registers, SUMS * bytes), rate(cache, SUMS * bytes));
}

int main(void) {
  for (int i = 0; i < WEIGHTS; i++) weights[i] = (int8_t)(i % 17);
  printf("clock %.3f\n", rate(add, 4));
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx512vnni")) print("avx512-vnni", registers_512, cache_512, 64);
  if (__builtin_cpu_supports("avxvnni")) print("avx-vnni", registers_vnni, cache_vnni, 32);
  if (__builtin_cpu_supports("avx2")) print("avx2", registers_256, cache_256, 32);
  if (__builtin_cpu_supports("sse4.1")) print("sse4.1", registers_128, cache_128, 16);
  return 0;
}
