/* Places of tensors in memory, and constants and matrices that the programs of a file share. */
#include "graph.h"

#define FILE_NAME "model.tflite"
#define MOST_LOOKS ((uint32_t)1 << 28)  /* at other tensors, while places are found */
#define MOST_CHECKS ((size_t)1 << 23)   /* of operators, while lengths are tried */
#define MOST_COMPARED ((size_t)64 << 20) /* bytes of constants, while signatures are compared */
#define MOST_WORK 137438953472.0 /* 2^37 multiply-adds a text: more than a transformer of 4,096 tokens has */
#define MOST_MEMORY ((size_t)384 << 20) /* of a run, as textapp/runtime/model_check/check.py has it */

void ta_program_shapes(const ta_program *program, int32_t length, int32_t (*shapes)[TA_AXES]) {
  int32_t less = length - program->length;
  for (uint32_t i = 0; i < program->graph.tensor_count; i++) {
    const int32_t *shape = program->graph.tensors[i].shape, *slope = program->slots[i].slope;
    for (uint32_t axis = 0; axis < TA_AXES; axis++) shapes[i][axis] = shape[axis] + slope[axis] * less;
  }
}

/* Bytes of a tensor at a length. */
static size_t bytes_at(const ta_program *program, uint32_t number, int32_t length) {
  const ta_tensor *tensor = &program->graph.tensors[number];
  size_t count = 1;
  for (uint32_t axis = 0; axis < TA_AXES; axis++)
    count *= (size_t)(tensor->shape[axis] + program->slots[number].slope[axis] * (length - program->length));
  return ta_type_bytes(tensor->type, count);
}

/* Puts a tensor into the first gap between those that are in use when it is written. `*in_use` is a list by offset. */
static void place(ta_program *program, uint32_t number, int32_t length, uint32_t *in_use, uint32_t *looks) {
  ta_slot *slots = program->slots, *slot = &slots[number];
  size_t size = (bytes_at(program, number, length) + 63) & ~(size_t)63, offset = 0;
  uint32_t *link = in_use;
  slot->bytes = size;
  while (*link != TA_NO_TENSOR) {
    ta_slot *other = &slots[*link];
    if (++*looks > MOST_LOOKS) { /* a file that is made to take long: memory is not used twice any more */
      offset = program->memory;
      link = in_use;
      *link = TA_NO_TENSOR;
      break;
    }
    if (other->last < slot->first) {
      *link = other->next;
      continue;
    }
    if (other->offset >= offset && other->offset - offset >= size) break;
    offset = TA_MAX(offset, other->offset + other->bytes);
    link = &other->next;
  }
  /* Those that follow may be out of use too; a later tensor removes them. */
  slot->offset = offset;
  slot->next = *link;
  *link = number;
  size_t end = offset > MOST_MEMORY ? offset : offset + size; /* too much in any case: it does not overflow */
  program->memory = TA_MAX(program->memory, end);
}

static int has_memory(const ta_slot *slot, uint32_t number) {
  return slot->written && slot->root == number && slot->constant == NULL && slot->halves == NULL;
}

/* What a step computes, so that a small file cannot compute for minutes. */
static double work_of(const ta_step *step, const ta_frame *frame) {
  double work = (double)ta_count(frame, step->out[0]) * (1.0 + step->work);
  for (uint32_t i = 0; i < step->in_count; i++)
    if (step->in[i] != TA_NO_TENSOR) work += (double)ta_count(frame, step->in[i]);
  return work;
}

/* The scratch of all steps; SIZE_MAX where a step does not fit. */
static size_t scratch_of(const ta_program *program, const ta_frame *frame) {
  size_t most = 0;
  double work = 0;
  for (uint32_t i = 0; i < program->graph.operator_count; i++) {
    const ta_step *step = &program->steps[i];
    size_t scratch = 0;
    if (step->run == NULL) continue;
    if (!step->fits(step, frame, &scratch)) return SIZE_MAX;
    most = TA_MAX(most, scratch);
    work += work_of(step, frame);
  }
  return work <= MOST_WORK ? most : SIZE_MAX;
}

textapp_status ta_program_plan(ta_builder *builder, ta_program *program, int32_t length) {
  uint32_t in_use = TA_NO_TENSOR, looks = 0;
  program->memory = 0;
  for (uint32_t i = 0; i < program->graph.tensor_count; i++)
    if (has_memory(&program->slots[i], i) && program->slots[i].first == 0) place(program, i, length, &in_use, &looks);
  for (uint32_t i = 1; i < program->graph.operator_count; i++)
    for (uint32_t k = 0; k < program->steps[i].out_count; k++) {
      uint32_t number = program->steps[i].out[k];
      if (has_memory(&program->slots[number], number)) place(program, number, length, &in_use, &looks);
    }
  for (uint32_t i = 0; i < program->graph.tensor_count; i++)
    program->slots[i].offset = program->slots[program->slots[i].root].offset + program->slots[i].behind;
  if (length == program->length) {
    ta_frame frame = {program, NULL, NULL, NULL, NULL, NULL};
    program->scratch = TA_MAX(program->scratch, scratch_of(program, &frame));
  }
  if (program->scratch == SIZE_MAX)
    return ta_say(builder->message, TEXTAPP_ERROR_BUNDLE,
                  FILE_NAME ": the shapes of an operator do not fit each other, or a text takes 2^37 steps");
  if (program->memory > MOST_MEMORY || program->scratch > MOST_MEMORY)
    return ta_say(builder->message, TEXTAPP_ERROR_BUNDLE,
                  FILE_NAME ": takes more than 384 MiB besides the file; use fewer or shorter lengths");
  return TEXTAPP_OK;
}

/* -- Lengths: how shapes follow from the number of tokens. */

/* Learns or checks the slopes of a tensor from the same tensor of a shorter program. */
static int learn(ta_program *longest, uint32_t number, const ta_tensor *shorter, int32_t difference, int first) {
  const ta_tensor *tensor = &longest->graph.tensors[number];
  ta_slot *slot = &longest->slots[number];
  if (tensor->type != shorter->type || tensor->rank != shorter->rank) return 0;
  for (uint32_t axis = 0; axis < tensor->rank; axis++) {
    int32_t less = tensor->shape[axis] - shorter->shape[axis], slope = less / difference;
    if (less < 0 || slope * difference != less) return 0;
    if ((slot->learned || !first) && slot->slope[axis] != slope) return 0;
    /* So many tokens give this axis an index at all: pairs of neighbours need two. */
    int32_t least = slope > 0 ? longest->length - (tensor->shape[axis] - 1) / slope : 1;
    longest->least = TA_MAX(longest->least, least);
    slot->slope[axis] = slope;
  }
  slot->learned = 1;
  return 1;
}

/* Whether a shorter constant is the beginning of a longer one. */
static int same_start(ta_program *longest, uint32_t p, const ta_program *other, uint32_t q) {
  const ta_tensor *a = &longest->graph.tensors[p], *b = &other->graph.tensors[q];
  const uint8_t *x = a->data != NULL ? a->data : longest->slots[p].halves;
  const uint8_t *y = b->data != NULL ? b->data : other->slots[q].halves;
  if (x == NULL || y == NULL || a->type != b->type || a->rank != b->rank) return 0;
  if ((a->data != NULL) != (b->data != NULL)) return 0;
  int before = 1; /* whether all axes so far have one index: then what is behind lies in the order of this axis */
  for (uint32_t axis = 0; axis < a->rank; axis++) {
    if (a->shape[axis] != b->shape[axis] && !before) return 0;
    if (a->shape[axis] != 1) before = 0;
  }
  int scales = a->scale_count == b->scale_count && (a->scale_count == 0 || a->scale == b->scale) &&
               a->zero_point == b->zero_point && a->scale_count < 2;
  size_t size = a->data != NULL ? b->size : b->size / 2;
  if (x != y) longest->compared += size;
  return scales && (x == y || (longest->compared <= MOST_COMPARED && ta_compare(x, y, size) == 0));
}

static int same_input(ta_program *longest, uint32_t p, const ta_program *other, uint32_t q, const uint32_t *map,
                      int reads, int32_t difference, int first) {
  if (p == TA_NO_TENSOR || q == TA_NO_TENSOR) return p == q;
  int computed = longest->slots[p].written && longest->slots[p].halves == NULL &&
      longest->graph.tensors[p].data == NULL;
  if (computed) return map[p] == q;
  if (!reads) return 1; /* what matters of it is in the step's params */
  if (longest->graph.tensors[p].is_variable) return other->graph.tensors[q].is_variable;
  return same_start(longest, p, other, q) && learn(longest, p, &other->graph.tensors[q], difference, first);
}

static int same_step(ta_program *longest, const ta_program *other, uint32_t index, uint32_t *map, int32_t difference,
                     int first) {
  const ta_step *a = &longest->steps[index], *b = &other->steps[index];
  /* float16 constants come in any order; they are compared where they are read. */
  if (a->out_count == 1 && b->out_count == 1 && longest->slots[a->out[0]].halves && other->slots[b->out[0]].halves)
    return 1;
  int same = longest->graph.operators[index].code == other->graph.operators[index].code && a->run == b->run &&
             a->in_count == b->in_count && a->out_count == b->out_count && a->params_size == b->params_size &&
             (a->params_size == 0 || ta_compare(a->params, b->params, a->params_size) == 0);
  for (uint32_t i = 0; i < a->in_count && same; i++)
    same = same_input(longest, a->in[i], other, b->in[i], map, (int)(a->reads >> TA_MIN(i, 31u) & 1), difference,
                      first);
  for (uint32_t i = 0; i < a->out_count && same; i++) {
    uint32_t p = a->out[i], q = b->out[i];
    const ta_slot *x = &longest->slots[p], *y = &other->slots[q];
    map[p] = q;
    same = learn(longest, p, &other->graph.tensors[q], difference, first) && x->behind == y->behind &&
           (x->constant != NULL) == (y->constant != NULL) && (x->halves != NULL) == (y->halves != NULL) &&
           map[x->root] == y->root;
  }
  return same;
}

static int same_program(ta_program *longest, const ta_program *other, uint32_t input_count, uint32_t *map, int first) {
  int32_t difference = longest->length - other->length;
  if (longest->graph.operator_count != other->graph.operator_count || difference <= 0) return 0;
  for (uint32_t i = 0; i < longest->graph.tensor_count; i++) map[i] = TA_NO_TENSOR;
  for (uint32_t i = 0; i < input_count; i++) {
    map[longest->inputs[i]] = other->inputs[i];
    if (!learn(longest, longest->inputs[i], &other->graph.tensors[other->inputs[i]], difference, first)) return 0;
  }
  for (uint32_t i = 0; i < longest->graph.operator_count; i++)
    if (!same_step(longest, other, i, map, difference, first)) return 0;
  int attention = longest->attention == TA_NO_TENSOR ? other->attention == TA_NO_TENSOR
                                                     : map[longest->attention] == other->attention;
  return map[longest->logits] == other->logits && attention;
}

/* Whether views stay inside of what they are views of. */
static int views_fit(const ta_program *program, int32_t length) {
  for (uint32_t i = 0; i < program->graph.tensor_count; i++) {
    const ta_slot *slot = &program->slots[i];
    if (slot->root != i && slot->behind + bytes_at(program, i, length) > bytes_at(program, slot->root,
                                                                                  length)) return 0;
  }
  return 1;
}

int ta_program_lengths(ta_program *longest, const ta_program *others, uint32_t count, uint32_t input_count,
                       int32_t (*shapes)[TA_AXES], uint32_t *map) {
  longest->least = 1;
  if ((size_t)longest->length * (longest->graph.operator_count + 1) > MOST_CHECKS) return 0;
  for (uint32_t i = 0; i < count; i++)
    if (!same_program(longest, &others[i], input_count, map, i == 0)) return 0;
  ta_frame frame = {longest, (const int32_t(*)[TA_AXES])shapes, NULL, NULL, NULL, NULL};
  if (longest->least > others[0].length) return 0;
  for (int32_t length = longest->least; length < longest->length; length++) {
    ta_program_shapes(longest, length, shapes);
    size_t scratch = scratch_of(longest, &frame);
    if (scratch > MOST_MEMORY || !views_fit(longest, length)) return 0;
    longest->scratch = TA_MAX(longest->scratch, scratch);
    if (length <= TA_MAX(TA_TRIAL, longest->least)) longest->trial_scratch = TA_MAX(longest->trial_scratch, scratch);
  }
  if (longest->length <= TA_MAX(TA_TRIAL, longest->least)) longest->trial_scratch = longest->scratch;
  return 1;
}
