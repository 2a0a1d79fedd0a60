/* Operators that make one number of many: sums, means, the largest, and the softmax. */
#include "operators.h"

typedef struct {
  int32_t what;
  uint32_t first, behind; /* axes that are reduced: neighbours */
} reduce_params;

/* Sizes before, of and behind the reduced axes. */
static void sizes_of(const ta_step *step, const ta_frame *frame, size_t *before, size_t *size, size_t *after) {
  const reduce_params *params = step->params;
  const int32_t *shape = ta_shape_of(frame, step->in[0]);
  *before = *size = *after = 1;
  for (uint32_t i = 0; i < TA_AXES; i++) {
    size_t *part = i < params->first ? before : i < params->behind ? size : after;
    *part *= (size_t)shape[i];
  }
}

static int fits_reduce(const ta_step *step, const ta_frame *frame, size_t *scratch) {
  size_t before, size, after;
  (void)scratch;
  sizes_of(step, frame, &before, &size, &after);
  return before * after == ta_count(frame, step->out[0]);
}

/* Rows of numbers that lie side by side: from the first row on, one row after the other. */
static void reduce_rows(int32_t what, const float *x, size_t size, size_t width, const ta_kernels *kernels, float *y) {
  ta_copy(y, x, width * sizeof *y);
  for (size_t i = 1; i < size; i++) {
    const float *row = x + i * width;
    if (what == TA_SUM || what == TA_MEAN) {
      kernels->add(y, row, width, y);
    } else {
      for (size_t k = 0; k < width; k++)
        y[k] = what == TA_REDUCE_MAX ? (row[k] > y[k] ? row[k] : y[k]) : (row[k] < y[k] ? row[k] : y[k]);
    }
  }
  for (size_t k = 0; k < width && what == TA_MEAN; k++) y[k] /= (float)size;
}

/* A row as one number: four sums side by side, so that they need not wait for each other. */
static float reduce_row(int32_t what, const float *x, size_t size) {
  if (what == TA_REDUCE_MAX || what == TA_REDUCE_MIN) {
    float best = x[0];
    for (size_t i = 1; i < size; i++) best = (what == TA_REDUCE_MAX ? x[i] > best : x[i] < best) ? x[i] : best;
    return best;
  }
  float sums[4] = {0, 0, 0, 0};
  size_t i = 0;
  for (; i + 4 <= size; i += 4)
    for (size_t k = 0; k < 4; k++) sums[k] += x[i + k];
  for (; i < size; i++) sums[0] += x[i];
  float sum = (sums[0] + sums[1]) + (sums[2] + sums[3]);
  return what == TA_MEAN ? sum / (float)size : sum;
}

static void run_reduce(const ta_step *step, ta_frame *frame) {
  int32_t what = ((const reduce_params *)step->params)->what;
  const float *x = ta_read(frame, step->in[0]);
  float *y = ta_write(frame, step->out[0]);
  size_t before, size, after;
  sizes_of(step, frame, &before, &size, &after);
  for (size_t k = 0; k < before; k++, x += size * after, y += after) {
    if (after == 1) *y = reduce_row(what, x, size);
    else reduce_rows(what, x, size, after, frame->kernels, y);
  }
}

static void run_reduce_int8(const ta_step *step, ta_frame *frame) {
  int largest = ((const reduce_params *)step->params)->what == TA_REDUCE_MAX;
  const int8_t *x = ta_read(frame, step->in[0]);
  int8_t *y = ta_write(frame, step->out[0]);
  size_t before, size, after;
  sizes_of(step, frame, &before, &size, &after);
  for (size_t k = 0; k < before; k++)
    for (size_t i = 0; i < after; i++) {
      int8_t best = x[k * size * after + i];
      for (size_t j = 1; j < size; j++) {
        int8_t number = x[(k * size + j) * after + i];
        best = (largest ? number > best : number < best) ? number : best;
      }
      y[k * after + i] = best;
    }
}

void ta_prepare_reduce(ta_builder *builder) {
  const ta_tensor *x = ta_input(builder, 0), *y = ta_output(builder, 0);
  int32_t axes[TA_INTEGERS], shape[TA_AXES];
  uint32_t count = ta_integers(builder, 1, axes), chosen = 0, rank = 0;
  int keeps = ta_flag(builder, 0);
  for (uint32_t i = 0; i < count; i++) chosen |= 1u << ta_axis(builder, axes[i], x->rank);
  uint32_t first = 0, behind;
  while (first < x->rank && !(chosen >> first & 1)) first++;
  for (behind = first; behind < x->rank && (chosen >> behind & 1); behind++) continue;
  ta_known(builder, chosen >> behind == 0, "axes that are no neighbours");
  int extreme = builder->what == TA_REDUCE_MAX || builder->what == TA_REDUCE_MIN;
  int integers = x->type == TA_INT8 && extreme && x->scale == y->scale && x->zero_point == y->zero_point;
  ta_known(builder, x->type == TA_FLOAT32 || integers, "numbers of this type or scale");
  for (uint32_t i = 0; i < x->rank; i++) {
    int reduced = chosen >> i & 1;
    if (!reduced || keeps) shape[rank++] = reduced ? 1 : x->shape[i];
  }
  ta_gives(builder, 0, x->type, rank, shape);
  if (builder->status) return;
  reduce_params *params = ta_work(builder, integers ? run_reduce_int8 : run_reduce, fits_reduce, sizeof *params);
  if (params == NULL) return;
  params->what = builder->what;
  params->first = first;
  params->behind = behind;
}

/* -- SOFTMAX, over the last axis. */

typedef struct {
  float beta;
  const float *table; /* int8: exp of minus each difference to the largest number */
  float scale;        /* int8: of the output */
  int32_t zero_point;
} softmax_params;

static void softmax_row(const ta_kernels *kernels, float beta, const float *x, size_t count, float *y) {
  float largest = x[0], sum = 0;
  for (size_t i = 1; i < count; i++) largest = x[i] > largest ? x[i] : largest;
  for (size_t i = 0; i < count; i++) y[i] = (x[i] - largest) * beta;
  kernels->exp(y, count, y);
  for (size_t i = 0; i < count; i++) sum += y[i];
  for (size_t i = 0; i < count; i++) y[i] /= sum;
}

static void run_softmax(const ta_step *step, ta_frame *frame) {
  const float *x = ta_read(frame, step->in[0]);
  float *y = ta_write(frame, step->out[0]);
  size_t width = ta_width(frame, step->in[0]), rows = ta_count(frame, step->in[0]) / width;
  float beta = ((const softmax_params *)step->params)->beta;
  for (size_t i = 0; i < rows; i++) softmax_row(frame->kernels, beta, x + i * width, width, y + i * width);
}

/* As optimized_ops::Softmax of LiteRT: exp from a table, sums in float32. */
static void run_softmax_int8(const ta_step *step, ta_frame *frame) {
  const softmax_params *params = step->params;
  const int8_t *x = ta_read(frame, step->in[0]);
  int8_t *y = ta_write(frame, step->out[0]);
  size_t width = ta_width(frame, step->in[0]), rows = ta_count(frame, step->in[0]) / width;
  for (size_t k = 0; k < rows; k++, x += width, y += width) {
    int32_t largest = -128;
    float sum = 0;
    for (size_t i = 0; i < width; i++) largest = TA_MAX(largest, x[i]);
    for (size_t i = 0; i < width; i++) sum += params->table[largest - x[i]];
    float factor = 1.0f / (sum * params->scale);
    for (size_t i = 0; i < width; i++) {
      float number = params->table[largest - x[i]] * factor + 0.5f; /* 0 or more: halves away from zero */
      int32_t rounded = (int32_t)(number < 1e6f ? number : 1e6f) + params->zero_point;
      y[i] = (int8_t)TA_MIN(rounded, 127);
    }
  }
}

void ta_prepare_softmax(ta_builder *builder) {
  const ta_tensor *x = ta_input(builder, 0), *y = ta_output(builder, 0);
  ta_gives(builder, 0, x->type, x->rank, x->shape);
  int integers = x->type == TA_INT8;
  ta_rule(builder, x->rank > 0, "must have an axis");
  if (!ta_known(builder, integers || x->type == TA_FLOAT32, "numbers of this type")) return;
  softmax_params *params = ta_work(builder, integers ? run_softmax_int8 : run_softmax, ta_loops_fit, sizeof *params);
  float *table = integers ? ta_memory(builder, 256, sizeof *table) : NULL;
  if (params == NULL) return;
  uint32_t bits = (uint32_t)ta_option(builder, 0, 0);
  ta_copy(&params->beta, &bits, sizeof bits);
  if (!ta_rule(builder, params->beta > 1e-3f && params->beta < 1e3f, "beta must be around 1") || table == NULL) return;
  float factor = -x->scale * params->beta;
  for (int i = 0; i < 256; i++) table[i] = ta_expf(factor * (float)i);
  params->table = table;
  params->scale = y->scale;
  params->zero_point = y->zero_point;
}
