/* Checks and scans JSON; see json.h. */
#include "json.h"

#define MOST_LEVELS 64

typedef struct {
  const char *at, *end;
  const char *error; /* what is wrong at `at`; NULL so far */
} json_reader;

static int is_space(char one) { return one == ' ' || one == '\t' || one == '\n' || one == '\r'; }

static int is_digit(char one) { return one >= '0' && one <= '9'; }

static int hex_value(char one) {
  if (is_digit(one)) return one - '0';
  if (one >= 'a' && one <= 'f') return one - 'a' + 10;
  if (one >= 'A' && one <= 'F') return one - 'A' + 10;
  return -1;
}

static void skip_space(json_reader *reader) {
  while (reader->at < reader->end && is_space(*reader->at)) reader->at++;
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
        if (reader->end - at <= place || hex_value(at[place]) < 0) return fail(reader, "an escape without four digits");
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
  while (reader->at < reader->end && is_digit(*reader->at)) reader->at++;
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
    while (is_space(*out->at)) out->at++;
    return TEXTAPP_OK;
  }
  for (const char *at = (const char *)data; at < reader.at; at++) line += *at == '\n';
  return ta_say(message, TEXTAPP_ERROR_BUNDLE, "%s:%z: not JSON: %s", file, line, reader.error);
}

ta_json_kind ta_json_kind_of(ta_json value) {
  if (!value.at) return TA_JSON_NONE;
  switch (*value.at) {
    case '{': return TA_JSON_OBJECT;
    case '[': return TA_JSON_ARRAY;
    case '"': return TA_JSON_STRING;
    case 't': case 'f': return TA_JSON_BOOL;
    case 'n': return TA_JSON_NULL;
    default: return TA_JSON_NUMBER;
  }
}

/* The place after a string. */
static const char *string_end(const char *at) {
  for (at++; *at != '"'; at++) at += *at == '\\';
  return at + 1;
}

/* The place after a value of a text that was checked. */
static const char *value_end(ta_json value) {
  const char *at = value.at;
  size_t levels = 0;
  do {
    if (*at == '"') {
      at = string_end(at);
      continue;
    }
    if (*at == '{' || *at == '[') {
      levels++;
    } else if (*at == '}' || *at == ']') {
      levels--;
    } else if (!levels) {
      break; /* a number or a word alone */
    }
    at++;
  } while (levels);
  if (at > value.at) return at;
  while (at < value.end && !is_space(*at) && *at != ',' && *at != ']' && *at != '}') at++;
  return at;
}

ta_json ta_json_inside(ta_json container) {
  ta_json rest = {container.at + 1, container.end};
  return rest;
}

int ta_json_next(ta_json *rest, ta_json *key, ta_json *value) {
  const char *at = rest->at;
  while (is_space(*at) || *at == ',') at++;
  if (*at == '}' || *at == ']') return 0;
  value->at = at;
  value->end = rest->end;
  if (key) {
    *key = *value;
    at = string_end(at);
    while (is_space(*at) || *at == ':') at++;
    value->at = at;
  }
  rest->at = value_end(*value);
  return 1;
}

size_t ta_json_count(ta_json container) {
  ta_json rest = ta_json_inside(container), key, value;
  size_t count = 0;
  while (ta_json_next(&rest, *container.at == '{' ? &key : NULL, &value)) count++;
  return count;
}

size_t ta_json_members(ta_json object, const char *const *names, size_t count, ta_json *values) {
  ta_json rest = ta_json_inside(object), key, value;
  size_t others = 0;
  for (size_t number = 0; number < count; number++) values[number].at = values[number].end = NULL;
  while (ta_json_next(&rest, &key, &value)) {
    size_t number = 0;
    while (number < count && !ta_json_is(key, names[number])) number++;
    if (number < count) {
      values[number] = value;
    } else {
      others++;
    }
  }
  return others;
}

int ta_json_bool(ta_json value, int *out) {
  if (ta_json_kind_of(value) != TA_JSON_BOOL) return 0;
  *out = *value.at == 't';
  return 1;
}

int ta_json_whole(ta_json value, int64_t least, int64_t most, int64_t *out) {
  const char *at = value.at, *end;
  uint64_t number = 0;
  int negative;
  if (ta_json_kind_of(value) != TA_JSON_NUMBER) return 0;
  end = value_end(value);
  negative = *at == '-';
  for (at += negative; at < end; at++) {
    if (!is_digit(*at) || number > (UINT64_MAX >> 1) / 10 - 1) return 0;
    number = number * 10 + (uint64_t)(*at - '0');
  }
  *out = negative ? -(int64_t)number : (int64_t)number;
  return *out >= least && *out <= most;
}

int ta_json_number(ta_json value, double *out) {
  char digits[TA_DIGITS];
  const char *at = value.at, *end;
  size_t count = 0;
  int64_t exponent = 0, given = 0;
  int negative, point = 0, down = 0, more = 0;
  if (ta_json_kind_of(value) != TA_JSON_NUMBER) return 0;
  end = value_end(value);
  negative = *at == '-';
  for (at += negative; at < end && *at != 'e' && *at != 'E'; at++) {
    if (*at == '.') {
      point = 1;
      continue;
    }
    exponent -= point;
    if (count == 0 && *at == '0') continue;
    if (count < TA_DIGITS - 1) {
      digits[count++] = *at;
    } else {
      exponent++;
      more |= *at != '0';
    }
  }
  if (more) { /* it only matters that there is a digit */
    digits[count++] = '1';
    exponent--;
  }
  if (at < end) {
    at++;
    down = *at == '-';
    for (at += *at == '-' || *at == '+'; at < end; at++) given = given > 100000 ? given : given * 10 + (*at - '0');
  }
  *out = ta_decimal(digits, count, exponent + (down ? -given : given));
  if (negative) *out = -*out;
  return 1;
}

int ta_json_numbers(ta_json array, double least, double most, size_t count, double *out) {
  ta_json rest, value;
  size_t found = 0;
  if (ta_json_kind_of(array) != TA_JSON_ARRAY) return 0;
  rest = ta_json_inside(array);
  while (ta_json_next(&rest, NULL, &value)) {
    double number;
    if (found == count || !ta_json_number(value, &number) || !(number >= least && number <= most)) return 0;
    out[found++] = number;
  }
  return found == count;
}

/* The code point of an escape at `*at`, behind which `*at` goes. A pair of surrogates is one code point. */
static uint32_t escaped(const char **at) {
  static const char letters[] = "\"\\/bfnrt", values[] = "\"\\/\b\f\n\r\t";
  uint32_t code = 0, low = 0;
  const char *next = *at + 1;
  if (*next != 'u') {
    size_t number = 0;
    while (letters[number] != *next) number++;
    *at = next + 1;
    return (uint32_t)values[number];
  }
  for (int place = 1; place <= 4; place++) code = code << 4 | (uint32_t)hex_value(next[place]);
  *at = next += 5;
  if (code < 0xD800 || code > 0xDBFF || next[0] != '\\' || next[1] != 'u') return code;
  for (int place = 2; place <= 5; place++) low = low << 4 | (uint32_t)hex_value(next[place]);
  if (low < 0xDC00 || low > 0xDFFF) return code;
  *at = next + 6;
  return 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
}

static size_t encoded(uint32_t code, char out[4]) {
  if (code < 0x80) {
    out[0] = (char)code;
    return 1;
  }
  if (code < 0x800) {
    out[0] = (char)(0xC0 | code >> 6);
    out[1] = (char)(0x80 | (code & 63));
    return 2;
  }
  if (code < 0x10000) {
    out[0] = (char)(0xE0 | code >> 12);
    out[1] = (char)(0x80 | (code >> 6 & 63));
    out[2] = (char)(0x80 | (code & 63));
    return 3;
  }
  out[0] = (char)(0xF0 | code >> 18);
  out[1] = (char)(0x80 | (code >> 12 & 63));
  out[2] = (char)(0x80 | (code >> 6 & 63));
  out[3] = (char)(0x80 | (code & 63));
  return 4;
}

size_t ta_json_string(ta_json value, char *out, size_t room) {
  const char *at = value.at + 1;
  size_t length = 0;
  while (*at != '"') {
    char bytes[4];
    size_t count = 1;
    if (*at == '\\') {
      count = encoded(escaped(&at), bytes);
    } else {
      bytes[0] = *at++;
    }
    for (size_t place = 0; place < count; place++, length++) {
      if (length < room) out[length] = bytes[place];
    }
  }
  return length;
}

int ta_json_equals(ta_json value, const char *text, size_t length) {
  const char *at;
  size_t found = 0;
  if (ta_json_kind_of(value) != TA_JSON_STRING) return 0;
  at = value.at + 1;
  while (*at != '"') {
    char bytes[4];
    size_t count = 1;
    if (*at == '\\') {
      count = encoded(escaped(&at), bytes);
    } else {
      bytes[0] = *at++;
    }
    if (count > length - found || ta_compare(bytes, text + found, count)) return 0;
    found += count;
  }
  return found == length;
}

int ta_json_is(ta_json value, const char *text) { return ta_json_equals(value, text, ta_length(text)); }

size_t ta_json_size(ta_json value) { return (size_t)(value_end(value) - value.at); }
