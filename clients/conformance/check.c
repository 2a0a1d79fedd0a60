/* Holds the core against the golden files of make.py.
 *
 *     check OUT [FEATURES]
 *
 * It prints a line for each file, shows the first differences of each on stderr, and ends with 1 if there is one.
 * FEATURES are bits of textapp.h for the kernels; by default all that the processor has. Compile it with golden.c and all
 * files of native/src: code points and the decoder are checked inside the core. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "decode.h"
#include "golden.h"
#include "text.h"
#include "textapp.h"
#include "utf8.h"

enum { FILES = 9, BLOCK = 0x1000 };

static uint32_t features;

static void *allocate(void *user, size_t size) {
  (void)user;
  return malloc(size);
}

/* ---- Bundles ---- */

typedef struct {
  textapp_model *model;
  textapp_context *context;
  void *blocks[1024];
  size_t block_count;
} bundle;

static void *keep(void *user, size_t size) {
  bundle *of = user;
  if (of->block_count == TA_COUNT(of->blocks)) return NULL;
  return of->blocks[of->block_count++] = malloc(size);
}

static void open_bundle(bundle *out, view path) {
  static const char *const names[FILES] = {"bundle.json", "model.tflite", "vocabulary.txt",
                                           "characters.txt", "labels.txt", "tags.txt",
                                           "crf.json", "ngrams.json", "ngrams.bin"};
  textapp_file files[FILES];
  textapp_options options = {keep, NULL, 0, 0};
  textapp_message message;
  size_t size;
  options.user = out;
  options.features = features;
  out->block_count = 0;
  for (size_t i = 0; i < FILES; i++) {
    char name[4096];
    snprintf(name, sizeof name, "%.*s/%s", (int)(path.end - path.at), path.at, names[i]);
    view content = read_file(name);
    files[i].name = names[i];
    files[i].data = content.at;
    files[i].size = (size_t)(content.end - content.at);
    if (content.at) out->blocks[out->block_count++] = (void *)(uintptr_t)content.at; /* freed with the others */
  }
  if (textapp_load(files, FILES, &options, &out->model, &message)) die(message.text, folder);
  size = textapp_context_size(out->model, LONGEST);
  out->context = textapp_context_init(out->model, keep(out, size), size, LONGEST);
  if (!out->context) die("no memory", folder);
}

static void close_bundle(bundle *of) {
  while (of->block_count) free(of->blocks[--of->block_count]);
}

/* What one call predicts for the places in one unit. */
static const textapp_prediction *predict(const bundle *with, const char *text, size_t length, uint32_t flags) {
  const textapp_prediction *found;
  textapp_message message;
  if (textapp_predict(with->context, text, length, flags, &found, &message)) die(message.text, folder);
  return found;
}

/* The units of a place, in the order of the files. */
static const uint32_t units[3] = {TEXTAPP_CODE_POINTS, TEXTAPP_UTF16, 0};

/* Whether `START:END` at the start of a view has these numbers in a unit. */
static int are_places(view *fields, size_t unit, size_t start, size_t end) {
  size_t wanted[6];
  for (size_t i = 0; i < 6; i++) wanted[i] = whole(field(fields, ':'));
  return wanted[unit] == start && wanted[3 + unit] == end;
}

/* ---- Tokens ---- */

/* Compares the tokens of a line with those of a prediction in bytes, whose places are counted in the other units too. */
static int are_tokens(view list, const textapp_prediction *found, const char *text, size_t length) {
  ta_places places[2][2] = {{{text, length, 0, 0, 0, 0, 0}, {text, length, 0, 0, 0, 0, 0}},
                            {{text, length, 0, 0, 1, 0, 0}, {text, length, 0, 0, 1, 0, 0}}}; /* unit, start or end */
  view one;
  size_t count = 0;
  while (take_item(&list, &one)) {
    const textapp_token *token = &found->tokens[count];
    if (count++ >= found->token_count) return 0;
    if (!is_name(field(&one, ':'), token->text, token->length)) return 0;
    for (size_t edge = 0; edge < 2; edge++) {
      size_t byte = edge ? token->end : token->start;
      for (size_t unit = 0; unit < 2; unit++) {
        if (whole(field(&one, ':')) != ta_place(&places[unit][edge], byte)) return 0;
      }
      if (whole(field(&one, ':')) != byte) return 0;
    }
  }
  return count == found->token_count;
}

static int check_tokens(const char *name, view path) {
  static char text[LONGEST];
  static bundle with;
  checked file = open_checked(name), strings = open_checked("strings.txt");
  size_t counted = 0;
  open_bundle(&with, path);
  while (next_line(&strings) && next_line(&file)) {
    size_t length = to_utf8(strings.line, ' ', text);
    if (!are_tokens(file.line, predict(&with, text, length, 0), text, length)) differs(&file, &counted, "other tokens");
  }
  if (strings.number != file.number || next_line(&file)) die("has not one line a string", name);
  close_bundle(&with);
  return finish(&file);
}

/* ---- Predictions ---- */

typedef struct {
  checked file;
  size_t counted;
  int is_sure, is_other; /* is_other: the answer is not that of the line */
  size_t unsure, others_of_unsure;
  double logits, others; /* tolerances */
  double largest;        /* difference of a logit, of 1 or of the logit where that is larger */
} predictions;

static void check_numbers(predictions *in, const char *what, view list, const float *floats, const double *doubles,
                          size_t count, double tolerance) {
  view one;
  size_t place = 0;
  for (; take_item(&list, &one); place++) {
    if (place >= count) break;
    double found = floats ? (double)floats[place] : doubles[place], wanted = number(one);
    if (floats && found != wanted) {
      double difference = fabs(found - wanted) / (fabs(wanted) > 1 ? fabs(wanted) : 1);
      if (!(difference <= in->largest)) in->largest = difference;
    }
    if (!is_close(found, wanted, tolerance)) {
      differs(&in->file, &in->counted, "%s %zu is %.9g, not %.9g", what, place, found, wanted);
    }
  }
  if (place != count) differs(&in->file, &in->counted, "other number of %s: %zu", what, count);
}

/* A label or a tag is another one. */
static void answers_otherwise(predictions *in, const char *format, const char *name) {
  in->is_other = 1;
  if (in->is_sure) differs(&in->file, &in->counted, format, name);
}

/* Whether a number is the one of a field, of which an empty one stands for none, here -1. */
static int is_optional(view wanted, double found, double tolerance) {
  if (wanted.at == wanted.end) return found == -1.0;
  return is_close(found, number(wanted), tolerance);
}

static void check_token(predictions *in, const bundle *with, view one, const textapp_token *token, size_t unit) {
  if (!is_name(field(&one, ':'), token->text, token->length)) differs(&in->file, &in->counted, "another token");
  if (!are_places(&one, unit, token->start, token->end)) differs(&in->file, &in->counted, "another place of a token");
  if (!is_optional(field(&one, ':'), (double)token->weight, in->others)) {
    differs(&in->file, &in->counted, "a weight of %.9g", (double)token->weight);
  }
  view tag = field(&one, ':');
  const char *found = token->tag < 0 ? "" : textapp_label(with->model, (size_t)token->tag);
  if (!is_name(tag, found, strlen(found))) answers_otherwise(in, "tag %s", found);
  if (in->is_sure && !is_optional(field(&one, ':'), token->confidence, in->others)) {
    differs(&in->file, &in->counted, "a confidence of %.9g", token->confidence);
  }
}

static void check_spans(predictions *in, view list, const textapp_prediction *found, size_t unit) {
  view one;
  size_t count = 0;
  for (; take_item(&list, &one); count++) {
    const textapp_span *span = &found->spans[count];
    if (count >= found->span_count) break;
    int is_same = is_name(field(&one, ':'), span->type, span->type_length);
    if (!are_places(&one, unit, span->start, span->end) || !is_same) differs(&in->file, &in->counted, "another span");
    if (!is_optional(field(&one, ':'), span->confidence, in->others)) {
      differs(&in->file, &in->counted, "a span's confidence of %.9g", span->confidence);
    }
  }
  if (count != found->span_count) differs(&in->file, &in->counted, "%zu spans", found->span_count);
}

static void check_labels(predictions *in, const bundle *with, view list, const textapp_prediction *found) {
  view one;
  for (size_t label = 0; found->probs && label < found->label_count; label++) {
    const char *name = textapp_label(with->model, label);
    if (found->chosen ? !found->chosen[label] : found->label != (int32_t)label) continue;
    if (!take_item(&list, &one) || !is_name(one, name, strlen(name))) {
      answers_otherwise(in, "label %s", name);
    }
  }
  if (take_item(&list, &one)) answers_otherwise(in, "%s", "a label is missing");
}

static void check_prediction(predictions *in, const bundle *with, view line, size_t unit) {
  static char text[LONGEST];
  size_t length = to_utf8(field(&line, '\t'), ' ', text), count = 0;
  uint32_t flags = units[unit] | (textapp_model_task(with->model) == TEXTAPP_TAGGING ? TEXTAPP_CONFIDENCE : 0);
  const textapp_prediction *found = predict(with, text, length, flags);
  size_t logits = textapp_logit_count(with->model) * (found->probs ? 1 : found->token_count);
  view one, tokens;
  in->is_sure = whole(field(&line, '\t')) != 0;
  if (whole(field(&line, '\t')) != (size_t)found->truncated) differs(&in->file, &in->counted, "truncated");
  check_labels(in, with, field(&line, '\t'), found);
  check_numbers(in, "probs", field(&line, '\t'), NULL, found->probs, found->probs ? found->label_count : 0, in->others);
  check_numbers(in, "logits", field(&line, '\t'), found->logits, NULL, logits, in->logits);
  for (tokens = field(&line, '\t'); take_item(&tokens, &one); count++) {
    if (count >= found->token_count) break;
    check_token(in, with, one, &found->tokens[count], unit);
  }
  if (count != found->token_count) differs(&in->file, &in->counted, "%zu tokens", found->token_count);
  view spans = field(&line, '\t');
  if (in->is_sure) check_spans(in, spans, found, unit);
}

static int check_predictions(const char *name, view path, double logits, double others) {
  static bundle with;
  predictions in = {open_checked(name), 0, 0, 0, 0, 0, logits, others, 0};
  open_bundle(&with, path);
  while (next_line(&in.file)) {
    in.is_other = 0;
    check_prediction(&in, &with, in.file.line, in.file.number % 3); /* the units in turn: a model takes its time */
    in.unsure += !in.is_sure;
    in.others_of_unsure += in.is_other && !in.is_sure;
  }
  close_bundle(&with);
  printf("%s: %zu lines, %zu different; %zu unsure, of which %zu have another answer; logits within %.1e\n", name,
         in.file.number, in.file.different, in.unsure, in.others_of_unsure, in.largest);
  return fflush(stdout), in.file.different != 0;
}

/* ---- Code points ---- */

static int check_code_points(const char *name) {
  static const char classes[] = "SLDMQPUIOO"; /* the last is punctuation to BERT, and of class O to the others */
  static const char roles[] = ".iqjbc";
  static uint8_t records[6 * BLOCK];
  checked file = open_checked(name);
  size_t counted = 0;
  while (next_line(&file)) {
    char *rest;
    uint32_t first = (uint32_t)strtoul(file.line.at, &rest, 16), wanted = (uint32_t)strtoul(rest, NULL, 16), found;
    for (uint32_t i = 0; i < BLOCK; i++) {
      uint32_t point = first + i, info = ta_info(point), lower = TA_IS_CAPITAL(info) ? ta_lower(point) : point;
      int is_surrogate = point >= 0xD800 && point < 0xE000; /* replaced before the tables are asked */
      records[6 * i] = (uint8_t)(is_surrogate ? 'O' : classes[TA_CLASS(info)]);
      records[6 * i + 1] = (uint8_t)(is_surrogate ? 's' : roles[TA_ROLE(info)]);
      for (uint32_t k = 0; k < 4; k++) records[6 * i + 2 + k] = (uint8_t)(lower >> 8 * k);
    }
    found = ta_crc32(0, records, sizeof records);
    if (found != wanted) differs(&file, &counted, "%08X, not %08X", (unsigned)found, (unsigned)wanted);
  }
  if (file.number != 0x110000 / BLOCK) differs(&file, &counted, "%zu blocks", file.number);
  return finish(&file);
}

/* ---- The decoder ---- */

enum { MOST_TAGS = 64, MOST_TOKENS = 64 };

typedef struct {
  ta_tags tags;
  ta_scheme scheme;
  size_t count, tokens;
  const char *names[MOST_TAGS];
  double *scores[3]; /* NULL without a CRF */
  float logits[MOST_TOKENS * MOST_TAGS];
  ta_decoding work;
  int32_t out[MOST_TOKENS];
} decoder;

static double *doubles_of(view list, size_t count) {
  double *out = memory_of(count * sizeof *out);
  view one;
  size_t found = 0;
  for (; take_item(&list, &one) && found < count; found++) out[found] = number(one);
  if (found != count) die("another number of scores", "decoder.txt");
  return out;
}

static void begin_tags(decoder *of, view list) {
  view one = {NULL, NULL};
  take_item(&list, &one);
  of->scheme = TA_PLAIN;
  for (int i = 1; i < TA_SCHEMES; i++) of->scheme = is_word(one, ta_scheme_names[i]) ? (ta_scheme)i : of->scheme;
  if (of->scheme == TA_PLAIN && !is_word(one, "none")) die("an unknown scheme", "decoder.txt");
  for (of->count = 0; take_item(&list, &one) && of->count < MOST_TAGS; of->count++) {
    char *name = memory_of(LONGEST);
    name[to_utf8(one, '.', name)] = 0;
    of->names[of->count] = name;
  }
  of->scores[0] = of->scores[1] = of->scores[2] = NULL;
}

static void begin_logits(decoder *of, view list) {
  static const textapp_options options = {allocate, NULL, 0, 0};
  static ta_arena arena;
  textapp_message message;
  ta_block block = {NULL, 0};
  view one = {NULL, NULL};
  double *logits;
  ta_arena_init(&arena, &options);
  if (ta_tags_load(&of->tags, &arena, of->scheme, of->names, of->count, of->scores[0], of->scores[1], of->scores[2],
                   &message)) {
    die(message.text, "decoder.txt");
  }
  take_item(&list, &one);
  of->tokens = whole(one);
  if (of->tokens > MOST_TOKENS) die("too many tokens", "decoder.txt");
  logits = doubles_of(list, of->tokens * of->count);
  for (size_t i = 0; i < of->tokens * of->count; i++) of->logits[i] = (float)logits[i];
  free(logits);
  ta_decoding_take(&of->work, &block, &of->tags, of->tokens);
  block.memory = memory_of(block.used);
  block.memory += (64 - (uintptr_t)block.memory % 64) % 64;
  block.used = 0;
  ta_decoding_take(&of->work, &block, &of->tags, of->tokens);
  ta_viterbi(&of->tags, &of->work, of->logits, of->tokens);
}

/* Checks one line of what logits decode to. */
static int is_decoded(decoder *of, view word, view list) {
  double confidences[MOST_TOKENS];
  size_t place = 0, spans;
  view one;
  if (is_word(word, "ids")) {
    for (; take_item(&list, &one) && place < of->tokens; place++) {
      if ((size_t)of->work.ids[place] != whole(one)) return 0;
    }
    return place == of->tokens;
  }
  if (is_word(word, "confidences")) {
    ta_tag_confidences(&of->tags, &of->work, of->logits, of->tokens, confidences);
    for (; take_item(&list, &one) && place < of->tokens; place++) {
      if (!is_close(confidences[place], number(one), 1e-9)) return 0;
    }
    return place == of->tokens;
  }
  spans = ta_read_spans(&of->tags, &of->work, of->tokens);
  ta_write_tags(&of->tags, &of->work, of->tokens, spans, of->out);
  if (is_word(word, "names")) {
    for (; take_item(&list, &one) && place < of->tokens; place++) {
      const char *name = of->tags.out_names[of->out[place]];
      if (!is_name(one, name, strlen(name))) return 0;
    }
    return place == of->tokens;
  }
  if (!is_word(word, "spans")) die("an unknown line", "decoder.txt");
  ta_span_confidences(&of->tags, &of->work, of->logits, of->tokens, of->work.spans, spans);
  for (; take_item(&list, &one) && place < spans; place++) {
    const ta_span *span = &of->work.spans[place];
    const char *tag = of->tags.out_names[of->out[span->start]];
    const char *type = tag[1] ? tag + 2 : ""; /* after B- */
    if (!is_name(field(&one, ':'), type, strlen(type))) return 0;
    if (whole(field(&one, ':')) != span->start || whole(field(&one, ':')) != span->end) return 0;
    if (!is_close(span->confidence, number(field(&one, ':')), 1e-9)) return 0;
  }
  return place == spans;
}

static int check_decoder(const char *name) {
  static const char *const scores[3] = {"transitions", "start", "end"};
  static decoder of;
  checked file = open_checked(name);
  size_t counted = 0;
  while (next_line(&file)) {
    view rest = file.line, word = field(&rest, ' ');
    int is_score = 0;
    if (!rest.at) rest.at = rest.end;
    for (size_t i = 0; i < 3; i++) {
      if (!is_word(word, scores[i])) continue;
      of.scores[i] = doubles_of(rest, i ? of.count : of.count * of.count);
      is_score = 1;
    }
    if (is_word(word, "tags")) {
      begin_tags(&of, rest);
    } else if (is_word(word, "logits")) {
      begin_logits(&of, rest);
    } else if (!is_score && !is_decoded(&of, word, rest)) {
      differs(&file, &counted, "other %.*s", (int)(word.end - word.at), word.at);
    }
  }
  return finish(&file);
}

int main(int count, char **arguments) {
  int is_wrong = 0;
  checked index;
  if (count < 2 || count > 3) return fputs("usage: check OUT [FEATURES]\n", stderr), 2;
  folder = arguments[1];
  features = count > 2 ? (uint32_t)strtoul(arguments[2], NULL, 0) : textapp_features();
  index = open_checked("index.txt");
  while (next_line(&index)) {
    char name[4096];
    view rest = index.line, kind = field(&rest, '\t'), file = field(&rest, '\t');
    size_t lines = whole(field(&rest, '\t'));
    int wrong = 0;
    snprintf(name, sizeof name, "%.*s", (int)(file.end - file.at), file.at);
    if (is_word(kind, "tokens")) {
      wrong = check_tokens(name, field(&rest, '\t'));
    } else if (is_word(kind, "predictions")) {
      view path = field(&rest, '\t');
      field(&rest, '\t');
      double logits = number(field(&rest, '\t'));
      wrong = check_predictions(name, path, logits, number(field(&rest, '\t')));
    } else if (is_word(kind, "code-points")) {
      wrong = check_code_points(name);
    } else if (is_word(kind, "decoder")) {
      wrong = check_decoder(name);
    } else if (!is_word(kind, "strings")) {
      die("an unknown kind", "index.txt");
    }
    if (!lines) die("a file without lines", name);
    is_wrong |= wrong;
  }
  return is_wrong;
}
