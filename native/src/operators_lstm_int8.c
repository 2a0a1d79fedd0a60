/* UNIDIRECTIONAL_SEQUENCE_LSTM in integers. */
#include "operators.h"

void ta_lstm_int8(ta_builder *builder) {
  ta_known(builder, 0, "an LSTM of int8 numbers");
}
