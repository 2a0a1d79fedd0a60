/* Normalization forms NFC and NFKC of Unicode Standard Annex #15, in chunks of at most 32 code points. */
#include "normalize.h"

#define MOST_PARTS (TA_LONGEST_CHUNK * TA_LONGEST_PARTS)

/* A chunk, its origin, and the parts that it is decomposed to, in canonical order. */
typedef struct {
  size_t starts[TA_LONGEST_CHUNK], ends[TA_LONGEST_CHUNK];
  uint32_t points[TA_LONGEST_CHUNK];
  uint32_t parts[MOST_PARTS];
  uint8_t ranks[MOST_PARTS]; /* combining classes */
  size_t count, part_count;
} chunk;

size_t ta_scratch_size(void) { return sizeof(chunk); }

/* The place of a key among sorted low halves; `count` if it is not there. Keys of plane 0 come first. */
static size_t key_place(const uint16_t *keys, size_t count, size_t beyond, uint32_t point) {
  size_t low = point < 0x10000 ? 0 : beyond, end = point < 0x10000 ? beyond : count, high = end;
  uint32_t key = point & 0xFFFF;
  while (low < high) {
    size_t middle = (low + high) / 2;
    if (keys[middle] < key) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low < end && keys[low] == key ? low : count;
}

static uint8_t rank_of(uint32_t point) {
  size_t low = 0, high = TA_COUNT(ta_rank_runs);
  while (high - low > 1) { /* the last run that begins at the code point or before it */
    size_t middle = (low + high) / 2;
    if (ta_rank_runs[middle] >> 8 <= point) {
      low = middle;
    } else {
      high = middle;
    }
  }
  return (uint8_t)(ta_rank_runs[low] & 0xFF);
}

/* Adds a part, before those of a higher class that stand last. */
static void add_part(chunk *one, uint32_t point) {
  uint8_t rank = point >= 0x300 && TA_CLASS(ta_info(point)) == TA_CLASS_MARK ? rank_of(point) : 0;
  size_t at = one->part_count++;
  for (; rank && at > 0 && one->ranks[at - 1] > rank; at--) {
    one->parts[at] = one->parts[at - 1];
    one->ranks[at] = one->ranks[at - 1];
  }
  one->parts[at] = point;
  one->ranks[at] = rank;
}

/* Adds the compatibility decomposition of a code point that has no canonical one. */
static void add_compatible(chunk *one, uint32_t point) {
  size_t place = key_place(ta_one_keys, TA_COUNT(ta_one_keys), ta_planes[2], point);
  if (place < TA_COUNT(ta_one_keys)) {
    add_part(one, ta_ones[place]);
    return;
  }
  place = key_place(ta_more_keys, TA_COUNT(ta_more_keys), ta_planes[3], point);
  if (place == TA_COUNT(ta_more_keys)) {
    add_part(one, point);
    return;
  }
  const uint16_t *units = ta_more_units + ta_mores[place] + 1, *end = units + units[-1];
  while (units < end) {
    uint32_t part = *units++;
    if (part >= 0xD800 && part < 0xDC00) part = 0x10000 + ((part - 0xD800) << 10) + (*units++ - 0xDC00u);
    add_part(one, part);
  }
}

#define HANGUL 0xAC00u
#define SYLLABLES 11172u
#define LEADING 0x1100u
#define VOWEL 0x1161u
#define TRAILING 0x11A7u

static void add_decomposed(chunk *one, uint32_t point, ta_form form) {
  if (point < 0xA0) {
    add_part(one, point);
    return;
  }
  if (point - HANGUL < SYLLABLES) {
    uint32_t syllable = point - HANGUL;
    add_part(one, LEADING + syllable / 588);
    add_part(one, VOWEL + syllable % 588 / 28);
    if (syllable % 28) add_part(one, TRAILING + syllable % 28);
    return;
  }
  /* A pair's second part is final, the first may be a pair again; the deepest such row has three pairs. */
  uint32_t seconds[4];
  size_t depth = 0;
  for (;;) {
    size_t place = key_place(ta_pair_keys, TA_COUNT(ta_pair_keys), ta_planes[0], point);
    if (place < TA_COUNT(ta_pair_keys) && depth < TA_COUNT(seconds)) {
      uint32_t plane = point & 0x10000;
      seconds[depth++] = ta_pair_seconds[place] | plane;
      point = ta_pair_firsts[place] | plane;
      continue;
    }
    place = key_place(ta_single_keys, TA_COUNT(ta_single_keys), ta_planes[1], point);
    if (place == TA_COUNT(ta_single_keys)) break;
    point = ta_singles[place] | (uint32_t)(ta_single_beyond[place / 8] >> place % 8 & 1) << 17;
  }
  if (form == TA_NFKC) {
    add_compatible(one, point);
  } else {
    add_part(one, point);
  }
  while (depth > 0) add_part(one, seconds[--depth]);
}

/* The code point of the composite with a number of `ta_composites`, and whether its pair comes before this one. */
static uint32_t composite(size_t number, uint32_t first, uint32_t second, int *before) {
  size_t pair = ta_composites[number];
  uint32_t plane = pair < ta_planes[0] ? 0 : 0x10000;
  uint32_t one = ta_pair_firsts[pair] | plane, other = ta_pair_seconds[pair] | plane;
  *before = one < first || (one == first && other < second);
  return one == first && other == second ? ta_pair_keys[pair] | plane : 0;
}

/* What two code points compose to; 0 if they do not. */
static uint32_t composed(uint32_t first, uint32_t second) {
  if (TA_ROLE(ta_info(second)) != TA_ROLE_JOINING) return 0;
  if (first - LEADING < 19 && second - VOWEL < 21) return HANGUL + ((first - LEADING) * 21 + (second - VOWEL)) * 28;
  if (first - HANGUL < SYLLABLES && (first - HANGUL) % 28 == 0 && second - TRAILING - 1 < 27) {
    return first + (second - TRAILING);
  }
  size_t low = 0, high = TA_COUNT(ta_composites);
  int before;
  while (low < high) {
    size_t middle = (low + high) / 2;
    uint32_t found = composite(middle, first, second, &before);
    if (found) return found;
    if (before) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return 0;
}

/* Composes the parts in place (UAX #15, section 1.3): each is joined to the last starter unless one between blocks it. */
static void compose(chunk *one) {
  uint32_t *starter = NULL;
  int last = -1; /* the class of the part before; -1 directly after the starter */
  size_t count = 0;
  for (size_t i = 0; i < one->part_count; i++) {
    uint32_t part = one->parts[i];
    int rank = one->ranks[i];
    uint32_t joined = starter && last < rank ? composed(*starter, part) : 0;
    if (joined) {
      *starter = joined;
      continue;
    }
    one->parts[count] = part;
    last = rank ? rank : -1;
    if (!rank) starter = one->parts + count;
    count++;
  }
  one->part_count = count;
}

/* Normalizes a chunk and hands it on. The origin of what changed is the whole chunk. */
static void hand_on(chunk *one, ta_form form, ta_sink sink, void *user) {
  one->part_count = 0;
  for (size_t i = 0; i < one->count; i++) add_decomposed(one, one->points[i], form);
  compose(one);
  int same = one->part_count == one->count;
  for (size_t i = 0; same && i < one->count; i++) same = one->parts[i] == one->points[i];
  for (size_t i = 0; i < one->part_count; i++) {
    size_t start = one->starts[same ? i : 0], end = one->ends[same ? i : one->count - 1];
    if (!sink(user, one->parts[i], start, end)) return;
  }
}

size_t ta_normalize_next(ta_form form, const uint8_t *text, size_t length, size_t at, void *scratch, ta_sink sink,
                         void *user) {
  uint32_t point;
  size_t start = at;
  at += ta_decode(text + at, length - at, &point);
  unsigned role = point < 0x80 ? TA_ROLE(ta_ascii[point]) : TA_ROLE(ta_info(point));
  if (role == TA_ROLE_DROPPED) return at;
  if (role == TA_ROLE_QUOTE && form == TA_NFKC) point = '\'';
  if (form == TA_NONE || role == TA_ROLE_FIXED || role == TA_ROLE_QUOTE) {
    sink(user, point, start, at);
    return at;
  }
  chunk *one = scratch;
  one->count = 0;
  for (;;) {
    one->points[one->count] = point;
    one->starts[one->count] = start;
    one->ends[one->count++] = at;
    unsigned next = TA_ROLE_DROPPED;
    while (next == TA_ROLE_DROPPED && at < length) {
      start = at;
      at += ta_decode(text + at, length - at, &point);
      next = TA_ROLE(ta_info(point));
    }
    if (next == TA_ROLE_DROPPED) break; /* the end of the text */
    if (next != TA_ROLE_JOINING || one->count == TA_LONGEST_CHUNK) {
      at = start;
      break;
    }
  }
  if (one->count == 1 && role == TA_ROLE_BASE) {
    sink(user, one->points[0], one->starts[0], one->ends[0]);
  } else {
    hand_on(one, form, sink, user);
  }
  return at;
}
