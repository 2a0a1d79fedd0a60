"""How a run was trained, for the page of one model: its curves, its data, its settings."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from textapp.errors import InputError
from textapp.settings import as_text
from textapp.text.characters import counted

if TYPE_CHECKING:
    from textapp.training.run import Run

SPLITS = ("train", "valid", "test")


class Split(NamedTuple):
    """A split of the data of a training.

    Attributes:
        name: `train`, `valid` or `test`.
        examples: The number of its examples.
        tokens: Its tokens.
        cut: Examples that are longer than the model reads; None if not known.
        unknown: The share of tokens that are not in the vocabulary.
    """

    name: str
    examples: int
    tokens: int
    cut: int | None
    unknown: float


@dataclass(frozen=True)
class Training:
    """How a run was trained.

    Attributes:
        history: The logs of each epoch; NaN where a value was not finite.
        monitor: The name in the logs of the score that chose the best epoch; None if the logs lack it.
        splits: The splits of the data.
        target_counts: How often each target occurs in the training data; empty for a run of an earlier version.
        seconds: The time of the process that finished the training.
        most_epochs: The largest number of epochs by the settings.
        settings: Each setting: its name, its value, and why it was chosen (empty if it was given or is the default).
        versions: The versions of the libraries.
        parameters: The number of parameters.
    """

    history: tuple[Mapping[str, float], ...]
    monitor: str | None
    splits: tuple[Split, ...]
    target_counts: Mapping[str, int]
    seconds: float
    most_epochs: int
    settings: tuple[tuple[str, str, str], ...]
    versions: Mapping[str, str]
    parameters: int

    @classmethod
    def of_run(cls, run: "Run", metric: str) -> "Training":
        """Reads it from an opened run; `metric` is the key of its main score. Raises `InputError` if that is broken."""
        metrics, command = run.metrics, run.command
        chosen = command.get("chosen", {})
        try:
            history = tuple({name: _number(value) for name, value in logs.items()} for logs in metrics["history"])
            monitor = f"val_{metrics.get('monitor', metric)}"
            return cls(
                history=history,
                monitor=monitor if history and all(monitor in logs for logs in history) else None,
                splits=tuple(_split(name, metrics["data"][name]) for name in SPLITS if name in metrics["data"]),
                target_counts={name: int(count) for name, count in metrics.get("target_counts", {}).items()},
                seconds=float(metrics["seconds"]),
                most_epochs=run.config.training.epochs,
                settings=tuple(
                    (name, as_text(value), str(chosen.get(name, ""))) for name, value in run.config.to_dict().items()
                ),
                versions={name: str(version) for name, version in metrics["versions"].items()},
                parameters=int(metrics["parameters"]),
            )
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            path = run.folder / "metrics.json"
            raise InputError(
                f"{path}: not that of a run of textapp ({error}); restore it, or train it again"
            ) from error

    @property
    def best(self) -> int | None:
        """The number of the best epoch, from 0: the first one with the best value of `monitor`; None if not known."""
        if self.monitor is None:
            return None
        sign = -1 if self.monitor == "val_loss" else 1
        values = [sign * logs[self.monitor] for logs in self.history]
        known = [value for value in values if not math.isnan(value)]
        return values.index(max(known)) if known else None

    def course(self) -> list[str]:
        """The training in sentences."""
        epochs = counted(len(self.history), "epoch")
        lines = [f"{self.parameters:,} parameters, trained for {epochs} in {self.seconds:,.0f} s."]
        if self.best is not None and self.monitor is not None:
            lines.append(f"The weights are those of epoch {self.best + 1}, the best by {in_words(self.monitor)}.")
        if len(self.history) < self.most_epochs:
            lines.append(f"It stopped before epoch {self.most_epochs}, because later epochs were no better.")
        return lines


def in_words(name: str) -> str:
    """The name of a value in the logs for people: `val_macro_f1` is `validation macro F1`."""
    of_validation = name.startswith("val_")
    words = name.removeprefix("val_").replace("_", " ").replace("f1", "F1")
    return f"{'validation' if of_validation else 'training'} {words}"


def _split(name: str, counts: Mapping[str, Any]) -> Split:
    """A split from its entry in `metrics.json`."""
    cut = counts.get("cut")
    return Split(
        name, int(counts["count"]), int(counts["tokens"]), None if cut is None else int(cut), float(counts["oov_rate"])
    )


def _number(value: Any) -> float:
    """A value of the logs: a run has null for one that is not finite."""
    return math.nan if value is None else float(value)


def series(history: Sequence[Mapping[str, float]], name: str) -> list[float]:
    """A value over the epochs; NaN where an epoch lacks it."""
    return [logs.get(name, math.nan) for logs in history]
