"""Processes that predict blocks of lines or whole files, for `textapp predict --workers`."""

import contextlib
import multiprocessing
import signal
from collections.abc import Iterator
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from types import TracebackType
from typing import Any, Generic, Protocol, Self, TypeVar

from textapp.cli.explanation import explanation
from textapp.cli.line_predictor import Answer
from textapp.cli.native_log import native_log_hidden
from textapp.errors import InputError

_AHEAD = 4  # blocks for each worker that may be read before the block that is printed next
_SECONDS = 5  # for a process whose pipe is closed to end


class Item(Protocol):
    """A block of lines, or a file."""

    @property
    def is_empty(self) -> bool:
        """Whether it gets no answer."""


ItemType = TypeVar("ItemType", bound=Item)
_ItemTypeIn = TypeVar("_ItemTypeIn", contravariant=True)


class Answering(Protocol[_ItemTypeIn]):
    """A model that answers items."""

    def answer(self, item: _ItemTypeIn, /) -> Answer:
        """The answer of an item."""


class Opens(Protocol[_ItemTypeIn]):
    """What is predicted. Processes get it as a pickle."""

    def open(self) -> Answering[_ItemTypeIn]:
        """Opens the model."""


class Workers(Generic[ItemType]):
    """Processes that answer blocks of lines, or files. Each opens the model once.

    They are spawned, not forked, because a fork of a process with threads of LiteRT or TensorFlow may hang. A worker
    has one block at a time, so that neither side waits to write while the other does. A worker ends when its pipe is
    closed, even if this process was killed.

    Args:
        count: Number of processes.
        request: What they predict.

    Example:
        with Workers(2, request) as workers:
            for answer in workers.answers(blocks):
                ...
    """

    def __init__(self, count: int, request: Opens[ItemType]):
        self._count = count
        self._request = request
        self._processes: dict[Connection, BaseProcess] = {}
        self._opening: set[Connection] = set()  # processes that open the model

    def __enter__(self) -> Self:
        context = multiprocessing.get_context("spawn")
        resource_tracker.ensure_running()  # the process that multiprocessing needs; its start unblocks signals
        # Ctrl-C reaches all processes of a terminal. The workers inherit the blocked signal; this process ends them.
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
        try:
            for _ in range(self._count):
                here, there = context.Pipe()
                with there:
                    process = context.Process(target=_work, args=(there, self._request), daemon=True)
                    process.start()
                self._processes[here] = process
                self._opening.add(here)
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGINT])
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for connection, process in self._processes.items():
            connection.close()
            if error is None:
                process.join(_SECONDS)
            process.kill()
            process.join()

    def answers(self, blocks: Iterator[ItemType], descriptor: int | None = None) -> Iterator[Answer]:
        """Yields the answers of blocks in their order. It may be called again after all answers were received.

        Args:
            blocks: The blocks; those without lines get no answer.
            descriptor: The file descriptor that is readable when the next block can be read without waiting; None if it
                always can. So answers are given while the input pauses. The first block is read without it: opening
                the input may have read from it already, and there is no answer yet that could wait.

        Raises:
            InputError: A worker cannot open the model, or died; or the blocks end with this error, after the answers.
        """
        busy: dict[Connection, int | None] = dict.fromkeys(self._opening)
        idle = [connection for connection in self._processes if connection not in self._opening]
        done: dict[int, Answer] = {}
        count = given = 0
        begun = ended = False
        broken: InputError | None = None  # the input cannot be read on; what was read before is answered first
        while busy or not ended:
            may_read = bool(idle) and not ended and count - given < _AHEAD * self._count
            awaited = descriptor if begun else None
            waits_for: list[Connection | int] = [*busy, *([] if awaited is None or not may_read else [awaited])]
            ready = wait(waits_for, timeout=0 if may_read and awaited is None else None)
            for connection in busy.keys() & ready:
                answer, number = self._receive(connection), busy.pop(connection)
                idle.append(connection)
                self._opening.discard(connection)
                if number is not None:
                    done[number] = answer
                elif answer.error is not None:
                    raise InputError(answer.error)
            if may_read and (awaited is None or awaited in ready):
                begun = True
                try:
                    block = next(blocks, None)
                except InputError as error:
                    block, broken = None, error
                if block is None:
                    ended = True
                elif not block.is_empty:
                    connection = idle.pop()
                    self._send(connection, block)
                    busy[connection] = count
                    count += 1
            while given in done:
                yield done.pop(given)
                given += 1
        if broken is not None:
            raise broken

    def _send(self, connection: Connection, block: ItemType) -> None:
        """Sends a block to a worker."""
        with self._death_named(connection):
            connection.send(block)

    def _receive(self, connection: Connection) -> Answer:
        """The answer of a worker."""
        with self._death_named(connection):
            answer: Answer = connection.recv()
        return answer

    @contextlib.contextmanager
    def _death_named(self, connection: Connection) -> Iterator[None]:
        """Turns the errors of a broken pipe into an `InputError` that says how the worker ended."""
        try:
            yield
        except (EOFError, OSError) as error:
            process = self._processes[connection]
            process.join(_SECONDS)
            code = process.exitcode
            how = f"was killed by signal {-code}" if code is not None and code < 0 else f"ended with exit code {code}"
            raise InputError(
                f"--workers {self._count}: a worker process {how}; if memory was short, use fewer workers"
            ) from error


def _work(connection: Connection, request: Opens[Any]) -> None:
    """The work of a process: says that the model is open, then answers blocks until the pipe is closed."""
    with native_log_hidden(), contextlib.suppress(EOFError, BrokenPipeError):
        try:
            predictor = request.open()
            connection.send(Answer())
            while True:
                connection.send(predictor.answer(connection.recv()))
        except (EOFError, BrokenPipeError):  # the command has ended
            raise
        except Exception as error:
            line = explanation(error)
            if line is None:
                raise
            connection.send(Answer(error=line))
