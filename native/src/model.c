/* Loads a bundle, and cuts the memory of a context. */
#include "predict.h"

#ifndef TEXTAPP_SOURCES
#define TEXTAPP_SOURCES ""
#endif

int textapp_abi(void) { return TEXTAPP_ABI; }

const char *textapp_sources(void) { return TEXTAPP_SOURCES; }

textapp_task textapp_model_task(const textapp_model *model) { return model->bundle.task; }

size_t textapp_label_count(const textapp_model *model) {
  return model->bundle.task == TEXTAPP_TAGGING ? model->bundle.tags.out_count : model->bundle.name_count;
}

const char *textapp_label(const textapp_model *model, size_t number) {
  if (number >= textapp_label_count(model)) return NULL;
  return model->bundle.task == TEXTAPP_TAGGING ? model->bundle.tags.out_names[number] : model->bundle.names[number];
}

size_t textapp_logit_count(const textapp_model *model) { return model->bundle.name_count; }

size_t textapp_longest(const textapp_model *model) { return model->bundle.longest; }

size_t textapp_input_count(const textapp_model *model) { return model->input_count; }

const textapp_input *textapp_model_input(const textapp_model *model, size_t number) {
  return number < model->input_count ? &model->inputs[number] : NULL;
}

int textapp_has_attention(const textapp_model *model) { return ta_engine_has_attention(model->engine); }

static void add_input(textapp_model *model, const char *name, size_t width, size_t entries) {
  textapp_input *input = &model->inputs[model->input_count++];
  input->name = name;
  input->width = width;
  input->entries = (int32_t)entries;
}

static textapp_status load_engine(textapp_model *model, ta_arena *arena, textapp_message *message) {
  const ta_bundle *bundle = &model->bundle;
  ta_engine_input inputs[TA_INPUTS];
  ta_engine_wanted wanted = {0};
  add_input(model, "token_ids", 1, bundle->vocabulary.count);
  if (bundle->has_characters) add_input(model, "char_ids", bundle->max_characters, bundle->characters.count);
  if (bundle->has_shapes) add_input(model, "shape_ids", 1, TA_SHAPES);
  for (size_t number = 0; number < model->input_count; number++) {
    inputs[number].name = model->inputs[number].name;
    inputs[number].width = model->inputs[number].width;
    inputs[number].rows = (uint32_t)model->inputs[number].entries;
  }
  wanted.inputs = inputs;
  wanted.input_count = model->input_count;
  wanted.signatures = bundle->signatures;
  wanted.signature_count = bundle->signature_count;
  wanted.outputs = bundle->name_count;
  wanted.per_token = bundle->task == TEXTAPP_TAGGING;
  return ta_engine_load(&model->engine, arena, model->kernels, bundle->model->data, bundle->model->size, &wanted,
                        message);
}

/* Runs the model on no token, and on the last entry of each vocabulary, so that a foreign model fails here. */
static textapp_status try_model(const textapp_model *model, ta_arena *arena, textapp_message *message) {
  int32_t *ids[TA_INPUTS] = {NULL};
  float *logits = ta_new(arena, model->bundle.name_count, sizeof *logits);
  size_t size = ta_engine_scratch(model->engine);
  void *scratch = ta_new(arena, size, 1);
  textapp_status status = TEXTAPP_OK;
  int has_memory = logits && scratch;
  for (size_t number = 0; number < model->input_count; number++) {
    ids[number] = ta_new(arena, model->inputs[number].width, sizeof **ids);
    has_memory = has_memory && ids[number];
  }
  if (!has_memory) return ta_say(message, TEXTAPP_ERROR_MEMORY, "model.tflite: no memory to try it");
  status = ta_engine_run(model->engine, scratch, (const int32_t *const *)ids, 0, logits, NULL, message);
  for (size_t number = 0; !status && number < model->input_count; number++) {
    for (size_t place = 0; place < model->inputs[number].width; place++) {
      ids[number][place] = model->inputs[number].entries - 1;
    }
    status = ta_engine_run(model->engine, scratch, (const int32_t *const *)ids, 1, logits, NULL, message);
  }
  if (size > arena->left) { /* what is loaded next goes there */
    arena->block = ta_fill(scratch, 0, size / 64 * 64);
    arena->left = size / 64 * 64;
  }
  return status;
}

textapp_status textapp_load(const textapp_file *files, size_t count, const textapp_options *options,
                            textapp_model **model, textapp_message *message) {
  ta_arena arena;
  textapp_model *out;
  textapp_status status;
  if (!model || !options || !options->allocate || (!files && count)) {
    return ta_say(message, TEXTAPP_ERROR_ARGUMENT,
                  "textapp_load: needs files, options with allocate, and a place for the model");
  }
  *model = NULL;
  ta_arena_init(&arena, options);
  out = ta_new(&arena, 1, sizeof *out);
  if (!out) return ta_say(message, TEXTAPP_ERROR_MEMORY, "bundle.json: no memory for the model");
  out->kernels = ta_kernels_for(options->features);
  status = ta_bundle_load(&out->bundle, &arena, files, count, message);
  if (!status) status = load_engine(out, &arena, message);
  if (!status) status = try_model(out, &arena, message);
  if (!status) status = ta_bundle_complete(&out->bundle, &arena, message);
  if (!status) *model = out;
  return status;
}

/* The most tokens that texts of so many bytes have. Normalization may make several of one character: U+33B0 of three
 * bytes is two, U+3316 six; where each code point is a token, U+FDFA is fifteen. Others have a byte a token, or
 * more. */
static size_t most_tokens(const ta_bundle *bundle, size_t longest) {
  size_t factor = 1;
  if (bundle->task != TEXTAPP_TAGGING) return bundle->longest;
  if (bundle->tokenizer.form == TA_NFKC) factor = bundle->tokenizer.kind == TA_CHAR ? 5 : 2;
  return longest * factor;
}

static void take_text(textapp_context *out, ta_block *block) {
  const ta_bundle *bundle = &out->model->bundle;
  /* The longest word of the vocabulary and one more byte, and the code points of a word that n-grams read. */
  out->word_room = TA_MAX(bundle->vocabulary.longest + 4, (size_t)160);
  out->spelling_room = (size_t)bundle->max_characters * 4 + 4;
  ta_tokens_take_text(&out->tokens, block, bundle->tokenizer.form, out->longest_text, out->most_tokens);
  out->word = ta_take(block, out->word_room, 1);
  out->spelling = ta_take(block, out->spelling_room, 1);
  for (size_t number = 0; number < out->model->input_count; number++) {
    size_t count = out->together * bundle->longest * out->model->inputs[number].width;
    out->ids[number] = ta_take(block, count, sizeof **out->ids);
  }
  if (!bundle->has_ngrams) return;
  ta_ngrams_take(&out->ngrams, block, &bundle->ngrams.hash, bundle->longest);
  out->sums = ta_take(block, bundle->ngrams.columns, sizeof *out->sums);
  out->values = ta_take(block, bundle->ngrams.columns, sizeof *out->values);
}

static void take_results(textapp_context *out, ta_block *block) {
  const ta_bundle *bundle = &out->model->bundle;
  size_t names = bundle->name_count;
  if (bundle->task != TEXTAPP_TAGGING) {
    out->tokens.tokens = ta_take(block, out->tokens.room, sizeof *out->tokens.tokens);
    out->out_tokens = ta_take(block, out->most_tokens, sizeof *out->out_tokens);
    out->logits = ta_take(block, names, sizeof *out->logits);
    out->probs = ta_take(block, names, sizeof *out->probs);
    out->chosen = ta_take(block, names, 1);
    return;
  }
  out->work_size = ta_work_size(bundle, out->longest_text, out->tokens.room);
  out->work = ta_take(block, out->work_size, 1);
  out->logits = (float *)(void *)out->work;
  if (out->work) out->tokens.tokens = (ta_token *)(void *)(out->work + out->work_size) - out->tokens.room;
  out->window = ta_take(block, bundle->longest, names * sizeof *out->window);
  out->decoding.scores = ta_take(block, TA_SCORE_ROWS * names, sizeof *out->decoding.scores);
  out->decoding.ids = ta_take(block, out->tokens.room, sizeof *out->decoding.ids);
  out->confidences = ta_take(block, bundle->scheme == TA_PLAIN ? out->most_tokens : 0, sizeof *out->confidences);
}

/* Counts the memory of a context, or cuts it from the block. */
static void take_context(textapp_context *out, ta_block *block, const textapp_model *model, size_t longest_text,
                         size_t together) {
  out->model = model;
  out->together = together;
  out->longest_text = longest_text;
  out->most_tokens = most_tokens(&model->bundle, longest_text);
  take_text(out, block);
  take_results(out, block);
  out->engine_scratch = ta_take(block, together, ta_engine_scratch(model->engine));
  if (textapp_has_attention(model)) {
    out->attention = ta_take(block, model->bundle.longest, sizeof *out->attention);
  }
}

#define ALIGNMENT 64

/* The bytes that a context takes from an aligned place on; 0 where an argument is wrong. */
static size_t context_bytes(const textapp_model *model, size_t longest_text, size_t together) {
  textapp_context context;
  ta_block block = {NULL, 0};
  if (!model || longest_text >= TA_LONGEST_TEXT) return 0;
  ta_fill(&context, 0, sizeof context);
  ta_take(&block, 1, sizeof context);
  take_context(&context, &block, model, longest_text, together);
  return block.used > SIZE_MAX - ALIGNMENT ? 0 : block.used;
}

size_t textapp_context_size(const textapp_model *model, size_t longest_text) {
  size_t bytes = context_bytes(model, longest_text, 1);
  return bytes ? bytes + ALIGNMENT - 1 : 0;
}

/* The texts that textapp_probabilities computes at once, where there is memory for them. */
static size_t most_together(const textapp_model *model) {
  int is_alone = model->bundle.task == TEXTAPP_TAGGING || model->bundle.has_ngrams;
  return is_alone ? 1 : ta_engine_together(model->engine);
}

size_t textapp_batch_size(const textapp_model *model, size_t longest_text) {
  size_t bytes = model ? context_bytes(model, longest_text, most_together(model)) : 0;
  return bytes ? bytes + ALIGNMENT - 1 : 0;
}

textapp_context *textapp_context_init(const textapp_model *model, void *memory, size_t size, size_t longest_text) {
  size_t needed = context_bytes(model, longest_text, 1), before = (0 - (uintptr_t)memory) % ALIGNMENT, together, all;
  ta_block block = {NULL, 0};
  textapp_context *out;
  if (!needed || !memory || size < before || size - before < needed) return NULL;
  together = most_together(model);
  all = context_bytes(model, longest_text, together);
  if (!all || size - before < all) together = 1;
  block.memory = (uint8_t *)memory + before;
  out = ta_take(&block, 1, sizeof *out);
  ta_fill(out, 0, sizeof *out);
  take_context(out, &block, model, longest_text, together);
  return out;
}
