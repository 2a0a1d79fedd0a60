/* From text to tokens and ids, to the letter of textapp/text. Unicode 14 is in tables that native/tools/tables.py
 * writes. */
#ifndef TA_TEXT_H
#define TA_TEXT_H

#include "base.h"

typedef enum { TA_NONE, TA_NFC, TA_NFKC } ta_form;
typedef enum { TA_WORD, TA_CHAR, TA_BERT } ta_tokenizer_kind;

typedef struct {
  ta_tokenizer_kind kind;
  int lowercase;
  ta_form form;
  int line_breaks;       /* whether HTML line breaks are white space */
  int split_apostrophes; /* whether an apostrophe between letters is a token */
} ta_tokenizer;

typedef struct {
  int lowercase, zero_digits;
  ta_form form;
} ta_word_form;

/* A token: its UTF-8 in `ta_tokens.text`, and its place in the original text in bytes. */
typedef struct {
  uint32_t first, behind; /* in `ta_tokens.text` */
  uint32_t start, end;    /* bytes of the original text */
} ta_token;

/* The tokens of a text. The caller gives the room, which `ta_tokens_take` cuts for texts of at most `longest` bytes,
 * longest < 2^28. `ta_tokens_take_text` leaves out `tokens`, for which the caller has `room` places elsewhere; `form` is
 * that of the tokenizer, TA_NFKC where it is not known. */
typedef struct {
  char *text;
  size_t text_size, text_room;
  ta_token *tokens;
  size_t count, room;
  int more; /* whether the text has more tokens than were asked for */
  void *scratch; /* of normalization: its size does not depend on the text */
} ta_tokens;
void ta_tokens_take(ta_tokens *tokens, ta_block *block, size_t longest, size_t most_tokens);
void ta_tokens_take_text(ta_tokens *tokens, ta_block *block, ta_form form, size_t longest, size_t most_tokens);

/* Cuts a text into its first `most` tokens. Invalid UTF-8 is U+FFFD, a byte at a time as in the WHATWG standard's
 * "maximal subpart" rule (Python's errors="replace"). It works through the text once, from left to right, and stops
 * soon after the last token that is wanted. TEXTAPP_ERROR_TOO_LONG if the room is for shorter texts or fewer tokens. */
textapp_status ta_tokenize(const ta_tokenizer *tokenizer, const char *text, size_t length, size_t most, ta_tokens *out);

/* Turns places in bytes into places in code points or UTF-16 units of the original text. It walks along with ascending
 * places, of which the one before may come again, as in the start, end, start, end, ... of tokens. Begin with
 * {text, length, 0, 0, utf16, 0, 0}. */
typedef struct {
  const char *text;
  size_t length, at, unit; /* the byte that was reached, and its place in units */
  int utf16;
  size_t before_at, before_unit; /* those of the call before */
} ta_places;
size_t ta_place(ta_places *places, size_t byte);

/* The word of a token as it is looked up, and its spelling (normalized, with capitals and digits): UTF-8. `room` bytes
 * at `out`; longer ones are cut at a whole code point, and `*cut` is set. Returns the bytes written. */
size_t ta_word(const ta_word_form *form, const char *token, size_t length, char *out, size_t room, int *cut,
               void *scratch);
size_t ta_spelling(ta_form form, const char *token, size_t length, char *out, size_t room, int *cut, void *scratch);
size_t ta_scratch_size(void); /* of `scratch` above */
int32_t ta_word_shape(const char *spelling, size_t length); /* textapp/text/word_shape.py */
/* The shape of the spelling of a token, which needs no room: the spelling of a long token may be cut. */
int32_t ta_token_shape(ta_form form, const char *token, size_t length, void *scratch);

/* A vocabulary: a line each. The lines are read in place; `slots` is a hash table of open addressing. */
typedef struct {
  const char *lines;
  uint32_t count;
  const uint32_t *starts; /* (count + 1): bytes */
  const uint32_t *slots;  /* number of a line + 1; 0 is empty */
  uint32_t mask;
  size_t longest; /* bytes of the longest line */
} ta_vocabulary;
/* Reads "vocabulary.txt" or "characters.txt" and checks the rules of textapp/text/vocabulary.py. `name` is for the
 * message. */
textapp_status ta_vocabulary_load(ta_vocabulary *out, ta_arena *arena, const char *name, const void *data, size_t size,
                                  textapp_message *message);
int32_t ta_id(const ta_vocabulary *vocabulary, const char *word, size_t length); /* 1 for an unknown one */
/* Ids of the first `most` code points of a spelling, padded with 0. */
void ta_character_ids(const ta_vocabulary *characters, const char *spelling, size_t length, size_t most, int32_t *out);

/* Hashed n-grams: textapp/text/ngrams.py. Words are given one by one; each row is reported once a text. `order` is from
 * 1 to 8, `characters` from 0 to 8, both numbers of rows are powers of two, or the second is 0 with `characters`. */
typedef struct {
  uint32_t order, rows, characters, character_rows;
} ta_ngram_hash;
typedef struct {
  uint32_t started[8];
  uint32_t started_count;
  uint32_t *seen_words, *seen_characters; /* a bit a row; cleared by `ta_ngrams_start` from the lists below */
  uint32_t *words, *characters;           /* the rows of the text */
  size_t word_count, character_count, word_room, character_room;
} ta_ngrams;
void ta_ngrams_take(ta_ngrams *ngrams, ta_block *block, const ta_ngram_hash *hash, size_t most_tokens);
void ta_ngrams_start(ta_ngrams *ngrams);
void ta_ngrams_add(ta_ngrams *ngrams, const ta_ngram_hash *hash, const char *word, size_t length);

/* Windows over a long text: textapp/runtime/windows.py. Call with `*state` zeroed until it returns 0. `ends(user, i)`
 * tells whether token i is in SENTENCE_ENDS. */
typedef struct {
  size_t start, end, first, stop;
} ta_window;
typedef struct {
  size_t step, start, first;
} ta_windows;
int ta_next_window(ta_windows *state, size_t count, size_t size, int (*ends)(void *user, size_t token), void *user,
                   ta_window *out);
int ta_is_sentence_end(const char *token, size_t length);

#endif
