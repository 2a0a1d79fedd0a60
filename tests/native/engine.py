"""The engine of the core for tests: a model file in, logits out."""

import ctypes
from ctypes import POINTER, Structure, c_char, c_char_p, c_int, c_size_t, c_uint8, c_uint32, c_void_p
from typing import Any

import numpy as np

ALLOCATE = ctypes.CFUNCTYPE(c_void_p, c_void_p, c_size_t)


class Options(Structure):
    """textapp_options."""

    _fields_ = [("allocate", ALLOCATE), ("user", c_void_p), ("features", c_uint32), ("most_memory", c_size_t)]


class Arena(Structure):
    """ta_arena."""

    _fields_ = [
        ("options", c_void_p),
        ("used", c_size_t),
        ("limit", c_size_t),
        ("block", POINTER(c_uint8)),
        ("left", c_size_t),
    ]


class Input(Structure):
    """ta_engine_input."""

    _fields_ = [("name", c_char_p), ("width", c_size_t), ("rows", c_uint32)]


class Signature(Structure):
    """ta_engine_signature."""

    _fields_ = [("length", c_size_t), ("name", c_char_p), ("name_length", c_size_t)]


class Wanted(Structure):
    """ta_engine_wanted."""

    _fields_ = [
        ("inputs", POINTER(Input)),
        ("input_count", c_size_t),
        ("signatures", POINTER(Signature)),
        ("signature_count", c_size_t),
        ("outputs", c_size_t),
        ("per_token", c_int),
    ]


class Refused(Exception):
    """A status and its message."""


class Engine:
    """A loaded model.

    Args:
        library: The core with the names of its parts.
        content: The model file.
        inputs: Name -> (width, rows) of each input.
        lengths: Lengths in tokens of the signatures.
        outputs: Number of labels or tags.
        per_token: Whether each token has logits.
        features: Features of the processor that kernels may use.
    """

    def __init__(
        self, library: Any, content: bytes, inputs: Any, lengths: Any, outputs: int, per_token: bool, features: int = 0
    ):
        self._library, self._memory, self.used = library, [], 0
        self.inputs, self.outputs, self.per_token = inputs, outputs, per_token
        self._content = ctypes.create_string_buffer(content, len(content))
        self._allocate = ALLOCATE(self._give)
        self._options = Options(self._allocate, None, features, 0)
        arena, self._engine, message = Arena(), c_void_p(), (c_char * 512)()
        library.ta_arena_init(ctypes.byref(arena), ctypes.byref(self._options))
        library.ta_kernels_for.restype = c_void_p
        kernels = c_void_p(library.ta_kernels_for(c_uint32(features)))
        named = [f"tokens_{length}".encode() for length in lengths]
        wanted = Wanted(
            (Input * len(inputs))(*[Input(name.encode(), *sizes) for name, sizes in inputs.items()]),
            len(inputs),
            (Signature * len(named))(*[Signature(n, name, len(name)) for n, name in zip(lengths, named, strict=True)]),
            len(named),
            outputs,
            per_token,
        )
        self._names = wanted
        status = library.ta_engine_load(
            ctypes.byref(self._engine),
            ctypes.byref(arena),
            kernels,
            self._content,
            c_size_t(len(content)),
            ctypes.byref(wanted),
            message,
        )
        if status:
            raise Refused(f"{status}: {message.value.decode()}")
        self.has_attention = bool(library.ta_engine_has_attention(self._engine))
        self.by_length = bool(library.ta_engine_is_by_length(self._engine))
        library.ta_engine_scratch.restype = c_size_t
        self.scratch = library.ta_engine_scratch(self._engine)
        self._block = np.zeros(self.scratch + 64, np.uint8)
        self._aligned = c_void_p(self._block.ctypes.data + -self._block.ctypes.data % 64)

    def _give(self, user: Any, size: int) -> int:
        """Memory that lives as long as the engine."""
        self._memory.append(np.zeros(size + 16, np.uint8))
        self.used += size
        return self._memory[-1].ctypes.data + -self._memory[-1].ctypes.data % 16

    def run(self, ids: Any) -> tuple[Any, Any]:
        """The logits and the weights of a text: ids by name, `(n,)` or `(n, L)`."""
        arrays = [np.ascontiguousarray(ids[name], np.int32) for name in self.inputs]
        count = len(arrays[0])
        pointers = (c_void_p * len(arrays))(*[array.ctypes.data for array in arrays])
        logits = np.full((count, self.outputs) if self.per_token else self.outputs, np.nan, np.float32)
        attention = np.full(count, np.nan, np.float32) if self.has_attention else None
        message = (c_char * 512)()
        status = self._library.ta_engine_run(
            self._engine,
            self._aligned,
            pointers,
            c_size_t(count),
            c_void_p(logits.ctypes.data),
            c_void_p(attention.ctypes.data) if attention is not None else None,
            message,
        )
        if status:
            raise Refused(f"{status}: {message.value.decode()}")
        return logits, attention


class LiteRT:
    """The same through the interpreter, padded as textapp/runtime/signatures.py does."""

    def __init__(self, content: bytes, lengths: Any):
        from ai_edge_litert.interpreter import Interpreter

        self.interpreter, self.lengths = Interpreter(model_content=content, num_threads=1), sorted(lengths)
        self.runners = {n: self.interpreter.get_signature_runner(f"tokens_{n}") for n in self.lengths}

    def run(self, ids: Any, per_token: bool) -> tuple[Any, Any]:
        """The logits and the weights of a text."""
        count = len(next(iter(ids.values())))
        length = next(n for n in self.lengths if n >= count)
        padded = {k: np.pad(v, [(0, length - count), *[(0, 0)] * (v.ndim - 1)])[None] for k, v in ids.items()}
        found = self.runners[length](**padded)
        weights = found.get("attention_weights")
        logits = found["logits"][0]
        return logits[:count] if per_token else logits, None if weights is None else weights[0, :count]
