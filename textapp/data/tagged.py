"""Tagged sentences read from files of many formats: named entities, slots, parts of speech.

| format    | recognized by                                             | a sentence                            |
|-----------|-----------------------------------------------------------|---------------------------------------|
| `conllu`  | `.conllu`                                                 | a line per word, ten columns          |
| `jsonl`   | `.jsonl`, `.ndjson`, `.json`, or a first line that is one | a line with `text` and `spans`        |
| `slots`   | a folder                                                  | a line of each `seq.in` and `seq.out` |
| `columns` | all else                                                  | a line per token, with its tag        |

Each may be gzip-compressed. Whatever scheme the tags of a file are in, they are handed on in IOB2; tags that stand for
themselves, such as parts of speech, are handed on as they are.
"""

import itertools
import os
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from textapp.data import conll, slot_folders, span_lines
from textapp.data.compressed import read_lines
from textapp.data.tagged_sentence import TaggedSentence
from textapp.errors import InputError
from textapp.files import named_errors
from textapp.text.tag_schemes import OUTSIDE, convert, find_breaks, guess_scheme, is_tag
from textapp.text.tokenizer import Tokenizer

FORMATS = ("columns", "conllu", "jsonl", "slots")

NO_SCHEME = "none"
"""As a scheme: the tags stand for themselves and not for spans."""

SCHEME = span_lines.SCHEME
"""The scheme in which tags of spans are handed on."""

CASED = Tokenizer(lowercase=False)
"""How texts are cut by default: capital letters tell names."""

_FORMAT_OF_SUFFIX = {".conllu": "conllu", ".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "jsonl"}
_SHOWN = 8


class Reading(NamedTuple):
    """How other files of the same corpus were read; see `read_tagged`."""

    token_column: int | str | None = None
    tag_column: int | str | None = None
    scheme: str | None = None


@dataclass(frozen=True)
class TaggedExamples:
    """Sentences and their tags; `str()` is a line that counts them.

    Args:
        sentences: The tokens of each sentence, at least one.
        tags: The tag of each token: in IOB2, or standing for itself.
        source: Where they come from: a path, or what else a message should name.
        scheme: "IOB2", or `NO_SCHEME`.
        places: Where each sentence begins: `eng.train:17`. Empty where unknown.
        documents: The positions of the sentences that open a document; empty where the file marks none.
        empty: How many rows of `source` were left out because their text is empty.
        repairs: What was mended, a line each, which names its place.
        written: The scheme of the file's tags, given or guessed; None where it holds no tags of spans.

    Example:
        >>> print(TaggedExamples([["我", "在", "北", "京"]], [["O", "O", "B-LOC", "I-LOC"]], "a.txt"))
        a.txt: 1 sentence, 4 tokens, 1 span (LOC 1)
    """

    sentences: list[list[str]] = field(repr=False)
    tags: list[list[str]] = field(repr=False)
    source: str
    scheme: str = SCHEME
    places: Sequence[str] = field(default=(), repr=False)
    documents: Sequence[int] = field(default=(), repr=False)
    empty: int = 0
    repairs: Sequence[str] = field(default=(), repr=False)
    written: str | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        """Checks that there is a tag for each token."""
        if list(map(len, self.sentences)) != list(map(len, self.tags)):
            raise ValueError("`sentences` and `tags` must be equally long, and so must the lists in them")

    def __len__(self) -> int:
        return len(self.sentences)

    def __str__(self) -> str:
        counts = Counter(itertools.chain.from_iterable(self.tags))
        tokens = counts.total()
        line = f"{self.source}: {_counted(len(self), 'sentence')}, {_counted(tokens, 'token')}, "
        if self.scheme == NO_SCHEME:
            line += _counted(len(counts), "different tag")
        else:
            spans = {tag[2:] or "no type": count for tag, count in sorted(counts.items()) if tag.startswith("B")}
            shown = say_some([f"{type_} {count:,}" for type_, count in spans.items()], " types")
            line += _counted(sum(spans.values()), "span") + (f" ({shown})" if shown else "")
            line += f", tags in {self.written}" if self.written else ""
        if self.empty:
            line += f"; rows left out because their text is empty: {self.empty:,}"
        if self.repairs:
            line += f"; tags mended at {_counted(len(self.repairs), 'place')}, first at {self.repairs[0]}"
        return line

    def place(self, index: int) -> str:
        """Returns where a sentence begins, for messages."""
        return self.places[index] if self.places else f"{self.source}: sentence {index + 1}"

    def select(self, indices: Iterable[int]) -> "TaggedExamples":
        """Returns the sentences at some positions, in that order; which of them open documents is not kept."""
        indices = list(indices)
        return TaggedExamples(
            sentences=[self.sentences[index] for index in indices],
            tags=[self.tags[index] for index in indices],
            source=self.source,
            scheme=self.scheme,
            places=[self.places[index] for index in indices] if self.places else (),
            written=self.written,
        )


def read_tagged(
    path: str | os.PathLike[str],
    token_column: int | str | None = None,
    tag_column: int | str | None = None,
    scheme: str | None = None,
    format: str | None = None,
    repair: bool = False,
    tokenizer: Tokenizer = CASED,
    like: Reading | None = None,
) -> TaggedExamples:
    """Reads all sentences of a file or folder into memory.

    Args:
        path: File or folder.
        token_column: Where the tokens stand: for `columns` a number from 0, or from the end as -1 (default: 0); for
            `conllu` a name (default: "form").
        tag_column: Where the tags stand, likewise (default: -1, "upos").
        scheme: One of `textapp.text.tag_schemes.SCHEMES`, or "none" for tags that stand for themselves. Default: "none"
            where no tag is `O` or has a type, and otherwise guessed.
        format: One of `FORMATS`. Default: by the path, else by the first line.
        repair: Whether to mend broken sequences by the rule of `conlleval`, and to report it in `repairs`.
        tokenizer: Cuts the texts of `jsonl`.
        like: Columns and scheme where none are given, as far as the file's format has them.

    Raises:
        InputError: The file breaks a rule; the message names the file, the line and the rule.
    """
    source = os.fspath(path)
    format, lines = _open(source, format)
    like = like or Reading()
    if format in ("columns", "conllu"):
        token_column = like.token_column if token_column is None else token_column
        tag_column = like.tag_column if tag_column is None else tag_column
    if format != "jsonl" and scheme is None:
        scheme = like.scheme
    if format == "jsonl" and scheme is not None:
        raise InputError(f"{source}: JSON lines hold spans, not tags of a scheme. Received: scheme={scheme!r}")
    rows = list(_read(format, lines, source, token_column, tag_column, tokenizer))
    sentences = [row for row in rows if row.tokens]
    if not sentences:
        raise InputError(f"{source}: there is no sentence to read; the file holds no token")
    if scheme is None:
        scheme = _guess_scheme(sentences)
    repairs: list[str] = []
    if scheme != NO_SCHEME:
        sentences = [_to_iob2(sentence, scheme, repairs if repair else None) for sentence in sentences]
    return TaggedExamples(
        sentences=[sentence.tokens for sentence in sentences],
        tags=[sentence.tags for sentence in sentences],
        source=source,
        scheme=NO_SCHEME if scheme == NO_SCHEME else SCHEME,
        places=[sentence.place() for sentence in sentences],
        documents=[index for index, sentence in enumerate(sentences) if sentence.opens_document],
        empty=len(rows) - len(sentences),
        repairs=repairs,
        written=scheme if scheme != NO_SCHEME and format != "jsonl" and _have_spans(sentences) else None,
    )


def _open(path: str, format: str | None) -> tuple[str, Iterator[str]]:
    """Returns a file's format and its lines, of which a folder has none."""
    if format is not None and format not in FORMATS:
        raise InputError(f"`format` must be one of {', '.join(FORMATS)}. Received: format={format!r}")
    with named_errors(path):
        is_folder = Path(path).is_dir()
    if format is not None and is_folder != (format == "slots"):
        raise InputError(f"{path}: `slots`, and no other format, is a folder (seq.in, seq.out, label); not {format}")
    if is_folder:
        return "slots", iter(())
    lines = read_lines(path)
    format = format or _FORMAT_OF_SUFFIX.get(Path(path.lower().removesuffix(".gz")).suffix)
    if format is not None:
        return format, lines
    first = next(lines, "")
    is_object = first.lstrip().startswith("{") and first.rstrip().endswith("}")
    return "jsonl" if is_object else "columns", itertools.chain([first], lines)


def _read(
    format: str,
    lines: Iterator[str],
    path: str,
    token_column: int | str | None,
    tag_column: int | str | None,
    tokenizer: Tokenizer,
) -> Iterator[TaggedSentence]:
    """Returns the sentences of a file as they stand in it, one by one."""
    if format in ("slots", "jsonl") and (token_column, tag_column) != (None, None):
        raise InputError(f"{path}: only `columns` and `conllu` have columns to choose; the format is {format}")
    match format:
        case "slots":
            return slot_folders.read_slots(path)
        case "jsonl":
            return span_lines.read_span_lines(lines, path, tokenizer)
        case "conllu":
            names = ("form" if token_column is None else token_column, "upos" if tag_column is None else tag_column)
            return conll.read_conllu(lines, path, *map(str, names))
        case _:
            numbers = (_number(path, "token_column", token_column, 0), _number(path, "tag_column", tag_column, -1))
            return conll.read_columns(lines, path, *numbers)


def _number(path: str, name: str, column: int | str | None, default: int) -> int:
    """Returns the number of a column, which a command line gives as a string."""
    try:
        return default if column is None else int(column)
    except ValueError as error:
        raise InputError(
            f"{path}: {name} must be a number, from 0 or from the end as -1. Received: {column!r}"
        ) from error


def _guess_scheme(sentences: Sequence[TaggedSentence]) -> str:
    """Returns the scheme of a file's tags, `NO_SCHEME` where no tag is `O` or has a type."""
    tags = set(itertools.chain.from_iterable(sentence.tags for sentence in sentences))
    of_spans = sorted(tag for tag in tags if is_tag(tag))
    if len(of_spans) < len(tags):
        clear = [tag for tag in of_spans if tag == OUTSIDE or len(tag) > 1]
        if not clear:
            return NO_SCHEME
        place, tag = _first(sentences, lambda tag: not is_tag(tag))
        raise InputError(
            f"{place}: {tag!r} is no tag of a span, but others are, such as {clear[0]!r}; mend it, choose another "
            f"tag_column, or give the scheme {NO_SCHEME!r} if the tags stand for themselves"
        )
    try:
        return guess_scheme(sentence.tags for sentence in sentences)
    except InputError as error:
        letters = Counter(tag[0] for sentence in sentences for tag in sentence.tags if tag != OUTSIDE)
        # Of the letters without which the others are those of a scheme, the rarest.
        stray = min(letters, key=lambda letter: (not _of_one_scheme(letters.keys() - {letter}), letters[letter]))
        place, tag = _first(sentences, lambda tag: tag != OUTSIDE and tag[0] == stray)
        raise InputError(
            f"{place}: {error}; the first {stray} is this line's {tag!r}; mend it, or give the scheme, which tells "
            "what does not belong"
        ) from error


def _have_spans(sentences: Iterable[TaggedSentence]) -> bool:
    """Whether some tag tells of a span, and so of a scheme."""
    return any(tag != OUTSIDE for sentence in sentences for tag in sentence.tags)


def _of_one_scheme(letters: Iterable[str]) -> bool:
    """Whether some scheme has all these letters."""
    try:
        guess_scheme([list(letters)])
    except InputError:
        return False
    return True


def _first(sentences: Iterable[TaggedSentence], chosen: Callable[[str], bool]) -> tuple[str, str]:
    """Returns the place of the first such tag, and the tag."""
    return next(
        (sentence.place(position), tag)
        for sentence in sentences
        for position, tag in enumerate(sentence.tags)
        if chosen(tag)
    )


def _to_iob2(sentence: TaggedSentence, scheme: str, repairs: list[str] | None) -> TaggedSentence:
    """Returns a sentence with its tags in IOB2; what is broken is mended and noted where there are `repairs`."""
    for position, tag in enumerate(sentence.tags):
        if not is_tag(tag, scheme):
            raise InputError(
                f"{sentence.place(position)}: {tag!r} is no tag of {scheme}; mend it, or give another scheme or column"
            )
    breaks = find_breaks(sentence.tags, scheme)
    notes = [f"{sentence.place(found.position)}: {found}" for found in breaks]
    if repairs is not None:
        repairs += notes
    elif notes:
        raise InputError(f"{notes[0]}; mend the tags, or have them mended (--set repair=true, --repair)")
    if scheme == SCHEME and not breaks:
        return sentence
    return sentence._replace(tags=[sys.intern(tag) for tag in convert(sentence.tags, scheme, SCHEME, repair=True)])


def say_some(names: Sequence[str], noun: str = "") -> str:
    """The first few of some names, and how many there are more."""
    more = [f"{len(names) - _SHOWN:,} more{noun}"] if len(names) > _SHOWN else []
    return ", ".join([*names[:_SHOWN], *more])


def _counted(count: int, noun: str) -> str:
    """Returns `1 sentence` or `2 sentences`."""
    return f"{count:,} {noun}" + ("" if count == 1 else "s")
