/* A fuzz target: any bytes as the files of a bundle. The input is files one after the other: the number of its name (1
 * byte), its size (4 bytes, little-endian) and its bytes. What comes last is predicted. bundle.json gets the right
 * hashes, so that a changed file is read. seeds.py writes the sample bundles so.
 *
 *     clang -g -fsanitize=fuzzer,address,undefined -Inative/include native/fuzz/bundle.c native/src/[a-z]*.c
 *     gcc -g -fsanitize=address,undefined -Inative/include native/fuzz/bundle.c native/fuzz/run.c native/src/[a-z]*.c
 *     ./a.out SECONDS [FILES]
 */
#define _POSIX_C_SOURCE 200112L
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../src/base.h"

enum { NAMES = 10, MOST_BLOCKS = 4096, MOST_MEMORY = 64 << 20, LONGEST = 1200 };
static const char *const names[NAMES] = {"bundle.json", "model.tflite", "vocabulary.txt", "characters.txt",
                                         "labels.txt",  "tags.txt",     "crf.json",       "ngrams.json",
                                         "ngrams.bin",  "selftest.json"};

static void *blocks[MOST_BLOCKS];
static size_t block_count;

static void *allocate(void *user, size_t size) {
  (void)user;
  if (block_count == MOST_BLOCKS || !(blocks[block_count] = malloc(size ? size : 1))) return NULL;
  return blocks[block_count++];
}

/* The input's files, each in memory of exactly its size. Returns the bytes that were read. */
static size_t read_files(const uint8_t *data, size_t size, textapp_file *files, size_t *count) {
  size_t at = 0;
  while (*count < NAMES && size - at >= 5 && data[at] < NAMES) {
    size_t length = ta_u32(data + at + 1);
    void *copy;
    if (length > size - at - 5) break;
    copy = malloc(length ? length : 1);
    if (!copy) exit(2);
    memcpy(copy, data + at + 5, length);
    files[*count].name = names[data[at]];
    files[*count].data = copy;
    files[(*count)++].size = length;
    at += 5 + length;
  }
  return at;
}

/* Adds the right hashes at the end of bundle.json: the last of several members counts. */
static void add_hashes(textapp_file *files, size_t count) {
  size_t place = 0, end, room, length;
  char *json;
  while (place < count && files[place].name != names[0]) place++;
  if (place == count) return;
  end = files[place].size;
  while (end && ((const char *)files[place].data)[end - 1] != '}') end--;
  if (!end) return;
  room = end + 100 * (count + 1);
  if (!(json = malloc(room))) exit(2);
  memcpy(json, files[place].data, --end);
  length = end + (size_t)sprintf(json + end, ", \"sha256\": {");
  for (size_t number = 0, found = 0; number < count; number++) {
    uint8_t digest[32];
    if (number == place) continue;
    ta_sha256(files[number].data, files[number].size, digest);
    length += (size_t)sprintf(json + length, "%s\"%s\": \"", found++ ? ", " : "", files[number].name);
    for (size_t byte = 0; byte < 32; byte++) length += (size_t)sprintf(json + length, "%02x", digest[byte]);
    json[length++] = '"';
  }
  memcpy(json + length, "}}", 2);
  free((void *)(uintptr_t)files[place].data);
  files[place].size = length + 2;
  files[place].data = realloc(json, length + 2);
}

/* Predicts parts of the text at once. */
static void predict_many(textapp_context *context, const textapp_model *model, const char *text, size_t length) {
  enum { PARTS = 6 };
  size_t ends[PARTS], done, labels = textapp_logit_count(model);
  uint8_t truncated[PARTS];
  double *probs = calloc(PARTS, labels * sizeof *probs);
  float *logits = calloc(PARTS, labels * sizeof *logits);
  textapp_message message;
  for (size_t part = 0; part < PARTS; part++) ends[part] = length * (part * part) / ((PARTS - 1) * (PARTS - 1));
  if (probs && logits) {
    textapp_probabilities(context, text, ends, PARTS, probs, logits, truncated, &done, &message);
  }
  free(probs);
  free(logits);
}

static void predict(const textapp_model *model, const char *text, size_t length) {
  const textapp_prediction *found;
  textapp_message message;
  size_t size = textapp_batch_size(model, LONGEST);
  void *memory = NULL;
  textapp_context *context;
  const char *tokens[2];
  size_t lengths[2];
  if (!size || size > MOST_MEMORY || posix_memalign(&memory, 64, size)) return;
  context = textapp_context_init(model, memory, size, LONGEST);
  length = TA_MIN(length, (size_t)LONGEST);
  for (uint32_t flags = 0; flags < 16; flags++) textapp_predict(context, text, length, flags, &found, &message);
  tokens[0] = text;
  tokens[1] = text + length / 2;
  lengths[0] = length / 2;
  lengths[1] = length - length / 2;
  textapp_tag(context, tokens, lengths, 2, 0, &found, &message);
  textapp_selftest(context, &message);
  predict_many(context, model, text, length);
  free(memory);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  textapp_file files[NAMES];
  textapp_options options = {allocate, NULL, 0, MOST_MEMORY};
  textapp_model *model;
  size_t count = 0, read = read_files(data, size, files, &count);
  options.features = textapp_features();
  add_hashes(files, count);
  if (!textapp_load(files, count, &options, &model, NULL)) {
    predict(model, (const char *)data + read, size - read);
  }
  while (block_count) free(blocks[--block_count]);
  while (count) free((void *)(uintptr_t)files[--count].data);
  return 0;
}
