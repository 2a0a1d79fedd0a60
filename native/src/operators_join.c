/* Operators that put tensors together, pad them, or reverse them. */
#include "operators.h"

/* -- Joining: CONCATENATION and PACK. */

typedef struct {
  uint32_t axis;
  int32_t is_new, width;
} join_params;

/* The numbers before an axis, and the bytes of an input from the axis on. */
static size_t before_axis(const int32_t *shape, uint32_t axis) {
  size_t count = 1;
  for (uint32_t i = 0; i < axis; i++) count *= (size_t)shape[i];
  return count;
}

static int fits_join(const ta_step *step, const ta_frame *frame, size_t *scratch) {
  const join_params *params = step->params;
  size_t total = 0, before = before_axis(ta_shape_of(frame, step->out[0]), params->axis);
  (void)scratch;
  for (uint32_t i = 0; i < step->in_count; i++) {
    if (before_axis(ta_shape_of(frame, step->in[i]), params->axis) != before) return 0;
    total += ta_count(frame, step->in[i]);
  }
  return total == ta_count(frame, step->out[0]);
}

static void run_join(const ta_step *step, ta_frame *frame) {
  const join_params *params = step->params;
  uint8_t *to = ta_write(frame, step->out[0]);
  size_t before = before_axis(ta_shape_of(frame, step->out[0]), params->axis);
  size_t row = ta_count(frame, step->out[0]) / before * (size_t)params->width, at = 0;
  for (uint32_t i = 0; i < step->in_count; i++) {
    const uint8_t *from = ta_read(frame, step->in[i]);
    size_t size = ta_count(frame, step->in[i]) / before * (size_t)params->width;
    for (size_t k = 0; k < before; k++) ta_copy(to + k * row + at, from + k * size, size);
    at += size;
  }
}

static void make_join(ta_builder *builder, uint32_t axis, int is_new) {
  const ta_tensor *first = ta_input(builder, 0);
  int32_t shape[TA_AXES];
  uint32_t rank = 0, count = builder->step->in_count;
  int64_t total = 0;
  for (uint32_t k = 0; k < count && builder->status == TEXTAPP_OK; k++) {
    const ta_tensor *x = ta_input(builder, k);
    int same = x->rank == first->rank;
    for (uint32_t i = 0; i < first->rank && same; i++)
      same = x->shape[i] == first->shape[i] || (i == axis && !is_new);
    ta_rule(builder, same, "its inputs must differ in one axis only");
    ta_check_moved(builder, x, ta_output(builder, 0));
    total += is_new ? 1 : x->shape[axis];
  }
  ta_rule(builder, total <= INT32_MAX && first->rank + (is_new ? 1u : 0u) <= TA_AXES, "is too large");
  if (builder->status) return;
  for (uint32_t i = 0; i < first->rank || (is_new && i == axis && i <= first->rank); i++) {
    if (i == axis) shape[rank++] = (int32_t)total;
    if (i < first->rank && (i != axis || is_new)) shape[rank++] = first->shape[i];
  }
  ta_gives(builder, 0, first->type, rank, shape);
  join_params *params = ta_work(builder, run_join, fits_join, sizeof *params);
  if (params == NULL) return;
  params->axis = axis;
  params->is_new = is_new;
  params->width = (int32_t)ta_number_bytes(first);
}

void ta_prepare_concatenation(ta_builder *builder) {
  uint32_t axis = ta_axis(builder, ta_option(builder, 0, 0), ta_input(builder, 0)->rank);
  ta_known(builder, ta_flag(builder, 1) == 0, "a fused activation");
  if (builder->status == TEXTAPP_OK) make_join(builder, axis, 0);
}

void ta_prepare_pack(ta_builder *builder) {
  uint32_t axis = ta_axis(builder, ta_option(builder, 1, 0), ta_input(builder, 0)->rank + 1u);
  ta_rule(builder, ta_option(builder, 0, 0) == (int32_t)builder->step->in_count, "must count its inputs");
  if (builder->status == TEXTAPP_OK) make_join(builder, axis, 1);
}

/* -- PAD and PADV2. */

typedef struct {
  int32_t before[TA_AXES];
  int32_t width;
  uint32_t value; /* bytes of a number */
} pad_params;

static int fits_pad(const ta_step *step, const ta_frame *frame, size_t *scratch) {
  const pad_params *params = step->params;
  const int32_t *in = ta_shape_of(frame, step->in[0]), *out = ta_shape_of(frame, step->out[0]);
  (void)scratch;
  for (uint32_t i = 0; i < TA_AXES; i++)
    if (params->before[i] + (int64_t)in[i] > out[i]) return 0;
  return 1;
}

static void fill_numbers(uint8_t *to, const pad_params *params, size_t count) {
  if (params->width == 1 || params->value == 0) {
    ta_fill(to, (int)params->value, count * (size_t)params->width);
  } else {
    for (size_t i = 0; i < count; i++) ((uint32_t *)(void *)to)[i] = params->value;
  }
}

/* Rows before and behind the numbers: only the first axis of more than one index is padded. */
static int pad_rows(const pad_params *params, const int32_t *in, const int32_t *out, const uint8_t *from, uint8_t *to) {
  uint32_t axis = 0;
  size_t row = 1;
  while (axis + 1 < TA_AXES && out[axis] == 1) axis++;
  for (uint32_t i = axis + 1; i < TA_AXES; i++) {
    if (in[i] != out[i]) return 0;
    row *= (size_t)in[i];
  }
  size_t before = (size_t)params->before[axis] * row, count = (size_t)in[axis] * row, all = (size_t)out[axis] * row;
  size_t width = (size_t)params->width;
  fill_numbers(to, params, before);
  ta_copy(to + before * width, from, count * width);
  fill_numbers(to + (before + count) * width, params, all - before - count);
  return 1;
}

static void run_pad(const ta_step *step, ta_frame *frame) {
  const pad_params *params = step->params;
  const int32_t *in = ta_shape_of(frame, step->in[0]), *out = ta_shape_of(frame, step->out[0]);
  const uint8_t *from = ta_read(frame, step->in[0]);
  uint8_t *to = ta_write(frame, step->out[0]);
  size_t width = (size_t)params->width;
  if (pad_rows(params, in, out, from, to)) return;
  fill_numbers(to, params, ta_count(frame, step->out[0]));
  int64_t stride[TA_AXES];
  ta_strides(out, width, stride);
  for (uint32_t i = 0; i < TA_AXES; i++) to += params->before[i] * stride[i];
  size_t row = (size_t)in[TA_AXES - 1] * width;
  uint32_t inner = TA_AXES - 1; /* axes from `inner` on are copied as one run */
  while (inner > 0 && in[inner] == out[inner]) row *= (size_t)in[--inner];
  int32_t index[TA_AXES] = {0};
  for (;;) {
    ta_copy(to, from, row);
    from += row;
    uint32_t axis = inner;
    while (axis > 0) {
      axis--;
      to += stride[axis];
      if (++index[axis] < in[axis]) break;
      to -= stride[axis] * in[axis];
      index[axis] = 0;
      if (axis == 0) return;
    }
    if (inner == 0) return;
  }
}

void ta_prepare_pad(ta_builder *builder) {
  const ta_tensor *x = ta_input(builder, 0), *amounts = ta_input(builder, 1);
  int32_t numbers[TA_INTEGERS], shape[TA_AXES] = {0};
  uint32_t count = ta_integers(builder, 1, numbers);
  ta_rule(builder, count == 2u * x->rank && amounts->rank == 2, "must have two amounts for each axis");
  ta_check_moved(builder, x, ta_output(builder, 0));
  ta_known(builder, ta_number_bytes(x) == 1 || ta_number_bytes(x) == 4, "numbers of this type");
  if (builder->status) return;
  pad_params *params = ta_work(builder, run_pad, fits_pad, sizeof *params);
  for (uint32_t i = 0; i < x->rank && params != NULL; i++) {
    int64_t size = (int64_t)x->shape[i] + numbers[2 * i] + numbers[2 * i + 1];
    if (!ta_rule(builder, numbers[2 * i] >= 0 && numbers[2 * i + 1] >= 0 && size <= INT32_MAX,
                 "amounts must be 0 or more"))
      return;
    params->before[i] = numbers[2 * i];
    shape[i] = (int32_t)size;
  }
  if (params == NULL) return;
  ta_gives(builder, 0, x->type, x->rank, shape);
  params->width = (int32_t)ta_number_bytes(x);
  if (x->type == TA_INT8) params->value = (uint8_t)(int8_t)x->zero_point;
  if (builder->step->in_count > 2) {
    const ta_tensor *value = ta_input(builder, 2);
    int fits = value->count == 1 && ta_same_scale(value, x);
    if (!ta_known(builder, fits && ta_is_constant(builder, 2),
                  "a value to pad with that is no constant of its type")) return;
    ta_copy(&params->value, builder->program->slots[builder->step->in[2]].constant, (size_t)params->width);
    if (params->width == 1) params->value = *(const uint8_t *)builder->program->slots[builder->step->in[2]].constant;
  }
}

/* -- REVERSE_V2. */

typedef struct {
  uint32_t axis;
  int32_t width;
} reverse_params;

static int fits_same(const ta_step *step, const ta_frame *frame, size_t *scratch) {
  (void)scratch;
  return ta_count(frame, step->in[0]) == ta_count(frame, step->out[0]);
}

static void run_reverse(const ta_step *step, ta_frame *frame) {
  const reverse_params *params = step->params;
  const int32_t *shape = ta_shape_of(frame, step->in[0]);
  const uint8_t *from = ta_read(frame, step->in[0]);
  uint8_t *to = ta_write(frame, step->out[0]);
  size_t before = before_axis(shape, params->axis), size = (size_t)shape[params->axis];
  size_t row = ta_count(frame, step->in[0]) / before / size * (size_t)params->width;
  for (size_t k = 0; k < before; k++)
    for (size_t i = 0; i < size; i++)
      ta_copy(to + (k * size + i) * row, from + (k * size + size - 1 - i) * row, row);
}

void ta_prepare_reverse(ta_builder *builder) {
  const ta_tensor *x = ta_input(builder, 0);
  int32_t axes[TA_INTEGERS];
  ta_rule(builder, ta_integers(builder, 1, axes) == 1, "must name one axis");
  if (builder->status) return;
  uint32_t axis = ta_axis(builder, axes[0], x->rank);
  ta_check_moved(builder, x, ta_output(builder, 0));
  ta_gives(builder, 0, x->type, x->rank, x->shape);
  if (builder->status) return;
  reverse_params *params = ta_work(builder, run_reverse, fits_same, sizeof *params);
  if (params == NULL) return;
  params->axis = axis;
  params->width = (int32_t)ta_number_bytes(x);
}
