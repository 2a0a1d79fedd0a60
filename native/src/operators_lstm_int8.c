/* UNIDIRECTIONAL_SEQUENCE_LSTM in integers: int8 inputs, outputs and weights, int16 gates and cells.
 *
 * Reference: tensorflow/lite/kernels/lstm_eval.cc, EvalInteger8x8_16. */
#include "fixed_point.h"
#include "operators.h"

enum { GATES = 4, BIASES = 12, STATE = 18, CELL = 19 };

typedef struct {
  const ta_packed *input, *recurrent;
  ta_multiplier input_factor[GATES], recurrent_factor[GATES], hidden_factor;
  int32_t input_zero, state_zero, hidden_zero, cell_exponent, time_major;
} int8_lstm;

typedef struct {
  int32_t *projected, *sums;
  int16_t *gates, *cell;
  int8_t *state, *rows;
} int8_scratch;

static int8_scratch take(ta_block *block, size_t steps, size_t width, size_t units) {
  int8_scratch scratch;
  scratch.projected = ta_take(block, steps * GATES * units, sizeof(int32_t));
  scratch.sums = ta_take(block, GATES * units, sizeof(int32_t));
  scratch.gates = ta_take(block, GATES * units, sizeof(int16_t));
  scratch.cell = ta_take(block, units, sizeof(int16_t));
  scratch.state = ta_take(block, ta_padded(units), 1);
  scratch.rows = ta_take(block, steps * ta_padded(width), 1);
  return scratch;
}

static void sizes_of(const ta_step *step, const ta_frame *frame, size_t *steps, size_t *batch) {
  const int32_t *shape = ta_shape_of(frame, step->in[0]);
  int time_major = ((const int8_lstm *)step->params)->time_major;
  *steps = (size_t)shape[time_major ? 0 : 1];
  *batch = (size_t)shape[time_major ? 1 : 0];
}

static int fits_int8_lstm(const ta_step *step, const ta_frame *frame, size_t *scratch) {
  const int8_lstm *params = step->params;
  size_t steps, batch, units = params->recurrent->matrix.inputs, width = params->input->matrix.inputs;
  ta_block block = {NULL, 0};
  sizes_of(step, frame, &steps, &batch);
  take(&block, steps, width, units);
  *scratch = block.used;
  return batch == 1 && (size_t)ta_shape_of(frame, step->in[0])[2] == width && steps * units == ta_count(frame,
                                                                                                        step->out[0]);
}

static int16_t kept16(int32_t number) {
  return (int16_t)(number > INT16_MAX ? INT16_MAX : number < INT16_MIN ? INT16_MIN : number);
}

/* The gates of a step before their functions. */
static void add_gates(const int8_lstm *params, const ta_step *step, const ta_frame *frame, const int32_t *projected,
                      const int32_t *sums, size_t units, int16_t *gates) {
  for (uint32_t gate = 0; gate < GATES; gate++) {
    const int32_t *bias = ta_read(frame, step->in[BIASES + gate]);
    for (size_t i = 0; i < units; i++) {
      size_t at = gate * units + i;
      int32_t own = (int32_t)((uint32_t)projected[at] + (uint32_t)bias[i]);
      int16_t part = kept16(ta_multiply(own, params->input_factor[gate]));
      int64_t both = (int64_t)part + ta_multiply(sums[at], params->recurrent_factor[gate]);
      gates[at] = (int16_t)(both > INT16_MAX ? INT16_MAX : both < INT16_MIN ? INT16_MIN : both);
    }
  }
}

static void update(const int8_lstm *params, const int16_t *gates, size_t units, int16_t *cell, int8_t *state) {
  for (size_t i = 0; i < units; i++) {
    int32_t in = ta_sigmoid16(gates[i]), forget = ta_sigmoid16(gates[units + i]);
    int32_t candidate = ta_tanh16(gates[2 * units + i], 3), out = ta_sigmoid16(gates[3 * units + i]);
    int32_t old = (int16_t)ta_shift_right(forget * cell[i], 15);
    int32_t new = (int16_t)(uint16_t)(uint32_t)ta_shift_right(in * candidate, 30 + params->cell_exponent);
    cell[i] = kept16(old + new);
    int32_t hidden = ta_multiply(out * ta_tanh16(cell[i], 15 + params->cell_exponent), params->hidden_factor);
    int64_t moved = (int64_t)hidden + params->hidden_zero;
    state[i] = (int8_t)(moved > 127 ? 127 : moved < -128 ? -128 : moved);
  }
}

static void run_int8_lstm(const ta_step *step, ta_frame *frame) {
  const int8_lstm *params = step->params;
  const ta_kernels *kernels = frame->kernels;
  size_t steps, batch, units = params->recurrent->matrix.inputs, width = params->input->matrix.inputs;
  size_t gates = GATES * units, padded = ta_padded(width);
  const int8_t *x = ta_read(frame, step->in[0]);
  int8_t *out = ta_write(frame, step->out[0]);
  sizes_of(step, frame, &steps, &batch);
  ta_block block = {frame->scratch, 0};
  int8_scratch scratch = take(&block, steps, width, units);
  for (size_t t = 0; t < steps; t++) {
    ta_copy(scratch.rows + t * padded, x + t * width, width);
    ta_fill(scratch.rows + t * padded + width, 0, padded - width);
  }
  kernels->int8_sums(&params->input->matrix, scratch.rows, padded, params->input_zero, steps, scratch.projected, gates);
  ta_fill(scratch.state, 0,
          ta_padded(units)); /* as LiteRT sets variables: 0 also where the zero point is another number */
  ta_fill(scratch.cell, 0, units * sizeof *scratch.cell);
  for (size_t t = 0; t < steps; t++, out += units) {
    kernels->int8_sums(&params->recurrent->matrix, scratch.state, ta_padded(units), params->state_zero, 1,
                       scratch.sums, gates);
    add_gates(params, step, frame, scratch.projected + t * gates, scratch.sums, units, scratch.gates);
    update(params, scratch.gates, units, scratch.cell, scratch.state);
    ta_copy(out, scratch.state, units);
  }
}

/* The exponent of a scale that is a power of two; 1 where it is none. */
static int32_t exponent_of(float scale) {
  uint32_t bits;
  ta_copy(&bits, &scale, sizeof bits);
  return (bits & 0x7fffff) == 0 ? (int32_t)(bits >> 23 & 255) - 127 : 1;
}

void ta_lstm_int8(ta_builder *builder) {
  static const uint32_t input_at[GATES] = {1, 2, 3, 4}, recurrent_at[GATES] = {5, 6, 7, 8};
  const ta_tensor *x = ta_input(builder, 0), *state = ta_input(builder, STATE);
  const ta_vector *middles = &builder->operator->middles;
  if (!ta_rule(builder, middles->count == 5, "needs five intermediate tensors")) return;
  int32_t number = ta_element(&builder->file, middles, 4);
  int exists = number >= 0 && (uint32_t)number < builder->program->graph.tensor_count;
  if (!ta_rule(builder, exists, "an intermediate tensor does not exist")) return;
  const ta_tensor *hidden = &builder->program->graph.tensors[number];
  /* The output may have another scale than the state: like LiteRT, this copies the integers of the state. */
  int scales = hidden->type == TA_INT8 && hidden->scale_count == 1 && state->scale_count == 1;
  ta_rule(builder, scales, "its state and last intermediate must have one scale each");
  int8_lstm *params = ta_work(builder, run_int8_lstm, fits_int8_lstm, sizeof *params);
  if (params == NULL || builder->status) return;
  params->cell_exponent = exponent_of(ta_input(builder, CELL)->scale);
  int cell = params->cell_exponent >= -15 && params->cell_exponent <= -9;
  if (!ta_known(builder, cell, "cells whose scale is no power of two from 2^-15 to 2^-9")) return;
  params->input = ta_pack(builder, input_at, GATES);
  params->recurrent = ta_pack(builder, recurrent_at, GATES);
  for (uint32_t gate = 0; gate < GATES; gate++) {
    float scale = ta_input(builder, 1 + gate)->scale * x->scale / (1.0f / 4096.0f);
    float recurrent = ta_input(builder, 5 + gate)->scale * state->scale / (1.0f / 4096.0f);
    params->input_factor[gate] = ta_multiplier_of((double)scale);
    params->recurrent_factor[gate] = ta_multiplier_of((double)recurrent);
  }
  params->hidden_factor = ta_multiplier_of((double)(1.0f / 32768.0f / hidden->scale * (1.0f / 32768.0f)));
  params->input_zero = x->zero_point;
  params->state_zero = state->zero_point;
  params->hidden_zero = hidden->zero_point;
  params->time_major = ta_flag(builder, 3);
  if (params->input != NULL && params->recurrent != NULL)
    builder->step->work = 4 * (params->input->matrix.inputs + params->recurrent->matrix.inputs);
}
