/* Whole numbers that stand for fractions: what LiteRT's integer kernels compute with.
 *
 * References: tensorflow/lite/kernels/internal/common.h and quantization_util.cc; gemmlowp, fixedpoint/fixedpoint.h;
 * Jacob et al. 2018, Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only Inference. */
#ifndef TA_FIXED_POINT_H
#define TA_FIXED_POINT_H

#include "base.h"

/* A real number as multiplier * 2^(shift - 31). */
typedef struct {
  int32_t multiplier, shift;
} ta_multiplier;
/* Of a number from 2^-31 up to 2^30; below it is 0, above it is cut. */
ta_multiplier ta_multiplier_of(double number);
/* A whole number times a multiplier, rounded twice as LiteRT does. */
int32_t ta_multiply(int32_t number, ta_multiplier by);
/* number / 2^exponent, halves away from zero. */
int32_t ta_shift_right(int32_t number, int32_t exponent);

/* Of int16 with `integer_bits` bits before the point, from 0 to 6; the results have none. */
int16_t ta_tanh16(int16_t number, int32_t integer_bits);
int16_t ta_sigmoid16(int16_t number); /* of 3 bits before the point */

#endif
