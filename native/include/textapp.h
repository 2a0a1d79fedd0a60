/* textapp: text to labels and spans, on any device.
 *
 * A bundle, as `textapp export` writes it, becomes a model; a model and a context turn texts into predictions:
 *
 *     textapp_model *model;
 *     textapp_message message;
 *     if (textapp_load(files, file_count, &options, &model, &message)) puts(message.text);
 *     size_t size = textapp_context_size(model, LONGEST_TEXT);
 *     textapp_context *context = textapp_context_init(model, malloc(size), size, LONGEST_TEXT);
 *     const textapp_prediction *prediction;
 *     textapp_predict(context, text, text_length, 0, &prediction, &message);
 *
 * - The caller hands in bytes: the core opens no file, reads no clock, and has no global state that changes.
 * - A model is read-only after `textapp_load`: threads share it. Each thread has a context of its own.
 * - Memory is allocated at load only, by the caller's function. A context lies in a block of the caller.
 * - A file from a stranger cannot harm: everything is checked at load, before anything is computed.
 */
#ifndef TEXTAPP_H
#define TEXTAPP_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(TEXTAPP_BUILD_SHARED) && defined(_WIN32)
#define TEXTAPP_API __declspec(dllexport)
#elif defined(TEXTAPP_BUILD_SHARED) && defined(__GNUC__)
#define TEXTAPP_API __attribute__((visibility("default")))
#else
#define TEXTAPP_API
#endif

/* The version of this header and library, and of the structures below. */
#define TEXTAPP_ABI 1
TEXTAPP_API int textapp_abi(void);

/* The sources that native/library.py compiled: their SHA-256 in hexadecimal. "" from any other build. */
TEXTAPP_API const char *textapp_sources(void);

typedef enum {
  TEXTAPP_OK = 0,
  TEXTAPP_ERROR_MEMORY = 1,      /* `allocate` returned NULL, or the limit on memory would be passed */
  TEXTAPP_ERROR_BUNDLE = 2,      /* a file is missing, changed, or breaks a rule of its format */
  TEXTAPP_ERROR_UNSUPPORTED = 3, /* a right model with an operator that this core does not have: use LiteRT */
  TEXTAPP_ERROR_ARGUMENT = 4,    /* a call breaks a rule of this header */
  TEXTAPP_ERROR_TOO_LONG = 5,    /* the text is longer than the context was made for */
  TEXTAPP_ERROR_SELFTEST = 6     /* this build computes something else than `textapp export` has recorded */
} textapp_status;

/* What went wrong, in one line of UTF-8 that names the file, the place and the rule; ends with 0. */
typedef struct {
  char text[512];
} textapp_message;

/* A file of a bundle. Its bytes are the caller's, and must stay while the model is used; this structure and the name
 * need not. */
typedef struct {
  const char *name; /* "bundle.json", "model.tflite", ...; ends with 0 */
  const void *data;
  size_t size;
} textapp_file;

/* What a kernel may use; a bit each. */
enum {
  TEXTAPP_SSE41 = 1u << 0,
  TEXTAPP_AVX2 = 1u << 1, /* with FMA */
  TEXTAPP_AVX_VNNI = 1u << 2,
  TEXTAPP_AVX512_VNNI = 1u << 3, /* with AVX-512 F, BW, DQ and VL */
  TEXTAPP_NEON = 1u << 8,
  TEXTAPP_NEON_DOT = 1u << 9,
  TEXTAPP_WASM_SIMD = 1u << 16,
  TEXTAPP_WASM_RELAXED = 1u << 17
};

/* The features of this processor that this build of the library has kernels for. On x86 the library asks the
 * processor; elsewhere it gives what its compiler was told, and the caller may know more. */
TEXTAPP_API uint32_t textapp_features(void);

typedef struct {
  /* Returns `size` bytes, aligned to 16, or NULL. What it returned for a model is freed by the caller, when the model
   * is no longer used, or when `textapp_load` fails. */
  void *(*allocate)(void *user, size_t size);
  void *user;
  uint32_t features;   /* of `textapp_features()`, or fewer; 0 is the scalar definition */
  size_t most_memory;  /* bytes that `allocate` may be asked for in all; 0 for 1 GiB */
} textapp_options;

typedef struct textapp_model textapp_model;
typedef struct textapp_context textapp_context;

/* Reads a bundle: checks the hash of each file, then all rules, and packs the weights. Files that the bundle does not
 * name are not read. `message` may be NULL. */
TEXTAPP_API textapp_status textapp_load(const textapp_file *files, size_t count, const textapp_options *options,
                                        textapp_model **model, textapp_message *message);

typedef enum { TEXTAPP_CLASSIFICATION = 0, TEXTAPP_MULTILABEL = 1, TEXTAPP_TAGGING = 2 } textapp_task;
TEXTAPP_API textapp_task textapp_model_task(const textapp_model *model);

/* The number of labels or tags, and the name of one: UTF-8, ends with 0; NULL where there is none. */
TEXTAPP_API size_t textapp_label_count(const textapp_model *model);
TEXTAPP_API const char *textapp_label(const textapp_model *model, size_t number);

/* The number of logits of a text, or of a token. A tagger may have others than `textapp_label_count`: its model may
 * know the tags of IOBES, where predictions have those of IOB2. */
TEXTAPP_API size_t textapp_logit_count(const textapp_model *model);

/* The bytes of a context for texts of at most `longest_text` bytes, and a context in a block of at least so many, at
 * any address. A context is never freed: the block is. NULL where an argument is wrong. */
TEXTAPP_API size_t textapp_context_size(const textapp_model *model, size_t longest_text);
TEXTAPP_API textapp_context *textapp_context_init(const textapp_model *model, void *memory, size_t size,
                                                  size_t longest_text);

/* The bytes of a context in which textapp_probabilities computes several texts at once, which is faster for models with
 * LSTMs whose bundle has two lengths or more; the others get the bytes of any context. textapp_context_init makes such a
 * context of a block of so many. */
TEXTAPP_API size_t textapp_batch_size(const textapp_model *model, size_t longest_text);

/* A token of a text, as the bundle's tokenizer gives it. */
typedef struct {
  const char *text; /* UTF-8, normalized; does not end with 0. Those of textapp_predict lie in one block, in order */
  size_t length;    /* bytes of `text` */
  size_t start;     /* place of its first unit in the original text, and the place after its last */
  size_t end;
  float weight;      /* attention from 0 to 1; -1 for a model without attention */
  int32_t tag;       /* number of its tag; -1 where texts have labels */
  double confidence; /* probability of a plain tag; -1 without TEXTAPP_CONFIDENCE */
} textapp_token;

/* An entity or a slot. */
typedef struct {
  const char *type; /* UTF-8, does not end with 0; empty if tags have no types */
  size_t type_length;
  size_t start; /* place of its first unit in the original text, and the place after its last */
  size_t end;
  double confidence; /* probability that exactly this span is right; -1 without TEXTAPP_CONFIDENCE */
} textapp_span;

typedef struct {
  int32_t label;       /* number of the most probable label; -1 where tokens have tags */
  size_t label_count;  /* of `probs` and `chosen` */
  const double *probs; /* probability of each label; NULL where tokens have tags */
  const uint8_t *chosen; /* multi-label: 1 for each label of the text, else 0; NULL for other tasks */
  const float *logits; /* (textapp_logit_count), or (token_count, textapp_logit_count) */
  size_t token_count;
  const textapp_token *tokens;
  size_t span_count;
  const textapp_span *spans;
  int truncated; /* whether the text had more tokens than the model reads, and was cut there */
} textapp_prediction;

enum {
  /* The unit of `start` and `end`: bytes of UTF-8 unless one of these is given. */
  TEXTAPP_CODE_POINTS = 1u << 0,
  TEXTAPP_UTF16 = 1u << 1,
  /* Compute `confidence`; decoding takes about five times as long. */
  TEXTAPP_CONFIDENCE = 1u << 2,
  /* Only `label`, `probs` and `chosen`: no tokens. For throughput. */
  TEXTAPP_DECISION = 1u << 3
};

/* Predicts one text. What is no UTF-8 is read as U+FFFD, as browsers do. `*prediction` points into the context,
 * until its next call. */
TEXTAPP_API textapp_status textapp_predict(textapp_context *context, const char *text, size_t length, uint32_t flags,
                                           const textapp_prediction **prediction, textapp_message *message);

/* Tags tokens that the caller has cut, as `textapp evaluate` does; only for tagging. Places are numbers of tokens.
 * All together may have as many bytes as the context allows, where an empty token counts as one byte. Logits are
 * those of the first piece of each token. `confidence` is not computed. */
TEXTAPP_API textapp_status textapp_tag(textapp_context *context, const char *const *tokens, const size_t *lengths,
                                       size_t count, uint32_t flags, const textapp_prediction **prediction,
                                       textapp_message *message);

/* Predicts the texts of selftest.json, which `textapp export` writes, and compares: tokens, places and ids must be
 * equal, logits within the tolerance of the file, and the recorded logits must give the recorded labels, tags and
 * spans. The message names the first difference. Texts have at most 1,024 bytes; the context must be made for as
 * many. */
#define TEXTAPP_SELFTEST_TEXT 1024
TEXTAPP_API textapp_status textapp_selftest(textapp_context *context, textapp_message *message);

/* ---- The model alone: for callers with their own text code, who want logits, or who time the model. ---- */

/* The tokens that one call of the model reads at most. */
TEXTAPP_API size_t textapp_longest(const textapp_model *model);

/* An input of the model: "token_ids", and where the model has them "char_ids" and "shape_ids", in this order. */
typedef struct {
  const char *name; /* ends with 0 */
  size_t width;     /* ids a token: 1, or the characters of a token */
  int32_t entries;  /* ids are from 0 to this, without it */
} textapp_input;
TEXTAPP_API size_t textapp_input_count(const textapp_model *model);
TEXTAPP_API const textapp_input *textapp_model_input(const textapp_model *model, size_t number);

/* Whether the model attends to tokens, so that they have weights. */
TEXTAPP_API int textapp_has_attention(const textapp_model *model);

/* Runs the model, without n-grams, on `count` tokens, from 0 to `textapp_longest`. ids[i] is (count, width) of input i.
 * `logits` gets one float for each label, or (count, tags); `attention`, which may be NULL, gets (count). */
TEXTAPP_API textapp_status textapp_run(textapp_context *context, const int32_t *const *ids, size_t count,
                                       float *logits, float *attention, textapp_message *message);

/* ---- Many texts at once: for bindings, in whose language a call costs more than a short text. ---- */

/* Predicts only the probabilities of labels, as textapp_predict does with TEXTAPP_DECISION; not for tagging. Text i
 * is the bytes from ends[i - 1], or 0, to ends[i]. `probs` and `logits` get (count, labels), `truncated` gets
 * (count): whether each text was cut. No text may be longer than the context allows. Stops at the first text that
 * fails, and `*done` is the number of texts before it. See textapp_batch_size for the fastest way. */
TEXTAPP_API textapp_status textapp_probabilities(textapp_context *context, const char *texts, const size_t *ends,
                                                 size_t count, double *probs, float *logits, uint8_t *truncated,
                                                 size_t *done, textapp_message *message);

#ifdef __cplusplus
}
#endif
#endif
