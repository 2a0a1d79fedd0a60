/* From a text to its labels: textapp/runtime/classification.py and multilabel.py. */
#include "predict.h"

textapp_status ta_check_call(const textapp_context *context, const char *text, size_t length, uint32_t flags,
                             textapp_message *message) {
  const uint32_t known = TEXTAPP_CODE_POINTS | TEXTAPP_UTF16 | TEXTAPP_CONFIDENCE | TEXTAPP_DECISION;
  const uint32_t units = TEXTAPP_CODE_POINTS | TEXTAPP_UTF16;
  if (!context || (!text && length)) {
    return ta_say(message, TEXTAPP_ERROR_ARGUMENT,
                  "a call without a context (textapp_context_init gave NULL?) or a text");
  }
  if (flags & ~known || (flags & units) == units) {
    return ta_say(message, TEXTAPP_ERROR_ARGUMENT, "flags: unknown ones, or two units");
  }
  if (length <= context->longest_text) return TEXTAPP_OK;
  return ta_say(message, TEXTAPP_ERROR_TOO_LONG, "text: has %z bytes; the context was made for at most %z", length,
                context->longest_text);
}

ta_units ta_units_of(const char *text, size_t length, uint32_t flags) {
  ta_units units;
  ta_fill(&units, 0, sizeof units);
  units.starts.text = text;
  units.starts.length = length;
  units.starts.utf16 = (flags & TEXTAPP_UTF16) != 0;
  units.ends = units.starts;
  units.in_bytes = !(flags & (TEXTAPP_CODE_POINTS | TEXTAPP_UTF16));
  return units;
}

size_t ta_unit(const ta_units *units, ta_places *places, size_t byte) {
  return units->in_bytes ? byte : ta_place(places, byte);
}

void ta_encode_token(textapp_context *context, size_t token, size_t row, int ngrams) {
  const ta_bundle *bundle = &context->model->bundle;
  const ta_token *one = &context->tokens.tokens[token];
  const char *text = context->tokens.text + one->first, *word = text;
  size_t length = one->behind - one->first, word_length = length, spelling_length, number = 1;
  int cut = 0;
  if (bundle->has_form) {
    word = context->word;
    word_length =
        ta_word(&bundle->form, text, length, context->word, context->word_room, &cut, context->tokens.scratch);
  }
  context->ids[0][row] = cut ? 1 : ta_id(&bundle->vocabulary, word, word_length);
  if (ngrams) ta_ngrams_add(&context->ngrams, &bundle->ngrams.hash, word, word_length);
  if (bundle->has_characters) {
    int32_t *ids = context->ids[number++] + row * bundle->max_characters;
    spelling_length = ta_spelling(bundle->form.form, text, length, context->spelling, context->spelling_room, &cut,
                                  context->tokens.scratch);
    ta_character_ids(&bundle->characters, context->spelling, spelling_length, bundle->max_characters, ids);
  }
  if (bundle->has_shapes) {
    context->ids[number][row] = ta_token_shape(bundle->form.form, text, length, context->tokens.scratch);
  }
}

textapp_status ta_run(textapp_context *context, size_t count, float *logits, float *attention,
                      textapp_message *message) {
  return ta_engine_run(context->model->engine, context->engine_scratch, (const int32_t *const *)context->ids, count,
                       logits, attention, message);
}

/* Without tokens the model knows only how frequent labels are: a text of several labels has none then. */
static void leave_out(const ta_bundle *bundle, size_t tokens, float *logits) {
  static const uint8_t minus_infinity[] = {0, 0, 0x80, 0xFF};
  if (tokens || bundle->task != TEXTAPP_MULTILABEL) return;
  for (size_t label = 0; label < bundle->name_count; label++) logits[label] = ta_f32(minus_infinity);
}

/* The logits of the text whose tokens the context has. */
static textapp_status score(textapp_context *context, textapp_message *message) {
  const ta_bundle *bundle = &context->model->bundle;
  textapp_status status;
  if (bundle->has_ngrams) ta_ngrams_start(&context->ngrams);
  for (size_t token = 0; token < context->tokens.count; token++) {
    ta_encode_token(context, token, token, bundle->has_ngrams);
  }
  status = ta_run(context, context->tokens.count, context->logits, context->attention, message);
  if (status) return status;
  if (context->tokens.count && bundle->has_ngrams) {
    ta_ngram_model_add(&bundle->ngrams, context->model->kernels, &context->ngrams, context->sums, context->values,
                       context->logits);
  }
  leave_out(bundle, context->tokens.count, context->logits);
  return TEXTAPP_OK;
}

void ta_decide(textapp_context *context) {
  const ta_bundle *bundle = &context->model->bundle;
  textapp_prediction *out = &context->prediction;
  size_t count = bundle->name_count, best = 0;
  if (bundle->task == TEXTAPP_MULTILABEL) {
    ta_sigmoids(context->logits, count, context->probs);
    for (size_t label = 0; label < count; label++) {
      context->chosen[label] = context->probs[label] >= bundle->thresholds[label];
    }
    out->chosen = context->chosen;
  } else {
    ta_softmax(context->logits, count, bundle->temperature, context->probs);
  }
  for (size_t label = 1; label < count; label++) {
    if (context->probs[label] > context->probs[best]) best = label;
  }
  out->label = (int32_t)best;
  out->label_count = count;
  out->probs = context->probs;
}

textapp_status ta_classify(textapp_context *context, const char *text, size_t length, textapp_message *message) {
  const ta_bundle *bundle = &context->model->bundle;
  textapp_status status = ta_tokenize(&bundle->tokenizer, text, length, bundle->longest, &context->tokens);
  if (status) return ta_say(message, status, "text: cannot be cut into tokens");
  status = score(context, message);
  if (status) return status;
  ta_decide(context);
  context->prediction.logits = context->logits;
  context->prediction.truncated = context->tokens.more;
  return TEXTAPP_OK;
}

void ta_list_tokens(textapp_context *context, const char *text, size_t length, uint32_t flags) {
  ta_units units = ta_units_of(text, length, flags);
  size_t count = context->tokens.count;
  for (size_t number = 0; number < count; number++) {
    textapp_token *out = &context->out_tokens[number];
    ta_token token;
    ta_copy(&token, &context->tokens.tokens[number], sizeof token); /* what is written may lie there */
    out->text = context->tokens.text + token.first;
    out->length = token.behind - token.first;
    out->start = ta_unit(&units, &units.starts, token.start);
    out->end = ta_unit(&units, &units.ends, token.end);
    out->weight = context->attention ? context->attention[number] : -1.0f;
    out->tag = -1;
    out->confidence = -1.0;
  }
  context->prediction.tokens = context->out_tokens;
  context->prediction.token_count = count;
}

textapp_status textapp_predict(textapp_context *context, const char *text, size_t length, uint32_t flags,
                               const textapp_prediction **prediction, textapp_message *message) {
  textapp_status status = ta_check_call(context, text, length, flags, message);
  if (status) return status;
  if (!prediction) return ta_say(message, TEXTAPP_ERROR_ARGUMENT, "textapp_predict: no place for the prediction");
  *prediction = NULL;
  if (!text) text = "";
  ta_fill(&context->prediction, 0, sizeof context->prediction);
  if (context->model->bundle.task == TEXTAPP_TAGGING) {
    status = ta_tag_text(context, text, length, flags, message);
  } else {
    status = ta_classify(context, text, length, message);
    if (!status && !(flags & TEXTAPP_DECISION)) ta_list_tokens(context, text, length, flags);
  }
  if (!status) *prediction = &context->prediction;
  return status;
}

/* Many texts, and the places of their results. */
typedef struct {
  const char *texts;
  const size_t *ends;
  double *probs;
  float *logits;
  uint8_t *truncated;
} many;

static size_t start_of(const many *of, size_t number) { return number ? of->ends[number - 1] : 0; }

/* Predicts one text after the other, up to `end`. Stops at the first that fails; `*done` is the number before it. */
static textapp_status predict_each(textapp_context *context, const many *of, size_t end, size_t *done,
                                   textapp_message *message) {
  size_t labels = context->model->bundle.name_count;
  for (; *done < end; ++*done) {
    const textapp_prediction *found;
    size_t number = *done, start = start_of(of, number);
    textapp_status status;
    if (of->ends[number] < start) return ta_say(message, TEXTAPP_ERROR_ARGUMENT, "ends: must ascend");
    status = textapp_predict(context, of->texts + start, of->ends[number] - start, TEXTAPP_DECISION, &found, message);
    if (status) return status;
    ta_copy(of->probs + number * labels, found->probs, labels * sizeof *of->probs);
    ta_copy(of->logits + number * labels, found->logits, labels * sizeof *of->logits);
    of->truncated[number] = (uint8_t)(found->truncated != 0);
  }
  return TEXTAPP_OK;
}

/* Predicts some texts at once: at most `context->together`. */
static textapp_status predict_group(textapp_context *context, const many *of, const size_t *numbers, size_t count,
                                    textapp_message *message) {
  const textapp_model *model = context->model;
  const ta_bundle *bundle = &model->bundle;
  const int32_t *ids[TA_TOGETHER][TA_INPUTS];
  ta_engine_text texts[TA_TOGETHER];
  size_t labels = bundle->name_count;
  textapp_status status;
  for (size_t i = 0; i < count; i++) {
    size_t start = start_of(of, numbers[i]), length = of->ends[numbers[i]] - start;
    status = ta_tokenize(&bundle->tokenizer, of->texts + start, length, bundle->longest, &context->tokens);
    if (status) return status;
    for (size_t token = 0; token < context->tokens.count; token++) {
      ta_encode_token(context, token, i * bundle->longest + token, 0);
    }
    for (size_t number = 0; number < model->input_count; number++) {
      ids[i][number] = context->ids[number] + i * bundle->longest * model->inputs[number].width;
    }
    texts[i].ids = ids[i];
    texts[i].count = context->tokens.count;
    texts[i].logits = of->logits + numbers[i] * labels;
    of->truncated[numbers[i]] = (uint8_t)(context->tokens.more != 0);
  }
  status = ta_engine_run_together(model->engine, context->engine_scratch, texts, count, message);
  if (status) return status;
  for (size_t i = 0; i < count; i++) {
    leave_out(bundle, texts[i].count, texts[i].logits);
    ta_copy(context->logits, texts[i].logits, labels * sizeof *context->logits);
    ta_decide(context);
    ta_copy(of->probs + numbers[i] * labels, context->probs, labels * sizeof *of->probs);
  }
  return TEXTAPP_OK;
}

#define SORTED 64 /* texts of which those of about the same length are computed at once */

/* Predicts texts from `first` on, at most SORTED, in groups of about the same length. */
static textapp_status predict_sorted(textapp_context *context, const many *of, size_t first, size_t count,
                                     textapp_message *message) {
  size_t numbers[SORTED], lengths[SORTED];
  textapp_status status = TEXTAPP_OK;
  for (size_t i = 0; i < count; i++) {
    size_t start = start_of(of, first + i), end = of->ends[first + i], at = i;
    if (end < start || end - start > context->longest_text) return TEXTAPP_ERROR_ARGUMENT; /* predict_each says which */
    for (; at > 0 && lengths[at - 1] < end - start; at--) {
      numbers[at] = numbers[at - 1];
      lengths[at] = lengths[at - 1];
    }
    numbers[at] = first + i;
    lengths[at] = end - start;
  }
  for (size_t i = 0; i < count && !status; i += context->together) {
    status = predict_group(context, of, numbers + i, TA_MIN(context->together, count - i), message);
  }
  return status;
}

textapp_status textapp_probabilities(textapp_context *context, const char *texts, const size_t *ends, size_t count,
                                     double *probs, float *logits, uint8_t *truncated, size_t *done,
                                     textapp_message *message) {
  many of = {texts, ends, probs, logits, truncated};
  if (done) *done = 0;
  if (!context || !probs || !logits || !truncated || !done || (count && (!texts || !ends)) ||
      context->model->bundle.task == TEXTAPP_TAGGING) {
    return ta_say(message, TEXTAPP_ERROR_ARGUMENT,
                  "textapp_probabilities: needs a context of a model that labels texts, texts, and places for results");
  }
  while (*done < count) {
    size_t some = TA_MIN(count - *done, (size_t)SORTED);
    textapp_status status;
    if (context->together > 1 && !predict_sorted(context, &of, *done, some, message)) {
      *done += some;
      continue;
    }
    status = predict_each(context, &of, *done + some, done, message);
    if (status) return status;
  }
  return TEXTAPP_OK;
}

textapp_status textapp_run(textapp_context *context, const int32_t *const *ids, size_t count, float *logits,
                           float *attention, textapp_message *message) {
  const textapp_model *model;
  if (!context || !ids || !logits || count > context->model->bundle.longest) {
    return ta_say(message, TEXTAPP_ERROR_ARGUMENT,
                  "textapp_run: needs a context, ids of at most `textapp_longest` tokens, and a place for logits");
  }
  model = context->model;
  for (size_t number = 0; number < model->input_count; number++) {
    for (size_t place = 0; place < count * model->inputs[number].width; place++) {
      if (ids[number][place] >= 0 && ids[number][place] < model->inputs[number].entries) continue;
      return ta_say(message, TEXTAPP_ERROR_ARGUMENT, "textapp_run: %s must be from 0 to %d. Received: %d",
                    model->inputs[number].name, (int64_t)model->inputs[number].entries - 1,
                    (int64_t)ids[number][place]);
    }
  }
  return ta_engine_run(model->engine, context->engine_scratch, ids, count, logits, attention, message);
}
