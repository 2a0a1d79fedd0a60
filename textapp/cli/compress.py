"""`textapp compress`: makes the best bundle within a budget of bytes from trained models."""

import re
from decimal import Decimal
from pathlib import Path
from shlex import quote
from typing import Annotated, Any, Literal

import typer

from textapp.cli.arguments import AsJson, Settings, Teachers, Unlabelled, check_readable
from textapp.cli.early_checks import check_teachers
from textapp.cli.export import read_lengths
from textapp.cli.native_log import tensorflow_started
from textapp.cli.output import print_json, resumable, say, say_steps, say_table
from textapp.errors import InputError, excerpt
from textapp.search.candidates import UNITS


def compress(
    teachers: Teachers,
    budget: Annotated[str, typer.Option(help="Largest size of the model file: 150KB, 1.5MB, 200KiB.")],
    out: Annotated[Path, typer.Option(help="Folder to make for students and bundles.")],
    train: Annotated[
        str | None,
        typer.Option(help="Labelled texts or tagged sentences; by default the file of the first teacher, a run."),
    ] = None,
    valid: Annotated[
        str | None,
        typer.Option(help="Validation texts, which choose the student; by default the file of the first teacher."),
    ] = None,
    test: Annotated[
        str | None,
        typer.Option(
            help="Test texts, from which no student learns, and which choose nothing; by default the file of the first "
            "teacher."
        ),
    ] = None,
    unlabelled: Unlabelled = None,
    lowering: Annotated[
        Literal["fused", "unrolled"], typer.Option(help="How the bundles' recurrent layers run; see `export`.")
    ] = "fused",
    lengths: Annotated[
        str | None, typer.Option(help="Text lengths in tokens, such as 16,64; by default as for `export`.")
    ] = None,
    quantize_epochs: Annotated[int, typer.Option(min=0, help="Epochs with rounded weights for each student.")] = 2,
    settings: Settings = None,
    force: Annotated[bool, typer.Option(help="Delete an existing search when the new one starts.")] = False,
    as_json: AsJson = False,
) -> None:
    """Find the best model that fits a budget: distil, factorize, round in training, export.

    It trains at most seven students and chooses one by its validation score. They have three widths, a whole or a
    factorized embedding table, and rows of 4 bits (for one width also of 8). Each has as many words as fit. After a
    crash, the same command resumes the search.

    For example: textapp compress run --budget 150KB --out small
    """
    allowed, unit = read_bytes(budget)
    files: dict[str, Any] = {"train": train, "valid": valid, "test": test}
    chosen = None if lengths is None else read_lengths(lengths)
    check_readable(train, valid, test, *(unlabelled or []))
    check_teachers(teachers)
    with resumable(force), tensorflow_started():
        from textapp.compress.teachers import open_teachers, student_settings
        from textapp.search.budget import Students, search_within_budget

        task, opened = open_teachers(teachers)
        config, files = student_settings(task, opened, None, files)
        students = Students(task, config, opened)
        for setting in settings or []:
            if setting.partition("=")[0].strip() in students.decided:
                raise InputError(f"--set {setting}: the search decides it; train one such student by textapp distill")
        result = search_within_budget(
            Students(task, config.override(settings or []), opened),
            out,
            budget=allowed,
            **files,
            unlabelled=unlabelled or [],
            lowering=lowering,
            lengths=chosen,
            quantize_epochs=quantize_epochs,
            force=force,
            unit=unit,
            report=say,
        )
    _say_candidates(result)
    bundle = out / "bundles" / result["chosen"]
    say_steps(
        ("bundle", bundle),
        ("next", f"textapp evaluate {quote(str(bundle))} --data TEST"),
        ("all", f"textapp report {quote(str(out / 'bundles'))}/* --data TEST --out report.html"),
    )
    if as_json:
        print_json(result)


def read_bytes(text: str) -> tuple[int, str]:
    """Reads `150KB`: 1,000 bytes a KB, 1,024 a KiB. Raises `InputError` if the text is not a size.

    Returns:
        The bytes, and the unit as it was written, `bytes` where there is none.
    """
    found = re.fullmatch(r"\s*([0-9]{1,15}(?:\.[0-9]{1,15})?)\s*([A-Za-z]*)\s*", text)
    unit = (found[2] or "bytes") if found else ""
    number = int(Decimal(found[1]) * UNITS.get(unit.upper(), 0)) if found else 0
    if not number:
        raise InputError(f"--budget {excerpt(text)}: must be a number of bytes such as 150KB, 1.5MB or 200KiB")
    return number, unit


def _say_candidates(result: dict[str, Any]) -> None:
    """Prints a line for each student, with its share of the teachers' score, and marks the chosen one."""
    best = result["teachers_valid"]
    rows = [
        (
            ("* " if row["name"] == result["chosen"] else "  ") + row["name"],
            f"{row['vocabulary_size']:,}",
            f"{row['oov_rate']:.1%}",
            f"{row['parameters']:,}",
            f"{row['bytes']:,}",
            f"{row['valid_float']:.4f}",
            f"{row['valid']:.4f}",
            "-" if not best else f"{row['valid'] / best:.1%}",
        )
        for row in result["candidates"]
    ]
    say("validation scores with float weights, with rounded ones, and these as a share of the teachers':")
    header = ("student", "words", "unknown", "parameters", "bytes", "float", "rounded", "of teachers")
    say_table(header, rows)
