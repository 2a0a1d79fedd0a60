/* The operators that this core runs: those that exports of textapp write.
 *
 * Reference: tensorflow/compiler/mlir/lite/schema/schema.fbs for the numbers of operators and options. */
#include "operators.h"

#define ALL 0xffffffffu /* all inputs are read at run time */
#define MANY 65536u

/* Sorted by their number, which `ta_operator_kind_of` relies on. Those without `prepare` are known by name only. */
static const ta_operator_kind kinds[] = {
    {0, "ADD", 11, 2, 2, 0, ALL, ta_prepare_binary, TA_ADD},
    {1, "AVERAGE_POOL_2D", 0, 0, 0, 0, 0, NULL, 0},
    {2, "CONCATENATION", 10, 1, MANY, 0, ALL, ta_prepare_concatenation, 0},
    {3, "CONV_2D", 1, 2, 3, 4, 5, ta_prepare_convolution, 0},
    {4, "DEPTHWISE_CONV_2D", 0, 0, 0, 0, 0, NULL, 0},
    {6, "DEQUANTIZE", 38, 1, 1, 0, ALL, ta_prepare_dequantize, 0},
    {7, "EMBEDDING_LOOKUP", 0, 2, 2, 0, 1, ta_prepare_embedding_lookup, 0},
    {8, "FLOOR", 0, 0, 0, 0, 0, NULL, 0},
    {9, "FULLY_CONNECTED", 8, 2, 3, 4, 5, ta_prepare_fully_connected, 0},
    {14, "LOGISTIC", 0, 1, 1, 0, ALL, ta_prepare_unary, TA_LOGISTIC},
    {17, "MAX_POOL_2D", 0, 0, 0, 0, 0, NULL, 0},
    {18, "MUL", 21, 2, 2, 0, ALL, ta_prepare_binary, TA_MUL},
    {19, "RELU", 0, 1, 1, 0, ALL, ta_prepare_unary, TA_RELU},
    {20, "RELU_N1_TO_1", 0, 0, 0, 0, 0, NULL, 0},
    {21, "RELU6", 0, 1, 1, 0, ALL, ta_prepare_unary, TA_RELU6},
    {22, "RESHAPE", 17, 1, 2, 0, 1, ta_prepare_reshape, 0},
    {25, "SOFTMAX", 9, 1, 1, 0, ALL, ta_prepare_softmax, 0},
    {28, "TANH", 0, 1, 1, 0, ALL, ta_prepare_unary, TA_TANH},
    {34, "PAD", 22, 2, 2, 0, 1, ta_prepare_pad, 0},
    {36, "GATHER", 0, 0, 0, 0, 0, NULL, 0},
    {39, "TRANSPOSE", 26, 2, 2, 0, 1, ta_prepare_transpose, 0},
    {40, "MEAN", 27, 2, 2, 0, 1, ta_prepare_reduce, TA_MEAN},
    {41, "SUB", 28, 2, 2, 0, ALL, ta_prepare_binary, TA_SUB},
    {42, "DIV", 29, 2, 2, 0, ALL, ta_prepare_binary, TA_DIV},
    {43, "SQUEEZE", 30, 1, 1, 0, ALL, ta_prepare_squeeze, 0},
    {44, "UNIDIRECTIONAL_SEQUENCE_LSTM", 71, 20, 24, 0xf30e00, 0xf001, ta_prepare_lstm, 0},
    {45, "STRIDED_SLICE", 32, 4, 4, 0, 1, ta_prepare_strided_slice, 0},
    {47, "EXP", 33, 1, 1, 0, ALL, ta_prepare_unary, TA_EXP},
    {48, "TOPK_V2", 0, 0, 0, 0, 0, NULL, 0},
    {49, "SPLIT", 35, 2, 2, 0, 2, ta_prepare_split, 0},
    {50, "LOG_SOFTMAX", 0, 0, 0, 0, 0, NULL, 0},
    {53, "CAST", 37, 1, 1, 0, ALL, ta_prepare_cast, 0},
    {54, "PRELU", 0, 0, 0, 0, 0, NULL, 0},
    {55, "MAXIMUM", 39, 2, 2, 0, ALL, ta_prepare_binary, TA_MAXIMUM},
    {56, "ARG_MAX", 0, 0, 0, 0, 0, NULL, 0},
    {57, "MINIMUM", 39, 2, 2, 0, ALL, ta_prepare_binary, TA_MINIMUM},
    {58, "LESS", 41, 2, 2, 0, ALL, ta_prepare_compare, TA_LESS},
    {59, "NEG", 42, 1, 1, 0, ALL, ta_prepare_unary, TA_NEG},
    {60, "PADV2", 43, 3, 3, 0, 5, ta_prepare_pad, 0},
    {61, "GREATER", 44, 2, 2, 0, ALL, ta_prepare_compare, TA_GREATER},
    {62, "GREATER_EQUAL", 45, 2, 2, 0, ALL, ta_prepare_compare, TA_GREATER_EQUAL},
    {63, "LESS_EQUAL", 46, 2, 2, 0, ALL, ta_prepare_compare, TA_LESS_EQUAL},
    {64, "SELECT", 0, 0, 0, 0, 0, NULL, 0},
    {65, "SLICE", 48, 3, 3, 0, 1, ta_prepare_slice, 0},
    {66, "SIN", 0, 0, 0, 0, 0, NULL, 0},
    {69, "TILE", 0, 0, 0, 0, 0, NULL, 0},
    {70, "EXPAND_DIMS", 52, 2, 2, 0, 1, ta_prepare_expand_dims, 0},
    {71, "EQUAL", 53, 2, 2, 0, ALL, ta_prepare_compare, TA_EQUAL},
    {72, "NOT_EQUAL", 54, 2, 2, 0, ALL, ta_prepare_compare, TA_NOT_EQUAL},
    {73, "LOG", 0, 0, 0, 0, 0, NULL, 0},
    {74, "SUM", 27, 2, 2, 0, 1, ta_prepare_reduce, TA_SUM},
    {75, "SQRT", 0, 1, 1, 0, ALL, ta_prepare_unary, TA_SQRT},
    {76, "RSQRT", 0, 1, 1, 0, ALL, ta_prepare_unary, TA_RSQRT},
    {78, "POW", 0, 0, 0, 0, 0, NULL, 0},
    {81, "REDUCE_PROD", 0, 0, 0, 0, 0, NULL, 0},
    {82, "REDUCE_MAX", 27, 2, 2, 0, 1, ta_prepare_reduce, TA_REDUCE_MAX},
    {83, "PACK", 59, 1, MANY, 0, ALL, ta_prepare_pack, 0},
    {84, "LOGICAL_OR", 60, 2, 2, 0, ALL, ta_prepare_logical, 0},
    {85, "ONE_HOT", 0, 0, 0, 0, 0, NULL, 0},
    {86, "LOGICAL_AND", 62, 2, 2, 0, ALL, ta_prepare_logical, 1},
    {87, "LOGICAL_NOT", 63, 1, 1, 0, ALL, ta_prepare_unary, TA_LOGICAL_NOT},
    {88, "UNPACK", 64, 1, 1, 0, ALL, ta_prepare_unpack, 0},
    {89, "REDUCE_MIN", 27, 2, 2, 0, 1, ta_prepare_reduce, TA_REDUCE_MIN},
    {90, "FLOOR_DIV", 0, 0, 0, 0, 0, NULL, 0},
    {91, "REDUCE_ANY", 0, 0, 0, 0, 0, NULL, 0},
    {92, "SQUARE", 66, 1, 1, 0, ALL, ta_prepare_unary, TA_SQUARE},
    {94, "FILL", 0, 0, 0, 0, 0, NULL, 0},
    {95, "FLOOR_MOD", 72, 2, 2, 0, ALL, ta_prepare_binary, TA_FLOOR_MOD},
    {98, "LEAKY_RELU", 0, 0, 0, 0, 0, NULL, 0},
    {99, "SQUARED_DIFFERENCE", 76, 2, 2, 0, ALL, ta_prepare_binary, TA_SQUARED_DIFFERENCE},
    {101, "ABS", 78, 1, 1, 0, ALL, ta_prepare_unary, TA_ABS},
    {102, "SPLIT_V", 0, 0, 0, 0, 0, NULL, 0},
    {104, "CEIL", 0, 0, 0, 0, 0, NULL, 0},
    {105, "REVERSE_V2", 81, 2, 2, 0, 1, ta_prepare_reverse, 0},
    {108, "COS", 0, 0, 0, 0, 0, NULL, 0},
    {111, "ELU", 0, 0, 0, 0, 0, NULL, 0},
    {114, "QUANTIZE", 89, 1, 1, 0, ALL, ta_prepare_quantize, 0},
    {116, "ROUND", 0, 0, 0, 0, 0, NULL, 0},
    {117, "HARD_SWISH", 0, 0, 0, 0, 0, NULL, 0},
    {119, "WHILE", 0, 0, 0, 0, 0, NULL, 0},
    {123, "SELECT_V2", 98, 3, 3, 0, ALL, ta_prepare_select, 0},
    {126, "BATCH_MATMUL", 101, 2, 2, 0, ALL, ta_prepare_batch_matmul, 0},
    {128, "CUMSUM", 0, 0, 0, 0, 0, NULL, 0},
    {130, "BROADCAST_TO", 0, 0, 0, 0, 0, NULL, 0},
    {140, "REDUCE_ALL", 0, 0, 0, 0, 0, NULL, 0},
    {150, "GELU", 0, 0, 0, 0, 0, NULL, 0},
    {158, "SIGN", 0, 0, 0, 0, 0, NULL, 0},
};

const ta_operator_kind *ta_operator_kind_of(int32_t code) {
  size_t low = 0, high = TA_COUNT(kinds);
  while (low < high) {
    size_t middle = (low + high) / 2;
    if (kinds[middle].code < code) low = middle + 1;
    else high = middle;
  }
  return low < TA_COUNT(kinds) && kinds[low].code == code ? &kinds[low] : NULL;
}
