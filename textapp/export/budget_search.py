"""The best student within a budget of bytes: distilled, factorized, rounded in training, exported.

A small grid (`textapp.compress.candidates`) is trained, each student on the same soft labels, and the one with the best
validation accuracy is named. The test split is never read: what is chosen among several must be tested afterwards.
"""

import dataclasses
import os
import shutil
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from textapp.compress.candidates import Candidate, candidates
from textapp.compress.config import QuantizeConfig
from textapp.compress.quantize import quantize_run
from textapp.compress.teachers import sources
from textapp.data.readers import file_of
from textapp.errors import InputError
from textapp.export.budget_students import Students
from textapp.export.bundle import MODEL
from textapp.export.checks import ExportError
from textapp.export.lowering import Lowering
from textapp.files import digest, leftovers, named_errors, read_json, write_json
from textapp.text.vocabulary import Vocabulary
from textapp.training import run
from textapp.training.preparation import bucket_widths

SEARCH = "search.json"
STUDENTS, QUANTIZED, BUNDLES = "students", "quantized", "bundles"


def search_within_budget(
    students: Students,
    out: str | os.PathLike[str],
    *,
    budget: int,
    train: str | os.PathLike[str],
    valid: str | os.PathLike[str] | None = None,
    unlabelled: Sequence[str | os.PathLike[str]] = (),
    lowering: Lowering = "fused",
    lengths: Sequence[int] | None = None,
    quantize_epochs: int = 2,
    force: bool = False,
    report: Callable[[str], None] = lambda line: print(line, file=sys.stderr, flush=True),
) -> dict[str, Any]:
    """Trains the grid's students and exports them; called again after a crash, it goes on where it was.

    Args:
        students: Of classifiers or of taggers: their settings, and their teachers.
        out: Folder to make, of `search.json`, `students/`, the same `quantized/`, and their `bundles/`.
        budget: Bytes that `model.tflite` of a bundle may take at most. Vocabulary and labels stand beside it.
        train: As for `distill`.
        valid: Likewise. Students are chosen by it.
        unlabelled: Likewise.
        lowering: How the bundles' recurrent layers run.
        lengths: Inputs lengths of their signatures; by default those of `export_run`.
        quantize_epochs: Epochs of quantization-aware training of each student, in the bits of its file.
        force: Whether a search that is there already is deleted first.
        report: Is given each line of progress.

    Returns:
        What `search.json` says: the `command`; how many `words` the texts have; of each of the `candidates` its sizes,
        `parameters`, `bytes`, the share of validation words that it does not know (`oov_rate`), its validation score
        (`valid`: accuracy, or entity F1) and that of the student before its weights were rounded (`valid_float`); which
        were `left_out` and why, as their files failed a check; `teachers_valid`, and the `chosen` one's name.

    Raises:
        InputError: A file or a setting is wrong, nothing fits the budget, or `out` holds something else.
    """
    folder, config = Path(out), students.config
    lengths = list(lengths) if lengths else bucket_widths(config.max_tokens)
    if max(lengths) > config.max_tokens:
        raise InputError(
            f"lengths {lengths}: the students read {config.max_tokens} tokens; --set max_tokens={max(lengths)}"
        )
    command: dict[str, Any] = {
        "settings": {key: value for key, value in config.to_dict().items() if key not in students.decided},
        "budget": budget,
        **sources(folder, students.teachers, train=train, valid=valid, unlabelled=unlabelled),
        "lowering": lowering,
        "lengths": lengths,
        "quantize_epochs": quantize_epochs,
    }
    files = {key: command[key] for key in ("train", "valid", "unlabelled")}
    paths = [path for path in (command["train"], command["valid"], *command["unlabelled"]) if path is not None]
    command["sha256"] = {path: digest(file_of(path)) for path in paths}
    with run.locked(folder):
        before = _unfinished(folder, command, force)
        words = before["words"] if before else students.words(files)
        grid = candidates(
            budget, words, lambda shape, rows: students.file_bytes(shape, rows, lowering, lengths), students.factorized
        )
        # Only now, when files, budget and settings have proved good, may an old search go.
        if before is None:
            _clear(folder)
            write_json(folder / SEARCH, {"command": command, "words": words})
        report(f"{len(grid)} students fit {budget:,} bytes: {'; '.join(map(_in_words, grid))}")
        rows: list[dict[str, Any]] = []
        left_out: dict[str, str] = {}
        first = folder / STUDENTS / grid[0].name
        for number, candidate in enumerate(grid, 1):
            report(f"student {number} of {len(grid)}, {candidate.name}: {_in_words(candidate)}")
            student, quantized, bundle = (folder / kind / candidate.name for kind in (STUDENTS, QUANTIZED, BUNDLES))
            if not (student / run.METRICS).exists():
                answers = None if student == first else first / students.answers
                students.distill(candidate, student, **files, answers=answers, report=report)
            if not (quantized / run.METRICS).exists():
                rounding = QuantizeConfig(
                    embedding_bits=candidate.embedding_bits, lowering=lowering, epochs=quantize_epochs
                )
                quantize_run(rounding, student, quantized, report=report)
            if not (bundle / "bundle.json").exists():
                _, metrics = run.read_finished(quantized)
                recipe = metrics["quantization"]["recipe"]
                try:
                    students.export(quantized, bundle, recipe=recipe, lowering=lowering, lengths=lengths)
                except ExportError as error:  # one student whose file is not as good as it is need not end the search
                    left_out[candidate.name] = str(error)
                    report(f"{candidate.name}: left out: {error}")
                    continue
            rows.append(_row(students, candidate, student, quantized, bundle))
            report(f"{candidate.name}: valid {rows[-1]['valid']:.4f}, {rows[-1]['bytes']:,} bytes")
        _, metrics = run.read_finished(first)
        taught = metrics["distillation"]
        within = [row for row in rows if row["bytes"] <= budget]
        if not within:
            raise InputError(f"{folder}: no student can be exported within {budget:,} bytes; see what is said of each")
        result = {
            "command": command,
            "words": words,
            "candidates": rows,
            "left_out": left_out,
            "teachers_valid": taught.get("valid_accuracy", taught.get("valid_entity_f1")),
            "chosen": max(within, key=lambda row: (row["valid"], -row["bytes"]))["name"],
        }
        write_json(folder / SEARCH, result)  # last: what is chosen says that the search is finished
        return result


def _row(students: Students, candidate: Candidate, student: Path, quantized: Path, bundle: Path) -> dict[str, Any]:
    """What `search.json` says of a finished candidate."""
    _, before = run.read_finished(student)
    _, after = run.read_finished(quantized)
    return {
        "name": candidate.name,
        **dataclasses.asdict(candidate),
        "vocabulary_size": len(Vocabulary.load(student / run.VOCABULARY)),
        "parameters": before["parameters"],
        "bytes": (bundle / MODEL).stat().st_size,
        "oov_rate": before["data"]["valid"]["oov_rate"],
        "valid_float": students.score(before["valid"]),
        "valid": students.score(after["valid"]),
    }


def _in_words(candidate: Candidate) -> str:
    """The sizes of a candidate."""
    rank = f", rank {candidate.rank}" if candidate.rank else ""
    words, bits = candidate.vocabulary_size, candidate.embedding_bits
    return f"width {candidate.width}{rank}, rows of {bits} bits, up to {words:,} words"


def _unfinished(folder: Path, command: dict[str, Any], force: bool) -> dict[str, Any] | None:
    """What an unfinished search says that is to go on; None to start one.

    Raises:
        InputError: There is a finished search, another one, or something else.
    """
    with named_errors(folder):
        if not folder.exists() or set(folder.iterdir()) <= set(leftovers(folder / SEARCH)):
            return None
    if not (folder / SEARCH).exists():
        raise InputError(f"{folder}: exists and holds no search; choose another --out")
    before = read_json(folder / SEARCH)
    if not isinstance(before, dict) or not {"command", "words"} <= before.keys():
        raise InputError(f"{folder / SEARCH}: not what `textapp compress` writes")
    if force:
        return None
    if "chosen" in before:
        raise InputError(f"{folder}: holds a finished search; use --force to search anew, or another --out")
    differing = [key for key in command if key != "sha256" and before["command"].get(key) != command[key]]
    if differing:
        raise InputError(
            f"{folder}: holds an unfinished search with other {', '.join(differing)}; use --force, or another --out"
        )
    for path, sha256 in command["sha256"].items():
        if before["command"]["sha256"].get(path) != sha256:
            raise InputError(f"{path}: has changed since the search in {folder} began; go back to it, or use --force")
    return before


def _clear(folder: Path) -> None:
    """Deletes an earlier search; what somebody else has put into the folder stays."""
    with named_errors(folder):
        (folder / SEARCH).unlink(missing_ok=True)  # first: finished no more
        for name in (STUDENTS, QUANTIZED, BUNDLES):
            if (folder / name).exists():
                shutil.rmtree(folder / name)
