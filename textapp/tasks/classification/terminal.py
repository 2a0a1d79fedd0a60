"""Predictions of a classifier as lines for a terminal."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from textapp.text.characters import one_line, printable, shortened, terminal_width
from textapp.text.terminal import BOLD, FILLS, Screen, filled

if TYPE_CHECKING:
    from textapp.runtime.classification import Prediction, TokenWeight

_BAR = 10  # columns
_LONGEST_LABEL = 20  # columns of labels below each other
# Light colours of the 256 behind black letters, so that dark and light terminals show the same; the last is strongest.
_ATTENTION, _FOR, _AGAINST = (230, 222, 215), (194, 157, 84), (224, 217, 210)


def prediction_lines(
    texts: Sequence[str], predictions: "Sequence[Prediction]", screen: Screen, heaviest: int = 0
) -> Iterator[str]:
    """Yields one line per text: label (`?` for none), probability of the best, and the text with its attention.

    After it come lines of contributions, if they were computed.

    Args:
        texts: The texts.
        predictions: Their predictions.
        screen: Where they are shown. On a terminal, labels have colours and probabilities bars, tokens are coloured,
            see `mark_tokens`, and contributions cut. Elsewhere tabs stand between the parts.
        heaviest: Number of tokens with the most attention to list after the text, with their weights.
    """
    for text, prediction in zip(texts, predictions, strict=True):
        if screen.is_for_people:
            bar = screen.bar(prediction.confidence, _BAR)
            shown = [_aligned(prediction, screen), f"{bar} {prediction.confidence:.3f}"]
        else:
            label = "?" if prediction.label is None else printable(prediction.label)
            shown = [label, f"{prediction.confidence:.3f}"]
        shown.append(mark_tokens(text, prediction, screen))
        if heaviest:
            tokens = sorted(prediction.tokens, key=lambda token: -(token.weight or 0.0))[:heaviest]
            shown.append(", ".join(f"{one_line(token.text)} {token.weight or 0.0:.2f}" for token in tokens))
        gap = "  " if screen.is_for_people else "\t"
        yield "\n".join([gap.join(shown), *contribution_lines(prediction.tokens, screen)])


def _aligned(prediction: "Prediction", screen: Screen) -> str:
    """The label of a prediction with its colour, as wide as the longest label."""
    names = [shortened(printable(name), _LONGEST_LABEL) for name in prediction.probs]
    number = None if prediction.label is None else list(prediction.probs).index(prediction.label)
    name = "?" if number is None else names[number]
    margins = 2 if number is None and screen.colours else 0  # of coloured labels
    spaces = " " * (max(map(terminal_width, names)) - terminal_width(name) + margins)
    return coloured_label(name, number, screen) + spaces


def coloured_label(name: str, number: int | None, screen: Screen) -> str:
    """A label on the colour of its number among all labels; without colours, or without a number, the label alone."""
    if number is None or not screen.colours:
        return name
    return screen.paint(f" {name} ", filled(FILLS[number % len(FILLS)]))


def legend(screen: Screen, explain: bool) -> str:
    """What the colours of tokens say, in one line; empty without colours."""
    if not screen.colours:
        return ""
    if explain:
        kinds = (("speaks for the label", _FOR), ("speaks against it", _AGAINST))
        return "  ".join(screen.paint(f" {kind} ", filled(tints[1])) for kind, tints in kinds)
    tints = "".join(screen.paint(" a ", filled(tint)) for tint in _ATTENTION)
    return f"{tints} little to much of the model's attention"


def mark_tokens(text: str, prediction: "Prediction", screen: Screen) -> str:
    """The text that the model read, on one line.

    With colours, tokens with more attention than an equal share of it have a tint. If contributions are known, a token
    is green if it speaks for a predicted label, and red if it speaks against it. The strongest are bold too.
    """
    if not screen.colours:
        end = prediction.tokens[-1].end if prediction.truncated else len(text)
        return one_line(text[:end]) + ("…" if prediction.truncated else "")
    shown, end = "", 0
    strengths = list(map(_strength, prediction.tokens))
    heaviest = max(map(abs, strengths), default=0.0)
    if not any(token.contributions for token in prediction.tokens):
        equal = 1 / max(1, len(strengths))
        strengths, heaviest = [max(0.0, strength - equal) for strength in strengths], max(heaviest - equal, equal)
    for token, strength in zip(prediction.tokens, strengths, strict=True):
        shown += one_line(text[end : token.start])
        surface = one_line(text[token.start : token.end])
        level = round(len(_ATTENTION) * abs(strength) / heaviest) if heaviest else 0
        tints = _ATTENTION if not token.contributions else _FOR if strength > 0 else _AGAINST
        bold = [BOLD] if level == len(tints) else []
        shown += screen.paint(surface, filled(tints[level - 1]), *bold) if level else surface
        end = token.end
    return shown + ("…" if prediction.truncated else one_line(text[end:]))


def contribution_lines(tokens: "Sequence[TokenWeight]", screen: Screen) -> Iterator[str]:
    """Yields a line for each label that tokens contribute to, the tokens that matter most first.

    On a terminal it has only as many as there is room for, in a file or a pipe all.
    """
    known = [(token, token.contributions) for token in tokens if token.contributions is not None]
    for label in known[0][1] if known else ():
        ordered = sorted(known, key=lambda pair: -abs(pair[1][label]))
        chosen = ordered[: screen.columns] if screen.is_terminal else ordered
        shown = ", ".join(f"{some[label]:+.2f} {one_line(token.text)}" for token, some in chosen)
        line = f"  {printable(label)}: {shown}"
        yield shortened(line, screen.columns) if screen.is_terminal else line


def _strength(token: "TokenWeight") -> float:
    """The largest contribution of a token, positive or negative; its attention if contributions are not known."""
    return max(token.contributions.values(), key=abs) if token.contributions else token.weight or 0.0
