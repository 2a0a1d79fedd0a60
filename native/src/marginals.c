/* Probabilities of labels, tags and spans. Of a CRF's tags by forward-backward (Rabiner 1989, A Tutorial on Hidden
 * Markov Models, section III), of its spans with their tags fixed (Culotta and McCallum 2004, Confidence Estimation
 * for Information Extraction). No table over the text is kept: what a token needs of the forward scores is kept in
 * its result. */
#include "decode.h"

#define NEVER (-1e30)
#define SMALLEST 1e-200 /* of a sum of powers: one below may have lost a part to underflow */

void ta_softmax(const float *logits, size_t count, double temperature, double *probs) {
  float largest = logits[0];
  double total = 0.0;
  for (size_t label = 1; label < count; label++) largest = TA_MAX(largest, logits[label]);
  for (size_t label = 0; label < count; label++) {
    probs[label] = ta_exp(((double)logits[label] - (double)largest) / temperature);
    total += probs[label];
  }
  for (size_t label = 0; label < count; label++) probs[label] /= total;
}

void ta_sigmoids(const float *logits, size_t count, double *probs) {
  for (size_t label = 0; label < count; label++) probs[label] = 0.5 * (1.0 + ta_tanh(0.5 * (double)logits[label]));
}

static double log_sum(const double *values, size_t count) {
  double largest = values[0], total = 0.0;
  for (size_t place = 1; place < count; place++) largest = TA_MAX(largest, values[place]);
  for (size_t place = 0; place < count; place++) total += ta_exp(values[place] - largest);
  return largest + ta_log(total);
}

/* Logits of a token with the scores of the text's start and end, lowered by their largest. */
static void potentials(const ta_tags *tags, const float *logits, size_t token, size_t count, double *out) {
  size_t width = tags->count;
  const float *row = logits + token * width;
  float largest = row[0];
  for (size_t tag = 1; tag < width; tag++) largest = TA_MAX(largest, row[tag]);
  for (size_t tag = 0; tag < width; tag++) {
    out[tag] = (double)row[tag] - (double)largest;
    if (!tags->has_crf) continue;
    if (token == 0) out[tag] += tags->start[tag];
    if (token + 1 == count) out[tag] += tags->end[tag];
  }
}

/* The log-sum over tags beside a tag, whose scores are `column` and whose transitions are `scores`. */
static double log_sum_of(const double *column, const double *scores, size_t width) {
  double largest = column[0] + scores[0], total = 0.0;
  for (size_t tag = 1; tag < width; tag++) largest = TA_MAX(largest, column[tag] + scores[tag]);
  for (size_t tag = 0; tag < width; tag++) total += ta_exp(column[tag] + scores[tag] - largest);
  return largest + ta_log(total);
}

/* Adds one token to forward or backward scores: values += log-sums over the tags of the token beside it. The powers of
 * transitions are known, so that a token takes few exponentials; where they underflow, sums are computed one by one. */
static void add_token(const ta_tags *tags, const double *scores, const double *powers, const double *column,
                      double *weights, double *values) {
  size_t width = tags->count;
  double largest = column[0];
  for (size_t tag = 1; tag < width; tag++) largest = TA_MAX(largest, column[tag]);
  for (size_t tag = 0; tag < width; tag++) weights[tag] = ta_exp(column[tag] - largest);
  for (size_t tag = 0; tag < width; tag++) {
    const double *row = powers + tag * width;
    double total = 0.0;
    for (size_t other = 0; other < width; other++) total += weights[other] * row[other];
    values[tag] += total > SMALLEST && !tags->large ? largest + ta_log(total)
                                                    : log_sum_of(column, scores + tag * width, width);
  }
}

/* The rows of a pass over a text: that of the token before, and that of this one. */
typedef struct {
  double *last, *now, *weights;
} rows;

static rows rows_of(const ta_tags *tags, const ta_decoding *work) {
  rows out = {work->scores, work->scores + tags->count, work->scores + 2 * (size_t)tags->count};
  return out;
}

static void forward(const ta_tags *tags, const float *logits, size_t token, size_t count, rows *pass) {
  double *last = pass->now;
  pass->now = pass->last;
  pass->last = last;
  potentials(tags, logits, token, count, pass->now);
  if (token) add_token(tags, tags->into, tags->into_powers, pass->last, pass->weights, pass->now);
}

static void backward(const ta_tags *tags, const float *logits, size_t token, size_t count, rows *pass) {
  double *last = pass->now;
  pass->now = pass->last;
  pass->last = last;
  potentials(tags, logits, token, count, pass->now);
  if (token + 1 < count) add_token(tags, tags->from, tags->from_powers, pass->last, pass->weights, pass->now);
}

void ta_tag_confidences(const ta_tags *tags, const ta_decoding *work, const float *logits, size_t count,
                        double *confidences) {
  rows pass = rows_of(tags, work);
  double *row = work->scores + 3 * (size_t)tags->count, total = 0.0;
  for (size_t token = 0; token < count; token++) {
    size_t tag = (size_t)work->ids[token];
    if (tags->has_crf) {
      forward(tags, logits, token, count, &pass);
      confidences[token] = pass.now[tag];
    } else {
      potentials(tags, logits, token, count, row);
      confidences[token] = ta_exp(row[tag] - log_sum(row, tags->count));
    }
  }
  if (!count || !tags->has_crf) return;
  total = log_sum(pass.now, tags->count);
  for (size_t token = count; token-- > 0;) {
    size_t tag = (size_t)work->ids[token];
    backward(tags, logits, token, count, &pass);
    potentials(tags, logits, token, count, row); /* both sums contain it */
    confidences[token] = ta_exp(confidences[token] + pass.now[tag] - row[tag] - total);
  }
}

/* The log-sum over the tags of the token before a span (or after it) that leave its border where it is. */
static double beside(const ta_tags *tags, const double *column, int32_t edge, int is_before, double *values) {
  size_t width = tags->count, fixed = (size_t)edge;
  const double *scores = is_before ? tags->into : tags->from; /* NULL without a CRF */
  for (size_t tag = 0; tag < width; tag++) {
    int joins = is_before ? ta_continues(tags, tag, fixed) : ta_continues(tags, fixed, tag);
    values[tag] = joins ? NEVER : scores ? column[tag] + scores[fixed * width + tag] : column[tag];
  }
  return log_sum(values, width);
}

/* The score of the tags of a span. */
static double inside(const ta_tags *tags, const ta_decoding *work, const float *logits, size_t count,
                     const ta_span *span) {
  double *row = work->scores + 3 * (size_t)tags->count, total = 0.0;
  for (size_t token = span->start; token < span->end; token++) {
    size_t tag = (size_t)work->ids[token];
    potentials(tags, logits, token, count, row);
    total += row[tag];
    if (token > span->start) total += tags->from[(size_t)work->ids[token - 1] * tags->count + tag];
  }
  return total;
}

static double at_most_1(double value) { return TA_MIN(1.0, value); }

/* Without a CRF: the product of the probabilities of the span's tags and of the borders beside it. */
static double alone(const ta_tags *tags, const ta_decoding *work, const float *logits, size_t count,
                    const ta_span *span) {
  double *row = work->scores, *values = row + tags->count, total = 0.0;
  size_t first = span->start ? span->start - 1 : 0, end = TA_MIN(span->end + (size_t)1, count);
  for (size_t token = first; token < end; token++) {
    potentials(tags, logits, token, count, row);
    total -= log_sum(row, tags->count);
    if (token < span->start) {
      total += beside(tags, row, work->ids[span->start], 1, values);
    } else if (token < span->end) {
      total += row[work->ids[token]];
    } else {
      total += beside(tags, row, work->ids[span->end - 1], 0, values);
    }
  }
  return at_most_1(ta_exp(total));
}

void ta_span_confidences(const ta_tags *tags, const ta_decoding *work, const float *logits, size_t count,
                         ta_span *spans, size_t span_count) {
  rows pass = rows_of(tags, work);
  double *values = work->scores + 4 * (size_t)tags->count, total;
  size_t next = 0;
  if (!span_count) return;
  if (!tags->has_crf) {
    for (; next < span_count; next++) spans[next].confidence = alone(tags, work, logits, count, &spans[next]);
    return;
  }
  for (size_t token = 0; token < count; token++) {
    if (next < span_count && spans[next].start == 0) spans[next++].confidence = 0.0;
    forward(tags, logits, token, count, &pass);
    if (next < span_count && spans[next].start == token + 1) {
      spans[next].confidence = beside(tags, pass.now, work->ids[token + 1], 1, values);
      next++;
    }
  }
  total = log_sum(pass.now, tags->count);
  for (size_t token = count + 1; token-- > 0;) {
    double after = 0.0;
    if (token < count) backward(tags, logits, token, count, &pass);
    if (!next || spans[next - 1].end != token) continue;
    next--;
    if (token < count) after = beside(tags, pass.now, work->ids[token - 1], 0, values);
    spans[next].confidence = at_most_1(
        ta_exp(inside(tags, work, logits, count, &spans[next]) + spans[next].confidence + after - total));
  }
}
