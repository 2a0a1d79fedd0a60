/* Chooses the kernels: what this processor has, of what this build has. */
#include "kernels.h"

#if defined(__x86_64__) || defined(__i386__)
#include <cpuid.h>

#define X86_OSXSAVE (1u << 27) /* leaf 1, ECX: the system saves wide registers, and XGETBV says which */
#define X86_XMM_YMM 0x06u      /* XCR0: it saves the 256-bit registers */
#define X86_ZMM 0xe6u          /* XCR0: the 512-bit registers and the masks too */

static uint32_t saved_registers(void) {
  uint32_t low, high;
  __asm__ volatile(".byte 0x0f, 0x01, 0xd0" : "=a"(low), "=d"(high) : "c"(0)); /* XGETBV, which old assemblers lack */
  return low;
}

static int has(uint32_t bits, uint32_t wanted) { return (bits & wanted) == wanted; }

/* Intel's manual, volume 2, CPUID: leaves 1, 7.0 and 7.1. */
static uint32_t processor_features(void) {
  uint32_t a, b, c, d, features = 0;
  if (!__get_cpuid(1, &a, &b, &c, &d)) return 0;
  if (has(c, 1u << 9 | 1u << 19)) features |= TEXTAPP_SSE41; /* SSSE3 and SSE4.1 */
  if (!has(c, X86_OSXSAVE)) return features;
  uint32_t saved = saved_registers();
  int fma = has(c, 1u << 12 | 1u << 28); /* FMA and AVX */
  if (!fma || !has(saved, X86_XMM_YMM) || !__get_cpuid_count(7, 0, &a, &b, &c, &d)) return features;
  uint32_t leaves = a;
  if (!has(b, 1u << 5)) return features;
  features |= TEXTAPP_AVX2;
  const uint32_t avx512 = 1u << 16 | 1u << 17 | 1u << 30 | 1u << 31; /* F, DQ, BW, VL */
  if (has(b, avx512) && has(c, 1u << 11) && has(saved, X86_ZMM)) features |= TEXTAPP_AVX512_VNNI;
  if (leaves >= 1 && __get_cpuid_count(7, 1, &a, &b, &c, &d) && has(a, 1u << 4)) features |= TEXTAPP_AVX_VNNI;
  return features;
}
#else
/* Elsewhere a program cannot ask in the same way on all systems: what is built is what runs. */
static uint32_t processor_features(void) { return UINT32_MAX; }
#endif

static const struct {
  uint32_t feature; /* 0 for the set that runs everywhere */
  const ta_kernels *(*set)(void);
} choices[] = {
    /* The fastest first. */
    {TEXTAPP_AVX512_VNNI, ta_kernels_avx512_vnni},
    {TEXTAPP_AVX_VNNI, ta_kernels_avx_vnni},
    {TEXTAPP_AVX2, ta_kernels_avx2},
    {TEXTAPP_SSE41, ta_kernels_sse41},
    {TEXTAPP_NEON_DOT, ta_kernels_neon_dot},
    {TEXTAPP_NEON, ta_kernels_neon},
    {TEXTAPP_WASM_RELAXED, ta_kernels_wasm_relaxed},
    {TEXTAPP_WASM_SIMD, ta_kernels_wasm_simd},
};

uint32_t textapp_features(void) {
  uint32_t processor = processor_features(), features = 0;
  for (size_t i = 0; i < TA_COUNT(choices); i++)
    if (choices[i].set() != NULL) features |= choices[i].feature & processor;
  return features;
}

const ta_kernels *ta_kernels_for(uint32_t features) {
  for (size_t i = 0; i < TA_COUNT(choices); i++)
    if ((features & choices[i].feature) != 0 && choices[i].set() != NULL) return choices[i].set();
  return ta_kernels_scalar();
}
