/* Word, spelling and shape of a token: textapp/text/word_form.py and word_shape.py. */
#include "normalize.h"

/* Where a word is written to. */
typedef struct {
  uint8_t *out;
  size_t size, room;
  int lowercase, zero_digits, cut;
} speller;

static int write_point(void *user, uint32_t point, size_t start, size_t end) {
  speller *one = user;
  uint8_t bytes[4];
  (void)start;
  (void)end;
  if (one->lowercase && TA_IS_CAPITAL(ta_info(point))) point = ta_lower(point);
  if (one->zero_digits && point - '0' < 10) point = '0';
  size_t size = ta_encode(point, bytes);
  if (size > one->room - one->size) {
    one->cut = 1;
    return 0;
  }
  for (size_t i = 0; i < size; i++) one->out[one->size++] = bytes[i];
  return 1;
}

/* Writes the ASCII at the start of a token, in which nothing changes but capitals and digits. Returns the place after it. */
static size_t spell_ascii(speller *one, const uint8_t *text, size_t length) {
  size_t end = ta_ascii_run(text, length, 0, one->room);
  for (size_t at = 0; at < end; at++) {
    uint8_t byte = text[at];
    if (one->lowercase && (uint8_t)(byte - 'A') < 26) byte |= 0x20;
    if (one->zero_digits && (uint8_t)(byte - '0') < 10) byte = '0';
    one->out[at] = byte;
  }
  one->size = end;
  return end;
}

static size_t spell(speller *one, ta_form form, const char *token, size_t length, int *cut, void *scratch) {
  const uint8_t *bytes = (const uint8_t *)token;
  size_t at = spell_ascii(one, bytes, length);
  while (at < length && !one->cut) at = ta_normalize_next(form, bytes, length, at, scratch, write_point, one);
  *cut = one->cut;
  return one->size;
}

size_t ta_word(const ta_word_form *form, const char *token, size_t length, char *out, size_t room, int *cut,
               void *scratch) {
  speller one = {(uint8_t *)out, 0, room, form->lowercase, form->zero_digits, 0};
  return spell(&one, form->form, token, length, cut, scratch);
}

size_t ta_spelling(ta_form form, const char *token, size_t length, char *out, size_t room, int *cut, void *scratch) {
  speller one = {(uint8_t *)out, 0, room, 0, 0, 0};
  return spell(&one, form, token, length, cut, scratch);
}

/* The kinds of characters that a word has. */
typedef struct {
  int kinds, inside; /* whether a character came before */
} shape;

static int add_kind(void *user, uint32_t point, size_t start, size_t end) {
  shape *one = user;
  (void)start;
  (void)end;
  unsigned info = ta_info(point), kind = TA_CLASS(info);
  if (TA_IS_CAPITAL(info)) {
    one->kinds |= one->inside ? TA_SHAPE_OTHER_CAPITAL : TA_SHAPE_FIRST_CAPITAL;
  } else if (kind == TA_CLASS_LETTER || kind == TA_CLASS_UNSPACED || kind == TA_CLASS_MARK) {
    one->kinds |= TA_SHAPE_SMALL; /* combining marks are parts of letters */
  } else {
    one->kinds |= kind == TA_CLASS_DIGIT ? TA_SHAPE_DIGIT : TA_SHAPE_MARK;
  }
  one->inside = 1;
  return 1;
}

int32_t ta_word_shape(const char *spelling, size_t length) {
  shape one = {0, 0};
  for (size_t at = 0; at < length;) {
    uint32_t point;
    at += ta_decode((const uint8_t *)spelling + at, length - at, &point);
    add_kind(&one, point, 0, 0);
  }
  return 1 + one.kinds;
}

int32_t ta_token_shape(ta_form form, const char *token, size_t length, void *scratch) {
  const uint8_t *bytes = (const uint8_t *)token;
  shape one = {0, 0};
  for (size_t at = 0; at < length;) at = ta_normalize_next(form, bytes, length, at, scratch, add_kind, &one);
  return 1 + one.kinds;
}
