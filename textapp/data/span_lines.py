"""Tagged sentences of JSON lines, in which a text stands whole and its spans are character offsets.

    {"text": "我在北京。", "spans": [{"start": 2, "end": 4, "type": "LOC"}]}

Offsets count Unicode code points from 0, `end` is exclusive: in Python, `text[start:end]` is the entity. Other keys of
a line or of a span are left alone.
"""

import bisect
import itertools
import json
import os
from collections.abc import Iterator
from typing import Any

from textapp.data.tagged_sentence import TaggedSentence
from textapp.errors import InputError
from textapp.text.characters import replace_surrogates
from textapp.text.tag_schemes import Span, write_tags
from textapp.text.tokenizer import Token, Tokenizer

SCHEME = "IOB2"
"""The scheme in which the spans are handed on."""


def read_span_lines(
    lines: Iterator[str], path: str | os.PathLike[str], tokenizer: Tokenizer
) -> Iterator[TaggedSentence]:
    """Yields each line's tokens and, in IOB2, the tags of its spans. Blank lines are skipped.

    Args:
        lines: the lines of the file.
        path: the file, for messages.
        tokenizer: cuts the texts; a span must begin where a token begins and end where one ends. White space at the
            borders of a span does not count.

    Raises:
        InputError: a line is no such object, or a span is empty, reaches out of the text, cuts a token or overlaps
            another one.
    """
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        place = f"{path}:{number}"
        text, spans = _parse(line, place)
        tokens = tokenizer.tokenize(text)
        for left, right in itertools.pairwise(spans):
            if right.start < left.end:
                raise InputError(
                    f"{place}: spans must not overlap. Received: {_shown(left, text)}, {_shown(right, text)}"
                )
        tags = write_tags(_to_tokens(spans, tokens, text, place), len(tokens), SCHEME)
        words = [token.text for token in tokens]
        yield TaggedSentence(words, tags, os.fspath(path), [number] * max(len(tokens), 1))


def _parse(line: str, place: str) -> tuple[str, list[Span]]:
    """Returns the text of a line and its spans in characters, in order and each of them within the text."""
    try:
        row = json.loads(line.rstrip())
    except json.JSONDecodeError as error:
        raise InputError(f"{place}: each line must be a JSON object; {error.msg} at column {error.colno}") from error
    except (ValueError, RecursionError) as error:
        why = "a number in it is too long" if isinstance(error, ValueError) else "it is nested too deeply"
        raise InputError(f"{place}: each line must be a JSON object; {why}") from error
    if not isinstance(row, dict) or not isinstance(row.get("text"), str) or not isinstance(row.get("spans"), list):
        raise InputError(f"{place}: each line must be a JSON object with a string `text` and a list `spans`")
    text = row["text"]
    return text, sorted(_parse_span(span, text, place) for span in row["spans"])


def _parse_span(span: Any, text: str, place: str) -> Span:
    """Returns a span in characters."""
    start, end, type_ = map(span.get, ("start", "end", "type")) if isinstance(span, dict) else (None, None, None)
    if type(start) is not int or type(end) is not int or type(type_) is not str:
        raise InputError(
            f'{place}: a span must read {{"start": NUMBER, "end": NUMBER, "type": NAME}}. '
            f"Received: {json.dumps(span)[:80]}"
        )
    if not 0 <= start < end <= len(text):
        raise InputError(
            f"{place}: a span must hold characters from 0 to {len(text)} (exclusive). Received: {start} to {end}"
        )
    # As files of columns can hold them: a run keeps sentences and tags in such files.
    if type_ != type_.strip() or "\t" in type_ or len(type_.splitlines()) != 1:
        raise InputError(
            f"{place}: the type of a span must be a name of one line, without tabs or space around it. "
            f"Received: {type_!r}"
        )
    return Span(start, end, replace_surrogates(type_))


def _to_tokens(spans: list[Span], tokens: list[Token], text: str, place: str) -> Iterator[Span]:
    """Yields spans of characters as spans of tokens."""
    starts = [token.start for token in tokens]
    ends = [token.end for token in tokens]
    for span in spans:
        first = bisect.bisect_right(ends, span.start)  # the first token that ends within the span or behind it
        behind = bisect.bisect_left(starts, span.end)  # the first one that begins behind the span
        if first >= behind:
            raise InputError(f"{place}: the span {_shown(span, text)} holds no token, only white space or controls")
        for token in (tokens[first], tokens[behind - 1]):
            if token.start < span.start or token.end > span.end:
                raise InputError(
                    f"{place}: the span {_shown(span, text)} cuts the token {text[token.start : token.end]!r}, which "
                    f"stands from {token.start} to {token.end}"
                )
        yield Span(first, behind, span.type)


def _shown(span: Span, text: str) -> str:
    """Returns a span of characters for a message."""
    return f"{span.start} to {span.end} ({span.type} {text[span.start : span.end][:40]!r})"
