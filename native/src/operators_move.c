/* Operators that move numbers, or only give them another shape. */
#include "operators.h"

static size_t width_of(const ta_tensor *tensor) {
  return ta_type_bytes(tensor->type, 1);
}

static int same_scale(const ta_tensor *x, const ta_tensor *y) {
  return x->type == y->type && x->scale_count == y->scale_count && x->scale_count < 2 &&
         (x->scale_count == 0 || (x->scale == y->scale && x->zero_point == y->zero_point));
}

/* What is moved keeps its type, and integers keep their scale. */
static int check_moved(ta_builder *builder, const ta_tensor *x, const ta_tensor *y) {
  int whole = x->type != TA_INT4 && x->type != TA_INT2 && x->type != TA_FLOAT16;
  return ta_rule(builder, x->type == y->type, "must keep the type") && ta_known(builder, whole, "numbers of this type") &&
         ta_known(builder, same_scale(x, y), "integers that get another scale when they are moved");
}

/* -- Other shapes of the same numbers. */

static void as_view(ta_builder *builder) {
  const ta_tensor *x = ta_input(builder, 0), *y = ta_output(builder, 0);
  check_moved(builder, x, y);
  if (ta_rule(builder, x->count == y->count, "must keep the number of elements")) ta_view(builder, 0, 0, 0);
}

void ta_prepare_reshape(ta_builder *builder) {
  int32_t wanted[TA_INTEGERS];
  const ta_tensor *y = ta_output(builder, 0);
  if (builder->step->in_count > 1) {
    uint32_t count = ta_integers(builder, 1, wanted);
    int fits = count == y->rank, open = 0;
    for (uint32_t axis = 0; axis < count && fits; axis++) {
      fits = wanted[axis] == y->shape[axis] || (wanted[axis] == -1 && open == 0);
      open |= wanted[axis] == -1;
    }
    ta_rule(builder, fits, "its output must have the shape that it names");
  }
  as_view(builder);
}

void ta_prepare_expand_dims(ta_builder *builder) {
  as_view(builder);
}

void ta_prepare_squeeze(ta_builder *builder) {
  as_view(builder);
}

/* -- Boxes: parts of a tensor with a begin and a step on each axis. */

typedef struct {
  int32_t begin[TA_AXES], stride[TA_AXES];
  int32_t dropped; /* a bit for each axis of the input that the output lacks */
  int32_t width;   /* bytes of a number */
} box_params;

/* Sizes of the output for each axis of the input. */
static void box_sizes(const ta_frame *frame, uint32_t x, uint32_t y, int32_t dropped, int32_t *size) {
  const int32_t *shape = ta_shape_of(frame, y);
  uint32_t rank = ta_rank(frame, x), axis = 0;
  for (uint32_t i = 0; i < TA_AXES; i++) {
    int kept = i < rank && !(dropped >> i & 1) && axis < ta_rank(frame, y);
    size[i] = kept ? shape[axis++] : 1;
  }
}

static int box_fits(const ta_step *step, const ta_frame *frame, const box_params *params, uint32_t output) {
  int32_t size[TA_AXES];
  const int32_t *shape = ta_shape_of(frame, step->in[0]);
  box_sizes(frame, step->in[0], output, params->dropped, size);
  size_t count = 1;
  for (uint32_t i = 0; i < TA_AXES; i++) {
    int64_t first = params->begin[i], last = first + (int64_t)params->stride[i] * (size[i] - 1);
    if (TA_MIN(first, last) < 0 || TA_MAX(first, last) >= shape[i]) return 0;
    count *= (size_t)size[i];
  }
  return count == ta_count(frame, output);
}

static int fits_box(const ta_step *step, const ta_frame *frame, size_t *scratch) {
  (void)scratch;
  return box_fits(step, frame, step->params, step->out[0]);
}

/* Copies numbers one after the other where they lie `stride` apart. */
static void copy_strided(const uint8_t *from, int64_t stride, size_t count, size_t width, uint8_t *to) {
  if (stride == (int64_t)width) {
    ta_copy(to, from, count * width);
  } else {
    for (size_t i = 0; i < count; i++) ta_copy(to + i * width, from + (int64_t)i * stride, width);
  }
}

/* Copies a box of TA_AXES axes: `stride` in bytes of each axis, outermost first. */
static void copy_box(const uint8_t *from, const int64_t *stride, const int32_t *size, size_t width, uint8_t *to) {
  int32_t index[TA_AXES] = {0};
  uint32_t inner = TA_AXES - 1;
  while (inner > 0 && size[inner] == 1) inner--;
  size_t run = (size_t)size[inner];
  int64_t step = run == 1 ? (int64_t)width : stride[inner];
  /* Axes that lie one behind the other are one run. */
  while (inner > 0 && step == (int64_t)width && (size[inner - 1] == 1 || stride[inner - 1] == (int64_t)(run * width)))
    run *= (size_t)size[--inner];
  for (;;) {
    copy_strided(from, step, run, width, to);
    to += run * width;
    uint32_t axis = inner;
    while (axis > 0) {
      axis--;
      from += stride[axis];
      if (++index[axis] < size[axis]) break;
      from -= stride[axis] * size[axis];
      index[axis] = 0;
      if (axis == 0) return;
    }
    if (inner == 0) return;
  }
}

static void strides_of(const int32_t *shape, size_t width, int64_t *stride) {
  int64_t bytes = (int64_t)width;
  for (uint32_t i = TA_AXES; i-- > 0;) {
    stride[i] = bytes;
    bytes *= shape[i];
  }
}

static void run_box_of(const ta_frame *frame, uint32_t x, uint32_t y, const box_params *params) {
  int32_t size[TA_AXES];
  int64_t stride[TA_AXES];
  const uint8_t *from = ta_read(frame, x);
  strides_of(ta_shape_of(frame, x), (size_t)params->width, stride);
  box_sizes(frame, x, y, params->dropped, size);
  for (uint32_t i = 0; i < TA_AXES; i++) {
    from += params->begin[i] * stride[i];
    stride[i] *= params->stride[i];
  }
  copy_box(from, stride, size, (size_t)params->width, ta_write(frame, y));
}

static void run_box(const ta_step *step, ta_frame *frame) {
  run_box_of(frame, step->in[0], step->out[0], step->params);
}

/* A box without gaps is a view: all axes before the one that is cut have one index. */
static int is_view(const ta_tensor *x, const box_params *params, const int32_t *size, size_t *offset) {
  int cut = 0;
  *offset = 0;
  for (uint32_t i = 0; i < TA_AXES; i++) {
    int whole = size[i] == x->shape[i];
    if (size[i] > 1 && params->stride[i] != 1) return 0;
    if (cut && !whole) return 0;
    if (size[i] > 1) cut = 1;
    *offset = *offset * (size_t)x->shape[i] + (size_t)params->begin[i];
  }
  *offset *= (size_t)params->width;
  return *offset % 4 == 0 || params->width == 1;
}

/* Makes the step of a box; `params` are filled. */
static void make_box(ta_builder *builder, const box_params *filled) {
  ta_frame frame = {builder->program, NULL, NULL, NULL, NULL, NULL};
  int32_t size[TA_AXES];
  size_t offset;
  const ta_tensor *x = ta_input(builder, 0);
  check_moved(builder, x, ta_output(builder, 0));
  if (builder->status) return;
  box_sizes(&frame, builder->step->in[0], builder->step->out[0], filled->dropped, size);
  ta_rule(builder, box_fits(builder->step, &frame, filled, builder->step->out[0]), "leads out of its input");
  if (builder->status) return;
  if (is_view(x, filled, size, &offset)) {
    ta_view(builder, 0, 0, offset);
    return;
  }
  box_params *params = ta_work(builder, run_box, fits_box, sizeof *params);
  if (params != NULL) *params = *filled;
}

static void empty_box(box_params *params, const ta_tensor *x) {
  ta_fill(params, 0, sizeof *params);
  params->width = (int32_t)width_of(x);
  for (uint32_t i = 0; i < TA_AXES; i++) params->stride[i] = 1;
}

/* Begin and number of indices of an axis, as Python's slices have them. */
static int32_t sliced(int32_t size, int32_t *begin, int32_t end, int32_t stride, int from_start, int to_end) {
  int64_t first = *begin, last = end, least = stride > 0 ? 0 : -1, most = stride > 0 ? size : size - 1;
  if (first < 0) first += size;
  if (last < 0) last += size;
  first = first < least ? least : first > most ? most : first;
  last = last < least ? least : last > most ? most : last;
  if (from_start) first = stride > 0 ? 0 : size - 1;
  if (to_end) last = stride > 0 ? size : -1;
  *begin = (int32_t)first;
  int64_t steps = stride > 0 ? (last - first + stride - 1) / stride : (first - last - stride - 1) / -(int64_t)stride;
  return steps > 0 ? (int32_t)steps : 0;
}

void ta_prepare_strided_slice(ta_builder *builder) {
  const ta_tensor *x = ta_input(builder, 0);
  int32_t begins[TA_INTEGERS], ends[TA_INTEGERS], strides[TA_INTEGERS], shape[TA_AXES];
  uint32_t count = ta_integers(builder, 1, begins);
  int counts = ta_integers(builder, 2, ends) == count && ta_integers(builder, 3, strides) == count;
  int32_t begin_mask = ta_option(builder, 0, 0), end_mask = ta_option(builder, 1, 0), shrink = ta_option(builder, 4, 0);
  ta_rule(builder, counts && count == x->rank, "must have three numbers for each axis");
  ta_known(builder, ta_option(builder, 2, 0) == 0 && ta_option(builder, 3, 0) == 0 && !ta_flag(builder, 5),
           "an ellipsis, new axes or offsets");
  if (builder->status) return;
  box_params params;
  empty_box(&params, x);
  uint32_t rank = 0;
  for (uint32_t i = 0; i < count; i++) {
    int32_t begin = begins[i], stride = strides[i], size = x->shape[i];
    if (!ta_rule(builder, stride != 0 && stride > -65536 && stride < 65536, "a stride must not be 0")) return;
    if (shrink >> i & 1) {
      begin = begin < 0 ? begin + size : begin;
      if (!ta_rule(builder, begin >= 0 && begin < size && stride == 1, "an index does not exist")) return;
      params.dropped |= 1 << i;
    } else {
      shape[rank] = sliced(size, &begin, ends[i], stride, begin_mask >> i & 1, end_mask >> i & 1);
      if (!ta_rule(builder, shape[rank] > 0, "its output is empty")) return;
      params.stride[i] = stride;
      rank++;
    }
    params.begin[i] = begin;
  }
  ta_gives(builder, 0, x->type, rank, shape);
  make_box(builder, &params);
}

void ta_prepare_slice(ta_builder *builder) {
  const ta_tensor *x = ta_input(builder, 0);
  int32_t begins[TA_INTEGERS], sizes[TA_INTEGERS], shape[TA_AXES];
  uint32_t count = ta_integers(builder, 1, begins);
  ta_rule(builder, ta_integers(builder, 2, sizes) == count && count == x->rank, "must have two numbers for each axis");
  if (builder->status) return;
  box_params params;
  empty_box(&params, x);
  for (uint32_t i = 0; i < count; i++) {
    if (!ta_rule(builder, begins[i] >= 0 && begins[i] < x->shape[i], "a begin does not exist")) return;
    params.begin[i] = begins[i];
    shape[i] = sizes[i] == -1 ? x->shape[i] - begins[i] : sizes[i];
  }
  ta_gives(builder, 0, x->type, count, shape);
  make_box(builder, &params);
}

/* -- Parts: SPLIT and UNPACK. */

typedef struct {
  uint32_t axis;
  int32_t keeps_axis, width, begins_at_zero; /* the last one: part k begins at k times its size */
} parts_params;

static void part_box(const ta_step *step, const ta_frame *frame, uint32_t x, uint32_t part, box_params *box) {
  const parts_params *params = step->params;
  ta_fill(box, 0, sizeof *box);
  box->width = params->width;
  for (uint32_t i = 0; i < TA_AXES; i++) box->stride[i] = 1;
  int32_t size = params->keeps_axis ? ta_shape_of(frame, step->out[part])[params->axis] : 1;
  (void)x;
  box->begin[params->axis] = (int32_t)part * size;
  if (!params->keeps_axis) box->dropped = 1 << params->axis;
}

static uint32_t source_of(const ta_step *step) {
  return step->in[step->in_count - 1]; /* SPLIT has its axis first */
}

static int fits_parts(const ta_step *step, const ta_frame *frame, size_t *scratch) {
  (void)scratch;
  ta_step part = *step;
  uint32_t x = source_of(step);
  part.in = &x;
  for (uint32_t k = 0; k < step->out_count; k++) {
    box_params box;
    part_box(step, frame, x, k, &box);
    if (!box_fits(&part, frame, &box, step->out[k])) return 0;
  }
  return 1;
}

static void run_parts(const ta_step *step, ta_frame *frame) {
  for (uint32_t k = 0; k < step->out_count; k++) {
    box_params box;
    part_box(step, frame, source_of(step), k, &box);
    run_box_of(frame, source_of(step), step->out[k], &box);
  }
}

static void make_parts(ta_builder *builder, uint32_t input, uint32_t axis, int keeps_axis) {
  ta_frame frame = {builder->program, NULL, NULL, NULL, NULL, NULL};
  const ta_tensor *x = ta_input(builder, input);
  uint32_t count = builder->step->out_count;
  int32_t shape[TA_AXES];
  uint32_t rank = 0;
  for (uint32_t i = 0; i < x->rank; i++) {
    if (i == axis && !keeps_axis) continue;
    shape[rank++] = i == axis ? x->shape[i] / (int32_t)count : x->shape[i];
  }
  int divides = keeps_axis ? x->shape[axis] % (int32_t)count == 0 : (uint32_t)x->shape[axis] == count;
  ta_rule(builder, divides && ta_option(builder, 0, 0) == (int32_t)count, "must have an output for each part");
  for (uint32_t k = 0; k < count && builder->status == TEXTAPP_OK; k++) {
    ta_gives(builder, k, x->type, rank, shape);
    check_moved(builder, x, ta_output(builder, k));
  }
  if (builder->status) return;
  size_t before = 1;
  for (uint32_t i = 0; i < axis; i++) before *= (size_t)x->shape[i];
  size_t bytes = x->size / count;
  if (before == 1 && (bytes % 4 == 0 || width_of(x) == 1)) {
    for (uint32_t k = 0; k < count; k++) ta_view(builder, input, k, k * bytes);
    return;
  }
  parts_params *params = ta_work(builder, run_parts, fits_parts, sizeof *params);
  if (params == NULL) return;
  params->axis = axis;
  params->keeps_axis = keeps_axis;
  params->width = (int32_t)width_of(x);
  size_t scratch;
  ta_rule(builder, fits_parts(builder->step, &frame, &scratch), "leads out of its input");
}

void ta_prepare_split(ta_builder *builder) {
  int32_t axis[TA_INTEGERS];
  if (!ta_rule(builder, ta_integers(builder, 0, axis) == 1, "must name one axis")) return;
  uint32_t split = ta_axis(builder, axis[0], ta_input(builder, 1)->rank);
  if (builder->status == TEXTAPP_OK) make_parts(builder, 1, split, 1);
}

void ta_prepare_unpack(ta_builder *builder) {
  uint32_t axis = ta_axis(builder, ta_option(builder, 1, 0), ta_input(builder, 0)->rank);
  if (builder->status == TEXTAPP_OK) make_parts(builder, 0, axis, 0);
}

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
    check_moved(builder, x, ta_output(builder, 0));
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
  params->width = (int32_t)width_of(first);
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
  strides_of(out, width, stride);
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
  check_moved(builder, x, ta_output(builder, 0));
  ta_known(builder, width_of(x) == 1 || width_of(x) == 4, "numbers of this type");
  if (builder->status) return;
  pad_params *params = ta_work(builder, run_pad, fits_pad, sizeof *params);
  for (uint32_t i = 0; i < x->rank && params != NULL; i++) {
    int64_t size = (int64_t)x->shape[i] + numbers[2 * i] + numbers[2 * i + 1];
    if (!ta_rule(builder, numbers[2 * i] >= 0 && numbers[2 * i + 1] >= 0 && size <= INT32_MAX, "amounts must be 0 or more"))
      return;
    params->before[i] = numbers[2 * i];
    shape[i] = (int32_t)size;
  }
  if (params == NULL) return;
  ta_gives(builder, 0, x->type, x->rank, shape);
  params->width = (int32_t)width_of(x);
  if (x->type == TA_INT8) params->value = (uint8_t)(int8_t)x->zero_point;
  if (builder->step->in_count > 2) {
    const ta_tensor *value = ta_input(builder, 2);
    int fits = value->count == 1 && same_scale(value, x);
    if (!ta_known(builder, fits && ta_is_constant(builder, 2), "a value to pad with that is no constant of its type")) return;
    ta_copy(&params->value, builder->program->slots[builder->step->in[2]].constant, (size_t)params->width);
    if (params->width == 1) params->value = *(const uint8_t *)builder->program->slots[builder->step->in[2]].constant;
  }
}

/* -- REVERSE_V2 and TRANSPOSE. */

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
  check_moved(builder, x, ta_output(builder, 0));
  ta_gives(builder, 0, x->type, x->rank, x->shape);
  if (builder->status) return;
  reverse_params *params = ta_work(builder, run_reverse, fits_same, sizeof *params);
  if (params == NULL) return;
  params->axis = axis;
  params->width = (int32_t)width_of(x);
}

typedef struct {
  int32_t order[TA_AXES];
  int32_t width;
} transpose_params;

static void run_transpose(const ta_step *step, ta_frame *frame) {
  const transpose_params *params = step->params;
  int64_t in[TA_AXES], stride[TA_AXES];
  strides_of(ta_shape_of(frame, step->in[0]), (size_t)params->width, in);
  for (uint32_t i = 0; i < TA_AXES; i++) stride[i] = in[params->order[i]];
  copy_box(ta_read(frame, step->in[0]), stride, ta_shape_of(frame, step->out[0]), (size_t)params->width,
           ta_write(frame, step->out[0]));
}

static int fits_transpose(const ta_step *step, const ta_frame *frame, size_t *scratch) {
  const transpose_params *params = step->params;
  (void)scratch;
  for (uint32_t i = 0; i < TA_AXES; i++)
    if (ta_shape_of(frame, step->out[0])[i] != ta_shape_of(frame, step->in[0])[params->order[i]]) return 0;
  return 1;
}

void ta_prepare_transpose(ta_builder *builder) {
  const ta_tensor *x = ta_input(builder, 0);
  int32_t order[TA_INTEGERS], shape[TA_AXES] = {0};
  uint32_t count = ta_integers(builder, 1, order), seen = 0;
  if (!ta_rule(builder, count == x->rank, "must name each axis once")) return;
  transpose_params *params = ta_work(builder, run_transpose, fits_transpose, sizeof *params);
  if (params == NULL) return;
  for (uint32_t i = 0; i < TA_AXES; i++) params->order[i] = (int32_t)i;
  for (uint32_t i = 0; i < count; i++) {
    uint32_t axis = ta_axis(builder, order[i], x->rank);
    if (!ta_rule(builder, !(seen >> axis & 1), "must name each axis once")) return;
    seen |= 1u << axis;
    params->order[i] = (int32_t)axis;
    shape[i] = x->shape[axis];
  }
  check_moved(builder, x, ta_output(builder, 0));
  ta_gives(builder, 0, x->type, x->rank, shape);
  params->width = (int32_t)width_of(x);
}
