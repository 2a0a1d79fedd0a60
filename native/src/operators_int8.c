/* Operators of int8 numbers, as XNNPACK computes them: sums by multipliers of 21 bits, products through float32, other
 * functions from a table. */
#include "operators.h"

static double power_of_two(int32_t exponent) {
  double number = 1.0;
  for (; exponent > 0; exponent--) number *= 2.0;
  for (; exponent < 0; exponent++) number *= 0.5;
  return number;
}

/* The exponent of a float of 1 or more, or below. */
static int32_t exponent_of(float number) {
  uint32_t bits;
  ta_copy(&bits, &number, sizeof bits);
  return (int32_t)(bits >> 23 & 255) - 127;
}

/* -- ADD, SUB and MUL. */

typedef struct {
  int32_t what, x_zero, y_zero, out_zero, least;
  int32_t x_factor, y_factor, shift;
  int64_t bias;
  float factor;
} int8_params;

typedef struct {
  const int8_params *params;
  const int8_t *x, *y;
  int8_t *out;
} int8_run;

static int8_t kept(int64_t number, int64_t least) {
  return (int8_t)(number < least ? least : number > 127 ? 127 : number);
}

static void int8_inner(void *user, const size_t *at, size_t place, const ta_loops *loops) {
  const int8_run *run = user;
  const int8_params *p = run->params;
  const int8_t *x = run->x + at[0], *y = run->y + at[1];
  int8_t *out = run->out + place;
  size_t x_step = loops->step[0][0], y_step = loops->step[1][0];
  if (p->what == TA_MUL) {
    for (size_t i = 0; i < loops->size[0]; i++) {
      int32_t product = (x[i * x_step] - p->x_zero) * (y[i * y_step] - p->y_zero);
      out[i] = ta_to_int8((float)product * p->factor, p->out_zero, p->least);
    }
    return;
  }
  for (size_t i = 0; i < loops->size[0]; i++) {
    int64_t sum = p->bias + (int64_t)x[i * x_step] * p->x_factor + (int64_t)y[i * y_step] * p->y_factor;
    int64_t half = sum >= 0 ? sum >> p->shift : -((-sum + ((int64_t)1 << p->shift) - 1) >> p->shift); /* rounds down */
    out[i] = kept(half + p->out_zero, p->least);
  }
}

static void run_int8(const ta_step *step, ta_frame *frame) {
  ta_loops loops;
  int8_run run = {step->params, ta_read(frame, step->in[0]), ta_read(frame, step->in[1]), ta_write(frame,
                                                                                                   step->out[0])};
  if (ta_loops_make(&loops, frame, step->in, 2, step->out[0])) ta_loops_run(&loops, int8_inner, &run);
}

void ta_binary_int8(ta_builder *builder, int32_t activation) {
  const ta_tensor *x = ta_input(builder, 0), *y = ta_input(builder, 1), *out = ta_output(builder, 0);
  int32_t what = builder->what;
  ta_known(builder, what == TA_ADD || what == TA_SUB || what == TA_MUL, "int8 numbers");
  ta_known(builder, activation < 2, "an int8 activation other than ReLU");
  float x_scale = x->scale / out->scale, y_scale = y->scale / out->scale, largest = TA_MAX(x_scale, y_scale);
  int32_t shift = 20 - exponent_of(largest);
  ta_known(builder, what == TA_MUL || (shift > 0 && shift < 40), "int8 sums of scales that are so far apart");
  if (builder->status) return;
  int8_params *params = ta_work(builder, run_int8, ta_loops_fit, sizeof *params);
  if (params == NULL) return;
  params->what = what;
  params->x_zero = x->zero_point;
  params->y_zero = y->zero_point;
  params->out_zero = out->zero_point;
  params->least = activation == 1 ? out->zero_point : -128;
  params->factor = x->scale * y->scale / out->scale;
  if (what == TA_MUL) return;
  params->shift = shift;
  params->x_factor = (int32_t)ta_round_even((double)x_scale * power_of_two(shift));
  params->y_factor = (int32_t)ta_round_even((double)y_scale * power_of_two(shift)) * (what == TA_SUB ? -1 : 1);
  params->bias = ((int64_t)1 << (shift - 1)) - (int64_t)params->x_factor * x->zero_point -
                 (int64_t)params->y_factor * y->zero_point;
}

/* -- Functions of one number: a table of 256. */

static int8_t rounded(float number, int32_t zero_point) {
  double away = (double)number + (number < 0 ? -0.5 : 0.5); /* halves away from zero */
  if (!(away > -1000.0)) away = -1000.0;
  if (away > 1000.0) away = 1000.0;
  return kept((int64_t)(int32_t)away + zero_point, -128);
}

static void run_table(const ta_step *step, ta_frame *frame) {
  const int8_t *table = step->params, *x = ta_read(frame, step->in[0]);
  int8_t *y = ta_write(frame, step->out[0]);
  size_t count = ta_count(frame, step->out[0]);
  for (size_t i = 0; i < count; i++) y[i] = table[x[i] + 128];
}

static float function_of(int32_t what, float x) {
  switch (what) {
    case TA_TANH: return ta_tanhf(x);
    case TA_LOGISTIC: return 1.0f / (1.0f + ta_expf(-x));
    case TA_EXP: return ta_expf(x);
    case TA_RSQRT: return 1.0f / ta_sqrtf(x);
    case TA_ABS: return x < 0 ? -x : x;
    case TA_RELU: return x < 0 ? 0 : x;
    default: return x < 0 ? 0 : x > 6 ? 6 : x;
  }
}

void ta_unary_int8(ta_builder *builder) {
  const ta_tensor *x = ta_input(builder, 0), *y = ta_output(builder, 0);
  int32_t what = builder->what;
  int known = what == TA_TANH || what == TA_LOGISTIC || what == TA_EXP || what == TA_RSQRT || what == TA_ABS ||
              what == TA_RELU || what == TA_RELU6;
  if (!ta_known(builder, known, "int8 numbers")) return;
  int8_t *table = ta_work(builder, run_table, ta_loops_fit, 256);
  for (int32_t i = 0; i < 256 && table != NULL; i++)
    table[i] = rounded(function_of(what, x->scale * (float)(i - 128 - x->zero_point)) / y->scale, y->zero_point);
}

/* -- QUANTIZE and DEQUANTIZE. */

typedef struct {
  float scale;
  int32_t zero_point;
} scale_params;

static void run_quantize(const ta_step *step, ta_frame *frame) {
  const scale_params *params = step->params;
  const float *x = ta_read(frame, step->in[0]);
  int8_t *y = ta_write(frame, step->out[0]);
  size_t count = ta_count(frame, step->out[0]);
  for (size_t i = 0; i < count; i++) y[i] = ta_to_int8(x[i] / params->scale, params->zero_point, -128);
}

static void run_dequantize(const ta_step *step, ta_frame *frame) {
  const scale_params *params = step->params;
  const int8_t *x = ta_read(frame, step->in[0]);
  float *y = ta_write(frame, step->out[0]);
  size_t count = ta_count(frame, step->out[0]);
  for (size_t i = 0; i < count; i++) y[i] = params->scale * (float)(x[i] - params->zero_point);
}

void ta_prepare_quantize(ta_builder *builder) {
  const ta_tensor *x = ta_input(builder, 0), *y = ta_output(builder, 0);
  ta_gives(builder, 0, TA_INT8, x->rank, x->shape);
  ta_known(builder, x->type == TA_FLOAT32 || x->type == TA_INT8, "numbers of this type");
  if (builder->status) return;
  if (x->type == TA_FLOAT32) {
    scale_params *params = ta_work(builder, run_quantize, ta_loops_fit, sizeof *params);
    if (params == NULL) return;
    params->scale = y->scale;
    params->zero_point = y->zero_point;
    return;
  }
  int8_t *table = ta_work(builder, run_table, ta_loops_fit, 256);
  float factor = x->scale / y->scale;
  /* XNNPACK's multiplier has 8 bits behind the point; LiteRT's own kernel runs scales that are further apart. */
  int coarse = factor >= 1.0f / 256.0f && factor <= 128.0f;
  int32_t multiplier = coarse ? (int32_t)ta_round_even((double)(factor * 256.0f)) : 0;
  for (int32_t i = 0; i < 256 && table != NULL; i++) {
    int32_t number = i - 128 - x->zero_point, scaled = number * multiplier + 128;
    int32_t down = scaled >= 0 ? scaled / 256 : -((-scaled + 255) / 256);
    table[i] = coarse ? kept(down + y->zero_point, -128) : ta_to_int8((float)number * factor, y->zero_point, -128);
  }
}

static int all_zero(const ta_tensor *tensor) {
  for (size_t i = 0; i < tensor->size; i++)
    if (tensor->data[i] != 0) return 0;
  return 1;
}

void ta_prepare_dequantize(ta_builder *builder) {
  const ta_tensor *x = ta_input(builder, 0), *y = ta_output(builder, 0);
  ta_slot *slot = &builder->program->slots[builder->step->out[0]];
  ta_gives(builder, 0, TA_FLOAT32, x->rank, x->shape);
  if (builder->status) return;
  if (y->is_variable) { /* the state of an LSTM before its first step, which is always 0 here */
    ta_known(builder, x->data != NULL && ta_spend(builder, x->size) && all_zero(x),
             "a state that does not begin with 0");
    slot->written = 0;
    return;
  }
  if (x->type == TA_FLOAT16) {
    if (!ta_known(builder, x->data != NULL, "float16 numbers that are computed")) return;
    slot->halves = x->data;
    slot->buffer = x->buffer;
    return;
  }
  if (!ta_known(builder, x->type == TA_INT8, "numbers of this type")) return;
  scale_params *params = ta_work(builder, run_dequantize, ta_loops_fit, sizeof *params);
  if (params == NULL) return;
  params->scale = x->scale;
  params->zero_point = x->zero_point;
}
