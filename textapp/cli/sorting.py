"""Sorts the lines of a file by the uncertainty of their predictions, for `textapp predict --sort`."""

import dataclasses
import os
from array import array
from collections.abc import Iterator
from typing import IO

import numpy as np

from textapp.cli.line_predictor import Answers, Block, line_content, read_blocks
from textapp.cli.output import say
from textapp.errors import InputError
from textapp.files import named_errors
from textapp.text.characters import counted

_LINES = 64  # of a block: with the model, some hundredths of a second


class SortedLines:
    """The lines of a file, the most uncertain first. A first pass scores them, and a second one reads them again.

    Only an uncertainty and a place are in memory for each line: 16 bytes, and 16 more while they are sorted.

    Args:
        stream: The file, at its start.
        source: Its name, for messages.
        answers: The model.
        top: The largest number of lines; None for all.

    Attributes:
        skipped: Numbers of the lines that the model skipped.

    Raises:
        InputError: The file cannot be read twice, or has a line that cannot be predicted.
    """

    def __init__(self, stream: IO[bytes], source: str, answers: Answers, top: int | None):
        self._stream, self._source = stream, source
        if not stream.seekable():
            raise InputError(
                f"{source}: is compressed, a pipe or a device; --sort reads lines again by their places, so unpack or "
                "copy it first"
            )
        self._state = self._current_state()
        self._offsets, uncertainties, self.skipped = array("q"), array("d"), list[int]()
        for answer in answers(self._scored_blocks()):
            if answer.error is not None:
                raise InputError(answer.error)
            uncertainties.extend(answer.uncertainties)
            self.skipped += answer.skipped
        self._uncertainties = np.frombuffer(uncertainties, np.float64)
        order = np.argsort(-self._uncertainties, kind="stable")  # NaN comes last
        count = int(np.isfinite(self._uncertainties).sum())
        if blank := len(order) - count - len(self.skipped):
            say(f"note: left out {counted(blank, 'line')} without a token")
        self._order = order[:count][:top]

    def blocks(self) -> Iterator[Block]:
        """Yields the sorted lines in blocks. Raises `InputError` if the file was changed since they were scored."""
        for start in range(0, len(self._order), _LINES):
            rows = self._order[start : start + _LINES]
            if self._current_state() != self._state:
                raise InputError(f"{self._source}: was changed while it was read; run the command again")
            numbers = [row + 1 for row in rows.tolist()]
            lines = list(map(self._line, numbers))
            yield Block(numbers, lines, uncertainties=self._uncertainties[rows].tolist())

    def _scored_blocks(self) -> Iterator[Block]:
        """Yields the lines of the file, and remembers where they begin."""
        for block in read_blocks(self._stream, self._source):
            self._offsets.extend(block.offsets)
            yield dataclasses.replace(block, offsets=(), is_scored=True)

    def _line(self, number: int) -> bytes:
        """Reads a line again."""
        with named_errors(self._source):
            self._stream.seek(self._offsets[number - 1])
            return line_content(number, self._stream.readline().removesuffix(b"\n"))

    def _current_state(self) -> tuple[int, int]:
        """What changes when the file is written: its size and the time of its last change."""
        state = os.fstat(self._stream.fileno())
        return state.st_size, state.st_mtime_ns
