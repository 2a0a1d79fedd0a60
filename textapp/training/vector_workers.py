"""A training of word vectors in shards on one machine: processes of one thread each, averaged after each round."""

import contextlib
import dataclasses
import io
import multiprocessing
import os
import re
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, Self

from textapp.errors import InputError
from textapp.files import delete_leftovers, named_errors
from textapp.output_files import check_output, delete_empty_folders, locked, real_path
from textapp.training import run_folder
from textapp.vectors.averaging import average_vectors, read_state
from textapp.vectors.config import VectorsConfig
from textapp.vectors.corpus import Part, WordSplitter
from textapp.vectors.counts import count_words, merge_counts, write_counts
from textapp.vectors.formats import format_of_name, holds_vectors, read_vectors, write_vectors
from textapp.vectors.token_cache import delete_cache

_SECONDS = 5  # for a process whose pipe is closed to end
_OWN = re.compile(r"counts(-\d+)?\.tsv|shard-\d+\.npz|round-\d+\.npz")  # names of intermediate files
_COUNTS = "counts.tsv"

Report = Callable[[str], None]
Task = tuple[Callable[..., Any], dict[str, Any]]
"""A function of a module, and its arguments by name."""


def train_vectors_on_workers(
    config: VectorsConfig,
    out: str | os.PathLike[str],
    *,
    corpus: Sequence[str | os.PathLike[str]],
    workers: int,
    rounds: int,
    counts: Sequence[str | os.PathLike[str]] = (),
    force: bool = False,
    report: Report = lambda line: print(line, file=sys.stderr, flush=True),
) -> dict[str, Any]:
    """Learns word vectors in several processes: counts, then rounds of `train_vectors` with a shard, and averages.

    The vectors depend on the corpus, the settings, `workers` and `rounds` alone. The same call resumes a training that
    was killed. The folder `OUT.training` gets `config.json`, `metrics.json`, and for each shard a folder with its
    TensorBoard logs; during the training also the counts, and the vectors of the shards and of the last round.

    Args:
        config: The settings; `threads` must be 1 or None.
        out: The vector file to make, as in `train_vectors`.
        corpus: Text files, folders or patterns of them.
        workers: Number of processes, and of shards.
        rounds: Number of rounds.
        counts: Files of word counts of the corpus; by default it is counted first.
        force: Whether existing vectors are replaced.
        report: Receives each line of progress.

    Returns:
        The content of `metrics.json`: as of `train_vectors`, and `workers` and `rounds`. `history` has a loss a round.
        `words` and `words_per_second` are None if the rounds were trained by processes before this one.

    Raises:
        InputError: A file or a setting is wrong, `out` exists, or a process died.
    """
    began, out = time.monotonic(), Path(out)
    if config.threads not in (None, 1):
        raise InputError(f"setting threads: must be 1 with --workers, which runs processes; received {config.threads}")
    for source in [*corpus, *counts]:
        if out.resolve() == Path(source).resolve() or Path(source).resolve() in out.resolve().parents:
            raise InputError(f"{out}: is read by this training ({os.fspath(source)}); choose another --out")
    format_of_name(out)
    folder = out.with_name(f"{out.name}.training")
    command = {
        "task": "vectors",
        "settings": config.to_dict(),
        "corpus": [os.fspath(path) for path in corpus],
        "init": None,
        "workers": workers,
        "rounds": rounds,
    }
    if counts:
        command["counts"] = [os.fspath(path) for path in counts]
    with _reserved(out, folder, command, force) as overwrite:
        return _train(_Job(config, out, folder, command, workers, rounds, report), overwrite, began)


@dataclasses.dataclass(frozen=True)
class _Job:
    """A call of `train_vectors_on_workers`."""

    config: VectorsConfig
    out: Path
    folder: Path
    command: dict[str, Any]
    workers: int
    rounds: int
    report: Report

    def shard(self, index: int) -> Path:
        """The vectors of a shard."""
        return self.folder / f"shard-{index + 1}.npz"

    def average(self, number: int) -> Path:
        """The vectors after a round; the first round starts without any."""
        return self.folder / f"round-{number}.npz"


@contextlib.contextmanager
def _reserved(out: Path, folder: Path, command: dict[str, Any], force: bool) -> Iterator[bool]:
    """Locks and checks the training's folder. Yields whether vectors that are already at `out` may be replaced."""
    run_folder.check_place(folder, command)
    with locked(folder):
        delete_leftovers(real_path(out))
        before = run_folder.read_command(folder) if (folder / run_folder.CONFIG).exists() else {}
        unfinished = bool(before) and not (folder / run_folder.METRICS).exists()
        overwrite = force or (unfinished and before.get("forced") is True)
        run_folder.clear_abandoned(folder)
        if before and not unfinished:
            _clear(folder, logs=False)
        # One that has a round may have been killed after it wrote the vectors.
        may_have_written = unfinished and any(folder.glob("round-*.npz"))
        check_output(out, holds_vectors if overwrite or may_have_written else False)
        run_folder.check_folder(folder, command, force)
        if force:
            _clear(folder, logs=True)
        run_folder.begin(folder, command, force, **({"forced": True} if overwrite else {}))
        yield overwrite


def _train(job: _Job, overwrite: bool, began: float) -> dict[str, Any]:
    """Trains in a folder that no other process uses."""
    from textapp.training import run

    finished = max((number for number in range(1, job.rounds + 1) if job.average(number).exists()), default=0)
    words = [0]
    if finished < job.rounds:
        with Processes(job.workers) as processes:
            counts = _count(job, processes)
            for number in range(finished + 1, job.rounds + 1):
                words = _train_round(job, processes, number, counts)
    result = read_vectors(job.average(job.rounds))
    may_replace = holds_vectors if overwrite else (lambda _: False)
    write_vectors(result, job.out, overwrite=may_replace)
    if result.subwords and format_of_name(job.out) != "npz":
        job.report(f"warning: {job.out} cannot hold n-grams, only .npz can: unseen words will have no vector")
    seconds = time.monotonic() - began
    metrics = {
        "task": "vectors",
        "vocabulary": len(result),
        "dim": result.dim,
        "words": sum(words) or None,
        "words_per_second": None if finished else round(job.config.epochs * sum(words) / seconds),
        "workers": job.workers,
        "rounds": job.rounds,
        "epochs": job.config.epochs,
    }
    history = [{"loss": loss} for loss in read_state(job.shard(0)).losses]
    metrics = run.finish(
        job.folder, metrics, history, began
    )  # before the rounds are deleted: one of them ends a killed run
    _clear(job.folder, logs=False)
    return metrics


def _train_round(job: _Job, processes: "Processes", number: int, counts: list[str]) -> list[int]:
    """Trains all shards for a round and averages them. Returns the words of each shard."""
    before = None if number == 1 else job.average(number - 1)
    common = {
        "config": job.config.to_dict(),
        "corpus": job.command["corpus"],
        "counts": counts,
        "init": None if before is None else os.fspath(before),
        "rounds": job.rounds,
    }
    tasks = [
        (_train_shard, {**common, "out": os.fspath(job.shard(index)), "part": (index, job.workers)})
        for index in range(job.workers)
    ]
    results = processes.run(tasks, job.report)
    averaged = average_vectors([job.shard(index) for index in range(job.workers)], before)
    write_vectors(averaged, job.average(number))
    job.report(f"round {number} of {job.rounds}: the average of {job.workers} shards")
    if before is not None:
        with named_errors(before):
            before.unlink(missing_ok=True)
    return [result.get("words", 0) for result in results]


def _count(job: _Job, processes: "Processes") -> list[str]:
    """Counts the corpus in all processes, unless counts were given or are there. Returns the files of counts."""
    if given := job.command.get("counts"):
        return list(given)
    merged = job.folder / _COUNTS
    if not merged.exists():
        parts = [job.folder / f"counts-{index + 1}.tsv" for index in range(job.workers)]
        tasks = [
            (
                _count_shard,
                {
                    "config": job.config.to_dict(),
                    "out": os.fspath(path),
                    "corpus": job.command["corpus"],
                    "part": (index, job.workers),
                },
            )
            for index, path in enumerate(parts)
            if not path.exists()
        ]
        processes.run(tasks, job.report)
        size = write_counts(merge_counts(parts, folder=job.folder), merged, overwrite=False)
        job.report(f"counted {size:,} different words")
        for path in parts:
            path.unlink(missing_ok=True)
    return [os.fspath(merged)]


def _clear(folder: Path, logs: bool) -> None:
    """Deletes the intermediate files of a training by their names; `logs`: also what the shards keep."""
    with named_errors(folder):
        if not folder.is_dir():
            return
        for path in sorted(folder.iterdir()):
            if _OWN.fullmatch(path.name) and path.is_file():
                path.unlink()
            elif _OWN.fullmatch(path.name.removesuffix(".training")) and path.is_dir():
                delete_cache(path / "cache")
                if logs:
                    for file in run_folder.files_of_run(path):
                        file.unlink()
                    delete_empty_folders(path)


def _count_shard(
    config: dict[str, Any], out: str, corpus: list[str], part: tuple[int, int], report: Report
) -> dict[str, Any]:
    """Counts a part of the corpus, in a process of its own."""
    settings = VectorsConfig.from_dict(config)
    splitter = WordSplitter(settings.tokenizer, settings.lowercase, settings.normalization)
    counts = count_words(corpus, splitter, part=Part(*part), folder=Path(out).parent, report=report)
    return {"words": write_counts(counts, out, overwrite=False)}


def _train_shard(
    config: dict[str, Any],
    out: str,
    corpus: list[str],
    counts: list[str],
    init: str | None,
    part: tuple[int, int],
    rounds: int,
    report: Report,
) -> dict[str, Any]:
    """Trains a round of a shard, in a process of its own."""
    from textapp.training.vectors import train_vectors

    settings = dataclasses.replace(VectorsConfig.from_dict(config), threads=1)
    return train_vectors(
        settings, out, corpus=corpus, counts=counts, init=init, shard=Part(*part), rounds=rounds, report=report
    )


class Processes:
    """Processes that run one task each at a time, and stay for the next: TensorFlow takes seconds to load.

    They are spawned, not forked, because a fork of a process with threads of TensorFlow may hang. They end with this
    process, even with a killed one, so that a command which resumes the work finds it free.

    Args:
        count: Number of processes.

    Example:
        with Processes(2) as processes:
            results = processes.run([(function, arguments), (function, others)], report)
    """

    def __init__(self, count: int):
        self._count = count
        self._processes: list[tuple[Connection, BaseProcess]] = []

    def __enter__(self) -> Self:
        context = multiprocessing.get_context("spawn")
        resource_tracker.ensure_running()  # the process that multiprocessing needs; its start unblocks signals
        # Ctrl-C reaches all processes of a terminal. The workers inherit the blocked signal; this process ends them.
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
        try:
            for index in range(self._count):
                here, there = context.Pipe()
                with there:
                    process = context.Process(target=_work, args=(there, index == 0), daemon=True)
                    process.start()
                self._processes.append((here, process))
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGINT])
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        for connection, process in self._processes:
            connection.close()
            if error is None:
                process.join(_SECONDS)
            process.kill()
            process.join()

    def run(self, tasks: Sequence[Task], report: Report) -> list[Any]:
        """Runs at most as many tasks as there are processes, and returns their results in order.

        Args:
            tasks: Functions and arguments; each function also gets `report`.
            report: Receives the lines of the first task; the progress of the others is much the same.

        Raises:
            InputError: A task ended with this error, or a process died. The other tasks are not waited for.
        """
        waiting = {}
        results: list[Any] = [None] * len(tasks)
        for index, ((function, arguments), (connection, _)) in enumerate(zip(tasks, self._processes, strict=False)):
            with self._death_named(index):
                connection.send((function, arguments))
            waiting[connection] = index
        while waiting:
            for connection in [connection for connection in wait(list(waiting)) if isinstance(connection, Connection)]:
                index = waiting[connection]
                with self._death_named(index):
                    kind, value = connection.recv()
                if kind == "line":
                    report(value)
                    continue
                if kind == "error":
                    raise InputError(f"shard {index + 1}: {value}")
                if kind == "defect":
                    raise RuntimeError(f"in the process of shard {index + 1}:\n{value}")
                results[index] = value
                del waiting[connection]
        return results

    @contextlib.contextmanager
    def _death_named(self, index: int) -> Iterator[None]:
        """Turns the errors of a broken pipe into an `InputError` that says how the process ended."""
        try:
            yield
        except (EOFError, OSError) as error:
            process = self._processes[index][1]
            process.join(_SECONDS)
            code = process.exitcode
            how = f"was killed by signal {-code}" if code is not None and code < 0 else f"ended with exit code {code}"
            raise InputError(
                f"--workers {self._count}: the process of shard {index + 1} {how}; if memory was short, use fewer "
                "workers; the same command resumes"
            ) from error


def _work(connection: Connection, speaks: bool) -> None:
    """The work of a process: runs tasks until the pipe is closed."""
    threading.Thread(target=_end_with_parent, daemon=True).start()

    def report(line: str) -> None:
        if speaks:
            connection.send(("line", line))

    sys.stderr = _Lines(report)  # the progress of `fit`; native code still writes to file descriptor 2
    with contextlib.suppress(EOFError, BrokenPipeError):
        while True:
            function, arguments = connection.recv()
            try:
                connection.send(("result", function(**arguments, report=report)))
            except InputError as error:
                connection.send(("error", str(error)))
            except Exception:
                connection.send(("defect", traceback.format_exc()))


class _Lines(io.TextIOBase):
    """A text stream that hands on whole lines."""

    def __init__(self, report: Report):
        self._report, self._begun = report, ""

    def write(self, text: str) -> int:
        """Hands on the lines that have ended."""
        *lines, self._begun = (self._begun + text).split("\n")
        for line in lines:
            self._report(line)
        return len(text)


def _end_with_parent() -> None:
    """Ends this process as soon as the one that started it has ended."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)
