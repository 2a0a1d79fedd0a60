/* A vocabulary: textapp/text/vocabulary.py. Its lines stay where they are; a hash table finds a word among them. */
#include "text.h"
#include "utf8.h"

#define PAD "[PAD]"
#define UNKNOWN "[UNK]"
#define UNKNOWN_ID 1

/* FNV-1a, whose high and low bits are mixed at the end. */
static uint32_t hash_of(const uint8_t *word, size_t length) {
  uint32_t hash = 2166136261u;
  for (size_t i = 0; i < length; i++) hash = (hash ^ word[i]) * 16777619u;
  hash ^= hash >> 15;
  hash *= 0x2C1B3C6Du;
  return hash ^ hash >> 12;
}

static const uint8_t *line_of(const ta_vocabulary *vocabulary, uint32_t number, size_t *length) {
  *length = vocabulary->starts[number + 1] - vocabulary->starts[number] - 1;
  return (const uint8_t *)vocabulary->lines + vocabulary->starts[number];
}

/* The slot of a word, or the empty one where it would be. The low bits of a slot are the number of its line + 1, the
 * others are those of the word's hash, so that other words are seldom compared. Adds the slots that were looked at. */
static size_t slot_of(const ta_vocabulary *vocabulary, const uint8_t *word, size_t length, uint32_t hash,
                      uint64_t *steps) {
  uint32_t mask = vocabulary->mask;
  size_t slot = hash & mask;
  for (;; slot = (slot + 1) & mask) {
    ++*steps;
    uint32_t value = vocabulary->slots[slot];
    if (!(value & mask)) return slot;
    if ((value ^ hash) & ~mask) continue;
    size_t other;
    const uint8_t *line = line_of(vocabulary, (value & mask) - 1, &other);
    if (other == length && !ta_compare(line, word, length)) return slot;
  }
}

int32_t ta_id(const ta_vocabulary *vocabulary, const char *word, size_t length) {
  if (length > vocabulary->longest || !length) return UNKNOWN_ID;
  const uint8_t *bytes = (const uint8_t *)word;
  uint64_t steps = 0;
  size_t slot = slot_of(vocabulary, bytes, length, hash_of(bytes, length), &steps);
  uint32_t number = vocabulary->slots[slot] & vocabulary->mask;
  return number > UNKNOWN_ID + 1 ? (int32_t)number - 1 : UNKNOWN_ID; /* the text "[PAD]" is unknown, not padding */
}

void ta_character_ids(const ta_vocabulary *characters, const char *spelling, size_t length, size_t most, int32_t *out) {
  size_t at = 0, count = 0;
  while (at < length && count < most) {
    uint32_t point;
    size_t size = ta_decode((const uint8_t *)spelling + at, length - at, &point);
    out[count++] = ta_id(characters, spelling + at, size);
    at += size;
  }
  while (count < most) out[count++] = 0;
}

/* Checks that a file is UTF-8, as the messages of textapp.files.decode_utf8 say it. */
static textapp_status check_utf8(const char *name, const uint8_t *data, size_t size, textapp_message *message) {
  size_t line = 1, start = 0, step;
  for (size_t at = 0; at < size; at += step) {
    uint32_t point;
    step = ta_decode(data + at, size - at, &point);
    /* What is no UTF-8 becomes U+FFFD, but not the other way round. */
    if (point == TA_REPLACEMENT && !(step == 3 && data[at] == 0xEF && data[at + 1] == 0xBF && data[at + 2] == 0xBD)) {
      return ta_say(message, TEXTAPP_ERROR_BUNDLE, "%s:%z: byte %z of the line is not UTF-8; files must be UTF-8", name,
                    line, at - start + 1);
    }
    if (data[at] == '\n') {
      line++;
      start = at + 1;
    }
  }
  return TEXTAPP_OK;
}

/* Checks that a line holds a token: not empty, without a line break, and that of the specials in the first two. */
static textapp_status check_line(const char *name, size_t number, const char *line, size_t length,
                                 textapp_message *message) {
  const char *special = number == 0 ? PAD : number == 1 ? UNKNOWN : NULL;
  if (special && (length != sizeof PAD - 1 || ta_compare(line, special, length))) {
    return ta_say(message, TEXTAPP_ERROR_BUNDLE, "%s:%z: the line must read %s. Received: %q", name, number + 1, special,
                  line, length);
  }
  for (size_t i = 0; i < length; i++) {
    if (line[i] == '\r') length = 0;
  }
  if (length) return TEXTAPP_OK;
  return ta_say(message, TEXTAPP_ERROR_BUNDLE, "%s:%z: a token is empty or holds a line break", name, number + 1);
}

/* Puts each line into the table. Lines that are made to share a hash would take forever: they are refused. */
static textapp_status fill_slots(ta_vocabulary *out, uint32_t *slots, const char *name, textapp_message *message) {
  uint64_t steps = 0, most = (uint64_t)out->count * 32 + 4096;
  for (uint32_t number = 0; number < out->count; number++) {
    size_t length;
    const uint8_t *line = line_of(out, number, &length);
    textapp_status status = check_line(name, number, (const char *)line, length, message);
    if (status) return status;
    uint32_t hash = hash_of(line, length);
    size_t slot = slot_of(out, line, length, hash, &steps);
    if (slots[slot] & out->mask) {
      return ta_say(message, TEXTAPP_ERROR_BUNDLE, "%s:%z: the token %q is already on line %z", name,
                    (size_t)number + 1, line, length, (size_t)(slots[slot] & out->mask));
    }
    if (steps > most) {
      return ta_say(message, TEXTAPP_ERROR_BUNDLE, "%s:%z: too many tokens have the same hash", name, (size_t)number + 1);
    }
    slots[slot] = (hash & ~out->mask) | (number + 1);
    out->longest = TA_MAX(out->longest, length);
  }
  return TEXTAPP_OK;
}

textapp_status ta_vocabulary_load(ta_vocabulary *out, ta_arena *arena, const char *name, const void *data, size_t size,
                                  textapp_message *message) {
  const uint8_t *bytes = data;
  if (size > INT32_MAX) return ta_say(message, TEXTAPP_ERROR_BUNDLE, "%s: must be smaller than 2 GiB", name);
  textapp_status status = check_utf8(name, bytes, size, message);
  if (status) return status;
  if (size && bytes[size - 1] == '\n') size--;
  size_t count = 1;
  for (size_t i = 0; i < size; i++) count += bytes[i] == '\n';
  size_t slot_count = 4;
  while (slot_count < count + count / 2) slot_count *= 2;
  uint32_t *starts = ta_new(arena, count + 1, sizeof *starts);
  uint32_t *slots = ta_new(arena, slot_count, sizeof *slots);
  if (!starts || !slots) return ta_say(message, TEXTAPP_ERROR_MEMORY, "%s: %z lines need more memory", name, count);
  size_t number = 0;
  for (size_t i = 0; i < size; i++) {
    if (bytes[i] == '\n') starts[++number] = (uint32_t)i + 1;
  }
  starts[count] = (uint32_t)size + 1; /* as if a line break ended the last line too */
  out->lines = data;
  out->count = (uint32_t)count;
  out->starts = starts;
  out->slots = slots;
  out->mask = (uint32_t)(slot_count - 1);
  out->longest = 0;
  status = fill_slots(out, slots, name, message);
  if (status) return status;
  if (count > UNKNOWN_ID) return TEXTAPP_OK;
  return ta_say(message, TEXTAPP_ERROR_BUNDLE, "%s:2: the line must read " UNKNOWN "; the file ends here", name);
}
