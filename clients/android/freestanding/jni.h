/* What textapp_jni.c uses of the Java Native Interface, for builds without an NDK or a JDK.
 *
 * The Java Native Interface Specification, chapter 4, fixes the place of each function in the table (its "linkage index")
 * and its arguments; Android's runtime and Java's have the same table. The tests compare these places with those of a
 * JDK's jni.h.
 */
#ifndef TEXTAPP_JNI_H
#define TEXTAPP_JNI_H

#include <stddef.h>
#include <stdint.h>

#define JNIEXPORT __attribute__((visibility("default")))
#define JNICALL

typedef uint8_t jboolean;
typedef int8_t jbyte;
typedef uint16_t jchar;
typedef int16_t jshort;
typedef int32_t jint;
typedef int64_t jlong;
typedef float jfloat;
typedef double jdouble;
typedef jint jsize;

typedef struct _jobject *jobject;
typedef jobject jclass;
typedef jobject jstring;
typedef jobject jarray;
typedef jobject jbyteArray;
typedef jobject jintArray;
typedef struct _jmethodID *jmethodID;

typedef union {
  jboolean z;
  jbyte b;
  jchar c;
  jshort s;
  jint i;
  jlong j;
  jfloat f;
  jdouble d;
  jobject l;
} jvalue;

struct JNINativeInterface_;
typedef const struct JNINativeInterface_ *JNIEnv;

/* Each unused array stands for the functions from its number to the one before the next name. */
struct JNINativeInterface_ {
  void *unused_0[23];
  void (*DeleteLocalRef)(JNIEnv *, jobject);
  void *unused_24[7];
  jclass (*GetObjectClass)(JNIEnv *, jobject);
  void *unused_32[1];
  jmethodID (*GetMethodID)(JNIEnv *, jclass, const char *name, const char *signature);
  void *unused_34[2];
  jobject (*CallObjectMethodA)(JNIEnv *, jobject, jmethodID, const jvalue *arguments);
  void *unused_37[127];
  jsize (*GetStringLength)(JNIEnv *, jstring);
  const jchar *(*GetStringChars)(JNIEnv *, jstring, jboolean *is_copy);
  void (*ReleaseStringChars)(JNIEnv *, jstring, const jchar *);
  void *unused_167[4];
  jsize (*GetArrayLength)(JNIEnv *, jarray);
  void *unused_172[4];
  jbyteArray (*NewByteArray)(JNIEnv *, jsize);
  void *unused_177[26];
  void (*GetIntArrayRegion)(JNIEnv *, jintArray, jsize start, jsize count, jint *);
  void *unused_204[4];
  void (*SetByteArrayRegion)(JNIEnv *, jbyteArray, jsize start, jsize count, const jbyte *);
  void *unused_209[13];
  void *(*GetPrimitiveArrayCritical)(JNIEnv *, jarray, jboolean *is_copy);
  void (*ReleasePrimitiveArrayCritical)(JNIEnv *, jarray, void *, jint mode);
  void *unused_224[4];
  jboolean (*ExceptionCheck)(JNIEnv *);
  void *unused_229[1];
  void *(*GetDirectBufferAddress)(JNIEnv *, jobject buffer);
};

#endif
