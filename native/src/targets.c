/* Reads labels.txt or tags.txt, and crf.json; see bundle.h. */
#include "bundle.h"

#define LARGEST 1e9 /* of a score: far more than a model learns, far less than a decoder's score for "never" */

static textapp_status no_memory(const char *file, textapp_message *message) {
  return ta_say(message, TEXTAPP_ERROR_MEMORY, "%s: no memory for what it holds", file);
}

static int is_same(const char *a, const char *b) {
  size_t length = ta_length(a);
  return length == ta_length(b) && !ta_compare(a, b, length);
}

/* Two equal names would be one label with two numbers. The table has a number + 1 in a slot, or 0. */
static textapp_status check_distinct(const char *const *names, size_t count, ta_arena *arena, const char *file,
                                     const char *noun, textapp_message *message) {
  size_t room = 4;
  uint32_t *slots;
  while (room < 2 * count) room *= 2;
  slots = ta_new(arena, room, sizeof *slots);
  if (!slots) return no_memory(file, message);
  for (size_t number = 0; number < count; number++) {
    size_t slot = ta_crc32(0, names[number], ta_length(names[number])) & (room - 1);
    for (; slots[slot]; slot = (slot + 1) & (room - 1)) {
      if (!is_same(names[slots[slot] - 1], names[number])) continue;
      return ta_say(message, TEXTAPP_ERROR_BUNDLE, "%s:%z: %q is also on line %z; %ss must differ", file, number + 1,
                    names[number], ta_length(names[number]), (size_t)slots[slot], noun);
    }
    slots[slot] = (uint32_t)number + 1;
  }
  return TEXTAPP_OK;
}

textapp_status ta_names_load(ta_bundle *out, ta_arena *arena, const textapp_file *file, const char *noun,
                             textapp_message *message) {
  const char *data = file->data;
  size_t size = file->size, valid = ta_valid_utf8(data, size), count = 1, number = 0, start = 0;
  const char **names;
  char *bytes;
  if (size && data[size - 1] == '\n') size--;
  for (size_t place = 0; place < TA_MIN(size, valid); place++) count += data[place] == '\n';
  if (valid < size) {
    return ta_say(message, TEXTAPP_ERROR_BUNDLE, "%s:%z: not UTF-8; files must be UTF-8", file->name, count);
  }
  if (size >= UINT32_MAX / 4) return no_memory(file->name, message);
  names = ta_new(arena, count, sizeof *names);
  bytes = ta_new(arena, size + 1, 1);
  if (!names || !bytes) return no_memory(file->name, message);
  ta_copy(bytes, data, size);
  for (size_t place = 0; place <= size; place++) {
    if (place < size && bytes[place] == 0) {
      return ta_say(message, TEXTAPP_ERROR_BUNDLE, "%s:%z: a %s must not hold the character U+0000", file->name,
                    number + 1, noun);
    }
    if (place < size && bytes[place] != '\n') continue;
    bytes[place] = 0;
    if (place == start) {
      return ta_say(message, TEXTAPP_ERROR_BUNDLE, "%s:%z: empty; each line must be a %s", file->name, number + 1,
                    noun);
    }
    names[number++] = bytes + start;
    start = place + 1;
  }
  out->names = names;
  out->name_count = count;
  if (count > 1) return check_distinct(names, count, arena, file->name, noun, message);
  return ta_say(message, TEXTAPP_ERROR_BUNDLE, "%s: only one %s; a model chooses between two or more", file->name,
                noun);
}

/* Reads a CRF's scores: (K, K), (K) and (K). */
static textapp_status read_scores(ta_json object, size_t count, double *scores, textapp_message *message) {
  static const char *const names[] = {"transitions", "start", "end"};
  ta_json fields[3], rest, row;
  double *borders = scores + count * count;
  size_t rows = 0;
  if (ta_json_kind_of(object) != TA_JSON_OBJECT || ta_json_members(object, names, 3, fields) || !fields[0].at ||
      !fields[1].at || !fields[2].at) {
    return ta_say(message, TEXTAPP_ERROR_BUNDLE, "crf.json: must hold transitions, start, end");
  }
  for (size_t border = 1; border < 3; border++) {
    if (ta_json_numbers(fields[border], -LARGEST, LARGEST, count, borders + (border - 1) * count)) continue;
    return ta_say(message, TEXTAPP_ERROR_BUNDLE,
                  "crf.json: \"%s\" must be %z numbers from -1,000,000,000 to 1,000,000,000, one a tag", names[border],
                  count);
  }
  if (ta_json_kind_of(fields[0]) == TA_JSON_ARRAY) {
    rest = ta_json_inside(fields[0]);
    while (ta_json_next(&rest, NULL, &row)) {
      if (rows == count || !ta_json_numbers(row, -LARGEST, LARGEST, count, scores + rows * count)) {
        rows = count + 1;
        break;
      }
      rows++;
    }
  }
  if (rows == count) return TEXTAPP_OK;
  return ta_say(message, TEXTAPP_ERROR_BUNDLE,
                "crf.json: \"transitions\" must be %z lists of %z numbers from -1,000,000,000 to 1,000,000,000", count,
                count);
}

textapp_status ta_tag_set_load(ta_bundle *out, ta_arena *arena, const textapp_file *file, textapp_message *message) {
  size_t count = out->name_count;
  double *scores = NULL;
  if (file && count <= TA_MOST_TAGS) {
    ta_json object;
    textapp_status status = ta_json_check(&object, "crf.json", file->data, file->size, message);
    if (status) return status;
    scores = ta_new(arena, count * (count + 2), sizeof *scores);
    if (!scores) return no_memory("crf.json", message);
    status = read_scores(object, count, scores, message);
    if (status) return status;
  }
  return ta_tags_load(&out->tags, arena, out->scheme, out->names, count, scores,
                      scores ? scores + count * count : NULL, scores ? scores + count * (count + 1) : NULL, message);
}
