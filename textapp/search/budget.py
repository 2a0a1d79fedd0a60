"""Finds the best student within a budget of bytes: distilled, factorized, quantization-aware, exported.

It trains a small grid of students (`textapp.search.candidates`) on the same soft targets and chooses the one with the
best validation score. No student learns from a text of the test split, and no choice depends on its scores.

Several processes may do so together, each by the same call: each takes the next student that no other one has.
"""

import dataclasses
import functools
import os
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from textapp.compress.config import QuantizeConfig
from textapp.compress.distill import StudentData, distill
from textapp.compress.quantize import quantize
from textapp.compress.teachers import sources
from textapp.data.batches import bucket_widths
from textapp.data.readers import file_of
from textapp.errors import InputError
from textapp.export.bundle import MODEL
from textapp.export.checks import ExportError
from textapp.export.conversion import Recipe, convert
from textapp.export.lowering import Lowering, lower
from textapp.export.run import export
from textapp.files import check_writable, digest, write_json
from textapp.output_files import Occupied, link_target, locked
from textapp.runtime.ngram_model import NGRAM_TABLE
from textapp.search.candidates import Candidate, Shape, candidates, in_unit
from textapp.search.folder import PROCESSES, end_search, joined, others_at, read_search, replace_search, resumed
from textapp.search.processes import WAITING, Processes
from textapp.search.student_files import BUNDLES, QUANTIZED, STUDENTS, clear_abandoned, delete, foreign_files
from textapp.settings import MOST
from textapp.task import Files, Report, Task
from textapp.text.characters import counted
from textapp.text.terminal import duration
from textapp.text.token_encoder import TokenEncoder
from textapp.text.vocabulary import Vocabulary
from textapp.training import run, run_folder
from textapp.training.ngram_model import table_bytes
from textapp.training.train import model_of
from textapp.training.vocabularies import word_form

SEARCH = "search.json"
RECIPES: dict[int, Recipe] = {8: "dynamic_wi8_afp32", 4: "dynamic_wi8_afp32_emb4"}
"""The recipe that stores embedding rows in this many bits."""

SHARED_SIZES = ("embedding_dim", "units", "embedding_rank", "vocabulary_size")
"""The settings that the grid sets for students of every task."""


@dataclasses.dataclass(frozen=True)
class Students:
    """The students of a search: the grid sets some of their settings, all others are fixed.

    Attributes:
        task: The task.
        config: The settings, of the task's `student_config`.
        teachers: Their teachers.
    """

    task: Task[Any, Any, Any]
    config: Any
    teachers: Sequence[Any]

    @property
    def decided(self) -> tuple[str, ...]:
        """The settings that the grid sets."""
        return (*SHARED_SIZES, *self.task.head_sizes)

    def settings(self, candidate: Candidate) -> Any:
        """The settings of one student."""
        sizes: dict[str, Any] = dict.fromkeys(("embedding_dim", "units", *self.task.head_sizes), candidate.width)
        sizes |= {"embedding_rank": candidate.rank, "vocabulary_size": candidate.vocabulary_size}
        return self.config.replaced(**sizes)

    def read(self, files: Files, unlabelled: Sequence[Any]) -> StudentData:
        """Reads the files as the training does, with a vocabulary of all words."""
        config = self.config.replaced(vocabulary_size=MOST)
        return StudentData.read(self.task, config, files, unlabelled, self.teachers, lambda _: None)

    def file_bytes(
        self, shape: Shape, words: int, targets: Any, num_characters: int, lowering: Lowering, lengths: Sequence[int]
    ) -> int:
        """Bytes of the model file of a student with this many words, measured on an untrained student."""
        config = self.settings(Candidate(shape.width, shape.rank, shape.embedding_bits, words))
        characters = _placeholder_vocabulary(num_characters) if config.words.characters else None
        form = word_form(self.task, config)
        encoder = TokenEncoder(
            form, _placeholder_vocabulary(2), characters, config.words.max_characters, config.words.shapes
        )
        model = self.task.device_model(model_of(self.task, config, encoder, targets, vocabulary_size=words))
        beside = table_bytes(config, len(targets.names), self.task.exclusive)
        return _bytes(model, shape, lowering, lengths, config.words.max_characters) + beside


def search_within_budget(
    students: Students,
    out: str | os.PathLike[str],
    *,
    budget: int,
    train: str | os.PathLike[str],
    valid: str | os.PathLike[str] | None = None,
    test: str | os.PathLike[str] | None = None,
    unlabelled: Sequence[str | os.PathLike[str]] = (),
    lowering: Lowering = "fused",
    lengths: Sequence[int] | None = None,
    quantize_epochs: int = 2,
    force: bool = False,
    unit: str = "bytes",
    report: Report = lambda line: print(line, file=sys.stderr, flush=True),
) -> dict[str, Any]:
    """Trains and exports the students of the grid. The same call resumes a search that was killed.

    Where other processes search in the same folder, it joins them, and all return the same result.

    Args:
        students: Their task, settings and teachers.
        out: Folder to make. It gets `search.json`, `students/`, the quantized students in `quantized/`, and `bundles/`.
        budget: Largest size in bytes of a bundle's `model.tflite` and `ngrams.bin`; vocabulary and labels do not count.
        train: As for `distill`.
        valid: Likewise. The score on it chooses the student.
        test: Likewise. The scores on it stand in the `metrics.json` of each student and choose nothing.
        unlabelled: Likewise.
        lowering: How the bundles' recurrent layers run.
        lengths: Text lengths of their signatures; by default those of `export`.
        quantize_epochs: Epochs of quantization-aware training of each student, with the bits of its file.
        force: Whether an existing search is deleted first. A search that other processes of the same command are at is
            joined.
        unit: The unit of the budget in messages, one of `textapp.search.candidates.UNITS`.
        report: Receives each line of progress.

    Returns:
        The content of `search.json`: the `command`; the number of `words` in the texts; for each of the `candidates`
        its sizes, `parameters`, `bytes`, the share of validation words that it does not know (`oov_rate`), its
        validation score (`valid`) and its score before quantization (`valid_float`); the students `left_out` because
        their file failed a check, with the reason; `teachers_valid`; and the name of the `chosen` student.

    Raises:
        InputError: A file or a setting is wrong, nothing fits the budget, or `out` holds something else.
    """
    folder, config, found = Path(out), students.config, students.task
    longest = config.data.max_tokens
    lengths = list(lengths) if lengths else bucket_widths(longest)
    if max(lengths) > longest:
        raise InputError(f"lengths {lengths}: the students read {longest} tokens; --set max_tokens={max(lengths)}")
    files = {"train": train, "valid": valid, "test": test}
    command: dict[str, Any] = {
        "task": found.name,
        "settings": {key: value for key, value in config.to_dict().items() if key not in students.decided},
        "budget": budget,
        **sources(folder, students.teachers, files, unlabelled),
        "lowering": lowering,
        "lengths": lengths,
        "quantize_epochs": quantize_epochs,
    }
    paths = [path for path in (*files.values(), *unlabelled) if path is not None]
    command["sha256"] = {os.fspath(path): digest(file_of(path)) for path in paths}
    check_writable(link_target(folder))
    with Processes(folder) as processes:
        with processes.turn():
            before = _read_unfinished(folder, command, force, processes)
        read = students.read(Files(train, valid, test), unlabelled)
        words = len(read.data.encoder.vocabulary)
        characters = 0 if read.data.encoder.characters is None else len(read.data.encoder.characters)
        grid = candidates(
            budget,
            words,
            lambda shape, rows: students.file_bytes(shape, rows, read.data.targets, characters, lowering, lengths),
            unit,
        )
        with processes.turn():
            before = _read_unfinished(folder, command, force, processes)  # again: the texts took time to read
            others = others_at(before, processes)
            start = {"command": command, "words": words, PROCESSES: [*others, processes.name]}
            # Files, budget and settings are valid: only now delete an old search.
            if not others:
                clear_abandoned(folder)
            if before is None:
                replace_search(folder, SEARCH, start, lambda: delete(folder))
            else:
                write_json(folder / SEARCH, start)
        if others:
            report(joined(others))
        report(f"within {in_unit(budget, unit)} {counted(len(grid), 'student')}: {'; '.join(map(_in_words, grid))}")
        score = found.main_score(read.data.targets)
        first = folder / STUDENTS / grid[0].name

        def make(candidate: Candidate) -> None:
            student, quantized, bundle = (folder / kind / candidate.name for kind in (STUDENTS, QUANTIZED, BUNDLES))
            if not (student / run_folder.METRICS).exists():
                distill(
                    found.name,
                    students.settings(candidate),
                    student,
                    teachers=students.teachers,
                    train=train,
                    valid=valid,
                    test=test,
                    unlabelled=unlabelled,
                    soft_targets_from=None if student == first else first / run_folder.SOFT_TARGETS,
                    report=once,
                )
            if not (quantized / run_folder.METRICS).exists():
                rounding = QuantizeConfig().replaced(
                    embedding_bits=candidate.embedding_bits, lowering=lowering, epochs=quantize_epochs
                )
                quantize(rounding, student, quantized, report=once)
            if not (bundle / "bundle.json").exists():
                _, metrics = run_folder.read_finished(quantized)
                recipe = run.entry(quantized / run_folder.METRICS, metrics, "quantization", "recipe")
                export(quantized, bundle, recipe=recipe, lowering=lowering, lengths=lengths)

        once = _once(report)
        rows, left_out = _make_all(folder, grid, make, functools.partial(_row, score, folder), report)
        _, metrics = run_folder.read_finished(first)
        teaching = run.entry(first / run_folder.METRICS, metrics, "distillation")
        within = [row for row in rows if row["bytes"] <= budget]
        if not within:
            raise InputError(
                f"{folder}: no student can be exported within {in_unit(budget, unit)}; see the lines above"
            )
        result = {
            "command": command,
            "words": words,
            "candidates": rows,
            "left_out": left_out,
            "teachers_valid": teaching.get(f"valid_{score}"),
            "chosen": max(within, key=lambda row: (row["valid"], -row["bytes"]))["name"],
        }
        with processes.turn():  # another process that starts now deletes temporary files
            end_search(folder, SEARCH, result, processes)
        return result


def _make_all(
    folder: Path,
    grid: Sequence[Candidate],
    make: Callable[[Candidate], None],
    row_of: Callable[[Candidate], dict[str, Any]],
    report: Report,
) -> tuple[list[dict[str, Any]], dict[str, str]]:
    """Makes all students, together with other processes that call this.

    Args:
        folder: The folder of the search.
        grid: The students.
        make: Trains, quantizes and exports a student, as far as that is not done.
        row_of: The entry of a finished student in `search.json`.
        report: Receives each line of progress.

    Returns:
        The entries of all students, and the reason of each one that was left out.
    """
    rows: dict[str, dict[str, Any]] = {}
    left_out: dict[str, str] = {}
    seconds: list[float] = []
    waits = False
    while todo := [candidate for candidate in grid if candidate.name not in {*rows, *left_out}]:
        made = False
        for candidate in todo:
            if not _may_begin(folder, grid[0], candidate):
                break
            number, began = grid.index(candidate) + 1, time.monotonic()
            try:
                # A process holds this lock while it makes the student; if it is killed, another one goes on.
                with locked(folder.with_name(f"{folder.name}.student-{candidate.name}")):
                    is_new = not (folder / BUNDLES / candidate.name / "bundle.json").exists()
                    if is_new:
                        report(f"\nstudent {number} of {len(grid)}, {candidate.name}: {_in_words(candidate)}")
                    make(candidate)
            except Occupied:
                continue
            except ExportError as error:  # a student whose file fails a check does not end the search
                left_out[candidate.name] = str(error)
                report(f"{candidate.name}: left out: {error}")
            else:
                rows[candidate.name] = row = row_of(candidate)
                seconds += [time.monotonic() - began] if is_new else []
                rest = (len(grid) - len(rows) - len(left_out)) * (statistics.fmean(seconds) if seconds else 0)
                left = f"; about {duration(rest)} left" if rest else ""
                report(f"{candidate.name}: valid {row['valid']:.4f}, {row['bytes']:,} bytes{left}")
            made = True
        if not made:
            if not waits:
                report("waiting for students of other processes")
            waits = True
            time.sleep(WAITING)
    return [rows[candidate.name] for candidate in grid if candidate.name in rows], left_out


def _may_begin(folder: Path, first: Candidate, candidate: Candidate) -> bool:
    """Whether a student can be made: all others learn from the soft targets that the first one writes."""
    of_first = folder / STUDENTS / first.name
    return candidate == first or any(
        (of_first / name).exists() for name in (run_folder.SOFT_TARGETS, run_folder.METRICS)
    )


def _once(report: Report) -> Report:
    """Passes on each line once: students that learn the same texts give the same warnings."""
    passed: set[str] = set()

    def new(line: str) -> None:
        if line not in passed:
            passed.add(line)
            report(line)

    return new


def _row(score: str, folder: Path, candidate: Candidate) -> dict[str, Any]:
    """The entry of a finished candidate in `search.json`."""
    student, quantized, bundle = (folder / kind / candidate.name for kind in (STUDENTS, QUANTIZED, BUNDLES))
    (before_path, before), (after_path, after) = (
        (place / run_folder.METRICS, run_folder.read_finished(place)[1]) for place in (student, quantized)
    )
    return {
        "name": candidate.name,
        **dataclasses.asdict(candidate),
        "vocabulary_size": len(Vocabulary.load(student / run_folder.VOCABULARY)),
        "parameters": run.entry(before_path, before, "parameters"),
        "bytes": sum((bundle / name).stat().st_size for name in (MODEL, NGRAM_TABLE) if (bundle / name).exists()),
        "oov_rate": run.entry(before_path, before, "data", "valid", "oov_rate"),
        "valid_float": run.entry(before_path, before, "valid", score),
        "valid": run.entry(after_path, after, "valid", score),
    }


def _placeholder_vocabulary(count: int) -> Vocabulary:
    """A vocabulary of `count` entries, to measure sizes."""
    return Vocabulary(["[PAD]", "[UNK]", *map(str, range(count - 2))])


def _bytes(model: keras.Model, shape: Shape, lowering: Lowering, lengths: Sequence[int], max_characters: int) -> int:
    """Bytes of a model's file with random weights: the file would store equal weights, such as zero biases, once."""
    rng = np.random.default_rng(0)
    for variable in model.trainable_variables:
        variable.assign(rng.standard_normal(variable.shape))
    return len(convert(lower(model, lowering), lengths, RECIPES[shape.embedding_bits], max_characters))


def _in_words(candidate: Candidate) -> str:
    """The sizes of a candidate as text."""
    rank = f", rank {candidate.rank}" if candidate.rank else ""
    words, bits = candidate.vocabulary_size, candidate.embedding_bits
    return f"width {candidate.width}{rank}, rows of {bits} bits, up to {words:,} words"


def _read_unfinished(folder: Path, command: dict[str, Any], force: bool, processes: Processes) -> dict[str, Any] | None:
    """The content of `search.json` of an unfinished search to resume or to join; None to start a new one.

    Raises:
        InputError: The folder holds a finished search, another search, or something else.
    """
    before = read_search(
        folder,
        SEARCH,
        "textapp compress",
        lambda found: type(found.get("words")) is int and isinstance(found["command"].get("sha256"), dict),
    )
    if before is None:
        return None
    others = others_at(before, processes)
    if force and not others:
        clear_abandoned(folder)
        if foreign := foreign_files(folder):
            raise InputError(
                f"{foreign[0]}: is not a file that `textapp compress` writes; move it away, or choose another --out"
            )
        return None
    differing = [key for key in command if key != "sha256" and before["command"].get(key) != command[key]]
    return resumed(folder, before, differing, command["sha256"], others)
