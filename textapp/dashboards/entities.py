"""A picture of sentences with their entities, in the colours that `textapp predict` has on a terminal."""

import itertools
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.patches import Rectangle

from textapp.dashboards.figures import NO_FONT
from textapp.figures import DPI, font_families, new_figure
from textapp.text.characters import counted, one_line
from textapp.text.tag_schemes import Span
from textapp.text.terminal import FILLS, rgb

_WIDTH, _MARGIN, _INDENT = 780, 12, 84  # dots; TensorBoard shrinks pictures, so few of them make large letters
_LINE, _GAP = 30, 12  # dots from line to line, and between sentences
_SIZE = 9  # of letters, in points


class Sentence(NamedTuple):
    """A sentence to draw.

    Attributes:
        tokens: Its tokens.
        true: Its true entities.
        predicted: Those that the model predicts.
    """

    tokens: Sequence[str]
    true: Sequence[Span]
    predicted: Sequence[Span]


class _Piece(NamedTuple):
    """Some text of one style: `fill` is the number of a colour of the 256, None for none."""

    text: str
    fill: int | None = None
    bold: bool = False


def draw_entities(sentences: Sequence[Sentence], types: Sequence[str]) -> Figure:
    """Draws sentences with their true entities, and below them the predicted ones where these differ.

    A sentence that no installed font can draw is left out, and a line says so.

    Args:
        sentences: The sentences.
        types: All types of entities, sorted; the place of a type gives its colour.
    """
    drawable = [one for one in sentences if font_families("".join([*one.tokens, *types])) is not None]
    families = font_families("".join(itertools.chain(types, *(one.tokens for one in drawable))))
    if families is None:  # no single list of fonts has all of them together
        drawable, families = [], font_families("0")
    pen = _Pen(families or ["sans-serif"], {type_: FILLS[at % len(FILLS)] for at, type_ in enumerate(types)})
    if drawable:
        pen.write("", [_Piece(f" {type_ or '_'} ", pen.fills[type_], bold=True) for type_ in types])
    for sentence in drawable:
        pen.write("true", pen.pieces(sentence.tokens, sentence.true))
        if list(sentence.predicted) != list(sentence.true):
            pen.write("model", pen.pieces(sentence.tokens, sentence.predicted))
        pen.end += _GAP
    if left_out := len(sentences) - len(drawable):
        pen.families = font_families("0") or pen.families
        note = f"{counted(left_out, 'sentence')} not drawn: {NO_FONT}"
        pen.write("", [_Piece(f"{word} ") for word in note.split(" ")])
    return pen.figure()


class _Pen:
    """Places pieces of text from left to right and from top to bottom."""

    def __init__(self, families: list[str], fills: dict[str, int]):
        self.families, self.fills = families, fills
        self.end = _MARGIN  # dots from the top
        self._placed: list[tuple[float, float, float, _Piece, list[str]]] = []
        self._measure = FigureCanvasAgg(Figure(dpi=DPI)).get_renderer()

    def pieces(self, tokens: Sequence[str], spans: Sequence[Span]) -> Iterator[_Piece]:
        """The pieces of a sentence: tokens outside of entities, the tokens of entities, and their types."""
        space = "" if all(len(token) == 1 for token in tokens) else " "
        shown = [one_line(token) + space for token in tokens]
        end = 0
        for span in spans:
            yield from map(_Piece, shown[end : span.start])
            fill = self.fills.get(span.type, FILLS[-1])
            yield from (_Piece(token, fill) for token in shown[span.start : span.end])
            yield _Piece(f"{'' if space else ' '}{span.type or '_'} ", fill, bold=True)
            if space:
                yield _Piece(" ")
            end = span.end
        yield from map(_Piece, shown[end:])

    def write(self, title: str, pieces: Sequence[_Piece] | Iterator[_Piece]) -> None:
        """Places a title at the left, and pieces beside it in as many lines as they need."""
        if title:
            self._placed.append((_MARGIN, self.end, 0, _Piece(title, bold=True), self.families))
        across = float(_MARGIN + _INDENT)
        for piece in pieces:
            width = self._width(piece)
            if across + width > _WIDTH - _MARGIN and across > _MARGIN + _INDENT:
                across, self.end = float(_MARGIN + _INDENT), self.end + _LINE
            self._placed.append((across, self.end, width, piece, self.families))
            across += width
        self.end += _LINE

    def figure(self) -> Figure:
        """Draws what was placed."""
        height = self.end + _MARGIN
        figure = new_figure(_WIDTH / DPI, height / DPI)
        figure.set_layout_engine("none")
        for across, down, width, piece, families in self._placed:
            if piece.fill is not None:
                colour = tuple(part / 255 for part in rgb(piece.fill))
                place = (across / _WIDTH, 1 - (down + _LINE - 2) / height)
                size = (width / _WIDTH, (_LINE - 4) / height)
                figure.add_artist(Rectangle(place, *size, facecolor=colour, linewidth=0))
            figure.text(
                across / _WIDTH,
                1 - (down + _LINE / 2) / height,
                piece.text,
                va="center",
                parse_math=False,
                fontfamily=families,
                fontsize=_SIZE,
                fontweight="bold" if piece.bold else "normal",
            )
        return figure

    def _width(self, piece: _Piece) -> float:
        """The width of a piece in dots."""
        font = FontProperties(family=self.families, size=_SIZE, weight="bold" if piece.bold else "normal")
        # Spaces at an end have no width of their own.
        both, marks = (
            self._measure.get_text_width_height_descent(text, font, ismath=False)[0]
            for text in (f"|{piece.text}|", "||")
        )
        return float(both - marks)
