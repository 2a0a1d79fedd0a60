/* A fuzz target: any bytes as a model file. The first bytes say what the bundle would say of the model:
 *
 *     per_token (1 byte), outputs (2), number of inputs (1), for each: width (1) and rows (2),
 *     number of lengths (1), each length (2); numbers are little-endian. Then the file.
 *
 *     gcc -g -fsanitize=address,undefined -Inative/include native/fuzz/model_file.c native/fuzz/run.c native/src/[a-z]*.c
 *     ./a.out SECONDS [FILES]
 */
#include <stdlib.h>
#include <string.h>

#include "../src/engine.h"

enum { MOST_MEMORY = 256 << 20, MOST_LENGTHS = 8, MOST_INPUTS = 3 };

static void *blocks[1 << 16];
static size_t block_count;

static void *allocate(void *user, size_t size) {
  (void)user;
  if (block_count == sizeof blocks / sizeof *blocks) return NULL;
  return blocks[block_count] = malloc(size), blocks[block_count++];
}

/* What the first bytes say; returns how many there were, 0 for too few. */
static size_t read_wanted(const uint8_t *data, size_t size, ta_engine_wanted *wanted, ta_engine_input *inputs,
                          ta_engine_signature *signatures, char (*names)[16]) {
  static const char *const input_names[MOST_INPUTS] = {"token_ids", "char_ids", "shape_ids"};
  if (size < 4 + 3 * MOST_INPUTS + 1 + 2 * MOST_LENGTHS) return 0;
  size_t at = 4;
  wanted->per_token = data[0] & 1;
  wanted->outputs = ta_u16(data + 1);
  wanted->input_count = 1 + data[3] % MOST_INPUTS;
  for (size_t i = 0; i < wanted->input_count; i++, at += 3) {
    inputs[i].name = input_names[i];
    inputs[i].width = data[at];
    inputs[i].rows = ta_u16(data + at + 1);
  }
  wanted->signature_count = 1 + data[at++] % MOST_LENGTHS;
  for (size_t i = 0; i < wanted->signature_count; i++, at += 2) {
    size_t length = ta_u16(data + at), digits = 0, rest = length;
    memcpy(names[i], "tokens_", 8);
    do digits++;
    while (rest /= 10);
    for (size_t k = 0, number = length; k < digits; k++,
         number /= 10) names[i][7 + digits - 1 - k] = (char)('0' + number % 10);
    signatures[i].length = length;
    signatures[i].name = names[i];
    signatures[i].name_length = 7 + digits;
  }
  wanted->inputs = inputs;
  wanted->signatures = signatures;
  return at;
}

static void run_texts(const ta_engine *engine, const ta_engine_wanted *wanted) {
  size_t longest = wanted->signatures[wanted->signature_count - 1].length, size = ta_engine_scratch(engine);
  if (size > MOST_MEMORY) return;
  uint8_t *scratch = malloc(size + 64);
  float *logits = malloc((longest + 1) * wanted->outputs * sizeof *logits), *attention = malloc((longest + 1) * sizeof *attention);
  int32_t *ids[MOST_INPUTS];
  for (size_t i = 0; i < wanted->input_count; i++) {
    size_t count = longest * wanted->inputs[i].width;
    ids[i] = malloc((count + 1) * sizeof **ids);
    for (size_t k = 0; k < count; k++)
      ids[i][k] = wanted->inputs[i].rows ? (int32_t)(k * 2654435761u % wanted->inputs[i].rows) : 0;
  }
  const size_t counts[] = {0, 1, (longest + 1) / 2, longest};
  for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
    textapp_message message;
    ta_engine_run(engine, scratch + (64 - (uintptr_t)scratch % 64), (const int32_t *const *)ids, counts[i], logits,
                  attention, &message);
  }
  for (size_t i = 0; i < wanted->input_count; i++) free(ids[i]);
  free(scratch);
  free(logits);
  free(attention);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  ta_engine_wanted wanted;
  ta_engine_input inputs[MOST_INPUTS];
  ta_engine_signature signatures[MOST_LENGTHS];
  char names[MOST_LENGTHS][16];
  size_t at = read_wanted(data, size, &wanted, inputs, signatures, names);
  if (at == 0) return 0;
  uint8_t *file = malloc(size - at + 1); /* of exactly its size, so that a byte too many is found */
  memcpy(file, data + at, size - at);
  textapp_options options = {allocate, NULL, textapp_features() * (data[0] >> 1 & 1), MOST_MEMORY};
  ta_arena arena;
  ta_engine *engine;
  textapp_message message;
  ta_arena_init(&arena, &options);
  if (ta_engine_load(&engine, &arena, ta_kernels_for(options.features), file, size - at, &wanted,
                     &message) == TEXTAPP_OK)
    run_texts(engine, &wanted);
  while (block_count > 0) free(blocks[--block_count]);
  free(file);
  return 0;
}
