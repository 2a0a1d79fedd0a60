/* Compares this build with what `textapp export` has recorded; textapp/runtime/selftest.py writes the file. */
#include "predict.h"

enum { TEXT, TOKENS, IDS, LOGITS, LABEL, LABELS, TAGS, SPANS, FIELDS };
static const char *const names[FIELDS] = {"text", "tokens", "ids", "logits", "label", "labels", "tags", "spans"};

typedef struct {
  textapp_context *context;
  size_t number; /* of the text, from 1 */
  double tolerance;
  ta_json fields[FIELDS];
  char text[TEXTAPP_SELFTEST_TEXT];
  size_t length;
  textapp_message *message;
} test;

static textapp_status malformed(const test *of, const char *what) {
  return ta_say(of->message, TEXTAPP_ERROR_BUNDLE, "selftest.json: text %z: %s is malformed; export the bundle again",
                of->number, what);
}

static textapp_status differs(const test *of, const char *what, size_t place, ta_json wanted) {
  return ta_say(of->message, TEXTAPP_ERROR_SELFTEST, "selftest.json: text %z: %s %z must be %q on every device",
                of->number, what, place + 1, wanted.at ? wanted.at : "absent",
                wanted.at ? ta_json_size(wanted) : (size_t)6);
}

static int is_array(ta_json value) { return ta_json_kind_of(value) == TA_JSON_ARRAY; }

/* [text, start, end] */
static int is_token(ta_json wanted, const textapp_token *token) {
  ta_json parts[3], rest;
  int64_t start, end;
  if (!is_array(wanted) || ta_json_count(wanted) != 3) return 0;
  rest = ta_json_inside(wanted);
  for (size_t part = 0; part < 3; part++) ta_json_next(&rest, NULL, &parts[part]);
  return ta_json_equals(parts[0], token->text, token->length) && ta_json_whole(parts[1], 0, INT32_MAX, &start) &&
         ta_json_whole(parts[2], 0, INT32_MAX, &end) && (size_t)start == token->start && (size_t)end == token->end;
}

static textapp_status check_tokens(const test *of, const textapp_prediction *found) {
  ta_json rest, one = {NULL, NULL};
  size_t place = 0;
  if (!is_array(of->fields[TOKENS])) return malformed(of, "tokens");
  rest = ta_json_inside(of->fields[TOKENS]);
  for (; ta_json_next(&rest, NULL, &one); place++) {
    if (place >= found->token_count || !is_token(one, &found->tokens[place])) return differs(of, "token", place, one);
  }
  one.at = NULL;
  return place == found->token_count ? TEXTAPP_OK : differs(of, "token", place, one);
}

/* The ids of a token: a number, or an array of them. */
static int are_ids(ta_json wanted, const int32_t *ids, size_t width) {
  ta_json rest, one;
  int64_t id;
  size_t place = 0;
  if (!is_array(wanted)) return width == 1 && ta_json_whole(wanted, ids[0], ids[0], &id);
  rest = ta_json_inside(wanted);
  for (; ta_json_next(&rest, NULL, &one); place++) {
    if (place == width || !ta_json_whole(one, ids[place], ids[place], &id)) return 0;
  }
  return place == width;
}

static textapp_status check_ids(const test *of, size_t count) {
  const textapp_model *model = of->context->model;
  const char *inputs[TA_INPUTS];
  ta_json values[TA_INPUTS], rest[TA_INPUTS], one = {NULL, NULL};
  for (size_t number = 0; number < model->input_count; number++) inputs[number] = model->inputs[number].name;
  if (ta_json_kind_of(of->fields[IDS]) != TA_JSON_OBJECT ||
      ta_json_members(of->fields[IDS], inputs, model->input_count, values)) {
    return malformed(of, "ids");
  }
  for (size_t number = 0; number < model->input_count; number++) {
    if (!is_array(values[number]) || ta_json_count(values[number]) != count) return malformed(of, inputs[number]);
    rest[number] = ta_json_inside(values[number]);
  }
  for (size_t token = 0; token < count; token++) {
    ta_encode_token(of->context, token, 0, 0);
    for (size_t number = 0; number < model->input_count; number++) {
      ta_json_next(&rest[number], NULL, &one);
      if (are_ids(one, of->context->ids[number], model->inputs[number].width)) continue;
      return differs(of, inputs[number], token, one);
    }
  }
  return TEXTAPP_OK;
}

/* Compares the context's logits, then puts the recorded ones in their place. */
static textapp_status check_logits(const test *of, size_t count) {
  ta_json rest, one = {NULL, NULL};
  size_t place = 0;
  /* null stands for the infinite ones of a text without tokens */
  if (ta_json_kind_of(of->fields[LOGITS]) == TA_JSON_NULL) return TEXTAPP_OK;
  if (!is_array(of->fields[LOGITS])) return malformed(of, "logits");
  rest = ta_json_inside(of->fields[LOGITS]);
  for (; ta_json_next(&rest, NULL, &one); place++) {
    double wanted, off;
    if (place == count || !ta_json_number(one, &wanted)) return malformed(of, "logits");
    off = wanted - (double)of->context->logits[place];
    if (!(off <= of->tolerance && off >= -of->tolerance)) return differs(of, "within the tolerance, logit", place, one);
    of->context->logits[place] = (float)wanted;
  }
  return place == count ? TEXTAPP_OK : malformed(of, "logits");
}

static textapp_status check_label(const test *of, const textapp_prediction *found) {
  const textapp_model *model = of->context->model;
  ta_json rest, one = {NULL, NULL};
  if (model->bundle.task == TEXTAPP_CLASSIFICATION) {
    const char *label = textapp_label(model, (size_t)found->label);
    return ta_json_is(of->fields[LABEL], label) ? TEXTAPP_OK : differs(of, "label", 0, of->fields[LABEL]);
  }
  if (!is_array(of->fields[LABELS])) return malformed(of, "labels");
  rest = ta_json_inside(of->fields[LABELS]);
  for (size_t label = 0; label < found->label_count; label++) {
    if (!found->chosen[label]) continue;
    if (ta_json_next(&rest, NULL, &one) && ta_json_is(one, textapp_label(model, label))) continue;
    return differs(of, "label", label, one);
  }
  return ta_json_next(&rest, NULL, &one) ? differs(of, "one more label", 0, one) : TEXTAPP_OK;
}

static textapp_status check_tags(const test *of, const textapp_prediction *found) {
  ta_json rest, one = {NULL, NULL};
  if (!is_array(of->fields[TAGS]) || !is_array(of->fields[SPANS])) return malformed(of, "tags");
  rest = ta_json_inside(of->fields[TAGS]);
  for (size_t token = 0; token < found->token_count; token++) {
    const char *tag = textapp_label(of->context->model, (size_t)found->tokens[token].tag);
    if (!ta_json_next(&rest, NULL, &one) || !ta_json_is(one, tag)) return differs(of, "tag", token, one);
  }
  rest = ta_json_inside(of->fields[SPANS]);
  for (size_t number = 0; number < found->span_count; number++) {
    textapp_token place = {0};
    place.text = found->spans[number].type;
    place.length = found->spans[number].type_length;
    place.start = found->spans[number].start;
    place.end = found->spans[number].end;
    if (!ta_json_next(&rest, NULL, &one) || !is_token(one, &place)) return differs(of, "span", number, one);
  }
  return ta_json_next(&rest, NULL, &one) ? differs(of, "one more span", 0, one) : TEXTAPP_OK;
}

static textapp_status run(test *of) {
  textapp_context *context = of->context;
  const ta_bundle *bundle = &context->model->bundle;
  const textapp_prediction *found;
  size_t tokens, units;
  textapp_status status =
      textapp_predict(context, of->text, of->length, TEXTAPP_CODE_POINTS, &found, of->message);
  if (status) return status;
  tokens = found->token_count;
  status = check_tokens(of, found);
  units = bundle->task == TEXTAPP_TAGGING ? tokens : 1;
  if (!status) status = check_logits(of, units * bundle->name_count);
  if (!status && bundle->task == TEXTAPP_TAGGING) { /* the prediction lies in their place */
    status = ta_tokenize(&bundle->tokenizer, of->text, of->length, SIZE_MAX, &context->tokens);
  }
  if (!status) status = check_ids(of, tokens);
  if (status) return status;
  if (bundle->task == TEXTAPP_TAGGING) {
    ta_decode_logits(context, of->text, of->length, TEXTAPP_CODE_POINTS);
    return check_tags(of, found);
  }
  ta_decide(context);
  return check_label(of, found);
}

static textapp_status read_file(ta_json *texts, double *tolerance, const textapp_file *file, textapp_message *message) {
  static const char *const fields[] = {"tolerance", "texts"};
  ta_json object, values[2];
  textapp_status status = ta_json_check(&object, "selftest.json", file->data, file->size, message);
  if (status) return status;
  if (ta_json_kind_of(object) == TA_JSON_OBJECT && !ta_json_members(object, fields, 2, values) &&
      ta_json_number(values[0], tolerance) && is_array(values[1])) {
    *texts = values[1];
    return TEXTAPP_OK;
  }
  return ta_say(message, TEXTAPP_ERROR_BUNDLE, "selftest.json: must be an object of tolerance and texts");
}

textapp_status textapp_selftest(textapp_context *context, textapp_message *message) {
  test of;
  ta_json texts = {NULL, NULL}, rest, one;
  textapp_status status;
  if (!context || !context->model->bundle.selftest.data) {
    return ta_say(message, TEXTAPP_ERROR_ARGUMENT, "textapp_selftest: needs a bundle with selftest.json");
  }
  of.context = context;
  of.message = message;
  of.number = 0;
  status = read_file(&texts, &of.tolerance, &context->model->bundle.selftest, message);
  if (status) return status;
  rest = ta_json_inside(texts);
  while (!status && ta_json_next(&rest, NULL, &one)) {
    of.number++;
    if (ta_json_kind_of(one) != TA_JSON_OBJECT) return malformed(&of, "it");
    ta_json_members(one, names, FIELDS, of.fields);
    if (ta_json_kind_of(of.fields[TEXT]) != TA_JSON_STRING) return malformed(&of, "text");
    of.length = ta_json_string(of.fields[TEXT], of.text, sizeof of.text);
    if (of.length > sizeof of.text) return malformed(&of, "text");
    status = run(&of);
  }
  return status;
}
