/* Times the text half of a prediction, on one thread: tokens, words and ids, and n-grams, of each line of a file.
 *
 *     bench-text VOCABULARY < TEXTS
 *
 * VOCABULARY is a bundle's vocabulary.txt, TEXTS has a text a line. It prints the microseconds of a text: the best of
 * twenty rounds over all texts, so that other programs matter less. */
#define _POSIX_C_SOURCE 200809L
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../src/text.h"

enum { LONGEST = 1 << 16, MOST_TOKENS = 512, MOST_TEXTS = 100000, ROUNDS = 20 };

static char *texts[MOST_TEXTS];
static size_t lengths[MOST_TEXTS], text_count, byte_count;
static ta_vocabulary vocabulary;
static ta_tokens tokens;
static ta_ngrams ngrams;
static const ta_ngram_hash hash = {2, 1 << 18, 5, 1 << 18};
static const ta_word_form word_form = {1, 0, TA_NFKC};
static const ta_tokenizer tokenizer = {TA_WORD, 1, TA_NFKC};

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec * 1e6 + (double)time.tv_nsec / 1e3;
}

static void *allocate(void *user, size_t size) {
  (void)user;
  return malloc(size);
}

static void read_texts(void) {
  char *line = malloc(LONGEST);
  while (line && text_count < MOST_TEXTS && fgets(line, LONGEST, stdin)) {
    size_t length = strcspn(line, "\n");
    texts[text_count] = malloc(length + 1);
    if (!texts[text_count]) exit(2);
    memcpy(texts[text_count], line, length);
    lengths[text_count++] = length;
    byte_count += length;
  }
  free(line);
}

static void read_vocabulary(const char *path) {
  static const textapp_options options = {allocate, NULL, 0, 0};
  static ta_arena arena;
  textapp_message message;
  char *data = malloc(1 << 24);
  FILE *file = fopen(path, "rb");
  if (!data || !file) exit(2);
  size_t size = fread(data, 1, 1 << 24, file);
  fclose(file);
  ta_arena_init(&arena, &options);
  double start = now();
  if (ta_vocabulary_load(&vocabulary, &arena, path, data, size, &message)) {
    fprintf(stderr, "%s\n", message.text);
    exit(2);
  }
  printf("vocabulary: %u lines in %.0f us\n", vocabulary.count, now() - start);
}

/* Works through all texts: 0 only cuts them, 1 looks words up too, 2 adds n-grams. Returns a sum, so that all is needed. */
static size_t work(int depth) {
  static char word[1024];
  size_t sum = 0;
  int cut;
  for (size_t i = 0; i < text_count; i++) {
    if (ta_tokenize(&tokenizer, texts[i], lengths[i], MOST_TOKENS, &tokens)) exit(2);
    sum += tokens.count;
    if (depth > 1) ta_ngrams_start(&ngrams);
    for (size_t token = 0; depth && token < tokens.count; token++) {
      const ta_token *one = tokens.tokens + token;
      size_t length = ta_word(&word_form, tokens.text + one->first, one->behind - one->first, word, sizeof word, &cut,
                              tokens.scratch);
      sum += (size_t)ta_id(&vocabulary, word, length);
      if (depth > 1) ta_ngrams_add(&ngrams, &hash, word, length);
    }
    if (depth > 1) sum += ngrams.word_count;
  }
  return sum;
}

int main(int count, char **arguments) {
  static const char *const names[] = {"tokens", "tokens, words and ids", "tokens, words, ids and n-grams"};
  if (count != 2) {
    fprintf(stderr, "usage: bench-text VOCABULARY < TEXTS\n");
    return 2;
  }
  read_vocabulary(arguments[1]);
  read_texts();
  ta_block block = {NULL, 0};
  ta_tokens_take(&tokens, &block, LONGEST, MOST_TOKENS);
  ta_ngrams_take(&ngrams, &block, &hash, MOST_TOKENS);
  void *memory = malloc(block.used + 64);
  if (!memory || !text_count) return 2;
  block.memory = (uint8_t *)memory + (64 - (uintptr_t)memory % 64) % 64;
  block.used = 0;
  ta_tokens_take(&tokens, &block, LONGEST, MOST_TOKENS);
  ta_ngrams_take(&ngrams, &block, &hash, MOST_TOKENS);
  double per_text = (double)work(0) / (double)text_count;
  printf("%zu texts of %.1f tokens, %.0f bytes\n", text_count, per_text, (double)byte_count / (double)text_count);
  for (int depth = 0; depth < 3; depth++) {
    double best = 1e300;
    size_t sum = 0;
    for (int round = 0; round < ROUNDS; round++) {
      double start = now();
      sum += work(depth);
      double taken = now() - start;
      best = taken < best ? taken : best;
    }
    printf("%-32s %.2f us a text (%zu)\n", names[depth], best / (double)text_count, sum);
  }
  return 0;
}
