"""The core in C (`native/`), through its shared library: bundles that run without LiteRT.

The Python code of this package is the definition, and the core equals it. `NativeModel` uses the core in two ways: as a
model, from ids to logits, under Python's own tokenizer and decoding; and for whole texts, which alone is as fast as the
core can be. The library is loaded with the first bundle. It releases Python's global lock while it computes.
"""

import ctypes
import itertools
import json
import os
import struct
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from textapp.errors import InputError
from textapp.runtime.bundle import Bundle
from textapp.runtime.native_library import (
    Allocate,
    File,
    Message,
    Options,
    Prediction,
    UnsupportedError,
    library,
    usable_features,
)
from textapp.runtime.predictor import Outputs

_CODE_POINTS, _CONFIDENCE, _DECISION = 1 << 0, 1 << 2, 1 << 3
_OK, _TOO_LONG = 0, 5
_TOKEN = struct.Struct("@PNNNfid")  # text, length, start, end, weight, tag, confidence
_SPAN = struct.Struct("@PNNNd")  # type, length, start, end, confidence
_ALIGNMENT = 64  # bytes
_SHORT = 1 << 10  # bytes of text: no context is made for less
_LONGEST = 1 << 16  # bytes of a text: a context for a longer one has memory for many times the text
_PART_TEXTS, _PART_CHARACTERS = 256, 1 << 18  # of texts that are handed over together


class BeyondCoreError(Exception):
    """A text has lone surrogates, so that it is no UTF-8, or is long: Python's text code reads it, in little memory."""


class Tokens(NamedTuple):
    """The tokens of a text as the core read them, in columns.

    Attributes:
        texts: their texts, normalized.
        starts: the position of the first code point of each in the original text.
        ends: the position after the last code point.
        weights: the attention to each, from 0 to 1; -1 for a model without attention.
        tags: the number of the tag of each; -1 without tags.
        confidences: the probability of each plain tag; -1 where it was not asked for.
    """

    texts: Sequence[str]
    starts: Sequence[int]
    ends: Sequence[int]
    weights: Sequence[float]
    tags: Sequence[int]
    confidences: Sequence[float]


class CoreSpan(NamedTuple):
    """A span as the core found it: its type, its offsets in code points, and its probability or -1."""

    type: str
    start: int
    end: int
    confidence: float


class NativeModel:
    """A bundle in the core. Threads may share it: each call has memory of its own.

    Args:
        bundle: the bundle; its files were checked. The core checks them once more, and reads them in place.
        logits: function from a length in tokens T to the shape of the model's logits, with the axis of one text.
        threads: positive integer, threads that share the texts of a call with many texts; by default one for each
            processor that this process may use.
        features: the kernels that may be used, as bits of textapp.h; by default all that the processor has.

    Attributes:
        lengths: lengths of the model's signatures, in tokens.
        names: the labels, or the tags that texts get: in IOB2, or plain.
        threads: see above.
        has_attention: whether tokens have weights.

    Raises:
        UnsupportedError: the library is not there, or refuses the bundle.
    """

    def __init__(
        self,
        bundle: Bundle,
        logits: Callable[[int], tuple[int, ...]],
        threads: int | None = None,
        features: int | None = None,
    ):
        if threads is not None and (type(threads) is not int or threads < 1):
            raise ValueError(f"`threads` must be a positive integer. Received: threads={threads!r}")
        self._core = library()
        self._functions = {
            name: getattr(self._core, f"textapp_{name}") for name in ("run", "predict", "tag", "probabilities")
        }
        self.lengths = tuple(bundle.signatures)
        self.threads = threads or processors()
        self._folder = bundle.folder
        self._files = {**bundle.files, "bundle.json": json.dumps(bundle.description).encode()}  # not read again
        self._blocks: list[NDArray[np.uint8]] = []  # what the core got
        self._free: list[_Context] = []
        self._model = ctypes.c_void_p()
        self._load(usable_features(self._core.textapp_features()) if features is None else features)
        self.names = tuple(self._names())
        self._classes, self._per_token = logits(1)[-1], len(logits(1)) == 3
        self._inputs = tuple(self._read_inputs())
        self.has_attention = bool(self._core.textapp_has_attention(self._model))
        self._longest = self._core.textapp_longest(self._model)

    def run(self, inputs: Mapping[str, ArrayLike]) -> Outputs:
        """Runs the model on one text, without n-grams; see `DeviceModel.run`."""
        return self.prepared(inputs)()

    def prepared(self, inputs: Mapping[str, ArrayLike]) -> Callable[[], Outputs]:
        """A function that runs the model on one text: its time is that of the model, without NumPy's."""
        rows = [np.ascontiguousarray(inputs[name], np.int32) for name, _ in self._inputs]
        count = len(rows[0])
        if count > self._longest:
            raise ValueError(f"`token_ids` must hold at most {self._longest} ids. Received: {count}")
        for (name, width), ids in zip(self._inputs, rows, strict=True):
            if ids.size != count * width:
                raise ValueError(f"`{name}` must hold {width} ids a token, of {count} tokens. Received: {ids.shape}")
        logits = np.empty((count, self._classes) if self._per_token else self._classes, np.float32)
        attention = np.empty(count, np.float32) if self.has_attention else None
        places = (ctypes.c_void_p * len(rows))(*(ids.ctypes.data for ids in rows))
        weights = None if attention is None else attention.ctypes.data
        outputs, scores = Outputs(logits, attention), logits.ctypes.data

        def run() -> Outputs:
            context = self._take(0)
            try:
                self._call("run", context, places, count, scores, weights)
            finally:
                self._give(context)
            return outputs

        run.__dict__["inputs"] = rows  # the core reads them in place
        return run

    def best_label(self, text: str) -> int:
        """The number of the most probable label of a text."""
        context, prediction = self._predict(text, _DECISION)
        label = int(prediction.label)
        self._give(context)
        return label

    def label_probs(self, text: str) -> list[float]:
        """The probability of each label of a text."""
        context, prediction = self._predict(text, _DECISION)
        probs: list[float] = prediction.probs[: prediction.label_count]
        self._give(context)
        return probs

    def classify(self, text: str) -> tuple[list[float], Tokens, bool]:
        """The probability of each label of a text, its tokens, and whether it was cut."""
        context, prediction = self._predict(text, _CODE_POINTS)
        found = prediction.probs[: prediction.label_count], _tokens(prediction), bool(prediction.truncated)
        self._give(context)
        return found

    def tag(self, text: str, confidence: bool) -> tuple[Tokens, list[CoreSpan]]:
        """The tokens of a text with their tags, and its spans."""
        context, prediction = self._predict(text, _CODE_POINTS | (_CONFIDENCE if confidence else 0))
        found = _tokens(prediction), list(_spans(prediction))
        self._give(context)
        return found

    def tag_tokens(self, tokens: Sequence[str]) -> Sequence[int]:
        """The tag of each of given tokens."""
        encoded = [_utf8(token) for token in tokens]
        count = len(encoded)
        texts = (ctypes.c_char_p * count)(*encoded)
        lengths = (ctypes.c_size_t * count)(*map(len, encoded))
        context = self._take(sum(map(len, encoded)) + count)
        try:
            self._call("tag", context, texts, lengths, count, 0, context.prediction_place)
            prediction = context.prediction.contents
            content = ctypes.string_at(prediction.tokens, prediction.token_count * _TOKEN.size) if count else b""
            return [tag for _, _, _, _, _, tag, _ in _TOKEN.iter_unpack(content)]
        finally:
            self._give(context)

    def probabilities(self, texts: Iterable[str]) -> "Iterator[Scored]":
        """Yields the probabilities of labels in parts, in the order of the texts, which may be a stream.

        Threads share the parts, and read ahead.
        """
        parts = _parts(texts)
        begun = list(itertools.islice(parts, 2 if self.threads > 1 else 0))
        parts = itertools.chain(begun, parts)
        if len(begun) < 2:
            yield from map(self._scored, parts)
            return
        pending: deque[Future[Scored]] = deque()
        with ThreadPoolExecutor(self.threads) as pool:
            for part in parts:
                pending.append(pool.submit(self._scored, part))
                if len(pending) > self.threads:
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()

    def _load(self, features: int) -> None:
        """Loads the bundle into the core."""

        def allocate(_: object, size: int) -> int | None:
            try:
                block = np.empty(size + _ALIGNMENT, np.uint8)
            except MemoryError:
                return None
            self._blocks.append(block)
            return _aligned(block)

        message, function = Message(), Allocate(allocate)
        files = (File * len(self._files))(
            *(File(name.encode(), content, len(content)) for name, content in self._files.items())
        )
        options = Options(function, None, features, 0)
        status = self._core.textapp_load(
            files, len(files), ctypes.byref(options), ctypes.byref(self._model), ctypes.byref(message)
        )
        if status != _OK:
            self._blocks.clear()
            raise UnsupportedError(f"{self._folder}: {_line(message)}")

    def _names(self) -> Iterator[str]:
        """The names of labels or tags."""
        for number in range(self._core.textapp_label_count(self._model)):
            yield self._core.textapp_label(self._model, number).decode()

    def _read_inputs(self) -> Iterator[tuple[str, int]]:
        """The name of each input, and its ids a token."""
        for number in range(self._core.textapp_input_count(self._model)):
            one = self._core.textapp_model_input(self._model, number).contents
            yield one.name.decode(), one.width

    def _scored(self, texts: list[str]) -> "Scored":
        """The probabilities of the labels of texts; None in place of them if the core cannot read all texts."""
        try:
            contents = [_utf8(text) for text in texts]
        except BeyondCoreError:
            return Scored(texts)
        ends = np.fromiter(itertools.accumulate(map(len, contents)), np.uintp, len(contents))
        probs = np.empty((len(contents), self._classes))
        logits = np.empty((len(contents), self._classes), np.float32)
        truncated = np.empty(len(contents), np.bool_)
        context = self._take(max(map(len, contents)))
        try:
            self._call(
                "probabilities",
                context,
                b"".join(contents),
                ends.ctypes.data,
                len(contents),
                probs.ctypes.data,
                logits.ctypes.data,
                truncated.ctypes.data,
                context.done,
            )
        finally:
            self._give(context)
        return Scored(texts, probs, logits, truncated)

    def _predict(self, text: str, flags: int) -> "tuple[_Context, Prediction]":
        """The prediction of a text, and the context that it lies in, which the caller gives back."""
        content = _utf8(text)
        context = self._take(len(content))
        try:
            self._call("predict", context, content, len(content), flags, context.prediction_place)
        except BaseException:
            self._give(context)
            raise
        return context, context.prediction.contents

    def _call(self, name: str, context: "_Context", *arguments: Any) -> None:
        """Calls a function of the core. Raises the error that it reports."""
        status = self._functions[name](context.pointer, *arguments, context.message)
        if status == _TOO_LONG:
            raise BeyondCoreError
        if status != _OK:
            raise InputError(f"{self._folder}: {_line(context.message)}")

    def _take(self, size: int) -> "_Context":
        """A context for a text of `size` bytes that no other thread uses."""
        try:
            context = self._free.pop()
        except IndexError:
            return self._new_context(size)
        return context if context.longest >= size else self._new_context(size)

    def _give(self, context: "_Context") -> None:
        """Keeps a context for the next call."""
        self._free.append(context)

    def _new_context(self, size: int) -> "_Context":
        """A context for texts of `size` bytes, or somewhat more."""
        longest = max(_SHORT, 1 << (size - 1).bit_length())
        needed = self._core.textapp_batch_size(self._model, longest)
        if not 0 < needed < sys.maxsize:
            raise BeyondCoreError
        memory = np.empty(needed, np.uint8)
        pointer = self._core.textapp_context_init(self._model, memory.ctypes.data, needed, longest)
        if not pointer:
            raise BeyondCoreError
        return _Context(memory, ctypes.c_void_p(pointer), longest)


class Scored(NamedTuple):
    """Texts with their scores.

    Attributes:
        texts: `N` texts.
        probs: float64 `(N, C)`: the probability of each label. None if the core cannot read one of the texts.
        logits: float32 `(N, C)`, likewise.
        truncated: bool `(N,)`: whether each text was cut, likewise.
    """

    texts: list[str]
    probs: NDArray[np.float64] | None = None
    logits: NDArray[np.float32] | None = None
    truncated: NDArray[np.bool_] | None = None


class _Context:
    """Memory of the core for one call at a time."""

    __slots__ = ("done", "longest", "memory", "message", "pointer", "prediction", "prediction_place")

    def __init__(self, memory: NDArray[np.uint8], pointer: ctypes.c_void_p, longest: int):
        self.memory, self.pointer, self.longest = memory, pointer, longest
        self.message, self.done = Message(), ctypes.c_size_t()
        self.prediction = ctypes.POINTER(Prediction)()
        self.prediction_place = ctypes.pointer(self.prediction)


def processors() -> int:
    """The number of processors that this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on Linux
        return os.cpu_count() or 1


def _parts(texts: Iterable[str]) -> Iterator[list[str]]:
    """Yields texts in lists that are worth a call, and take little memory."""
    part: list[str] = []
    size = 0
    for text in texts:
        part.append(text)
        size += len(text)
        if len(part) == _PART_TEXTS or size >= _PART_CHARACTERS:
            yield part
            part, size = [], 0
    if part:
        yield part


def _utf8(text: str) -> bytes:
    """A text for the core."""
    try:
        content = text.encode()
    except UnicodeEncodeError as error:
        raise BeyondCoreError from error
    if len(content) > _LONGEST:
        raise BeyondCoreError
    return content


def _tokens(prediction: Prediction) -> Tokens:
    """The tokens of a prediction."""
    if not prediction.token_count:
        return Tokens((), (), (), (), (), ())
    content = ctypes.string_at(prediction.tokens, prediction.token_count * _TOKEN.size)
    places, lengths, *columns = zip(*_TOKEN.iter_unpack(content), strict=True)
    first = places[0]  # the texts lie in one block, in order
    block = ctypes.string_at(first, places[-1] + lengths[-1] - first)
    if block.isascii():
        joined = block.decode()
        texts = [joined[place - first : place - first + length] for place, length in zip(places, lengths, strict=True)]
    else:
        texts = [
            block[place - first : place - first + length].decode()
            for place, length in zip(places, lengths, strict=True)
        ]
    return Tokens(texts, *columns)


def _spans(prediction: Prediction) -> Iterator[CoreSpan]:
    """The spans of a prediction."""
    if not prediction.span_count:
        return
    content = ctypes.string_at(prediction.spans, prediction.span_count * _SPAN.size)
    for place, length, start, end, confidence in _SPAN.iter_unpack(content):
        yield CoreSpan(ctypes.string_at(place, length).decode() if length else "", start, end, confidence)


def _aligned(block: NDArray[np.uint8]) -> int:
    """The first address in a block that the core can use; the block has `_ALIGNMENT` bytes too many."""
    return int(-(-block.ctypes.data // _ALIGNMENT) * _ALIGNMENT)


def _line(message: Message) -> str:
    """The message of an error."""
    return message.text.decode("utf-8", "replace")
