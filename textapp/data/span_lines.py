"""Reader of JSON with texts and their spans, as annotation tools write it.

| written by            | a row |
|-----------------------|---|
| textapp               | `{"text": "Ada in Oslo", "spans": [{"start": 0, "end": 3, "type": "PER"}]}` |
| prodigy               | the same with `label` for `type` |
| doccano               | `{"text": ..., "label": [[0, 3, "PER"]]}`, also `labels` |
| doccano, relations    | `{"text": ..., "entities": [{"start_offset": 0, "end_offset": 3, "label": "PER"}]}` |
| spaCy                 | `["Ada in Oslo", {"entities": [[0, 3, "PER"]]}]` |
| Label Studio          | `{"data": {"text": ...}, "annotations": [{"result": [{"value": {"start": 0, ...}}]}]}` |
| Label Studio, minimal | `{"text": ..., "label": [{"start": 0, "end": 3, "labels": ["PER"]}]}` |
| Hugging Face          | `{"tokens": ["Ada", "in", "Oslo"], "ner_tags": ["B-PER", "O", "B-LOC"]}` |

A row is a line, or an element of one JSON list in the whole file. Offsets count Unicode code points from 0, and `end`
is exclusive: in Python, `text[start:end]` is the entity. The reader ignores other keys of a row or of a span.
"""

import bisect
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple, get_args

from textapp.data.conll import TaggedSentence
from textapp.data.json_rows import json_rows, place
from textapp.data.parquet import column_names, iterate_rows
from textapp.errors import InputError, excerpt, list_some, quoted
from textapp.text.characters import replace_surrogates
from textapp.text.tag_schemes import Span, write_tags
from textapp.text.tag_set import FILE_SCHEME
from textapp.text.tokenizer import Token, Tokenizer

Overlapping = Literal["longest", "innermost"]
"""Which of spans that overlap are kept: the longest, or those that hold no other."""

Note = Callable[[str, str, str], object]
"""Receives what was changed while reading: a noun, what was done with it, and the place."""

TAG_KEYS = ("ner_tags", "tags", "labels", "pos_tags", "chunk_tags", "upos", "ner")
"""Keys of the tags beside `tokens`, in order of preference."""

_SPAN_KEYS = ("spans", "entities", "label", "labels")
_START_KEYS, _END_KEYS = ("start", "start_offset", "start_char"), ("end", "end_offset", "end_char")
_TYPE_KEYS = ("type", "label", "labels", "entity", "entity_group")


class _Spans(NamedTuple):
    """A row with a text and spans of its characters."""

    text: str
    spans: list[Span]


class _Tags(NamedTuple):
    """A row with tokens and the tag of each."""

    tokens: list[str]
    tags: list[str]


def read_span_lines(
    lines: Iterator[str],
    path: str | os.PathLike[str],
    tokenizer: Tokenizer,
    overlapping: Overlapping | None = None,
    note: Note = lambda *_: None,
) -> Iterator[TaggedSentence]:
    """Yields the tokens of each row, and the tags of its spans in IOB2, or the tags of a row of tokens.

    A span that ends inside a token is widened to the whole token, as annotation tools know no tokens; a second span in
    the same token is left out. White space at the ends of a span does not count.

    Args:
        lines: The lines of the file.
        path: The file, for messages.
        tokenizer: Cuts the texts into tokens.
        overlapping: Which of overlapping spans to keep; None to refuse them.
        note: Receives each span that is widened or left out.

    Raises:
        InputError: A row is in none of these forms; or a span is empty, exceeds the text, or overlaps another one.
    """
    return read_span_rows(json_rows(lines, path), path, tokenizer, overlapping, note)


def read_parquet_rows(path: str | os.PathLike[str], tokenizer: Tokenizer) -> Iterator[TaggedSentence]:
    """Yields the sentences of a parquet file with a list `tokens` and one of `TAG_KEYS`, as Hugging Face writes it.

    Raises:
        InputError: As `read_span_lines`; or the file has not these columns.
    """
    names = column_names(path)
    key = next((key for key in TAG_KEYS if key in names), None)
    if "tokens" not in names or key is None:
        raise InputError(
            f"{path}: a parquet file of tagged sentences must have the columns `tokens` and `ner_tags` (or another of "
            f"{list_some(list(TAG_KEYS))}), lists of strings; columns found: {list_some(list(map(quoted, names)))}"
        )
    return read_span_rows(iterate_rows(path, ["tokens", key]), path, tokenizer)


def read_span_rows(
    rows: Iterator[tuple[int | str, Any]],
    path: str | os.PathLike[str],
    tokenizer: Tokenizer,
    overlapping: Overlapping | None = None,
    note: Note = lambda *_: None,
) -> Iterator[TaggedSentence]:
    """Yields the sentences of rows with their places, see `read_span_lines`."""
    if overlapping is not None and overlapping not in get_args(Overlapping):
        raise InputError(
            f"{path}: `overlapping` must be one of {', '.join(get_args(Overlapping))}. Received: {quoted(overlapping)}"
        )
    for number, row in rows:
        location = place(path, number)
        line = number if isinstance(number, int) else int(number.removeprefix("row "))
        parsed = _parse(row, location)
        if parsed is None:
            note("task", "left out, as nobody annotated it", location)
            continue
        if isinstance(parsed, _Tags):
            tokens, tags = parsed.tokens, parsed.tags
        else:
            spans = _apart(parsed.spans, parsed.text, overlapping, location, note)
            found = tokenizer.tokenize(parsed.text)
            tokens = [token.text for token in found]
            tags = write_tags(_to_tokens(spans, found, parsed.text, location, note), len(found), FILE_SCHEME)
        yield TaggedSentence(
            tokens, tags, os.fspath(path), [line] * max(len(tokens), 1), of_spans=isinstance(parsed, _Spans)
        )


def _parse(row: Any, location: str) -> _Spans | _Tags | None:
    """Returns the text of a row and its spans of characters in order, or its tokens and tags.

    None if nobody annotated it.
    """
    if isinstance(row, list) and len(row) == 2 and isinstance(row[0], str) and isinstance(row[1], dict):
        row = {"text": row[0], **row[1]}  # spaCy
    if not isinstance(row, dict):
        raise InputError(f"{location}: each row must be a JSON object. Received: {excerpt(json.dumps(row))}")
    if isinstance(row.get("tokens"), list) and all(isinstance(token, str) for token in row["tokens"]):
        return _tagged_tokens(row, location)
    if isinstance(row.get("data"), dict) and isinstance(row.get("annotations", row.get("completions")), list):
        task = _label_studio(row, location)
        if task is None:
            return None
        row = task
    text = row.get("text")
    keys = [key for key in _SPAN_KEYS if isinstance(row.get(key), list)]
    key = next((key for key in keys if row[key]), keys[0] if keys else None)  # an empty list may stand beside another
    if not isinstance(text, str) or key is None:
        raise InputError(
            f"{location}: each row must be a JSON object with a string `text` and a list of its spans, `spans`, or "
            f"with `tokens` and their `ner_tags`. Received: the keys {list_some(list(map(quoted, row)))}"
        )
    return _Spans(text, sorted(_parse_span(span, text, location) for span in row[key]))


def _tagged_tokens(row: Mapping[str, Any], location: str) -> _Tags:
    """The tokens of a row and their tags."""
    key = next((key for key in TAG_KEYS if isinstance(row.get(key), list)), None)
    if key is None:
        raise InputError(
            f"{location}: `tokens` need the tag of each in a list `ner_tags`. Received: the keys "
            f"{list_some(list(map(quoted, row)))}"
        )
    tokens, tags = [replace_surrogates(token) for token in row["tokens"]], row[key]
    if any(isinstance(tag, int) and not isinstance(tag, bool) for tag in tags):
        raise InputError(
            f"{location}: `{key}` are numbers, as Hugging Face's datasets write them; write their names: names = "
            f'ds.features["{key}"].feature.names; ds.map(lambda row: {{"{key}": [names[tag] for tag in row["{key}"]]}})'
        )
    if len(tags) != len(tokens) or not all(isinstance(tag, str) and tag.strip() for tag in tags):
        raise InputError(
            f"{location}: each of the `tokens` must have a tag, a string. Received: {len(tokens)} tokens, `{key}` "
            f"{excerpt(json.dumps(tags, ensure_ascii=False))}"
        )
    # A run keeps sentences in files of columns, in which a token is one field.
    if bad := [token for token in tokens if "\t" in token or len(token.splitlines()) > 1]:
        raise InputError(f"{location}: a token must be one line without tabs. Received: {quoted(bad[0])}")
    return _Tags([token.strip(" ") for token in tokens], [replace_surrogates(tag.strip()) for tag in tags])


def _label_studio(row: Mapping[str, Any], location: str) -> dict[str, Any] | None:
    """A task of Label Studio as a row with `text` and `spans`; None if it has no annotation that was kept."""
    texts = [value for value in row["data"].values() if isinstance(value, str)]
    text = row["data"].get("text", texts[0] if len(texts) == 1 else None)
    if text is None:
        raise InputError(
            f"{location}: Label Studio's `data` must hold one `text`. Received: the keys "
            f"{list_some(list(map(quoted, row['data'])))}"
        )
    done = [found for found in row.get("annotations", row.get("completions")) if isinstance(found, dict)]
    done = [found for found in done if not found.get("was_cancelled")]
    if not done:
        return None
    results = done[0].get("result", [])  # of several annotators the first
    spans = [
        result["value"] for result in results if isinstance(result, dict) and isinstance(result.get("value"), dict)
    ]
    return {"text": text, "spans": [value for value in spans if "start" in value]}


def _parse_span(span: Any, text: str, location: str) -> Span:
    """Returns a span of characters, after checking that it is in the text."""
    if isinstance(span, list) and len(span) == 3:  # doccano, spaCy
        span = dict(zip(("start", "end", "type"), span, strict=True))
    start, end, type_ = (_first(span, keys) for keys in (_START_KEYS, _END_KEYS, _TYPE_KEYS))
    if isinstance(type_, list) and len(type_) == 1:  # Label Studio
        type_ = type_[0]
    if type(start) is not int or type(end) is not int or type(type_) is not str:
        raise InputError(
            f'{location}: a span must be {{"start": NUMBER, "end": NUMBER, "type": NAME}} or [START, END, NAME]. '
            f"Received: {excerpt(json.dumps(span))}"
        )
    if not 0 <= start < end <= len(text):
        raise InputError(
            f"{location}: a span must hold characters from 0 to {len(text)} (exclusive). "
            f"Received: {quoted(start)} to {quoted(end)}"
        )
    # A run keeps sentences and tags in files of columns, which cannot hold other names.
    if type_ != type_.strip() or "\t" in type_ or len(type_.splitlines()) != 1:
        raise InputError(
            f"{location}: the type of a span must be a name of one line, without tabs and without space around it. "
            f"Received: {quoted(type_)}"
        )
    return Span(start, end, replace_surrogates(type_))


def _first(span: Any, keys: Sequence[str]) -> Any:
    """The value of the first of some keys that a span has; None if it has none of them."""
    return next((span[key] for key in keys if key in span), None) if isinstance(span, dict) else None


def _apart(spans: list[Span], text: str, overlapping: Overlapping | None, location: str, note: Note) -> list[Span]:
    """The spans without those that overlap others, in order."""
    kept: list[Span] = []
    distinct = sorted(set(spans))
    for _ in range(len(spans) - len(distinct)):
        note("repeated span", "left out", location)
    sizes = sorted(distinct, key=lambda span: (span.end - span.start, span.start), reverse=overlapping == "longest")
    for span in sizes:
        rival = next((other for other in kept if span.start < other.end and other.start < span.end), None)
        if rival is None:
            kept.append(span)
        elif overlapping is None:
            left, right = sorted((span, rival))
            raise InputError(
                f"{location}: spans must not overlap. Received: {_shown(left, text)}, {_shown(right, text)}; "
                "overlapping=longest or overlapping=innermost keeps one of them (`textapp train`: --set, other "
                "commands: --overlapping)"
            )
        else:
            note("overlapping span", "left out", location)
    return sorted(kept)


def _to_tokens(spans: list[Span], tokens: list[Token], text: str, location: str, note: Note) -> Iterator[Span]:
    """Converts spans of characters to spans of tokens."""
    starts = [token.start for token in tokens]
    ends = [token.end for token in tokens]
    previous = 0
    for span in spans:
        first = bisect.bisect_right(ends, span.start)  # the first token that ends in the span or after it
        end = bisect.bisect_left(starts, span.end)  # the first token that starts after the span
        if first >= end:
            raise InputError(f"{location}: the span {_shown(span, text)} has no token, only white space or controls")
        if tokens[first].start < span.start or tokens[end - 1].end > span.end:
            first = max(first, previous)
            if first >= end:
                note("span", "left out, as another is in the same token", location)
                continue
            note("span", "widened to whole tokens", location)
        elif first < previous:
            note("span", "left out, as another is in the same token", location)
            continue
        previous = end
        yield Span(first, end, span.type)


def _shown(span: Span, text: str) -> str:
    """Describes a span of characters for a message."""
    return f"{span.start} to {span.end} ({excerpt(span.type)} {quoted(text[span.start : span.end])})"
