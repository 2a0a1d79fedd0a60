/* The core in WebAssembly: an instance holds one bundle and one context.
 *
 * The memory of an instance only grows: the files and the model come first, then a text and its context, which are made
 * anew for a longer text. When the program drops the instance, its engine frees the memory. model.js is the caller. */
#include "textapp.h"

#if defined(__wasm_relaxed_simd__)
#include <wasm_simd128.h>
#endif

#define EXPORT(name) __attribute__((export_name(name)))
#define ALIGNMENT 64u
#define PAGE 65536u
#define STEP 1024u /* bytes of a text by which contexts differ; that of the self-test needs TEXTAPP_SELFTEST_TEXT */

extern uint8_t __heap_base; /* the linker's: the memory from here on is free */

static uintptr_t top, model_end; /* the end of what is taken, and of the model */
static textapp_model *model;
static textapp_context *context;
static char *text;
static size_t room; /* bytes that a text may have */
static textapp_message message;
static textapp_status status;

/* Gives `size` bytes, aligned to 64; NULL if the engine gives no more memory. */
EXPORT("take") void *textapp_web_take(size_t size) {
  uintptr_t start = ((top ? top : (uintptr_t)&__heap_base) + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
  size_t pages = __builtin_wasm_memory_size(0);
  if (start > UINT32_MAX - PAGE || size > UINT32_MAX - PAGE - start) return NULL;
  size_t needed = (start + size + PAGE - 1) / PAGE;
  if (needed > pages && __builtin_wasm_memory_grow(0, needed - pages) == SIZE_MAX) return NULL;
  top = start + size;
  return (void *)start;
}

static void *allocate(void *user, size_t size) {
  (void)user;
  return textapp_web_take(size);
}

#if defined(__wasm_relaxed_simd__)
/* Whether the relaxed dot product is one instruction of the processor: VPDPBUSD of x86, or SDOT of ARM. What they give for
 * numbers that the relaxed one leaves open tells: the instructions that stand in for them cut sums to 16 bits on the
 * way. Those are so many that products of pairs are faster. */
static int has_dot_product(void) {
  v128_t zero = wasm_i32x4_splat(0), most = wasm_i8x16_splat(-1), least = wasm_i8x16_splat(-128);
  v128_t of_bytes = wasm_i32x4_relaxed_dot_i8x16_i7x16_add(wasm_i8x16_splat(127), most, zero);
  v128_t of_signed = wasm_i32x4_relaxed_dot_i8x16_i7x16_add(least, least, zero);
  return wasm_i32x4_extract_lane(of_bytes, 0) == 4 * 127 * 255 || wasm_i32x4_extract_lane(of_signed, 0) == 4 * 128 * 128;
}
#else
static int has_dot_product(void) { return 0; }
#endif

EXPORT("features") uint32_t textapp_web_features(void) {
  return textapp_features() & ~(has_dot_product() ? 0u : (uint32_t)TEXTAPP_WASM_RELAXED);
}

EXPORT("load") textapp_status textapp_web_load(const textapp_file *files, size_t count) {
  textapp_options options = {allocate, NULL, textapp_web_features(), 0};
  status = textapp_load(files, count, &options, &model, &message);
  model_end = top;
  return status;
}

static int make_room(size_t length) {
  size_t size = textapp_context_size(model, length);
  void *memory;
  top = model_end;
  text = textapp_web_take(length);
  memory = size ? textapp_web_take(size) : NULL;
  context = memory && text ? textapp_context_init(model, memory, size, length) : NULL;
  room = context ? length : 0;
  return context != NULL;
}

/* The place for a text of `length` bytes; NULL where there is no memory for it. A context is cheap to make: only its size
 * matters, which for a tagger is some hundred times that of the text. */
EXPORT("text") char *textapp_web_text(size_t length) {
  if (context && length <= room) return text;
  if (length > UINT32_MAX - STEP) return NULL;
  return make_room(length / STEP * STEP + STEP) ? text : NULL;
}

/* Predicts the text of `length` bytes at that place; NULL if it fails. */
EXPORT("predict") const textapp_prediction *textapp_web_predict(size_t length, uint32_t flags) {
  const textapp_prediction *prediction;
  status = textapp_predict(context, text, length, flags, &prediction, &message);
  return prediction;
}

EXPORT("selftest") textapp_status textapp_web_selftest(void) {
  return status = textapp_selftest(context, &message);
}

EXPORT("run")
textapp_status textapp_web_run(const int32_t *const *ids, size_t count, float *logits, float *attention) {
  return status = textapp_run(context, ids, count, logits, attention, &message);
}

EXPORT("status") textapp_status textapp_web_status(void) { return status; }
EXPORT("message") const char *textapp_web_message(void) { return message.text; }
EXPORT("task") textapp_task textapp_web_task(void) { return textapp_model_task(model); }
EXPORT("label_count") size_t textapp_web_label_count(void) { return textapp_label_count(model); }
EXPORT("label") const char *textapp_web_label(size_t number) { return textapp_label(model, number); }
EXPORT("logit_count") size_t textapp_web_logit_count(void) { return textapp_logit_count(model); }
