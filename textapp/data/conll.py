"""Tagged sentences, and their readers for files of one token per line: CoNLL columns and CoNLL-U.

`columns`: tabs separate the fields of a line, or spaces if the line of the first token has no tab. A blank line ends a
sentence. A line with the field `-DOCSTART-` ends one too, and starts a document.

    EU      NNP  I-NP  I-ORG            吴  B-NAME
    rejects VBZ  I-VP  O                重  M-NAME

`conllu`: ten fields separated by tabs, and `#` comments. Multiword tokens (ids such as `3-4`) and empty nodes (`8.1`)
are left out, because each of their words has its own line. `# newdoc` starts a document.

Only the ASCII space and the tab separate fields, and only a line without other characters is blank: in a file of single
characters, U+3000 and U+00A0 are tokens like any other.

Reference: Tjong Kim Sang and De Meulder, "Introduction to the CoNLL-2003 Shared Task" (2003);
https://universaldependencies.org/format.html.
"""

import os
import re
import sys
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from textapp.errors import InputError, quoted

CONLLU_COLUMNS = ("id", "form", "lemma", "upos", "xpos", "feats", "head", "deprel", "deps", "misc")
"""The names of CoNLL-U's columns, in lower case."""

_DOCUMENT = "-DOCSTART-"
_FIELD = re.compile(r"[^ \t\r\n]+")
_NEW_DOCUMENT = re.compile(r"# ?newdoc\b")
_OTHER_ID = re.compile(r"[0-9]+[-.][0-9]+")


class TaggedSentence(NamedTuple):
    """The tokens and tags of a sentence, as the readers of all formats yield it.

    Attributes:
        tokens: The tokens; none if the text of the row is empty.
        tags: The tag of each token.
        file: The file that holds the tags.
        lines: The line of each token in that file, from 1; the line of the sentence if it has no token.
        opens_document: Whether a document starts here.
    """

    tokens: list[str]
    tags: list[str]
    file: str
    lines: Sequence[int]
    opens_document: bool = False

    def location(self, position: int = 0) -> str:
        """Returns the file and line of a token for messages, such as `eng.train:17`.

        A position after the last token gives the location of the last token.
        """
        return f"{self.file}:{self.lines[min(position, len(self.lines) - 1)]}"


def read_columns(
    lines: Iterator[str], path: str | os.PathLike[str], token_column: int = 0, tag_column: int = -1
) -> Iterator[TaggedSentence]:
    """Yields the sentences of a file of columns.

    Args:
        lines: The lines of the file.
        path: The file, for messages.
        token_column: Number of the token column, from 0; -1 is the last one.
        tag_column: Number of the tag column, likewise.

    Raises:
        InputError: A line has more or fewer columns than the first one, or an empty token or tag.
    """
    sentence = _SentenceBuilder(path)
    width: int | None = None
    tabbed = False
    for number, line in enumerate(lines, start=1):
        line = _without_end(line, path, number)
        fields = split_at_spaces(line)
        if not fields:
            yield from sentence.finish()
            continue
        if _DOCUMENT in fields:
            yield from sentence.finish()
            sentence.opens_document = True
            continue
        tabbed = "\t" in line if width is None else tabbed
        if tabbed:
            fields = line.split("\t")
        if width is None:
            width = len(fields)
            _check_columns(width, f"{path}:{number}", token_column, tag_column)
        if len(fields) != width:
            raise InputError(
                f"{path}:{number}: each line must have {width} columns, as the first token's line has, separated "
                f"by {'tabs' if tabbed else 'spaces'}. Received: {len(fields)}"
            )
        sentence.add(number, fields[token_column], fields[tag_column])
    yield from sentence.finish()


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
    sentence = _SentenceBuilder(path)
    for number, line in enumerate(lines, start=1):
        line = _without_end(line, path, number)
        if not line.strip(" \t"):
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


class _SentenceBuilder:
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
        """Adds a token and its tag."""
        token, tag = token.strip(" "), tag.strip(" ")
        if not token or not tag:
            raise InputError(f"{self._file}:{line}: the {'tag' if token else 'token'} is empty")
        # Equal strings share memory: the 2.2 million tokens of MSRA are 5,000 different strings.
        self._tokens.append(sys.intern(token))
        self._tags.append(sys.intern(tag))
        self._lines.append(line)

    def finish(self) -> Iterator[TaggedSentence]:
        """Yields the sentence if it has a token, and starts the next one."""
        if self._tokens:
            yield TaggedSentence(self._tokens, self._tags, self._file, self._lines, self.opens_document)
            self._tokens, self._tags, self._lines, self.opens_document = [], [], [], False


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
