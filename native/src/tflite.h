/* Reads model.tflite: a flatbuffer. Each offset, length and count is checked before it is followed. */
#ifndef TA_TFLITE_H
#define TA_TFLITE_H

#include "base.h"

#define TA_AXES 6

/* Numbers of the schema. */
enum {
  TA_FLOAT32 = 0,
  TA_FLOAT16 = 1,
  TA_INT32 = 2,
  TA_INT64 = 4,
  TA_BOOL = 6,
  TA_INT16 = 7,
  TA_INT8 = 9,
  TA_INT4 = 17,
  TA_INT2 = 19
};

/* A reader. The first error stays in `wrong`; after it all reads give 0. */
typedef struct {
  const uint8_t *data;
  size_t size;
  size_t left; /* elements of vectors that may still be read: a small file cannot be read for ever */
  const char *wrong;
  size_t at;
} ta_flatbuffer;

/* A table, and the place of its list of fields. `at` is 0 for one that is missing. */
typedef struct {
  size_t at, fields;
  uint32_t fields_size, size;
} ta_table;

/* A vector; `count` is 0 for one that is missing. */
typedef struct {
  size_t at;
  uint32_t count;
} ta_vector;

int ta_has(ta_flatbuffer *reader, const ta_table *table, uint32_t field);
/* A number of `width` bytes, sign extended for signed types by the caller; 0 where the field is missing. */
uint32_t ta_number(ta_flatbuffer *reader, const ta_table *table, uint32_t field, uint32_t width);
ta_table ta_table_in(ta_flatbuffer *reader, const ta_table *table, uint32_t field);
ta_vector ta_vector_in(ta_flatbuffer *reader, const ta_table *table, uint32_t field, uint32_t width);
ta_table ta_table_of(ta_flatbuffer *reader, const ta_vector *tables, uint32_t index);

/* A tensor as the file has it. */
typedef struct {
  const uint8_t *data; /* of a constant, little-endian, at any address; NULL for a computed one */
  size_t size;         /* bytes of all elements */
  size_t count;        /* elements; 0 only for tensors that no operator reads or writes */
  int32_t shape[TA_AXES];
  uint32_t buffer;
  uint8_t rank, type, is_variable;
  int32_t axis; /* of the scales, if there are several */
  uint32_t scale_count;
  const uint8_t *scales; /* float32 */
  float scale;           /* the first one; 0 without any */
  int32_t zero_point;    /* of the first one */
} ta_tensor;

/* An operator as the file has it. Its vectors are int32. */
typedef struct {
  int32_t code;
  ta_vector inputs, outputs, middles;
  uint32_t options_type;
  ta_table options;
} ta_operator;

typedef struct {
  ta_vector inputs, outputs; /* of the signature: tables of name and tensor */
  uint32_t input_count, output_count;
  ta_tensor *tensors;
  uint32_t tensor_count;
  ta_operator *operators;
  uint32_t operator_count;
} ta_subgraph;

typedef struct {
  ta_flatbuffer reader;
  ta_table model;
  ta_vector buffers, codes, subgraphs, signatures;
} ta_file;

/* Opens a file; reads no subgraph yet. */
textapp_status ta_file_open(ta_file *file, const void *data, size_t size, textapp_message *message);
/* Reads the subgraph of the signature `name`. */
textapp_status ta_file_subgraph(ta_file *file, ta_arena *arena, const char *name, size_t name_length, ta_subgraph *out,
                                textapp_message *message);
/* The tensor of an input or output by name: TA_NONE_FOUND if there is none. */
#define TA_NONE_FOUND UINT32_MAX
uint32_t ta_file_tensor(ta_file *file, const ta_subgraph *subgraph, const ta_vector *map, const char *name);
/* An element of a vector of int32. */
static inline int32_t ta_element(const ta_file *file, const ta_vector *vector, uint32_t index) {
  return (int32_t)ta_u32(file->reader.data + vector->at + 4 * (size_t)index);
}
const char *ta_type_name(int type);
/* Bytes of `count` elements of a type; SIZE_MAX where it is unknown. */
size_t ta_type_bytes(int type, size_t count);

#endif
