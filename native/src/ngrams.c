/* The rows of a text's n-grams: textapp/text/ngrams.py. */
#include "text.h"
#include "utf8.h"

#define WORD_LENGTH 32 /* code points of a word that count */

static size_t bitmap_words(uint32_t rows) { return rows / 32 + (rows % 32 > 0); }

void ta_ngrams_take(ta_ngrams *ngrams, ta_block *block, const ta_ngram_hash *hash, size_t most_tokens) {
  /* Each word ends `order` n-grams. Each of its characters, and the mark before it, begins one of each length. */
  size_t each = hash->characters ? (hash->characters - 1) * (size_t)(WORD_LENGTH + 1) : 0;
  size_t most = TA_MIN(most_tokens, SIZE_MAX / 4096);
  ngrams->word_room = TA_MIN(most * hash->order, hash->rows);
  ngrams->character_room = TA_MIN(most * each, hash->character_rows);
  ngrams->word_count = ngrams->character_count = ngrams->started_count = 0;
  ngrams->seen_words = ta_take(block, bitmap_words(hash->rows), sizeof(uint32_t));
  ngrams->seen_characters = ta_take(block, bitmap_words(hash->character_rows), sizeof(uint32_t));
  ngrams->words = ta_take(block, ngrams->word_room, sizeof(uint32_t));
  ngrams->characters = ta_take(block, ngrams->character_room, sizeof(uint32_t));
  if (!block->memory || block->used == SIZE_MAX) return;
  ta_fill(ngrams->seen_words, 0, bitmap_words(hash->rows) * sizeof(uint32_t));
  ta_fill(ngrams->seen_characters, 0, bitmap_words(hash->character_rows) * sizeof(uint32_t));
}

void ta_ngrams_start(ta_ngrams *ngrams) {
  for (size_t i = 0; i < ngrams->word_count; i++) ngrams->seen_words[ngrams->words[i] / 32] = 0;
  for (size_t i = 0; i < ngrams->character_count; i++) ngrams->seen_characters[ngrams->characters[i] / 32] = 0;
  ngrams->word_count = ngrams->character_count = ngrams->started_count = 0;
}

/* Reports a row that the text did not have yet. */
static void add_row(uint32_t row, uint32_t *seen, uint32_t *rows, size_t *count, size_t room) {
  uint32_t bit = (uint32_t)1 << row % 32;
  if (seen[row / 32] & bit || *count == room) return;
  seen[row / 32] |= bit;
  rows[(*count)++] = row;
}

static void add_spelling(ta_ngrams *ngrams, const ta_ngram_hash *hash, const uint8_t *word, size_t length) {
  /* The word between two marks; an n-gram of characters is hashed after the byte 1. */
  uint8_t marked[4 * WORD_LENGTH + 2] = {2};
  ta_copy(marked + 1, word, length);
  marked[length + 1] = 3;
  uint32_t one = ta_crc32(0, "\x01", 1), point;
  for (size_t start = 0; start < length + 2;) {
    size_t size = ta_decode(marked + start, length + 2 - start, &point), at = start + size;
    uint32_t crc = ta_crc32(one, marked + start, size);
    for (uint32_t count = 2; count <= hash->characters && at < length + 2; count++) {
      size_t next = ta_decode(marked + at, length + 2 - at, &point);
      crc = ta_crc32(crc, marked + at, next);
      at += next;
      add_row(crc & (hash->character_rows - 1), ngrams->seen_characters, ngrams->characters, &ngrams->character_count,
              ngrams->character_room);
    }
    start += size;
  }
}

void ta_ngrams_add(ta_ngrams *ngrams, const ta_ngram_hash *hash, const char *word, size_t length) {
  const uint8_t *bytes = (const uint8_t *)word;
  uint32_t point;
  size_t size = 0;
  for (size_t count = 0; count < WORD_LENGTH && size < length; count++) {
    size += ta_decode(bytes + size, length - size, &point);
  }
  /* `started` has the hash of each n-gram that ends at the word before, the shortest first. */
  size_t kept = TA_MIN(ngrams->started_count, TA_MIN(hash->order, TA_COUNT(ngrams->started)) - 1);
  for (size_t i = kept; i > 0; i--) {
    ngrams->started[i] = ta_crc32(ta_crc32(ngrams->started[i - 1], " ", 1), word, size);
  }
  ngrams->started[0] = ta_crc32(0, word, size);
  ngrams->started_count = (uint32_t)kept + 1;
  for (size_t i = 0; i <= kept; i++) {
    add_row(ngrams->started[i] & (hash->rows - 1), ngrams->seen_words, ngrams->words, &ngrams->word_count,
            ngrams->word_room);
  }
  if (hash->characters) add_spelling(ngrams, hash, bytes, size);
}
