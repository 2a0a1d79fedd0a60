"""Tagged sentences read from files of many formats: named entities, slots, parts of speech.

| format    | recognized by                                             | a sentence                            |
|-----------|-----------------------------------------------------------|---------------------------------------|
| `conllu`  | `.conllu`, or tokens of its ten columns                   | a line per word, ten columns          |
| `jsonl`   | `.jsonl`, `.ndjson`, `.json`, or a first line that is one | a row with `text` and `spans`, or of  |
|           |                                                           | an annotation tool                    |
| `table`   | a header with a column of tokens and one of tags          | a row per token: `Sentence #,Word,Tag` |
| `parquet` | `.parquet`, `.pq`                                         | a row with lists `tokens`, `ner_tags` |
| `slots`   | a folder                                                  | a line of each `seq.in` and `seq.out` |
| `columns` | any other file                                            | a line per token, with its tag        |

Each may be compressed by gzip or zstd, except parquet. The readers convert tags of spans from any scheme to IOB2. Plain
tags, such as parts of speech, stay as they are. Tokens that no text shows, such as a space, are left out.
"""

import itertools
import os
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from textapp.data import conll, parquet, slot_folders, span_lines, tables
from textapp.data.conll import TaggedSentence
from textapp.data.lines import plain_name, read_lines
from textapp.data.span_lines import Overlapping
from textapp.data.token_tables import is_token_header, names_tokens, read_token_table
from textapp.errors import InputError, list_some, quoted, quoted_name
from textapp.files import named_errors
from textapp.text.characters import counted
from textapp.text.tag_schemes import OUTSIDE, Span, convert, find_breaks, guess_scheme, is_tag, read_spans, write_tags
from textapp.text.tag_set import FILE_SCHEME
from textapp.text.tokenizer import Tokenizer

FORMATS = ("columns", "conllu", "jsonl", "parquet", "slots", "table")

PLAIN = "none"
"""The scheme of plain tags, which are no spans: parts of speech, for example."""

IO = "IO"
"""The scheme of tags that are types alone (PER, LOC) or `O`: neighbours of one type are one span."""

Changes = dict[tuple[str, str], list[str]]
"""What a reader changed: a noun and what was done with it -> the place of each."""

_LOOSE_TAG = re.compile(r"([BILUEMSO])(?:([-_])(.+))?", re.IGNORECASE | re.DOTALL)
_SNIFFED = 100  # lines in which the first token is looked for

CASED = Tokenizer(lowercase=False)
"""The default tokenizer of texts. It keeps capitals, because they help to find names."""

LONG_TOKEN = 30
"""A file whose tokens mostly have more characters, or spaces, holds texts."""

_FORMAT_OF_SUFFIX = {".conllu": "conllu", ".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "jsonl"}
_FORMAT_OF_SUFFIX |= dict.fromkeys(parquet.SUFFIXES, "parquet")


class ReadOptions(NamedTuple):
    """Columns and scheme of a file; see `read_tagged`."""

    token_column: int | str | None = None
    tag_column: int | str | None = None
    scheme: str | None = None


@dataclass(frozen=True)
class TaggedExamples:
    """Sentences and their tags; `str()` is a line that counts them.

    Args:
        sentences: The tokens of each sentence, at least one.
        tags: The tag of each token: in IOB2, or a plain tag.
        source: The path of the sentences, or another name of their source for messages.
        scheme: "IOB2", or `PLAIN`.
        locations: The file and first line of each sentence, such as `eng.train:17`. Empty if unknown.
        documents: The positions of the sentences that start a document. Empty if the file does not mark documents.
        empty: Number of rows of `source` that were left out because their text is empty.
        repairs: One line for each repaired tag: its location, and the rule that it broke.
        changes: What else the reader changed, see `Changes`.
        source_scheme: The scheme of the tags in the file, given or guessed; None if the file has no spans.

    Example:
        >>> print(TaggedExamples([["我", "在", "北", "京"]], [["O", "O", "B-LOC", "I-LOC"]], "a.txt"))
        a.txt: 1 sentence, 4 tokens, 1 span (LOC 1)
    """

    sentences: list[list[str]] = field(repr=False)
    tags: list[list[str]] = field(repr=False)
    source: str
    scheme: str = FILE_SCHEME
    locations: Sequence[str] = field(default=(), repr=False)
    documents: Sequence[int] = field(default=(), repr=False)
    empty: int = 0
    repairs: Sequence[str] = field(default=(), repr=False)
    source_scheme: str | None = field(default=None, repr=False)
    changes: Changes = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        """Checks that each token has a tag."""
        if list(map(len, self.sentences)) != list(map(len, self.tags)):
            raise ValueError("`sentences` and `tags` must be equally long, and so must the lists in them")

    def __len__(self) -> int:
        return len(self.sentences)

    def __str__(self) -> str:
        counts = Counter(itertools.chain.from_iterable(self.tags))
        if self.scheme == PLAIN:
            return self._described(f", {counted(len(counts), 'different tag')}")
        spans = {tag[2:] or "no type": count for tag, count in sorted(counts.items()) if tag.startswith("B")}
        shown = list_some([f"{quoted_name(type_)} {count:,}" for type_, count in spans.items()], " types")
        return self._described(f", {counted(sum(spans.values()), 'span')}" + (f" ({shown})" if shown else ""))

    @property
    def extent(self) -> str:
        """One line: how many there are, and what was changed in them, without their spans or tags."""
        return self._described("")

    def _described(self, tags: str) -> str:
        """One line about the sentences."""
        tokens = sum(map(len, self.sentences))
        line = f"{self.source}: {counted(len(self), 'sentence')}, {counted(tokens, 'token')}{tags}"
        if self.scheme != PLAIN and self.source_scheme:
            line += f", tags in {self.source_scheme}"
        if self.empty:
            line += f"; rows left out because their text is empty: {self.empty:,}"
        if self.repairs:
            line += f"; {counted(len(self.repairs), 'broken tag')} repaired, the first at {self.repairs[0]}"
        for (noun, done), places in self.changes.items():
            line += f"; {counted(len(places), noun)} {done}, the first at {places[0]}"
        return line

    def location(self, index: int) -> str:
        """Returns the file and first line of a sentence, for messages."""
        return self.locations[index] if self.locations else f"{self.source}: sentence {index + 1}"

    def select(self, indices: Iterable[int]) -> "TaggedExamples":
        """Returns the sentences at some positions, in that order, without what `str()` tells of the file alone."""
        indices = list(indices)
        return TaggedExamples(
            sentences=[self.sentences[index] for index in indices],
            tags=[self.tags[index] for index in indices],
            source=self.source,
            scheme=self.scheme,
            locations=[self.locations[index] for index in indices] if self.locations else (),
            source_scheme=self.source_scheme,
        )


def read_tagged(
    path: str | os.PathLike[str],
    token_column: int | str | None = None,
    tag_column: int | str | None = None,
    scheme: str | None = None,
    format: str | None = None,
    repair: bool = False,
    tokenizer: Tokenizer = CASED,
    defaults: ReadOptions | None = None,
    overlapping: Overlapping | None = None,
) -> TaggedExamples:
    """Reads all sentences of a file or folder into memory.

    Args:
        path: File or folder.
        token_column: Column of the tokens: in `columns` a number, from 0, or from the end such as -1 (default: 0); in
            `conllu` a name (default: "form"), in `table` a name or a number.
        tag_column: Column of the tags, likewise (default: -1, "upos").
        scheme: One of `textapp.text.tag_schemes.SCHEMES`, `IO`, or "none" for plain tags. Default: "none" if no tag is
            `O` or has a type, otherwise guessed.
        format: One of `FORMATS`. Default: by the path, else by the first line.
        repair: Whether to repair broken sequences by the rule of `conlleval`, and to list them in `repairs`; otherwise
            they are an error.
        tokenizer: Cuts the texts of `jsonl` into tokens.
        defaults: Columns and scheme to use if they are not given and the format has them. Files of one corpus are
            alike, so an evaluation uses those of the training.
        overlapping: Which of the overlapping spans of `jsonl` are kept, "longest" or "innermost"; by default they are
            an error.

    Raises:
        InputError: The file breaks a rule; the message names the file, the line and the rule.
    """
    source = os.fspath(path)
    defaults = defaults or ReadOptions()
    by_number = any(_is_number(column) for column in (token_column, tag_column, *defaults[:2]))
    format, lines = _open(source, format, by_number)
    if format in ("columns", "conllu", "table"):
        token_column = defaults.token_column if token_column is None else token_column
        tag_column = defaults.tag_column if tag_column is None else tag_column
    if format == "columns":
        lines = _without_table(lines, source)
    changes: Changes = {}

    def note(noun: str, done: str, location: str) -> None:
        changes.setdefault((noun, done), []).append(location)

    rows = list(_read(format, lines, source, token_column, tag_column, tokenizer, overlapping, note))
    sentences = [row for row in rows if row.tokens]
    if format == "columns" and _are_texts(sentences):
        raise _is_table(source)
    if not sentences:
        raise InputError(f"{source}: there is no sentence to read; the file has no token")
    if all(sentence.of_spans for sentence in sentences):
        if scheme is not None:
            raise InputError(
                f"{source}: texts with spans of characters have no scheme of tags. Received: scheme={quoted(scheme)}"
            )
    elif scheme is None:
        scheme = defaults.scheme
    _check_tokens(sentences, source)
    if scheme is None:
        sentences = _with_plain_letters(sentences, note)
        scheme = _guess_scheme(sentences)
    source_scheme = scheme if scheme != PLAIN and not all(one.of_spans for one in sentences) else None
    if scheme == IO:
        sentences = [_with_letters(sentence) for sentence in sentences]
        scheme = "IOB1"
    repairs: list[str] = []
    if scheme != PLAIN:
        sentences = [_to_iob2(sentence, scheme, repairs if repair else None) for sentence in sentences]
    sentences = [_without_empty(sentence, scheme != PLAIN, note) for sentence in sentences]
    return TaggedExamples(
        sentences=[sentence.tokens for sentence in sentences],
        tags=[sentence.tags for sentence in sentences],
        source=source,
        scheme=PLAIN if scheme == PLAIN else FILE_SCHEME,
        locations=[sentence.location() for sentence in sentences],
        documents=[index for index, sentence in enumerate(sentences) if sentence.opens_document],
        empty=len(rows) - len(sentences),
        repairs=repairs,
        source_scheme=source_scheme if source_scheme and _have_spans(sentences) else None,
        changes=changes,
    )


def _check_tokens(sentences: Sequence[TaggedSentence], path: str) -> None:
    """Raises `InputError` if all tokens are tags of spans: the columns are the other way round."""
    tokens = set(itertools.chain.from_iterable(sentence.tokens for sentence in sentences)) - {""}
    if len(tokens) > 1 and any(len(token) > 2 for token in tokens) and all(map(is_tag, tokens)):
        shown = list_some(list(map(quoted, sorted(tokens)[:3])))
        raise InputError(
            f"{path}: the tokens are tags, such as {shown}; choose the columns, as in token_column=1 tag_column=0 "
            "where the tag stands first (`textapp train tagger`: --set, other commands: --token-column, --tag-column)"
        )


def _with_plain_letters(
    sentences: list[TaggedSentence], note: Callable[[str, str, str], object]
) -> list[TaggedSentence]:
    """The sentences with tags such as `b-per` or `B_PER` as `B-PER`, if all tags can be read so."""
    tags = set(itertools.chain.from_iterable(sentence.tags for sentence in sentences))
    found = {tag: _LOOSE_TAG.fullmatch(tag) for tag in tags}
    matches = [match for match in found.values() if match is not None]
    typed = any(match[3] for match in matches)
    if len(matches) < len(tags) or not typed or all(map(is_tag, tags)):
        return sentences
    separators = {match[2] for match in matches if match[3]}
    if len(separators) > 1 or any(match[1] in "oO" and match[3] for match in matches):
        return sentences
    names = {
        tag: sys.intern("-".join(filter(None, (match[1].upper(), match[3])))) for tag, match in found.items() if match
    }
    example = ""
    for sentence in sentences:
        for position, tag in enumerate(sentence.tags):
            if names[tag] != tag:
                example = example or f"such as {quoted_name(tag)} read as {quoted_name(names[tag])}"
                note("tag", example, sentence.location(position))
    return [sentence._replace(tags=[names[tag] for tag in sentence.tags]) for sentence in sentences]


def _with_letters(sentence: TaggedSentence) -> TaggedSentence:
    """A sentence of types alone (`IO`) with tags of IOB1."""
    tags = [
        tag if tag == OUTSIDE or (tag.startswith("I-") and len(tag) > 2) else sys.intern(f"I-{tag}")
        for tag in sentence.tags
    ]
    return sentence._replace(tags=tags)


def _without_empty(sentence: TaggedSentence, of_spans: bool, note: Callable[[str, str, str], object]) -> TaggedSentence:
    """A sentence without the tokens that no text shows. Its tags are valid IOB2 (`of_spans`) or plain."""
    if all(sentence.tokens):
        return sentence
    kept = [position for position, token in enumerate(sentence.tokens) if token]
    for position in set(range(len(sentence.tokens))) - set(kept):
        note("token", "left out, as no text shows such", sentence.location(position))
    spans = read_spans(sentence.tags, FILE_SCHEME) if of_spans else []
    places = {position: place for place, position in enumerate(kept)}
    inside = [[places[at] for at in range(span.start, span.end) if at in places] for span in spans]
    moved = [Span(at[0], at[-1] + 1, span.type) for at, span in zip(inside, spans, strict=True) if at]
    tags = write_tags(moved, len(kept), FILE_SCHEME) if of_spans else [sentence.tags[at] for at in kept]
    return sentence._replace(
        tokens=[sentence.tokens[at] for at in kept],
        tags=list(map(sys.intern, tags)),
        lines=[sentence.lines[at] for at in kept],
    )


def _open(path: str, format: str | None, by_number: bool) -> tuple[str, Iterator[str]]:
    """Returns the format and the lines of a file. A folder has no lines.

    With `by_number` columns are chosen by their numbers, which those of CoNLL-U are not.
    """
    if format is not None and format not in FORMATS:
        raise InputError(f"`format` must be one of {', '.join(FORMATS)}. Received: format={quoted(format)}")
    with named_errors(path):
        is_folder = Path(path).is_dir()
    if format is not None and is_folder != (format == "slots"):
        raise InputError(
            f"{path}: only the format `slots` is a folder (seq.in, seq.out, label), others are files. Received: "
            f"{format}"
        )
    if is_folder:
        return "slots", iter(())
    format = format or _FORMAT_OF_SUFFIX.get(Path(plain_name(path)).suffix)
    if format == "parquet":
        return format, iter(())
    lines = read_lines(path)
    if format is not None:
        return format, lines
    head = list(itertools.islice(lines, _SNIFFED))
    lines = itertools.chain(head, lines)
    first = next((line for line in head if not conll.is_blank(line)), "")
    if is_token_header(first):
        return "table", lines
    if plain_name(path).endswith(".csv"):
        return "table", _without_table(lines, path)
    is_object = first.lstrip().startswith(("{", "[{", "[[", '["')) and first.rstrip().endswith(("}", "]", ","))
    if is_object or first.strip() == "[":
        return "jsonl", lines
    return "conllu" if not by_number and conll.is_conllu(head) else "columns", lines


def _read(
    format: str,
    lines: Iterator[str],
    path: str,
    token_column: int | str | None,
    tag_column: int | str | None,
    tokenizer: Tokenizer,
    overlapping: Overlapping | None,
    note: Callable[[str, str, str], object],
) -> Iterator[TaggedSentence]:
    """Yields the sentences of a file one by one, with the tags of the file."""
    if format in ("slots", "jsonl", "parquet") and (token_column, tag_column) != (None, None):
        raise InputError(
            f"{path}: only the formats `columns`, `conllu` and `table` have columns to choose. Received: {format}"
        )
    match format:
        case "slots":
            return slot_folders.read_slots(path)
        case "jsonl":
            return span_lines.read_span_lines(lines, path, tokenizer, overlapping, note)
        case "parquet":
            return span_lines.read_parquet_rows(path, tokenizer)
        case "table":
            return read_token_table(lines, path, token_column, tag_column)
        case "conllu":
            names = ("form" if token_column is None else token_column, "upos" if tag_column is None else tag_column)
            return conll.read_conllu(lines, path, *map(str, names))
        case _:
            numbers = (_number(path, "token_column", token_column, 0), _number(path, "tag_column", tag_column, -1))
            return conll.read_columns(lines, path, *numbers, note)


def _without_table(lines: Iterator[str], path: str) -> Iterator[str]:
    """Yields the lines of a file of columns. Raises `InputError` if the first one is the header of a table."""
    first = next(lines, "")
    if "\t" not in first and names_tokens(conll.split_at_spaces(first)):
        raise InputError(
            f"{path}:1: {quoted(first.strip())} is a header with spaces between its columns; delete this line, and "
            "choose the columns by number, or separate all columns by tabs or commas"
        )
    names = {name.strip().casefold() for name in re.split("[\t,]", first)}
    if names & set(tables.TEXT_COLUMNS) and names & set(tables.LABEL_COLUMNS):
        raise _is_table(path)
    return itertools.chain([first], lines)


def _are_texts(sentences: Sequence[TaggedSentence]) -> bool:
    """Whether most tokens can only be texts: they hold a space, or are long."""
    tokens = list(itertools.chain.from_iterable(sentence.tokens for sentence in sentences))
    return 2 * sum(" " in token or len(token) > LONG_TOKEN for token in tokens) > len(tokens)


def _is_table(path: str) -> InputError:
    """The error for a table of labelled texts in place of tagged sentences."""
    return InputError(
        f"{path}: a table of texts with labels; a tagger needs a token and its tag a line, and a blank line after each "
        "sentence. `textapp train classifier` learns labels of whole texts"
    )


def _is_number(column: int | str | None) -> bool:
    """Whether a column is given by its number. A command line gives it as a string."""
    return column is not None and re.fullmatch(r"-?[0-9]+", str(column)) is not None


def _number(path: str, name: str, column: int | str | None, default: int) -> int:
    """Returns the number of a column. A command line gives it as a string."""
    try:
        return default if column is None else int(column)
    except ValueError as error:
        raise InputError(
            f"{path}: {name} must be a number, from 0, or from the end such as -1. Received: {quoted(column)}"
        ) from error


def _guess_scheme(sentences: Sequence[TaggedSentence]) -> str:
    """Returns the scheme of the tags of a file: `PLAIN` if no tag is `O` or has a type."""
    tags = set(itertools.chain.from_iterable(sentence.tags for sentence in sentences))
    of_spans = sorted(tag for tag in tags if is_tag(tag))
    if len(of_spans) < len(tags):
        clear = [tag for tag in of_spans if tag == OUTSIDE or len(tag) > 1]
        if not clear:
            return PLAIN
        location, tag = _first(sentences, lambda tag: not is_tag(tag))
        types = f"the scheme {IO} if all tags are {OUTSIDE} or types alone (PER, LOC), " if clear == [OUTSIDE] else ""
        raise InputError(
            f"{location}: {quoted(tag)} is no tag of a span, but others are, such as {quoted(clear[0])}; correct it, "
            f"choose another tag_column, or give {types}the scheme {PLAIN!r} if these are plain tags"
        )
    try:
        return guess_scheme(sentence.tags for sentence in sentences)
    except InputError as error:
        letters = Counter(tag[0] for sentence in sentences for tag in sentence.tags if tag != OUTSIDE)
        # The rarest letter such that the other letters belong to one scheme.
        stray = min(letters, key=lambda letter: (not _of_one_scheme(letters.keys() - {letter}), letters[letter]))
        location, tag = _first(sentences, lambda tag: tag != OUTSIDE and tag[0] == stray)
        raise InputError(
            f"{location}: {error}; the first {stray} is the {quoted(tag)} of this line; correct it, or give the "
            "scheme, so that a message names the first tag that is not of it"
        ) from error


def _have_spans(sentences: Iterable[TaggedSentence]) -> bool:
    """Whether there is a span. Tags without spans are the same in all schemes."""
    return any(tag != OUTSIDE for sentence in sentences for tag in sentence.tags)


def _of_one_scheme(letters: Iterable[str]) -> bool:
    """Whether one scheme has all these letters."""
    try:
        guess_scheme([list(letters)])
    except InputError:
        return False
    return True


def _first(sentences: Iterable[TaggedSentence], chosen: Callable[[str], bool]) -> tuple[str, str]:
    """Returns the location of the first chosen tag, and the tag."""
    return next(
        (sentence.location(position), tag)
        for sentence in sentences
        for position, tag in enumerate(sentence.tags)
        if chosen(tag)
    )


def _to_iob2(sentence: TaggedSentence, scheme: str, repairs: list[str] | None) -> TaggedSentence:
    """Returns a sentence with its tags in IOB2. Broken tags are an error, or repaired and added to `repairs`."""
    for position, tag in enumerate(sentence.tags):
        if not is_tag(tag, scheme):
            raise InputError(
                f"{sentence.location(position)}: {quoted(tag)} is no tag of {scheme}; correct it, or give another "
                "scheme or column"
            )
    breaks = find_breaks(sentence.tags, scheme)
    notes = [f"{sentence.location(found.position)}: {found}" for found in breaks]
    if repairs is not None:
        repairs += notes
    elif notes:
        raise InputError(f"{notes[0]}; correct the tags, or have them repaired (--set repair=true, --repair)")
    if scheme == FILE_SCHEME and not breaks:
        return sentence
    return sentence._replace(tags=[sys.intern(tag) for tag in convert(sentence.tags, scheme, FILE_SCHEME, repair=True)])
