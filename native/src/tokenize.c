/* Cuts a text into tokens: the grammars of textapp/text/tokenizer.py and bert.py as an automaton over classes of
 * characters. */
#include "normalize.h"

#define RUN 512 /* bytes of ASCII that are read before their tokens are cut */

typedef enum { OUTSIDE, SYMBOL, LETTERS, DIGITS } token_state;

typedef struct {
  const ta_tokenizer *how;
  ta_tokens *out;
  size_t most, end; /* where the token ends that is open */
  token_state state;
  int stopped;
  textapp_status status;
  /* An apostrophe after letters or a point after digits is held: what follows says whether it is in the token. */
  int holds;
  uint32_t held;
  size_t held_start, held_end;
} cutter;

void ta_tokens_take_text(ta_tokens *tokens, ta_block *block, ta_form form, size_t longest, size_t most_tokens) {
  /* Each byte of a text is at most TA_TOKENS_A_BYTE tokens. All tokens together have at most TA_GROWTH bytes for each
   * byte of the text and TA_TOKEN_GROWTH for each token, and at most the growth of the form for each byte; tables.py
   * checks this for every code point. */
  size_t limit = longest < (size_t)1 << 28 ? longest * TA_TOKENS_A_BYTE : 0;
  size_t room = TA_MIN(most_tokens, limit);
  uint64_t by_tokens = (uint64_t)longest * TA_GROWTH + (uint64_t)room * TA_TOKEN_GROWTH;
  uint64_t by_bytes = (uint64_t)longest * (form == TA_NFKC ? TA_NFKC_GROWTH : TA_GROWTH);
  uint64_t text_room = TA_MIN(by_tokens, by_bytes) + 8;
  if (longest >= (size_t)1 << 28 || text_room > UINT32_MAX || text_room > SIZE_MAX) text_room = SIZE_MAX;
  tokens->text_size = tokens->count = 0;
  tokens->more = 0;
  tokens->room = room;
  tokens->text_room = (size_t)text_room;
  tokens->text = ta_take(block, (size_t)text_room, 1);
  tokens->scratch = ta_take(block, 1, ta_scratch_size());
}

void ta_tokens_take(ta_tokens *tokens, ta_block *block, size_t longest, size_t most_tokens) {
  ta_tokens_take_text(tokens, block, TA_NFKC, longest, most_tokens);
  tokens->tokens = ta_take(block, tokens->room, sizeof *tokens->tokens);
}

static int stop(cutter *one, textapp_status status) {
  one->stopped = 1;
  one->status = status;
  return 0;
}

static int write(cutter *one, uint32_t point, unsigned info, size_t end) {
  ta_tokens *out = one->out;
  if (out->text_room - out->text_size < 4) return stop(one, TEXTAPP_ERROR_TOO_LONG);
  if (TA_IS_CAPITAL(info) && one->how->lowercase) point = ta_lower(point);
  out->text_size += ta_encode(point, (uint8_t *)out->text + out->text_size);
  one->end = end;
  return 1;
}

/* Opens a token. One that is not wanted is only noted. */
static int open_token(cutter *one, uint32_t point, unsigned info, size_t start, size_t end) {
  ta_tokens *out = one->out;
  if (out->count == one->most) {
    out->more = 1;
    one->state = OUTSIDE;
    return stop(one, TEXTAPP_OK);
  }
  if (out->count == out->room) return stop(one, TEXTAPP_ERROR_TOO_LONG);
  out->tokens[out->count].first = (uint32_t)out->text_size;
  out->tokens[out->count].start = (uint32_t)start;
  unsigned kind = TA_CLASS(info);
  one->state = kind == TA_CLASS_LETTER ? LETTERS : kind == TA_CLASS_DIGIT ? DIGITS : SYMBOL;
  return write(one, point, info, end);
}

static void close_token(cutter *one) {
  ta_tokens *out = one->out;
  if (one->state == OUTSIDE) return;
  if (one->how->kind == TA_BERT && out->text_size - out->tokens[out->count].first > TA_BERT_BYTES) {
    static const char unknown[] = "[UNK]";
    out->text_size = out->tokens[out->count].first;
    for (const char *letter = unknown; *letter; letter++) out->text[out->text_size++] = *letter;
  }
  out->tokens[out->count].behind = (uint32_t)out->text_size;
  out->tokens[out->count].end = (uint32_t)one->end;
  out->count++;
  one->state = OUTSIDE;
}

/* The held character is no part of the token: it is a token of its own. */
static int release(cutter *one) {
  one->holds = 0;
  close_token(one);
  return open_token(one, one->held, ta_info(one->held), one->held_start, one->held_end);
}

/* WORD_GRAMMAR, SPLIT_GRAMMAR: a token goes on, holds a character, or ends. Returns 0 to stop. */
static int feed_word(cutter *one, uint32_t point, unsigned info, size_t start, size_t end) {
  unsigned kind = TA_CLASS(info);
  if (one->holds) {
    if (kind == (one->state == LETTERS ? TA_CLASS_LETTER : TA_CLASS_DIGIT)) {
      one->holds = 0;
      return write(one, one->held, ta_info(one->held), one->held_end) && write(one, point, info, end);
    }
    if (!release(one)) return 0;
  }
  if (one->state != OUTSIDE) {
    if (kind == TA_CLASS_MARK) return write(one, point, info, end);
    if (one->state != SYMBOL) {
      if (kind == TA_CLASS_LETTER || kind == TA_CLASS_DIGIT) {
        one->state = kind == TA_CLASS_LETTER ? LETTERS : DIGITS;
        return write(one, point, info, end);
      }
      int joins = one->state == LETTERS ? kind == TA_CLASS_APOSTROPHE && !one->how->split_apostrophes
                                        : kind == TA_CLASS_POINT;
      if (joins) {
        one->holds = 1;
        one->held = point;
        one->held_start = start;
        one->held_end = end;
        return 1;
      }
    }
    close_token(one);
  }
  return kind == TA_CLASS_SPACE || open_token(one, point, info, start, end);
}

/* CHAR_GRAMMAR: every character is a token. */
static int feed_character(cutter *one, uint32_t point, unsigned info, size_t start, size_t end) {
  if (TA_CLASS(info) == TA_CLASS_SPACE) return 1;
  if (!open_token(one, point, info, start, end)) return 0;
  close_token(one);
  return 1;
}

static int is_han(uint32_t point) {
  size_t at = 0;
  while (at < TA_COUNT(ta_han_ranges) && point > ta_han_ranges[at + 1]) at += 2;
  return at < TA_COUNT(ta_han_ranges) && point >= ta_han_ranges[at];
}

/* bert.py: a symbol is a token, a word goes on, or white space ends it. */
static int feed_bert(cutter *one, uint32_t point, unsigned info, size_t start, size_t end) {
  unsigned kind = TA_CLASS(info);
  if (point == ' ' || (point >= '\t' && point <= '\r' && point != '\v')) {
    close_token(one);
    return 1;
  }
  if (kind == TA_CLASS_PUNCTUATION || kind == TA_CLASS_APOSTROPHE || kind == TA_CLASS_POINT || is_han(point)) {
    close_token(one);
    if (!open_token(one, point, info, start, end)) return 0;
    close_token(one);
    return 1;
  }
  if (point >= 0x80) info &= 0x7F; /* only A to Z are lower-cased */
  if (one->state != OUTSIDE) return write(one, point, info, end);
  if (!open_token(one, point, info, start, end)) return 0;
  one->state = LETTERS;
  return 1;
}

static int feed_known(cutter *one, uint32_t point, unsigned info, size_t start, size_t end) {
  if (one->how->kind == TA_CHAR) return feed_character(one, point, info, start, end);
  if (one->how->kind == TA_BERT) return feed_bert(one, point, info, start, end);
  return feed_word(one, point, info, start, end);
}

static int feed(void *user, uint32_t point, size_t start, size_t end) {
  return feed_known(user, point, ta_info(point), start, end);
}

/* The letters of ASCII that follow the first of a word. Returns the place after them. */
static size_t take_letters(cutter *one, const uint8_t *text, size_t at, size_t end) {
  ta_tokens *out = one->out;
  uint8_t small = one->how->lowercase ? 0x20 : 0;
  end = TA_MIN(end, at + (out->text_room - out->text_size));
  size_t start = at;
  uint8_t *to = (uint8_t *)out->text + out->text_size;
  while (at < end && (uint8_t)((text[at] | 0x20) - 'a') < 26) *to++ = text[at++] | small;
  out->text_size += at - start;
  if (at > start) one->end = at;
  return at;
}

/* LINE_BREAK of tokenizer.py: <br>, <br/>, <br /> in any case. Returns the place after one that begins here, or `at`. */
static size_t after_break(const cutter *one, const uint8_t *text, size_t length, size_t at) {
  if (!one->how->line_breaks || length - at < 4 || text[at] != '<') return at;
  if ((text[at + 1] | 0x20) != 'b' || (text[at + 2] | 0x20) != 'r') return at;
  size_t next = at + 3;
  while (next < length && (text[next] == ' ' || (text[next] >= '\t' && text[next] <= '\r'))) next++;
  if (next < length && text[next] == '/') next++;
  return next < length && text[next] == '>' ? next + 1 : at;
}

/* Cuts ASCII, in which nothing changes but capitals. Returns the place after it; a line break may go on after `end`. */
static size_t cut_ascii(cutter *one, const uint8_t *text, size_t length, size_t at, size_t end) {
  while (at < end && !one->stopped) {
    size_t after = after_break(one, text, length, at);
    if (after > at) {
      feed_known(one, ' ', ta_ascii[' '], at, after);
      at = after;
      continue;
    }
    feed_known(one, text[at], ta_ascii[text[at]], at, at + 1);
    at++;
    if (one->state == LETTERS && !one->holds && !one->stopped) at = take_letters(one, text, at, end);
  }
  return at;
}

textapp_status ta_tokenize(const ta_tokenizer *tokenizer, const char *text, size_t length, size_t most, ta_tokens *out) {
  const uint8_t *bytes = (const uint8_t *)text;
  cutter one = {tokenizer, out, most, 0, OUTSIDE, 0, TEXTAPP_OK, 0, 0, 0, 0};
  out->text_size = out->count = 0;
  out->more = 0;
  if (length >= (size_t)1 << 28) return TEXTAPP_ERROR_TOO_LONG; /* places in tokens have 32 bits */
  for (size_t at = 0; at < length && !one.stopped;) {
    size_t end = ta_ascii_run(bytes, length, at, RUN);
    if (end > at) {
      at = cut_ascii(&one, bytes, length, at, end);
    } else if (tokenizer->kind == TA_BERT) { /* nothing is normalized, and nothing dropped */
      uint32_t point;
      size_t start = at;
      at += ta_decode(bytes + at, length - at, &point);
      feed(&one, point, start, at);
    } else {
      at = ta_normalize_next(tokenizer->form, bytes, length, at, out->scratch, feed, &one);
    }
  }
  if (!one.stopped) {
    if (one.holds) release(&one);
    close_token(&one);
  }
  return one.status;
}
