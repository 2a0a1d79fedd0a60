"""Predictions of a regressor as lines for a terminal."""

from collections.abc import Iterator, Sequence
from typing import Any

from textapp.tasks.classification.terminal import contribution_lines, mark_tokens
from textapp.text.characters import printable
from textapp.text.terminal import Screen


def prediction_lines(texts: Sequence[str], predictions: Sequence[Any], screen: Screen) -> Iterator[str]:
    """Yields one line per text: its number (of several numbers with their names), the interval, and the text.

    After it come lines of contributions, if they were computed.

    Args:
        texts: The texts.
        predictions: Their predictions, `textapp.runtime.regression.NumberPrediction`.
        screen: Where they are shown. Tabs stand between the parts, on a terminal spaces.
    """
    gap = "  " if screen.is_for_people else "\t"
    for text, prediction in zip(texts, predictions, strict=True):
        several = len(prediction.values) > 1
        shown = []
        for name, value in prediction.values.items():
            ends = prediction.intervals.get(name)
            interval = "" if ends is None else f" ({ends[0]:.6g} to {ends[1]:.6g})"
            shown.append(f"{printable(name)} {value:.6g}{interval}" if several else f"{value:.6g}{interval}")
        line = gap.join([", ".join(shown), mark_tokens(text, prediction, screen)])
        yield "\n".join([line, *contribution_lines(prediction.tokens, screen)])
