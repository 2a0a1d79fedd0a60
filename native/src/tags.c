/* The tags of a model, their schemes (textapp/text/tag_schemes.py) and a CRF's scores; see decode.h. */
#include "decode.h"

#define NEVER (-1e30)   /* of forbidden tags and transitions, as in textapp/runtime/decoding.py */
#define FORBIDDEN (-1e4)
#define LARGE 100.0     /* scores beyond have powers that may be lost in a sum */

const char *const ta_scheme_names[TA_SCHEMES] = {NULL, "IOB2", "IOB1", "IOBES", "BILOU", "BMES"};
static const char *const scheme_letters[TA_SCHEMES] = {"", "BI", "BI", "BIES", "BILU", "BMES"};

static int is_among(char letter, const char *letters) {
  while (*letters && *letters != letter) letters++;
  return *letters != 0;
}

static const char *type_of(const char *name) { return name[1] == '-' ? name + 2 : ""; }

static int is_outside(const char *name) { return name[0] == 'O' && !name[1]; }

static int is_tag(const char *name, ta_scheme scheme) {
  if (is_outside(name)) return 1;
  if (!name[0] || !is_among(name[0], scheme_letters[scheme])) return 0;
  return !name[1] || (name[1] == '-' && name[2]);
}

static int is_same(const char *a, const char *b) {
  while (*a && *a == *b) {
    a++;
    b++;
  }
  return *a == *b;
}

int ta_continues(const ta_tags *tags, size_t before, size_t after) {
  char first = tags->names[before][0], second = tags->names[after][0];
  return is_among(first, "BIM") && is_among(second, "ILEM") && tags->types[before] == tags->types[after];
}

static char *joined(ta_arena *arena, const char *start, const char *end) {
  size_t first = ta_length(start), second = ta_length(end);
  char *out = ta_new(arena, first + second + 1, 1);
  if (!out) return NULL;
  ta_copy(out, start, first);
  ta_copy(out + first, end, second);
  return out;
}

/* Gives each type a number, and names the tags that predictions have: O, and B and I of each type. */
static int number_types(ta_tags *tags, ta_arena *arena) {
  uint32_t *types = ta_new(arena, tags->count, sizeof *types);
  int32_t *begins = ta_new(arena, tags->count, sizeof *begins);
  const char **out = ta_new(arena, 2 * (size_t)tags->count + 1, sizeof *out);
  uint32_t found = 1;
  if (!types || !begins || !out) return 0;
  out[0] = "O";
  for (uint32_t tag = 0; tag < tags->count; tag++) {
    uint32_t same = 0;
    const char *type = type_of(tags->names[tag]);
    if (is_outside(tags->names[tag])) continue; /* 0 */
    while (same < tag && (!types[same] || !is_same(type, type_of(tags->names[same])))) same++;
    types[tag] = same < tag ? types[same] : found++;
    begins[tag] = (int32_t)(2 * types[tag] - 1);
    if (same < tag) continue;
    out[begins[tag]] = joined(arena, *type ? "B-" : "B", type);
    out[begins[tag] + 1] = joined(arena, *type ? "I-" : "I", type);
    if (!out[begins[tag]] || !out[begins[tag] + 1]) return 0;
  }
  tags->types = types;
  tags->begins = begins;
  tags->out_names = out;
  tags->out_count = 2 * found - 1;
  return 1;
}

static textapp_status check_names(ta_scheme scheme, const char *const *names, size_t count, textapp_message *message) {
  for (size_t number = 0; number < count; number++) {
    if (is_tag(names[number], scheme)) continue;
    return ta_say(message, TEXTAPP_ERROR_BUNDLE, "tags.txt:%z: %q is no tag of %s, which bundle.json names", number + 1,
                  names[number], ta_length(names[number]), ta_scheme_names[scheme]);
  }
  if (is_outside(names[0])) return TEXTAPP_OK;
  return ta_say(message, TEXTAPP_ERROR_BUNDLE,
                "tags.txt:1: must be O, the tag of tokens outside of all spans. Received: %q", names[0],
                ta_length(names[0]));
}

/* NEVER in place of scores that forbid. */
static double score(double given) { return given > FORBIDDEN ? given : NEVER; }

/* Lists the tags that may stand before each tag. */
static int list_allowed(ta_tags *tags, ta_arena *arena) {
  size_t count = tags->count, found = 0;
  uint32_t *starts = ta_new(arena, count + 1, sizeof *starts);
  uint16_t *before;
  for (size_t place = 0; place < count * count; place++) found += tags->into[place] > NEVER;
  before = ta_new(arena, found, sizeof *before);
  if (!starts || !before) return 0;
  found = 0;
  for (size_t tag = 0; tag < count; tag++) {
    for (size_t other = 0; other < count; other++) {
      if (tags->into[tag * count + other] > NEVER) before[found++] = (uint16_t)other;
    }
    starts[tag + 1] = (uint32_t)found;
  }
  tags->before_starts = starts;
  tags->before = before;
  return 1;
}

static int copy_scores(ta_tags *tags, ta_arena *arena, const double *transitions, const double *start,
                       const double *end) {
  size_t count = tags->count, square = count * count;
  double *rows = ta_new(arena, square * 4 + count * 2, sizeof *rows);
  double *into = rows, *from = rows + square, *borders = rows + square * 4;
  if (!rows) return 0;
  for (size_t place = 0; place < square; place++) {
    double value = score(transitions[place]);
    size_t turned = place % count * count + place / count;
    from[place] = into[turned] = value;
    rows[2 * square + turned] = rows[3 * square + place] = ta_exp(TA_MIN(value, LARGE));
    if (value > NEVER && (value > LARGE || value < -LARGE)) tags->large = 1;
  }
  for (size_t tag = 0; tag < count; tag++) {
    borders[tag] = score(start[tag]);
    borders[count + tag] = score(end[tag]);
  }
  tags->into = into;
  tags->from = from;
  tags->into_powers = rows + 2 * square;
  tags->from_powers = rows + 3 * square;
  tags->start = borders;
  tags->end = borders + count;
  return list_allowed(tags, arena);
}

/* Whether a tag may start a text, follow itself and end it, so that there is something to decode. */
static int has_sequence(const ta_tags *tags) {
  for (size_t tag = 0; tag < tags->count; tag++) {
    if (tags->start[tag] + tags->from[tag * tags->count + tag] + tags->end[tag] > NEVER / 2) return 1;
  }
  return 0;
}

textapp_status ta_tags_load(ta_tags *out, ta_arena *arena, ta_scheme scheme, const char *const *names, size_t count,
                            const double *transitions, const double *start, const double *end,
                            textapp_message *message) {
  ta_tags none = {0};
  *out = none;
  if (count > TA_MOST_TAGS) {
    return ta_say(message, TEXTAPP_ERROR_UNSUPPORTED, "tags.txt: at most %z tags are supported. Received: %z",
                  (size_t)TA_MOST_TAGS, count);
  }
  out->scheme = scheme;
  out->count = (uint32_t)count;
  out->names = names;
  if (scheme == TA_PLAIN) {
    out->out_names = names;
    out->out_count = out->count;
  } else {
    textapp_status status = check_names(scheme, names, count, message);
    if (status) return status;
    if (!number_types(out, arena)) return ta_say(message, TEXTAPP_ERROR_MEMORY, "tags.txt: no memory for the tags");
  }
  if (!transitions) return TEXTAPP_OK;
  out->has_crf = 1;
  if (!copy_scores(out, arena, transitions, start, end)) {
    return ta_say(message, TEXTAPP_ERROR_MEMORY, "crf.json: no memory for the scores");
  }
  if (has_sequence(out)) return TEXTAPP_OK;
  return ta_say(message, TEXTAPP_ERROR_BUNDLE,
                "crf.json: no tag may start a sequence, follow itself and end it: there may be none to decode");
}

void ta_decoding_take(ta_decoding *out, ta_block *block, const ta_tags *tags, size_t most_tokens) {
  size_t count = tags->count;
  out->scores = ta_take(block, TA_SCORE_ROWS * count, sizeof *out->scores);
  out->back = ta_take(block, tags->has_crf ? most_tokens : 0, count * sizeof *out->back);
  out->ids = ta_take(block, most_tokens, sizeof *out->ids);
  out->spans = ta_take(block, tags->scheme == TA_PLAIN ? 0 : most_tokens, sizeof *out->spans);
}

size_t ta_read_spans(const ta_tags *tags, const ta_decoding *work, size_t count) {
  size_t found = 0;
  if (tags->scheme == TA_PLAIN) return 0;
  for (size_t token = 0; token < count; token++) {
    size_t tag = (size_t)work->ids[token];
    if (!tags->types[tag]) continue;
    if (token && ta_continues(tags, (size_t)work->ids[token - 1], tag)) {
      work->spans[found - 1].end++;
      continue;
    }
    work->spans[found].start = (uint32_t)token;
    work->spans[found].end = (uint32_t)token + 1;
    work->spans[found++].confidence = -1.0;
  }
  return found;
}

void ta_write_tags(const ta_tags *tags, const ta_decoding *work, size_t count, size_t span_count, int32_t *out) {
  size_t token = 0;
  if (tags->scheme == TA_PLAIN) {
    for (; token < count; token++) out[token] = work->ids[token];
    return;
  }
  for (size_t span = 0; span < span_count; span++) {
    int32_t begin = tags->begins[work->ids[work->spans[span].start]];
    for (; token < work->spans[span].start; token++) out[token] = 0;
    out[token++] = begin;
    for (; token < work->spans[span].end; token++) out[token] = begin + 1;
  }
  for (; token < count; token++) out[token] = 0;
}

void ta_repair_iob2(const ta_tags *tags, int32_t *numbers, size_t count) {
  if (tags->scheme == TA_PLAIN) return;
  for (size_t token = 0; token < count; token++) {
    int32_t number = numbers[token], before = token ? numbers[token - 1] : 0;
    int is_inner = number > 0 && number % 2 == 0;
    if (is_inner && before != number && before != number - 1) numbers[token] = number - 1;
  }
}
