"""The LiteRT interpreter over a bundle's model: token ids in, logits and attention weights out."""

import threading
from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from os import PathLike
from typing import Any, NamedTuple

import numpy as np
from ai_edge_litert.interpreter import Interpreter
from numpy.typing import NDArray

from textapp.errors import InputError
from textapp.text.vocabulary import PAD_ID


class Outputs(NamedTuple):
    """What the model says of one text.

    Attributes:
        logits: float32 `(C,)`.
        attention_weights: float32 `(T,)` with T the length of the signature that ran, 0 on padding; None for a model
            without attention.
    """

    logits: NDArray[np.float32]
    attention_weights: NDArray[np.float32] | None


class DeviceModel:
    """A TFLite classifier of token ids with one signature per text length.

    A text runs in the shortest signature that holds it, so that it pays for few steps of padding. LiteRT allocates a
    signature's tensors when it first runs; a length that no text needs costs no memory.

    Calls go through LiteRT's public signature runner. Its checks cost about 4 microseconds a call over the private
    wrapper beneath it (measured with ai-edge-litert 2.3 on x86-64), against some 50 for a model of 16 tokens.

    One interpreter runs one text at a time: a lock makes calls from several threads safe, not parallel.

    Args:
        content: bytes of the TFLite file. The interpreter reads its weights in place.
        signatures: length in tokens -> name of the signature, shortest first.
        classes: number of classes `C` that each signature's logits must have.
        source: where `content` comes from, for error messages.
        threads: positive integer, the threads that one call may use. One is fastest for models of this size.

    Raises:
        InputError: LiteRT cannot read `content`, or its signatures are not those that are asked for.
    """

    def __init__(
        self,
        content: bytes,
        signatures: Mapping[int, str],
        classes: int,
        source: str | PathLike[str],
        threads: int = 1,
    ):
        if type(threads) is not int or threads < 1:
            raise ValueError(f"`threads` must be a positive integer. Received: threads={threads!r}")
        self.lengths = tuple(signatures)
        self._source = source
        self._lock = threading.Lock()
        interpreter = self._attempt(Interpreter, model_content=content, num_threads=threads)
        in_file, wanted = sorted(interpreter.get_signature_list()), sorted(signatures.values())
        if in_file != wanted:
            raise InputError(f"{source}: the model's signatures are {in_file}, but bundle.json names {wanted}")
        self._runners = {length: interpreter.get_signature_runner(name) for length, name in signatures.items()}
        for length, name in signatures.items():
            self._check_signature(length, name, classes)
        self._has_attention = "attention_weights" in self._runners[self.lengths[0]].get_output_details()
        self._rows = {length: np.full((1, length), PAD_ID, np.int32) for length in self.lengths}

    def run(self, token_ids: Sequence[int]) -> Outputs:
        """Runs the model on one text.

        Args:
            token_ids: at most as many ids as the largest length, without padding; none for an empty text.

        Raises:
            InputError: LiteRT cannot run the model, or its scores are not finite.
        """
        count = len(token_ids)
        if count > self.lengths[-1]:
            raise ValueError(f"`token_ids` must hold at most {self.lengths[-1]} ids. Received: {count}")
        length = self.lengths[bisect_left(self.lengths, count)]
        with self._lock:
            row = self._rows[length]
            row[0, :count] = token_ids
            row[0, count:] = PAD_ID
            outputs = self._attempt(self._runners[length], token_ids=row)
        logits = outputs["logits"][0]
        if not np.isfinite(logits).all():
            raise InputError(f"{self._source}: the model's scores are not finite: {logits.tolist()}; export it again")
        return Outputs(logits, outputs["attention_weights"][0] if self._has_attention else None)

    def _attempt(self, call: Callable[..., Any], **arguments: Any) -> Any:
        """Calls into LiteRT and turns its errors, which may span lines, into an `InputError` of one line."""
        try:
            return call(**arguments)
        except (RuntimeError, ValueError) as error:
            raise InputError(f"{self._source}: LiteRT cannot run this file: {' '.join(str(error).split())}") from error

    def _check_signature(self, length: int, name: str, classes: int) -> None:
        """Raises `InputError` unless a signature has the tensors of its length."""
        runner = self._runners[length]
        inputs, outputs = runner.get_input_details(), runner.get_output_details()
        if list(inputs) != ["token_ids"] or "logits" not in outputs:
            raise InputError(
                f'{self._source}: signature "{name}" must have the input "token_ids" and the output "logits". '
                f"Received: {list(inputs)} and {list(outputs)}"
            )
        self._check_tensor(name, inputs["token_ids"], "token_ids", (1, length), np.int32)
        self._check_tensor(name, outputs["logits"], "logits", (1, classes), np.float32)
        if "attention_weights" in outputs:
            self._check_tensor(name, outputs["attention_weights"], "attention_weights", (1, length), np.float32)
        elif any("attention_weights" in other.get_output_details() for other in self._runners.values()):
            raise InputError(
                f'{self._source}: signature "{name}" lacks the output "attention_weights" that others have'
            )

    def _check_tensor(
        self, signature: str, details: Mapping[str, Any], name: str, shape: tuple[int, ...], dtype: type
    ) -> None:
        """Raises `InputError` unless a tensor of a signature has the shape and type that it should."""
        received = tuple(int(size) for size in details["shape"])
        if received != shape or details["dtype"] is not dtype:
            raise InputError(
                f'{self._source}: "{name}" of signature "{signature}" must be {dtype.__name__} {shape}. '
                f"Received: {details['dtype'].__name__} {received}"
            )
