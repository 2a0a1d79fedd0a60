/* The linear model over the n-grams of a text: textapp/runtime/ngram_model.py. */
#ifndef TA_NGRAM_MODEL_H
#define TA_NGRAM_MODEL_H

#include "kernels.h"
#include "text.h"

typedef struct {
  ta_ngram_hash hash;
  uint32_t columns, classes; /* K, C */
  const int8_t *table;       /* (rows + character_rows, K) */
  const float *scales;       /* (2, K): of the rows of words, and of those of characters */
  const float *bias;         /* (C) */
  const float *projection;   /* (K, C); NULL if K is C */
  float weights[2];          /* of the encoder's logits, and of these */
  int count_zero_rows;       /* whether rows of zeros count in n */
} ta_ngram_model;

/* Reads ngrams.json and ngrams.bin, the table, which stays where it is. */
textapp_status ta_ngram_model_load(ta_ngram_model *out, ta_arena *arena, const textapp_file *settings,
                                   const textapp_file *table, size_t classes, textapp_message *message);

/* Adds the logits of the n-grams that `found` has to those of the encoder, each with its weight. `sums` and `values`
 * have room for K numbers. */
void ta_ngram_model_add(const ta_ngram_model *model, const ta_kernels *kernels, const ta_ngrams *found, int32_t *sums,
                        double *values, float *logits);

#endif
