/* Predictions as `textapp predict --json` writes them: one JSON object a line. */
#ifndef PRINT_H
#define PRINT_H

#include "predict.h"

/* Bytes that grow. */
typedef struct {
  char *bytes;
  size_t size, room;
} buffer;

/* Makes room for more bytes; 0 where memory is out. */
int grow(buffer *out, size_t more);

/* Adds the line of a prediction of a text, whose places are in bytes; the line has them in the unit of the flags. 0 where
 * memory is out. */
int put_prediction(buffer *out, const textapp_model *model, const textapp_prediction *prediction, const char *text,
                   size_t length, uint32_t flags);

#endif
