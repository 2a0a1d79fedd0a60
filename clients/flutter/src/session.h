/* A model with memory of its own: for languages in which structures and callbacks of C take many lines.
 *
 *     textapp_session *session = textapp_session_new();
 *     for each name of textapp_session_name: copy the file's bytes to textapp_session_file(session, number, size);
 *     if (textapp_session_load(session)) puts(textapp_session_message(session));
 *     copy a text to textapp_session_text(session, length);
 *     const textapp_prediction *prediction = textapp_session_predict(session, length, flags);
 *
 * One thread at a time may use a session. */
#ifndef TEXTAPP_SESSION_H
#define TEXTAPP_SESSION_H

#include "textapp.h"

typedef struct textapp_session textapp_session;

/* NULL where memory is out. `textapp_session_free` frees it with all that it has given. */
TEXTAPP_API textapp_session *textapp_session_new(void);
TEXTAPP_API void textapp_session_free(textapp_session *session);

/* The name of a file that a bundle may have; NULL after the last. */
TEXTAPP_API const char *textapp_session_name(size_t number);

/* Memory for the content of a file of a bundle; NULL where memory is out. */
TEXTAPP_API void *textapp_session_file(textapp_session *session, size_t number, size_t size);

/* Loads the files. Returns TEXTAPP_OK, or why it has failed; the model is NULL then. */
TEXTAPP_API int textapp_session_load(textapp_session *session);
TEXTAPP_API const textapp_model *textapp_session_model(const textapp_session *session);

/* Memory for a text of `length` bytes of UTF-8, until the next call; NULL where it fails. */
TEXTAPP_API void *textapp_session_text(textapp_session *session, size_t length);

/* Predicts the text there; see textapp_predict. The prediction stays until the next call; NULL where it fails. */
TEXTAPP_API const textapp_prediction *textapp_session_predict(textapp_session *session, size_t length, uint32_t flags);

/* See textapp_selftest. */
TEXTAPP_API int textapp_session_selftest(textapp_session *session);

/* Why the last call has failed: a status of textapp.h, and one line. */
TEXTAPP_API int textapp_session_status(const textapp_session *session);
TEXTAPP_API const char *textapp_session_message(const textapp_session *session);

#endif
