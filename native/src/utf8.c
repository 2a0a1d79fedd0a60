/* Code points of UTF-8: their lower case, and places in other units. */
#include "utf8.h"

#include "text.h"

unsigned ta_far_info(uint32_t point) {
  for (size_t i = 0; i < TA_COUNT(ta_far_ranges); i += 3) {
    if (point >= ta_far_ranges[i] && point <= ta_far_ranges[i + 1]) return ta_far_ranges[i + 2];
  }
  return TA_FAR_BYTE;
}

uint32_t ta_lower(uint32_t capital) {
  if (capital < 0x80) return capital - 'A' < 26 ? capital + 32 : capital;
  size_t low = 0, high = TA_COUNT(ta_capitals) / 4;
  while (low < high) { /* the first run whose last code point is not before the capital */
    size_t middle = (low + high) / 2;
    if ((uint32_t)ta_capitals[4 * middle + 1] < capital) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  if (low == TA_COUNT(ta_capitals) / 4) return capital;
  const int32_t *run = ta_capitals + 4 * low;
  if (capital < (uint32_t)run[0] || (capital - (uint32_t)run[0]) % (uint32_t)run[2]) return capital;
  return (uint32_t)((int32_t)capital + run[3]);
}

size_t ta_place(ta_places *places, size_t byte) {
  const uint8_t *text = (const uint8_t *)places->text;
  if (byte > places->length) byte = places->length;
  if (byte < places->at) { /* the tokens of one character have the same start, so it comes again after its end */
    int back = byte >= places->before_at;
    places->at = back ? places->before_at : 0;
    places->unit = back ? places->before_unit : 0;
  }
  places->before_at = places->at;
  places->before_unit = places->unit;
  while (places->at < byte) {
    uint32_t point;
    size_t size = ta_decode(text + places->at, places->length - places->at, &point);
    places->at += size;
    places->unit += places->utf16 && point >= 0x10000 ? 2 : 1;
  }
  return places->unit;
}
