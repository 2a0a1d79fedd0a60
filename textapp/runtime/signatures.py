"""Runs a file that has a signature for each text length, in the LiteRT interpreter."""

import threading
from bisect import bisect_left
from collections.abc import Callable, Mapping
from os import PathLike
from typing import Any

import numpy as np
from ai_edge_litert.interpreter import Interpreter
from numpy.typing import ArrayLike, NDArray

from textapp.errors import InputError, list_some
from textapp.runtime.model_check import check_model
from textapp.runtime.model_check.tensors import FLOAT32, INT32, TYPE_NAMES, Tensor
from textapp.text.vocabulary import PAD_ID

Shape = tuple[int, ...]

_LONGEST_REASON = 300  # characters of an error of LiteRT, which may quote the file


class Signatures:
    """A TFLite model of one text at a time, with one signature per text length.

    A text runs in the shortest signature that it fits into, so that few steps of padding are computed. LiteRT allocates
    a signature's tensors at its first run, so an unused length costs no memory.

    Calls use LiteRT's public signature runner. Its checks take about 4 microseconds a call longer than the private
    wrapper (measured with ai-edge-litert 2.3 on x86-64); a model of 16 tokens takes about 50.

    One interpreter runs one text at a time: a lock makes calls from several threads safe, not parallel.

    Args:
        content: bytes of the TFLite file. The interpreter reads its weights in place.
        names: length in tokens T -> name of the signature, shortest first.
        inputs: name of each input, int32 `(1, T, ...)` padded with 0 -> its shape after T.
        source: where `content` comes from, for error messages.
        threads: positive integer, the threads that one call may use. One is fastest for models of this size.

    Raises:
        InputError: `content` breaks a rule of `check_model` or cannot be read by LiteRT, it has other signatures than
            `names`, or a signature has other inputs or no output "logits".
    """

    def __init__(
        self,
        content: bytes,
        names: Mapping[int, str],
        inputs: Mapping[str, Shape],
        source: str | PathLike[str],
        threads: int = 1,
    ):
        if type(threads) is not int or threads < 1:
            raise ValueError(f"`threads` must be a positive integer. Received: threads={threads!r}")
        self.lengths = tuple(names)
        self.source = source
        self._names = names
        self._lock = threading.Lock()
        try:
            signatures = check_model(content)
        except InputError as error:
            raise InputError(f"{source}: {error}; export it again") from error
        in_file, wanted = sorted(signatures), sorted(names.values())
        if in_file != wanted:
            raise InputError(
                f"{source}: the model's signatures are {list_some(in_file)}, but bundle.json names {list_some(wanted)}"
            )
        self._tensors = {length: signatures[name] for length, name in names.items()}
        for length in self.lengths:
            self._check_inputs(length, inputs)
        interpreter = self._attempt(Interpreter, model_content=content, num_threads=threads)
        self._runners = {
            length: self._attempt(interpreter.get_signature_runner, signature_key=name)
            for length, name in names.items()
        }
        self._inputs = inputs
        self._rows: dict[int, dict[str, NDArray[np.int32]]] = {}  # of a length after its first text

    def table_rows(self, name: str) -> set[int]:
        """The numbers of rows of the tables that an input of ids is looked up in, in any signature."""
        return {rows for tensors in self._tensors.values() for rows in tensors.table_rows[name]}

    def run(self, count: int, **inputs: ArrayLike) -> dict[str, NDArray[np.float32]]:
        """Runs the model on one text.

        Args:
            count: number of tokens of the text; 0 for an empty text.
            **inputs: each input by name, `(count, ...)`, without padding.

        Returns:
            Each output by name, without the axis of one text.

        Raises:
            InputError: LiteRT cannot run the model.
        """
        if count > self.lengths[-1]:
            raise ValueError(f"`token_ids` must hold at most {self.lengths[-1]} ids. Received: {count}")
        length = self.lengths[bisect_left(self.lengths, count)]
        with self._lock:
            if length not in self._rows:
                self._rows[length] = {
                    name: np.full((1, length, *shape), PAD_ID, np.int32) for name, shape in self._inputs.items()
                }
            rows = self._rows[length]
            for name, ids in inputs.items():
                rows[name][0, :count] = ids
                rows[name][0, count:] = PAD_ID
            outputs = self._attempt(self._runners[length], **rows)
        return {name: values[0] for name, values in outputs.items()}

    def require_finite(self, logits: NDArray[np.float32]) -> None:
        """Raises `InputError` if a score is NaN or infinite."""
        if not np.isfinite(logits).all():
            shown = ", ".join(map(str, logits.ravel()[~np.isfinite(logits.ravel())][:3]))
            raise InputError(f"{self.source}: the model's scores are not finite: {shown}; export it again")

    def check_output(self, name: str, shape_of: Callable[[int], Shape], optional: bool = False) -> bool:
        """Checks that an output of each signature is float32 and has the right shape.

        Args:
            name: name of the output.
            shape_of: function from a signature's length to the output's shape, with the axis of one text.
            optional: whether the output may be missing in all signatures.

        Returns:
            Whether the signatures have the output.

        Raises:
            InputError: The output is missing in a signature, or has another dtype or shape.
        """
        outputs = {length: tensors.outputs for length, tensors in self._tensors.items()}
        lacking = [self._names[length] for length, found in outputs.items() if name not in found]
        if optional and len(lacking) == len(outputs):
            return False
        if lacking:
            raise InputError(f'{self.source}: signature "{lacking[0]}" lacks the output "{name}" that others have')
        for length, found in outputs.items():
            self._check_tensor(length, name, found[name], shape_of(length), FLOAT32)
        return True

    def _attempt(self, call: Callable[..., Any], **arguments: Any) -> Any:
        """Calls into LiteRT and turns its errors, which may span lines, into an `InputError` of one line."""
        try:
            return call(**arguments)
        except (RuntimeError, TypeError, ValueError) as error:
            reason = " ".join(str(error)[:_LONGEST_REASON].split())
            raise InputError(f"{self.source}: LiteRT cannot run this file: {reason}") from error

    def _check_inputs(self, length: int, wanted: Mapping[str, Shape]) -> None:
        """Raises `InputError` unless a signature has exactly the `wanted` inputs, and an output "logits"."""
        inputs, outputs = self._tensors[length].inputs, self._tensors[length].outputs
        if set(inputs) != set(wanted) or "logits" not in outputs:
            names = " and ".join(f'"{name}"' for name in wanted)
            raise InputError(
                f'{self.source}: signature "{self._names[length]}" must have the input{"s" * (len(wanted) > 1)} '
                f'{names} and the output "logits". Received: {list_some(sorted(inputs))}; {list_some(sorted(outputs))}'
            )
        for name, shape in wanted.items():
            self._check_tensor(length, name, inputs[name], (1, length, *shape), INT32)

    def _check_tensor(self, length: int, name: str, tensor: Tensor, shape: Shape, kind: int) -> None:
        """Raises `InputError` unless a tensor of a signature has this shape and type."""
        if tensor.shape != shape or tensor.type != kind:
            raise InputError(
                f'{self.source}: "{name}" of signature "{self._names[length]}" must be {TYPE_NAMES[kind]} {shape}. '
                f"Received: {tensor}"
            )
