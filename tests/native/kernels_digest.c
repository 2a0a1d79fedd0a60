/* Prints a checksum of what each set of kernels computes from generated inputs: all sets must print the same on all
 * processors. `float_product` may fuse, so it is compared with the scalar set here, and counts as a number that differs.
 *
 *     kernels_digest          a line for each set and check: the set, the check, its checksum */
#include "../../native/src/kernels.h"

#ifdef __wasm__
#define EXPORT(name) __attribute__((export_name(name)))
#else
#define EXPORT(name)
#include <stdio.h>
#endif

enum { MOST = 72 * 520, CHECKS = 6 };
static uint8_t first_memory[1 << 19] __attribute__((aligned(64)));
static uint8_t second_memory[1 << 19] __attribute__((aligned(64)));
static int8_t weights[520 * 130], rounded[72 * 192] __attribute__((aligned(64)));
static float floats[520 * 130], x[MOST], y[MOST], z[MOST], bias[520], scales[520], row_scales[72];
static int32_t sums[MOST], row_zeros[72];
static const uint16_t sizes[][3] = {{1, 1, 1},     {2, 3, 2},    {4, 4, 3},    {15, 50, 4},   {17, 65, 5},   {64, 127, 6},
                                    {120, 30, 70}, {200, 50, 7}, {256, 64, 8}, {260, 100, 9}, {300, 7, 1}, {515, 130, 3}};

static const ta_kernels *(*const sets[])(void) = {
    ta_kernels_scalar, ta_kernels_sse41,    ta_kernels_avx2,      ta_kernels_avx_vnni,    ta_kernels_avx512_vnni,
    ta_kernels_neon,   ta_kernels_neon_dot, ta_kernels_wasm_simd, ta_kernels_wasm_relaxed};
static const uint32_t bits[] = {0,
                                TEXTAPP_SSE41,
                                TEXTAPP_AVX2,
                                TEXTAPP_AVX_VNNI,
                                TEXTAPP_AVX512_VNNI,
                                TEXTAPP_NEON,
                                TEXTAPP_NEON_DOT,
                                TEXTAPP_WASM_SIMD,
                                TEXTAPP_WASM_RELAXED};

static uint32_t seed;
static uint32_t random_bits(void) {
  seed = seed * 1664525u + 1013904223u;
  return seed >> 8;
}
static float uniform(float largest) { return ((float)random_bits() / 8388608.0f - 1.0f) * largest; }
static void fill(float *to, size_t count, float largest) {
  for (size_t i = 0; i < count; i++) to[i] = uniform(largest);
}

static uint32_t products(const ta_kernels *k, int with_least) {
  uint32_t crc = 0;
  for (size_t s = 0; s < TA_COUNT(sizes); s++) {
    const size_t outputs = sizes[s][0], inputs = sizes[s][1], rows = sizes[s][2], stride = (inputs + 63) / 64 * 64;
    ta_matrix matrix;
    for (size_t i = 0; i < outputs * inputs; i++) weights[i] = (int8_t)((int)(random_bits() % 255) - 127);
    for (size_t k1 = 0; k1 < inputs; k1++) weights[k1] = 127, weights[(outputs - 1) * inputs + k1] = -127;
    if (with_least) weights[outputs * inputs / 2] = -128;
    fill(bias, outputs, 3);
    for (size_t n = 0; n < outputs; n++) scales[n] = uniform(0.1f) + 0.2f; /* positive, as scales are */
    for (size_t row = 0; row < rows; row++) row_scales[row] = uniform(0.1f) + 0.2f;
    for (size_t i = 0; i < rows * stride; i++)
      rounded[i] = (int8_t)(i % stride < inputs ? (int)(random_bits() % 256) - 128 : 0);
    for (size_t i = 0; i < inputs; i++) rounded[i] = 127, rounded[(rows - 1) * stride + i] = -128;
    k->int8_pack(&matrix, first_memory, weights, scales, outputs, inputs);
    k->int8_sums(&matrix, rounded, stride, -7, rows, sums, outputs);
    crc = ta_crc32(crc, sums, 4 * rows * outputs);
    for (size_t row = 0; row < rows; row++) row_zeros[row] = (int32_t)(random_bits() % 256) - 128;
    k->int8_product(&matrix, rounded, stride, row_scales, row_zeros, rows, bias, 0, y, outputs);
    k->int8_product(&matrix, rounded, stride, row_scales, row_zeros, rows, NULL, 1, y, outputs);
    crc = ta_crc32(crc, y, 4 * rows * outputs);
    k->int8_product(&matrix, rounded, stride, row_scales, NULL, rows, NULL, 0, y, outputs);
    crc = ta_crc32(crc, y, 4 * rows * outputs);
  }
  return crc;
}

/* The numbers that are further from the scalar set's than 1e-6 of the sum of sizes. */
static uint32_t float_products(const ta_kernels *k) {
  uint32_t wrong = 0;
  for (size_t s = 0; s < TA_COUNT(sizes); s++) {
    const size_t outputs = sizes[s][0], inputs = sizes[s][1], rows = sizes[s][2];
    ta_matrix mine, scalar;
    fill(floats, outputs * inputs, 1);
    fill(x, rows * inputs, 1);
    fill(bias, outputs, 1);
    k->float_pack(&mine, first_memory, floats, outputs, inputs);
    ta_kernels_scalar()->float_pack(&scalar, second_memory, floats, outputs, inputs);
    k->float_product(&mine, x, inputs, rows, bias, 0, y, outputs);
    ta_kernels_scalar()->float_product(&scalar, x, inputs, rows, bias, 0, z, outputs);
    float limit = 1e-6f * (1 + (float)inputs / 4);
    for (size_t i = 0; i < rows * outputs; i++) wrong += !(y[i] - z[i] <= limit && z[i] - y[i] <= limit);
  }
  return wrong;
}

static uint32_t rounded_rows(const ta_kernels *k) {
  uint32_t crc = 0;
  int32_t zero;
  for (size_t count = 1; count <= 192; count++) {
    fill(x, count, 5);
    if (count % 3 == 0) x[0] = 127, x[count / 3] = 0.49999997f, x[count - 1] = -2.5f;
    float scale = k->quantize(x, count, rounded);
    crc = ta_crc32(ta_crc32(crc, rounded, (count + 63) / 64 * 64), &scale, 4);
    for (int rounding = TA_EVEN; rounding <= TA_AWAY; rounding++) {
      if (count % 4 == 0)
        for (size_t i = 0; i < count; i++) x[i] = (float)(int)(x[i] * 20) / 2;
      k->quantize_ranges(x, 1, count, (ta_rounding)rounding, rounded, &scale, &zero);
      crc = ta_crc32(ta_crc32(crc, rounded, (count + 63) / 64 * 64), &scale, 4);
      crc = ta_crc32(crc, &zero, 4);
    }
  }
  return crc;
}

static uint32_t functions(const ta_kernels *k) {
  uint32_t crc = 0;
  for (size_t count = 1; count <= 2000; count += count / 8 + 1) {
    for (int largest = 1; largest <= 100; largest *= 10) {
      fill(x, count, (float)largest);
      k->tanh(x, count, y);
      crc = ta_crc32(crc, y, 4 * count);
      k->sigmoid(x, count, y);
      crc = ta_crc32(crc, y, 4 * count);
      k->exp(x, count, y);
      crc = ta_crc32(crc, y, 4 * count);
    }
  }
  return crc;
}

static uint32_t steps(const ta_kernels *k) {
  uint32_t crc = 0;
  for (size_t units = 1; units <= 100; units++) {
    fill(y, units, 2);
    for (int step = 0; step < 5; step++) {
      fill(x, 4 * units, 4);
      k->lstm_step(x, units, y, z);
      crc = ta_crc32(ta_crc32(crc, y, 4 * units), z, 4 * units);
    }
  }
  return crc;
}

static uint32_t loops(const ta_kernels *k) {
  uint32_t crc = 0, rows[30];
  for (size_t count = 1; count <= 130; count++) {
    fill(x, count, 3);
    fill(y, count, 3);
    k->add_scaled(1.25f, x, count, y);
    k->add(x, y, count, z);
    k->multiply(y, z, count, z);
    float dot = k->dot(x, z, count);
    k->scale_bytes(0.3f, weights, count, y);
    crc = ta_crc32(crc, y, 4 * count);
    crc = ta_crc32(ta_crc32(crc, z, 4 * count), &dot, 4);
    for (size_t i = 0; i < 100 * count; i++) weights[i] = (int8_t)random_bits();
    for (size_t i = 0; i < TA_COUNT(rows); i++) rows[i] = random_bits() % 100;
    k->sum_rows(weights, count, rows, TA_COUNT(rows), sums);
    crc = ta_crc32(crc, sums, 4 * count);
  }
  return crc;
}

/* UINT32_MAX where the set is not there. */
EXPORT("digest") uint32_t digest(uint32_t set, uint32_t check) {
  const ta_kernels *k = (bits[set] & textapp_features()) == bits[set] ? sets[set]() : NULL;
  seed = 1;
  if (k == NULL) return UINT32_MAX;
  switch (check) {
    case 0: return products(k, 0) ^ products(k, 1);
    case 1: return float_products(k);
    case 2: return rounded_rows(k);
    case 3: return functions(k);
    case 4: return steps(k);
    default: return loops(k);
  }
}

#ifndef __wasm__
int main(void) {
  static const char *const names[CHECKS] = {"products", "float_products", "rounded_rows", "functions", "steps", "loops"};
  for (uint32_t set = 0; set < TA_COUNT(sets); set++)
    for (uint32_t check = 0; check < CHECKS; check++)
      if (digest(set, check) != UINT32_MAX) printf("%s %s %08x\n", sets[set]()->name, names[check], digest(set, check));
  return 0;
}
#endif
