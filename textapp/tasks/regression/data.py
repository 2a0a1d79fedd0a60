"""The data of a regressor: reads and splits texts with numbers, and scales the numbers."""

from collections.abc import Sequence

import numpy as np

from textapp.config import ModelConfig
from textapp.data.profile import Profile, sample_numbers
from textapp.data.readers import Examples
from textapp.data.rows import TargetRows
from textapp.data.tables import split_columns
from textapp.errors import InputError, quoted
from textapp.task import Files, PathLike, Report
from textapp.tasks.classification import data
from textapp.tasks.regression.config import RegressionConfig
from textapp.text.characters import counted
from textapp.text.estimates import Numbers
from textapp.text.tokenizer import Tokenizer

NAME = "value"
"""The name of a number whose column no setting names."""

_CLASSES = 10  # parts of the range of numbers, of each of which a validation split gets a share
_SMALLEST_CLASS = 5  # texts


def read_numbers(
    path: PathLike,
    config: RegressionConfig | None = None,
    text_column: str | None = None,
    label_column: str | None = None,
) -> Examples:
    """Reads texts with numbers, see `read_labelled`. Raises `InputError` too if texts have different counts of them."""
    examples = data.read_labelled(path, config, text_column, label_column, numbers=True)
    check_width(examples, len(examples.labels[0]), "the first text")
    return examples


def read_splits(
    config: RegressionConfig, files: Files, seed: int, report: Report
) -> tuple[Examples, dict[str, Examples]]:
    """See `textapp.task.Task`; a validation split has small and large numbers as the training split has."""
    train, held_out = data.read_splits(config, files, seed, report, numbers=True, classes=_classes)
    for examples in (train, *held_out.values()):
        check_width(examples, len(train.labels[0]), f"the first text of {train.source}")
    return train, held_out


def check_width(examples: Examples, width: int, other: str) -> None:
    """Raises `InputError` unless each text has as many numbers as another one, or as the model has."""
    for number, row in enumerate(examples.labels):
        if len(row) != width:
            raise InputError(
                f"{examples.location(number)}: has {counted(len(row), 'number')}, but {other} has {width}; all texts "
                "must have the same numbers"
            )


def profile(config: RegressionConfig, files: Files, train: Examples) -> Profile:
    """See `textapp.task.Task`."""
    tokenizer = Tokenizer("word", normalization=config.data.normalization)
    columns = _columns(config, train)
    return Profile.measure(
        (tokenizer.words(train.texts[number]) for number in sample_numbers(len(train))),
        count=len(train),
        targets=dict.fromkeys(columns, len(train)),
        per_token=False,
        spans=False,
        vectors=files.vectors is not None,
        numbers=True,
    )


def scaled_numbers(config: RegressionConfig, train: Examples, report: Report, known: Numbers | None = None) -> Numbers:
    """The numbers of training texts that have a token, with their mean and standard deviation.

    Raises:
        InputError: A number is the same in all texts, or there are others than in `known`, which keep their scaling.
    """
    tokenizer = data.text_tokenizer(config)
    rows = [row for text, row in zip(train.texts, train.labels, strict=True) if tokenizer.words(text)]
    if not rows:
        raise InputError(f"{train.source}: no text has a token")
    columns, table = _columns(config, train), np.asarray(rows, np.float64)
    for name, column in zip(columns, table.T, strict=True):
        if np.ptp(column) == 0:
            raise InputError(
                f"{train.source}: the number {quoted(name)} is {column[0]:g} in all {counted(len(rows), 'text')}; a "
                "regressor learns from numbers that differ"
            )
        report(
            f"{name}: {column.min():g} to {column.max():g}, mean {column.mean():.4g}, standard deviation "
            f"{column.std():.4g}"
        )
    if known is not None:
        if (known.columns, known.quantiles) != (columns, config.loss.quantiles):
            raise InputError(f"{train.source}: has other numbers than the run, which has {', '.join(known.names)}")
        return known
    quantiles = config.loss.quantiles
    repeated = 1 if quantiles is None else 3
    return Numbers(columns, quantiles, tuple(table.mean(axis=0).tolist() * repeated), _deviations(table) * repeated)


def number_rows(
    config: ModelConfig, examples: Examples, targets: Numbers, tokenizer: Tokenizer, keep_empty: bool
) -> TargetRows:
    """Rows of the first tokens of texts, with standardized numbers, float32 `(N, C)`; see `text_rows`."""
    return data.text_rows(config, examples, targets, tokenizer, keep_empty, np.float32)


def student_numbers(
    config: RegressionConfig, train: Examples, teachers: Sequence[tuple[str, Numbers]], report: Report
) -> Numbers:
    """The numbers of a student. Raises `InputError` if a teacher has other numbers or quantiles."""
    found = scaled_numbers(config, train, report)
    for name, known in teachers:
        if {*known.names} != {*found.names}:
            raise InputError(
                f"{name}: estimates {', '.join(known.names)}, but the student {', '.join(found.names)}; set loss, "
                "low_quantile, high_quantile and label_column of the student as they are for the teacher"
            )
    return found


def numbers_from_names(names: Sequence[str], source: str) -> Numbers:
    """Numbers with these names and without scaling, for a file of soft targets, whose numbers need none."""
    if not names:
        raise InputError(f"{source}: names no number")
    return Numbers(tuple(names), None, (0.0,) * len(names), (1.0,) * len(names))


def _columns(config: RegressionConfig, examples: Examples) -> tuple[str, ...]:
    """The names of the numbers. Raises `InputError` if a column is named twice."""
    width = len(examples.labels[0])
    named = [name for name in split_columns(config.label_column, numbers=True) if name]
    if len(named) != width or any(name.lstrip("-").isdecimal() for name in named):
        named = [NAME] if width == 1 else [f"{NAME} {number}" for number in range(1, width + 1)]
    if len(set(named)) < len(named) or any(len(name.splitlines()) != 1 for name in named):
        raise InputError(f"setting label_column: must name different columns. Received: {quoted(config.label_column)}")
    return tuple(named)


def _deviations(table: np.ndarray) -> tuple[float, ...]:
    """The standard deviation of each column."""
    return tuple(table.std(axis=0).tolist())


def _classes(examples: Examples) -> Sequence[str]:
    """The class of each text by its first number: equally many texts, from the smallest numbers to the largest."""
    count = len(examples)
    parts = max(1, min(_CLASSES, count // _SMALLEST_CLASS))
    order = np.argsort(np.asarray([row[0] for row in examples.labels]), kind="stable")
    classes = np.empty(count, np.int64)
    classes[order] = np.arange(count) * parts // max(count, 1)
    return list(map(str, classes.tolist()))
