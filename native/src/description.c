/* Reads bundle.json by the rules of textapp/runtime/bundle_format.py. */
#include "bundle.h"

enum {
  FORMAT, VERSION, TASK, WORD_FORM, MAX_CHARACTERS, SHAPES, NGRAMS, SELFTEST, TEXTAPP_VERSION, TOKENIZER, LENGTHS,
  SIGNATURES, LOWERING, RECIPE, METRICS, CHECKS, VERSIONS, SHA256, TEMPERATURE, THRESHOLDS, TAG_SCHEME, CRF, RETOKENIZE,
  FIELDS
};
static const char *const names[FIELDS] = {
    "format",     "format_version", "task",      "word_form", "max_characters", "shapes",   "ngrams", "selftest",
    "textapp_version", "tokenizer", "lengths",   "signatures", "lowering",      "recipe",   "metrics", "checks",
    "versions",   "sha256",         "temperature", "thresholds", "tag_scheme",  "crf",      "retokenize"};

static const char *const task_names[] = {"classification", "multilabel", "tagging"};
static const char *const form_names[] = {"none", "nfc", "nfkc"};
static const char *const kind_names[] = {"word", "char", "bert"};

static textapp_status broken(size_t field, const char *rule, ta_json value, textapp_message *message) {
  if (!value.at) {
    return ta_say(message, TEXTAPP_ERROR_BUNDLE, "bundle.json: \"%s\" is missing; it must be %s", names[field], rule);
  }
  return ta_say(message, TEXTAPP_ERROR_BUNDLE, "bundle.json: \"%s\" must be %s. Received: %q", names[field], rule,
                value.at, ta_json_size(value));
}

static textapp_status no_memory(textapp_message *message) {
  return ta_say(message, TEXTAPP_ERROR_MEMORY, "bundle.json: no memory for what it describes");
}

/* The number of the string among some; `count` where it is none of them. */
static size_t among(ta_json value, const char *const *some, size_t count) {
  size_t number = 0;
  while (number < count && !(some[number] && ta_json_is(value, some[number]))) number++;
  return number;
}

static int is_null(ta_json value) { return ta_json_kind_of(value) == TA_JSON_NULL; }

/* true or false; absent fields that earlier bundles lack are false. */
static int flag(ta_json value, int may_lack, int *out) {
  *out = 0;
  return ta_json_bool(value, out) || (may_lack && !value.at);
}

static int read_tokenizer(ta_tokenizer *out, ta_json value) {
  static const char *const fields[] = {"kind", "lowercase", "normalization", "line_breaks",
                                       "split_apostrophes"};
  ta_json given[5];
  size_t kind, form;
  if (ta_json_members(value, fields, 5, given)) return 0;
  kind = among(given[0], kind_names, 3);
  form = among(given[2], form_names, 3);
  if (kind == 3 || form == 3 || !ta_json_bool(given[1], &out->lowercase)) return 0;
  if (!flag(given[3], 1, &out->line_breaks) || !flag(given[4], 1, &out->split_apostrophes)) return 0;
  if (kind == TA_BERT && (form != TA_NONE || !out->lowercase || out->line_breaks)) return 0;
  if (kind != TA_WORD && out->split_apostrophes) return 0;
  out->kind = (ta_tokenizer_kind)kind;
  out->form = (ta_form)form;
  return 1;
}

static int read_word_form(ta_bundle *out, ta_json value) {
  static const char *const fields[] = {"lowercase", "zero_digits", "normalization"};
  ta_json given[3];
  size_t form;
  if (!value.at || is_null(value)) return 1;
  if (ta_json_kind_of(value) != TA_JSON_OBJECT || ta_json_members(value, fields, 3, given)) return 0;
  form = among(given[2], form_names, 3);
  out->has_form = 1;
  out->form.form = (ta_form)form;
  return form < 3 && ta_json_bool(given[0], &out->form.lowercase) && ta_json_bool(given[1], &out->form.zero_digits);
}

static textapp_status read_format(const ta_json *fields, textapp_message *message) {
  int64_t version;
  if (!ta_json_is(fields[FORMAT], "textapp-bundle")) {
    return broken(FORMAT, "\"textapp-bundle\"", fields[FORMAT], message);
  }
  if (ta_json_whole(fields[VERSION], 1, 1, &version)) return TEXTAPP_OK;
  return broken(VERSION, "1, the version that this library reads", fields[VERSION], message);
}

/* Fields that decide nothing here, but have a rule: a reader elsewhere may need them. */
static textapp_status check_others(const ta_json *fields, textapp_message *message) {
  static const uint8_t strings[] = {TEXTAPP_VERSION, LOWERING, RECIPE}, objects[] = {METRICS, CHECKS, VERSIONS};
  for (size_t place = 0; place < 3; place++) {
    ta_json one = fields[strings[place]];
    int is_right = ta_json_kind_of(one) == TA_JSON_STRING && ta_json_string(one, NULL, 0) > 0;
    if (!is_right) return broken(strings[place], "a string that is not empty", one, message);
  }
  for (size_t place = 0; place < 3; place++) {
    ta_json one = fields[objects[place]];
    int may_be_null = objects[place] != VERSIONS;
    if (ta_json_kind_of(one) == TA_JSON_OBJECT || (may_be_null && is_null(one))) continue;
    return broken(objects[place], may_be_null ? "an object or null" : "an object", one, message);
  }
  return TEXTAPP_OK;
}

static textapp_status read_text_fields(ta_bundle *out, const ta_json *fields, textapp_message *message) {
  int64_t most = 0;
  if (!read_word_form(out, fields[WORD_FORM])) {
    return broken(WORD_FORM,
                  "an object of lowercase and zero_digits, true or false, and normalization, one of none, nfc, nfkc; "
                  "or null where words are looked up as the tokenizer gives them",
                  fields[WORD_FORM], message);
  }
  if (fields[MAX_CHARACTERS].at && !is_null(fields[MAX_CHARACTERS])) {
    if (!ta_json_whole(fields[MAX_CHARACTERS], 1, TA_LONGEST, &most)) {
      return broken(MAX_CHARACTERS, "a positive integer up to 4096, or null for a model that reads no characters",
                    fields[MAX_CHARACTERS], message);
    }
    out->has_characters = 1;
    out->max_characters = (uint32_t)most;
  }
  if (!flag(fields[SHAPES], 1, &out->has_shapes)) return broken(SHAPES, "true or false", fields[SHAPES], message);
  if (!flag(fields[NGRAMS], 1, &out->has_ngrams)) return broken(NGRAMS, "true or false", fields[NGRAMS], message);
  if (!flag(fields[SELFTEST], 1, &out->has_selftest)) {
    return broken(SELFTEST, "true or false", fields[SELFTEST], message);
  }
  if (ta_json_kind_of(fields[TOKENIZER]) != TA_JSON_OBJECT || !read_tokenizer(&out->tokenizer, fields[TOKENIZER])) {
    return broken(TOKENIZER,
                  "an object of kind (word, char or bert), lowercase (true or false; with bert true), normalization "
                  "(none, nfc, nfkc; with bert none) and, if any, line_breaks (true or false; with bert false) and "
                  "split_apostrophes (true or false; true with word only)",
                  fields[TOKENIZER], message);
  }
  if (out->has_form || !(out->has_characters || out->has_shapes)) return TEXTAPP_OK;
  return ta_say(message, TEXTAPP_ERROR_BUNDLE,
                "bundle.json: \"word_form\" must not be null for a model that reads characters or shapes");
}

static textapp_status read_lengths(ta_bundle *out, ta_arena *arena, ta_json value, textapp_message *message) {
  static const char rule[] = "a list of positive integers in ascending order, at most 4096";
  ta_engine_signature *signatures;
  ta_json rest, one;
  size_t count;
  int64_t last = 0;
  if (ta_json_kind_of(value) != TA_JSON_ARRAY) return broken(LENGTHS, rule, value, message);
  count = ta_json_count(value);
  if (!count || count > TA_LONGEST) return broken(LENGTHS, rule, value, message);
  signatures = ta_new(arena, count, sizeof *signatures);
  if (!signatures) return no_memory(message);
  rest = ta_json_inside(value);
  for (size_t number = 0; ta_json_next(&rest, NULL, &one); number++) {
    if (!ta_json_whole(one, last + 1, TA_LONGEST, &last)) return broken(LENGTHS, rule, value, message);
    signatures[number].length = (size_t)last;
  }
  out->signatures = signatures;
  out->signature_count = count;
  out->longest = (size_t)last;
  return TEXTAPP_OK;
}

/* The signature whose length is written as `key`; NULL where there is none. */
static ta_engine_signature *signature_of(ta_bundle *bundle, ta_json key) {
  char digits[8];
  size_t length = ta_json_string(key, digits, sizeof digits), value = 0, low = 0, high = bundle->signature_count;
  if (!length || length > 4 || digits[0] == '0') return NULL;
  for (size_t place = 0; place < length; place++) {
    if (digits[place] < '0' || digits[place] > '9') return NULL;
    value = value * 10 + (size_t)(digits[place] - '0');
  }
  while (low < high) {
    size_t middle = (low + high) / 2;
    if (bundle->signatures[middle].length < value) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  if (low == bundle->signature_count || bundle->signatures[low].length != value) return NULL;
  return (ta_engine_signature *)&bundle->signatures[low];
}

static int is_same_name(const ta_engine_signature *one, const ta_engine_signature *other) {
  return one->name_length == other->name_length && !ta_compare(one->name, other->name, one->name_length);
}

static textapp_status read_signatures(ta_bundle *out, ta_arena *arena, ta_json value, textapp_message *message) {
  static const char rule[] = "an object from each of \"lengths\" to a signature's name, no name twice";
  ta_json rest, key, name;
  if (ta_json_kind_of(value) != TA_JSON_OBJECT) return broken(SIGNATURES, rule, value, message);
  rest = ta_json_inside(value);
  while (ta_json_next(&rest, &key, &name)) {
    ta_engine_signature *signature = signature_of(out, key);
    char *bytes;
    if (!signature || ta_json_kind_of(name) != TA_JSON_STRING) return broken(SIGNATURES, rule, value, message);
    signature->name_length = ta_json_string(name, NULL, 0);
    bytes = ta_new(arena, signature->name_length, 1);
    if (!bytes) return no_memory(message);
    ta_json_string(name, bytes, signature->name_length);
    signature->name = bytes;
  }
  for (size_t number = 0; number < out->signature_count; number++) {
    if (!out->signatures[number].name_length) return broken(SIGNATURES, rule, value, message);
    for (size_t other = 0; other < number; other++) {
      if (!is_same_name(&out->signatures[number], &out->signatures[other])) continue;
      return broken(SIGNATURES, rule, value, message);
    }
  }
  return TEXTAPP_OK;
}

static textapp_status read_task_fields(ta_bundle *out, const ta_json *fields, textapp_message *message) {
  size_t scheme = 0;
  out->temperature = 1.0;
  if (out->task == TEXTAPP_MULTILABEL && ta_json_kind_of(fields[THRESHOLDS]) != TA_JSON_ARRAY) {
    return broken(THRESHOLDS, "a list of numbers from 0 to 1, one a label", fields[THRESHOLDS], message);
  }
  if (out->task == TEXTAPP_CLASSIFICATION && fields[TEMPERATURE].at) {
    int is_number = ta_json_number(fields[TEMPERATURE], &out->temperature);
    if (is_number && out->temperature >= 0.05 && out->temperature <= 20.0) return TEXTAPP_OK;
    return broken(TEMPERATURE, "a number from 0.05 to 20", fields[TEMPERATURE], message);
  }
  if (out->task != TEXTAPP_TAGGING) return TEXTAPP_OK;
  if (!is_null(fields[TAG_SCHEME])) scheme = among(fields[TAG_SCHEME], ta_scheme_names, TA_SCHEMES);
  if (scheme == TA_SCHEMES) {
    return broken(TAG_SCHEME, "one of IOB2, IOB1, IOBES, BILOU, BMES, or null for plain tags", fields[TAG_SCHEME],
                  message);
  }
  out->scheme = (ta_scheme)scheme;
  if (!flag(fields[CRF], 0, &out->has_crf)) return broken(CRF, "true or false", fields[CRF], message);
  if (flag(fields[RETOKENIZE], 0, &out->retokenize)) return TEXTAPP_OK;
  return broken(RETOKENIZE, "true or false", fields[RETOKENIZE], message);
}

textapp_status ta_description_load(ta_bundle *out, ta_arena *arena, const textapp_file *file, ta_json *hashes,
                                   ta_json *thresholds, textapp_message *message) {
  ta_json object, fields[FIELDS];
  size_t task;
  textapp_status status = ta_json_check(&object, "bundle.json", file->data, file->size, message);
  if (status) return status;
  if (ta_json_kind_of(object) != TA_JSON_OBJECT) {
    return ta_say(message, TEXTAPP_ERROR_BUNDLE, "bundle.json: must hold one JSON object");
  }
  ta_json_members(object, names, FIELDS, fields);
  status = read_format(fields, message);
  if (status) return status;
  task = among(fields[TASK], task_names, TA_COUNT(task_names));
  if (task == TA_COUNT(task_names)) {
    return broken(TASK, "one of classification, multilabel, tagging", fields[TASK], message);
  }
  out->task = (textapp_task)task;
  status = read_text_fields(out, fields, message);
  if (!status) status = read_lengths(out, arena, fields[LENGTHS], message);
  if (!status) status = read_signatures(out, arena, fields[SIGNATURES], message);
  if (!status) status = check_others(fields, message);
  if (!status) status = read_task_fields(out, fields, message);
  *hashes = fields[SHA256];
  *thresholds = fields[THRESHOLDS];
  return status;
}
