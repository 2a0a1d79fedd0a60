/* Loads a model file, and runs it on one text after the other. */
#include "graph.h"

#define FILE_NAME "model.tflite"
#define MOST_LENGTH 4096u
#define TRIED_NEAR 1e-5f /* of the largest number, or of 1 */

struct ta_engine {
  const ta_kernels *kernels;
  ta_program *programs; /* one for each signature, shortest first */
  size_t count;
  int by_length; /* whether the last program runs every text at its own length */
  size_t scratch;
  const ta_engine_input *inputs;
  size_t input_count, outputs;
  int per_token;
};

static size_t rounded_up(size_t size) {
  return (size + 63) & ~(size_t)63;
}

static size_t shapes_size(const ta_program *program) {
  return rounded_up(program->graph.tensor_count * sizeof(int32_t[TA_AXES]));
}

static size_t program_scratch(const ta_program *program) {
  return shapes_size(program) + rounded_up(program->memory) + rounded_up(program->scratch);
}

static ta_frame frame_of(const ta_engine *engine, const ta_program *program, void *scratch) {
  uint8_t *memory = (uint8_t *)scratch + shapes_size(program);
  ta_frame frame = {program, NULL, memory, memory + rounded_up(program->memory), engine->kernels, NULL};
  return frame;
}

/* Gives a program its inputs at `length` tokens; the first `count` are the text's. */
static void start_program(const ta_engine *engine, ta_frame *frame, void *scratch, const int32_t *const *ids,
                          size_t count, size_t length) {
  const ta_program *program = frame->program;
  if (length != (size_t)program->length) {
    int32_t(*shapes)[TA_AXES] = scratch;
    ta_program_shapes(program, (int32_t)length, shapes);
    frame->shapes = (const int32_t(*)[TA_AXES])shapes;
  }
  for (size_t i = 0; i < engine->input_count; i++) {
    size_t width = engine->inputs[i].width;
    int32_t *input = ta_write(frame, program->inputs[i]);
    ta_copy(input, ids[i], count * width * sizeof *input);
    ta_fill(input + count * width, 0, (length - count) * width * sizeof *input);
  }
}

/* Runs a program. The outputs stay in the frame. */
static void run_program(const ta_engine *engine, ta_frame *frame, void *scratch, const int32_t *const *ids,
                        size_t count, size_t length) {
  const ta_program *program = frame->program;
  start_program(engine, frame, scratch, ids, count, length);
  for (uint32_t i = 0; i < program->graph.operator_count; i++)
    if (program->steps[i].run != NULL) program->steps[i].run(&program->steps[i], frame);
}

static textapp_status read_signatures(ta_engine *engine, ta_builder *builder, const ta_engine_wanted *wanted) {
  if (builder->file.signatures.count != wanted->signature_count)
    return ta_say(builder->message, TEXTAPP_ERROR_BUNDLE,
                  FILE_NAME ": must have the signatures of bundle.json and no others");
  size_t before = 0;
  for (size_t i = 0; i < wanted->signature_count; i++) {
    const ta_engine_signature *signature = &wanted->signatures[i];
    if (signature->length <= before || signature->length > MOST_LENGTH)
      return ta_say(builder->message, TEXTAPP_ERROR_BUNDLE, FILE_NAME ": lengths must rise, from 1 to 4096 tokens");
    before = signature->length;
    textapp_status status = ta_program_read(builder, &engine->programs[i], signature);
    if (status == TEXTAPP_OK) status = ta_program_plan(builder, &engine->programs[i], engine->programs[i].length);
    if (status) return status;
    const ta_program *first = &engine->programs[0], *program = &engine->programs[i];
    if ((program->attention == TA_NO_TENSOR) != (first->attention == TA_NO_TENSOR))
      return ta_say(builder->message, TEXTAPP_ERROR_BUNDLE, FILE_NAME ": only some signatures have attention weights");
  }
  return TEXTAPP_OK;
}

/* -- Whether padding can be left out: the shapes say how, and texts that are run both ways say that nothing changes. */

/* Ids of a made-up text, the same at every load. */
static void made_up_ids(const ta_engine_input *input, size_t count, uint32_t seed, int32_t *ids) {
  uint32_t state = seed * 2654435761u + 12345u;
  for (size_t i = 0; i < count; i++) {
    size_t filled = 1 + (state >> 8) % input->width; /* words have few characters or many */
    for (size_t k = 0; k < input->width; k++) {
      state = state * 1664525u + 1013904223u;
      ids[i * input->width + k] = k < filled && input->rows > 1 ? (int32_t)(1 + (state >> 8) % (input->rows - 1)) : 0;
    }
  }
}

static int near(const float *a, const float *b, size_t count) {
  float largest = 1.0f;
  for (size_t i = 0; i < count; i++) largest = TA_MAX(largest, a[i] < 0 ? -a[i] : a[i]);
  for (size_t i = 0; i < count; i++) {
    float difference = a[i] - b[i];
    if (!(difference <= TRIED_NEAR * largest && difference >= -TRIED_NEAR * largest)) return 0;
  }
  return 1;
}

/* Runs a text of `count` tokens and copies its logits and weights. */
static void try_text(const ta_engine *engine, void *scratch, const int32_t *const *ids, size_t count, size_t length,
                     float *out) {
  const ta_program *program = &engine->programs[engine->count - 1];
  ta_frame frame = frame_of(engine, program, scratch);
  run_program(engine, &frame, scratch, ids, count, length);
  size_t logits = engine->outputs * (engine->per_token ? count : 1);
  ta_copy(out, ta_read(&frame, program->logits), logits * sizeof *out);
  if (program->attention != TA_NO_TENSOR)
    ta_copy(out + logits, ta_read(&frame, program->attention), count * sizeof *out);
}

static int padding_is_nothing(const ta_engine *engine, ta_builder *builder, size_t length) {
  static const uint8_t counts[] = {1, 2, 5, 7, 11};
  const ta_program *program = &engine->programs[engine->count - 1];
  size_t most = engine->outputs * (engine->per_token ? length : 1) + length, width = 1;
  for (size_t i = 0; i < engine->input_count; i++) width += engine->inputs[i].width;
  int32_t *ids = ta_memory(builder, length * width, sizeof *ids);
  const int32_t **inputs = ta_memory(builder, engine->input_count, sizeof *inputs);
  float *outputs = ta_memory(builder, 2 * most, sizeof *outputs);
  size_t needed = shapes_size(program) + rounded_up(program->memory) + rounded_up(program->trial_scratch);
  /* What packing used is free again. */
  void *scratch = needed <= builder->packing_size ? builder->packing : ta_memory(builder, needed, 1);
  if (builder->status) return 0;
  for (size_t t = 0; t < TA_COUNT(counts); t++) {
    size_t count = TA_MIN(TA_MAX((size_t)counts[t], (size_t)program->least), length);
    size_t compared = engine->outputs * (engine->per_token ? count : 1);
    int32_t *at = ids;
    for (size_t i = 0; i < engine->input_count; at += count * engine->inputs[i].width, i++) {
      inputs[i] = at;
      made_up_ids(&engine->inputs[i], count, (uint32_t)(t * 7 + i), at);
    }
    try_text(engine, scratch, inputs, count, count, outputs);
    try_text(engine, scratch, inputs, count, length, outputs + most);
    if (program->attention != TA_NO_TENSOR) compared += count;
    if (!near(outputs, outputs + most, compared)) return 0;
  }
  return 1;
}

static textapp_status find_lengths(ta_engine *engine, ta_builder *builder) {
  ta_program *longest = &engine->programs[engine->count - 1];
  uint32_t *map = ta_memory(builder, longest->graph.tensor_count, sizeof *map);
  void *shapes = ta_memory(builder, longest->graph.tensor_count, sizeof(int32_t[TA_AXES]));
  if (builder->status || engine->count < 2) return builder->status;
  uint32_t others = (uint32_t)engine->count - 1, inputs = (uint32_t)engine->input_count;
  if (!ta_program_lengths(longest, engine->programs, others, inputs, shapes, map)) return TEXTAPP_OK;
  int32_t tried = TA_MAX(TA_MIN(longest->length, TA_TRIAL), longest->least);
  textapp_status status = ta_program_plan(builder, longest, tried); /* little memory, as it cannot be given back */
  if (status == TEXTAPP_OK) engine->by_length = padding_is_nothing(engine, builder, (size_t)tried);
  if (status == TEXTAPP_OK) status = builder->status;
  return status ? status : ta_program_plan(builder, longest, longest->length);
}

textapp_status ta_engine_load(ta_engine **out, ta_arena *arena, const ta_kernels *kernels, const void *data,
                              size_t size, const ta_engine_wanted *wanted, textapp_message *message) {
  ta_builder builder;
  ta_fill(&builder, 0, sizeof builder);
  builder.arena = arena;
  builder.kernels = kernels;
  builder.message = message;
  builder.wanted = wanted;
  *out = NULL;
  for (size_t i = 0; i < wanted->input_count; i++)
    if (wanted->inputs[i].width == 0 || wanted->inputs[i].width > MOST_LENGTH)
      return ta_say(message, TEXTAPP_ERROR_BUNDLE, FILE_NAME ": an input must have from 1 to 4096 numbers a token");
  if (wanted->signature_count == 0 || wanted->input_count == 0 || wanted->outputs == 0 || wanted->outputs > 1 << 20)
    return ta_say(message, TEXTAPP_ERROR_BUNDLE, FILE_NAME ": must have an input, an output and a length");
  textapp_status status = ta_file_open(&builder.file, data, size, message);
  if (status) return status;
  builder.natives = ta_memory(&builder, (size_t)builder.file.buffers.count + 1, sizeof *builder.natives);
  ta_engine *engine = ta_memory(&builder, 1, sizeof *engine);
  ta_program *programs = ta_memory(&builder, wanted->signature_count, sizeof *programs);
  ta_engine_input *inputs = ta_memory(&builder, wanted->input_count, sizeof *inputs);
  if (builder.status) return builder.status;
  ta_copy(inputs, wanted->inputs, wanted->input_count * sizeof *inputs);
  engine->kernels = kernels;
  engine->programs = programs;
  engine->count = wanted->signature_count;
  engine->inputs = inputs;
  engine->input_count = wanted->input_count;
  engine->outputs = wanted->outputs;
  engine->per_token = wanted->per_token;
  status = read_signatures(engine, &builder, wanted);
  if (status == TEXTAPP_OK) status = ta_pack_all(&builder);
  if (status == TEXTAPP_OK) status = find_lengths(engine, &builder);
  for (size_t i = engine->by_length ? engine->count - 1 : 0; i < engine->count; i++)
    engine->scratch = TA_MAX(engine->scratch, program_scratch(&programs[i]));
  if (status == TEXTAPP_OK) *out = engine;
  return status;
}

int ta_engine_has_attention(const ta_engine *engine) {
  return engine->programs[0].attention != TA_NO_TENSOR;
}

int ta_engine_is_by_length(const ta_engine *engine) {
  return engine->by_length;
}

size_t ta_engine_scratch(const ta_engine *engine) {
  return engine->scratch;
}

static textapp_status copy_finite(const float *from, size_t count, float *to, textapp_message *message) {
  int finite = 1;
  for (size_t i = 0; i < count; i++) {
    finite &= from[i] - from[i] == 0;
    to[i] = from[i];
  }
  return finite ? TEXTAPP_OK : ta_say(message, TEXTAPP_ERROR_BUNDLE,
                                      FILE_NAME ": its scores are not finite; export it again");
}

/* The tokens that a text is run at where it costs its own length. */
static size_t length_of(const ta_engine *engine, size_t count) {
  size_t least = (size_t)engine->programs[engine->count - 1].least;
  return count == 0 ? (size_t)engine->programs[0].length : TA_MAX(count, least);
}

textapp_status ta_engine_run(const ta_engine *engine, void *scratch, const int32_t *const *ids, size_t count,
                             float *logits, float *attention, textapp_message *message) {
  size_t number = 0;
  while (number < engine->count && (size_t)engine->programs[number].length < count) number++;
  if (number == engine->count)
    return ta_say(message, TEXTAPP_ERROR_ARGUMENT, "a text has %z tokens, more than the model reads", count);
  size_t length = (size_t)engine->programs[number].length;
  if (engine->by_length) {
    number = engine->count - 1;
    length = length_of(engine, count);
  }
  const ta_program *program = &engine->programs[number];
  ta_frame frame = frame_of(engine, program, scratch);
  run_program(engine, &frame, scratch, ids, count, length);
  if (frame.wrong != NULL) return ta_say(message, TEXTAPP_ERROR_BUNDLE, FILE_NAME ": %s", frame.wrong);
  if (attention != NULL && program->attention != TA_NO_TENSOR)
    ta_copy(attention, ta_read(&frame, program->attention), count * sizeof *attention);
  size_t results = engine->outputs * (engine->per_token ? count : 1);
  return copy_finite(ta_read(&frame, program->logits), results, logits, message);
}

size_t ta_engine_together(const ta_engine *engine) {
  const ta_program *program = &engine->programs[engine->count - 1];
  int gains = 0;
  for (uint32_t i = 0; i < program->graph.operator_count; i++) gains |= program->steps[i].run_together != NULL;
  return engine->by_length && gains ? TA_TOGETHER : 1;
}

textapp_status ta_engine_run_together(const ta_engine *engine, void *scratch, const ta_engine_text *texts, size_t count,
                                      textapp_message *message) {
  const ta_program *program = &engine->programs[engine->count - 1];
  const ta_engine_text *sorted[TA_TOGETHER];
  ta_frame frames[TA_TOGETHER];
  for (size_t i = 0; i < count; i++) { /* the longest first */
    size_t at = i;
    for (; at > 0 && length_of(engine, sorted[at - 1]->count) < length_of(engine, texts[i].count); at--)
      sorted[at] = sorted[at - 1];
    sorted[at] = &texts[i];
  }
  for (size_t i = 0; i < count; i++) {
    void *own = (uint8_t *)scratch + i * engine->scratch;
    frames[i] = frame_of(engine, program, own);
    start_program(engine, &frames[i], own, sorted[i]->ids, sorted[i]->count, length_of(engine, sorted[i]->count));
  }
  for (uint32_t i = 0; i < program->graph.operator_count; i++) {
    const ta_step *step = &program->steps[i];
    if (step->run_together != NULL) step->run_together(step, frames, count);
    else if (step->run != NULL)
      for (size_t k = 0; k < count; k++) step->run(step, &frames[k]);
  }
  for (size_t i = 0; i < count; i++) {
    size_t results = engine->outputs * (engine->per_token ? sorted[i]->count : 1);
    if (frames[i].wrong != NULL) return ta_say(message, TEXTAPP_ERROR_BUNDLE, FILE_NAME ": %s", frames[i].wrong);
    textapp_status status = copy_finite(ta_read(&frames[i], program->logits), results, sorted[i]->logits, message);
    if (status) return status;
  }
  return TEXTAPP_OK;
}
