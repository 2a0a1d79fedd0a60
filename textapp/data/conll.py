"""Tagged sentences, and their readers for files of one token per line: CoNLL columns and CoNLL-U.

`columns`: tabs separate the fields of a line, or spaces if the line of the first token has no tab. A blank line ends a
sentence. A line with the field `-DOCSTART-` ends one too, and starts a document.

    EU      NNP  I-NP  I-ORG            吴  B-NAME
    rejects VBZ  I-VP  O                重  M-NAME

`conllu`: ten fields separated by tabs, and `#` comments. Multiword tokens (ids such as `3-4`) and empty nodes (`8.1`)
are left out, because each of their words has its own line. `# newdoc` starts a document.

Only the ASCII space and the tab separate fields: in a file of single characters, U+3000 and U+00A0 are tokens like any
other. A line of nothing but white space and marks that no editor shows (U+FEFF, U+200B) is blank.

Before the first token of a sentence, a line that starts with `#` is a comment, unless it has the columns of a token and
its tag: the token `#` and hashtags stay. A comment with as many columns as a token is counted. A token that is empty,
or only spaces, is kept as an empty string: its tag is needed to read the tags around it, and `textapp.data.tagged`
leaves it out afterwards.

Reference: Tjong Kim Sang and De Meulder, "Introduction to the CoNLL-2003 Shared Task" (2003);
https://universaldependencies.org/format.html.
"""

import itertools
import os
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from textapp.errors import InputError, quoted
from textapp.text.tag_schemes import is_tag

CONLLU_COLUMNS = ("id", "form", "lemma", "upos", "xpos", "feats", "head", "deprel", "deps", "misc")
"""The names of CoNLL-U's columns, in lower case."""

_DOCUMENT = "-DOCSTART-"
_FIELD = re.compile(r"[^ \t\r\n]+")
_NEW_DOCUMENT = re.compile(r"# ?newdoc\b")
_OTHER_ID = re.compile(r"[0-9]+[-.][0-9]+")
_INVISIBLE = "\ufeff\u200b\u200c\u200d\u2060"
Note = Callable[[str, str, str], object]
"""Receives what was changed while reading: a noun, what was done with it, and the place."""

_LOOKED_AT = 2_000  # lines whose tags tell a token that starts with # from a comment


class TaggedSentence(NamedTuple):
    """The tokens and tags of a sentence, as the readers of all formats yield it.

    Attributes:
        tokens: The tokens; none if the text of the row is empty.
        tags: The tag of each token.
        file: The file that holds the tags.
        lines: The line of each token in that file, from 1; the line of the sentence if it has no token.
        opens_document: Whether a document starts here.
        of_spans: Whether the tags were made from spans of characters: they are valid IOB2.
    """

    tokens: list[str]
    tags: list[str]
    file: str
    lines: Sequence[int]
    opens_document: bool = False
    of_spans: bool = False

    def location(self, position: int = 0) -> str:
        """Returns the file and line of a token for messages, such as `eng.train:17`.

        A position after the last token gives the location of the last token.
        """
        return f"{self.file}:{self.lines[min(position, len(self.lines) - 1)]}"


def read_columns(
    lines: Iterator[str],
    path: str | os.PathLike[str],
    token_column: int = 0,
    tag_column: int = -1,
    note: Note = lambda *_: None,
) -> Iterator[TaggedSentence]:
    """Yields the sentences of a file of columns.

    Args:
        lines: The lines of the file.
        path: The file, for messages.
        token_column: Number of the token column, from 0; -1 is the last one.
        tag_column: Number of the tag column, likewise.
        note: Receives each line that is left out as a comment though it has the columns of a token.

    Raises:
        InputError: A line has more or fewer columns than the first one, or an empty tag.
    """
    head = list(itertools.islice(lines, _LOOKED_AT))
    tabbed, width, tags = _layout(head, tag_column)
    sentence = SentenceBuilder(path)
    checked = False
    for number, line in enumerate(itertools.chain(head, lines), start=1):
        line = _without_end(line, path, number)
        fields = split_at_spaces(line)
        if is_blank(line):
            yield from sentence.finish()
            continue
        if _DOCUMENT in fields:
            yield from sentence.finish()
            sentence.opens_document = True
            continue
        if tabbed:
            fields = line.split("\t")
        if not len(sentence) and line.startswith("#") and _is_comment(fields, width, tag_column, tags):
            if len(fields) == width:
                note("line", "left out as a comment", f"{path}:{number}")
            continue
        if not checked:
            width, checked = len(fields), True
            _check_columns(width, f"{path}:{number}", token_column, tag_column)
        if len(fields) != width:
            raise InputError(
                f"{path}:{number}: each line must have {width} columns, as the first token's line has, separated "
                f"by {'tabs' if tabbed else 'spaces'}. Received: {len(fields)}"
            )
        sentence.add(number, fields[token_column], fields[tag_column])
    yield from sentence.finish()


def _layout(head: Sequence[str], tag_column: int) -> tuple[bool, int, set[str]]:
    """Whether tabs separate the columns of a file, how many there are, and the tags of its first lines."""
    lines = [line.rstrip("\r\n") for line in head if not is_blank(line) and _DOCUMENT not in split_at_spaces(line)]
    plain = [line for line in lines if not line.startswith("#")] or lines
    tabbed = bool(plain) and "\t" in plain[0]
    rows = [line.split("\t") if tabbed else split_at_spaces(line) for line in plain]
    width = len(rows[0]) if rows else 0
    inside = -width <= tag_column < width
    return tabbed, width, {row[tag_column].strip() for row in rows if len(row) == width} if inside else set()


def _is_comment(fields: Sequence[str], width: int, tag_column: int, tags: set[str]) -> bool:
    """Whether a line that starts with # before a sentence is none of a token and its tag."""
    if len(fields) != width or not -width <= tag_column < width:
        return True
    tag = fields[tag_column].strip()
    if tag in tags or is_tag(tag) or tag == "#":
        return False
    # A part of speech, such as SYM, that no other token has; no such tag stands among tags of spans.
    is_sign = fields[0].strip() == "#" and tag.isupper() and not all(map(is_tag, tags))
    return not is_sign


def is_conllu(lines: Sequence[str]) -> bool:
    """Whether the tokens of some lines are those of CoNLL-U, not other tokens with ten columns between tabs.

    The first column of the first is an id, each has a number as its head, and none ends in the tag of a span.
    """
    rows = [line.rstrip("\r\n").split("\t") for line in lines if not is_blank(line) and not line.startswith("#")]
    if not rows or len(rows[0]) != len(CONLLU_COLUMNS) or not re.fullmatch(r"1(-[0-9]+)?|0\.1", rows[0][0]):
        return False
    whole = [row for row in rows if len(row) == len(CONLLU_COLUMNS)]  # a broken line is told by the reader
    head, misc = CONLLU_COLUMNS.index("head"), CONLLU_COLUMNS.index("misc")
    return all(re.fullmatch(r"[0-9]+|_", row[head]) and not is_tag(row[misc]) for row in whole)


def is_blank(line: str) -> bool:
    r"""Whether a line shows nothing: it has only white space and invisible marks, such as U+FEFF.

    Example:
        >>> is_blank(" \t\n"), is_blank("\ufeff"), is_blank("\u3000\tO")
        (True, True, False)
    """
    return not line.strip().strip(_INVISIBLE)


def read_conllu(
    lines: Iterator[str], path: str | os.PathLike[str], token_column: str = "form", tag_column: str = "upos"
) -> Iterator[TaggedSentence]:
    """Yields the sentences of a CoNLL-U file.

    Args:
        lines: The lines of the file.
        path: The file, for messages.
        token_column: Name of the token column, one of `CONLLU_COLUMNS`.
        tag_column: Name of the tag column, likewise.

    Raises:
        InputError: A line does not have ten columns, the words of a sentence are not numbered from 1, or a tag is
            missing.
    """
    token_at, tag_at = (_conllu_column(name, path) for name in (token_column, tag_column))
    sentence = SentenceBuilder(path)
    for number, line in enumerate(lines, start=1):
        line = _without_end(line, path, number)
        if is_blank(line):
            yield from sentence.finish()
            continue
        if line.startswith("#"):
            sentence.opens_document |= _NEW_DOCUMENT.match(line) is not None
            continue
        fields = line.split("\t")
        if len(fields) != len(CONLLU_COLUMNS):
            raise InputError(
                f"{path}:{number}: a CoNLL-U line must have ten columns, separated by tabs. Received: {len(fields)}"
            )
        if _OTHER_ID.fullmatch(fields[0]):
            continue
        if fields[0] != str(len(sentence) + 1):
            raise InputError(
                f"{path}:{number}: the words of a sentence must have the ids 1, 2, 3 and so on, with a blank line "
                f"after the last. Expected: {len(sentence) + 1}. Received: {quoted(fields[0])}"
            )
        if fields[tag_at] == "_":
            raise InputError(
                f"{path}:{number}: the column {CONLLU_COLUMNS[tag_at]} has '_' in place of a tag; choose another "
                "tag_column"
            )
        if not fields[token_at].strip(" "):
            raise InputError(f"{path}:{number}: the column {CONLLU_COLUMNS[token_at]} is empty")
        sentence.add(number, fields[token_at], fields[tag_at])
    yield from sentence.finish()


def _without_end(line: str, path: str | os.PathLike[str], number: int) -> str:
    """Returns a line without its end, which must be LF or CRLF: a file with CR alone would be one line."""
    line = line.rstrip("\r\n")
    if "\r" in line:
        raise InputError(f"{path}:{number}: a carriage return is inside the line; lines must end in LF or CRLF")
    return line


def split_at_spaces(line: str) -> list[str]:
    """Splits a line at ASCII spaces, tabs and line ends; `str.split` would also split at U+00A0 and U+3000."""
    return _FIELD.findall(line)


class SentenceBuilder:
    """Collects the tokens of the sentence that is being read."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._file = os.fspath(path)
        self._tokens: list[str] = []
        self._tags: list[str] = []
        self._lines: list[int] = []
        self.opens_document = False

    def __len__(self) -> int:
        return len(self._tokens)

    def add(self, line: int, token: str, tag: str) -> None:
        """Adds a token and its tag. An empty token must not have a tag."""
        token, tag = token.strip(" "), tag.strip(" ")
        if not tag:
            if not token:
                return
            raise InputError(f"{self._file}:{line}: the tag is empty; give the token {quoted(token)} a tag, such as O")
        # Equal strings share memory: the 2.2 million tokens of MSRA are 5,000 different strings.
        self._tokens.append(sys.intern(token))
        self._tags.append(sys.intern(tag))
        self._lines.append(line)

    def finish(self) -> Iterator[TaggedSentence]:
        """Yields the sentence if it has a token, and starts the next one."""
        if any(self._tokens):
            yield TaggedSentence(self._tokens, self._tags, self._file, self._lines, self.opens_document)
            self.opens_document = False
        self._tokens, self._tags, self._lines = [], [], []


def _check_columns(width: int, location: str, token_column: int, tag_column: int) -> None:
    """Raises `InputError` unless tokens and tags are two different columns of the file."""
    for name, column in (("token_column", token_column), ("tag_column", tag_column)):
        if not -width <= column < width:
            raise InputError(
                f"{location}: `{name}` must be from {-width} to {width - 1} here. Received: {quoted(column)}"
            )
    if token_column % width == tag_column % width:
        raise InputError(
            f"{location}: tokens and tags must be two different columns. "
            f"Received: columns {quoted(token_column)} and {quoted(tag_column)} of {width}"
        )


def _conllu_column(name: str, path: str | os.PathLike[str]) -> int:
    """Returns the position of a column of CoNLL-U."""
    if name.lower() not in CONLLU_COLUMNS:
        raise InputError(
            f"{path}: a column of CoNLL-U must be one of {', '.join(CONLLU_COLUMNS)}. Received: {quoted(name)}"
        )
    return CONLLU_COLUMNS.index(name.lower())
