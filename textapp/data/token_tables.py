"""Reader of tables with a header and a token a row, as the tables `Sentence #,Word,POS,Tag` of named entities.

    Sentence #,Word,POS,Tag
    Sentence: 1,Ada,NNP,B-PER
    ,reads,VBZ,O
    Sentence: 2,Rain,NN,O

A new value in the column of sentences opens a sentence; an empty one continues it. Without such a column, an empty row
ends a sentence. Commas, semicolons or tabs separate the columns. Quoted fields are read as in CSV; between tabs a
quotation mark alone is a token.
"""

import itertools
import os
from collections.abc import Iterator, Sequence

from textapp.data.conll import SentenceBuilder, TaggedSentence
from textapp.data.tables import csv_records, delimiter_of, tsv_records
from textapp.errors import InputError, excerpt, list_some, quoted

TOKEN_COLUMNS = ("word", "token", "form", "words", "tokens", "单词", "字")
"""Known names of a column of tokens, in order of preference. Case does not matter."""

TAG_COLUMNS = ("tag", "ner_tag", "ner", "entity", "bio", "iob", "tags", "ner_tags", "label", "labels", "标签")
"""Known names of a column of tags, in order of preference. Case does not matter."""

SENTENCE_COLUMNS = (
    *("sentence #", "sentence", "sentence_id", "sentence id", "sent_id", "sentence_idx", "sent_idx", "sentence_number"),
    *("sentenceid", "sent", "doc_id"),
)
"""Known names of a column that numbers sentences. Case does not matter."""


def is_token_header(line: str) -> bool:
    """Whether a line is the header of such a table: it names a column of tokens and another of tags.

    Example:
        >>> is_token_header("Sentence #,Word,POS,Tag"), is_token_header("text,label"), is_token_header("word tag")
        (True, False, False)
    """
    return names_tokens([name.strip().strip('"').strip() for name in line.split(delimiter_of(line))])


def names_tokens(names: Sequence[str]) -> bool:
    """Whether some names of columns are known for tokens, and others for tags."""
    folded = [name.casefold() for name in names]
    return len(folded) > 1 and not set(TOKEN_COLUMNS).isdisjoint(folded) and not set(TAG_COLUMNS).isdisjoint(folded)


def read_token_table(
    lines: Iterator[str],
    path: str | os.PathLike[str],
    token_column: int | str | None = None,
    tag_column: int | str | None = None,
) -> Iterator[TaggedSentence]:
    """Yields the sentences of a table.

    Args:
        lines: The lines of the file.
        path: The file, for messages.
        token_column: Name or number of the token column; by default the first known name.
        tag_column: Name or number of the tag column, likewise.

    Raises:
        InputError: A row has more or fewer columns than the header, a column is missing, or a tag is.
    """
    first = next(lines, "")
    read = tsv_records if delimiter_of(first) == "\t" else csv_records
    records = read(itertools.chain([first], lines), path)
    number, header = next(((number, fields) for number, fields in records if any(fields)), (1, []))
    names = [name.strip() for name in header]
    token_at = _column(names, "token", token_column, TOKEN_COLUMNS, f"{path}:{number}")
    tag_at = _column(names, "tag", tag_column, TAG_COLUMNS, f"{path}:{number}")
    if token_at == tag_at:
        raise InputError(f"{path}:{number}: tokens and tags must be two columns. Received: {quoted(names[tag_at])}")
    folded = [name.casefold() for name in names]
    sentence_at = next((folded.index(name) for name in SENTENCE_COLUMNS if name in folded), None)
    sentence, current = SentenceBuilder(path), ""
    for number, fields in records:
        if not any(field.strip() for field in fields):
            if sentence_at is None:
                yield from sentence.finish()
            continue
        if len(fields) != len(names):
            raise InputError(
                f"{path}:{number}: each row must have {len(names)} columns, as the header has. Received: {len(fields)}"
            )
        value = "" if sentence_at is None else fields[sentence_at].strip()
        if value and value != current:
            yield from sentence.finish()
            current = value
        _check_token(fields[token_at], fields[tag_at], f"{path}:{number}")
        sentence.add(number, fields[token_at], fields[tag_at])
    yield from sentence.finish()


def _check_token(token: str, tag: str, location: str) -> None:
    """Raises `InputError` if a row has several tokens, or a token that no file of columns can hold."""
    if token.strip().startswith("[") and tag.strip().startswith("[") and tag.strip().endswith("]"):
        raise InputError(
            f"{location}: the cells are lists of tokens and tags; write a token a row, or JSON lines with `tokens` and "
            f"`ner_tags`. Received: {quoted(excerpt(tag))}"
        )
    if "\t" in token or len(token.splitlines()) > 1:
        raise InputError(f"{location}: a token must be one line without tabs. Received: {quoted(token)}")


def _column(names: Sequence[str], role: str, wanted: int | str | None, known: Sequence[str], location: str) -> int:
    """The position of a column, by its name or its number."""
    found = f"columns found: {list_some(list(map(quoted, names)))}"
    folded = [name.casefold() for name in names]
    if wanted is None:
        for name in known:
            if name in folded:
                return folded.index(name)
        raise InputError(
            f"{location}: no column has a known name for the {role}s of a tagged sentence; give its name or number "
            f"(`textapp train tagger`: --set {role}_column=NAME, other commands: --{role}-column NAME); {found}"
        )
    if str(wanted).casefold() in folded:
        return folded.index(str(wanted).casefold())
    try:
        position = int(wanted)
    except ValueError:
        position = len(names)
    if not -len(names) <= position < len(names):
        raise InputError(f"{location}: no column {quoted(wanted)} for the {role}s; {found}")
    return position % len(names)
