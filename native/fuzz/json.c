/* A fuzz target: any bytes as JSON. What is valid is walked through by every function of json.h.
 *
 *     gcc -g -fsanitize=address,undefined -Inative/include native/fuzz/json.c native/fuzz/run.c \
 *         native/src/{json,decimal,base,numbers,hashes}.c
 */
#include <stdlib.h>
#include <string.h>

#include "../src/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(int condition) {
  if (!condition) abort();
}

/* Reads a value as each kind. Levels are limited by ta_json_check, so the recursion is too. */
static void read_value(ta_json value) {
  static const char *const names[] = {"a", "b"};
  ta_json_kind kind = ta_json_kind_of(value);
  ta_json rest, key, inner, members[2];
  char bytes[64];
  double number, numbers[4];
  int64_t whole;
  int flag;
  must(kind != TA_JSON_NONE && ta_json_size(value) > 0);
  must(ta_json_bool(value, &flag) == (kind == TA_JSON_BOOL));
  must(ta_json_number(value, &number) == (kind == TA_JSON_NUMBER));
  if (ta_json_whole(value, INT64_MIN, INT64_MAX, &whole)) must(number == (double)whole);
  ta_json_numbers(value, -1.0, 1.0, 4, numbers);
  if (kind == TA_JSON_STRING) {
    size_t length = ta_json_string(value, bytes, sizeof bytes);
    if (length <= sizeof bytes) must(ta_json_equals(value, bytes, length));
    must(!ta_json_equals(value, bytes, 0) || length == 0);
  }
  if (kind != TA_JSON_ARRAY && kind != TA_JSON_OBJECT) return;
  if (kind == TA_JSON_OBJECT) ta_json_members(value, names, 2, members);
  rest = ta_json_inside(value);
  while (ta_json_next(&rest, kind == TA_JSON_OBJECT ? &key : NULL, &inner)) read_value(inner);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  char *copy = malloc(size ? size : 1); /* of exactly its size, so that a byte too many is found */
  textapp_message message;
  ta_json value;
  if (!copy) exit(2);
  memcpy(copy, data, size);
  if (ta_json_check(&value, "input", copy, size, &message) == TEXTAPP_OK) read_value(value);
  must(ta_valid_utf8(copy, size) <= size);
  free(copy);
  return 0;
}
