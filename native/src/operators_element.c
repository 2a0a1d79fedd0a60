/* Operators that work element by element on floats, int32 and bool. */
#include "operators.h"

float ta_activate(int32_t activation, float number) {
  if (activation == 0) return number;
  float low = activation == 2 ? -1.0f : 0.0f;
  if (number < low) return low;
  if (activation == 2 && number > 1.0f) return 1.0f;
  return activation == 3 && number > 6.0f ? 6.0f : number;
}

void ta_activate_all(int32_t activation, float *numbers, size_t count) {
  if (activation == 0) return;
  for (size_t i = 0; i < count; i++) numbers[i] = ta_activate(activation, numbers[i]);
}

uint32_t ta_broadcast(ta_builder *builder, const ta_tensor *x, const ta_tensor *y, int32_t *shape) {
  uint32_t rank = TA_MAX(x->rank, y->rank);
  for (uint32_t back = 0; back < rank; back++) {
    int32_t a = back < x->rank ? x->shape[x->rank - 1 - back] : 1, b = back < y->rank ? y->shape[y->rank - 1 - back] : 1;
    ta_rule(builder, a == b || a == 1 || b == 1, "its inputs cannot be broadcast to one shape");
    shape[rank - 1 - back] = TA_MAX(a, b);
  }
  return rank;
}

/* -- Two inputs. */

typedef struct {
  int32_t what, activation;
} binary_params;

typedef struct {
  const binary_params *params;
  const ta_kernels *kernels;
  const void *x, *y;
  void *out;
} binary_run;

/* Each of the four ways to walk through two rows; `a` and `b` are their numbers. */
#define ROWS(type, result)                          \
  do {                                              \
    if (x_step && y_step) {                         \
      for (size_t i = 0; i < count; i++) {          \
        type a = x[i], b = y[i];                    \
        out[i] = result;                            \
      }                                             \
    } else if (x_step) {                            \
      type b = *y;                                  \
      for (size_t i = 0; i < count; i++) {          \
        type a = x[i];                              \
        out[i] = result;                            \
      }                                             \
    } else {                                        \
      type a = *x;                                  \
      for (size_t i = 0; i < count; i++) {          \
        type b = y_step ? y[i] : *y;                \
        out[i] = result;                            \
      }                                             \
    }                                               \
  } while (0)

static void float_row(const binary_run *run, const float *x, size_t x_step, const float *y, size_t y_step, size_t count,
                      float *out) {
  switch (run->params->what) {
    case TA_ADD:
      if (x_step && y_step) run->kernels->add(x, y, count, out);
      else ROWS(float, a + b);
      break;
    case TA_SUB: ROWS(float, a - b); break;
    case TA_MUL:
      if (x_step && y_step) run->kernels->multiply(x, y, count, out);
      else ROWS(float, a * b);
      break;
    case TA_DIV: ROWS(float, a / b); break;
    case TA_MAXIMUM: ROWS(float, a > b ? a : b); break;
    case TA_MINIMUM: ROWS(float, a < b ? a : b); break;
    default: ROWS(float, (a - b) * (a - b)); break; /* TA_SQUARED_DIFFERENCE */
  }
  ta_activate_all(run->params->activation, out, count);
}

static void float_inner(void *user, const size_t *at, size_t out, const ta_loops *loops) {
  const binary_run *run = user;
  float_row(run, (const float *)run->x + at[0], loops->step[0][0], (const float *)run->y + at[1], loops->step[1][0],
            loops->size[0], (float *)run->out + out);
}

/* The rest has the sign of the divisor, which is positive. */
static uint32_t floor_mod(uint32_t number, uint32_t divisor) {
  int32_t rest = (int32_t)number % (int32_t)divisor;
  return (uint32_t)(rest < 0 ? rest + (int32_t)divisor : rest);
}

/* Sums and products of int32 wrap around, as they do in LiteRT. */
static void int_inner(void *user, const size_t *at, size_t place, const ta_loops *loops) {
  const binary_run *run = user;
  const uint32_t *x = (const uint32_t *)run->x + at[0], *y = (const uint32_t *)run->y + at[1];
  size_t x_step = loops->step[0][0], y_step = loops->step[1][0], count = loops->size[0];
  uint32_t *out = (uint32_t *)run->out + place;
  switch (run->params->what) {
    case TA_ADD: ROWS(uint32_t, a + b); break;
    case TA_SUB: ROWS(uint32_t, a - b); break;
    case TA_MUL: ROWS(uint32_t, a * b); break;
    case TA_MAXIMUM: ROWS(uint32_t, (int32_t)a > (int32_t)b ? a : b); break;
    case TA_MINIMUM: ROWS(uint32_t, (int32_t)a < (int32_t)b ? a : b); break;
    default: ROWS(uint32_t, floor_mod(a, b)); break;
  }
}

static void run_binary(const ta_step *step, ta_frame *frame, void (*inner)(void *, const size_t *, size_t,
                                                                           const ta_loops *)) {
  ta_loops loops;
  binary_run run = {step->params, frame->kernels, ta_read(frame, step->in[0]), ta_read(frame, step->in[1]),
                    ta_write(frame, step->out[0])};
  if (ta_loops_make(&loops, frame, step->in, 2, step->out[0])) ta_loops_run(&loops, inner, &run);
}

static void run_floats(const ta_step *step, ta_frame *frame) {
  run_binary(step, frame, float_inner);
}

static void run_ints(const ta_step *step, ta_frame *frame) {
  run_binary(step, frame, int_inner);
}

/* Whether all divisors are constants of 1 or more. */
static int positive(ta_builder *builder) {
  const ta_tensor *divisors = ta_input(builder, 1);
  if (divisors->data == NULL || !ta_spend(builder, divisors->size)) return 0;
  for (size_t i = 0; i < divisors->count; i++)
    if ((int32_t)ta_u32(divisors->data + 4 * i) < 1) return 0;
  return 1;
}

void ta_prepare_binary(ta_builder *builder) {
  const ta_tensor *x = ta_input(builder, 0), *y = ta_input(builder, 1);
  int32_t what = builder->what, shape[TA_AXES];
  int has_options = what == TA_ADD || what == TA_SUB || what == TA_MUL || what == TA_DIV;
  int32_t activation = has_options ? ta_flag(builder, 0) : 0;
  ta_known(builder, activation >= 0 && activation <= 3, "a fused activation that is no ReLU");
  ta_rule(builder, x->type == y->type, "its inputs must have one type");
  uint32_t rank = ta_broadcast(builder, x, y, shape);
  ta_gives(builder, 0, x->type, rank, shape);
  if (builder->status) return;
  if (x->type == TA_INT8) {
    ta_binary_int8(builder, activation);
    return;
  }
  int floats = x->type == TA_FLOAT32 && what != TA_FLOOR_MOD;
  int ints = x->type == TA_INT32 && activation == 0 && what != TA_DIV && what != TA_SQUARED_DIFFERENCE;
  if (!ta_known(builder, floats || ints, "numbers of this type")) return;
  if (what == TA_FLOOR_MOD && !ta_known(builder, positive(builder), "a divisor that is no positive constant")) return;
  binary_params *params = ta_work(builder, floats ? run_floats : run_ints, ta_loops_fit, sizeof *params);
  if (params == NULL) return;
  params->what = what;
  params->activation = activation;
}

int ta_is_plain_product(const ta_step *step) {
  const binary_params *params = step->params;
  return step->run == run_floats && params->what == TA_MUL && params->activation == 0;
}

/* -- Comparisons, and logic on bool. */

static void compare_inner(void *user, const size_t *at, size_t place, const ta_loops *loops) {
  const binary_run *run = user;
  const int32_t *x = (const int32_t *)run->x + at[0], *y = (const int32_t *)run->y + at[1];
  size_t x_step = loops->step[0][0], y_step = loops->step[1][0], count = loops->size[0];
  uint8_t *out = (uint8_t *)run->out + place;
  switch (run->params->what) {
    case TA_EQUAL: ROWS(int32_t, a == b); break;
    case TA_NOT_EQUAL: ROWS(int32_t, a != b); break;
    case TA_LESS: ROWS(int32_t, a < b); break;
    case TA_LESS_EQUAL: ROWS(int32_t, a <= b); break;
    case TA_GREATER: ROWS(int32_t, a > b); break;
    default: ROWS(int32_t, a >= b); break;
  }
}

static void compare_floats(void *user, const size_t *at, size_t place, const ta_loops *loops) {
  const binary_run *run = user;
  const float *x = (const float *)run->x + at[0], *y = (const float *)run->y + at[1];
  size_t x_step = loops->step[0][0], y_step = loops->step[1][0], count = loops->size[0];
  uint8_t *out = (uint8_t *)run->out + place;
  switch (run->params->what) {
    case TA_LESS: ROWS(float, a < b); break;
    case TA_LESS_EQUAL: ROWS(float, a <= b); break;
    case TA_GREATER: ROWS(float, a > b); break;
    case TA_GREATER_EQUAL: ROWS(float, a >= b); break;
    case TA_EQUAL: ROWS(float, !(a < b) && !(a > b)); break;
    default: ROWS(float, (uint8_t)(a < b || a > b)); break;
  }
}

static void logical_inner(void *user, const size_t *at, size_t place, const ta_loops *loops) {
  const binary_run *run = user;
  const uint8_t *x = (const uint8_t *)run->x + at[0], *y = (const uint8_t *)run->y + at[1];
  size_t x_step = loops->step[0][0], y_step = loops->step[1][0], count = loops->size[0];
  uint8_t *out = (uint8_t *)run->out + place;
  if (run->params->what) ROWS(uint8_t, a & b);
  else ROWS(uint8_t, a | b);
}

static void run_compare(const ta_step *step, ta_frame *frame) {
  run_binary(step, frame, compare_inner);
}
static void run_compare_floats(const ta_step *step, ta_frame *frame) {
  run_binary(step, frame, compare_floats);
}
static void run_logical(const ta_step *step, ta_frame *frame) {
  run_binary(step, frame, logical_inner);
}

static void prepare_pair(ta_builder *builder, int type, void (*run)(const ta_step *, ta_frame *)) {
  const ta_tensor *x = ta_input(builder, 0), *y = ta_input(builder, 1);
  int32_t shape[TA_AXES];
  ta_known(builder, x->type == type && y->type == type, "numbers of this type");
  uint32_t rank = ta_broadcast(builder, x, y, shape);
  ta_gives(builder, 0, TA_BOOL, rank, shape);
  if (builder->status) return;
  binary_params *params = ta_work(builder, run, ta_loops_fit, sizeof *params);
  if (params != NULL) params->what = builder->what;
}

void ta_prepare_compare(ta_builder *builder) {
  int floats = ta_input(builder, 0)->type == TA_FLOAT32;
  prepare_pair(builder, floats ? TA_FLOAT32 : TA_INT32, floats ? run_compare_floats : run_compare);
}

void ta_prepare_logical(ta_builder *builder) {
  prepare_pair(builder, TA_BOOL, run_logical);
}

/* -- One input. */

typedef struct {
  int32_t what;
} unary_params;

static void run_unary(const ta_step *step, ta_frame *frame) {
  const float *x = ta_read(frame, step->in[0]);
  float *y = ta_write(frame, step->out[0]);
  size_t count = ta_count(frame, step->out[0]);
  switch (((const unary_params *)step->params)->what) {
    case TA_TANH: frame->kernels->tanh(x, count, y); break;
    case TA_LOGISTIC: frame->kernels->sigmoid(x, count, y); break;
    case TA_EXP: frame->kernels->exp(x, count, y); break;
    case TA_NEG:
      for (size_t i = 0; i < count; i++) y[i] = -x[i];
      break;
    case TA_RSQRT:
      for (size_t i = 0; i < count; i++) y[i] = 1.0f / ta_sqrtf(x[i]);
      break;
    case TA_SQRT:
      for (size_t i = 0; i < count; i++) y[i] = ta_sqrtf(x[i]);
      break;
    case TA_SQUARE:
      for (size_t i = 0; i < count; i++) y[i] = x[i] * x[i];
      break;
    case TA_ABS:
      for (size_t i = 0; i < count; i++) y[i] = x[i] < 0 ? -x[i] : x[i];
      break;
    default: {
      int32_t activation = ((const unary_params *)step->params)->what == TA_RELU ? 1 : 3;
      for (size_t i = 0; i < count; i++) y[i] = ta_activate(activation, x[i]);
    }
  }
}

static void run_not(const ta_step *step, ta_frame *frame) {
  const uint8_t *x = ta_read(frame, step->in[0]);
  uint8_t *y = ta_write(frame, step->out[0]);
  size_t count = ta_count(frame, step->out[0]);
  for (size_t i = 0; i < count; i++) y[i] = !x[i];
}

void ta_prepare_unary(ta_builder *builder) {
  const ta_tensor *x = ta_input(builder, 0);
  ta_gives(builder, 0, x->type, x->rank, x->shape);
  if (builder->status) return;
  if (x->type == TA_INT8) {
    ta_unary_int8(builder);
    return;
  }
  int is_not = builder->what == TA_LOGICAL_NOT;
  if (!ta_known(builder, x->type == (is_not ? TA_BOOL : TA_FLOAT32), "numbers of this type")) return;
  unary_params *params = ta_work(builder, is_not ? run_not : run_unary, ta_loops_fit, sizeof *params);
  if (params != NULL) params->what = builder->what;
}

/* -- CAST and SELECT. */

typedef struct {
  int32_t from, to;
} cast_params;

static void run_cast(const ta_step *step, ta_frame *frame) {
  const cast_params *params = step->params;
  const void *x = ta_read(frame, step->in[0]);
  void *y = ta_write(frame, step->out[0]);
  size_t count = ta_count(frame, step->out[0]);
  if (params->from == TA_BOOL && params->to == TA_FLOAT32) {
    for (size_t i = 0; i < count; i++) ((float *)y)[i] = (float)((const uint8_t *)x)[i];
  } else if (params->from == TA_BOOL) {
    for (size_t i = 0; i < count; i++) ((int32_t *)y)[i] = ((const uint8_t *)x)[i];
  } else if (params->to == TA_FLOAT32) {
    for (size_t i = 0; i < count; i++) ((float *)y)[i] = (float)((const int32_t *)x)[i];
  } else {
    for (size_t i = 0; i < count; i++) ((uint8_t *)y)[i] = ((const int32_t *)x)[i] != 0;
  }
}

void ta_prepare_cast(ta_builder *builder) {
  int from = ta_input(builder, 0)->type, to = ta_output(builder, 0)->type;
  ta_gives(builder, 0, to, ta_input(builder, 0)->rank, ta_input(builder, 0)->shape);
  if (from == to && builder->status == TEXTAPP_OK) {
    ta_view(builder, 0, 0, 0);
    return;
  }
  int known = (from == TA_BOOL && (to == TA_FLOAT32 || to == TA_INT32)) ||
              (from == TA_INT32 && (to == TA_FLOAT32 || to == TA_BOOL));
  if (!ta_known(builder, known, "a cast between these types")) return;
  cast_params *params = ta_work(builder, run_cast, ta_loops_fit, sizeof *params);
  if (params == NULL) return;
  params->from = from;
  params->to = to;
}

typedef struct {
  const uint8_t *condition, *x, *y;
  uint8_t *out;
} select_run;

#define SELECT_ROWS(type)                                                                                  \
  static void select_##type(void *user, const size_t *at, size_t out, const ta_loops *loops) {             \
    const select_run *run = user;                                                                          \
    const uint8_t *condition = run->condition + at[0];                                                     \
    const type *x = (const type *)(const void *)run->x + at[1], *y = (const type *)(const void *)run->y + at[2]; \
    type *result = (type *)(void *)run->out + out;                                                         \
    size_t c = loops->step[0][0], a = loops->step[1][0], b = loops->step[2][0];                            \
    for (size_t i = 0; i < loops->size[0]; i++) result[i] = condition[i * c] ? x[i * a] : y[i * b];        \
  }
SELECT_ROWS(uint8_t)
SELECT_ROWS(uint32_t)

typedef struct {
  int32_t width;
} select_params;

static void run_select(const ta_step *step, ta_frame *frame) {
  ta_loops loops;
  select_run run = {ta_read(frame, step->in[0]), ta_read(frame, step->in[1]), ta_read(frame, step->in[2]),
                    ta_write(frame, step->out[0])};
  int bytes = ((const select_params *)step->params)->width == 1;
  if (ta_loops_make(&loops, frame, step->in, 3, step->out[0]))
    ta_loops_run(&loops, bytes ? select_uint8_t : select_uint32_t, &run);
}

void ta_prepare_select(ta_builder *builder) {
  const ta_tensor *condition = ta_input(builder, 0), *x = ta_input(builder, 1), *y = ta_input(builder, 2);
  const ta_tensor *out = ta_output(builder, 0);
  int width = x->type == TA_INT8 || x->type == TA_BOOL ? 1 : 4;
  ta_rule(builder, condition->type == TA_BOOL && x->type == y->type && out->type == x->type,
          "must choose by bool between two tensors of one type");
  ta_known(builder, width == 1 || x->type == TA_FLOAT32 || x->type == TA_INT32, "numbers of this type");
  if (x->type == TA_INT8) {
    int same = x->scale == y->scale && x->scale == out->scale && x->zero_point == y->zero_point &&
               x->zero_point == out->zero_point;
    ta_known(builder, same, "int8 numbers of different scales");
  }
  if (builder->status) return;
  select_params *params = ta_work(builder, run_select, ta_loops_fit, sizeof *params);
  if (params != NULL) params->width = width;
}
