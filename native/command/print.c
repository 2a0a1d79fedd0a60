/* Writes predictions as JSON; see print.h. */
#include "print.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int grow(buffer *out, size_t more) {
  if (more > out->room - out->size) {
    size_t room = TA_MAX(out->room * 2, out->size + more);
    char *bytes = realloc(out->bytes, room);
    if (!bytes) return 0;
    out->bytes = bytes;
    out->room = room;
  }
  return 1;
}

/* What follows writes into a buffer that has room: see `room_for`. */
static void put(buffer *out, const char *text, size_t length) {
  memcpy(out->bytes + out->size, text, length);
  out->size += length;
}

static void put_word(buffer *out, const char *word) { put(out, word, strlen(word)); }

static void put_string(buffer *out, const char *text, size_t length) {
  static const char letters[] = "\"\\\b\f\n\r\t", names[] = "\"\\bfnrt";
  put(out, "\"", 1);
  for (size_t place = 0; place < length; place++) {
    const char *letter = text[place] ? strchr(letters, text[place]) : NULL;
    if (letter) {
      char escape[2] = {'\\', names[letter - letters]};
      put(out, escape, 2);
    } else if ((unsigned char)text[place] < 0x20) {
      char escape[8];
      put(out, escape, (size_t)snprintf(escape, sizeof escape, "\\u%04x", (unsigned)text[place]));
    } else {
      put(out, text + place, 1);
    }
  }
  put(out, "\"", 1);
}

/* The shortest number, of at least 15 digits without zeros at its end, that is read as the same double. Python writes
 * the same, but fewer digits of a subnormal number, such as 5e-324, which has less than 15 that count. */
static void put_number(buffer *out, double number) {
  char digits[40];
  for (int precision = 15; precision <= 17; precision++) {
    snprintf(digits, sizeof digits, "%.*g", precision, number);
    if (strtod(digits, NULL) == number) break;
  }
  put_word(out, digits);
  if (!strpbrk(digits, ".e")) put(out, ".0", 2);
}

static void put_whole(buffer *out, size_t number) {
  char digits[24];
  put(out, digits, (size_t)snprintf(digits, sizeof digits, "%zu", number));
}

/* The most bytes that the JSON of a prediction has. */
static size_t room_for(const textapp_model *model, const textapp_prediction *prediction, size_t text_length) {
  size_t room = 256;
  for (size_t label = 0; label < textapp_label_count(model); label++) {
    room += 12 * strlen(textapp_label(model, label)) + 64;
  }
  for (size_t number = 0; number < prediction->token_count; number++) {
    const textapp_token *token = &prediction->tokens[number];
    room += 6 * token->length + 256;
    if (token->tag >= 0) room += 6 * strlen(textapp_label(model, (size_t)token->tag));
  }
  for (size_t number = 0; number < prediction->span_count; number++) {
    room += 6 * prediction->spans[number].type_length + 256;
  }
  return room + 6 * text_length;
}

static void put_label(buffer *out, const textapp_model *model, size_t number) {
  const char *label = textapp_label(model, number);
  put_string(out, label, strlen(label));
}

static void put_labels(buffer *out, const textapp_model *model, const textapp_prediction *prediction) {
  if (!prediction->chosen) {
    put_word(out, "{\"label\": ");
    put_label(out, model, (size_t)prediction->label);
  } else {
    const char *before = "";
    put_word(out, "{\"labels\": [");
    for (size_t number = 0; number < prediction->label_count; number++) {
      if (!prediction->chosen[number]) continue;
      put_word(out, before);
      put_label(out, model, number);
      before = ", ";
    }
    put_word(out, "]");
  }
  put_word(out, ", \"probs\": {");
  for (size_t number = 0; number < prediction->label_count; number++) {
    if (number) put_word(out, ", ");
    put_label(out, model, number);
    put_word(out, ": ");
    put_number(out, prediction->probs[number]);
  }
  put_word(out, "}, ");
}

/* Places of the original text in the unit that is asked for; predictions give them in bytes. */
static void put_places(buffer *out, ta_units *in, size_t start, size_t end) {
  put_word(out, ", \"start\": ");
  put_whole(out, ta_unit(in, &in->starts, start));
  put_word(out, ", \"end\": ");
  put_whole(out, ta_unit(in, &in->ends, end));
}

static void put_confidence(buffer *out, double confidence) {
  if (confidence < 0) return;
  put_word(out, ", \"confidence\": ");
  put_number(out, confidence);
}

static void put_spans(buffer *out, const textapp_prediction *prediction, const char *text, ta_units in) {
  put_word(out, "{\"spans\": [");
  for (size_t number = 0; number < prediction->span_count; number++) {
    const textapp_span *span = &prediction->spans[number];
    put_word(out, number ? ", {\"type\": " : "{\"type\": ");
    put_string(out, span->type, span->type_length);
    put_word(out, ", \"text\": ");
    put_string(out, text + span->start, span->end - span->start);
    put_places(out, &in, span->start, span->end);
    put_confidence(out, span->confidence);
    put_word(out, "}");
  }
  put_word(out, "], ");
}

static void put_tokens(buffer *out, const textapp_model *model, const textapp_prediction *prediction, ta_units in) {
  put_word(out, "\"tokens\": [");
  for (size_t number = 0; number < prediction->token_count; number++) {
    const textapp_token *token = &prediction->tokens[number];
    put_word(out, number ? ", {\"text\": " : "{\"text\": ");
    put_string(out, token->text, token->length);
    put_places(out, &in, token->start, token->end);
    if (token->tag >= 0) {
      put_word(out, ", \"tag\": ");
      put_label(out, model, (size_t)token->tag);
      put_confidence(out, token->confidence);
    } else if (token->weight >= 0.0f) {
      put_word(out, ", \"weight\": ");
      put_number(out, (double)token->weight);
    } else {
      put_word(out, ", \"weight\": null");
    }
    put_word(out, "}");
  }
  put_word(out, "]");
}

int put_prediction(buffer *out, const textapp_model *model, const textapp_prediction *prediction, const char *text,
                   size_t length, uint32_t flags) {
  ta_units in = ta_units_of(text, length, flags);
  if (!grow(out, room_for(model, prediction, length))) return 0;
  if (prediction->probs) {
    put_labels(out, model, prediction);
  } else {
    put_spans(out, prediction, text, in);
  }
  put_tokens(out, model, prediction, in);
  if (prediction->probs) put_word(out, prediction->truncated ? ", \"truncated\": true" : ", \"truncated\": false");
  put_word(out, "}\n");
  return 1;
}
