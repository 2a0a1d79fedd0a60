/* textapp-native: predicts the lines of its input with a bundle, without Python. One JSON object a line; see print.h. */
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
#include "print.h"

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
  while (of->longest < longest) of->longest = of->longest ? of->longest * 2 : 1024;
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
