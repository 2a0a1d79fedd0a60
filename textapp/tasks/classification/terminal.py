"""Predictions of a classifier as lines for a terminal."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from textapp.text.characters import one_line, printable

if TYPE_CHECKING:
    from textapp.runtime.classification import Prediction


def prediction_lines(
    texts: Sequence[str], predictions: "Sequence[Prediction]", colours: bool, heaviest: int = 0
) -> Iterator[str]:
    """Yields one line per text: label (`?` for none), probability of the best, and the text with its attention.

    Args:
        texts: The texts.
        predictions: Their predictions.
        colours: Whether to colour tokens: more red for more attention.
        heaviest: Number of tokens with the most attention to list after the text, with their weights.
    """
    for text, prediction in zip(texts, predictions, strict=True):
        label = "?" if prediction.label is None else printable(prediction.label)
        line = f"{label}\t{prediction.confidence:.3f}\t"
        line += mark_tokens(text, prediction, colours)
        if heaviest:
            tokens = sorted(prediction.tokens, key=lambda token: -(token.weight or 0.0))[:heaviest]
            line += "\t" + ", ".join(f"{one_line(token.text)} {token.weight or 0.0:.2f}" for token in tokens)
        yield line


def mark_tokens(text: str, prediction: "Prediction", colours: bool) -> str:
    """The text that the model read, on one line; with `colours`, tokens with more attention are more red."""
    shown, end = "", 0
    heaviest = max((token.weight or 0.0 for token in prediction.tokens), default=0.0)
    for token in prediction.tokens:
        shown += one_line(text[end : token.start])
        surface = one_line(text[token.start : token.end])
        red = round(5 * token.weight / heaviest) if colours and heaviest and token.weight else 0
        shown += f"\x1b[48;5;{16 + 36 * red}m{surface}\x1b[0m" if red else surface  # the 6 reds of the 256 colours
        end = token.end
    return shown + ("…" if prediction.truncated else one_line(text[end:]))
