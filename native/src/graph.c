/* Reads and checks the operators of a signature, and plans its memory. */
#include "graph.h"

#define FILE_NAME "model.tflite"

int ta_rule(ta_builder *builder, int holds, const char *rule) {
  if (!holds && builder->status == TEXTAPP_OK)
    builder->status = ta_say(builder->message, TEXTAPP_ERROR_BUNDLE, FILE_NAME ": operator %z (%s): %s",
                             (size_t)builder->index, builder->operator_name, rule);
  return holds && builder->status == TEXTAPP_OK;
}

int ta_known(ta_builder *builder, int holds, const char *feature) {
  if (!holds && builder->status == TEXTAPP_OK)
    builder->status =
        ta_say(builder->message, TEXTAPP_ERROR_UNSUPPORTED,
               FILE_NAME ": operator %z (%s): %s; this core does not run it",
               (size_t)builder->index, builder->operator_name, feature);
  return holds && builder->status == TEXTAPP_OK;
}

static uint32_t input_number(const ta_builder *builder, uint32_t position) {
  return position < builder->step->in_count ? builder->step->in[position] : TA_NO_TENSOR;
}

const ta_tensor *ta_input(const ta_builder *builder, uint32_t position) {
  uint32_t number = input_number(builder, position);
  return number == TA_NO_TENSOR ? NULL : &builder->program->graph.tensors[number];
}

const ta_tensor *ta_output(const ta_builder *builder, uint32_t position) {
  return &builder->program->graph.tensors[builder->step->out[position]];
}

uint32_t ta_integers(ta_builder *builder, uint32_t position, int32_t *out) {
  const ta_tensor *tensor = ta_input(builder, position);
  int fits = tensor != NULL && tensor->data != NULL && tensor->type == TA_INT32 && tensor->count <= TA_INTEGERS;
  if (!ta_rule(builder, fits, "axes, sizes and places must be few constant int32")) return 0;
  for (size_t i = 0; i < tensor->count; i++) out[i] = (int32_t)ta_u32(tensor->data + 4 * i);
  return (uint32_t)tensor->count;
}

uint32_t ta_axis(ta_builder *builder, int32_t axis, uint32_t rank) {
  int32_t most = (int32_t)rank;
  if (!ta_rule(builder, axis >= -most && axis < most, "an axis does not exist")) return 0;
  return (uint32_t)(axis < 0 ? axis + most : axis);
}

int32_t ta_option(ta_builder *builder, uint32_t field, int32_t missing) {
  ta_flatbuffer *reader = &builder->file.reader;
  if (!ta_has(reader, &builder->operator->options, field)) return missing;
  return (int32_t)ta_number(reader, &builder->operator->options, field, 4);
}

int ta_flag(ta_builder *builder, uint32_t field) {
  return (int)ta_number(&builder->file.reader, &builder->operator->options, field, 1);
}

void *ta_memory(ta_builder *builder, size_t count, size_t size) {
  void *memory = ta_new(builder->arena, count, size);
  if (memory == NULL && builder->status == TEXTAPP_OK)
    builder->status = ta_say(builder->message, TEXTAPP_ERROR_MEMORY, FILE_NAME ": needs more memory than is allowed");
  return memory;
}

int ta_spend(ta_builder *builder, size_t bytes) {
  size_t *left = &builder->file.reader.left;
  if (!ta_rule(builder, bytes <= *left, "constants are read more often than the file is long")) return 0;
  *left -= bytes;
  return 1;
}

void *ta_work(ta_builder *builder, void (*run)(const ta_step *, ta_frame *),
              int (*fits)(const ta_step *, const ta_frame *, size_t *), size_t size) {
  builder->step->run = run;
  builder->step->fits = fits;
  void *params = size ? ta_memory(builder, 1, size) : NULL;
  builder->step->params = params;
  builder->step->params_size = params ? size : 0;
  return params;
}

void ta_gives(ta_builder *builder, uint32_t position, int type, uint32_t rank, const int32_t *shape) {
  const ta_tensor *tensor = ta_output(builder, position);
  int same = tensor->type == type && tensor->rank == rank;
  for (uint32_t axis = 0; axis < rank && same; axis++) same = tensor->shape[axis] == shape[axis];
  ta_rule(builder, same, "the shape or type of its output does not follow from its inputs and options");
}

int ta_is_constant(const ta_builder *builder, uint32_t position) {
  uint32_t number = input_number(builder, position);
  return number != TA_NO_TENSOR && (builder->program->graph.tensors[number].data != NULL ||
                                    builder->program->slots[number].halves != NULL);
}

void ta_view(ta_builder *builder, uint32_t input, uint32_t output, size_t offset) {
  ta_slot *slots = builder->program->slots;
  uint32_t from = builder->step->in[input], to = builder->step->out[output];
  if (slots[from].constant != NULL) {
    slots[to].constant = (const uint8_t *)slots[from].constant + offset;
  } else {
    slots[to].root = slots[from].root;
    slots[to].behind = slots[from].behind + offset;
  }
}

/* The tensors of a vector of the file, each below the number of tensors, or left out. */
static const uint32_t *numbers(ta_builder *builder, const ta_vector *vector, uint32_t left_out) {
  uint32_t *found = ta_memory(builder, vector->count, sizeof *found);
  for (uint32_t i = 0; found != NULL && i < vector->count; i++) {
    int32_t number = ta_element(&builder->file, vector, i);
    int missing = number == -1 && i < 32 && (left_out >> i & 1);
    int fits = missing || (number >= 0 && (uint32_t)number < builder->program->graph.tensor_count);
    if (!ta_rule(builder, fits, "reads or writes a tensor that does not exist")) return NULL;
    found[i] = missing ? TA_NO_TENSOR : (uint32_t)number;
  }
  return found;
}

/* Notes that a step uses the memory of a tensor. */
static void use(ta_program *program, uint32_t number, uint32_t index) {
  ta_slot *root = &program->slots[program->slots[number].root];
  root->last = TA_MAX(root->last, index);
}

static int step_reads(const ta_step *step, uint32_t position) {
  return (step->reads >> TA_MIN(position, 31u) & 1) && step->in[position] != TA_NO_TENSOR;
}

/* Checks that the inputs are there, before an operator is read. */
static void check_inputs(ta_builder *builder) {
  ta_program *program = builder->program;
  const ta_step *step = builder->step;
  for (uint32_t i = 0; i < step->in_count && builder->status == TEXTAPP_OK; i++) {
    uint32_t number = step->in[i];
    if (number == TA_NO_TENSOR) continue;
    const ta_tensor *tensor = &program->graph.tensors[number];
    int known = program->slots[number].written || tensor->data != NULL || tensor->is_variable;
    if (!ta_rule(builder, known, "reads a tensor before it is written")) return;
    if (!ta_rule(builder, tensor->count > 0, "reads an empty tensor")) return;
    int needs = tensor->type == TA_INT8 || tensor->type == TA_INT4 || tensor->type == TA_INT2;
    if (!ta_rule(builder, !needs || tensor->scale_count > 0, "a tensor of few bits must have a scale")) return;
    int state = tensor->is_variable && !program->slots[number].written && tensor->data == NULL;
    if (!ta_known(builder, !state || !step_reads(step, i), "reads a variable that is no state of an LSTM")) return;
    if (step_reads(step, i) && tensor->data != NULL && program->slots[number].constant == NULL)
      program->slots[number].constant = ta_constant(builder, number);
    if (step_reads(step, i) && program->slots[number].halves != NULL && program->slots[number].constant == NULL)
      program->slots[number].constant = ta_constant(builder, number);
  }
}

static void check_outputs(ta_builder *builder) {
  ta_program *program = builder->program;
  const ta_step *step = builder->step;
  for (uint32_t i = 0; i < step->out_count; i++) {
    const ta_tensor *tensor = ta_output(builder, i);
    ta_slot *slot = &program->slots[step->out[i]];
    if (!ta_rule(builder, tensor->count > 0, "writes an empty tensor")) return;
    int fresh = !slot->written && tensor->data == NULL;
    if (!ta_rule(builder, fresh, "writes a tensor twice")) return;
    if (!ta_rule(builder, !tensor->is_variable || builder->operator->code == 6, "writes a variable")) return;
    int needs = tensor->type == TA_INT8;
    if (!ta_rule(builder, !needs || tensor->scale_count == 1, "an output of int8 must have one scale")) return;
    slot->written = 1;
    slot->first = slot->last = builder->index;
  }
}

static void read_step(ta_builder *builder) {
  const ta_operator *operator = builder->operator;
  const ta_operator_kind *kind = ta_operator_kind_of(operator->code);
  ta_step *step = builder->step;
  if (kind == NULL) {
    builder->status = ta_say(builder->message, TEXTAPP_ERROR_UNSUPPORTED,
                             FILE_NAME ": operator %z has the code %d of the schema; this core does not run it",
                             (size_t)builder->index, (int64_t)operator->code);
    return;
  }
  builder->operator_name = kind->name;
  builder->what = kind->what;
  if (!ta_known(builder, kind->prepare != NULL, "is no operator of textapp's own models")) return;
  int count = operator->inputs.count >= kind->least && operator->inputs.count <= kind->most;
  if (!ta_rule(builder, count && operator->outputs.count > 0, "has a wrong number of inputs or outputs")) return;
  int options = operator->options_type == 0 ? 1 : operator->options_type == kind->options_type;
  if (!ta_rule(builder, options, "has the options of another operator")) return;
  step->in = numbers(builder, &operator->inputs, kind->left_out);
  step->out = numbers(builder, &operator->outputs, 0);
  if (builder->status) return;
  step->in_count = operator->inputs.count;
  step->out_count = operator->outputs.count;
  step->reads = kind->reads;
  check_inputs(builder);
  if (builder->status == TEXTAPP_OK) check_outputs(builder);
  if (builder->status == TEXTAPP_OK) kind->prepare(builder);
  ta_rule(builder, builder->file.reader.wrong == NULL, "its options lead out of the file");
  if (builder->status) return;
  for (uint32_t i = 0; i < step->in_count; i++)
    if (step_reads(step, i)) use(builder->program, step->in[i], builder->index);
}

/* The tensor of an input or output of the signature, of a shape and a type. */
static uint32_t wanted_tensor(ta_builder *builder, const ta_vector *map, const char *name, int type, uint32_t rank,
                              const int32_t *shape, int optional) {
  ta_program *program = builder->program;
  uint32_t number = ta_file_tensor(&builder->file, &program->graph, map, name);
  if (number == TA_NONE_FOUND && optional) return TA_NO_TENSOR;
  const ta_tensor *tensor = &program->graph.tensors[number == TA_NONE_FOUND ? 0 : number];
  int fits = number != TA_NONE_FOUND && tensor->type == type && tensor->rank == rank;
  for (uint32_t axis = 0; axis < rank && fits; axis++) fits = tensor->shape[axis] == shape[axis];
  if (!fits && !optional && builder->status == TEXTAPP_OK)
    builder->status = ta_say(builder->message, TEXTAPP_ERROR_BUNDLE,
                             FILE_NAME ": the signature for %z tokens must have \"%s\" with the shape of bundle.json",
                             (size_t)program->length, name);
  return fits ? number : TA_NO_TENSOR;
}

static void read_inputs(ta_builder *builder, const ta_engine_wanted *wanted) {
  ta_program *program = builder->program;
  program->inputs = ta_memory(builder, wanted->input_count, sizeof *program->inputs);
  int counts = program->graph.inputs.count == wanted->input_count && program->graph.input_count == wanted->input_count;
  for (size_t i = 0; i < wanted->input_count && builder->status == TEXTAPP_OK; i++) {
    const ta_engine_input *input = &wanted->inputs[i];
    int32_t shape[3] = {1, program->length, (int32_t)input->width};
    uint32_t number = wanted_tensor(builder, &program->graph.inputs, input->name, TA_INT32, input->width > 1 ? 3 : 2,
                                    shape, input->width == 1);
    shape[2] = 1; /* words of one character have an axis of characters too */
    if (number == TA_NO_TENSOR && builder->status == TEXTAPP_OK)
      number = wanted_tensor(builder, &program->graph.inputs, input->name, TA_INT32, 3, shape, 0);
    if (builder->status) return;
    const ta_tensor *tensor = &program->graph.tensors[number];
    ta_slot *slot = &program->slots[number];
    int computed = tensor->data == NULL && !tensor->is_variable && !slot->written;
    if (!computed) counts = 0;
    slot->written = 1;
    program->inputs[i] = number;
  }
  if (!counts && builder->status == TEXTAPP_OK)
    builder->status = ta_say(builder->message, TEXTAPP_ERROR_BUNDLE,
                             FILE_NAME ": a signature must have the inputs of bundle.json and no others");
}

/* Checks that an output is written, and keeps its memory to the end. */
static void keep_output(ta_builder *builder, uint32_t number) {
  ta_program *program = builder->program;
  if (number == TA_NO_TENSOR || builder->status) return;
  if (!program->slots[number].written) {
    builder->status = ta_say(builder->message, TEXTAPP_ERROR_BUNDLE, FILE_NAME ": an output is never written");
    return;
  }
  if (program->slots[number].halves != NULL) program->slots[number].constant = ta_constant(builder, number);
  use(program, number, UINT32_MAX);
}

textapp_status ta_program_read(ta_builder *builder, ta_program *program, const ta_engine_signature *signature) {
  const ta_engine_wanted *wanted = builder->wanted;
  builder->program = program;
  program->length = (int32_t)signature->length;
  builder->status = ta_file_subgraph(&builder->file, builder->arena, signature->name, signature->name_length,
                                     &program->graph, builder->message);
  if (builder->status) return builder->status;
  uint32_t tensors = program->graph.tensor_count, operators = program->graph.operator_count;
  program->slots = ta_memory(builder, TA_MAX(tensors, 1u), sizeof *program->slots);
  program->steps = ta_memory(builder, TA_MAX(operators, 1u), sizeof *program->steps);
  if (builder->status) return builder->status;
  for (uint32_t i = 0; i < tensors; i++) program->slots[i].root = i;
  read_inputs(builder, wanted);
  for (uint32_t i = 0; i < operators && builder->status == TEXTAPP_OK; i++) {
    builder->operator = &program->graph.operators[i];
    builder->index = i;
    builder->step = &program->steps[i];
    read_step(builder);
  }
  if (builder->status) return builder->status;
  int32_t labels = (int32_t)wanted->outputs, of_text[2] = {1, labels}, of_tokens[3] = {1, program->length, labels};
  program->logits = wanted_tensor(builder, &program->graph.outputs, "logits", TA_FLOAT32, wanted->per_token ? 3 : 2,
                                  wanted->per_token ? of_tokens : of_text, 0);
  int32_t weights[2] = {1, program->length};
  program->attention = TA_NO_TENSOR;
  if (ta_file_tensor(&builder->file, &program->graph, &program->graph.outputs, "attention_weights") != TA_NONE_FOUND)
    program->attention =
        wanted_tensor(builder, &program->graph.outputs, "attention_weights", TA_FLOAT32, 2, weights, 0);
  keep_output(builder, program->logits);
  keep_output(builder, program->attention);
  if (builder->status == TEXTAPP_OK) ta_join_lookups(program);
  return builder->status;
}
