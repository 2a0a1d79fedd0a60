/* textapp-native: predicts the lines of its input with a bundle, without Python. One JSON object a line, as `textapp
 * predict --json` writes them. */
#ifndef _POSIX_C_SOURCE
#define _POSIX_C_SOURCE 200809L
#endif
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "json.h"
#include "predict.h"

#define MOST_TEXT ((size_t)1 << 26) /* bytes of a line, as textapp predict reads by default */
#define PART ((size_t)1 << 16)      /* bytes that one read asks for */
#define WRONG_INPUT 2

static const char usage[] =
    "usage: textapp-native BUNDLE [--confidence] [--offsets code-points|utf16|bytes] [--features NAME] < TEXTS\n"
    "Predicts each line of the standard input, one JSON object a line.\n"
    "NAME: the fastest kernels to use: scalar, sse41, avx2, avx-vnni, avx512-vnni, neon, neon-dot\n";

typedef struct {
  const char *folder;
  uint32_t flags, features;
} settings;

typedef struct {
  char *bytes;
  size_t size, room;
} buffer;

/* A name in a message of one line: control characters become spaces. */
static void show(const char *name) {
  for (; *name; name++) fputc((unsigned char)*name < ' ' ? ' ' : *name, stderr);
}

static int fail(const char *place, const char *reason) {
  fflush(stdout);
  show(place);
  fprintf(stderr, "%s\n", reason);
  return WRONG_INPUT;
}

static int out_of_memory(void) { return fail("textapp-native: ", "no memory"); }

/* ---- Output ---- */

static int grow(buffer *out, size_t more) {
  if (more > out->room - out->size) {
    size_t room = TA_MAX(out->room * 2, out->size + more);
    char *bytes = realloc(out->bytes, room);
    if (!bytes) return 0;
    out->bytes = bytes;
    out->room = room;
  }
  return 1;
}

/* What follows writes into a buffer that has room: see `room_for`. */
static void put(buffer *out, const char *text, size_t length) {
  memcpy(out->bytes + out->size, text, length);
  out->size += length;
}

static void put_word(buffer *out, const char *word) { put(out, word, strlen(word)); }

static void put_string(buffer *out, const char *text, size_t length) {
  static const char letters[] = "\"\\\b\f\n\r\t", names[] = "\"\\bfnrt";
  put(out, "\"", 1);
  for (size_t place = 0; place < length; place++) {
    const char *letter = text[place] ? strchr(letters, text[place]) : NULL;
    if (letter) {
      char escape[2] = {'\\', names[letter - letters]};
      put(out, escape, 2);
    } else if ((unsigned char)text[place] < 0x20) {
      char escape[8];
      put(out, escape, (size_t)snprintf(escape, sizeof escape, "\\u%04x", (unsigned)text[place]));
    } else {
      put(out, text + place, 1);
    }
  }
  put(out, "\"", 1);
}

/* The shortest number, of at least 15 digits without zeros at its end, that is read as the same double. Python writes
 * the same, but fewer digits of a subnormal number, such as 5e-324, which has less than 15 that count. */
static void put_number(buffer *out, double number) {
  char digits[40];
  for (int precision = 15; precision <= 17; precision++) {
    snprintf(digits, sizeof digits, "%.*g", precision, number);
    if (strtod(digits, NULL) == number) break;
  }
  put_word(out, digits);
  if (!strpbrk(digits, ".e")) put(out, ".0", 2);
}

static void put_whole(buffer *out, size_t number) {
  char digits[24];
  put(out, digits, (size_t)snprintf(digits, sizeof digits, "%zu", number));
}

/* The most bytes that the JSON of a prediction has. */
static size_t room_for(const textapp_model *model, const textapp_prediction *prediction, size_t text_length) {
  size_t room = 256;
  for (size_t label = 0; label < textapp_label_count(model); label++) {
    room += 12 * strlen(textapp_label(model, label)) + 64;
  }
  for (size_t number = 0; number < prediction->token_count; number++) {
    const textapp_token *token = &prediction->tokens[number];
    room += 6 * token->length + 256;
    if (token->tag >= 0) room += 6 * strlen(textapp_label(model, (size_t)token->tag));
  }
  for (size_t number = 0; number < prediction->span_count; number++) {
    room += 6 * prediction->spans[number].type_length + 256;
  }
  return room + 6 * text_length;
}

static void put_label(buffer *out, const textapp_model *model, size_t number) {
  const char *label = textapp_label(model, number);
  put_string(out, label, strlen(label));
}

static void put_labels(buffer *out, const textapp_model *model, const textapp_prediction *prediction) {
  if (!prediction->chosen) {
    put_word(out, "{\"label\": ");
    put_label(out, model, (size_t)prediction->label);
  } else {
    const char *before = "";
    put_word(out, "{\"labels\": [");
    for (size_t number = 0; number < prediction->label_count; number++) {
      if (!prediction->chosen[number]) continue;
      put_word(out, before);
      put_label(out, model, number);
      before = ", ";
    }
    put_word(out, "]");
  }
  put_word(out, ", \"probs\": {");
  for (size_t number = 0; number < prediction->label_count; number++) {
    if (number) put_word(out, ", ");
    put_label(out, model, number);
    put_word(out, ": ");
    put_number(out, prediction->probs[number]);
  }
  put_word(out, "}, ");
}

/* Places of the original text in the unit that is asked for; predictions give them in bytes. */
static void put_places(buffer *out, ta_units *in, size_t start, size_t end) {
  put_word(out, ", \"start\": ");
  put_whole(out, ta_unit(in, &in->starts, start));
  put_word(out, ", \"end\": ");
  put_whole(out, ta_unit(in, &in->ends, end));
}

static void put_confidence(buffer *out, double confidence) {
  if (confidence < 0) return;
  put_word(out, ", \"confidence\": ");
  put_number(out, confidence);
}

static void put_spans(buffer *out, const textapp_prediction *prediction, const char *text, ta_units in) {
  put_word(out, "{\"spans\": [");
  for (size_t number = 0; number < prediction->span_count; number++) {
    const textapp_span *span = &prediction->spans[number];
    put_word(out, number ? ", {\"type\": " : "{\"type\": ");
    put_string(out, span->type, span->type_length);
    put_word(out, ", \"text\": ");
    put_string(out, text + span->start, span->end - span->start);
    put_places(out, &in, span->start, span->end);
    put_confidence(out, span->confidence);
    put_word(out, "}");
  }
  put_word(out, "], ");
}

static void put_tokens(buffer *out, const textapp_model *model, const textapp_prediction *prediction, ta_units in) {
  put_word(out, "\"tokens\": [");
  for (size_t number = 0; number < prediction->token_count; number++) {
    const textapp_token *token = &prediction->tokens[number];
    put_word(out, number ? ", {\"text\": " : "{\"text\": ");
    put_string(out, token->text, token->length);
    put_places(out, &in, token->start, token->end);
    if (token->tag >= 0) {
      put_word(out, ", \"tag\": ");
      put_label(out, model, (size_t)token->tag);
      put_confidence(out, token->confidence);
    } else if (token->weight >= 0.0f) {
      put_word(out, ", \"weight\": ");
      put_number(out, (double)token->weight);
    } else {
      put_word(out, ", \"weight\": null");
    }
    put_word(out, "}");
  }
  put_word(out, "]");
}

static int put_prediction(buffer *out, const textapp_model *model, const textapp_prediction *prediction,
                          const char *text, size_t length, uint32_t flags) {
  ta_units in = ta_units_of(text, length, flags);
  if (!grow(out, room_for(model, prediction, length))) return 0;
  if (prediction->probs) {
    put_labels(out, model, prediction);
  } else {
    put_spans(out, prediction, text, in);
  }
  put_tokens(out, model, prediction, in);
  if (prediction->probs) put_word(out, prediction->truncated ? ", \"truncated\": true" : ", \"truncated\": false");
  put_word(out, "}\n");
  return 1;
}

/* ---- The bundle ---- */

static void *allocate(void *user, size_t size) {
  (void)user;
  return malloc(size);
}

/* Reads a file; it has no data if it is not there. Returns why it cannot be read, or NULL. */
static const char *read_path(const char *path, textapp_file *out) {
  struct stat facts;
  void *data = NULL;
  int file = open(path, O_RDONLY), failed;
  if (file < 0) return errno == ENOENT ? NULL : strerror(errno);
  failed = fstat(file, &facts);
  if (!failed && !S_ISREG(facts.st_mode)) {
    close(file);
    return "is no file";
  }
  if (!failed && facts.st_size) data = mmap(NULL, (size_t)facts.st_size, PROT_READ, MAP_PRIVATE, file, 0);
  if (failed || data == MAP_FAILED) {
    const char *reason = strerror(errno);
    close(file);
    return reason;
  }
  close(file);
  out->size = (size_t)facts.st_size;
  out->data = data ? data : "";
  return NULL;
}

static int read_file(const char *folder, textapp_file *out) {
  size_t length = strlen(folder) + strlen(out->name) + sizeof "/: ";
  char *path = malloc(length);
  const char *reason;
  if (!path) return out_of_memory();
  snprintf(path, length, "%s/%s", folder, out->name);
  reason = read_path(path, out);
  if (reason) {
    strcat(path, ": ");
    fail(path, reason);
  }
  free(path);
  return reason ? WRONG_INPUT : 0;
}

static int load(const settings *with, textapp_model **model) {
  static textapp_file files[] = {{"bundle.json", NULL, 0},    {"model.tflite", NULL, 0}, {"vocabulary.txt", NULL, 0},
                                 {"characters.txt", NULL, 0}, {"labels.txt", NULL, 0},   {"tags.txt", NULL, 0},
                                 {"crf.json", NULL, 0},       {"ngrams.json", NULL, 0},  {"ngrams.bin", NULL, 0}};
  textapp_options options = {allocate, NULL, 0, 0};
  textapp_message message;
  options.features = with->features;
  for (size_t number = 0; number < TA_COUNT(files); number++) {
    if (read_file(with->folder, &files[number])) return WRONG_INPUT;
  }
  if (!textapp_load(files, TA_COUNT(files), &options, model, &message)) return 0;
  show(with->folder);
  return fail("/", message.text);
}

/* ---- The texts ---- */

typedef struct {
  const settings *with;
  const textapp_model *model;
  textapp_context *context;
  void *memory;
  size_t longest;
  buffer out;
} session;

/* Makes a context for a text of `longest` bytes; 0 where memory is out. */
static int make_context(session *of, size_t longest) {
  size_t size;
  void *memory;
  while (of->longest < longest) of->longest = of->longest ? of->longest * 4 : 1024;
  of->longest = TA_MIN(of->longest, MOST_TEXT);
  size = textapp_context_size(of->model, of->longest);
  memory = size ? malloc(size) : NULL;
  if (!memory) { /* just enough, perhaps */
    of->longest = longest;
    size = textapp_context_size(of->model, longest);
    memory = size ? malloc(size) : NULL;
  }
  if (!memory) return 0;
  free(of->memory);
  of->memory = memory;
  of->context = textapp_context_init(of->model, memory, size, of->longest);
  return of->context != NULL;
}

static int predict(session *of, size_t line, const char *text, size_t length) {
  char place[64];
  const textapp_prediction *prediction;
  textapp_message message;
  size_t valid;
  snprintf(place, sizeof place, "standard input:%zu: ", line);
  if (line == 1 && length >= 3 && !memcmp(text, "\xEF\xBB\xBF", 3)) {
    text += 3;
    length -= 3;
  }
  if (length && text[length - 1] == '\r') length--;
  valid = ta_valid_utf8(text, length);
  if (valid < length) {
    char reason[80];
    snprintf(reason, sizeof reason, "byte %zu of the line is not UTF-8; files must be UTF-8", valid + 1);
    return fail(place, reason);
  }
  if ((!of->context || length > of->longest) && !make_context(of, length)) {
    return fail(place, "no memory for so long a line");
  }
  if (textapp_predict(of->context, text, length, of->with->flags & TEXTAPP_CONFIDENCE, &prediction, &message)) {
    return fail(place, message.text);
  }
  return put_prediction(&of->out, of->model, prediction, text, length, of->with->flags) ? 0 : out_of_memory();
}

/* Writes what is predicted before it waits for more texts. */
static int flush(session *of) {
  size_t written = fwrite(of->out.bytes, 1, of->out.size, stdout);
  int is_whole = written == of->out.size && !fflush(stdout);
  of->out.size = 0;
  return is_whole ? 0 : fail("standard output: ", "cannot be written");
}

static int too_long(size_t line) {
  char place[64];
  snprintf(place, sizeof place, "standard input:%zu: ", line);
  return fail(place, "the line has more than 67108864 bytes");
}

/* Predicts the whole lines of the input. Returns the bytes of the rest in `*rest`. */
static int predict_lines(session *of, buffer *in, size_t searched, size_t *line) {
  size_t start = 0;
  for (;;) {
    char *end = searched < in->size ? memchr(in->bytes + searched, '\n', in->size - searched) : NULL;
    size_t length;
    if (!end) break;
    length = (size_t)(end - in->bytes) - start;
    if (length > MOST_TEXT) return too_long(*line);
    if (predict(of, (*line)++, in->bytes + start, length)) return WRONG_INPUT;
    searched = start = start + length + 1;
    if (of->out.size > PART && flush(of)) return WRONG_INPUT;
  }
  in->size -= start;
  if (start) memmove(in->bytes, in->bytes + start, in->size);
  return 0;
}

static int predict_all(session *of) {
  buffer in = {NULL, 0, 0};
  size_t line = 1, total = 0;
  for (;;) {
    size_t searched = in.size;
    ssize_t count;
    if (!grow(&in, PART)) return out_of_memory();
    do {
      count = read(0, in.bytes + in.size, PART);
    } while (count < 0 && errno == EINTR);
    if (count < 0) return fail("standard input: ", strerror(errno));
    if (count == 0) break;
    total += (size_t)count;
    in.size += (size_t)count;
    if (predict_lines(of, &in, searched, &line)) return flush(of), WRONG_INPUT;
    if (in.size > MOST_TEXT) return flush(of), too_long(line);
    if (of->out.size && flush(of)) return WRONG_INPUT;
  }
  if (!total) return fail("standard input: ", "no text in it");
  if (in.size && predict(of, line, in.bytes, in.size)) return flush(of), WRONG_INPUT;
  return flush(of);
}

static int is_kernel(const char *name, uint32_t *features) {
  static const struct {
    const char *name;
    uint32_t bit;
  } kernels[] = {{"scalar", 0},
                 {"sse41", TEXTAPP_SSE41},
                 {"avx2", TEXTAPP_AVX2},
                 {"avx-vnni", TEXTAPP_AVX_VNNI},
                 {"avx512-vnni", TEXTAPP_AVX512_VNNI},
                 {"neon", TEXTAPP_NEON},
                 {"neon-dot", TEXTAPP_NEON_DOT}};
  for (size_t number = 0; number < TA_COUNT(kernels); number++) {
    if (strcmp(name, kernels[number].name)) continue;
    if (kernels[number].bit & ~*features) return 0;
    *features &= kernels[number].bit ? kernels[number].bit | (kernels[number].bit - 1) : 0;
    return 1;
  }
  return 0;
}

static int is_unit(const char *name, uint32_t *flags) {
  *flags &= ~(uint32_t)(TEXTAPP_CODE_POINTS | TEXTAPP_UTF16);
  if (!strcmp(name, "code-points")) *flags |= TEXTAPP_CODE_POINTS;
  if (!strcmp(name, "utf16")) *flags |= TEXTAPP_UTF16;
  return *flags & (TEXTAPP_CODE_POINTS | TEXTAPP_UTF16) || !strcmp(name, "bytes");
}

static int read_arguments(int count, char **arguments, settings *out) {
  for (int number = 1; number < count; number++) {
    char *one = arguments[number];
    const char *next = number + 1 < count ? arguments[number + 1] : "";
    if (!strcmp(one, "--confidence")) {
      out->flags |= TEXTAPP_CONFIDENCE;
    } else if (!strcmp(one, "--offsets")) {
      if (!is_unit(next, &out->flags)) return fail("--offsets: must be code-points, utf16 or bytes", "");
      number++;
    } else if (!strcmp(one, "--features")) {
      if (!is_kernel(next, &out->features)) return fail("--features: unknown, or not of this processor; --help lists them", "");
      number++;
    } else if (!strcmp(one, "--help") || !strcmp(one, "-h")) {
      exit(fputs(usage, stdout) < 0);
    } else if (one[0] == '-' && one[1]) {
      return fail(one, ": unknown option; --help lists them");
    } else if (out->folder) {
      return fail(one, ": one bundle only; texts come from the standard input");
    } else {
      for (size_t last = strlen(one); last > 1 && one[last - 1] == '/'; last--) one[last - 1] = 0;
      out->folder = one;
    }
  }
  return out->folder && out->folder[0] ? 0 : fail("BUNDLE: missing; give the folder that `textapp export` wrote", "");
}

int main(int count, char **arguments) {
  settings with = {NULL, TEXTAPP_CODE_POINTS, 0};
  session of;
  textapp_model *model;
  with.features = textapp_features();
  if (read_arguments(count, arguments, &with) || load(&with, &model)) return WRONG_INPUT;
  if (with.flags & TEXTAPP_CONFIDENCE && textapp_model_task(model) != TEXTAPP_TAGGING) {
    return fail("--confidence: is for taggers; a classifier always gives probabilities", "");
  }
  memset(&of, 0, sizeof of);
  of.with = &with;
  of.model = model;
  return predict_all(&of);
}
