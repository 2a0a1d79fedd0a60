"""Predictions of a classifier as lines for a terminal."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from textapp.text.characters import one_line, printable, shortened

if TYPE_CHECKING:
    from textapp.runtime.classification import Prediction, TokenWeight

_COLUMNS = 80  # of a line of contributions on a terminal


def prediction_lines(
    texts: Sequence[str], predictions: "Sequence[Prediction]", terminal: bool, heaviest: int = 0
) -> Iterator[str]:
    """Yields one line per text: label (`?` for none), probability of the best, and the text with its attention.

    After it come lines of contributions, if they were computed.

    Args:
        texts: The texts.
        predictions: Their predictions.
        terminal: Whether they are for a terminal: tokens are coloured, see `mark_tokens`, and contributions cut.
        heaviest: Number of tokens with the most attention to list after the text, with their weights.
    """
    for text, prediction in zip(texts, predictions, strict=True):
        label = "?" if prediction.label is None else printable(prediction.label)
        line = f"{label}\t{prediction.confidence:.3f}\t"
        line += mark_tokens(text, prediction, colours=terminal)
        if heaviest:
            tokens = sorted(prediction.tokens, key=lambda token: -(token.weight or 0.0))[:heaviest]
            line += "\t" + ", ".join(f"{one_line(token.text)} {token.weight or 0.0:.2f}" for token in tokens)
        yield "\n".join([line, *contribution_lines(prediction.tokens, terminal)])


def mark_tokens(text: str, prediction: "Prediction", colours: bool) -> str:
    """The text that the model read, on one line.

    With `colours`, tokens with more attention are more red. If contributions are known, a token is more green the more
    it speaks for a predicted label, and more red the more it speaks against it.
    """
    if not colours:
        end = prediction.tokens[-1].end if prediction.truncated else len(text)
        return one_line(text[:end]) + ("…" if prediction.truncated else "")
    shown, end = "", 0
    strengths = list(map(_strength, prediction.tokens))
    heaviest = max(map(abs, strengths), default=0.0)
    for token, strength in zip(prediction.tokens, strengths, strict=True):
        shown += one_line(text[end : token.start])
        surface = one_line(text[token.start : token.end])
        level = round(5 * abs(strength) / heaviest) if heaviest else 0
        step = 6 if token.contributions and strength > 0 else 36  # the 6 greens and the 6 reds of the 256 colours
        shown += f"\x1b[48;5;{16 + step * level}m{surface}\x1b[0m" if level else surface
        end = token.end
    return shown + ("…" if prediction.truncated else one_line(text[end:]))


def contribution_lines(tokens: "Sequence[TokenWeight]", terminal: bool) -> Iterator[str]:
    """Yields a line for each label that tokens contribute to, the tokens that matter most first.

    On a terminal it has only as many as there is room for, in a file or a pipe all.
    """
    known = [(token, token.contributions) for token in tokens if token.contributions is not None]
    for label in known[0][1] if known else ():
        ordered = sorted(known, key=lambda pair: -abs(pair[1][label]))
        chosen = ordered[:_COLUMNS] if terminal else ordered
        shown = ", ".join(f"{some[label]:+.2f} {one_line(token.text)}" for token, some in chosen)
        line = f"  {printable(label)}: {shown}"
        yield shortened(line, _COLUMNS) if terminal else line


def _strength(token: "TokenWeight") -> float:
    """The largest contribution of a token, positive or negative; its attention if contributions are not known."""
    return max(token.contributions.values(), key=abs) if token.contributions else token.weight or 0.0
