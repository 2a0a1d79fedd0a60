/* Runs a fuzz target without libFuzzer: on the files given, and for some seconds on changes of them. It knows nothing of
 * branches, so it finds less in the same time, but it needs no clang.
 *
 *     run SECONDS [FILES]
 *
 * Where the target fails, the input is in the file "fuzz-input". */
#define _POSIX_C_SOURCE 200809L
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
/* The sanitizers call what is given here before they end the program. */
__attribute__((weak)) void __sanitizer_set_death_callback(void (*callback)(void));

enum { MOST_FILES = 4096, LONGEST = 1 << 20, CHANGES = 8 };

static uint8_t *files[MOST_FILES], input[LONGEST];
static size_t sizes[MOST_FILES], file_count, input_size;
static uint64_t seed = 88172645463325252u;

static uint64_t drawn(uint64_t limit) { /* from 0 to limit - 1, by xorshift */
  seed ^= seed << 13;
  seed ^= seed >> 7;
  seed ^= seed << 17;
  return seed % limit;
}

static double now(void) { /* seconds of the processor, so that other programs do not matter */
  struct timespec time;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

static void write_input(void) {
  FILE *file = fopen("fuzz-input", "wb");
  if (!file) return;
  fwrite(input, 1, input_size, file);
  fclose(file);
}

static void stopped(int number) {
  (void)number;
  write_input();
  signal(SIGABRT, SIG_DFL);
  abort();
}

static void keep(size_t size) {
  if (file_count == MOST_FILES || !(files[file_count] = malloc(size + 1))) exit(2);
  memcpy(files[file_count], input, size);
  sizes[file_count++] = size;
}

static void read_file(const char *path) {
  FILE *file = fopen(path, "rb");
  if (!file) exit(2);
  keep(fread(input, 1, LONGEST, file));
  fclose(file);
}

/* Changes, repeats, removes or replaces some bytes of the input. */
static void change(void) {
  size_t at = drawn(input_size + 1), left = input_size - at, length = drawn(1 + drawn(64));
  size_t other = drawn(file_count);
  if (length > left) length = left;
  switch (drawn(6)) {
    case 0:
      if (left) input[at] ^= (uint8_t)(1u << drawn(8));
      break;
    case 1:
      if (left) input[at] = (uint8_t)drawn(256);
      break;
    case 2: { /* a number of four bytes at an edge */
      const uint32_t edges[] = {0, 1, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, (uint32_t)input_size};
      if (left >= 4) memcpy(input + at, edges + drawn(sizeof edges / sizeof *edges), 4);
      break;
    }
    case 3:
      memmove(input + at, input + at + length, left - length);
      input_size -= length;
      break;
    case 4:
      if (input_size + length > LONGEST) break;
      memmove(input + at + length, input + at, left);
      input_size += length;
      break;
    default: /* the same bytes of another file, or those from its start */
      for (size_t i = 0; i < length && sizes[other]; i++) input[at + i] = files[other][(at + i) % sizes[other]];
  }
}

int main(int count, char **arguments) {
  double seconds = count > 1 ? atof(arguments[1]) : 10, start = now(), slowest = 0;
  uint64_t runs = 0;
  signal(SIGABRT, stopped);
  if (__sanitizer_set_death_callback) __sanitizer_set_death_callback(write_input);
  for (int i = 2; i < count && i < MOST_FILES; i++) read_file(arguments[i]);
  if (!file_count) keep(0);
  while (runs < file_count || now() - start < seconds) {
    size_t file = runs < file_count ? runs : drawn(file_count);
    memcpy(input, files[file], sizes[file]);
    input_size = sizes[file];
    for (uint64_t changes = runs < file_count ? 0 : 1 + drawn(CHANGES); changes > 0; changes--) change();
    double before = now();
    LLVMFuzzerTestOneInput(input, input_size);
    double taken = now() - before;
    if (taken > slowest) slowest = taken;
    runs++;
  }
  printf("%llu inputs of %zu files, the slowest took %.3f s\n", (unsigned long long)runs, file_count, slowest);
  return 0;
}
