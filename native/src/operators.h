/* What the files of operators give the table of kinds, operators.c. */
#ifndef TA_OPERATORS_H
#define TA_OPERATORS_H

#include "graph.h"

/* operators_element.c and operators_int8.c */
enum { TA_ADD, TA_SUB, TA_MUL, TA_DIV, TA_MAXIMUM, TA_MINIMUM, TA_SQUARED_DIFFERENCE, TA_FLOOR_MOD };
enum { TA_EQUAL, TA_NOT_EQUAL, TA_LESS, TA_LESS_EQUAL, TA_GREATER, TA_GREATER_EQUAL };
enum { TA_TANH, TA_LOGISTIC, TA_EXP, TA_NEG, TA_RSQRT, TA_SQRT, TA_SQUARE, TA_ABS, TA_RELU, TA_RELU6, TA_LOGICAL_NOT };
void ta_prepare_binary(ta_builder *builder);
void ta_prepare_compare(ta_builder *builder);
void ta_prepare_logical(ta_builder *builder);
void ta_prepare_unary(ta_builder *builder);
void ta_prepare_select(ta_builder *builder);
void ta_prepare_cast(ta_builder *builder);
void ta_binary_int8(ta_builder *builder, int32_t activation);
void ta_unary_int8(ta_builder *builder);
void ta_prepare_quantize(ta_builder *builder);
void ta_prepare_dequantize(ta_builder *builder);
float ta_activate(int32_t activation, float number);
void ta_activate_all(int32_t activation, float *numbers, size_t count);
/* The shape of two shapes that are broadcast; returns its rank. */
uint32_t ta_broadcast(ta_builder *builder, const ta_tensor *x, const ta_tensor *y, int32_t *shape);

/* operators_move.c and operators_join.c */
size_t ta_number_bytes(const ta_tensor *tensor);
int ta_same_scale(const ta_tensor *x, const ta_tensor *y);
/* What is moved keeps its type, and integers keep their scale. */
int ta_check_moved(ta_builder *builder, const ta_tensor *x, const ta_tensor *y);
void ta_strides(const int32_t *shape, size_t width, int64_t *stride); /* in bytes */
void ta_prepare_reshape(ta_builder *builder);
void ta_prepare_expand_dims(ta_builder *builder);
void ta_prepare_squeeze(ta_builder *builder);
void ta_prepare_strided_slice(ta_builder *builder);
void ta_prepare_slice(ta_builder *builder);
void ta_prepare_split(ta_builder *builder);
void ta_prepare_unpack(ta_builder *builder);
void ta_prepare_pack(ta_builder *builder);
void ta_prepare_concatenation(ta_builder *builder);
void ta_prepare_pad(ta_builder *builder);
void ta_prepare_reverse(ta_builder *builder);
void ta_prepare_transpose(ta_builder *builder);

/* operators_reduce.c */
enum { TA_SUM, TA_MEAN, TA_REDUCE_MAX, TA_REDUCE_MIN };
void ta_prepare_reduce(ta_builder *builder);
void ta_prepare_softmax(ta_builder *builder);

/* operators_product.c */
/* Multiplies rows of floats that lie one behind the other by a matrix, of int8 with a scale and a zero point for each
 * row; adds to a bias, or with `add` to what is there. Needs `ta_product_scratch` bytes. */
size_t ta_product_scratch(size_t inputs);
void ta_product_rows(const ta_kernels *kernels, const ta_packed *packed, const float *x, size_t rows, const float *bias,
                     int add, ta_rounding rounding, float *y, void *scratch);
void ta_prepare_fully_connected(ta_builder *builder);
void ta_prepare_convolution(ta_builder *builder);
void ta_prepare_batch_matmul(ta_builder *builder);
void ta_prepare_embedding_lookup(ta_builder *builder);
int ta_is_plain_product(const ta_step *step); /* MUL of floats without an activation */

/* operators_lstm.c */
void ta_prepare_lstm(ta_builder *builder);
void ta_lstm_int8(ta_builder *builder);

/* Numbers of int8 models. A sum of products becomes int8 as XNNPACK rounds it: through float32, halves to even. */
static inline int8_t ta_to_int8(float number, int32_t zero_point, int32_t least) {
  float low = (float)(least - zero_point), high = (float)(127 - zero_point);
  float kept = number > low ? number : low; /* NaN becomes the least */
  kept = kept < high ? kept : high;
  float rounded = (kept + 12582912.0f) - 12582912.0f; /* 1.5 * 2^23: to the nearest whole number */
  return (int8_t)((int32_t)rounded + zero_point);
}

#endif
