/* From a text, or from tokens, to tags and spans: textapp/runtime/tagging.py. */
#include "predict.h"

/* A context's `work` holds first the logits of a text's tokens, and last its tokens, as `ta_token`s. Between them come
 * one after the other: where each tag of the best tags comes from; the spans; and, from the front, the spans of the
 * prediction, then its tokens. These grow over the spans and tokens that they are made from, which are read before:
 *
 *     logits | back                                        | ta_tokens
 *     logits |                                    ta_spans | ta_tokens
 *     logits | textapp_spans                      ta_spans | ta_tokens
 *     logits | textapp_spans | textapp_tokens ->      <- read from the left
 *
 * A span of the prediction has a character of its own. A character that is more tokens than it has bytes has two bytes
 * or more; so a text has either at most a token and a span for each byte, or more tokens and at most half as many spans.
 * With that the prediction ends where tokens end, and never comes to one that was not read: n tokens and s spans take
 * 48 n + 40 s bytes, and ta_tokens 16 n. */
#define TA_GAP 64 /* alignment */

size_t ta_work_size(const ta_bundle *bundle, size_t longest, size_t most_tokens) {
  uint64_t tags = bundle->name_count, spans = bundle->scheme == TA_PLAIN ? 0 : sizeof(textapp_span);
  uint64_t decoding = sizeof(ta_token) + (bundle->tags.has_crf ? tags * sizeof(uint16_t) : 0);
  uint64_t each = tags * sizeof(float) + TA_MAX(decoding, sizeof(textapp_token));
  uint64_t even = longest * (each + spans), more = most_tokens * each + (longest + 1) / 2 * spans;
  uint64_t size = (TA_MAX(even, more) + 4 * TA_GAP) / TA_GAP * TA_GAP;
  return size > SIZE_MAX / 2 ? SIZE_MAX : (size_t)size;
}

/* The first aligned place after `size` bytes of a place. */
static uint8_t *place_after(void *start, size_t size) {
  return (uint8_t *)start + (size + TA_GAP - 1) / TA_GAP * TA_GAP;
}

static int ends_sentence(void *user, size_t token) {
  const textapp_context *context = user;
  const ta_token *one = &context->tokens.tokens[token];
  return ta_is_sentence_end(context->tokens.text + one->first, one->behind - one->first);
}

/* The logits of all tokens that the context has. A text of more tokens than the model reads is read in windows. */
static textapp_status score(textapp_context *context, textapp_message *message) {
  size_t count = context->tokens.count, longest = context->model->bundle.longest;
  size_t width = context->model->bundle.name_count;
  ta_windows state = {0};
  ta_window window;
  while (ta_next_window(&state, count, longest, ends_sentence, context, &window)) {
    size_t read = window.end - window.start;
    float *logits = read == count ? context->logits : context->window;
    textapp_status status;
    for (size_t row = 0; row < read; row++) ta_encode_token(context, window.start + row, row, 0);
    status = ta_run(context, read, logits, NULL, message);
    if (status) return status;
    if (read == count) continue;
    ta_copy(context->logits + window.first * width, context->window + (window.first - window.start) * width,
            (window.stop - window.first) * width * sizeof *logits);
  }
  return TEXTAPP_OK;
}

static void name_type(textapp_span *span, const char *begin) {
  span->type = begin[1] == '-' ? begin + 2 : begin + 1;
  span->type_length = ta_length(span->type);
}

/* Spans of tokens as places in the text. Normalization may make several tokens from one character, and a model may put
 * them into several spans. The first of these gets the character; the next begins after it, and is left out if no
 * character remains. */
static void list_spans(textapp_context *context, ta_units *units, size_t count) {
  const ta_tags *tags = &context->model->bundle.tags;
  const ta_token *tokens = context->tokens.tokens;
  textapp_prediction *out = &context->prediction;
  size_t done = 0;
  for (size_t number = 0; number < count; number++) {
    textapp_span *place = &context->out_spans[out->span_count];
    size_t first, start, end;
    ta_span span;
    ta_copy(&span, &context->decoding.spans[number], sizeof span); /* what is written may lie there */
    first = span.start;
    end = tokens[span.end - 1].end;
    while (first < span.end && tokens[first].end <= done) first++;
    if (first == span.end) continue;
    start = TA_MAX(done, tokens[first].start);
    name_type(place, tags->out_names[context->decoding.ids[span.start]]);
    place->start = ta_unit(units, &units->starts, start);
    place->end = ta_unit(units, &units->ends, end);
    place->confidence = span.confidence;
    out->span_count++;
    done = end;
  }
  out->spans = context->out_spans;
}

static void list_tags(textapp_context *context, uint32_t flags) {
  int has_confidence = flags & TEXTAPP_CONFIDENCE && context->model->bundle.scheme == TA_PLAIN;
  for (size_t number = 0; number < context->tokens.count; number++) {
    textapp_token *out = &context->out_tokens[number];
    out->weight = -1.0f;
    out->tag = context->decoding.ids[number];
    out->confidence = has_confidence ? context->confidences[number] : -1.0;
  }
}

/* Decodes the logits. The context's ids of tags become those that predictions have. Returns the number of spans. */
static size_t decode(textapp_context *context, int confidence) {
  const ta_tags *tags = &context->model->bundle.tags;
  ta_decoding *work = &context->decoding;
  size_t count = context->tokens.count, spans;
  uint8_t *free_place = place_after(context->logits, count * tags->count * sizeof(float));
  work->back = (uint16_t *)(void *)free_place;
  ta_viterbi(tags, work, context->logits, count);
  work->spans = (ta_span *)(void *)free_place;
  spans = ta_read_spans(tags, work, count);
  work->spans = (ta_span *)(void *)context->tokens.tokens - spans;
  ta_move(work->spans, free_place, spans * sizeof *work->spans);
  context->out_spans = (textapp_span *)(void *)free_place;
  if (confidence && tags->scheme == TA_PLAIN) {
    ta_tag_confidences(tags, work, context->logits, count, context->confidences);
  } else if (confidence) {
    ta_span_confidences(tags, work, context->logits, count, work->spans, spans);
  }
  ta_write_tags(tags, work, count, spans, work->ids);
  return spans;
}

/* The tokens of the prediction come after its spans. */
static void place_tokens(textapp_context *context) {
  size_t spans = context->prediction.span_count * sizeof *context->out_spans;
  context->out_tokens = (textapp_token *)(void *)place_after(context->out_spans, spans);
}

void ta_decode_logits(textapp_context *context, const char *text, size_t length, uint32_t flags) {
  ta_units units = ta_units_of(text, length, flags);
  textapp_prediction *out = &context->prediction;
  ta_fill(out, 0, sizeof *out);
  list_spans(context, &units, decode(context, (flags & TEXTAPP_CONFIDENCE) != 0));
  place_tokens(context);
  ta_list_tokens(context, text, length, flags);
  list_tags(context, flags);
  out->label = -1;
  out->logits = context->logits;
}

textapp_status ta_tag_text(textapp_context *context, const char *text, size_t length, uint32_t flags,
                           textapp_message *message) {
  const ta_tokenizer *tokenizer = &context->model->bundle.tokenizer;
  textapp_status status = ta_tokenize(tokenizer, text, length, SIZE_MAX, &context->tokens);
  if (status) return ta_say(message, status, "text: cannot be cut into tokens");
  status = score(context, message);
  if (!status) ta_decode_logits(context, text, length, flags);
  return status;
}

/* Adds a token as it is. */
static void add_whole(ta_tokens *out, const char *text, size_t length) {
  ta_token *token = &out->tokens[out->count++];
  ta_copy(out->text + out->text_size, text, length);
  token->first = (uint32_t)out->text_size;
  out->text_size += length;
  token->behind = (uint32_t)out->text_size;
  token->start = token->end = 0;
}

/* Adds the pieces that the tokenizer cuts a token into: textapp/text/retokenization.py. One of only invisible
 * characters is not changed. */
static textapp_status add_pieces(const ta_tokenizer *tokenizer, ta_tokens *out, const char *text, size_t length) {
  ta_tokens pieces = *out;
  textapp_status status;
  pieces.text += out->text_size;
  pieces.text_room -= out->text_size;
  pieces.tokens += out->count;
  pieces.room -= out->count;
  status = ta_tokenize(tokenizer, text, length, SIZE_MAX, &pieces);
  if (status) return status;
  if (!pieces.count) {
    add_whole(out, text, length);
    return TEXTAPP_OK;
  }
  for (size_t number = 0; number < pieces.count; number++) {
    pieces.tokens[number].first += (uint32_t)out->text_size;
    pieces.tokens[number].behind += (uint32_t)out->text_size;
  }
  out->text_size += pieces.text_size;
  out->count += pieces.count;
  return TEXTAPP_OK;
}

static textapp_status cut_tokens(textapp_context *context, const char *const *tokens, const size_t *lengths,
                                 size_t count, textapp_message *message) {
  size_t total = 0;
  context->tokens.count = context->tokens.text_size = 0;
  for (size_t number = 0; number < count; number++) {
    textapp_status status = TEXTAPP_OK;
    size_t used = TA_MAX(lengths[number], (size_t)1); /* an empty token is a token too */
    uint32_t first;
    if (used > context->longest_text - total) {
      return ta_say(message, TEXTAPP_ERROR_TOO_LONG,
                    "tokens: have more than the %z bytes that the context was made for", context->longest_text);
    }
    total += used;
    first = (uint32_t)context->tokens.count;
    if (context->model->bundle.retokenize) {
      status = add_pieces(&context->model->bundle.tokenizer, &context->tokens, tokens[number], lengths[number]);
    } else {
      add_whole(&context->tokens, tokens[number], lengths[number]);
    }
    if (status) return ta_say(message, status, "tokens: number %z cannot be cut", number);
    context->tokens.tokens[number].start = first; /* its first piece, which is never before it */
  }
  return TEXTAPP_OK;
}

/* The spans of tags in IOB2; places are numbers of tokens. */
static void spans_of_tags(textapp_context *context, size_t count) {
  const ta_tags *tags = &context->model->bundle.tags;
  textapp_prediction *out = &context->prediction;
  out->spans = context->out_spans;
  if (tags->scheme == TA_PLAIN) return;
  for (size_t token = 0; token < count; token++) {
    int32_t tag = context->decoding.ids[token];
    textapp_span *span = &context->out_spans[out->span_count];
    if (!tag) continue;
    if (tag % 2 == 0) {
      span[-1].end++;
      continue;
    }
    name_type(span, tags->out_names[tag]);
    span->start = token;
    span->end = token + 1;
    span->confidence = -1.0;
    out->span_count++;
  }
}

textapp_status textapp_tag(textapp_context *context, const char *const *tokens, const size_t *lengths, size_t count,
                           uint32_t flags, const textapp_prediction **prediction, textapp_message *message) {
  size_t width;
  textapp_status status = ta_check_call(context, "", 0, flags, message);
  if (status) return status;
  if (!prediction || (count && (!tokens || !lengths)) || context->model->bundle.task != TEXTAPP_TAGGING) {
    return ta_say(message, TEXTAPP_ERROR_ARGUMENT,
                  "textapp_tag: needs a tagger, tokens, and a place for the prediction");
  }
  *prediction = NULL;
  ta_fill(&context->prediction, 0, sizeof context->prediction);
  status = cut_tokens(context, tokens, lengths, count, message);
  if (!status) status = score(context, message);
  if (status) return status;
  decode(context, 0);
  width = context->model->bundle.name_count;
  for (size_t number = 0; number < count; number++) {
    size_t first = context->tokens.tokens[number].start;
    context->decoding.ids[number] = context->decoding.ids[first];
    ta_move(context->logits + number * width, context->logits + first * width, width * sizeof *context->logits);
  }
  if (context->model->bundle.retokenize) ta_repair_iob2(&context->model->bundle.tags, context->decoding.ids, count);
  context->prediction.label = -1;
  context->prediction.logits = context->logits;
  spans_of_tags(context, count);
  place_tokens(context);
  for (size_t number = 0; number < count; number++) {
    textapp_token *out = &context->out_tokens[number];
    out->text = tokens[number];
    out->length = lengths[number];
    out->start = number;
    out->end = number + 1;
    out->weight = -1.0f;
    out->tag = context->decoding.ids[number];
    out->confidence = -1.0;
  }
  context->prediction.tokens = context->out_tokens;
  context->prediction.token_count = count;
  *prediction = &context->prediction;
  return TEXTAPP_OK;
}
