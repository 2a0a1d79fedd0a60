/* Finds the files of a bundle, checks their hashes, and reads all but the model; see bundle.h. */
#include "bundle.h"

static const textapp_file *file_of(const textapp_file *files, size_t count, const char *name) {
  size_t length = ta_length(name);
  for (size_t number = 0; number < count; number++) {
    const char *given = files[number].name;
    if (given && ta_length(given) == length && !ta_compare(given, name, length)) return &files[number];
  }
  return NULL;
}

/* The files that a bundle has besides bundle.json. */
typedef struct {
  const char *name;
  const textapp_file *file;
  ta_json hash;
} entry;
enum { MODEL, VOCABULARY, CHARACTERS, NGRAMS, NGRAM_TABLE, NAMES, CRF, SELFTEST, ENTRIES };

static void list_files(const ta_bundle *bundle, entry *entries) {
  entries[MODEL].name = "model.tflite";
  entries[VOCABULARY].name = "vocabulary.txt";
  entries[CHARACTERS].name = bundle->has_characters ? "characters.txt" : NULL;
  entries[NGRAMS].name = bundle->has_ngrams ? "ngrams.json" : NULL;
  entries[NGRAM_TABLE].name = bundle->has_ngrams ? "ngrams.bin" : NULL;
  entries[NAMES].name = bundle->task == TEXTAPP_TAGGING ? "tags.txt" : "labels.txt";
  entries[CRF].name = bundle->has_crf ? "crf.json" : NULL;
  entries[SELFTEST].name = bundle->has_selftest ? "selftest.json" : NULL;
}

static textapp_status no_hashes(const char *file, textapp_message *message) {
  return ta_say(message, TEXTAPP_ERROR_BUNDLE,
                "bundle.json: \"sha256\" must be an object from each of the bundle's files to 64 lower-case "
                "hexadecimal digits, and from no other. This is wrong for %s",
                file);
}

static int is_hash(ta_json value) {
  char digits[64];
  if (ta_json_kind_of(value) != TA_JSON_STRING || ta_json_string(value, digits, 64) != 64) return 0;
  for (size_t place = 0; place < 64; place++) {
    int is_hex = (digits[place] >= '0' && digits[place] <= '9') || (digits[place] >= 'a' && digits[place] <= 'f');
    if (!is_hex) return 0;
  }
  return 1;
}

static textapp_status read_hashes(ta_json hashes, entry *entries, textapp_message *message) {
  const char *names[ENTRIES];
  ta_json values[ENTRIES];
  size_t count = 0;
  for (size_t number = 0; number < ENTRIES; number++) {
    if (entries[number].name) names[count++] = entries[number].name;
  }
  if (ta_json_kind_of(hashes) != TA_JSON_OBJECT) return no_hashes("all", message);
  if (ta_json_members(hashes, names, count, values)) return no_hashes("another", message);
  count = 0;
  for (size_t number = 0; number < ENTRIES; number++) {
    if (!entries[number].name) continue;
    entries[number].hash = values[count++];
    if (!is_hash(entries[number].hash)) return no_hashes(entries[number].name, message);
  }
  return TEXTAPP_OK;
}

/* A file is used only if its SHA-256 is the one in bundle.json. */
static textapp_status check_file(const entry *one, textapp_message *message) {
  static const char hex[] = "0123456789abcdef";
  uint8_t digest[32];
  char wanted[65] = {0}, found[65] = {0};
  if (!one->file || !one->file->data) {
    return ta_say(message, TEXTAPP_ERROR_BUNDLE, "%s: missing; the bundle is incomplete: copy or export it again",
                  one->name);
  }
  ta_sha256(one->file->data, one->file->size, digest);
  for (size_t place = 0; place < 32; place++) {
    found[2 * place] = hex[digest[place] >> 4];
    found[2 * place + 1] = hex[digest[place] & 15];
  }
  ta_json_string(one->hash, wanted, 64);
  if (!ta_compare(wanted, found, 64)) return TEXTAPP_OK;
  wanted[12] = found[12] = 0;
  return ta_say(message, TEXTAPP_ERROR_BUNDLE,
                "%s: its SHA-256 %s... is not the %s... in bundle.json: the file (%z bytes) was cut or changed after "
                "the export; copy or export the bundle again",
                one->name, found, wanted, one->file->size);
}

static textapp_status check_files(entry *entries, const textapp_file *files, size_t count, textapp_message *message) {
  for (size_t number = 0; number < ENTRIES; number++) {
    textapp_status status;
    if (!entries[number].name) continue;
    entries[number].file = file_of(files, count, entries[number].name);
    if (number == SELFTEST && !entries[number].file) continue; /* an app may leave it out */
    status = check_file(&entries[number], message);
    if (status) return status;
  }
  return TEXTAPP_OK;
}

static textapp_status read_thresholds(ta_bundle *out, ta_arena *arena, ta_json value, textapp_message *message) {
  double *thresholds = ta_new(arena, out->name_count, sizeof *thresholds);
  if (!thresholds) return ta_say(message, TEXTAPP_ERROR_MEMORY, "bundle.json: no memory for thresholds");
  out->thresholds = thresholds;
  if (ta_json_numbers(value, 0.0, 1.0, out->name_count, thresholds)) return TEXTAPP_OK;
  return ta_say(message, TEXTAPP_ERROR_BUNDLE,
                "bundle.json: \"thresholds\" must be %z numbers from 0 to 1, one a label. Received: %z",
                out->name_count, ta_json_count(value));
}

/* The lines of a file whose last one may have an end. */
static uint32_t count_lines(const textapp_file *file) {
  const char *data = file->data;
  size_t size = file->size, lines = 1;
  if (size && data[size - 1] == '\n') size--;
  for (size_t place = 0; place < size; place++) lines += data[place] == '\n';
  return (uint32_t)TA_MIN(lines, (size_t)INT32_MAX);
}

static textapp_status read_targets(ta_bundle *out, ta_arena *arena, const entry *entries, ta_json thresholds,
                                   textapp_message *message) {
  const char *noun = out->task == TEXTAPP_TAGGING ? "tag" : "label";
  textapp_status status = ta_names_load(out, arena, entries[NAMES].file, noun, message);
  if (status) return status;
  if (out->task == TEXTAPP_MULTILABEL) return read_thresholds(out, arena, thresholds, message);
  return out->task == TEXTAPP_TAGGING ? ta_tag_set_load(out, arena, entries[CRF].file, message) : TEXTAPP_OK;
}

textapp_status ta_bundle_load(ta_bundle *out, ta_arena *arena, const textapp_file *files, size_t count,
                              textapp_message *message) {
  entry entries[ENTRIES];
  ta_json hashes, thresholds;
  const textapp_file *description = file_of(files, count, "bundle.json");
  textapp_status status;
  ta_fill(out, 0, sizeof *out);
  ta_fill(entries, 0, sizeof entries);
  if (!description || !description->data) {
    return ta_say(message, TEXTAPP_ERROR_BUNDLE,
                  "bundle.json: missing; a bundle is a folder with bundle.json in it, as `textapp export` writes it");
  }
  status = ta_description_load(out, arena, description, &hashes, &thresholds, message);
  list_files(out, entries);
  if (!status) status = read_hashes(hashes, entries, message);
  if (!status) status = check_files(entries, files, count, message);
  if (!status) status = read_targets(out, arena, entries, thresholds, message);
  if (status) return status;
  out->model = entries[MODEL].file;
  out->words = entries[VOCABULARY].file;
  out->letters = entries[CHARACTERS].file;
  out->ngram_settings = entries[NGRAMS].file;
  out->ngram_table = entries[NGRAM_TABLE].file;
  if (entries[SELFTEST].file) out->selftest = *entries[SELFTEST].file;
  out->vocabulary.count = count_lines(out->words);
  if (out->letters) out->characters.count = count_lines(out->letters);
  return TEXTAPP_OK;
}

/* Reads a vocabulary of as many entries as the model was loaded for. */
static textapp_status complete(ta_vocabulary *out, ta_arena *arena, const textapp_file *file, const char *name,
                               textapp_message *message) {
  uint32_t count = out->count;
  textapp_status status = ta_vocabulary_load(out, arena, name, file->data, file->size, message);
  if (status || out->count == count) return status;
  return ta_say(message, TEXTAPP_ERROR_BUNDLE, "%s: has %z entries, but %z lines", name, (size_t)out->count,
                (size_t)count);
}

textapp_status ta_bundle_complete(ta_bundle *bundle, ta_arena *arena, textapp_message *message) {
  textapp_status status = complete(&bundle->vocabulary, arena, bundle->words, "vocabulary.txt", message);
  if (!status && bundle->letters) {
    status = complete(&bundle->characters, arena, bundle->letters, "characters.txt", message);
  }
  if (status || !bundle->has_ngrams) return status;
  return ta_ngram_model_load(&bundle->ngrams, arena, bundle->ngram_settings, bundle->ngram_table, bundle->name_count,
                             message);
}
