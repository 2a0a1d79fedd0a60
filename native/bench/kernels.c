/* Times each set of kernels that this processor can run, on one thread: a BiLSTM with additive attention, made of the
 * kernels' calls, as `benchmarks/latency.py` has it (64 inputs a token, 64 units of attention, 2 classes), random weights.
 *
 *     bench-kernels [units tokens [set [once]]]
 *
 * It prints the p50 of the whole and of its parts in microseconds, and multiply-adds a nanosecond. Without arguments it
 * takes 64 64, 64 16 and 128 128. With `once` it computes the model once and prints nothing, for a count of
 * instructions: native/tools/count_instructions.py. */
#define _POSIX_C_SOURCE 200809L
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../src/kernels.h"

enum { INPUTS = 64, ATTENTION = 64, CLASSES = 2, MOST_UNITS = 256, MOST_TOKENS = 600, ROUNDS = 1000, PART_ROUNDS = 200 };
enum { QUANTIZE, PROJECT, RECUR, STEP, ATTEND, PARTS };
static const char *const part_names[PARTS] = {"quantize", "project", "recur", "step", "attend"};

typedef struct {
  const ta_kernels *kernels;
  size_t units, tokens;
  int timed; /* whether parts are timed: that makes the whole slower */
  double parts[PARTS], clock; /* microseconds; those that reading the clock takes */
  ta_matrix project[2], recur[2], attend, score, classify;
  float bias[2][4 * MOST_UNITS], attend_bias[ATTENTION];
} model;

/* Buffers, aligned as the engine aligns its own. */
static float x[MOST_TOKENS * INPUTS] __attribute__((aligned(64)));
static float gates[MOST_TOKENS * 4 * MOST_UNITS] __attribute__((aligned(64)));
static float hidden[MOST_TOKENS * 2 * MOST_UNITS] __attribute__((aligned(64)));
static float cell[MOST_UNITS] __attribute__((aligned(64)));
static float attended[MOST_TOKENS * ATTENTION] __attribute__((aligned(64)));
static float scores[MOST_TOKENS] __attribute__((aligned(64)));
static float context[2 * MOST_UNITS] __attribute__((aligned(64)));
static int8_t rounded[MOST_TOKENS * 2 * MOST_UNITS] __attribute__((aligned(64)));
static float row_scales[MOST_TOKENS];
static int32_t row_zeros[MOST_TOKENS];
static uint8_t packed[4 << 20] __attribute__((aligned(64)));
static size_t packed_size;

static uint32_t seed = 1;
static float uniform(void) { /* from -0.1 to 0.1 */
  seed = seed * 1664525u + 1013904223u;
  return ((float)(seed >> 8) / 16777216.0f - 0.5f) * 0.2f;
}

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec * 1e6 + (double)time.tv_nsec / 1e3;
}

static double lap(model *m, int part, double since) {
  if (!m->timed) return 0;
  double time = now();
  m->parts[part] += time - since - m->clock;
  return time;
}

static ta_matrix pack(const ta_kernels *kernels, size_t outputs, size_t inputs) {
  int8_t *weights = malloc(outputs * inputs);
  float *scales = malloc(outputs * sizeof *scales);
  for (size_t i = 0; i < outputs * inputs; i++) weights[i] = (int8_t)(uniform() * 1270);
  for (size_t n = 0; n < outputs; n++) scales[n] = 0.1f / 127;
  ta_matrix matrix;
  kernels->int8_pack(&matrix, packed + packed_size, weights, scales, outputs, inputs);
  packed_size += (kernels->int8_size(outputs, inputs) + 63) / 64 * 64;
  free(weights);
  free(scales);
  return matrix;
}

static void quantize_rows(const ta_kernels *k, const float *from, size_t rows, size_t width) {
  k->quantize_ranges(from, rows, width, TA_EVEN, rounded, row_scales, row_zeros); /* widths are multiples of 64 */
}

static float run(model *m) {
  const ta_kernels *k = m->kernels;
  const size_t units = m->units, tokens = m->tokens, wide = 2 * units;
  double time = m->timed ? now() : 0;
  for (int backward = 0; backward < 2; backward++) {
    if (!backward) quantize_rows(k, x, tokens, INPUTS);
    time = lap(m, QUANTIZE, time);
    static int8_t kept[MOST_TOKENS * INPUTS] __attribute__((aligned(64)));
    static float kept_scales[MOST_TOKENS];
    static int32_t kept_zeros[MOST_TOKENS];
    if (!backward) {
      memcpy(kept, rounded, tokens * INPUTS);
      memcpy(kept_scales, row_scales, tokens * sizeof *kept_scales);
      memcpy(kept_zeros, row_zeros, tokens * sizeof *kept_zeros);
    }
    k->int8_product(&m->project[backward], kept, INPUTS, kept_scales, kept_zeros, tokens, m->bias[backward], 0, gates, 4 * units);
    time = lap(m, PROJECT, time);
    memset(cell, 0, sizeof cell);
    const float *last = NULL;
    for (size_t i = 0; i < tokens; i++) {
      size_t t = backward ? tokens - 1 - i : i;
      float *z = gates + t * 4 * units, *out = hidden + t * wide + (size_t)backward * units;
      if (last != NULL) {
        static int8_t state[MOST_UNITS] __attribute__((aligned(64)));
        int32_t zero;
        float scale;
        k->quantize_ranges(last, 1, units, TA_EVEN, state, &scale, &zero);
        time = lap(m, QUANTIZE, time);
        k->int8_product(&m->recur[backward], state, units, &scale, &zero, 1, NULL, 1, z, 4 * units);
        time = lap(m, RECUR, time);
      }
      k->lstm_step(z, units, cell, out);
      time = lap(m, STEP, time);
      last = out;
    }
  }
  quantize_rows(k, hidden, tokens, wide);
  time = lap(m, QUANTIZE, time);
  k->int8_product(&m->attend, rounded, wide, row_scales, row_zeros, tokens, m->attend_bias, 0, attended, ATTENTION);
  k->tanh(attended, tokens * ATTENTION, attended);
  quantize_rows(k, attended, tokens, ATTENTION);
  k->int8_product(&m->score, rounded, ATTENTION, row_scales, row_zeros, tokens, NULL, 0, scores, 1);
  float largest = scores[0], sum = 0;
  for (size_t t = 1; t < tokens; t++) largest = TA_MAX(largest, scores[t]);
  for (size_t t = 0; t < tokens; t++) scores[t] -= largest;
  k->exp(scores, tokens, scores);
  for (size_t t = 0; t < tokens; t++) sum += scores[t];
  memset(context, 0, sizeof context);
  for (size_t t = 0; t < tokens; t++) k->add_scaled(scores[t] / sum, hidden + t * wide, wide, context);
  float logits[CLASSES];
  quantize_rows(k, context, 1, wide);
  k->int8_product(&m->classify, rounded, wide, row_scales, row_zeros, 1, NULL, 0, logits, CLASSES);
  lap(m, ATTEND, time);
  return logits[0];
}

static int by_size(const void *a, const void *b) {
  double p = *(const double *)a, q = *(const double *)b;
  return (p > q) - (p < q);
}

static void measure(const ta_kernels *kernels, size_t units, size_t tokens, int once) {
  static model m;
  memset(&m, 0, sizeof m);
  m.kernels = kernels;
  m.units = units;
  m.tokens = tokens;
  seed = 1;
  packed_size = 0;
  for (int d = 0; d < 2; d++) {
    m.project[d] = pack(kernels, 4 * units, INPUTS);
    m.recur[d] = pack(kernels, 4 * units, units);
    for (size_t n = 0; n < 4 * units; n++) m.bias[d][n] = uniform();
  }
  m.attend = pack(kernels, ATTENTION, 2 * units);
  m.score = pack(kernels, 1, ATTENTION);
  m.classify = pack(kernels, CLASSES, 2 * units);
  for (size_t n = 0; n < ATTENTION; n++) m.attend_bias[n] = uniform();
  for (size_t i = 0; i < MOST_TOKENS * INPUTS; i++) x[i] = uniform() * 10;

  static double times[ROUNDS];
  float logit = run(&m);
  if (once) return;
  for (int i = 0; i < 50; i++) logit = run(&m);
  for (int i = 0; i < ROUNDS; i++) {
    double start = now();
    run(&m);
    times[i] = now() - start;
  }
  qsort(times, ROUNDS, sizeof *times, by_size);
  double products = 2.0 * (double)tokens * 4 * (double)units * (double)(INPUTS + units) +
                    (double)tokens * 2 * (double)units * ATTENTION;
  printf("%-12s %3zu units %3zu tokens: p50 %8.2f us, min %8.2f, p95 %8.2f, %5.1f products/ns, logit %.9g\n",
         kernels->name, units, tokens, times[ROUNDS / 2], times[0], times[ROUNDS * 95 / 100],
         products / times[ROUNDS / 2] / 1e3, (double)logit);
  m.timed = 1;
  m.clock = 1;
  for (int i = 0; i < 1000; i++) {
    double start = now(), end = now();
    m.clock = TA_MIN(m.clock, end - start);
  }
  printf("            ");
  static double parts[PARTS][PART_ROUNDS];
  for (int i = 0; i < PART_ROUNDS; i++) {
    memset(m.parts, 0, sizeof m.parts);
    run(&m);
    for (int part = 0; part < PARTS; part++) parts[part][i] = m.parts[part];
  }
  for (int part = 0; part < PARTS; part++) {
    qsort(parts[part], PART_ROUNDS, sizeof **parts, by_size);
    printf(" %s %.2f", part_names[part], parts[part][PART_ROUNDS / 2]);
  }
  printf(" (p50 each)\n");
}

int main(int argc, char **argv) {
  const ta_kernels *(*const sets[])(void) = {
      ta_kernels_avx512_vnni, ta_kernels_avx_vnni, ta_kernels_avx2, ta_kernels_sse41, ta_kernels_neon_dot,
      ta_kernels_neon, ta_kernels_wasm_relaxed, ta_kernels_wasm_simd, ta_kernels_scalar};
  const uint32_t bits[] = {TEXTAPP_AVX512_VNNI, TEXTAPP_AVX_VNNI, TEXTAPP_AVX2, TEXTAPP_SSE41, TEXTAPP_NEON_DOT,
                           TEXTAPP_NEON, TEXTAPP_WASM_RELAXED, TEXTAPP_WASM_SIMD, 0};
  const size_t usual[][2] = {{64, 64}, {64, 16}, {128, 128}};
  uint32_t features = textapp_features();
  for (size_t i = 0; i < TA_COUNT(sets); i++) {
    if ((bits[i] & features) != bits[i] || sets[i]() == NULL) continue;
    if (argc > 3 && strcmp(argv[3], sets[i]()->name) != 0) continue;
    if (argc > 2)
      measure(sets[i](), (size_t)atoi(argv[1]), (size_t)atoi(argv[2]), argc > 4);
    else
      for (size_t j = 0; j < TA_COUNT(usual); j++) measure(sets[i](), usual[j][0], usual[j][1], 0);
  }
  return 0;
}
