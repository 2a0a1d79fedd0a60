/* From logits to labels, tags, spans and their probabilities, to the letter of textapp/runtime/decoding.py,
 * textapp/text/tag_schemes.py and textapp/text/tag_set.py. */
#ifndef TA_DECODE_H
#define TA_DECODE_H

#include "base.h"

/* Probabilities of labels from logits (count): softmax of logits / temperature; or the sigmoid of each. */
void ta_softmax(const float *logits, size_t count, double temperature, double *probs);
void ta_sigmoids(const float *logits, size_t count, double *probs);

typedef enum { TA_PLAIN, TA_IOB2, TA_IOB1, TA_IOBES, TA_BILOU, TA_BMES } ta_scheme;
#define TA_SCHEMES 6
extern const char *const ta_scheme_names[TA_SCHEMES]; /* NULL for plain tags */

/* The K tags of a model: names, scheme, types, and a CRF's scores if it has one. */
typedef struct {
  ta_scheme scheme;
  uint32_t count;           /* K */
  const char *const *names; /* (K), each ends with 0 */
  const uint32_t *types;    /* (K): number of each tag's type; O has a number of its own */
  uint32_t out_count;       /* tags that predictions have: plain, or in IOB2 */
  const char *const *out_names;
  const int32_t *begins; /* (K): number in `out_names` of the B of the tag's type; its I is next */
  int has_crf, large;    /* large: whether scores are so large that sums of their powers may overflow */
  const double *into;    /* (K, K): scores of the tags before (columns) each tag (rows) */
  const double *from;    /* (K, K): scores of the tags after (columns) each tag (rows) */
  const double *start, *end;
  const double *into_powers, *from_powers; /* exp of into and from */
  const uint32_t *before_starts;           /* (K + 1): where the allowed tags before each tag begin in `before` */
  const uint16_t *before;
} ta_tags;

#define TA_MOST_TAGS 4096

/* Copies tags.txt's names (count) and a CRF's scores `transitions` (count, count), `start` and `end` (count), which are
 * finite; NULL without a CRF. Checks the rules of textapp/runtime/tagging.py for them. */
textapp_status ta_tags_load(ta_tags *out, ta_arena *arena, ta_scheme scheme, const char *const *names, size_t count,
                            const double *transitions, const double *start, const double *end,
                            textapp_message *message);

/* Whether a tag continues the span of the tag before it. */
int ta_continues(const ta_tags *tags, size_t before, size_t after);

typedef struct {
  uint32_t start, end; /* tokens */
  double confidence;
} ta_span;

/* Working memory for `most_tokens`, counted and cut. The best tags need `back`, and what follows does not: spans may lie
 * in its place. */
#define TA_SCORE_ROWS 6
typedef struct {
  double *scores; /* (TA_SCORE_ROWS, K) */
  uint16_t *back; /* (most_tokens, K), of a CRF */
  int32_t *ids;   /* (most_tokens): the model's tags */
  ta_span *spans; /* (most_tokens), unless tags are plain */
} ta_decoding;
void ta_decoding_take(ta_decoding *out, ta_block *block, const ta_tags *tags, size_t most_tokens);

/* The best tags `work->ids` of `count` tokens with logits (count, K), which are finite. */
void ta_viterbi(const ta_tags *tags, const ta_decoding *work, const float *logits, size_t count);

/* The probability of the tag `work->ids` of each token. */
void ta_tag_confidences(const ta_tags *tags, const ta_decoding *work, const float *logits, size_t count,
                        double *confidences);

/* The confidence of spans: the probability that its tokens have the tags `work->ids`, and that it ends at both
 * sides. */
void ta_span_confidences(const ta_tags *tags, const ta_decoding *work, const float *logits, size_t count,
                         ta_span *spans, size_t span_count);

/* The spans of the tags `work->ids`, into `work->spans`. Returns their number; 0 for plain tags. */
size_t ta_read_spans(const ta_tags *tags, const ta_decoding *work, size_t count);

/* Numbers in `out_names` of tokens, of which some are in spans; plain tags are unchanged. `out` may be `work->ids`. */
void ta_write_tags(const ta_tags *tags, const ta_decoding *work, size_t count, size_t span_count, int32_t *out);

/* Repairs tags in IOB2, as numbers of `out_names`, where spans were taken apart: an I that continues nothing becomes
 * a B. */
void ta_repair_iob2(const ta_tags *tags, int32_t *numbers, size_t count);

#endif
