"""Predicts lines one by one, for `textapp predict`: blocks of lines in, bytes for stdout out."""

import dataclasses
import itertools
import math
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import IO, Any

from textapp.cli.opened import open_model
from textapp.cli.output import json_bytes, line_bytes
from textapp.data.limits import max_text, text_too_long
from textapp.data.records import read_records
from textapp.errors import InputError
from textapp.files import decode_utf8, named_errors
from textapp.text.characters import printable
from textapp.text.terminal import PLAIN, Screen

READ_BYTES = 1 << 14
"""The most bytes of a block, about 250 lines: some hundredths of a second for a bundle, much longer than its transfer
to another process."""

_SHARED_BYTES = 1 << 18  # of a block that threads share
_BYTE_ORDER_MARK = "\ufeff".encode()


@dataclasses.dataclass(frozen=True)
class Request:
    """What is predicted, and how it is printed. Processes get it as a pickle.

    Attributes:
        model: Run folder or bundle.
        source: Name of the file of the lines, for messages.
        confidence: Whether to compute the probability of each span.
        min_confidence: The least probability of a label; None to give one always.
        as_json: Whether to print JSON.
        screen: What stdout can show.
        skip_bad: Whether to skip lines that are not UTF-8, rather than end at the first.
        explain: Whether to compute what each token contributes.
        sort: Whether lines are sorted by the uncertainty of their predictions.
    """

    model: Path
    source: str
    confidence: bool
    min_confidence: float | None
    as_json: bool
    screen: Screen
    skip_bad: bool
    explain: bool = False
    sort: bool = False

    def open(self) -> "LinePredictor":
        """Opens the model."""
        return LinePredictor(self)

    @property
    def separator(self) -> bytes:
        """What stands between two predictions on stdout."""
        return b", " if self.as_json else b""


@dataclasses.dataclass(frozen=True)
class Block:
    """Some lines of the input.

    Attributes:
        numbers: Number of each line, from 1.
        lines: The lines, in UTF-8 and without their ends.
        offsets: Where each line begins in the input, in bytes.
        uncertainties: The uncertainty of each line, to be printed with its prediction; empty if it is not.
        is_scored: Whether the answer is the uncertainty of each line rather than its prediction.
    """

    numbers: Sequence[int]
    lines: Sequence[bytes]
    offsets: Sequence[int] = ()
    uncertainties: Sequence[float] = ()
    is_scored: bool = False

    @property
    def is_empty(self) -> bool:
        """Whether it has no line, so that it gets no answer."""
        return not self.lines


@dataclasses.dataclass(frozen=True)
class Answer:
    """The predictions of one or several lines.

    Attributes:
        output: The predictions, as bytes for stdout; empty if there is none.
        notes: Notes about them for people.
        skipped: Numbers of the lines that were skipped.
        uncertainties: The uncertainty of each line of a block that is scored; NaN for a line that was skipped, or has
            no token.
        rows: Number of rows that were written to a file of predictions.
        error: Why the line after these cannot be predicted; None if it can.
        legend: What the colours of the output mean; empty if it has none.
    """

    output: bytes = b""
    notes: Sequence[str] = ()
    skipped: Sequence[int] = ()
    uncertainties: Sequence[float] = ()
    rows: int = 0
    error: str | None = None
    legend: str = ""


Answers = Callable[[Iterator[Block]], Iterator[Answer]]
"""A function that answers blocks, in their order."""


class LinePredictor:
    """A run or a bundle that answers lines.

    Raises:
        InputError: The model cannot be read, or does not compute what is requested.
    """

    def __init__(self, request: Request):
        self._request = request
        opened = open_model(request.model)
        self._task, self._predictor = opened.task, opened.predictor
        self._options: dict[str, Any] = {"confidence": True} if request.confidence else {}
        if request.min_confidence is not None:
            self._options["min_confidence"] = request.min_confidence
        if request.explain:
            self._options["explain"] = True
        for name in self._options:
            opened.check_option(name)
        if request.sort:
            opened.check_option("explain", "sort")
        shows_tokens = request.as_json or request.screen.is_for_people or request.explain or request.sort
        has_core = opened.predictor.core is not None
        self._legend = ""
        if not request.as_json:
            self._legend = self._task.prediction_legend(self._predictor.targets, request.screen, request.explain)
        self._is_at_once = has_core and "tokens" in opened.predictor.predict_options and not shows_tokens

    @property
    def read_bytes(self) -> int:
        """The most bytes of a block."""
        return _SHARED_BYTES if self._is_at_once else READ_BYTES

    def answers(self, block: Block) -> Iterator[Answer]:
        """Yields the answers of the lines of a block, in order. The answer of a line with an error is the last."""
        if self._is_at_once:
            try:
                yield self._answer_at_once(block)
                return
            except InputError:  # of the model: one by one, the lines before it have answers
                pass
        uncertainties = block.uncertainties or itertools.repeat(None)
        for number, line, uncertainty in zip(block.numbers, block.lines, uncertainties, strict=False):
            try:
                text = decode_utf8(line, self._request.source, number)
            except InputError as error:
                if not self._request.skip_bad:
                    yield Answer(error=str(error))
                    return
                yield Answer(skipped=[number], uncertainties=[math.nan])
                continue
            try:
                yield self._scored(text) if block.is_scored else self._answer(number, text, uncertainty)
            except InputError as error:
                yield Answer(error=str(error))
                return

    def _answer_at_once(self, block: Block) -> Answer:
        """One answer of all lines of a block, up to the first that is not UTF-8. The threads of the core share them."""
        texts: dict[int, str] = {}
        skipped, error = [], None
        for number, line in zip(block.numbers, block.lines, strict=True):
            try:
                texts[number] = decode_utf8(line, self._request.source, number)
            except InputError as refusal:
                if not self._request.skip_bad:
                    error = str(refusal)
                    break
                skipped.append(number)
        options = {**self._options, "tokens": False}
        predictions = list(self._predictor.predict(texts.values(), **options))
        notes: list[str] = []
        for place, (number, text) in enumerate(texts.items()):
            if predictions[place].truncated:
                [predictions[place]] = self._predictor.predict([text], **self._options)  # its tokens show where
                notes += self._task.prediction_notes(predictions[place], number, self._predictor.max_tokens)
        lines = self._task.prediction_lines(list(texts.values()), predictions, self._predictor.targets, PLAIN)
        return Answer(b"".join(map(line_bytes, lines)), notes, skipped, error=error)

    def answer(self, block: Block) -> Answer:
        """The answers of all lines of a block in one."""
        answers = list(self.answers(block))
        return Answer(
            output=self._request.separator.join(answer.output for answer in answers if answer.output),
            notes=[note for answer in answers for note in answer.notes],
            skipped=[number for answer in answers for number in answer.skipped],
            uncertainties=[one for answer in answers for one in answer.uncertainties],
            error=answers[-1].error,
            legend=answers[0].legend,
        )

    def _scored(self, text: str) -> Answer:
        """The uncertainty of a text."""
        uncertainty = self._predictor.uncertainty(text)
        return Answer(uncertainties=[math.nan if uncertainty is None else uncertainty])

    def _answer(self, number: int, text: str, uncertainty: float | None) -> Answer:
        """The answer of a text."""
        [prediction] = self._predictor.predict([text], **self._options)
        if self._request.as_json:
            more = {} if uncertainty is None else {"uncertainty": uncertainty, "line": number}
            output = json_bytes({**more, **prediction.to_dict()})
        else:
            targets, screen = self._predictor.targets, self._request.screen
            [line] = self._task.prediction_lines([text], [prediction], targets, screen)
            place = "" if uncertainty is None else f"{uncertainty:.3f}\t{printable(self._request.source)}:{number}\t"
            output = line_bytes(f"{place}{line}")
        notes = list(self._task.prediction_notes(prediction, number, self._predictor.max_tokens))
        return Answer(output, notes, legend=self._legend)


def blocks_of(texts: Iterable[str]) -> Iterator[Block]:
    """Yields one block of given texts."""
    lines = [text.encode("utf-8") for text in texts]
    yield Block(range(1, len(lines) + 1), lines)


def record_blocks(path: str | os.PathLike[str], text_column: str | None) -> Iterator[Block]:
    """Yields the texts of a table in blocks; a text may have line breaks. Raises `InputError` as `read_records`."""
    for records in read_records(path, text_column):
        yield Block(records.numbers, [text.encode("utf-8", "replace") for text in records.texts])


def read_blocks(stream: IO[bytes], source: str | os.PathLike[str], size: int = READ_BYTES) -> Iterator[Block]:
    r"""Yields the lines of a stream in blocks, as they arrive: a block is what one read gives.

    A read that ends no line gives a block without lines. Only `\n` and `\r\n` end a line. A byte order mark at the
    start is left out.

    Args:
        stream: A buffered stream. Nothing may have been read from it, so that its buffer is empty.
        source: Its name, for messages.
        size: The most bytes of a read.

    Raises:
        InputError: The stream is empty, or a line is longer than `max_text()` bytes; the lines before it are yielded.
    """
    first, offset, longest = 1, 0, max_text()
    begun: list[bytes] = []  # the parts of a line whose end has not been read
    while True:
        with named_errors(source):
            content = stream.read1(size)  # type: ignore[attr-defined] # each buffered stream has it
        if not content:
            break
        head, *others = content.split(b"\n")
        begun.append(head)
        lines = []
        if others:
            lines = [b"".join(begun), *others[:-1]]
            begun = others[-1:]
        whole = list(itertools.takewhile(lambda line: len(line) <= longest, lines))
        yield _block(first, offset, whole)
        if len(whole) < len(lines) or sum(map(len, begun)) > longest:
            raise text_too_long(f"{source}:{first + len(whole)}")
        first += len(lines)
        offset += sum(map(len, lines)) + len(lines)
    if first == 1 and not begun:
        raise InputError(f"{source}: no text in it")
    if rest := b"".join(begun):
        yield _block(first, offset, [rest])


def _block(first: int, offset: int, lines: list[bytes]) -> Block:
    """A block of lines, the first of which has that number and begins at that byte of the input."""
    ends = itertools.accumulate((len(line) + 1 for line in lines), initial=offset)
    numbers = range(first, first + len(lines))
    return Block(numbers, list(map(line_content, numbers, lines)), list(ends)[:-1])


def line_content(number: int, line: bytes) -> bytes:
    """A line without a carriage return at the end, and the first one without a byte order mark."""
    return (line.removeprefix(_BYTE_ORDER_MARK) if number == 1 else line).removesuffix(b"\r")
