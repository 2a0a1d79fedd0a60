/* Reads JSON in place. The whole text is checked once, by the rules of RFC 8259 and strict UTF-8; then values are
 * found by scanning, and nothing is allocated. As in Python, the last of several members of one name counts. NaN and
 * Infinity, which Python takes, are refused. */
#ifndef TA_JSON_H
#define TA_JSON_H

#include "base.h"

/* A value in a text that was checked: from its first byte to the end of the text around it. `at` is NULL where there
 * is no value. */
typedef struct {
  const char *at, *end;
} ta_json;

typedef enum {
  TA_JSON_NONE,
  TA_JSON_NULL,
  TA_JSON_BOOL,
  TA_JSON_NUMBER,
  TA_JSON_STRING,
  TA_JSON_ARRAY,
  TA_JSON_OBJECT
} ta_json_kind;

static inline int ta_is_space(char one) { return one == ' ' || one == '\t' || one == '\n' || one == '\r'; }

static inline int ta_is_digit(char one) { return one >= '0' && one <= '9'; }

static inline int ta_hex_value(char one) {
  if (ta_is_digit(one)) return one - '0';
  if (one >= 'a' && one <= 'f') return one - 'a' + 10;
  if (one >= 'A' && one <= 'F') return one - 'A' + 10;
  return -1;
}

/* Checks a whole file: syntax, UTF-8, and at most 64 levels. `file` is for the message. */
textapp_status ta_json_check(ta_json *out, const char *file, const void *data, size_t size, textapp_message *message);

ta_json_kind ta_json_kind_of(ta_json value);

/* Goes through an array or an object: `*rest` starts as ta_json_inside(container). Returns 0 at its end. `key` may
 * be NULL; it is a string. */
ta_json ta_json_inside(ta_json container);
int ta_json_next(ta_json *rest, ta_json *key, ta_json *value);
size_t ta_json_count(ta_json container);

/* The members of these names, and the number of members that have none of them. */
size_t ta_json_members(ta_json object, const char *const *names, size_t count, ta_json *values);

/* Each returns 0 where the value is of another kind or out of range. A whole number is written without point and
 * exponent. A number too large for double is infinite. */
int ta_json_bool(ta_json value, int *out);
int ta_json_whole(ta_json value, int64_t least, int64_t most, int64_t *out);
int ta_json_number(ta_json value, double *out);
int ta_json_numbers(ta_json array, double least, double most, size_t count, double *out);

/* The bytes of a string, of which `out` gets at most `room`. A lone surrogate, which an escape may give, has three. */
size_t ta_json_string(ta_json value, char *out, size_t room);

/* Whether a value is this string. */
int ta_json_is(ta_json value, const char *text);
int ta_json_equals(ta_json value, const char *text, size_t length);

/* The bytes of a value as it is written. */
size_t ta_json_size(ta_json value);

/* The bytes of a text before the first that is no UTF-8. Strict: no surrogates, nothing overlong. */
size_t ta_valid_utf8(const char *text, size_t length);

/* The nearest double to a decimal number, halves to even: at most TA_DIGITS digits without a point, the first not 0,
 * times 10 to the `exponent`. */
#define TA_DIGITS 800
double ta_decimal(const char *digits, size_t count, int64_t exponent);

#endif
