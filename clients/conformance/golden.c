#include "golden.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "utf8.h"

enum { SHOWN = 3 }; /* differences of a file */

const char *folder;

void die(const char *what, const char *which) {
  fprintf(stderr, "%s: %s\n", which, what);
  exit(2);
}

void *memory_of(size_t size) {
  void *memory = malloc(size + 64);
  if (!memory) die("no memory", folder);
  return memory;
}

view read_file(const char *name) {
  view out = {NULL, NULL};
  char path[4096], *data;
  FILE *file;
  long size;
  snprintf(path, sizeof path, "%s/%s", folder, name);
  file = fopen(path, "rb");
  if (!file) return out;
  fseek(file, 0, SEEK_END);
  size = ftell(file);
  rewind(file);
  data = memory_of((size_t)size + 1);
  if (fread(data, 1, (size_t)size, file) != (size_t)size) die("cannot be read", path);
  fclose(file);
  data[size] = 0;
  out.at = data;
  out.end = data + size;
  return out;
}

int take(view *from, char separator, view *out) {
  const char *end;
  if (!from->at) return 0;
  end = memchr(from->at, separator, (size_t)(from->end - from->at));
  out->at = from->at;
  out->end = end ? end : from->end;
  from->at = end ? end + 1 : NULL;
  return 1;
}

int take_item(view *list, view *out) { return list->at != list->end && take(list, ' ', out); }

view field(view *from, char separator) {
  view out = {NULL, NULL};
  if (!take(from, separator, &out)) die("a line with too few fields", folder);
  return out;
}

size_t whole(view of) { return (size_t)strtoull(of.at, NULL, 10); }

double number(view of) { return of.at == of.end ? (double)NAN : strtod(of.at, NULL); }

int is_word(view of, const char *word) {
  size_t length = strlen(word);
  return (size_t)(of.end - of.at) == length && !memcmp(of.at, word, length);
}

int is_close(double found, double wanted, double tolerance) {
  if (found == wanted) return 1;
  return fabs(found - wanted) <= tolerance * (fabs(wanted) > 1 ? fabs(wanted) : 1);
}

size_t to_utf8(view from, char separator, char *out) {
  size_t size = 0;
  view one;
  if (from.at == from.end) return 0;
  while (take(&from, separator, &one)) {
    uint32_t point = (uint32_t)strtoul(one.at, NULL, 16);
    if (size + 4 > LONGEST) die("a string is too long", folder);
    size += ta_encode(point >= 0xD800 && point < 0xE000 ? TA_REPLACEMENT : point, (uint8_t *)out + size);
  }
  return size;
}

int is_name(view name, const char *found, size_t length) {
  static char wanted[LONGEST];
  return to_utf8(name, '.', wanted) == length && !memcmp(wanted, found, length);
}

checked open_checked(const char *name) {
  checked out = {name, read_file(name), {NULL, NULL}, 0, 0, 0};
  if (!out.rest.at) die("missing", name);
  return out;
}

int next_line(checked *file) {
  if (file->rest.at == file->rest.end || !take(&file->rest, '\n', &file->line)) return 0;
  file->number++;
  return 1;
}

int differs(checked *file, size_t *counted, const char *format, ...) {
  va_list values;
  if (*counted == file->number) return 0;
  *counted = file->number;
  file->different++;
  if (file->shown++ >= SHOWN) return 0;
  fprintf(stderr, "%s:%zu: ", file->name, file->number);
  va_start(values, format);
  vfprintf(stderr, format, values);
  va_end(values);
  return fputc('\n', stderr), 0;
}

int finish(const checked *file) {
  printf("%s: %zu lines, %zu different\n", file->name, file->number, file->different);
  fflush(stdout);
  return file->different != 0;
}
