/* Reads model.tflite.
 *
 * References: tensorflow/compiler/mlir/lite/schema/schema.fbs, version 3, for the numbers of fields and enumerations;
 * https://flatbuffers.dev/internals for the encoding. The rules are those of textapp/runtime/model_check. */
#include "tflite.h"

#define FILE_NAME "model.tflite"
#define LARGEST_FILE ((size_t)1 << 30)
#define LARGEST_TENSOR ((size_t)384 << 20) /* bytes: more than all computed tensors together may take */

/* Fields of the tables. */
enum { MODEL_VERSION, MODEL_CODES, MODEL_SUBGRAPHS, MODEL_DESCRIPTION, MODEL_BUFFERS, MODEL_SIGNATURES = 7 };
enum { SUBGRAPH_TENSORS, SUBGRAPH_INPUTS, SUBGRAPH_OUTPUTS, SUBGRAPH_OPERATORS };
enum {
  TENSOR_SHAPE,
  TENSOR_TYPE,
  TENSOR_BUFFER,
  TENSOR_QUANTIZATION = 4,
  TENSOR_IS_VARIABLE,
  TENSOR_SPARSITY,
  TENSOR_SHAPE_SIGNATURE
};
enum { QUANTIZATION_SCALE = 2, QUANTIZATION_ZERO_POINT, QUANTIZATION_DETAILS = 5, QUANTIZATION_AXIS };
enum { OPERATOR_CODE, OPERATOR_INPUTS, OPERATOR_OUTPUTS, OPERATOR_OPTIONS_TYPE, OPERATOR_OPTIONS, OPERATOR_CUSTOM };
enum { OPERATOR_MIDDLES = 8 };
enum { CODE_DEPRECATED, CODE_CUSTOM, CODE_VERSION, CODE_BUILTIN };
enum { SIGNATURE_INPUTS, SIGNATURE_OUTPUTS, SIGNATURE_NAME, SIGNATURE_SUBGRAPH = 4 };

static void fail(ta_flatbuffer *reader, const char *wrong, size_t at) {
  if (reader->wrong == NULL) {
    reader->wrong = wrong;
    reader->at = at;
  }
}

/* Whether `size` bytes at a place are in the file. */
static int inside(ta_flatbuffer *reader, size_t at, size_t size) {
  if (reader->wrong == NULL && at <= reader->size && size <= reader->size - at) return 1;
  fail(reader, "an offset leads out of the file; it was cut or changed", at);
  return 0;
}

/* Follows the offset that is stored at a place. */
static size_t follow(ta_flatbuffer *reader, size_t at) {
  if (!inside(reader, at, 4)) return 0;
  size_t offset = ta_u32(reader->data + at);
  if (offset >= reader->size - at) fail(reader, "an offset leads out of the file; it was cut or changed", at);
  return reader->wrong == NULL ? at + offset : 0;
}

static ta_table table_at(ta_flatbuffer *reader, size_t at) {
  ta_table none = {0, 0, 0, 0}, table = {at, 0, 0, 0};
  if (at == 0 || !inside(reader, at, 4)) return none;
  int64_t fields = (int64_t)at - (int32_t)ta_u32(reader->data + at);
  if (fields < 0 || (uint64_t)fields > reader->size) {
    fail(reader, "the fields of a table are outside of the file", at);
    return none;
  }
  table.fields = (size_t)fields;
  if (!inside(reader, table.fields, 4)) return none;
  table.fields_size = ta_u16(reader->data + table.fields);
  table.size = ta_u16(reader->data + table.fields + 2);
  if (table.fields_size < 4 || table.fields_size % 2 || table.size < 4) fail(reader, "a table has a wrong size", at);
  if (!inside(reader, table.fields, table.fields_size) || !inside(reader, at, table.size)) return none;
  return table;
}

/* The place of a field of `width` bytes; 0 where it is missing. */
static size_t field_at(ta_flatbuffer *reader, const ta_table *table, uint32_t field, uint32_t width) {
  if (reader->wrong != NULL || table->at == 0 || 4 + 2 * field + 2 > table->fields_size) return 0;
  uint32_t offset = ta_u16(reader->data + table->fields + 4 + 2 * field);
  if (offset == 0) return 0;
  if (offset < 4 || offset + width > table->size) {
    fail(reader, "a field is outside of its table", table->at);
    return 0;
  }
  return table->at + offset;
}

int ta_has(ta_flatbuffer *reader, const ta_table *table, uint32_t field) {
  return field_at(reader, table, field, 1) != 0;
}

uint32_t ta_number(ta_flatbuffer *reader, const ta_table *table, uint32_t field, uint32_t width) {
  size_t at = field_at(reader, table, field, width);
  if (at == 0) return 0;
  const uint8_t *found = reader->data + at;
  return width == 4 ? ta_u32(found) : width == 2 ? ta_u16(found) : *found;
}

ta_table ta_table_in(ta_flatbuffer *reader, const ta_table *table, uint32_t field) {
  size_t at = field_at(reader, table, field, 4);
  return table_at(reader, at == 0 ? 0 : follow(reader, at));
}

ta_vector ta_vector_in(ta_flatbuffer *reader, const ta_table *table, uint32_t field, uint32_t width) {
  ta_vector vector = {0, 0};
  size_t at = field_at(reader, table, field, 4);
  if (at == 0 || (at = follow(reader, at)) == 0 || !inside(reader, at, 4)) return vector;
  uint32_t count = ta_u32(reader->data + at);
  if (count > reader->size / width || !inside(reader, at + 4, (size_t)count * width)) {
    fail(reader, "a vector ends outside of the file; it was cut or changed", at);
    return vector;
  }
  vector.at = at + 4;
  vector.count = count;
  return vector;
}

/* Counts the elements that are read one by one. */
static int spend(ta_flatbuffer *reader, uint32_t count) {
  if (count > reader->left) {
    fail(reader, "its vectors have more elements than the file has bytes: they share parts without end", 0);
    return 0;
  }
  reader->left -= count;
  return reader->wrong == NULL;
}

ta_table ta_table_of(ta_flatbuffer *reader, const ta_vector *tables, uint32_t index) {
  return table_at(reader, follow(reader, tables->at + 4 * (size_t)index));
}

static textapp_status broken(const ta_flatbuffer *reader, textapp_message *message) {
  return ta_say(message, TEXTAPP_ERROR_BUNDLE, FILE_NAME ": byte %z: %s", reader->at, reader->wrong);
}

static textapp_status wrong(textapp_message *message, const char *rule) {
  return ta_say(message, TEXTAPP_ERROR_BUNDLE, FILE_NAME ": %s", rule);
}

textapp_status ta_file_open(ta_file *file, const void *data, size_t size, textapp_message *message) {
  ta_flatbuffer *reader = &file->reader;
  ta_fill(file, 0, sizeof *file);
  reader->data = data;
  reader->size = reader->left = size;
  if (size < 8 || size > LARGEST_FILE || ta_compare(reader->data + 4, "TFL3", 4) != 0)
    return wrong(message, "bytes 4 to 8 must be TFL3, as in a TFLite file of at most 1 GiB");
  file->model = table_at(reader, follow(reader, 0));
  file->codes = ta_vector_in(reader, &file->model, MODEL_CODES, 4);
  file->subgraphs = ta_vector_in(reader, &file->model, MODEL_SUBGRAPHS, 4);
  file->buffers = ta_vector_in(reader, &file->model, MODEL_BUFFERS, 4);
  file->signatures = ta_vector_in(reader, &file->model, MODEL_SIGNATURES, 4);
  uint32_t version = ta_number(reader, &file->model, MODEL_VERSION, 4);
  int elsewhere = ta_has(reader, &file->model, 8) || ta_has(reader, &file->model, 9);
  if (reader->wrong != NULL) return broken(reader, message);
  if (version != 3) return wrong(message, "the schema version must be 3");
  if (elsewhere) return wrong(message, "its buffers must be in the file itself");
  if (file->signatures.count != file->subgraphs.count)
    return wrong(message, "each signature must have a subgraph of its own");
  return TEXTAPP_OK;
}

const char *ta_type_name(int type) {
  switch (type) {
    case TA_FLOAT32: return "float32";
    case TA_FLOAT16: return "float16";
    case TA_INT32: return "int32";
    case TA_INT64: return "int64";
    case TA_BOOL: return "bool";
    case TA_INT16: return "int16";
    case TA_INT8: return "int8";
    case TA_INT4: return "int4";
    case TA_INT2: return "int2";
    default: return "an unknown type";
  }
}

size_t ta_type_bytes(int type, size_t count) {
  if (count > LARGEST_TENSOR) return SIZE_MAX;
  switch (type) {
    case TA_FLOAT32:
    case TA_INT32: return count * 4;
    case TA_INT64: return count <= LARGEST_TENSOR / 4 ? count * 8 : SIZE_MAX;
    case TA_FLOAT16:
    case TA_INT16: return count * 2;
    case TA_BOOL:
    case TA_INT8: return count;
    case TA_INT4: return (count + 1) / 2;
    case TA_INT2: return (count + 3) / 4;
    default: return SIZE_MAX;
  }
}

static textapp_status tensor_error(textapp_message *message, uint32_t index, const char *rule) {
  return ta_say(message, TEXTAPP_ERROR_BUNDLE, FILE_NAME ": tensor %z: %s", (size_t)index, rule);
}

/* Checks the scales of a tensor, which fit its type and shape. */
static textapp_status read_scales(ta_file *file, const ta_table *table, ta_tensor *tensor, uint32_t index,
                                  textapp_message *message) {
  ta_flatbuffer *reader = &file->reader;
  ta_table quantization = ta_table_in(reader, table, TENSOR_QUANTIZATION);
  ta_vector scales = ta_vector_in(reader, &quantization, QUANTIZATION_SCALE, 4);
  ta_vector zeros = ta_vector_in(reader, &quantization, QUANTIZATION_ZERO_POINT, 8);
  int details = ta_has(reader, &quantization, QUANTIZATION_DETAILS);
  tensor->axis = (int32_t)ta_number(reader, &quantization, QUANTIZATION_AXIS, 4);
  if (!spend(reader, scales.count)) return broken(reader, message);
  if (details || zeros.count != scales.count)
    return tensor_error(message, index, "must have a zero point for each scale, and no details");
  if (scales.count == 0) return TEXTAPP_OK;
  int type = tensor->type;
  if (type != TA_INT8 && type != TA_INT16 && type != TA_INT32 && type != TA_INT4 && type != TA_INT2)
    return tensor_error(message, index, "must have no scale");
  for (uint32_t i = 0; i < scales.count; i++) {
    float scale = ta_f32(reader->data + scales.at + 4 * (size_t)i);
    int64_t zero = (int64_t)ta_u64(reader->data + zeros.at + 8 * (size_t)i);
    if (!(scale >= 1e-30f && scale <= 1e10f))
      return tensor_error(message, index, "its scales must be from 1e-30 to 1e10");
    if (type == TA_INT8 ? zero < -128 || zero > 127 : zero != 0)
      return tensor_error(message, index, "its zero points must be in the range of its type, symmetric but for int8");
    if (i == 0) tensor->zero_point = (int32_t)zero;
    if (scales.count > 1 && zero != 0) return tensor_error(message, index, "several scales must have the zero point 0");
  }
  if (scales.count > 1) {
    int along = tensor->axis >= 0 && tensor->axis < tensor->rank && tensor->data != NULL &&
                (uint32_t)tensor->shape[tensor->axis] == scales.count;
    if (!along) return tensor_error(message, index, "its scales must be those of an axis of a constant");
  }
  tensor->scale_count = scales.count;
  tensor->scales = reader->data + scales.at;
  tensor->scale = ta_f32(tensor->scales);
  return TEXTAPP_OK;
}

static textapp_status read_data(ta_file *file, ta_tensor *tensor, uint32_t index, textapp_message *message) {
  ta_flatbuffer *reader = &file->reader;
  if (tensor->buffer >= file->buffers.count) return tensor_error(message, index, "its buffer does not exist");
  ta_table buffer = ta_table_of(reader, &file->buffers, tensor->buffer);
  ta_vector data = ta_vector_in(reader, &buffer, 0, 1);
  int elsewhere = ta_has(reader, &buffer, 1) || ta_has(reader, &buffer, 2);
  if (reader->wrong != NULL) return broken(reader, message);
  if (elsewhere) return tensor_error(message, index, "its buffer must be in the file itself");
  if (data.count == 0) return TEXTAPP_OK;
  if (tensor->buffer == 0) return tensor_error(message, index, "the first buffer must be empty");
  if (data.count != tensor->size) return tensor_error(message, index, "its buffer must have the bytes of its shape");
  if (tensor->is_variable) return tensor_error(message, index, "a variable must not have a buffer");
  tensor->data = reader->data + data.at;
  return TEXTAPP_OK;
}

static textapp_status read_tensor(ta_file *file, const ta_table *table, ta_tensor *tensor, uint32_t index,
                                  textapp_message *message) {
  ta_flatbuffer *reader = &file->reader;
  ta_vector shape = ta_vector_in(reader, table, TENSOR_SHAPE, 4);
  ta_vector fixed = ta_vector_in(reader, table, TENSOR_SHAPE_SIGNATURE, 4);
  int strange = ta_has(reader, table, TENSOR_SPARSITY) || ta_has(reader, table, 9) || ta_has(reader, table, 10);
  tensor->type = (uint8_t)ta_number(reader, table, TENSOR_TYPE, 1);
  tensor->buffer = ta_number(reader, table, TENSOR_BUFFER, 4);
  tensor->is_variable = ta_number(reader, table, TENSOR_IS_VARIABLE, 1) != 0;
  if (reader->wrong != NULL) return broken(reader, message);
  if (strange) return tensor_error(message, index, "has fields that exported files do not use");
  if (shape.count > TA_AXES) return tensor_error(message, index, "has more than 6 axes");
  tensor->rank = (uint8_t)shape.count;
  tensor->count = 1;
  for (uint32_t axis = 0; axis < TA_AXES; axis++) {
    int32_t size = axis < shape.count ? ta_element(file, &shape, axis) : 1;
    if (size < 0 || tensor->count > LARGEST_TENSOR / (size_t)TA_MAX(size, 1))
      return tensor_error(message, index, "its sizes must be 0 or more, and 384 MiB at most in all");
    if (axis < fixed.count && (fixed.count != shape.count || ta_element(file, &fixed, axis) != size))
      return tensor_error(message, index, "its shape must be fixed");
    tensor->shape[axis] = size;
    tensor->count *= (size_t)size;
  }
  tensor->size = ta_type_bytes(tensor->type, tensor->count);
  if (tensor->size > LARGEST_TENSOR) return tensor_error(message, index, "has an unknown type, or is too large");
  textapp_status status = read_data(file, tensor, index, message);
  return status ? status : read_scales(file, table, tensor, index, message);
}

static textapp_status read_operator(ta_file *file, const ta_table *table, ta_operator *out, uint32_t index,
                                    textapp_message *message) {
  ta_flatbuffer *reader = &file->reader;
  uint32_t number = ta_number(reader, table, OPERATOR_CODE, 4);
  out->inputs = ta_vector_in(reader, table, OPERATOR_INPUTS, 4);
  out->outputs = ta_vector_in(reader, table, OPERATOR_OUTPUTS, 4);
  out->middles = ta_vector_in(reader, table, OPERATOR_MIDDLES, 4);
  out->options_type = ta_number(reader, table, OPERATOR_OPTIONS_TYPE, 1);
  out->options = ta_table_in(reader, table, OPERATOR_OPTIONS);
  ta_vector custom = ta_vector_in(reader, table, OPERATOR_CUSTOM, 1);
  int strange = custom.count || ta_has(reader, table, 9) || ta_has(reader, table, 10) || ta_has(reader, table, 12);
  if (!spend(reader, out->inputs.count) || !spend(reader, out->outputs.count) || !spend(reader, out->middles.count))
    return broken(reader, message);
  if (strange || number >= file->codes.count)
    return ta_say(message, TEXTAPP_ERROR_BUNDLE, FILE_NAME ": operator %z: must have a code, and no custom options",
                  (size_t)index);
  ta_table code = ta_table_of(reader, &file->codes, number);
  int32_t old = (int8_t)ta_number(reader, &code, CODE_DEPRECATED, 1);
  int32_t builtin = (int32_t)ta_number(reader, &code, CODE_BUILTIN, 4);
  int is_custom = ta_has(reader, &code, CODE_CUSTOM);
  if (reader->wrong != NULL) return broken(reader, message);
  out->code = is_custom ? -1 : TA_MAX(old, builtin);
  return TEXTAPP_OK;
}

static int same_name(const ta_file *file, const ta_vector *text, const char *name, size_t length) {
  return text->count == length && ta_compare(file->reader.data + text->at, name, length) == 0;
}

/* The table of the one signature with a name. */
static textapp_status find_signature(ta_file *file, const char *name, size_t length, ta_table *out,
                                     textapp_message *message) {
  ta_flatbuffer *reader = &file->reader;
  uint32_t found = 0;
  if (!spend(reader, file->signatures.count)) return broken(reader, message);
  for (uint32_t i = 0; i < file->signatures.count; i++) {
    ta_table table = ta_table_of(reader, &file->signatures, i);
    ta_vector text = ta_vector_in(reader, &table, SIGNATURE_NAME, 1);
    if (reader->wrong != NULL) return broken(reader, message);
    if (same_name(file, &text, name, length)) {
      found++;
      *out = table;
    }
  }
  return found == 1 ? TEXTAPP_OK : wrong(message, "must have each signature that bundle.json names exactly once");
}

uint32_t ta_file_tensor(ta_file *file, const ta_subgraph *subgraph, const ta_vector *map, const char *name) {
  ta_flatbuffer *reader = &file->reader;
  uint32_t found = TA_NONE_FOUND;
  for (uint32_t i = 0; i < map->count; i++) {
    ta_table table = ta_table_of(reader, map, i);
    ta_vector text = ta_vector_in(reader, &table, 0, 1);
    uint32_t tensor = ta_number(reader, &table, 1, 4);
    if (reader->wrong != NULL || !same_name(file, &text, name, ta_length(name))) continue;
    if (found != TA_NONE_FOUND || tensor >= subgraph->tensor_count) return TA_NONE_FOUND; /* twice, or out of range */
    found = tensor;
  }
  return found;
}

textapp_status ta_file_subgraph(ta_file *file, ta_arena *arena, const char *name, size_t name_length, ta_subgraph *out,
                                textapp_message *message) {
  ta_flatbuffer *reader = &file->reader;
  ta_table signature;
  textapp_status status = find_signature(file, name, name_length, &signature, message);
  if (status) return status;
  uint32_t number = ta_number(reader, &signature, SIGNATURE_SUBGRAPH, 4);
  if (number >= file->subgraphs.count) return wrong(message, "a signature has no subgraph");
  ta_table table = ta_table_of(reader, &file->subgraphs, number);
  ta_vector tensors = ta_vector_in(reader, &table, SUBGRAPH_TENSORS, 4);
  ta_vector operators = ta_vector_in(reader, &table, SUBGRAPH_OPERATORS, 4);
  out->inputs = ta_vector_in(reader, &signature, SIGNATURE_INPUTS, 4);
  out->outputs = ta_vector_in(reader, &signature, SIGNATURE_OUTPUTS, 4);
  out->input_count = ta_vector_in(reader, &table, SUBGRAPH_INPUTS, 4).count;
  out->output_count = ta_vector_in(reader, &table, SUBGRAPH_OUTPUTS, 4).count;
  if (!spend(reader, tensors.count) || !spend(reader, operators.count) || !spend(reader, out->inputs.count) ||
      !spend(reader, out->outputs.count))
    return broken(reader, message);
  out->tensor_count = tensors.count;
  out->operator_count = operators.count;
  out->tensors = ta_new(arena, tensors.count, sizeof *out->tensors);
  out->operators = ta_new(arena, operators.count, sizeof *out->operators);
  if (out->tensors == NULL || out->operators == NULL)
    return ta_say(message, TEXTAPP_ERROR_MEMORY, FILE_NAME ": its tensors need more memory than is allowed");
  for (uint32_t i = 0; i < tensors.count && !status; i++) {
    ta_table one = ta_table_of(reader, &tensors, i);
    status = read_tensor(file, &one, &out->tensors[i], i, message);
  }
  for (uint32_t i = 0; i < operators.count && !status; i++) {
    ta_table one = ta_table_of(reader, &operators, i);
    status = read_operator(file, &one, &out->operators[i], i, message);
  }
  return status;
}
