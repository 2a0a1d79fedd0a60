/* The core for Kotlin, through the Java Native Interface. Kotlin's side of these functions is Core.kt.
 *
 * It calls nothing of a C library, as the core does not, so the library depends on no other one. All memory is that of
 * direct buffers, which Kotlin allocates and keeps. Texts come as UTF-16, which JNI gives as it is; JNI's own "modified
 * UTF-8" is another encoding, and is not used. Results go back as one array of bytes, a record: numbers are
 * little-endian, and the texts of tokens are UTF-8.
 */
#include <jni.h>

#include "textapp.h"

#define ALIGNMENT 64              /* bytes: that of the core's own pieces */
#define LONGEST_BLOCK 0x7fffff00u /* bytes: a buffer of Java has a length of type int */

static void *pointer_of(jlong handle) { return (void *)(uintptr_t)handle; }

static jlong handle_of(const void *pointer) { return (jlong)(uintptr_t)pointer; }

/* ---- A report: the status, and the core's line in UTF-8, which ends with 0. ---- */

static void report(JNIEnv *env, jbyteArray out, textapp_status status, const textapp_message *message) {
  jbyte number = (jbyte)status;
  (*env)->SetByteArrayRegion(env, out, 0, 1, &number);
  if (status) (*env)->SetByteArrayRegion(env, out, 1, (jsize)sizeof message->text, (const jbyte *)message->text);
}

/* ---- Records ---- */

/* Writes into `bytes`, or only counts where it is NULL. */
typedef struct {
  uint8_t *bytes;
  size_t size;
} record;

static void put_byte(record *out, uint32_t byte) {
  if (out->bytes) out->bytes[out->size] = (uint8_t)byte;
  out->size++;
}

static void put_whole(record *out, uint32_t number) {
  for (unsigned shift = 0; shift < 32; shift += 8) put_byte(out, number >> shift & 0xff);
}

static void put_float(record *out, float number) {
  union {
    float number;
    uint32_t bits;
  } as = {number};
  put_whole(out, as.bits);
}

static void put_double(record *out, double number) {
  union {
    double number;
    uint64_t bits;
  } as = {number};
  put_whole(out, (uint32_t)(as.bits & UINT32_MAX));
  put_whole(out, (uint32_t)(as.bits >> 32));
}

/* The length in bytes, and the bytes. */
static void put_text(record *out, const char *text, size_t length) {
  put_whole(out, (uint32_t)length);
  for (size_t i = 0; i < length; i++) put_byte(out, (uint8_t)text[i]);
}

static void put_prediction(record *out, const textapp_prediction *from) {
  size_t labels = from->probs ? from->label_count : 0;
  put_whole(out, (uint32_t)from->label);
  put_byte(out, from->chosen != NULL);
  put_byte(out, from->truncated != 0);
  put_whole(out, (uint32_t)labels);
  for (size_t i = 0; i < labels; i++) {
    put_double(out, from->probs[i]);
    put_byte(out, from->chosen ? from->chosen[i] : 0);
  }
  put_whole(out, (uint32_t)from->token_count);
  for (size_t i = 0; i < from->token_count; i++) {
    const textapp_token *token = &from->tokens[i];
    put_text(out, token->text, token->length);
    put_whole(out, (uint32_t)token->start);
    put_whole(out, (uint32_t)token->end);
    put_float(out, token->weight);
    put_whole(out, (uint32_t)token->tag);
    put_double(out, token->confidence);
  }
  put_whole(out, (uint32_t)from->span_count);
  for (size_t i = 0; i < from->span_count; i++) {
    const textapp_span *span = &from->spans[i];
    put_text(out, span->type, span->type_length);
    put_whole(out, (uint32_t)span->start);
    put_whole(out, (uint32_t)span->end);
    put_double(out, span->confidence);
  }
}

/* The task, and the names of the labels or tags. */
static void put_description(record *out, const textapp_model *model) {
  size_t count = textapp_label_count(model);
  put_whole(out, (uint32_t)textapp_model_task(model));
  put_whole(out, (uint32_t)count);
  for (size_t i = 0; i < count; i++) {
    const char *label = textapp_label(model, i);
    size_t length = 0;
    while (label[length]) length++;
    put_text(out, label, length);
  }
}

/* An array of Java for a record of `size` bytes, and its bytes, for a short time without any other call of JNI. NULL
 * where memory is out: then Java throws OutOfMemoryError. */
static jbyteArray begin_array(JNIEnv *env, size_t size, record *out) {
  jbyteArray array = size > LONGEST_BLOCK ? NULL : (*env)->NewByteArray(env, (jsize)size);
  out->bytes = array ? (*env)->GetPrimitiveArrayCritical(env, array, NULL) : NULL;
  out->size = 0;
  return out->bytes ? array : NULL;
}

static void end_array(JNIEnv *env, jbyteArray array, const record *from) {
  (*env)->ReleasePrimitiveArrayCritical(env, array, from->bytes, 0);
}

/* ---- The model ---- */

/* Where the core's memory comes from: the method `allocate` of Kotlin's class Memory. */
typedef struct {
  JNIEnv *env;
  jobject memory;
  jmethodID method;
} allocator;

static void *allocate(void *user, size_t size) {
  const allocator *from = user;
  JNIEnv *env = from->env;
  jvalue argument;
  jobject buffer;
  uint8_t *start;
  if (size > LONGEST_BLOCK || (*env)->ExceptionCheck(env)) return NULL;
  argument.i = (jint)size + ALIGNMENT;
  buffer = (*env)->CallObjectMethodA(env, from->memory, from->method, &argument);
  if ((*env)->ExceptionCheck(env) || !buffer) return NULL;
  start = (*env)->GetDirectBufferAddress(env, buffer);
  (*env)->DeleteLocalRef(env, buffer); /* Memory holds it */
  return start ? start + (ALIGNMENT - (uintptr_t)start % ALIGNMENT) % ALIGNMENT : NULL;
}

/* The features of this processor that this library has kernels for, as bits of textapp.h. */
JNIEXPORT jint JNICALL Java_textapp_Core_features(JNIEnv *env, jclass core) {
  (void)env;
  (void)core;
  return (jint)textapp_features();
}

/* Loads a bundle. `files` is a direct buffer that Kotlin keeps in `memory`. `places` has three numbers a file: where its
 * name lies in `files`, which ends with 0; where its content lies; and the size of that. Returns the model, or 0. */
JNIEXPORT jlong JNICALL Java_textapp_Core_load(JNIEnv *env, jclass core, jobject memory, jobject files,
                                               jintArray places, jint features, jbyteArray out) {
  const uint8_t *start = (*env)->GetDirectBufferAddress(env, files);
  size_t count = (size_t)(*env)->GetArrayLength(env, places) / 3;
  allocator from = {env, memory, NULL};
  textapp_options options = {allocate, NULL, 0, 0};
  textapp_message message = {{0}};
  textapp_model *model = NULL;
  textapp_file *list;
  textapp_status status;
  (void)core;
  from.method = (*env)->GetMethodID(env, (*env)->GetObjectClass(env, memory), "allocate", "(I)Ljava/nio/ByteBuffer;");
  if (!from.method) return 0; /* NoSuchMethodError is thrown in Kotlin: consumer-rules.pro was not used */
  list = allocate(&from, count * sizeof *list + 1);
  for (size_t i = 0; list && i < count; i++) {
    jint place[3];
    (*env)->GetIntArrayRegion(env, places, (jsize)(3 * i), 3, place);
    list[i].name = (const char *)start + place[0];
    list[i].data = start + place[1];
    list[i].size = (size_t)place[2];
  }
  options.user = &from;
  options.features = (uint32_t)features;
  status = list ? textapp_load(list, count, &options, &model, &message) : TEXTAPP_ERROR_MEMORY;
  if ((*env)->ExceptionCheck(env)) return 0; /* of `allocate`: it is thrown in Kotlin */
  report(env, out, status, &message);
  return status ? 0 : handle_of(model);
}

/* A record with the task and the labels of a model. `memory` is an argument so that it stays reachable meanwhile. */
JNIEXPORT jbyteArray JNICALL Java_textapp_Core_describe(JNIEnv *env, jclass core, jobject memory, jlong model) {
  record out = {NULL, 0};
  jbyteArray array;
  (void)core;
  (void)memory;
  put_description(&out, pointer_of(model));
  array = begin_array(env, out.size, &out);
  if (!array) return NULL;
  put_description(&out, pointer_of(model));
  end_array(env, array, &out);
  return array;
}

/* ---- Contexts ---- */

/* The bytes of a context for texts of `longest` bytes; -1 for more than a buffer of Java can have. */
JNIEXPORT jlong JNICALL Java_textapp_Core_contextSize(JNIEnv *env, jclass core, jobject memory, jlong model,
                                                      jint longest) {
  size_t size = textapp_context_size(pointer_of(model), (size_t)longest);
  (void)env;
  (void)core;
  (void)memory;
  return !size || size > LONGEST_BLOCK ? -1 : (jlong)size;
}

/* A context in a direct buffer that Kotlin keeps; 0 where an argument is wrong. */
JNIEXPORT jlong JNICALL Java_textapp_Core_makeContext(JNIEnv *env, jclass core, jobject memory, jlong model,
                                                      jobject block, jint size, jint longest) {
  void *start = (*env)->GetDirectBufferAddress(env, block);
  (void)core;
  (void)memory;
  return start ? handle_of(textapp_context_init(pointer_of(model), start, (size_t)size, (size_t)longest)) : 0;
}

/* ---- Texts ---- */

#define IS_HIGH(unit) (((unit) & 0xFC00u) == 0xD800u)
#define IS_LOW(unit) (((unit) & 0xFC00u) == 0xDC00u)
#define REPLACEMENT 0xFFFDu /* what a lone surrogate is read as; as long in UTF-16, so that offsets stay right */

static uint32_t code_point(const jchar *units, size_t left, size_t *used) {
  uint32_t unit = units[0];
  *used = 1;
  if (IS_HIGH(unit) && left > 1 && IS_LOW(units[1])) {
    *used = 2;
    return 0x10000u + ((unit & 0x3FFu) << 10) + (units[1] & 0x3FFu);
  }
  return IS_HIGH(unit) || IS_LOW(unit) ? REPLACEMENT : unit;
}

/* Unicode Standard, section 3.9, table 3-6. */
static void put_code_point(record *out, uint32_t point) {
  if (point < 0x80) {
    put_byte(out, point);
  } else if (point < 0x800) {
    put_byte(out, 0xC0 | point >> 6);
    put_byte(out, 0x80 | (point & 0x3F));
  } else {
    if (point < 0x10000) {
      put_byte(out, 0xE0 | point >> 12);
    } else {
      put_byte(out, 0xF0 | point >> 18);
      put_byte(out, 0x80 | (point >> 12 & 0x3F));
    }
    put_byte(out, 0x80 | (point >> 6 & 0x3F));
    put_byte(out, 0x80 | (point & 0x3F));
  }
}

static void put_utf8(record *out, const jchar *units, size_t count) {
  for (size_t i = 0, used; i < count; i += used) put_code_point(out, code_point(units + i, count - i, &used));
}

/* Writes a text in UTF-8 into a direct buffer of `room` bytes, if it has room for all. Returns the bytes of the text; -1
 * where memory is out, and Java throws OutOfMemoryError. */
JNIEXPORT jlong JNICALL Java_textapp_Core_encode(JNIEnv *env, jclass core, jstring text, jobject buffer, jint room) {
  size_t count = (size_t)(*env)->GetStringLength(env, text);
  record out = {NULL, 0};
  size_t size;
  const jchar *units = (*env)->GetStringChars(env, text, NULL);
  (void)core;
  if (!units) return -1;
  put_utf8(&out, units, count);
  size = out.size;
  if (size <= (size_t)room) {
    out.bytes = (*env)->GetDirectBufferAddress(env, buffer);
    out.size = 0;
    put_utf8(&out, units, count);
  }
  (*env)->ReleaseStringChars(env, text, units);
  return (jlong)size;
}

/* Predicts a text of `length` bytes. Returns a record; NULL where the core reports an error, or memory is out. `kept` is
 * Kotlin's object with all memory of the model and the context: as an argument it stays reachable meanwhile. */
JNIEXPORT jbyteArray JNICALL Java_textapp_Core_predict(JNIEnv *env, jclass core, jobject kept, jlong context,
                                                       jobject utf8, jint length, jboolean confidence,
                                                       jbyteArray status_out) {
  const char *text = (*env)->GetDirectBufferAddress(env, utf8);
  uint32_t flags = TEXTAPP_UTF16 | (confidence ? TEXTAPP_CONFIDENCE : 0);
  const textapp_prediction *prediction = NULL;
  textapp_message message = {{0}};
  record out = {NULL, 0};
  jbyteArray array;
  textapp_status status =
      textapp_predict(pointer_of(context), text, (size_t)length, flags, &prediction, &message);
  (void)core;
  (void)kept;
  report(env, status_out, status, &message);
  if (status) return NULL;
  put_prediction(&out, prediction);
  array = begin_array(env, out.size, &out);
  if (!array) return NULL;
  put_prediction(&out, prediction);
  end_array(env, array, &out);
  return array;
}

/* Runs the self-test of the bundle. */
JNIEXPORT void JNICALL Java_textapp_Core_selftest(JNIEnv *env, jclass core, jobject kept, jlong context,
                                                  jbyteArray out) {
  textapp_message message = {{0}};
  textapp_status status = textapp_selftest(pointer_of(context), &message);
  (void)core;
  (void)kept;
  report(env, out, status, &message);
}
