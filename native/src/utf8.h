/* Code points in UTF-8, and what the tables say of them. Inline, as every character of a text passes through here. */
#ifndef TA_UTF8_H
#define TA_UTF8_H

#include "tables.h"

#define TA_REPLACEMENT 0xFFFDu

/* Reads the code point at `text`, of which `left` > 0 bytes are left. Returns its bytes. What is no UTF-8 is U+FFFD,
 * once for each maximal subpart (Unicode Standard 14.0, section 3.9, table 3-8). */
static inline size_t ta_decode(const uint8_t *text, size_t left, uint32_t *point) {
  uint32_t first = text[0], low = 0x80, high = 0xBF;
  size_t size;
  if (first < 0x80) {
    *point = first;
    return 1;
  }
  *point = TA_REPLACEMENT;
  if (first < 0xC2 || first > 0xF4) return 1;
  size = first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
  if (first == 0xE0) low = 0xA0; /* shorter forms exist, */
  if (first == 0xED) high = 0x9F; /* surrogates, */
  if (first == 0xF0) low = 0x90;
  if (first == 0xF4) high = 0x8F; /* beyond U+10FFFF */
  if (left < 2 || text[1] < low || text[1] > high) return 1;
  uint32_t value = (first & (0x7Fu >> size)) << 6 | (text[1] & 0x3Fu);
  for (size_t i = 2; i < size; i++) {
    if (i >= left || (text[i] & 0xC0) != 0x80) return i;
    value = value << 6 | (text[i] & 0x3Fu);
  }
  *point = value;
  return size;
}

/* Writes a code point, at most 4 bytes. Returns its bytes. */
static inline size_t ta_encode(uint32_t point, uint8_t *out) {
  if (point < 0x80) {
    out[0] = (uint8_t)point;
    return 1;
  }
  if (point < 0x800) {
    out[0] = (uint8_t)(0xC0 | point >> 6);
    out[1] = (uint8_t)(0x80 | (point & 0x3F));
    return 2;
  }
  if (point < 0x10000) {
    out[0] = (uint8_t)(0xE0 | point >> 12);
    out[1] = (uint8_t)(0x80 | (point >> 6 & 0x3F));
    out[2] = (uint8_t)(0x80 | (point & 0x3F));
    return 3;
  }
  out[0] = (uint8_t)(0xF0 | point >> 18);
  out[1] = (uint8_t)(0x80 | (point >> 12 & 0x3F));
  out[2] = (uint8_t)(0x80 | (point >> 6 & 0x3F));
  out[3] = (uint8_t)(0x80 | (point & 0x3F));
  return 4;
}

unsigned ta_far_info(uint32_t point);

/* The byte of a code point: TA_CLASS, TA_ROLE and TA_IS_CAPITAL read it. */
static inline unsigned ta_info(uint32_t point) {
  if (point >= TA_TRIE_END) return ta_far_info(point);
  uint32_t middle = ta_trie_middle[ta_trie_first[point >> 7] * 8u + (point >> 4 & 7)];
  return ta_trie_last[middle * 16u + (point & 15)];
}

/* The lower-case code point of a capital. */
uint32_t ta_lower(uint32_t capital);

/* The bytes from `at` on, at most `most`, that are ASCII and are not joined to what follows: a mark may follow the last
 * character of ASCII, so it is not counted if something else comes after it. */
static inline size_t ta_ascii_run(const uint8_t *text, size_t length, size_t at, size_t most) {
  size_t stop = at, limit = length - at < most ? length : at + most;
  while (stop + 8 <= limit && !(ta_u64(text + stop) & UINT64_C(0x8080808080808080))) stop += 8;
  while (stop < limit && text[stop] < 0x80) stop++;
  return stop > at && stop < length && text[stop] >= 0x80 ? stop - 1 : stop;
}

#endif
