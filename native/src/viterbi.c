/* The best sequence of tags: Viterbi 1967. In double, with the ties of textapp/runtime/decoding.py: the first of
 * several. */
#include "decode.h"

#define NEVER (-1e30)

static int32_t first_largest(const double *values, size_t count) {
  size_t best = 0;
  for (size_t place = 1; place < count; place++) {
    if (values[place] > values[best]) best = place;
  }
  return (int32_t)best;
}

/* Without a CRF, the tags of tokens are independent. */
static void best_alone(const ta_tags *tags, int32_t *ids, const float *logits, size_t count) {
  for (size_t token = 0; token < count; token++, logits += tags->count) {
    size_t best = 0;
    for (size_t tag = 1; tag < tags->count; tag++) {
      if (logits[tag] > logits[best]) best = tag;
    }
    ids[token] = (int32_t)best;
  }
}

/* From the best scores of sequences that end in each tag of a token to those of the next one. Forbidden tags before are
 * left out: no sequence that is decoded has them. */
static void extend(const ta_tags *tags, const double *best, const float *logits, double *next, uint16_t *back) {
  for (size_t tag = 0; tag < tags->count; tag++) {
    const double *scores = tags->into + tag * tags->count;
    double largest = 2 * NEVER;
    uint16_t from = 0;
    for (uint32_t place = tags->before_starts[tag]; place < tags->before_starts[tag + 1]; place++) {
      uint16_t before = tags->before[place];
      double one = best[before] + scores[before];
      if (one > largest) {
        largest = one;
        from = before;
      }
    }
    next[tag] = (double)logits[tag] + largest;
    back[tag] = from;
  }
}

void ta_viterbi(const ta_tags *tags, const ta_decoding *work, const float *logits, size_t count) {
  size_t width = tags->count;
  double *best = work->scores, *next = best + width;
  int32_t tag;
  if (!count) return;
  if (!tags->has_crf) {
    best_alone(tags, work->ids, logits, count);
    return;
  }
  for (size_t one = 0; one < width; one++) best[one] = (double)logits[one] + tags->start[one];
  for (size_t token = 1; token < count; token++) {
    double *last = best;
    extend(tags, best, logits + token * width, next, work->back + token * width);
    best = next;
    next = last;
  }
  for (size_t one = 0; one < width; one++) best[one] += tags->end[one];
  tag = first_largest(best, width);
  for (size_t token = count; token-- > 0;) {
    work->ids[token] = tag;
    if (token) tag = work->back[token * width + (size_t)tag];
  }
}
