/* Predicts each line of its input with a bundle.
 *
 *     cc -O2 main.c textapp.c -o example
 *     echo "your text" | ./example          (with the folder "bundle" beside it)
 *     ./example other/bundle < texts.txt
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "textapp.h"

#define LONGEST_TEXT 65536 /* bytes; a longer line is refused */

/* All files that a bundle may have. A file that is not there has no data, and the core says if it is needed. */
static textapp_file files[] = {{"bundle.json", NULL, 0}, {"model.tflite", NULL, 0}, {"vocabulary.txt", NULL, 0},
                               {"characters.txt", NULL, 0}, {"labels.txt", NULL, 0}, {"tags.txt", NULL, 0},
                               {"crf.json", NULL, 0}, {"ngrams.json", NULL, 0}, {"ngrams.bin", NULL, 0},
                               {"selftest.json", NULL, 0}};
enum { FILES = sizeof files / sizeof files[0] };

static void *allocate(void *user, size_t size) {
  (void)user;
  return malloc(size);
}

static void fail(const char *message) {
  fprintf(stderr, "%s\n", message);
  exit(2);
}

/* Reads a file of the bundle. Its bytes stay until the program ends: the model reads some of them in place. */
static void read_file(const char *folder, textapp_file *file) {
  char path[4096], *data = NULL;
  size_t size = 0, room = 0, count;
  FILE *opened;
  if (snprintf(path, sizeof path, "%s/%s", folder, file->name) >= (int)sizeof path) fail("the path is too long");
  opened = fopen(path, "rb");
  if (!opened) return;
  do {
    if (size == room) {
      room = room ? room * 2 : 65536;
      data = realloc(data, room);
      if (!data) fail("no memory");
    }
    count = fread(data + size, 1, room - size, opened);
    size += count;
  } while (count);
  if (ferror(opened)) {
    fprintf(stderr, "%s: cannot be read\n", path);
    exit(2);
  }
  fclose(opened);
  file->data = data;
  file->size = size;
}

static void show(const textapp_model *model, const textapp_prediction *found, const char *text) {
  if (found->chosen) { /* several labels or none */
    for (size_t i = 0; i < found->label_count; i++) {
      if (found->chosen[i]) printf("%s %.4f  ", textapp_label(model, i), found->probs[i]);
    }
    printf("\n");
  } else if (found->probs) { /* one label */
    printf("%s %.4f\n", textapp_label(model, (size_t)found->label), found->probs[found->label]);
  } else { /* spans; where tags are plain, as parts of speech are, there are none, and tokens have a confidence */
    for (size_t i = 0; i < found->token_count; i++) {
      const textapp_token *token = &found->tokens[i];
      if (token->confidence < 0) continue;
      printf("%s: %.*s  ", textapp_label(model, (size_t)token->tag), (int)(token->end - token->start),
             text + token->start);
    }
    for (size_t i = 0; i < found->span_count; i++) {
      const textapp_span *span = &found->spans[i];
      printf("%.*s: %.*s  ", (int)span->type_length, span->type, (int)(span->end - span->start), text + span->start);
    }
    printf("\n");
  }
}

int main(int count, char **arguments) {
  static char line[LONGEST_TEXT + 2];
  textapp_options options = {allocate, NULL, 0, 0};
  textapp_message message;
  textapp_model *model;
  textapp_context *context;
  const textapp_prediction *found;
  size_t size;

  for (size_t i = 0; i < FILES; i++) read_file(count > 1 ? arguments[1] : "bundle", &files[i]);
  options.features = textapp_features();
  if (textapp_load(files, FILES, &options, &model, &message)) fail(message.text);
  size = textapp_context_size(model, LONGEST_TEXT);
  context = textapp_context_init(model, malloc(size), size, LONGEST_TEXT);
  if (!context) fail("no memory");
  if (files[FILES - 1].data && textapp_selftest(context, &message)) fail(message.text); /* once a device is enough */

  while (fgets(line, sizeof line, stdin)) {
    size_t length = strlen(line);
    if (length && line[length - 1] == '\n') length--;
    if (textapp_predict(context, line, length, TEXTAPP_CONFIDENCE, &found, &message)) fail(message.text);
    show(model, found, line);
  }
  return 0;
}
