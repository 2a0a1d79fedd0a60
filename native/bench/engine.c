/* Times the engine: load, and the p50 of one text a call.
 *
 *     gcc -O2 -Inative/include native/bench/engine.c LIBRARY; ./a.out MODEL ROWS OUTPUTS TOKENS LENGTH...
 *
 * MODEL reads token ids only and gives logits of a text; LENGTH... are those of its signatures. */
#define _POSIX_C_SOURCE 200809L
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "../src/engine.h"

enum { RUNS = 2001, MOST = 1 << 26, MOST_LENGTHS = 16 };

static size_t given;
static void *allocate(void *user, size_t size) {
  (void)user;
  given += size;
  return aligned_alloc(64, (size + 63) / 64 * 64);
}

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec * 1e6 + (double)time.tv_nsec * 1e-3;
}

static int by_size(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return x < y ? -1 : x > y;
}

int main(int count, char **arguments) {
  static char names[MOST_LENGTHS][24];
  static double times[RUNS];
  if (count < 6 || count > 5 + MOST_LENGTHS) return 2;
  uint8_t *file = malloc(MOST);
  FILE *input = fopen(arguments[1], "rb");
  if (!input) return 2;
  size_t size = fread(file, 1, MOST, input), tokens = (size_t)atoi(arguments[4]);
  ta_engine_input ids_input = {"token_ids", 1, (uint32_t)atoi(arguments[2])};
  ta_engine_signature signatures[MOST_LENGTHS];
  ta_engine_wanted wanted = {&ids_input, 1, signatures, (size_t)count - 5, (size_t)atoi(arguments[3]), 0};
  for (int i = 5; i < count; i++) {
    int length = snprintf(names[i - 5], sizeof names[0], "tokens_%s", arguments[i]);
    signatures[i - 5] = (ta_engine_signature){(size_t)atoi(arguments[i]), names[i - 5], (size_t)length};
  }
  textapp_options options = {allocate, NULL, textapp_features(), 0};
  const char *wish = getenv("FEATURES");
  if (wish) options.features &= (uint32_t)atoi(wish);
  const ta_kernels *kernels = ta_kernels_for(options.features);
  ta_arena arena;
  ta_engine *engine;
  textapp_message message = {""};
  ta_arena_init(&arena, &options);
  double start = now();
  if (ta_engine_load(&engine, &arena, kernels, file, size, &wanted, &message)) return puts(message.text), 1;
  double loaded = now() - start;
  void *scratch = aligned_alloc(64, (ta_engine_scratch(engine) + 63) / 64 * 64);
  int32_t *ids = malloc((tokens + 1) * sizeof *ids);
  float *logits = malloc(wanted.outputs * sizeof *logits), *attention = malloc((tokens + 1) * sizeof *attention);
  for (size_t i = 0; i < tokens; i++) ids[i] = (int32_t)(1 + i * 2654435761u % (ids_input.rows - 1));
  for (int i = 0; i < RUNS; i++) {
    start = now();
    if (ta_engine_run(engine, scratch, (const int32_t *const[]){ids}, tokens, logits, attention,
                      &message)) return puts(message.text), 1;
    times[i] = now() - start;
  }
  qsort(times, RUNS, sizeof *times, by_size);
  printf("%s: p50 %.1f us, least %.1f us; load %.0f us; %zu bytes allocated, %zu of a run; own length: %d; logit %.5f\n",
         kernels->name, times[RUNS / 2], times[0], loaded, given, ta_engine_scratch(engine), ta_engine_is_by_length(engine),
         (double)logits[0]);
  return 0;
}
