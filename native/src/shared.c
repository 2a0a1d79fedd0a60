/* Constants and packed matrices that the programs of a file share. */
#include "graph.h"

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define LITTLE_ENDIAN_HERE 1
#else
#define LITTLE_ENDIAN_HERE 0
#endif

#define LARGEST_SIDE ((size_t)1 << 20) /* of a matrix: sizes of a few rows of it stay below 2^31 bytes */

static int is_nan(float number) {
  return number != number;
}

/* Turns little-endian numbers into those of this machine. Returns 0 for NaN. */
static int to_native(int type, const uint8_t *from, size_t count, void *to) {
  size_t width = type == TA_FLOAT32 || type == TA_INT32 ? 4 : type == TA_INT64 ? 8 : type == TA_INT16 ? 2 : 1;
  if (type == TA_FLOAT32) {
    float *out = to;
    for (size_t i = 0; i < count; i++) {
      out[i] = ta_f32(from + 4 * i);
      if (is_nan(out[i])) return 0;
    }
  } else if (LITTLE_ENDIAN_HERE || width == 1) {
    ta_copy(to, from, count * width);
  } else if (width == 4) {
    for (size_t i = 0; i < count; i++) ((uint32_t *)to)[i] = ta_u32(from + 4 * i);
  } else if (width == 2) {
    for (size_t i = 0; i < count; i++) ((uint16_t *)to)[i] = ta_u16(from + 2 * i);
  } else {
    for (size_t i = 0; i < count; i++) ((uint64_t *)to)[i] = ta_u64(from + 8 * i);
  }
  if (type == TA_BOOL)
    for (size_t i = 0; i < count; i++) ((uint8_t *)to)[i] = ((uint8_t *)to)[i] != 0;
  return 1;
}

const void *ta_constant(ta_builder *builder, uint32_t number) {
  const ta_tensor *tensor = &builder->program->graph.tensors[number];
  const ta_slot *slot = &builder->program->slots[number];
  uint32_t buffer = slot->halves != NULL ? slot->buffer : tensor->buffer;
  if (tensor->type == TA_INT8 || tensor->type == TA_INT4 || tensor->type == TA_INT2) return tensor->data;
  if (tensor->type == TA_FLOAT16) return tensor->data;
  for (const ta_native *old = builder->natives[buffer]; old != NULL; old = old->next)
    if (old->type == tensor->type && old->from_halves == (slot->halves != NULL)) return old->memory;
  ta_native *new = ta_memory(builder, 1, sizeof *new);
  void *memory = ta_memory(builder, tensor->size, 1);
  if (memory == NULL || new == NULL) return NULL;
  if (slot->halves != NULL) {
    int numbers = 1;
    for (size_t i = 0; i < tensor->count; i++) {
      ((float *)memory)[i] = ta_from_half(ta_u16(slot->halves + 2 * i));
      numbers &= !is_nan(((float *)memory)[i]);
    }
    if (!ta_rule(builder, numbers, "a constant holds NaN")) return NULL;
  } else if (!ta_rule(builder, to_native(tensor->type, tensor->data, tensor->count, memory), "a constant holds NaN")) {
    return NULL;
  }
  new->type = tensor->type;
  new->from_halves = slot->halves != NULL;
  new->memory = memory;
  new->next = builder->natives[buffer];
  builder->natives[buffer] = new;
  return memory;
}

/* Whether an entry packs the same numbers with the same scales. */
static int same_matrix(const ta_packed *packed, const ta_packed *other) {
  int same = packed->part_count == other->part_count && packed->inputs == other->inputs;
  for (uint32_t i = 0; i < packed->part_count && same; i++) {
    const ta_tensor *a = packed->parts[i], *b = other->parts[i];
    same = packed->buffers[i] == other->buffers[i] && a->type == b->type && a->shape[0] == b->shape[0] &&
           a->scale_count == b->scale_count && (packed->halves[i] != NULL) == (other->halves[i] != NULL) &&
           (a->scale_count == 0 || a->scales == b->scales ||
            ta_compare(a->scales, b->scales, 4 * (size_t)a->scale_count) == 0);
  }
  return same;
}

const ta_packed *ta_pack(ta_builder *builder, const uint32_t *positions, uint32_t count) {
  ta_packed new = {0};
  new.part_count = count;
  size_t outputs = 0;
  for (uint32_t i = 0; i < count; i++) {
    uint32_t number = builder->step->in[positions[i]];
    const ta_tensor *tensor = &builder->program->graph.tensors[number];
    const ta_slot *slot = &builder->program->slots[number];
    new.parts[i] = tensor;
    new.halves[i] = slot->halves;
    new.buffers[i] = slot->halves != NULL ? slot->buffer : tensor->buffer;
    new.inputs = (uint32_t)(tensor->count / (size_t)tensor->shape[0]);
    outputs += (size_t)tensor->shape[0];
    int small = new.inputs <= LARGEST_SIDE && outputs <= LARGEST_SIDE;
    int same = small && new.parts[0]->type == tensor->type && new.inputs * (size_t)tensor->shape[0] == tensor->count;
    if (!ta_rule(builder, same && (tensor->type == TA_INT8 || tensor->type == TA_FLOAT32),
                 "weights must be int8 or float32, of at most a million rows and columns"))
      return NULL;
    int scales = tensor->type != TA_INT8 || tensor->scale_count == 1 ||
                 (tensor->axis == 0 && tensor->scale_count == (uint32_t)tensor->shape[0]);
    if (!ta_rule(builder, scales && tensor->zero_point == 0,
                 "weights must have one scale, or one for each output, and no zero point"))
      return NULL;
  }
  for (ta_packed *old = builder->packed; old != NULL; old = old->next)
    if (same_matrix(old, &new)) return old;
  ta_packed *entry = ta_memory(builder, 1, sizeof *entry);
  if (entry == NULL) return NULL;
  *entry = new;
  entry->matrix.outputs = (uint32_t)outputs;
  entry->matrix.inputs = new.inputs;
  entry->next = builder->packed;
  builder->packed = entry;
  return entry;
}

static void gather_int8(const ta_packed *packed, int8_t *weights, float *scales) {
  for (uint32_t i = 0; i < packed->part_count; i++) {
    const ta_tensor *part = packed->parts[i];
    ta_copy(weights, part->data, part->count);
    weights += part->count;
    for (int32_t row = 0; row < part->shape[0]; row++)
      *scales++ = part->scale_count == 1 ? part->scale : ta_f32(part->scales + 4 * (size_t)row);
  }
}

static int gather_float(const ta_packed *packed, float *weights) {
  int numbers = 1;
  for (uint32_t i = 0; i < packed->part_count; i++)
    for (size_t k = 0; k < packed->parts[i]->count; k++) {
      *weights = packed->halves[i] != NULL ? ta_from_half(ta_u16(packed->halves[i] + 2 * k))
                                           : ta_f32(packed->parts[i]->data + 4 * k);
      if (is_nan(*weights++)) numbers = 0;
    }
  return numbers;
}

textapp_status ta_pack_all(ta_builder *builder) {
  const ta_kernels *kernels = builder->kernels;
  size_t largest = 0, outputs = 0; /* of the matrices together before they are packed */
  for (ta_packed *packed = builder->packed; packed != NULL; packed = packed->next) {
    size_t count = (size_t)packed->matrix.outputs * packed->matrix.inputs;
    largest = TA_MAX(largest, count * (packed->parts[0]->type == TA_INT8 ? 1 : 4));
    outputs = TA_MAX(outputs, packed->matrix.outputs);
  }
  uint8_t *weights = ta_memory(builder, largest + 1, 1);
  float *scales = ta_memory(builder, outputs + 1, sizeof *scales);
  builder->packing = weights;
  builder->packing_size = weights != NULL ? largest + 1 : 0;
  for (ta_packed *packed = builder->packed; packed != NULL && builder->status == TEXTAPP_OK; packed = packed->next) {
    size_t rows = packed->matrix.outputs, inputs = packed->matrix.inputs;
    int floats = packed->parts[0]->type == TA_FLOAT32;
    void *memory = ta_memory(builder, floats ? kernels->float_size(rows, inputs) : kernels->int8_size(rows, inputs), 1);
    if (memory == NULL) break;
    if (!floats) {
      gather_int8(packed, (int8_t *)weights, scales);
      kernels->int8_pack(&packed->matrix, memory, (const int8_t *)weights, scales, rows, inputs);
    } else if (gather_float(packed, (float *)(void *)weights)) {
      kernels->float_pack(&packed->matrix, memory, (const float *)(void *)weights, rows, inputs);
    } else {
      builder->status = ta_say(builder->message, TEXTAPP_ERROR_BUNDLE, "model.tflite: a constant holds NaN");
    }
  }
  return builder->status;
}
