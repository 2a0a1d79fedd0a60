/* Products with weights: FULLY_CONNECTED, CONV_2D, BATCH_MATMUL and EMBEDDING_LOOKUP. */
#include "fixed_point.h"
#include "operators.h"

/* -- What products with a packed matrix share. */

typedef struct {
  const ta_packed *weights;
  int32_t activation;
  /* int8 */
  const float *factors; /* of each output: scale of input times weights, divided by that of the output */
  int32_t in_zero, out_zero, least;
  /* CONV_2D */
  int32_t height, width, channels, stride[2], dilation[2], same;
} product_params;

#define TILE 32 /* rows that are computed at once, so that what a step needs beside its tensors stays small */

size_t ta_product_scratch(size_t inputs) {
  return TILE * ta_padded(inputs);
}

void ta_product_rows(const ta_kernels *kernels, const ta_packed *packed, const float *x, size_t rows, const float *bias,
                     int add, ta_rounding rounding, float *y, void *scratch) {
  const ta_matrix *matrix = &packed->matrix;
  size_t inputs = matrix->inputs, outputs = matrix->outputs, padded = ta_padded(inputs);
  if (matrix->is_float) {
    kernels->float_product(matrix, x, inputs, rows, bias, add, y, outputs);
    return;
  }
  int8_t *quantized = scratch;
  float scales[TILE];
  int32_t zeros[TILE];
  for (size_t done = 0; done < rows; done += TILE, x += TILE * inputs, y += TILE * outputs) {
    size_t count = TA_MIN((size_t)TILE, rows - done);
    kernels->quantize_ranges(x, count, inputs, rounding, quantized, scales, zeros);
    kernels->int8_product(matrix, quantized, padded, scales, zeros, count, bias, add, y, outputs);
  }
}

/* From sums of products to int8. */
static void to_int8_rows(const product_params *params, const int32_t *sums, size_t rows, size_t outputs,
                         const int32_t *bias, int8_t *y) {
  for (size_t i = 0; i < rows; i++)
    for (size_t n = 0; n < outputs; n++) {
      int32_t sum = (int32_t)((uint32_t)sums[i * outputs + n] + (bias ? (uint32_t)bias[n] : 0u));
      y[i * outputs + n] = ta_to_int8((float)sum * params->factors[n], params->out_zero, params->least);
    }
}

static size_t int8_scratch(size_t inputs, size_t outputs) {
  return TILE * ta_padded(inputs) + ta_padded(TILE * outputs * sizeof(int32_t));
}

/* The scale of an output of weights. */
static float weight_scale(const ta_packed *weights, uint32_t output) {
  const ta_tensor *part = weights->parts[0];
  return part->scale_count == 1 ? part->scale : ta_f32(part->scales + 4 * (size_t)output);
}

/* Checks types and bias, packs the weights, and fills what integers need. */
static int prepare_product(ta_builder *builder, product_params *params, int32_t activation) {
  static const uint32_t weights_at[1] = {1};
  const ta_tensor *x = ta_input(builder, 0), *y = ta_output(builder, 0), *bias = ta_input(builder, 2);
  const ta_tensor *weights = ta_input(builder, 1);
  ta_rule(builder, activation >= 0 && activation <= 3, "its activation must be none or a ReLU");
  ta_known(builder, ta_is_constant(builder, 1), "weights that are computed");
  int integers = x->type == TA_INT8;
  ta_known(builder, (integers && weights->type == TA_INT8) || (x->type == TA_FLOAT32 && (weights->type == TA_INT8 ||
                                                                                         weights->type == TA_FLOAT32)),
           "numbers of these types");
  if (bias != NULL) {
    ta_rule(builder, bias->count == (size_t)weights->shape[0] && bias->type == (integers ? TA_INT32 : TA_FLOAT32),
            "its bias must have a number for each output");
    ta_known(builder, !integers || bias->data != NULL, "an int32 bias that is computed");
  }
  if (builder->status) return 0;
  params->weights = ta_pack(builder, weights_at, 1);
  params->activation = activation;
  if (params->weights != NULL) builder->step->work = params->weights->matrix.inputs;
  if (params->weights == NULL || !integers) return builder->status == TEXTAPP_OK;
  uint32_t outputs = params->weights->matrix.outputs;
  float *factors = ta_memory(builder, outputs, sizeof *factors);
  if (factors == NULL) return 0;
  for (uint32_t n = 0; n < outputs; n++) factors[n] = x->scale * weight_scale(params->weights, n) / y->scale;
  params->factors = factors;
  params->in_zero = x->zero_point;
  params->out_zero = y->zero_point;
  params->least = activation == 1 || activation == 3 ? y->zero_point : -128;
  return ta_known(builder, activation < 2, "an int8 activation other than ReLU");
}

/* -- FULLY_CONNECTED. */

static int fits_connected(const ta_step *step, const ta_frame *frame, size_t *scratch) {
  const ta_packed *weights = ((const product_params *)step->params)->weights;
  size_t inputs = weights->matrix.inputs, outputs = weights->matrix.outputs, count = ta_count(frame, step->in[0]);
  int integers = frame->program->graph.tensors[step->in[0]].type == TA_INT8;
  *scratch = integers ? int8_scratch(inputs, outputs) : ta_product_scratch(inputs);
  return count % inputs == 0 && count / inputs * outputs == ta_count(frame, step->out[0]);
}

static const void *bias_of(const ta_step *step, const ta_frame *frame) {
  return step->in_count > 2 && step->in[2] != TA_NO_TENSOR ? ta_read(frame, step->in[2]) : NULL;
}

static void run_connected(const ta_step *step, ta_frame *frame) {
  const product_params *params = step->params;
  const ta_matrix *matrix = &params->weights->matrix;
  float *y = ta_write(frame, step->out[0]);
  size_t rows = ta_count(frame, step->in[0]) / matrix->inputs;
  ta_product_rows(frame->kernels, params->weights, ta_read(frame, step->in[0]), rows, bias_of(step, frame), 0,
                  TA_EVEN, y,
                  frame->scratch);
  ta_activate_all(params->activation, y, rows * matrix->outputs);
}

static void run_connected_int8(const ta_step *step, ta_frame *frame) {
  const product_params *params = step->params;
  const ta_matrix *matrix = &params->weights->matrix;
  size_t inputs = matrix->inputs, outputs = matrix->outputs, padded = ta_padded(inputs);
  const int8_t *x = ta_read(frame, step->in[0]);
  int8_t *y = ta_write(frame, step->out[0]), *rows = (int8_t *)frame->scratch;
  int32_t *sums = (int32_t *)(void *)(frame->scratch + TILE * padded);
  size_t count = ta_count(frame, step->in[0]) / inputs;
  for (size_t done = 0; done < count; done += TILE) {
    size_t some = TA_MIN((size_t)TILE, count - done);
    for (size_t i = 0; i < some; i++) {
      ta_copy(rows + i * padded, x + (done + i) * inputs, inputs);
      ta_fill(rows + i * padded + inputs, 0, padded - inputs);
    }
    frame->kernels->int8_sums(matrix, rows, padded, params->in_zero, some, sums, outputs);
    to_int8_rows(params, sums, some, outputs, bias_of(step, frame), y + done * outputs);
  }
}

void ta_prepare_fully_connected(ta_builder *builder) {
  const ta_tensor *x = ta_input(builder, 0), *weights = ta_input(builder, 1);
  ta_rule(builder, weights->rank == 2 && x->rank > 0, "its weights must have 2 axes, its input 1 or more");
  ta_known(builder, ta_flag(builder, 1) == 0, "shuffled weights");
  if (builder->status) return;
  int32_t shape[TA_AXES], units = weights->shape[0], width = weights->shape[1];
  uint32_t rank = 2;
  int keeps = ta_flag(builder, 2);
  ta_rule(builder, x->count % (size_t)width == 0 && (!keeps || x->shape[x->rank - 1] == width),
          "its weights do not fit its input");
  shape[0] = (int32_t)(x->count / (size_t)width);
  shape[1] = units;
  if (keeps) {
    rank = x->rank;
    for (uint32_t i = 0; i < rank; i++) shape[i] = i + 1 == rank ? units : x->shape[i];
  }
  ta_gives(builder, 0, x->type, rank, shape);
  int integers = x->type == TA_INT8;
  product_params *params = ta_work(builder, integers ? run_connected_int8 : run_connected, fits_connected,
                                   sizeof *params);
  if (params != NULL) prepare_product(builder, params, ta_flag(builder, 0));
}

/* -- CONV_2D, of batches of 1 or more: the numbers below a window of weights become a row. */

/* The first place of a window along an axis, and the number of windows. */
static int32_t window_start(const product_params *params, int axis, int32_t size, int32_t windows) {
  int32_t kernel = axis == 0 ? params->height : params->width;
  int32_t extent = (kernel - 1) * params->dilation[axis] + 1;
  int32_t needed = (windows - 1) * params->stride[axis] + extent - size;
  return params->same && needed > 0 ? -(needed / 2) : 0;
}

static int32_t window_count(const product_params *params, int axis, int32_t size) {
  int32_t kernel = axis == 0 ? params->height : params->width, stride = params->stride[axis];
  int32_t extent = (kernel - 1) * params->dilation[axis] + 1;
  if (params->same) return (size + stride - 1) / stride;
  return extent > size ? 0 : (size - extent) / stride + 1;
}

static size_t window_scratch(const product_params *params, size_t elements, int type) {
  size_t inputs = params->weights->matrix.inputs, outputs = params->weights->matrix.outputs;
  size_t windows = TILE * ta_padded(inputs) * (params->weights->matrix.is_float ||
                                               params->weights->parts[0]->type == TA_FLOAT32 ? 4 : 1);
  size_t whole = type == TA_FLOAT32 ? ta_padded(elements) : 0;
  return windows + whole + ta_padded(TILE * outputs * sizeof(int32_t));
}

static int fits_convolution(const ta_step *step, const ta_frame *frame, size_t *scratch) {
  const product_params *params = step->params;
  const int32_t *x = ta_shape_of(frame, step->in[0]), *y = ta_shape_of(frame, step->out[0]);
  *scratch = window_scratch(params, ta_count(frame, step->in[0]), frame->program->graph.tensors[step->in[0]].type);
  return x[3] == params->channels && y[0] == x[0] && y[1] == window_count(params, 0, x[1]) &&
         y[2] == window_count(params, 1, x[2]) && y[1] > 0 && y[2] > 0 &&
         (uint32_t)y[3] == params->weights->matrix.outputs;
}

/* Copies the window of an output place; `width` bytes a number, `outside` where it leads out of the input. */
static void copy_window(const product_params *params, const uint8_t *x, const int32_t *shape, int32_t top, int32_t left,
                        size_t width, int outside, uint8_t *to) {
  size_t pixel = (size_t)params->channels * width;
  for (int32_t i = 0; i < params->height; i++) {
    int32_t row = top + i * params->dilation[0];
    for (int32_t k = 0; k < params->width; k++, to += pixel) {
      int32_t column = left + k * params->dilation[1];
      int inside = row >= 0 && row < shape[1] && column >= 0 && column < shape[2];
      if (inside) ta_copy(to, x + ((size_t)row * (size_t)shape[2] + (size_t)column) * pixel, pixel);
      else ta_fill(to, outside, pixel);
    }
  }
}

/* Rows of windows from the `first` output place on. */
static void copy_windows(const product_params *params, const uint8_t *x, const int32_t *in, const int32_t *out,
                         size_t first, size_t count, size_t width, int outside, uint8_t *rows, size_t stride) {
  int32_t top = window_start(params, 0, in[1], out[1]), left = window_start(params, 1, in[2], out[2]);
  size_t image = (size_t)in[1] * (size_t)in[2] * (size_t)in[3] * width, places = (size_t)out[1] * (size_t)out[2];
  for (size_t i = 0; i < count; i++) {
    size_t place = (first + i) % places;
    int32_t row = (int32_t)(place / (size_t)out[2]), column = (int32_t)(place % (size_t)out[2]);
    copy_window(params, x + (first + i) / places * image, in, top + row * params->stride[0],
                left + column * params->stride[1], width, outside, rows + i * stride);
  }
}

static void run_convolution(const ta_step *step, ta_frame *frame) {
  const product_params *params = step->params;
  const ta_matrix *matrix = &params->weights->matrix;
  const int32_t *in = ta_shape_of(frame, step->in[0]), *out = ta_shape_of(frame, step->out[0]);
  size_t inputs = matrix->inputs, outputs = matrix->outputs, padded = ta_padded(inputs);
  size_t places = ta_count(frame, step->out[0]) / outputs;
  const float *x = ta_read(frame, step->in[0]), *bias = bias_of(step, frame);
  float *y = ta_write(frame, step->out[0]), scales[TILE];
  uint8_t *rows = frame->scratch, *quantized = rows + TILE * padded;
  int32_t zero = 0, zeros[TILE];
  if (!matrix->is_float) { /* one scale for all places, as LiteRT has it */
    float scale;
    frame->kernels->quantize_ranges(x, 1, ta_count(frame, step->in[0]), TA_EVEN, (int8_t *)quantized, &scale, &zero);
    for (size_t i = 0; i < TILE; i++) {
      scales[i] = scale;
      zeros[i] = zero;
      ta_fill(rows + i * padded + inputs, 0, padded - inputs);
    }
  }
  for (size_t done = 0; done < places; done += TILE) {
    size_t some = TA_MIN((size_t)TILE, places - done);
    float *results = y + done * outputs;
    if (matrix->is_float) {
      copy_windows(params, (const uint8_t *)x, in, out, done, some, sizeof *x, 0, rows, inputs * sizeof *x);
      frame->kernels->float_product(matrix, (const float *)(const void *)rows, inputs, some, bias, 0, results, outputs);
    } else {
      copy_windows(params, quantized, in, out, done, some, 1, zero, rows, padded);
      frame->kernels->int8_product(matrix, (const int8_t *)rows, padded, scales, zeros, some, bias, 0, results,
                                   outputs);
    }
  }
  ta_activate_all(params->activation, y, places * outputs);
}

static void run_convolution_int8(const ta_step *step, ta_frame *frame) {
  const product_params *params = step->params;
  const ta_matrix *matrix = &params->weights->matrix;
  const int32_t *in = ta_shape_of(frame, step->in[0]), *out = ta_shape_of(frame, step->out[0]);
  size_t inputs = matrix->inputs, outputs = matrix->outputs, padded = ta_padded(inputs);
  size_t places = ta_count(frame, step->out[0]) / outputs;
  const uint8_t *x = ta_read(frame, step->in[0]);
  int8_t *y = ta_write(frame, step->out[0]);
  uint8_t *rows = frame->scratch;
  int32_t *sums = (int32_t *)(void *)(rows + TILE * padded);
  for (size_t i = 0; i < TILE; i++) ta_fill(rows + i * padded + inputs, 0, padded - inputs);
  for (size_t done = 0; done < places; done += TILE) {
    size_t some = TA_MIN((size_t)TILE, places - done);
    copy_windows(params, x, in, out, done, some, 1, params->in_zero, rows, padded);
    frame->kernels->int8_sums(matrix, (const int8_t *)rows, padded, params->in_zero, some, sums, outputs);
    to_int8_rows(params, sums, some, outputs, bias_of(step, frame), y + done * outputs);
  }
}

void ta_prepare_convolution(ta_builder *builder) {
  const ta_tensor *x = ta_input(builder, 0), *weights = ta_input(builder, 1);
  if (!ta_rule(builder, x->rank == 4 && weights->rank == 4, "its input and weights must have 4 axes")) return;
  int32_t padding = ta_flag(builder, 0);
  ta_known(builder, weights->shape[3] == x->shape[3], "groups of channels");
  product_params *params =
      ta_work(builder, x->type == TA_INT8 ? run_convolution_int8 : run_convolution, fits_convolution, sizeof *params);
  if (params == NULL || !prepare_product(builder, params, ta_flag(builder, 3))) return;
  params->same = padding == 0;
  params->height = weights->shape[1];
  params->width = weights->shape[2];
  params->channels = x->shape[3];
  params->stride[1] = ta_option(builder, 1, 0);
  params->stride[0] = ta_option(builder, 2, 0);
  params->dilation[1] = ta_option(builder, 4, 1);
  params->dilation[0] = ta_option(builder, 5, 1);
  int steps = padding == 0 || padding == 1;
  for (int axis = 0; axis < 2; axis++) {
    int32_t kernel = axis == 0 ? params->height : params->width;
    steps = steps && params->stride[axis] > 0 && params->stride[axis] <= 65536 && params->dilation[axis] > 0 &&
            params->dilation[axis] <= 65536 && kernel <= 65536 &&
            (int64_t)(kernel - 1) * params->dilation[axis] < 65536;
  }
  if (!ta_rule(builder, steps, "its window, strides or dilation are too large")) return;
  int32_t shape[4] = {x->shape[0], window_count(params, 0, x->shape[1]), window_count(params, 1, x->shape[2]),
                      weights->shape[0]};
  ta_gives(builder, 0, x->type, 4, shape);
}

/* -- BATCH_MATMUL: both factors are computed. */

typedef struct {
  int32_t transposed;
  ta_multiplier factor; /* int8 */
  int32_t x_zero, y_zero, out_zero;
} matmul_params;

typedef struct {
  size_t batches, x_batches, y_batches, rows, inner, columns;
} matmul_sizes;

static int sizes_of(const ta_step *step, const ta_frame *frame, matmul_sizes *sizes) {
  int transposed = ((const matmul_params *)step->params)->transposed;
  const int32_t *x = ta_shape_of(frame, step->in[0]), *y = ta_shape_of(frame, step->in[1]);
  uint32_t x_rank = ta_rank(frame, step->in[0]), y_rank = ta_rank(frame, step->in[1]);
  sizes->rows = (size_t)x[x_rank - 2];
  sizes->inner = (size_t)x[x_rank - 1];
  sizes->columns = (size_t)y[transposed ? y_rank - 2 : y_rank - 1];
  size_t inner = (size_t)y[transposed ? y_rank - 1 : y_rank - 2];
  sizes->x_batches = ta_count(frame, step->in[0]) / (sizes->rows * sizes->inner);
  sizes->y_batches = ta_count(frame, step->in[1]) / (sizes->columns * inner);
  sizes->batches = TA_MAX(sizes->x_batches, sizes->y_batches);
  int batches = sizes->x_batches == sizes->y_batches || sizes->x_batches == 1 || sizes->y_batches == 1;
  return inner == sizes->inner && batches &&
         sizes->batches * sizes->rows * sizes->columns == ta_count(frame, step->out[0]);
}

static int fits_matmul(const ta_step *step, const ta_frame *frame, size_t *scratch) {
  matmul_sizes sizes;
  (void)scratch;
  return sizes_of(step, frame, &sizes);
}

static void run_matmul(const ta_step *step, ta_frame *frame) {
  matmul_sizes sizes;
  const float *x = ta_read(frame, step->in[0]), *y = ta_read(frame, step->in[1]);
  float *out = ta_write(frame, step->out[0]);
  sizes_of(step, frame, &sizes);
  size_t x_step = sizes.x_batches > 1 ? sizes.rows * sizes.inner : 0;
  size_t y_step = sizes.y_batches > 1 ? sizes.inner * sizes.columns : 0;
  for (size_t b = 0; b < sizes.batches; b++, x += x_step, y += y_step)
    for (size_t i = 0; i < sizes.rows; i++, out += sizes.columns) {
      const float *row = x + i * sizes.inner;
      if (((const matmul_params *)step->params)->transposed) {
        for (size_t n = 0; n < sizes.columns; n++) out[n] = frame->kernels->dot(row, y + n * sizes.inner, sizes.inner);
      } else {
        ta_fill(out, 0, sizes.columns * sizeof *out);
        for (size_t k = 0; k < sizes.inner; k++) frame->kernels->add_scaled(row[k], y + k * sizes.columns,
                                                                            sizes.columns, out);
      }
    }
}

static void run_matmul_int8(const ta_step *step, ta_frame *frame) {
  const matmul_params *params = step->params;
  matmul_sizes sizes;
  const int8_t *x = ta_read(frame, step->in[0]), *y = ta_read(frame, step->in[1]);
  int8_t *out = ta_write(frame, step->out[0]);
  sizes_of(step, frame, &sizes);
  size_t x_step = sizes.x_batches > 1 ? sizes.rows * sizes.inner : 0;
  size_t y_step = sizes.y_batches > 1 ? sizes.inner * sizes.columns : 0;
  size_t down = params->transposed ? 1 : sizes.columns, across = params->transposed ? sizes.inner : 1;
  for (size_t b = 0; b < sizes.batches; b++, x += x_step, y += y_step)
    for (size_t i = 0; i < sizes.rows; i++)
      for (size_t n = 0; n < sizes.columns; n++) {
        uint32_t sum = 0; /* wraps around: a stranger's sums may be long */
        for (size_t k = 0; k < sizes.inner; k++) {
          int32_t a = x[i * sizes.inner + k] - params->x_zero, c = y[k * down + n * across] - params->y_zero;
          sum += (uint32_t)(a * c);
        }
        int64_t moved = (int64_t)ta_multiply((int32_t)sum, params->factor) + params->out_zero;
        *out++ = (int8_t)(moved > 127 ? 127 : moved < -128 ? -128 : moved);
      }
}

void ta_prepare_batch_matmul(ta_builder *builder) {
  const ta_tensor *x = ta_input(builder, 0), *y = ta_input(builder, 1), *out = ta_output(builder, 0);
  int ranks = x->rank >= 2 && x->rank <= 5 && y->rank >= 2 && y->rank <= 5;
  ta_rule(builder, ranks && out->type == x->type && x->type == y->type,
          "its inputs must have 2 to 5 axes and one type");
  ta_known(builder, ta_flag(builder, 0) == 0, "a first factor that is transposed");
  int integers = x->type == TA_INT8;
  ta_known(builder, integers || x->type == TA_FLOAT32, "numbers of this type");
  if (builder->status) return;
  matmul_params *params = ta_work(builder, integers ? run_matmul_int8 : run_matmul, fits_matmul, sizeof *params);
  if (params == NULL) return;
  params->transposed = ta_flag(builder, 1);
  builder->step->work = (uint32_t)x->shape[x->rank - 1];
  if (integers) {
    params->factor = ta_multiplier_of((double)x->scale * (double)y->scale / (double)out->scale);
    params->x_zero = x->zero_point;
    params->y_zero = y->zero_point;
    params->out_zero = out->zero_point;
  }
  ta_frame frame = {builder->program, NULL, NULL, NULL, NULL, NULL};
  size_t scratch;
  if (!ta_rule(builder, fits_matmul(builder->step, &frame, &scratch), "its factors do not fit each other")) return;
  /* Both have the same batches, or one has a single batch. */
  int batches = out->rank == TA_MAX(x->rank, y->rank);
  int several = x->count != (size_t)x->shape[x->rank - 2] * (size_t)x->shape[x->rank - 1] &&
                y->count != (size_t)y->shape[y->rank - 2] * (size_t)y->shape[y->rank - 1];
  for (uint32_t i = 0; i + 2 < out->rank && batches && several; i++)
    batches = x->rank == y->rank && x->shape[i] == y->shape[i] && x->shape[i] == out->shape[i];
  if (!ta_known(builder, batches, "batches that are broadcast")) return;
  uint32_t last = out->rank;
  batches = out->shape[last - 2] == x->shape[x->rank - 2] &&
            out->shape[last - 1] == y->shape[params->transposed ? y->rank - 2 : y->rank - 1];
  ta_rule(builder, batches, "the shape of its output does not follow from its inputs");
}
