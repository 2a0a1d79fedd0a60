/* A loaded model and a context, which model.c makes and predict.c, tagging.c and selftest.c use. */
#ifndef TA_PREDICT_H
#define TA_PREDICT_H

#include "bundle.h"

#define TA_INPUTS 3 /* words, characters, shapes */
#define TA_LONGEST_TEXT ((size_t)1 << 28)

struct textapp_model {
  ta_bundle bundle;
  ta_engine *engine;
  const ta_kernels *kernels;
  textapp_input inputs[TA_INPUTS];
  size_t input_count;
};

struct textapp_context {
  const textapp_model *model;
  size_t longest_text, most_tokens;
  size_t together; /* texts that are computed at once */
  ta_tokens tokens;
  int32_t *ids[TA_INPUTS]; /* (together, longest, width) of each input */
  char *word, *spelling;
  size_t word_room, spelling_room;
  void *engine_scratch; /* for each of the texts together */
  float *logits;    /* (C), or (tokens, K), where `work` begins */
  float *window;    /* tagging: (longest, K) */
  float *attention; /* (longest); NULL without attention */
  double *probs;    /* (C) */
  uint8_t *chosen;  /* (C), multi-label */
  textapp_token *out_tokens; /* (most_tokens); tagging: (tokens), in `work` */
  textapp_span *out_spans;   /* (spans), in `work` */
  uint8_t *work;             /* tagging: what a text needs for each token, cut anew for each text; see tagging.c */
  size_t work_size;
  ta_decoding decoding;
  double *confidences; /* (most_tokens), plain tags */
  ta_ngrams ngrams;
  int32_t *sums; /* (K) of n-grams, and as `values` */
  double *values;
  textapp_prediction prediction;
};

/* Writes the ids of a token of `context->tokens` into a row of the model's inputs, and finds its n-grams if
 * `ngrams`. */
void ta_encode_token(textapp_context *context, size_t token, size_t row, int ngrams);

/* Runs the model on the first rows of the context's ids. */
textapp_status ta_run(textapp_context *context, size_t count, float *logits, float *attention,
                      textapp_message *message);

/* Predicts a text with labels, without its tokens; and tags a text. */
textapp_status ta_classify(textapp_context *context, const char *text, size_t length, textapp_message *message);
textapp_status ta_tag_text(textapp_context *context, const char *text, size_t length, uint32_t flags,
                           textapp_message *message);

/* Bytes of `work` for the tokens of a text of `longest` bytes; SIZE_MAX where that is too much. */
size_t ta_work_size(const ta_bundle *bundle, size_t longest, size_t most_tokens);

/* Decodes the context's logits into its prediction: labels; or tags and spans of the tokens of this text, in place of
 * `context->tokens`. */
void ta_decide(textapp_context *context);
void ta_decode_logits(textapp_context *context, const char *text, size_t length, uint32_t flags);

/* Lists the tokens of a text in the context's prediction, with their weights and without tags. */
void ta_list_tokens(textapp_context *context, const char *text, size_t length, uint32_t flags);

/* Checks the arguments of a call. */
textapp_status ta_check_call(const textapp_context *context, const char *text, size_t length, uint32_t flags,
                             textapp_message *message);

/* A token's places in the unit that the flags ask for. */
typedef struct {
  ta_places starts, ends;
  int in_bytes;
} ta_units;
ta_units ta_units_of(const char *text, size_t length, uint32_t flags);
size_t ta_unit(const ta_units *units, ta_places *places, size_t byte);

#endif
