/* EMBEDDING_LOOKUP: rows of a table of floats, float16, int8, int4 or int2, read where they lie in the file. */
#include "operators.h"

typedef struct {
  const uint8_t *table, *scales; /* `scales` of each row, or NULL */
  float scale;
  uint32_t rows, width;
  int32_t type; /* of the table; TA_FLOAT16 where a float table is stored so */
  int32_t copies; /* int8 rows stay int8 */
} lookup_params;

static int fits_lookup(const ta_step *step, const ta_frame *frame, size_t *scratch) {
  const lookup_params *params = step->params;
  (void)scratch;
  return ta_count(frame, step->in[0]) * params->width == ta_count(frame, step->out[0]);
}

static float number_at(const uint8_t *at) {
  uint32_t bits = (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
  float number;
  ta_copy(&number, &bits, sizeof number);
  return number;
}

/* float16 by float32: shifted, and the exponent moved by a product that is exact, also for the smallest numbers. */
static float half_at(const uint8_t *at) {
  uint32_t half = (uint32_t)at[0] | (uint32_t)at[1] << 8, bits = (half & 0x7fff) << 13;
  float number;
  ta_copy(&number, &bits, sizeof number);
  number *= 5.192296858534828e33f; /* 2^112 */
  return half >> 15 ? -number : number;
}

static void read_row(const lookup_params *params, const ta_kernels *kernels, const uint8_t *row, float scale,
                     float *out) {
  size_t width = params->width;
  switch (params->type) {
    case TA_FLOAT32:
      for (size_t i = 0; i < width; i++) out[i] = number_at(row + 4 * i);
      break;
    case TA_FLOAT16:
      for (size_t i = 0; i < width; i++) out[i] = half_at(row + 2 * i);
      break;
    case TA_INT8: kernels->scale_bytes(scale, (const int8_t *)row, width, out); break;
    case TA_INT4:
      for (size_t i = 0; i < width; i++) out[i] = scale * (float)((int)((row[i / 2] >> (i % 2 * 4) & 15) ^ 8) - 8);
      break;
    default:
      for (size_t i = 0; i < width; i++) out[i] = scale * (float)((int)((row[i / 4] >> (i % 4 * 2) & 3) ^ 2) - 2);
      break;
  }
}

#ifdef __GNUC__
#define FETCH(at) __builtin_prefetch(at)
#else
#define FETCH(at) (void)(at)
#endif

/* Rows lie anywhere in a large table, and memory takes long to answer. So it is asked for a row some rows before. */
static void fetch_row(const lookup_params *params, uint32_t id, size_t bytes) {
  if (id >= params->rows) return;
  for (size_t at = 0; at < bytes; at += 64) FETCH(params->table + id * bytes + at);
  if (params->scales != NULL) FETCH(params->scales + 4 * (size_t)id);
}

static void run_lookup(const ta_step *step, ta_frame *frame) {
  enum { AHEAD = 16 };
  const lookup_params *params = step->params;
  const int32_t *ids = ta_read(frame, step->in[0]);
  void *out = ta_write(frame, step->out[0]);
  size_t count = ta_count(frame, step->in[0]), bytes = ta_type_bytes(params->type, params->width);
  for (size_t i = 0; i < TA_MIN(count, (size_t)AHEAD); i++) fetch_row(params, (uint32_t)ids[i], bytes);
  for (size_t i = 0; i < count; i++) {
    uint32_t id = (uint32_t)ids[i];
    if (i + AHEAD < count) fetch_row(params, (uint32_t)ids[i + AHEAD], bytes);
    if (id >= params->rows) {
      frame->wrong = "an index of EMBEDDING_LOOKUP is out of range";
      id = 0;
    }
    const uint8_t *row = params->table + id * bytes;
    float scale = params->scales != NULL ? number_at(params->scales + 4 * (size_t)id) : params->scale;
    if (params->copies) ta_copy((uint8_t *)out + i * bytes, row, bytes);
    else read_row(params, frame->kernels, row, scale, (float *)out + i * params->width);
  }
}

/* Ids of an input are below the rows that the bundle says, so tables of an input must have these. */
static void check_rows(ta_builder *builder, size_t rows) {
  const ta_program *program = builder->program;
  uint32_t root = program->slots[builder->step->in[0]].root;
  for (size_t i = 0; i < builder->wanted->input_count; i++) {
    const ta_engine_input *input = &builder->wanted->inputs[i];
    if (program->inputs[i] != root || input->rows == rows || builder->status) continue;
    builder->status = ta_say(builder->message, TEXTAPP_ERROR_BUNDLE,
                             "model.tflite: \"%s\" is looked up in a table of %z rows, but the bundle has %z ids",
                             input->name, rows, (size_t)input->rows);
  }
}

void ta_prepare_embedding_lookup(ta_builder *builder) {
  const ta_tensor *ids = ta_input(builder, 0), *table = ta_input(builder, 1), *out = ta_output(builder, 0);
  ta_rule(builder, ids->type == TA_INT32 && ids->rank == 1 && table->rank == 2, "must read rows of a table by int32");
  ta_known(builder, ta_is_constant(builder, 1), "a table that is computed");
  int32_t shape[2] = {ids->shape[0], table->shape[1]};
  ta_gives(builder, 0, out->type, 2, shape);
  int known = (table->type == TA_FLOAT32 || table->type == TA_INT8 || table->type == TA_INT4 ||
               table->type == TA_INT2) &&
              (out->type == TA_FLOAT32 || (out->type == TA_INT8 && table->type == TA_INT8));
  ta_known(builder, known, "a table of this type");
  if (builder->status) return;
  lookup_params *params = ta_work(builder, run_lookup, fits_lookup, sizeof *params);
  if (params == NULL) return;
  const uint8_t *halves = builder->program->slots[builder->step->in[1]].halves;
  params->table = halves != NULL ? halves : table->data;
  params->type = halves != NULL ? TA_FLOAT16 : table->type;
  params->rows = (uint32_t)table->shape[0];
  params->width = (uint32_t)table->shape[1];
  params->copies = out->type == TA_INT8;
  check_rows(builder, params->rows);
  int whole = params->type == TA_INT4 ? params->width % 2 == 0 : params->type != TA_INT2 || params->width % 4 == 0;
  ta_rule(builder, whole, "rows of its table must fill whole bytes");
  if (table->type == TA_FLOAT32) return;
  int scales = table->scale_count == 1 || (table->scale_count == params->rows && table->axis == 0);
  ta_rule(builder, scales, "its table must have one scale, or one for each row");
  int same = !params->copies || (table->scale == out->scale && table->zero_point == out->zero_point);
  ta_known(builder, same && (params->copies || table->zero_point == 0), "a table of this scale or zero point");
  params->scale = table->scale;
  params->scales = table->scale_count > 1 ? table->scales : NULL;
}

/* -- Rows of int8 times scales that are looked up too: one lookup. Exports store the scales of rows in a table of their
 * own, as the format would need 8 more bytes a row. */

static uint32_t uses_of(const ta_program *program, uint32_t tensor) {
  uint32_t uses = tensor == program->logits || tensor == program->attention;
  for (uint32_t i = 0; i < program->graph.operator_count; i++)
    for (uint32_t k = 0; k < program->steps[i].in_count; k++) uses += program->steps[i].in[k] == tensor;
  return uses;
}

/* The lookup that writes a tensor; NULL if none does. */
static ta_step *lookup_of(const ta_program *program, uint32_t tensor) {
  const ta_slot *slot = &program->slots[tensor];
  if (!slot->written || slot->root != tensor || slot->first >= program->graph.operator_count) return NULL;
  ta_step *step = &program->steps[slot->first];
  return step->run == run_lookup && step->out[0] == tensor ? step : NULL;
}

static int same_ids(const ta_program *program, const ta_step *a, const ta_step *b) {
  const ta_slot *x = &program->slots[a->in[0]], *y = &program->slots[b->in[0]];
  return x->constant == NULL && y->constant == NULL && x->root == y->root && x->behind == y->behind &&
         program->graph.tensors[a->in[0]].count == program->graph.tensors[b->in[0]].count;
}

static void join_lookups(ta_program *program, ta_step *product, ta_step *rows, ta_step *factors) {
  lookup_params *params = (lookup_params *)rows->params;
  const lookup_params *scales = factors->params;
  uint32_t numbers = rows->out[0], result = product->out[0];
  int fits = params->type == TA_INT8 && !params->copies && params->scales == NULL && params->scale == 1.0f &&
             scales->type == TA_FLOAT32 && scales->width == 1 && scales->rows == params->rows;
  if (!fits || !same_ids(program, rows, factors) || uses_of(program, numbers) != 1 ||
      uses_of(program, factors->out[0]) != 1)
    return;
  params->scales = scales->table;
  factors->run = NULL;
  program->slots[factors->out[0]].root = numbers; /* no memory of its own */
  product->run = NULL;
  ta_slot *slot = &program->slots[numbers];
  slot->last = TA_MAX(slot->last, program->slots[result].last);
  for (uint32_t i = 0; i < program->graph.tensor_count; i++)
    if (program->slots[i].root == result) program->slots[i].root = numbers;
}

void ta_join_lookups(ta_program *program) {
  for (uint32_t i = 0; i < program->graph.operator_count; i++) {
    ta_step *step = &program->steps[i];
    if (program->graph.operators[i].code != 18 || step->run == NULL || step->params_size == 0) continue; /* MUL */
    ta_step *x = lookup_of(program, step->in[0]), *y = lookup_of(program, step->in[1]);
    int same = x != NULL && y != NULL && ta_is_plain_product(step) &&
               program->graph.tensors[step->out[0]].count == program->graph.tensors[step->in[0]].count;
    if (same) join_lookups(program, step, x, y);
  }
}
