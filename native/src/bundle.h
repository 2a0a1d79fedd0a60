/* Reads the files of a bundle and checks all rules of textapp/runtime/BUNDLE.md but those of the model. */
#ifndef TA_BUNDLE_H
#define TA_BUNDLE_H

#include "decode.h"
#include "engine.h"
#include "json.h"
#include "ngram_model.h"
#include "text.h"

#define TA_SHAPES 33     /* of textapp/text/word_shape.py */
#define TA_LONGEST 4096  /* tokens of a signature, and characters of a token */

typedef struct {
  textapp_task task;
  ta_tokenizer tokenizer;
  int has_form, has_characters, has_shapes, has_ngrams, has_selftest;
  ta_word_form form;
  uint32_t max_characters; /* 0 for a model that reads none */
  size_t longest;          /* tokens that the model reads */
  const ta_engine_signature *signatures; /* shortest first */
  size_t signature_count;
  double temperature;       /* classification */
  const double *thresholds; /* multi-label: of each label */
  ta_scheme scheme;         /* tagging, as the next three */
  int has_crf, retokenize;
  ta_tags tags;
  ta_vocabulary vocabulary, characters;
  const char *const *names; /* labels, or the model's tags */
  size_t name_count;
  ta_ngram_model ngrams;
  /* While the model is loaded; NULL where the bundle has none. */
  const textapp_file *model, *words, *letters, *ngram_settings, *ngram_table;
  /* Read later, when the caller's list of files may be gone. Without data where the bundle has none, or the caller has
   * left it out. */
  textapp_file selftest;
} ta_bundle;

/* Reads a bundle in two steps. After the first, the model can be loaded: `vocabulary.count` and `characters.count` are
 * those of the lines. The second makes the tables of the vocabularies and reads the n-grams; so it can have the memory
 * that the model was tried in. The files are the caller's and stay. */
textapp_status ta_bundle_load(ta_bundle *out, ta_arena *arena, const textapp_file *files, size_t count,
                              textapp_message *message);
textapp_status ta_bundle_complete(ta_bundle *bundle, ta_arena *arena, textapp_message *message);

/* Parts of it: bundle.json without its hashes; labels.txt or tags.txt; crf.json. */
textapp_status ta_description_load(ta_bundle *out, ta_arena *arena, const textapp_file *file, ta_json *hashes,
                                   ta_json *thresholds, textapp_message *message);
textapp_status ta_names_load(ta_bundle *out, ta_arena *arena, const textapp_file *file, const char *noun,
                             textapp_message *message);
textapp_status ta_tag_set_load(ta_bundle *out, ta_arena *arena, const textapp_file *scores, textapp_message *message);

#endif
