/* UNIDIRECTIONAL_SEQUENCE_LSTM in floats, with float32 or int8 weights. The input's part of the gates is one product for
 * all steps; the state's part is a product a step. The state begins with 0: exports reset it at the start of each call.
 *
 * Reference: tensorflow/lite/kernels/lstm_eval.cc; Hochreiter and Schmidhuber 1997, Long Short-Term Memory. */
#include "operators.h"

enum { WEIGHTS = 1, RECURRENT = 5, BIASES = 12, STATE = 18, CELL = 19, GATES = 4 };

typedef struct {
  const ta_packed *input, *recurrent;
  int32_t time_major;
} lstm_params;

/* What a run needs beside its tensors. `projected` comes first, so that those of several texts are equally far apart. */
typedef struct {
  float *projected, *bias, *cell, *state;
  void *product;
} lstm_scratch;

static lstm_scratch take(ta_block *block, size_t steps, size_t width, size_t units) {
  lstm_scratch scratch;
  scratch.projected = ta_take(block, steps * GATES * units, sizeof(float));
  scratch.bias = ta_take(block, GATES * units, sizeof(float));
  scratch.cell = ta_take(block, TA_TOGETHER * units, sizeof(float));
  scratch.state = ta_take(block, TA_TOGETHER * units, sizeof(float));
  scratch.product = ta_take(block, ta_product_scratch(TA_MAX(width, units)), 1);
  return scratch;
}

/* Steps, sequences and width of the input. */
static void sizes_of(const ta_step *step, const ta_frame *frame, size_t *steps, size_t *batch, size_t *width) {
  const int32_t *shape = ta_shape_of(frame, step->in[0]);
  int time_major = ((const lstm_params *)step->params)->time_major;
  *steps = (size_t)shape[time_major ? 0 : 1];
  *batch = (size_t)shape[time_major ? 1 : 0];
  *width = (size_t)shape[2];
}

static int fits_lstm(const ta_step *step, const ta_frame *frame, size_t *scratch) {
  const lstm_params *params = step->params;
  size_t steps, batch, width, units = params->recurrent->matrix.inputs;
  ta_block block = {NULL, 0};
  sizes_of(step, frame, &steps, &batch, &width);
  take(&block, steps, width, units);
  *scratch = block.used;
  return batch == 1 && width == params->input->matrix.inputs && steps * units == ta_count(frame, step->out[0]);
}

/* The part of the gates that the inputs give, for all steps of a text. */
static void project(const ta_step *step, const ta_frame *frame, const lstm_scratch *scratch, size_t steps) {
  const lstm_params *params = step->params;
  size_t units = params->recurrent->matrix.inputs;
  for (uint32_t gate = 0; gate < GATES; gate++)
    ta_copy(scratch->bias + gate * units, ta_read(frame, step->in[BIASES + gate]), units * sizeof(float));
  ta_product_rows(frame->kernels, params->input, ta_read(frame, step->in[0]), steps, scratch->bias, 0, TA_AWAY,
                  scratch->projected, scratch->product);
}

static void run_lstm(const ta_step *step, ta_frame *frame) {
  const lstm_params *params = step->params;
  const ta_kernels *kernels = frame->kernels;
  size_t steps, batch, width, units = params->recurrent->matrix.inputs, gates = GATES * units;
  sizes_of(step, frame, &steps, &batch, &width);
  ta_block block = {frame->scratch, 0};
  lstm_scratch scratch = take(&block, steps, width, units);
  project(step, frame, &scratch, steps);
  ta_fill(scratch.cell, 0, units * sizeof(float));
  float *out = ta_write(frame, step->out[0]), *row = scratch.projected;
  for (size_t t = 0; t < steps; t++, row += gates, out += units) {
    /* Halves, which the two ways to round differ in, are rare in a state; TA_EVEN is found sooner. */
    if (t > 0) ta_product_rows(kernels, params->recurrent, out - units, 1, NULL, 1, TA_EVEN, row, scratch.product);
    kernels->lstm_step(row, units, scratch.cell, out);
  }
}

/* A step of several texts: y += states * weights, for rows of y that are `stride` floats apart. */
static void add_states(const ta_kernels *kernels, const ta_matrix *matrix, const lstm_scratch *scratch, size_t count,
                       float *y, size_t stride) {
  float scales[TA_TOGETHER];
  int32_t zeros[TA_TOGETHER];
  if (matrix->is_float) {
    kernels->float_product(matrix, scratch->state, matrix->inputs, count, NULL, 1, y, stride);
    return;
  }
  kernels->quantize_ranges(scratch->state, count, matrix->inputs, TA_EVEN, scratch->product, scales, zeros);
  kernels->int8_product(matrix, scratch->product, ta_padded(matrix->inputs), scales, zeros, count, NULL, 1, y, stride);
}

/* Texts whose steps are made together: that of one does not wait for that of another. */
static void run_lstm_together(const ta_step *step, ta_frame *frames, size_t count) {
  const lstm_params *params = step->params;
  const ta_matrix *matrix = &params->recurrent->matrix;
  size_t units = matrix->inputs, gates = GATES * units, steps[TA_TOGETHER], batch, width;
  size_t stride = count > 1 ? (size_t)(frames[1].scratch - frames[0].scratch) / sizeof(float) : 0;
  lstm_scratch scratch;
  float *out[TA_TOGETHER];
  for (size_t i = count; i-- > 0;) { /* the first last: `scratch` stays that of its frame */
    ta_block block = {frames[i].scratch, 0};
    sizes_of(step, &frames[i], &steps[i], &batch, &width);
    scratch = take(&block, steps[i], width, units);
    out[i] = ta_write(&frames[i], step->out[0]);
    project(step, &frames[i], &scratch, steps[i]);
  }
  ta_fill(scratch.cell, 0, count * units * sizeof(float));
  float *row = scratch.projected;
  for (size_t t = 0; t < steps[0]; t++, row += gates) {
    while (steps[count - 1] <= t) count--;
    if (t > 0) add_states(frames[0].kernels, matrix, &scratch, count, row, stride);
    for (size_t i = 0; i < count; i++) {
      float *state = scratch.state + i * units;
      frames[0].kernels->lstm_step(row + i * stride, units, scratch.cell + i * units, state);
      ta_copy(out[i] + t * units, state, units * sizeof(float));
    }
  }
}

static int is_bias(const ta_builder *builder, uint32_t position, int type, int32_t units) {
  const ta_tensor *bias = ta_input(builder, position);
  return bias != NULL && bias->type == type && bias->rank == 1 && bias->shape[0] == units && ta_is_constant(builder,
                                                                                                            position);
}

static int is_weights(const ta_builder *builder, uint32_t position, int type, int32_t units, int32_t width) {
  const ta_tensor *weights = ta_input(builder, position);
  int one = weights != NULL && weights->type == type && weights->rank == 2 && ta_is_constant(builder, position);
  return one && weights->shape[0] == units && weights->shape[1] == width && (type != TA_INT8 ||
                                                                             weights->scale_count == 1);
}

static int is_state(const ta_builder *builder, uint32_t position, int type, int32_t units) {
  const ta_tensor *state = ta_input(builder, position);
  return state != NULL && state->is_variable && state->type == type && state->rank == 2 && state->shape[0] == 1 &&
         state->shape[1] == units;
}

void ta_prepare_lstm(ta_builder *builder) {
  static const uint32_t input_at[GATES] = {1, 2, 3, 4}, recurrent_at[GATES] = {5, 6, 7, 8};
  const ta_tensor *x = ta_input(builder, 0), *first = ta_input(builder, RECURRENT);
  int integers = x->type == TA_INT8, time_major = ta_flag(builder, 3);
  uint32_t clip_bits = (uint32_t)ta_option(builder, 1, 0), projection = (uint32_t)ta_option(builder, 2, 0);
  ta_rule(builder, x->rank == 3 && first != NULL && first->rank == 2, "needs an input of 3 axes and weights of 2");
  ta_known(builder, ta_flag(builder, 0) == 4 && projection == 0 && !ta_flag(builder, 5),
           "other functions than tanh, or a projection");
  ta_known(builder, clip_bits == 0, "a clip of its state");
  for (uint32_t i = 9; i < 24 && builder->status == TEXTAPP_OK; i++)
    if ((i < BIASES || i > 15) && i != STATE && i != CELL)
      ta_known(builder, ta_input(builder, i) == NULL, "peepholes, a projection or a normalization");
  if (builder->status) return;
  ta_known(builder, x->shape[time_major ? 1 : 0] == 1, "several sequences at once");
  int32_t units = first->shape[0], width = x->shape[2], shape[3] = {x->shape[0], x->shape[1], units};
  int type = first->type, bias_type = integers ? TA_INT32 : TA_FLOAT32;
  int fits = type == TA_INT8 || (type == TA_FLOAT32 && !integers);
  for (uint32_t gate = 0; gate < GATES && fits; gate++)
    fits = is_weights(builder, WEIGHTS + gate, type, units, width) &&
           is_weights(builder, RECURRENT + gate, type, units, units) && is_bias(builder, BIASES + gate, bias_type,
                                                                                units);
  fits = fits && is_state(builder, STATE, integers ? TA_INT8 : TA_FLOAT32, units) &&
         is_state(builder, CELL, integers ? TA_INT16 : TA_FLOAT32, units);
  ta_rule(builder, fits, "its weights, biases and states must be constants and variables of its sizes");
  ta_gives(builder, 0, integers ? TA_INT8 : TA_FLOAT32, 3, shape);
  if (builder->status) return;
  if (integers) {
    ta_lstm_int8(builder);
    return;
  }
  lstm_params *params = ta_work(builder, run_lstm, fits_lstm, sizeof *params);
  if (params == NULL) return;
  builder->step->run_together = run_lstm_together;
  params->input = ta_pack(builder, input_at, GATES);
  params->recurrent = ta_pack(builder, recurrent_at, GATES);
  params->time_major = time_major;
  if (params->input != NULL && params->recurrent != NULL)
    builder->step->work = 4 * (params->input->matrix.inputs + params->recurrent->matrix.inputs);
}
