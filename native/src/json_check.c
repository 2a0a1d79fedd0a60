/* Checks JSON; see json.h. */
#include "json.h"

#define MOST_LEVELS 64

typedef struct {
  const char *at, *end;
  const char *error; /* what is wrong at `at`; NULL so far */
} json_reader;

static void skip_space(json_reader *reader) {
  while (reader->at < reader->end && ta_is_space(*reader->at)) reader->at++;
}

/* The bytes of a valid sequence at `text`; 0 if it is invalid. Table 3-7 of the Unicode Standard. */
static size_t sequence(const char *text, const char *end) {
  const unsigned char *byte = (const unsigned char *)text;
  size_t left = (size_t)(end - text), size;
  unsigned char least = 0x80, most = 0xBF;
  if (byte[0] < 0x80) return 1;
  if (byte[0] < 0xC2 || byte[0] > 0xF4) return 0;
  size = byte[0] < 0xE0 ? 2 : byte[0] < 0xF0 ? 3 : 4;
  if (left < size) return 0;
  if (byte[0] == 0xE0) least = 0xA0;
  if (byte[0] == 0xED) most = 0x9F;
  if (byte[0] == 0xF0) least = 0x90;
  if (byte[0] == 0xF4) most = 0x8F;
  if (byte[1] < least || byte[1] > most) return 0;
  for (size_t place = 2; place < size; place++) {
    if (byte[place] < 0x80 || byte[place] > 0xBF) return 0;
  }
  return size;
}

size_t ta_valid_utf8(const char *text, size_t length) {
  const char *at = text, *end = text + length;
  while (at < end) {
    size_t size = sequence(at, end);
    if (!size) break;
    at += size;
  }
  return (size_t)(at - text);
}

static int fail(json_reader *reader, const char *error) {
  reader->error = error;
  return 0;
}

static int check_escape(json_reader *reader) {
  const char *at = reader->at + 1;
  if (at >= reader->end) return fail(reader, "a string without an end");
  switch (*at) {
    case '"': case '\\': case '/': case 'b': case 'f': case 'n': case 'r': case 't':
      reader->at = at + 1;
      return 1;
    case 'u':
      for (int place = 1; place <= 4; place++) {
        if (reader->end - at <= place || ta_hex_value(at[place]) < 0) return fail(reader, "an escape without four digits");
      }
      reader->at = at + 5;
      return 1;
    default:
      return fail(reader, "an unknown escape");
  }
}

static int check_string(json_reader *reader) {
  reader->at++;
  while (reader->at < reader->end) {
    unsigned char one = (unsigned char)*reader->at;
    size_t size;
    if (one == '"') {
      reader->at++;
      return 1;
    }
    if (one == '\\') {
      if (!check_escape(reader)) return 0;
      continue;
    }
    if (one < 0x20) return fail(reader, "a control character in a string");
    size = sequence(reader->at, reader->end);
    if (!size) return fail(reader, "bytes that are not UTF-8");
    reader->at += size;
  }
  return fail(reader, "a string without an end");
}

static size_t skip_digits(json_reader *reader) {
  const char *start = reader->at;
  while (reader->at < reader->end && ta_is_digit(*reader->at)) reader->at++;
  return (size_t)(reader->at - start);
}

static int check_number(json_reader *reader) {
  if (*reader->at == '-') reader->at++;
  if (reader->at < reader->end && *reader->at == '0') {
    reader->at++;
  } else if (!skip_digits(reader)) {
    return fail(reader, "no JSON value");
  }
  if (reader->at < reader->end && *reader->at == '.') {
    reader->at++;
    if (!skip_digits(reader)) return fail(reader, "a number without digits");
  }
  if (reader->at < reader->end && (*reader->at == 'e' || *reader->at == 'E')) {
    reader->at++;
    if (reader->at < reader->end && (*reader->at == '+' || *reader->at == '-')) reader->at++;
    if (!skip_digits(reader)) return fail(reader, "a number without digits");
  }
  return 1;
}

static int check_word(json_reader *reader, const char *word) {
  size_t length = ta_length(word);
  if ((size_t)(reader->end - reader->at) < length || ta_compare(reader->at, word, length)) {
    return fail(reader, "no JSON value");
  }
  reader->at += length;
  return 1;
}

/* A value that holds no others. */
static int check_scalar(json_reader *reader) {
  switch (*reader->at) {
    case '"': return check_string(reader);
    case 't': return check_word(reader, "true");
    case 'f': return check_word(reader, "false");
    case 'n': return check_word(reader, "null");
    default: return check_number(reader);
  }
}

static int check_key(json_reader *reader) {
  skip_space(reader);
  if (reader->at >= reader->end || *reader->at != '"') return fail(reader, "no name of a member");
  if (!check_string(reader)) return 0;
  skip_space(reader);
  if (reader->at >= reader->end || *reader->at != ':') return fail(reader, "no colon after a name");
  reader->at++;
  return 1;
}

/* Opens a container if one begins here. Returns 1 if a value must follow, 0 if a value has ended, -1 after an error. */
static int begin_value(json_reader *reader, char *open, size_t *levels) {
  skip_space(reader);
  if (reader->at >= reader->end) return (fail(reader, "the text ends here"), -1);
  if (*reader->at != '{' && *reader->at != '[') return check_scalar(reader) ? 0 : -1;
  if (*levels == MOST_LEVELS) return (fail(reader, "it is nested too deeply"), -1);
  open[(*levels)++] = *reader->at++;
  skip_space(reader);
  if (reader->at < reader->end && *reader->at == (open[*levels - 1] == '{' ? '}' : ']')) {
    reader->at++;
    (*levels)--;
    return 0;
  }
  if (open[*levels - 1] == '{' && !check_key(reader)) return -1;
  return 1;
}

/* Closes containers after a value has ended. Returns as begin_value. */
static int end_value(json_reader *reader, const char *open, size_t *levels) {
  while (*levels) {
    char start = open[*levels - 1];
    skip_space(reader);
    if (reader->at >= reader->end) return (fail(reader, "the text ends here"), -1);
    if (*reader->at == ',') {
      reader->at++;
      return start == '{' && !check_key(reader) ? -1 : 1;
    }
    if (*reader->at != (start == '{' ? '}' : ']')) return (fail(reader, "no comma between values"), -1);
    reader->at++;
    (*levels)--;
  }
  return 0;
}

static int check_document(json_reader *reader) {
  char open[MOST_LEVELS];
  size_t levels = 0;
  int follows = 1;
  while (follows > 0) {
    follows = begin_value(reader, open, &levels);
    if (follows == 0) follows = end_value(reader, open, &levels);
  }
  if (follows < 0) return 0;
  skip_space(reader);
  return reader->at == reader->end || fail(reader, "more than one value");
}

textapp_status ta_json_check(ta_json *out, const char *file, const void *data, size_t size, textapp_message *message) {
  json_reader reader = {(const char *)data, (const char *)data + size, NULL};
  size_t line = 1;
  out->at = (const char *)data;
  out->end = reader.end;
  if (check_document(&reader)) {
    while (ta_is_space(*out->at)) out->at++;
    return TEXTAPP_OK;
  }
  for (const char *at = (const char *)data; at < reader.at; at++) line += *at == '\n';
  return ta_say(message, TEXTAPP_ERROR_BUNDLE, "%s:%z: not JSON: %s", file, line, reader.error);
}
