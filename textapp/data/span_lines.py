"""Reader of JSON lines with a text and its spans, which are character offsets.

    {"text": "我在北京。", "spans": [{"start": 2, "end": 4, "type": "LOC"}]}

Offsets count Unicode code points from 0, and `end` is exclusive: in Python, `text[start:end]` is the entity. The reader
ignores other keys of a line or of a span.
"""

import bisect
import itertools
import json
import os
from collections.abc import Iterator
from typing import Any

from textapp.data.conll import TaggedSentence
from textapp.errors import InputError, excerpt, quoted
from textapp.files import json_fault
from textapp.text.characters import replace_surrogates
from textapp.text.tag_schemes import Span, write_tags
from textapp.text.tag_set import FILE_SCHEME
from textapp.text.tokenizer import Token, Tokenizer


def read_span_lines(
    lines: Iterator[str], path: str | os.PathLike[str], tokenizer: Tokenizer
) -> Iterator[TaggedSentence]:
    """Yields the tokens of each line, and the tags of its spans in IOB2. Blank lines are skipped.

    Args:
        lines: The lines of the file.
        path: The file, for messages.
        tokenizer: Cuts the texts into tokens. A span must start where a token starts, and end where a token ends; white
            space at its ends does not count.

    Raises:
        InputError: A line is no such object; or a span is empty, exceeds the text, cuts a token, or overlaps another
            span.
    """
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        location = f"{path}:{number}"
        text, spans = _parse(line, location)
        tokens = tokenizer.tokenize(text)
        for left, right in itertools.pairwise(spans):
            if right.start < left.end:
                raise InputError(
                    f"{location}: spans must not overlap. Received: {_shown(left, text)}, {_shown(right, text)}"
                )
        tags = write_tags(_to_tokens(spans, tokens, text, location), len(tokens), FILE_SCHEME)
        words = [token.text for token in tokens]
        yield TaggedSentence(words, tags, os.fspath(path), [number] * max(len(tokens), 1))


def _parse(line: str, location: str) -> tuple[str, list[Span]]:
    """Returns the text of a line, and its spans of characters in order."""
    try:
        row = json.loads(line.rstrip())
    except (ValueError, RecursionError) as error:
        raise InputError(f"{location}: each line must be a JSON object; {json_fault(error)}") from error
    if not isinstance(row, dict) or not isinstance(row.get("text"), str) or not isinstance(row.get("spans"), list):
        raise InputError(f"{location}: each line must be a JSON object with a string `text` and a list `spans`")
    text = row["text"]
    return text, sorted(_parse_span(span, text, location) for span in row["spans"])


def _parse_span(span: Any, text: str, location: str) -> Span:
    """Returns a span of characters, after checking that it is in the text."""
    start, end, type_ = map(span.get, ("start", "end", "type")) if isinstance(span, dict) else (None, None, None)
    if type(start) is not int or type(end) is not int or type(type_) is not str:
        raise InputError(
            f'{location}: a span must be {{"start": NUMBER, "end": NUMBER, "type": NAME}}. '
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


def _to_tokens(spans: list[Span], tokens: list[Token], text: str, location: str) -> Iterator[Span]:
    """Converts spans of characters to spans of tokens."""
    starts = [token.start for token in tokens]
    ends = [token.end for token in tokens]
    for span in spans:
        first = bisect.bisect_right(ends, span.start)  # the first token that ends in the span or after it
        end = bisect.bisect_left(starts, span.end)  # the first token that starts after the span
        if first >= end:
            raise InputError(f"{location}: the span {_shown(span, text)} has no token, only white space or controls")
        for token in (tokens[first], tokens[end - 1]):
            if token.start < span.start or token.end > span.end:
                raise InputError(
                    f"{location}: the span {_shown(span, text)} cuts the token "
                    f"{quoted(text[token.start : token.end])} at {token.start} to {token.end}"
                )
        yield Span(first, end, span.type)


def _shown(span: Span, text: str) -> str:
    """Describes a span of characters for a message."""
    return f"{span.start} to {span.end} ({excerpt(span.type)} {quoted(text[span.start : span.end])})"
