/* Memory and messages. numbers.c and hashes.c have the rest of base.h. */
#include "base.h"

#include <stdarg.h>

#if defined(__GNUC__)
/* Words of memory at any address and of any type. */
typedef struct {
  uint64_t value;
} __attribute__((packed, may_alias)) word;
/* Two of them as a vector. A structure as large would be copied by a call of memcpy where the compiler saves space. */
typedef uint64_t two_words __attribute__((vector_size(16), aligned(1), may_alias));
/* Compilers turn a loop that copies or fills into a call of memcpy or memset, which would call itself here. */
#define KEEP_LOOP __asm__ volatile("")
#else
#define KEEP_LOOP ((void)0)
#endif

void *ta_copy(void *to, const void *from, size_t size) {
  uint8_t *out = to;
  const uint8_t *in = from;
  size_t at = 0;
#if defined(__GNUC__)
  for (; at + 64 <= size; at += 64) {
    const two_words *four = (const two_words *)(const void *)(in + at);
    two_words *to_four = (two_words *)(void *)(out + at);
    two_words a = four[0], b = four[1], c = four[2], d = four[3];
    to_four[0] = a, to_four[1] = b, to_four[2] = c, to_four[3] = d;
    KEEP_LOOP;
  }
  for (; at + 8 <= size; at += 8) {
    *(word *)(void *)(out + at) = *(const word *)(const void *)(in + at);
    KEEP_LOOP;
  }
#endif
  for (; at < size; at++) {
    out[at] = in[at];
    KEEP_LOOP;
  }
  return to;
}

void *ta_move(void *to, const void *from, size_t size) {
  uint8_t *out = to;
  const uint8_t *in = from;
  if (out == in) return to;
  if ((uintptr_t)out - (uintptr_t)in >= size) { /* forwards is safe */
    if ((uintptr_t)in - (uintptr_t)out >= 64) return ta_copy(to, from, size); /* no block overlaps its copy */
    for (size_t at = 0; at < size; at++) {
      uint8_t byte = in[at];
      out[at] = byte;
      KEEP_LOOP;
    }
    return to;
  }
#if defined(__GNUC__)
  for (; size >= 8; size -= 8) {
    uint64_t value = ((const word *)(const void *)(in + size - 8))->value; /* read whole, as it may overlap its copy */
    ((word *)(void *)(out + size - 8))->value = value;
    KEEP_LOOP;
  }
#endif
  for (; size > 0; size--) {
    out[size - 1] = in[size - 1];
    KEEP_LOOP;
  }
  return to;
}

void *ta_fill(void *to, int byte, size_t size) {
  uint8_t *out = to;
  size_t at = 0;
#if defined(__GNUC__)
  word all;
  all.value = (uint8_t)byte * UINT64_C(0x0101010101010101);
  for (; at + 32 <= size; at += 32) {
    *(word *)(void *)(out + at) = all;
    *(word *)(void *)(out + at + 8) = all;
    *(word *)(void *)(out + at + 16) = all;
    *(word *)(void *)(out + at + 24) = all;
    KEEP_LOOP;
  }
#endif
  for (; at < size; at++) {
    out[at] = (uint8_t)byte;
    KEEP_LOOP;
  }
  return to;
}

int ta_compare(const void *a, const void *b, size_t size) {
  const uint8_t *one = a, *other = b;
  for (size_t at = 0; at < size; at++) {
    if (one[at] != other[at]) return one[at] < other[at] ? -1 : 1;
    KEEP_LOOP;
  }
  return 0;
}

size_t ta_length(const char *text) {
  size_t length = 0;
  while (text[length]) {
    length++;
    KEEP_LOOP;
  }
  return length;
}

/* Compilers call these four even in freestanding code. Where a program has a C library, its own are faster. */
#if defined(TEXTAPP_WITHOUT_LIBC) && defined(__GNUC__) && !defined(_WIN32) && !defined(__APPLE__)
void *memcpy(void *to, const void *from, size_t size);
void *memmove(void *to, const void *from, size_t size);
void *memset(void *to, int byte, size_t size);
int memcmp(const void *a, const void *b, size_t size);
__attribute__((weak)) void *memcpy(void *to, const void *from, size_t size) { return ta_copy(to, from, size); }
__attribute__((weak)) void *memmove(void *to, const void *from, size_t size) { return ta_move(to, from, size); }
__attribute__((weak)) void *memset(void *to, int byte, size_t size) { return ta_fill(to, byte, size); }
__attribute__((weak)) int memcmp(const void *a, const void *b, size_t size) { return ta_compare(a, b, size); }
#endif

uint16_t ta_u16(const void *at) {
  const uint8_t *bytes = at;
  return (uint16_t)(bytes[0] | bytes[1] << 8);
}

uint32_t ta_u32(const void *at) {
  const uint8_t *bytes = at;
  return bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 | (uint32_t)bytes[3] << 24;
}

uint64_t ta_u64(const void *at) { return ta_u32(at) | (uint64_t)ta_u32((const uint8_t *)at + 4) << 32; }

float ta_f32(const void *at) {
  union {
    uint32_t bits;
    float number;
  } value;
  value.bits = ta_u32(at);
  return value.number;
}

#define ALIGNMENT 64
#define BLOCK ((size_t)1 << 16)
#define MOST_MEMORY ((size_t)1 << 30)

/* count * size rounded up to the alignment; 0 after an overflow. */
static size_t padded(size_t count, size_t size) {
  if (size > 0 && count > (SIZE_MAX - ALIGNMENT) / size) return 0;
  size_t bytes = count * size;
  if (bytes == 0) bytes = 1; /* a piece of nothing has an address too */
  return (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

void ta_arena_init(ta_arena *arena, const textapp_options *options) {
  arena->options = options;
  arena->used = 0;
  arena->limit = options->most_memory ? options->most_memory : MOST_MEMORY;
  arena->block = NULL;
  arena->left = 0;
}

/* Asks the caller for zeroed memory that is aligned to 64. */
static uint8_t *allocated(ta_arena *arena, size_t size) {
  if (size > SIZE_MAX - ALIGNMENT || !arena->options->allocate) return NULL;
  size_t asked = size + ALIGNMENT;
  if (arena->used > arena->limit || asked > arena->limit - arena->used) return NULL;
  uint8_t *memory = arena->options->allocate(arena->options->user, asked);
  if (!memory) return NULL;
  arena->used += asked;
  memory += (ALIGNMENT - (uintptr_t)memory % ALIGNMENT) % ALIGNMENT;
  return ta_fill(memory, 0, size);
}

void *ta_new(ta_arena *arena, size_t count, size_t size) {
  size_t bytes = padded(count, size);
  if (!bytes) return NULL;
  if (bytes > BLOCK / 4) {
    if (bytes > arena->left) return allocated(arena, bytes);
  } else if (bytes > arena->left) {
    arena->block = allocated(arena, BLOCK);
    arena->left = arena->block ? BLOCK : 0;
    if (!arena->block) return allocated(arena, bytes); /* near the limit a whole block may be too much */
  }
  uint8_t *piece = arena->block;
  arena->block += bytes;
  arena->left -= bytes;
  return piece;
}

void *ta_take(ta_block *block, size_t count, size_t size) {
  size_t bytes = padded(count, size);
  if (!bytes || block->used > SIZE_MAX - bytes) {
    block->used = SIZE_MAX;
    return NULL;
  }
  uint8_t *piece = block->memory ? block->memory + block->used : NULL;
  block->used += bytes;
  return piece;
}

/* A message that is being written. One byte is kept for the 0 at its end. */
typedef struct {
  char *text;
  size_t size;
} line;

#define LINE_ROOM (sizeof((textapp_message *)NULL)->text - 1)
#define EXCERPT 80 /* code points of an input that a message quotes */

/* Bytes of the sequence of UTF-8 that is at `text`; 0 where it is none. Surrogates and code points beyond U+10FFFF are
 * none. */
static size_t sequence(const char *text, size_t left) {
  const uint8_t *at = (const uint8_t *)text;
  if (at[0] < 0x80) return 1;
  size_t size = at[0] >= 0xF0 ? 4 : at[0] >= 0xE0 ? 3 : 2;
  if (at[0] < 0xC2 || at[0] > 0xF4 || size > left) return 0;
  for (size_t i = 1; i < size; i++) {
    if ((at[i] & 0xC0) != 0x80) return 0;
  }
  int wrong = (at[0] == 0xE0 && at[1] < 0xA0) || (at[0] == 0xED && at[1] > 0x9F) || (at[0] == 0xF0 && at[1] < 0x90) ||
              (at[0] == 0xF4 && at[1] > 0x8F);
  return wrong ? 0 : size;
}

/* Adds at most `most` code points. What moves a terminal's cursor becomes a space, what is no UTF-8 a question mark.
 * Returns the bytes that were read. */
static size_t add(line *out, const char *text, size_t length, size_t most) {
  size_t at = 0;
  for (size_t count = 0; at < length && count < most; count++) {
    size_t size = sequence(text + at, length - at);
    const char *piece = text + at;
    uint8_t first = (uint8_t)*piece;
    at += size ? size : 1;
    if (!size) {
      piece = "?";
      size = 1;
    } else if (first < 0x20 || first == 0x7F || (first == 0xC2 && (uint8_t)piece[1] < 0xA0)) {
      piece = " ";
      size = 1;
    }
    if (size > LINE_ROOM - out->size) {
      out->size = LINE_ROOM; /* full: no later part is written, though it may be shorter; the rest is 0 */
      break;
    }
    ta_copy(out->text + out->size, piece, size);
    out->size += size;
  }
  return at;
}

static void add_number(line *out, uint64_t number, int negative) {
  char digits[24];
  size_t at = sizeof digits;
  do {
    digits[--at] = (char)('0' + number % 10);
    number /= 10;
  } while (number);
  if (negative) digits[--at] = '-';
  add(out, digits + at, sizeof digits - at, sizeof digits);
}

/* Writes a part of an input in quotation marks, with an ellipsis where it is cut. */
static void add_quoted(line *out, const char *text, size_t length) {
  add(out, "'", 1, 1);
  size_t read = add(out, text, length, EXCERPT);
  add(out, "'", 1, 1);
  if (read < length) add(out, "\xE2\x80\xA6", 3, 1);
}

textapp_status ta_say(textapp_message *message, textapp_status status, const char *what, ...) {
  if (!message) return status;
  line out = {message->text, 0};
  ta_fill(message->text, 0, sizeof message->text);
  va_list parts;
  va_start(parts, what);
  while (*what) {
    size_t plain = 0;
    while (what[plain] && what[plain] != '%') plain++;
    add(&out, what, plain, plain);
    what += plain;
    if (!*what) break;
    char kind = what[1];
    what += kind ? 2 : 1;
    if (kind == 's') {
      const char *text = va_arg(parts, const char *);
      add(&out, text, ta_length(text), LINE_ROOM);
    } else if (kind == 'q') {
      const char *text = va_arg(parts, const char *);
      add_quoted(&out, text, va_arg(parts, size_t));
    } else if (kind == 'z') {
      add_number(&out, va_arg(parts, size_t), 0);
    } else if (kind == 'd') {
      int64_t number = va_arg(parts, int64_t);
      add_number(&out, number < 0 ? 0 - (uint64_t)number : (uint64_t)number, number < 0);
    } else if (kind == 'c') {
      char character = (char)va_arg(parts, int);
      add(&out, &character, 1, 1);
    } else {
      add(&out, "%", 1, 1);
    }
  }
  va_end(parts);
  return status;
}
