/* Runs a library for Android in an emulator without Java: a table of JNI's functions over plain memory.
 *
 *     emulated LIBRARY FEATURES TEXTS NAME=FILE... > RECORDS
 *
 * FEATURES is a number: those of the library that are used. TEXTS holds, for each text, the number of its UTF-16 units,
 * and the units, as little-endian numbers of 32 and 16 bits. RECORDS gets the record of the model, and of each text, each
 * after its size. An error is printed, and the exit code is 1.
 */
#include <dlfcn.h>
#include <jni.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* All objects of Java: arrays, strings and direct buffers. */
struct _jobject {
  void *data;
  jint size;
};

static void fail(const char *reason) {
  fprintf(stderr, "%s\n", reason);
  exit(1);
}

static jobject object(const void *data, jint count, size_t width) {
  jobject made = malloc(sizeof *made);
  if (!made || !(made->data = calloc((size_t)count + 1, width))) fail("no memory");
  if (data) memcpy(made->data, data, (size_t)count * width);
  made->size = count;
  return made;
}

static void delete_reference(JNIEnv *env, jobject one) { (void)env, (void)one; }
static jclass class_of(JNIEnv *env, jobject one) { return (void)env, one; }
static jmethodID method_of(JNIEnv *env, jclass one, const char *name, const char *signature) {
  (void)env, (void)one;
  int wrong = strcmp(name, "allocate") || strcmp(signature, "(I)Ljava/nio/ByteBuffer;");
  return wrong ? NULL : (jmethodID)(void *)object("", 1, 1);
}
static jobject allocate(JNIEnv *env, jobject memory, jmethodID method, const jvalue *arguments) {
  (void)env, (void)memory, (void)method;
  return object(NULL, arguments[0].i, 1);
}
static jsize length(JNIEnv *env, jobject of) { return (void)env, of->size; }
static const jchar *chars(JNIEnv *env, jstring of, jboolean *copied) { return (void)env, (void)copied, of->data; }
static void release_chars(JNIEnv *env, jstring of, const jchar *units) { (void)env, (void)of, (void)units; }
static jbyteArray new_bytes(JNIEnv *env, jsize size) { return (void)env, object(NULL, size, 1); }
static void get_ints(JNIEnv *env, jintArray of, jsize start, jsize count, jint *out) {
  (void)env;
  memcpy(out, (const jint *)of->data + start, (size_t)count * sizeof *out);
}
static void set_bytes(JNIEnv *env, jbyteArray of, jsize start, jsize count, const jbyte *from) {
  (void)env;
  memcpy((jbyte *)of->data + start, from, (size_t)count);
}
static void *critical(JNIEnv *env, jarray of, jboolean *copied) { return (void)env, (void)copied, of->data; }
static void release_critical(JNIEnv *env, jarray of, void *bytes, jint mode) { (void)env, (void)of, (void)bytes, (void)mode; }
static jboolean has_exception(JNIEnv *env) { return (void)env, 0; }
static void *address(JNIEnv *env, jobject buffer) { return (void)env, buffer->data; }

static const struct JNINativeInterface_ table = {.DeleteLocalRef = delete_reference,
                                                 .GetObjectClass = class_of,
                                                 .GetMethodID = method_of,
                                                 .CallObjectMethodA = allocate,
                                                 .GetStringLength = length,
                                                 .GetStringChars = chars,
                                                 .ReleaseStringChars = release_chars,
                                                 .GetArrayLength = length,
                                                 .NewByteArray = new_bytes,
                                                 .GetIntArrayRegion = get_ints,
                                                 .SetByteArrayRegion = set_bytes,
                                                 .GetPrimitiveArrayCritical = critical,
                                                 .ReleasePrimitiveArrayCritical = release_critical,
                                                 .ExceptionCheck = has_exception,
                                                 .GetDirectBufferAddress = address};

static jobject read_file(const char *path) {
  FILE *file = fopen(path, "rb");
  long size;
  jobject made;
  if (!file || fseek(file, 0, SEEK_END) || (size = ftell(file)) < 0 || fseek(file, 0, SEEK_SET)) fail(path);
  made = object(NULL, (jint)size, 1);
  if (fread(made->data, 1, (size_t)size, file) != (size_t)size) fail(path);
  fclose(file);
  return made;
}

static void *function(void *library, const char *name) {
  char whole[64];
  snprintf(whole, sizeof whole, "Java_textapp_Core_%s", name);
  void *found = dlsym(library, whole);
  if (!found) fail(dlerror());
  return found;
}

static void write_record(jbyteArray record, jobject report) {
  if (!record) fail((const char *)report->data + 1);
  fwrite(&record->size, sizeof record->size, 1, stdout);
  fwrite(record->data, 1, (size_t)record->size, stdout);
}

/* The files in one buffer, as Kotlin makes it, and the places of names and contents. */
static jobject together(char **arguments, int count, jintArray places) {
  jobject all = object(NULL, 1 << 24, 1);
  char *start = all->data, *at = start;
  jint *place = places->data;
  for (int i = 0; i < count; i++) {
    char *path = strchr(arguments[i], '=');
    *path++ = 0;
    jobject content = read_file(path);
    if (content->size + 1000 > all->size - (at - start)) fail("the bundle is too large for this program");
    *place++ = (jint)(at - start);
    at = strcpy(at, arguments[i]) + strlen(arguments[i]) + 1;
    at += (64 - (at - start) % 64) % 64;
    *place++ = (jint)(at - start);
    *place++ = content->size;
    memcpy(at, content->data, (size_t)content->size);
    at += content->size;
  }
  return all;
}

int main(int count, char **arguments) {
  if (count < 5) fail("usage: emulated LIBRARY FEATURES TEXTS NAME=FILE...");
  void *library = dlopen(arguments[1], RTLD_NOW);
  if (!library) fail(dlerror());
  JNIEnv env = &table;
  jint (*features)(JNIEnv *, jclass) = (jint (*)(JNIEnv *, jclass))function(library, "features");
  jlong (*load)(JNIEnv *, jclass, jobject, jobject, jintArray, jint, jbyteArray) = function(library, "load");
  jbyteArray (*describe)(JNIEnv *, jclass, jobject, jlong) = function(library, "describe");
  jlong (*context_size)(JNIEnv *, jclass, jobject, jlong, jint) = function(library, "contextSize");
  jlong (*make_context)(JNIEnv *, jclass, jobject, jlong, jobject, jint, jint) = function(library, "makeContext");
  jlong (*encode)(JNIEnv *, jclass, jstring, jobject, jint) = function(library, "encode");
  jbyteArray (*predict)(JNIEnv *, jclass, jobject, jlong, jobject, jint, jboolean, jbyteArray) =
      function(library, "predict");
  jobject report = object(NULL, 513, 1), none = object(NULL, 1, 1);
  jintArray places = object(NULL, 3 * (count - 4), sizeof(jint));
  jobject files = together(arguments + 4, count - 4, places);
  jint used = features(&env, none) & (jint)strtol(arguments[2], NULL, 0);
  fprintf(stderr, "features %#x of %#x\n", (unsigned)used, (unsigned)features(&env, none));
  jlong model = load(&env, none, none, files, places, used, report);
  if (!model) write_record(NULL, report);
  write_record(describe(&env, none, none, model), report);
  jobject texts = read_file(arguments[3]);
  for (const char *at = texts->data, *end = at + texts->size; at < end;) {
    jint units;
    memcpy(&units, at, sizeof units);
    jstring text = object(at + sizeof units, units, sizeof(jchar));
    at += sizeof units + sizeof(jchar) * (size_t)units;
    jlong size = encode(&env, none, text, none, 0);
    jint longest = (jint)size + 1;
    jobject utf8 = object(NULL, longest, 1);
    jlong block_size = context_size(&env, none, none, model, longest);
    jobject block = object(NULL, (jint)block_size, 1);
    jlong context = make_context(&env, none, none, model, block, (jint)block_size, longest);
    if (encode(&env, none, text, utf8, longest) != size) fail("encode");
    write_record(predict(&env, none, none, context, utf8, (jint)size, 1, report), report);
    free(block->data);
  }
  return 0;
}
