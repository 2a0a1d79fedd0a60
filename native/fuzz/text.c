/* A fuzz target: any bytes as a text, in any setting. The first bytes choose the setting, the rest is the text.
 *
 *     clang -g -fsanitize=fuzzer,address,undefined -Inative/include native/fuzz/text.c native/src/[the text parts].c
 *     gcc -g -fsanitize=address,undefined -Inative/include native/fuzz/text.c native/fuzz/run.c ... ; ./a.out SECONDS [FILES]
 *
 * All memory has exactly the size that was asked for, so that the sanitizer sees each byte too many. */
#define _POSIX_C_SOURCE 200112L
#include <stdlib.h>
#include <string.h>

#include "../src/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(int condition) {
  if (!condition) abort();
}

/* Memory at an address that is a multiple of 64, which ends where the sanitizer watches. */
static uint8_t *aligned(size_t size) {
  void *memory = NULL;
  must(posix_memalign(&memory, 64, size ? size : 1) == 0);
  return memory;
}

static void check_places(const ta_tokens *tokens, const char *text, size_t length, int utf16) {
  ta_places starts = {text, length, 0, 0, utf16, 0, 0}, ends = starts, both = starts;
  for (size_t i = 0; i < tokens->count; i++) {
    const ta_token *one = tokens->tokens + i;
    size_t start = ta_place(&starts, one->start), end = ta_place(&ends, one->end);
    must(start < end && end <= length);
    must(ta_place(&both, one->start) == start && ta_place(&both, one->end) == end);
  }
}

/* Tokens lie in the text, one after the other, and have no byte too many; each is a word again. */
static void check_tokens(const ta_tokens *tokens, size_t length, const ta_word_form *form) {
  char word[64];
  int cut;
  size_t behind = 0;
  for (size_t i = 0; i < tokens->count; i++) {
    const ta_token *one = tokens->tokens + i;
    must(one->first == behind && one->behind > one->first && one->behind <= tokens->text_size);
    must(one->start < one->end && one->end <= length);
    behind = one->behind;
    const char *token = tokens->text + one->first;
    size_t size = one->behind - one->first;
    must(ta_word(form, token, size, word, i % sizeof word, &cut, tokens->scratch) <= i % sizeof word);
    int32_t shape = ta_token_shape(form->form, token, size, tokens->scratch);
    must(shape >= 1 && shape <= 32);
    ta_is_sentence_end(token, size);
  }
  must(behind == tokens->text_size);
}

static void check_ngrams(const ta_tokens *tokens) {
  const ta_ngram_hash hash = {3, 256, 4, 128};
  ta_ngrams ngrams;
  ta_block block = {NULL, 0};
  ta_ngrams_take(&ngrams, &block, &hash, tokens->count);
  block.memory = aligned(block.used);
  block.used = 0;
  ta_ngrams_take(&ngrams, &block, &hash, tokens->count);
  ta_ngrams_start(&ngrams);
  for (size_t i = 0; i < tokens->count; i++) {
    const ta_token *one = tokens->tokens + i;
    ta_ngrams_add(&ngrams, &hash, tokens->text + one->first, one->behind - one->first);
  }
  must(ngrams.word_count <= hash.rows && ngrams.character_count <= hash.character_rows);
  free(block.memory);
}

static size_t allocations;
static void *allocated[8];

static void *allocate(void *user, size_t size) {
  (void)user;
  must(allocations < TA_COUNT(allocated));
  return allocated[allocations++] = malloc(size);
}

/* The text as a vocabulary: each of its lines has an id, if it is one. */
static void check_vocabulary(const char *text, size_t length) {
  const textapp_options options = {allocate, NULL, 0, 1 << 24};
  ta_arena arena;
  ta_vocabulary vocabulary;
  textapp_message message;
  int32_t ids[5];
  ta_arena_init(&arena, &options);
  textapp_status status = ta_vocabulary_load(&vocabulary, &arena, "fuzz.txt", text, length, &message);
  must((status != TEXTAPP_OK) == (status && message.text[0]) && ta_length(message.text) < sizeof message.text);
  for (uint32_t i = 2; !status && i < vocabulary.count; i++) {
    size_t size = vocabulary.starts[i + 1] - vocabulary.starts[i] - 1;
    must(ta_id(&vocabulary, text + vocabulary.starts[i], size) == (int32_t)i);
    ta_character_ids(&vocabulary, text + vocabulary.starts[i], size, TA_COUNT(ids), ids);
  }
  while (allocations) free(allocated[--allocations]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size < 2) return 0;
  ta_tokenizer tokenizer = {data[0] & 1 ? TA_CHAR : TA_WORD, data[0] >> 1 & 1, (ta_form)((data[0] >> 2) % 3)};
  if (data[0] >> 7) tokenizer = (ta_tokenizer){TA_BERT, 1, TA_NONE};
  const ta_word_form form = {data[0] >> 4 & 1, data[0] >> 5 & 1, tokenizer.form};
  size_t most = data[1] < 128 ? data[1] : 100000, length = size - 2;
  char *text = malloc(length ? length : 1);
  must(text != NULL);
  memcpy(text, data + 2, length);
  ta_tokens tokens;
  ta_block block = {NULL, 0};
  ta_tokens_take(&tokens, &block, length, most);
  block.memory = aligned(block.used);
  block.used = 0;
  ta_tokens_take(&tokens, &block, length, most);
  must(ta_tokenize(&tokenizer, text, length, most, &tokens) == TEXTAPP_OK);
  must(tokens.count <= most && (!tokens.more || tokens.count == most));
  check_tokens(&tokens, length, &form);
  check_places(&tokens, text, length, data[0] >> 6 & 1);
  check_ngrams(&tokens);
  check_vocabulary(text, length);
  free(block.memory);
  free(text);
  return 0;
}
