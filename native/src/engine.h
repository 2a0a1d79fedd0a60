/* Runs a model.tflite that textapp exported: every operator of its own lowerings, for every encoder and recipe. */
#ifndef TA_ENGINE_H
#define TA_ENGINE_H

#include "kernels.h"

typedef struct ta_engine ta_engine;

/* What the bundle says of the model: its inputs and signatures. */
typedef struct {
  const char *name;
  size_t width; /* numbers a token: 1, or the characters of a token */
  uint32_t rows; /* every table that this input is looked up in has so many rows; ids are below */
} ta_engine_input;
typedef struct {
  size_t length;    /* tokens */
  const char *name; /* of the signature: `name_length` bytes */
  size_t name_length;
} ta_engine_signature;
typedef struct {
  const ta_engine_input *inputs;
  size_t input_count;
  const ta_engine_signature *signatures; /* shortest first */
  size_t signature_count;
  size_t outputs;  /* labels or tags */
  int per_token;   /* whether logits are (1, T, outputs), else (1, outputs) */
} ta_engine_wanted;

/* Checks the whole file, then plans memory and packs weights. Nothing is computed before all is checked. */
textapp_status ta_engine_load(ta_engine **out, ta_arena *arena, const ta_kernels *kernels, const void *data,
                              size_t size, const ta_engine_wanted *wanted, textapp_message *message);
int ta_engine_has_attention(const ta_engine *engine);
/* Bytes of working memory of a run; the block that `ta_engine_run` gets is aligned to 64. */
size_t ta_engine_scratch(const ta_engine *engine);
/* Whether a text costs its own length, and no padding is computed. */
int ta_engine_is_by_length(const ta_engine *engine);

/* Runs one text of `count` tokens, from 0 to the largest length. ids[i] is (count, width) of input i; they are in
 * range, as the vocabulary made them. A text costs its own length where the signatures show that padding can be left
 * out, else the length of the shortest signature that it fits into. `logits` gets (outputs) or (count, outputs) floats,
 * `attention` (count) unless it is NULL. Fails only where a result is not finite. */
textapp_status ta_engine_run(const ta_engine *engine, void *scratch, const int32_t *const *ids, size_t count,
                             float *logits, float *attention, textapp_message *message);

/* Several texts at once, which is faster where the model has an LSTM: its weights are read once for all of them, and a
 * step of one text does not wait for that of another. Results are those of `ta_engine_run`. */
#define TA_TOGETHER 4
typedef struct {
  const int32_t *const *ids;
  size_t count;
  float *logits;
} ta_engine_text;
/* The texts that are best computed at once: TA_TOGETHER, or 1. */
size_t ta_engine_together(const ta_engine *engine);
/* `scratch` has `ta_engine_scratch` bytes for each text. */
textapp_status ta_engine_run_together(const ta_engine *engine, void *scratch, const ta_engine_text *texts, size_t count,
                                      textapp_message *message);

#endif
