/* See session.h. */
#include "session.h"

#include <stdlib.h>
#include <string.h>

#include "textapp_processor.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))
#define SHORT ((size_t)1 << 10) /* bytes of text: no context is made for less */
#define LONG ((size_t)1 << 16)  /* bytes of text: memory for more is not kept, as it is many times the text */

static const char *const names[] = {"bundle.json", "model.tflite", "vocabulary.txt", "characters.txt", "labels.txt",
                                    "tags.txt",    "crf.json",     "ngrams.json",    "ngrams.bin",     "selftest.json"};

/* Memory for the core, in a list that frees it. */
typedef struct block {
  struct block *next;
  uint64_t rest[7]; /* so that what follows is aligned as this is */
} block;

struct textapp_session {
  block *blocks;
  textapp_file files[COUNT(names)]; /* without data where a bundle has no such file */
  textapp_model *model;
  textapp_context *context;
  void *memory; /* of the context */
  char *text;
  size_t longest; /* bytes of text that context and text have room for */
  textapp_status status; /* of the last call */
  textapp_message message;
};

static void *allocate(void *user, size_t size) {
  textapp_session *session = user;
  block *made = size < SIZE_MAX - sizeof *made ? malloc(sizeof *made + size) : NULL;
  if (!made) return NULL;
  made->next = session->blocks;
  session->blocks = made;
  return made + 1;
}

/* Remembers why a call fails. */
static void *fail(textapp_session *session, textapp_status status, const char *message) {
  session->status = status;
  strcpy(session->message.text, message);
  return NULL;
}

textapp_session *textapp_session_new(void) { return calloc(1, sizeof(textapp_session)); }

void textapp_session_free(textapp_session *session) {
  if (!session) return;
  while (session->blocks) {
    block *next = session->blocks->next;
    free(session->blocks);
    session->blocks = next;
  }
  free(session->memory);
  free(session->text);
  free(session);
}

const char *textapp_session_name(size_t number) { return number < COUNT(names) ? names[number] : NULL; }

void *textapp_session_file(textapp_session *session, size_t number, size_t size) {
  void *data = number < COUNT(names) ? allocate(session, size) : NULL;
  if (data) session->files[number] = (textapp_file){names[number], data, size};
  return data;
}

int textapp_session_load(textapp_session *session) {
  textapp_file files[COUNT(names)];
  textapp_options options = {allocate, session, textapp_usable_features(), 0};
  size_t count = 0;
  for (size_t number = 0; number < COUNT(names); number++) {
    if (session->files[number].data) files[count++] = session->files[number];
  }
  session->status = textapp_load(files, count, &options, &session->model, &session->message);
  return (int)session->status;
}

const textapp_model *textapp_session_model(const textapp_session *session) { return session->model; }

void *textapp_session_text(textapp_session *session, size_t length) {
  size_t longest, size;
  if (!session->model) return fail(session, TEXTAPP_ERROR_ARGUMENT, "textapp_session_text: load a model first");
  if (session->context && length <= session->longest && (session->longest <= LONG || length > LONG)) {
    return session->text;
  }
  longest = length <= SHORT ? SHORT : length <= LONG / 2 ? length * 2 : length <= LONG ? LONG : length;
  size = textapp_context_size(session->model, longest);
  if (!size) return fail(session, TEXTAPP_ERROR_TOO_LONG, "text: is longer than the core can read");
  free(session->memory); /* before the new one, so that both never take memory */
  free(session->text);
  session->context = NULL;
  session->memory = malloc(size);
  session->text = malloc(longest);
  if (!session->memory || !session->text) {
    return fail(session, TEXTAPP_ERROR_MEMORY, "text: there is no memory for so long a text");
  }
  session->context = textapp_context_init(session->model, session->memory, size, longest);
  session->longest = longest;
  return session->text;
}

const textapp_prediction *textapp_session_predict(textapp_session *session, size_t length, uint32_t flags) {
  const textapp_prediction *prediction = NULL;
  if (!session->context || length > session->longest) {
    return fail(session, TEXTAPP_ERROR_ARGUMENT, "textapp_session_predict: needs the text of textapp_session_text");
  }
  session->status =
      textapp_predict(session->context, session->text, length, flags, &prediction, &session->message);
  return prediction;
}

int textapp_session_selftest(textapp_session *session) {
  if (textapp_session_text(session, TEXTAPP_SELFTEST_TEXT)) {
    session->status = textapp_selftest(session->context, &session->message);
  }
  return (int)session->status;
}

int textapp_session_status(const textapp_session *session) { return (int)session->status; }

const char *textapp_session_message(const textapp_session *session) { return session->message.text; }
