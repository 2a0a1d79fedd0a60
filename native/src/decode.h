/* From logits to labels, tags, spans and their probabilities, to the letter of textapp/runtime/decoding.py,
 * textapp/text/tag_schemes.py and textapp/text/tag_set.py. */
#ifndef TA_DECODE_H
#define TA_DECODE_H

#include "base.h"

/* Probabilities of labels from logits (count): softmax of logits / temperature; or the sigmoid of each. */
void ta_softmax(const float *logits, size_t count, double temperature, double *probs);
void ta_sigmoids(const float *logits, size_t count, double *probs);

typedef enum { TA_PLAIN, TA_IOB1, TA_IOB2, TA_IOBES } ta_scheme; /* the schemes of tag_schemes.py: complete this list */

typedef struct ta_tags ta_tags; /* the tags of a model: names, scheme, types, and a CRF's scores if it has one */

/* `transitions` (count, count), `start`, `end` (count) in double; NULL without a CRF. Names are checked as
 * textapp/runtime/tagging.py does. */
textapp_status ta_tags_load(ta_tags **out, ta_arena *arena, ta_scheme scheme, const char *const *names, size_t count,
                            const double *transitions, const double *start, const double *end, textapp_message *message);

typedef struct {
  uint32_t start, end; /* tokens */
  const char *type;
  size_t type_length;
  double confidence;
} ta_span;

/* Working memory for `most_tokens`, counted and cut. */
typedef struct ta_decoding ta_decoding;
ta_decoding *ta_decoding_take(ta_block *block, const ta_tags *tags, size_t most_tokens);

/* The best tags of `count` tokens with their logits (count, K): ids of names as the predictor gives them (in IOB2, after
 * repair, or plain), and spans. `names[i]` is the tag of token i in IOB2 or plain; confidence where asked for. */
void ta_decode(const ta_tags *tags, ta_decoding *work, const float *logits, size_t count, int confidence,
               int32_t *tag_ids, double *tag_confidences, ta_span *spans, size_t *span_count);

/* The number and the names of the tags that `ta_decode` gives (IOB2 or plain). */
size_t ta_tag_count(const ta_tags *tags);
const char *ta_tag_name(const ta_tags *tags, size_t number);

#endif
