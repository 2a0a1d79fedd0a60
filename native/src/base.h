/* What a freestanding compiler does not give: memory, numbers, hashes, an arena. No libc is called anywhere in src/. */
#ifndef TA_BASE_H
#define TA_BASE_H

#include "textapp.h"

#define TA_COUNT(array) (sizeof(array) / sizeof *(array))
#define TA_MIN(a, b) ((a) < (b) ? (a) : (b))
#define TA_MAX(a, b) ((a) > (b) ? (a) : (b))

/* Compilers call these by name for copies and zeros; they are weak where a libc has its own. */
void *ta_copy(void *to, const void *from, size_t size); /* no overlap */
void *ta_move(void *to, const void *from, size_t size); /* overlap allowed */
void *ta_fill(void *to, int byte, size_t size);
int ta_compare(const void *a, const void *b, size_t size);
size_t ta_length(const char *text);

/* Within 1 unit in the last place of double, or of float; NaN and infinities as in C99. */
double ta_exp(double x);
double ta_log(double x); /* of x > 0 */
double ta_tanh(double x);
double ta_sqrt(double x);
float ta_expf(float x);
float ta_tanhf(float x);
float ta_logf(float x);
float ta_sqrtf(float x);
double ta_round_even(double x); /* to the nearest whole number, halves to even: LiteRT's and NumPy's rule */
double ta_floor(double x);
int ta_is_finite(double x);
float ta_from_half(uint16_t half);

/* That of zlib: start with 0, go on with the result. */
uint32_t ta_crc32(uint32_t start, const void *data, size_t size);
void ta_sha256(const void *data, size_t size, uint8_t digest[32]);

/* Little-endian numbers at any address. */
uint16_t ta_u16(const void *at);
uint32_t ta_u32(const void *at);
uint64_t ta_u64(const void *at);
float ta_f32(const void *at);

/* Gives memory at load. It counts what it gives, and refuses beyond the limit. Small pieces are cut from blocks of 64
 * KiB, so that `allocate` is called seldom. All pieces are aligned to 64 and are zero. */
typedef struct {
  const textapp_options *options;
  size_t used, limit;
  uint8_t *block;
  size_t left;
} ta_arena;
void ta_arena_init(ta_arena *arena, const textapp_options *options);
/* NULL where memory is out, or count * size overflows. */
void *ta_new(ta_arena *arena, size_t count, size_t size);

/* Cuts a caller's block into pieces: the same code counts (memory NULL) and gives. Pieces are aligned to 64. */
typedef struct {
  uint8_t *memory; /* NULL: only count */
  size_t used;     /* SIZE_MAX after an overflow */
} ta_block;
void *ta_take(ta_block *block, size_t count, size_t size);

/* Writes one line: what with %s (text), %z (size_t), %d (int64_t), %c (char) for `parts`; cut at the end. %q takes a
 * text and its length in bytes: a part of an input, in quotation marks, at most 80 code points of it. It takes varargs,
 * which a freestanding compiler has. Control characters become spaces. Returns `status`. */
textapp_status ta_say(textapp_message *message, textapp_status status, const char *what, ...);

#endif
