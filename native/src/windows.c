/* Windows over a text that has more tokens than the model reads at once: textapp/runtime/windows.py. */
#include "text.h"
#include "utf8.h"

/* The place after a sentence's end that is nearest to the middle of an overlap; the middle if there is none. */
static size_t change_over(size_t count, size_t middle, size_t reach, int (*ends)(void *user, size_t token), void *user) {
  for (size_t away = 0; away <= reach; away++) {
    if (middle > away && ends(user, middle - away - 1)) return middle - away;
    if (away && middle + away <= count && ends(user, middle + away - 1)) return middle + away;
  }
  return middle;
}

int ta_next_window(ta_windows *state, size_t count, size_t size, int (*ends)(void *user, size_t token), void *user,
                   ta_window *out) {
  size_t overlap = size / 4, stride = size - overlap, beyond = count > size ? count - size : 0;
  if (!count || !size) return 0;
  size_t steps = beyond / stride + (beyond % stride > 0);
  if (state->step > steps) return 0;
  state->step++;
  out->start = state->start;
  out->first = state->first;
  if (state->step > steps) {
    out->end = out->stop = count;
    return 1;
  }
  size_t following = (size_t)((uint64_t)state->step * beyond / steps);
  size_t middle = (state->start + size + following) / 2;
  out->end = state->start + size;
  out->stop = change_over(count, middle, overlap * 3 / 8, ends, user);
  state->start = following;
  state->first = out->stop;
  return 1;
}

int ta_is_sentence_end(const char *token, size_t length) {
  const uint8_t *bytes = (const uint8_t *)token;
  uint32_t point;
  if (length == 3 && bytes[0] == '.' && bytes[1] == '.' && bytes[2] == '.') return 1;
  if (!length || ta_decode(bytes, length, &point) != length) return 0;
  for (size_t i = 0; i < TA_COUNT(ta_sentence_ends); i++) {
    if (ta_sentence_ends[i] == point) return 1;
  }
  return 0;
}
