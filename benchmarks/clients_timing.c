/* Times client c: `timing BUNDLE < TEXTS` prints microseconds of loading, and of each text. It is the example of the
 * client, clients/c/main.c, with another main. */
#define _POSIX_C_SOURCE 199309L
#include <time.h>
#define main example
#include "main.c"
#undef main

enum { PASSES = 6, MOST_TEXTS = 4096 }; /* of the passes over all texts, the first warms up */

static double microseconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

int main(int count, char **arguments) {
  static char line[LONGEST_TEXT + 2];
  static char *texts[MOST_TEXTS];
  textapp_options options = {allocate, NULL, 0, 0};
  textapp_message message;
  textapp_model *model;
  textapp_context *context;
  const textapp_prediction *found;
  size_t size, texts_count = 0;
  double start = microseconds();

  for (size_t i = 0; i < FILES; i++) read_file(count > 1 ? arguments[1] : "bundle", &files[i]);
  options.features = textapp_features();
  if (textapp_load(files, FILES, &options, &model, &message)) fail(message.text);
  size = textapp_context_size(model, LONGEST_TEXT);
  context = textapp_context_init(model, malloc(size), size, LONGEST_TEXT);
  if (!context) fail("no memory");
  printf("load %.1f\n", microseconds() - start);

  while (texts_count < MOST_TEXTS && fgets(line, sizeof line, stdin)) {
    line[strcspn(line, "\n")] = 0;
    texts[texts_count] = malloc(strlen(line) + 1);
    if (!texts[texts_count]) fail("no memory");
    strcpy(texts[texts_count++], line);
  }
  for (size_t pass = 0; pass < PASSES; pass++) {
    for (size_t i = 0; i < texts_count; i++) {
      start = microseconds();
      if (textapp_predict(context, texts[i], strlen(texts[i]), 0, &found, &message)) fail(message.text);
      double end = microseconds();
      if (pass) printf("text %.2f\n", end - start);
    }
  }
  return 0;
}
