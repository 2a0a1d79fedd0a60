/* Unicode normalization as textapp/text/normalization.py defines it, one code point or one chunk at a time. */
#ifndef TA_NORMALIZE_H
#define TA_NORMALIZE_H

#include "text.h"
#include "utf8.h"

/* Takes a normalized code point and its origin in bytes. Returns 0 to stop. */
typedef int (*ta_sink)(void *user, uint32_t point, size_t start, size_t end);

/* Normalizes what begins at `at` < `length`: a dropped code point, one that never changes, or a chunk. Returns the
 * place after it. Calls one after the other give the whole text. `scratch` has `ta_scratch_size()` bytes. */
size_t ta_normalize_next(ta_form form, const uint8_t *text, size_t length, size_t at, void *scratch, ta_sink sink,
                         void *user);

#endif
