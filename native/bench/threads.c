/* Threads that share a model: each predicts the lines of a file again and again, and all answers must be equal.
 *
 *     gcc -std=c99 -O1 -g -fsanitize=thread -Inative/include native/bench/threads.c native/src/[a-z]*.c -lpthread
 *     ./a.out BUNDLE TEXTS SECONDS [THREADS]
 */
#define _POSIX_C_SOURCE 200809L
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "textapp.h"

enum { FILES = 9, LINES = 256, LONGEST = 4096, MOST_THREADS = 64 };

static textapp_model *model;
static char lines[LINES][LONGEST];
static size_t line_count;
static uint64_t answers[LINES];
static double seconds;

typedef struct {
  pthread_t thread;
  size_t texts, different;
} worker;

static void *allocate(void *user, size_t size) {
  (void)user;
  return malloc(size);
}

static textapp_file read_file(const char *folder, const char *name) {
  textapp_file out = {name, NULL, 0};
  char path[4096];
  FILE *file;
  char *data;
  snprintf(path, sizeof path, "%s/%s", folder, name);
  file = fopen(path, "rb");
  if (!file) return out;
  fseek(file, 0, SEEK_END);
  out.size = (size_t)ftell(file);
  rewind(file);
  data = malloc(out.size + 1);
  if (!data || fread(data, 1, out.size, file) != out.size) exit(2);
  out.data = data;
  fclose(file);
  return out;
}

static uint64_t mixed(uint64_t hash, const void *data, size_t size) {
  for (size_t place = 0; place < size; place++) hash = (hash ^ ((const uint8_t *)data)[place]) * 1099511628211u;
  return hash;
}

/* A number that stands for all that is predicted. */
static uint64_t answer(textapp_context *context, const char *text) {
  const textapp_prediction *found;
  textapp_message message;
  size_t logits;
  uint64_t hash = 14695981039346656037u;
  if (textapp_predict(context, text, strlen(text), TEXTAPP_CONFIDENCE, &found, &message)) {
    fprintf(stderr, "%s\n", message.text);
    exit(2);
  }
  logits = textapp_logit_count(model) * (found->probs ? 1 : found->token_count);
  hash = mixed(hash, found->logits, logits * sizeof *found->logits);
  for (size_t place = 0; place < found->token_count; place++) hash = mixed(hash, &found->tokens[place].start, 24);
  for (size_t place = 0; place < found->span_count; place++) hash = mixed(hash, &found->spans[place].start, 24);
  return mixed(hash, &found->token_count, sizeof found->token_count);
}

static textapp_context *new_context(void) {
  size_t size = textapp_context_size(model, LONGEST);
  void *memory;
  if (posix_memalign(&memory, 64, size)) exit(2);
  return textapp_context_init(model, memory, size, LONGEST);
}

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

static void *work(void *with) {
  worker *one = with;
  textapp_context *context = new_context();
  double end = now() + seconds;
  while (now() < end) {
    for (size_t line = 0; line < line_count; line++, one->texts++) {
      one->different += answer(context, lines[line]) != answers[line];
    }
  }
  free(context);
  return NULL;
}

int main(int count, char **arguments) {
  static const char *const names[FILES] = {"bundle.json", "model.tflite", "vocabulary.txt",
                                           "characters.txt", "labels.txt", "tags.txt",
                                           "crf.json", "ngrams.json", "ngrams.bin"};
  textapp_file files[FILES];
  textapp_options options = {allocate, NULL, 0, 0};
  textapp_message message;
  worker workers[MOST_THREADS];
  size_t threads = count > 4 ? (size_t)atoi(arguments[4]) : 4, texts = 0, different = 0;
  FILE *file = count > 3 ? fopen(arguments[2], "rb") : NULL;
  if (!file || threads < 1 || threads > MOST_THREADS) {
    return fputs("usage: threads BUNDLE TEXTS SECONDS [THREADS]\n", stderr), 2;
  }
  while (line_count < LINES && fgets(lines[line_count], LONGEST, file)) line_count++;
  seconds = atof(arguments[3]);
  options.features = textapp_features();
  for (size_t number = 0; number < FILES; number++) files[number] = read_file(arguments[1], names[number]);
  if (textapp_load(files, FILES, &options, &model, &message)) return fprintf(stderr, "%s\n", message.text), 2;
  for (size_t line = 0; line < line_count; line++) answers[line] = answer(new_context(), lines[line]);
  memset(workers, 0, sizeof workers);
  for (size_t number = 0; number < threads; number++) {
    if (pthread_create(&workers[number].thread, NULL, work, &workers[number])) return 2;
  }
  for (size_t number = 0; number < threads; number++) {
    pthread_join(workers[number].thread, NULL);
    texts += workers[number].texts;
    different += workers[number].different;
  }
  printf("%zu threads, %zu texts, %zu different\n", threads, texts, different);
  return different != 0;
}
