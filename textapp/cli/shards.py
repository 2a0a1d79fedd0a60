"""Predicts whole files, one or many, for `textapp predict --out`. A file is a unit: written whole, or not at all."""

import contextlib
import dataclasses
import glob
import hashlib
import json
import os
import threading
from collections import Counter
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from textapp.cli.line_predictor import Answer
from textapp.cli.opened import is_bundle, open_model
from textapp.cli.output import print_json, say
from textapp.cli.prediction_files import check_format, write_predictions
from textapp.cli.workers import Workers
from textapp.data.lines import plain_name
from textapp.data.records import record_format
from textapp.errors import InputError, list_some
from textapp.files import digest, named_errors, read_object
from textapp.output_files import check_output, write_output
from textapp.text.characters import counted

RECORD = "predict.json"
"""The file in a folder of predictions that says which model made them, with which options."""

_NOT_OF_MODEL = "README.md"  # a bundle's card, which everybody may edit


@dataclasses.dataclass(frozen=True)
class Shard:
    """A file of texts, and the file of its predictions."""

    file: str
    out: Path
    is_empty: bool = False


@dataclasses.dataclass(frozen=True)
class FileRequest:
    """How files are predicted. Processes get it as a pickle.

    Attributes:
        model: Run folder or bundle.
        options: The options of the predictor's `columns`.
        text_column: Name of the text column; None for the first known name.
        threads: Threads of the core in C that share the texts of a file.
        overwrite: Whether a file of predictions that is already there may be replaced.
    """

    model: Path
    options: dict[str, Any]
    text_column: str | None
    threads: int = 1
    overwrite: bool = False

    def open(self) -> "FilePredictor":
        """Opens the model."""
        return FilePredictor(self)


class FilePredictor:
    """A run or a bundle that predicts whole files. Threads may share it where the core in C runs the model.

    Raises:
        InputError: The model cannot be read, or does not take the options.
    """

    def __init__(self, request: FileRequest):
        self._request = request
        opened = open_model(request.model, request.threads)
        for name in request.options:
            opened.check_option(name)
        self._predictor = opened.predictor
        self._has_stopped = threading.Event()

    @property
    def has_core(self) -> bool:
        """Whether the core in C runs the model."""
        return self._predictor.core is not None

    def stop(self) -> None:
        """Ends the work of all threads at their next block of rows; what they have begun is deleted."""
        self._has_stopped.set()

    def answer(self, shard: Shard) -> Answer:
        """Predicts a file. The answer has the number of its rows, or the error."""
        request = self._request
        try:
            rows = write_predictions(
                self._predictor,
                request.options,
                shard.file,
                shard.out,
                request.text_column,
                request.overwrite,
                self._check,
            )
        except InputError as error:
            return Answer(error=str(error))
        return Answer(rows=rows)

    def _check(self) -> None:
        """Raises `InputError` if the work must end."""
        if self._has_stopped.is_set():
            raise InputError("stopped")


def is_pattern(file: Path) -> bool:
    """Whether `--file` names many files: a folder, or a pattern such as `part-*.parquet`."""
    return file.is_dir() or (glob.has_magic(os.fspath(file)) and not file.exists())


def predict_file(request: FileRequest, file: Path, out: Path, as_json: bool) -> None:
    """Predicts one file. Raises `InputError` if it breaks a rule; then nothing is written."""
    check_format(out)
    check_output(out, request.overwrite)
    with named_errors(file):
        file.stat()
    answer = request.open().answer(Shard(os.fspath(file), out))
    if answer.error is not None:
        raise InputError(answer.error)
    if as_json:
        print_json({"out": os.fspath(out), "texts": answer.rows})
    else:
        say(f"{out}: {counted(answer.rows, 'text')}")


def predict_shards(request: FileRequest, pattern: Path, out: Path, workers: int, as_json: bool) -> None:
    """Predicts each file of a folder or a pattern to a file of its name in the folder `out`.

    Files of predictions that are there already are skipped, so that the same command goes on after it was stopped. If a
    file breaks a rule, the others are predicted all the same.

    Raises:
        InputError: No file is found, `out` holds something else than predictions of this model with these options, or a
            file could not be predicted.
    """
    shards = find_shards(pattern, out)
    for shard in shards:
        check_format(shard.out)
    _claim(request, out)
    wanted = [shard for shard in shards if not shard.out.exists()]
    if skipped := len(shards) - len(wanted):
        say(f"skipped {counted(skipped, 'file')} whose predictions are in {out} already")
    failed: list[str] = []
    texts = 0
    with contextlib.closing(_answers(request, wanted, workers)) as answers:
        for shard, answer in zip(wanted, answers, strict=True):
            texts += answer.rows
            if answer.error is None:
                say(f"{shard.out}: {counted(answer.rows, 'text')}")
            else:
                failed.append(shard.file)
                place = "" if answer.error.startswith(shard.file) else f"{shard.file}: "
                say(f"failed: {place}{answer.error}")
    done = len(wanted) - len(failed)
    if as_json:
        print_json({"out": os.fspath(out), "files": done, "texts": texts, "skipped": skipped, "failed": failed})
    else:
        say(f"{out}: {counted(done, 'file')}, {counted(texts, 'text')}")
    if failed:
        raise InputError(
            f"{counted(len(failed), 'file')} of {len(wanted):,} could not be predicted: "
            f"{list_some([Path(file).name for file in failed])}; "
            "repair them, and the same command predicts them alone"
        )


def find_shards(pattern: Path, out: Path) -> list[Shard]:
    """The files of a folder or a pattern in the order of their names, each with its place in `out`.

    Hidden files and those that begin with `_`, as engines write them, are left out. A place has the name of its file;
    the predictions of plain texts are JSON lines.

    Raises:
        InputError: There is no file, or two have the same place.
    """
    with named_errors(pattern):
        if pattern.is_dir():
            found: Iterator[str] = map(str, pattern.iterdir())
        else:
            found = glob.iglob(os.fspath(pattern), recursive=True)  # noqa: PTH207 # an absolute pattern too
        files = sorted(name for name in found if Path(name).is_file() and Path(name).name[0] not in "._")
    if not files:
        raise InputError(f"--file {pattern}: names no file; put a pattern in quotation marks: 'part-*.parquet'")
    shards = [Shard(file, out / _output_name(Path(file).name)) for file in files]
    place, count = Counter(shard.out for shard in shards).most_common(1)[0]
    if count > 1:
        both = list_some([shard.file for shard in shards if shard.out == place])
        raise InputError(f"--file {pattern}: these files have the same place, {place}: {both}; rename one of them")
    return shards


def _output_name(name: str) -> str:
    """The name of the predictions of a file: the same for tables, JSON lines for plain texts and JSON lists.

    Those of a packed file are packed by gzip.
    """
    path = Path(name[: len(plain_name(name))])
    packed = ".gz" if path.name != name else ""
    if record_format(name) is None:
        return f"{path.name.removesuffix('.txt')}.jsonl{packed}"
    suffix = {".json": ".jsonl", ".tab": ".tsv"}.get(path.suffix.lower(), path.suffix)
    return f"{path.stem}{suffix}{packed}"


def _claim(request: FileRequest, out: Path) -> None:
    """Makes the folder of predictions, or checks that it holds those of the same model with the same options."""
    record = {
        "model_sha256": _model_digest(request.model),
        "options": request.options,
        "text_column": request.text_column,
    }
    place = out / RECORD
    if place.exists():
        kept = read_object(place)
        different = [name.replace("_sha256", "") for name in record if kept.get(name) != record[name]]
        if different:
            raise InputError(
                f"{place}: the predictions here were made with another model or other options; they differ in "
                f"{' and '.join(different).replace('_', ' ')}; choose another --out"
            )
        return
    with named_errors(out):
        if out.exists() and not out.is_dir():
            raise InputError(f"{out}: is a file, but --file names many; choose a folder for --out")
        if out.exists() and any(not found.name.startswith(f".{RECORD}.") for found in out.iterdir()):
            raise InputError(f"{out}: is not empty, and no {RECORD} says what made its files; choose another --out")
    write_output(place, json.dumps(record, indent=2, ensure_ascii=False) + "\n")


def _model_digest(model: Path) -> str:
    """SHA-256 of the files that a run or a bundle predicts with; not of its card, nor of logs below a run."""
    if not model.is_dir():
        open_model(model)  # raises
    with named_errors(model):
        names = sorted(path.name for path in model.iterdir() if path.is_file() and path.name[0] != ".")
    lines = (f"{name} {digest(model / name)}\n" for name in names if name != _NOT_OF_MODEL)
    return hashlib.sha256("".join(lines).encode("utf-8", "surrogateescape")).hexdigest()


def _answers(request: FileRequest, shards: Sequence[Shard], workers: int) -> Generator[Answer, None, None]:
    """Yields the answer of each file, in order: by threads where the core in C runs the model, else by processes."""
    workers = min(workers, len(shards))
    if not shards:
        return
    predictor = request.open() if workers == 1 or is_bundle(request.model) else None
    if predictor is not None and workers == 1:
        yield from map(predictor.answer, shards)
    elif predictor is not None and predictor.has_core:
        with ThreadPoolExecutor(workers) as pool:
            begun = [pool.submit(predictor.answer, shard) for shard in shards]
            try:
                for each in begun:
                    yield each.result()
            except BaseException:  # also Ctrl-C: no thread goes on
                predictor.stop()
                pool.shutdown(wait=False, cancel_futures=True)
                raise
    else:
        with Workers(workers, request) as processes:
            yield from processes.answers(iter(shards))
