/* Reads JSON that was checked; see json.h. */
#include "json.h"

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
  while (at < value.end && !ta_is_space(*at) && *at != ',' && *at != ']' && *at != '}') at++;
  return at;
}

ta_json ta_json_inside(ta_json container) {
  ta_json rest = {container.at + 1, container.end};
  return rest;
}

int ta_json_next(ta_json *rest, ta_json *key, ta_json *value) {
  const char *at = rest->at;
  while (ta_is_space(*at) || *at == ',') at++;
  if (*at == '}' || *at == ']') return 0;
  value->at = at;
  value->end = rest->end;
  if (key) {
    *key = *value;
    at = string_end(at);
    while (ta_is_space(*at) || *at == ':') at++;
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
    if (!ta_is_digit(*at) || number > (UINT64_MAX >> 1) / 10 - 1) return 0;
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
  digits[0] = '0'; /* a number of zeros alone has none: compilers do not see that this is not read */
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
  for (int place = 1; place <= 4; place++) code = code << 4 | (uint32_t)ta_hex_value(next[place]);
  *at = next += 5;
  if (code < 0xD800 || code > 0xDBFF || next[0] != '\\' || next[1] != 'u') return code;
  for (int place = 2; place <= 5; place++) low = low << 4 | (uint32_t)ta_hex_value(next[place]);
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
