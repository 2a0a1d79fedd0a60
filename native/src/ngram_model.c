/* Reads and computes the linear model of n-grams; see ngram_model.h. Sums of rows are whole numbers, and what follows is
 * computed in the precision of textapp/runtime/ngram_model.py: in double, then rounded to float. */
#include "ngram_model.h"

#include "json.h"

#define MOST_ROWS (1 << 20)
#define LONGEST 8    /* words or characters of an n-gram */
#define LARGEST 1e9

enum { ORDER, ROWS, CHARACTERS, CHARACTER_ROWS, SCALES, BIAS, PROJECTION, WEIGHTS, COUNT_ZERO_ROWS, FIELDS };
static const char *const names[FIELDS] = {"order", "rows",       "characters", "character_rows", "scales",
                                          "bias",  "projection", "weights",    "count_zero_rows"};

static textapp_status no_whole(size_t field, int64_t least, int64_t most, textapp_message *message) {
  return ta_say(message, TEXTAPP_ERROR_BUNDLE, "ngrams.json: \"%s\" must be a whole number from %d to %d", names[field],
                least, most);
}

static int is_power(uint32_t count) { return (count & (count - 1)) == 0; }

static textapp_status load_hash(ta_ngram_hash *out, const ta_json *fields, textapp_message *message) {
  static const int64_t least[] = {1, 1, 0, 0}, most[] = {LONGEST, MOST_ROWS, LONGEST, MOST_ROWS};
  int64_t values[4];
  for (size_t field = 0; field < 4; field++) {
    if (ta_json_whole(fields[field], least[field], most[field], &values[field])) continue;
    return no_whole(field, least[field], most[field], message);
  }
  out->order = (uint32_t)values[ORDER];
  out->rows = (uint32_t)values[ROWS];
  out->characters = (uint32_t)values[CHARACTERS];
  out->character_rows = (uint32_t)values[CHARACTER_ROWS];
  if (!is_power(out->rows) || !is_power(out->character_rows)) {
    return ta_say(message, TEXTAPP_ERROR_BUNDLE,
                  "ngrams.json: \"rows\" and \"character_rows\" must be powers of two. Received: %d, %d", values[ROWS],
                  values[CHARACTER_ROWS]);
  }
  if ((out->characters == 0) == (out->character_rows == 0)) return TEXTAPP_OK;
  return ta_say(message, TEXTAPP_ERROR_BUNDLE,
                "ngrams.json: \"characters\" and \"character_rows\" must both be 0, or neither");
}

/* Numbers of an array, or of an array of `rows` arrays where `nested`, as float. NULL where they break the rule. */
static const float *numbers(ta_arena *arena, ta_json value, size_t rows, size_t columns, int nested) {
  float *out = ta_new(arena, rows * columns, sizeof *out);
  ta_json rest, row = value, number;
  if (!out || ta_json_kind_of(value) != TA_JSON_ARRAY) return NULL;
  if (nested) rest = ta_json_inside(value);
  for (size_t at = 0; at < rows; at++) {
    ta_json inner;
    size_t found = 0;
    if (nested && !ta_json_next(&rest, NULL, &row)) return NULL;
    if (ta_json_kind_of(row) != TA_JSON_ARRAY) return NULL;
    inner = ta_json_inside(row);
    while (ta_json_next(&inner, NULL, &number)) {
      double one;
      if (found == columns || !ta_json_number(number, &one) || !(one >= -LARGEST && one <= LARGEST)) return NULL;
      out[at * columns + found++] = (float)one;
    }
    if (found != columns) return NULL;
  }
  return nested && ta_json_next(&rest, NULL, &row) ? NULL : out;
}

static textapp_status no_numbers(size_t field, size_t rows, size_t columns, textapp_message *message) {
  return ta_say(message, TEXTAPP_ERROR_BUNDLE,
                "ngrams.json: \"%s\" must hold %z x %z numbers, none NaN or out of range", names[field], rows, columns);
}

static textapp_status load_numbers(ta_ngram_model *out, ta_arena *arena, const ta_json *fields,
                                   textapp_message *message) {
  size_t columns = out->columns, classes = out->classes;
  const float *weights;
  if (!(out->scales = numbers(arena, fields[SCALES], 2, columns, 1))) return no_numbers(SCALES, 2, columns, message);
  if (!(out->bias = numbers(arena, fields[BIAS], 1, classes, 0))) return no_numbers(BIAS, 1, classes, message);
  if (ta_json_kind_of(fields[PROJECTION]) != TA_JSON_NULL) {
    out->projection = numbers(arena, fields[PROJECTION], columns, classes, 1);
    if (!out->projection) return no_numbers(PROJECTION, columns, classes, message);
  }
  if (!(weights = numbers(arena, fields[WEIGHTS], 1, 2, 0))) return no_numbers(WEIGHTS, 1, 2, message);
  out->weights[0] = weights[0];
  out->weights[1] = weights[1];
  return TEXTAPP_OK;
}

textapp_status ta_ngram_model_load(ta_ngram_model *out, ta_arena *arena, const textapp_file *settings,
                                   const textapp_file *table, size_t classes, textapp_message *message) {
  ta_json object, fields[FIELDS];
  uint64_t rows;
  size_t columns = classes, others = 1;
  textapp_status status = ta_json_check(&object, "ngrams.json", settings->data, settings->size, message);
  if (status) return status;
  if (ta_json_kind_of(object) == TA_JSON_OBJECT) others = ta_json_members(object, names, FIELDS, fields);
  for (size_t field = 0; !others && field < COUNT_ZERO_ROWS; field++) others = !fields[field].at;
  if (others) {
    return ta_say(message, TEXTAPP_ERROR_BUNDLE,
                  "ngrams.json: must be an object of bias, character_rows, characters, count_zero_rows, order, "
                  "projection, rows, scales, weights");
  }
  out->count_zero_rows = 1; /* the first version with n-grams had no such field */
  if (fields[COUNT_ZERO_ROWS].at && !ta_json_bool(fields[COUNT_ZERO_ROWS], &out->count_zero_rows)) {
    return ta_say(message, TEXTAPP_ERROR_BUNDLE, "ngrams.json: \"count_zero_rows\" must be true or false");
  }
  status = load_hash(&out->hash, fields, message);
  if (status) return status;
  if (ta_json_kind_of(fields[PROJECTION]) != TA_JSON_NULL) {
    columns = ta_json_kind_of(fields[PROJECTION]) == TA_JSON_ARRAY ? ta_json_count(fields[PROJECTION]) : 0;
  }
  rows = (uint64_t)out->hash.rows + out->hash.character_rows;
  if (!columns || columns > table->size || rows * columns != table->size) {
    return ta_say(message, TEXTAPP_ERROR_BUNDLE,
                  "ngrams.bin: must have %z rows of %z bytes by ngrams.json for %z labels. Received: %z bytes; the "
                  "files are of another model: copy or export them again",
                  (size_t)rows, columns, classes, table->size);
  }
  out->columns = (uint32_t)columns;
  out->classes = (uint32_t)classes;
  out->table = table->data;
  return load_numbers(out, arena, fields, message);
}

/* How many rows have a number other than 0. */
static size_t count_known(const int8_t *table, size_t columns, const uint32_t *rows, size_t count) {
  size_t known = 0;
  for (size_t row = 0; row < count; row++) {
    const int8_t *from = table + rows[row] * columns;
    size_t place = 0;
    while (place < columns && from[place] == 0) place++;
    known += place < columns;
  }
  return known;
}

static void add_kind(const ta_ngram_model *model, const ta_kernels *kernels, size_t kind, const uint32_t *rows,
                     size_t count, int32_t *sums, double *values) {
  const int8_t *table = model->table + (kind ? (size_t)model->hash.rows * model->columns : 0);
  const float *scales = model->scales + kind * model->columns;
  size_t counted = model->count_zero_rows ? count : count_known(table, model->columns, rows, count);
  double root = (double)(float)ta_sqrt((double)counted);
  if (!counted) return;
  kernels->sum_rows(table, model->columns, rows, count, sums);
  for (size_t place = 0; place < model->columns; place++) {
    values[place] += (double)scales[place] * ((double)sums[place] / root);
  }
}

void ta_ngram_model_add(const ta_ngram_model *model, const ta_kernels *kernels, const ta_ngrams *found, int32_t *sums,
                        double *values, float *logits) {
  for (size_t place = 0; place < model->columns; place++) values[place] = 0.0;
  add_kind(model, kernels, 0, found->words, found->word_count, sums, values);
  add_kind(model, kernels, 1, found->characters, found->character_count, sums, values);
  for (size_t label = 0; label < model->classes; label++) {
    double total = 0.0;
    float encoder = model->weights[0] * logits[label], ngrams;
    if (model->projection) {
      for (size_t place = 0; place < model->columns; place++) {
        total += values[place] * (double)model->projection[place * model->classes + label];
      }
    } else {
      total = values[label];
    }
    ngrams = model->weights[1] * (float)(total + (double)model->bias[label]);
    logits[label] = encoder + ngrams;
  }
}
