/* Operators that move numbers, or only give them another shape. */
#include "operators.h"

size_t ta_number_bytes(const ta_tensor *tensor) {
  return ta_type_bytes(tensor->type, 1);
}

int ta_same_scale(const ta_tensor *x, const ta_tensor *y) {
  return x->type == y->type && x->scale_count == y->scale_count && x->scale_count < 2 &&
         (x->scale_count == 0 || (x->scale == y->scale && x->zero_point == y->zero_point));
}

int ta_check_moved(ta_builder *builder, const ta_tensor *x, const ta_tensor *y) {
  int whole = x->type != TA_INT4 && x->type != TA_INT2 && x->type != TA_FLOAT16;
  return ta_rule(builder, x->type == y->type, "must keep the type") && ta_known(builder, whole,
                                                                                "numbers of this type") &&
         ta_known(builder, ta_same_scale(x, y), "integers that get another scale when they are moved");
}

/* -- Other shapes of the same numbers. */

static void as_view(ta_builder *builder) {
  const ta_tensor *x = ta_input(builder, 0), *y = ta_output(builder, 0);
  ta_check_moved(builder, x, y);
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

void ta_strides(const int32_t *shape, size_t width, int64_t *stride) {
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
  ta_strides(ta_shape_of(frame, x), (size_t)params->width, stride);
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
  ta_check_moved(builder, x, ta_output(builder, 0));
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
  params->width = (int32_t)ta_number_bytes(x);
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
    ta_check_moved(builder, x, ta_output(builder, k));
  }
  if (builder->status) return;
  size_t before = 1;
  for (uint32_t i = 0; i < axis; i++) before *= (size_t)x->shape[i];
  size_t bytes = x->size / count;
  if (before == 1 && (bytes % 4 == 0 || ta_number_bytes(x) == 1)) {
    for (uint32_t k = 0; k < count; k++) ta_view(builder, input, k, k * bytes);
    return;
  }
  parts_params *params = ta_work(builder, run_parts, fits_parts, sizeof *params);
  if (params == NULL) return;
  params->axis = axis;
  params->keeps_axis = keeps_axis;
  params->width = (int32_t)ta_number_bytes(x);
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

/* -- TRANSPOSE. */

typedef struct {
  int32_t order[TA_AXES];
  int32_t width;
} transpose_params;

static void run_transpose(const ta_step *step, ta_frame *frame) {
  const transpose_params *params = step->params;
  int64_t in[TA_AXES], stride[TA_AXES];
  ta_strides(ta_shape_of(frame, step->in[0]), (size_t)params->width, in);
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
  ta_check_moved(builder, x, ta_output(builder, 0));
  ta_gives(builder, 0, x->type, x->rank, shape);
  params->width = (int32_t)ta_number_bytes(x);
}
