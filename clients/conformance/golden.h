/* Reads the golden files, which README.md describes. What is malformed ends the program. */
#ifndef TEXTAPP_GOLDEN_H
#define TEXTAPP_GOLDEN_H

#include <stddef.h>

enum { LONGEST = 1 << 16 }; /* bytes of a string in UTF-8, at most */

/* A part of a file. `at` is NULL where nothing is left. */
typedef struct {
  const char *at, *end;
} view;

/* A file whose lines are checked. */
typedef struct {
  const char *name;
  view rest, line;
  size_t number, different, shown; /* of the line; lines that differ; those that were shown */
} checked;

extern const char *folder; /* of the golden files */

/* Ends the program with 2. */
void die(const char *what, const char *which);

void *memory_of(size_t size);

/* Reads a file below the folder; without data if it is not there. */
view read_file(const char *name);

/* Takes what is before the next separator. Returns 0 where nothing is left. */
int take(view *from, char separator, view *out);

/* Takes the next item of a list, which may be empty. */
int take_item(view *list, view *out);

/* Takes a field that must be there. */
view field(view *from, char separator);

size_t whole(view of);
double number(view of);
int is_word(view of, const char *word);

/* Whether two numbers differ by at most the tolerance; or by that times |wanted|, where it is larger than 1. */
int is_close(double found, double wanted, double tolerance);

/* Writes code points as UTF-8, with U+FFFD for lone surrogates. Returns the bytes. */
size_t to_utf8(view from, char separator, char *out);

/* Whether a name of a file has these bytes in UTF-8. */
int is_name(view name, const char *found, size_t length);

checked open_checked(const char *name);

/* Goes to the next line. Returns 0 after the last. */
int next_line(checked *file);

/* Counts a line that differs, once, and shows what differs. `counted` is the last line that was counted. */
int differs(checked *file, size_t *counted, const char *format, ...);

/* Prints the result of a file. Returns whether a line differs. */
int finish(const checked *file);

#endif
