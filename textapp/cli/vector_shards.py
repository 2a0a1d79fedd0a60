"""`textapp vectors count`, `merge` and `average`: word vectors from many shards of a corpus."""

from pathlib import Path
from shlex import quote
from typing import Annotated, Any, Literal

import typer

from textapp.cli.native_log import native_log_hidden
from textapp.cli.output import print_json, say
from textapp.errors import InputError
from textapp.output_files import check_output
from textapp.text.characters import counted
from textapp.vectors.config import VectorsConfig
from textapp.vectors.corpus import Part

CountsOut = Annotated[Path, typer.Option(help="File of counts to make, WORD<TAB>COUNT; gzip if it ends in .gz.")]
Force = Annotated[bool, typer.Option(help="Replace an existing file.")]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON on stdout.")]


def count(
    corpus: Annotated[
        list[Path],
        typer.Argument(metavar="CORPUS...", help="Text files, plain or gzip, folders of them, or patterns ('part-*')."),
    ],
    out: CountsOut,
    shard: Annotated[
        str | None, typer.Option(metavar="K/N", help="Count the K-th of N parts of the corpus only.")
    ] = None,
    tokenizer: Annotated[
        Literal["word", "char", "whitespace", "jieba"] | None, typer.Option(help="What a word is, as in the training.")
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="tokenizer, lowercase or normalization; repeatable."),
    ] = None,
    force: Force = False,
    as_json: Json = False,
) -> None:
    """Count the words of a corpus or of a shard of it, exactly, in bounded memory."""
    from textapp.vectors.corpus import WordSplitter
    from textapp.vectors.counts import count_words, holds_counts, write_counts

    part = None if shard is None else parse_part(shard)
    given = [*(settings or []), *([] if tokenizer is None else [f"tokenizer={tokenizer}"])]
    for setting in given:
        if (name := setting.partition("=")[0].strip()) not in ("tokenizer", "lowercase", "normalization"):
            raise InputError(f"--set {name}: counting has the settings tokenizer, lowercase and normalization only")
    config = VectorsConfig().override(given)
    splitter = WordSplitter(config.tokenizer, config.lowercase, config.normalization)
    may_replace = force and holds_counts
    check_unread(out, corpus)
    check_output(out, may_replace)
    counts = count_words(corpus, splitter, part=part, folder=_folder(out), report=say)
    _write(write_counts(counts, out, may_replace), out, as_json)


def merge(
    files: Annotated[
        list[Path],
        typer.Argument(metavar="COUNTS...", help="Files of counts, plain or gzip, folders of them, or patterns."),
    ],
    out: CountsOut,
    force: Force = False,
    as_json: Json = False,
) -> None:
    """Add up the counts of many shards, of textapp or of any engine, in bounded memory."""
    from textapp.vectors.counts import holds_counts, merge_counts, write_counts

    may_replace = force and holds_counts
    check_unread(out, files)
    check_output(out, may_replace)
    _write(write_counts(merge_counts(files, folder=_folder(out)), out, may_replace), out, as_json)


def average(
    files: Annotated[
        list[Path], typer.Argument(metavar="SHARD...", help="Vectors of all shards of a round, of `train --shard`.")
    ],
    out: Annotated[Path, typer.Option(help="Vector file to make. An average of an earlier round there is replaced.")],
    init: Annotated[
        Path | None, typer.Option(help="What the shards started from; leave it out after the first round.")
    ] = None,
    force: Force = False,
    as_json: Json = False,
) -> None:
    """Average the shards of a round; the result is what their next round starts from, or the trained vectors."""
    from textapp.vectors.averaging import average_vectors, is_average, read_state
    from textapp.vectors.formats import format_of_name, holds_vectors, write_vectors

    is_last = (state := read_state(files[0])).number == state.rounds
    if not is_last and (format_of_name(out) != "npz" or out.suffix != ".npz"):
        raise InputError(f"--out {out}: must be an .npz, which keeps all that the next round needs")
    check_unread(out, files)
    may_replace = holds_vectors if force else is_average
    check_output(out, may_replace)
    with native_log_hidden():
        vectors = average_vectors(files, init)
    write_vectors(vectors, out, overwrite=may_replace)
    say(f"round {state.number} of {state.rounds}: {out} ({counted(len(vectors), 'word')}, {len(files)} shards)")
    say(
        f"next:    textapp vectors neighbors {quote(str(out))} WORD"
        if is_last
        else f"next:    each shard again, with --init {quote(str(out))}"
    )
    if as_json:
        print_json({"vectors": str(out), "round": state.number, "rounds": state.rounds, "vocabulary": len(vectors)})


def parse_part(text: str) -> Part:
    """Parses K/N, such as `2/4`. Raises `InputError` unless K is from 1 to N."""
    index, slash, number = text.partition("/")
    if not (slash and index.isdecimal() and number.isdecimal() and 1 <= int(index) <= int(number)):
        raise InputError(f"--shard {text}: must read K/N, with K from 1 to N, such as 2/4")
    return Part(int(index) - 1, int(number))


def check_unread(out: Path, read: list[Path]) -> None:
    """Raises `InputError` if an output would replace a file that is read, or be inside a folder that is read."""
    for path in read:
        if out.resolve() == path.resolve() or (path.is_dir() and path.resolve() in out.resolve().parents):
            raise InputError(f"{out}: is read by this command ({path}); choose another --out")


def _folder(out: Path) -> Path | None:
    """Where temporary files go: beside the output, where there is room for it."""
    return out.parent if out.parent.is_dir() else None


def _write(size: int, out: Path, as_json: bool) -> None:
    """Prints what was written."""
    result: dict[str, Any] = {"counts": str(out), "words": size}
    say(f"counts: {out} ({counted(size, 'word')})")
    say(f"next:   textapp vectors train CORPUS --counts {quote(str(out))} --out vectors.npz")
    if as_json:
        print_json(result)
