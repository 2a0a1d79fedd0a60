"""The model of a bundle: from ids to the logits of a text or of each of its tokens."""

from collections.abc import Callable, Mapping
from os import PathLike

import numpy as np
from numpy.typing import ArrayLike

from textapp.runtime.predictor import Outputs
from textapp.runtime.signatures import Shape, Signatures


class DeviceModel:
    """A TFLite model with one signature per text length; see `Signatures`.

    Args:
        content: bytes of the TFLite file. The interpreter reads its weights in place.
        signatures: length in tokens -> name of the signature, shortest first.
        inputs: name of each input -> its shape after the tokens; see `TokenEncoder.inputs`.
        logits: function from a signature's length in tokens T to the shape of its output "logits", with the axis of one
            text.
        source: where `content` comes from, for error messages.
        threads: positive integer, the threads that one call may use.

    Attributes:
        lengths: the lengths, shortest first.
        table_rows: name of each input -> the numbers of rows of the tables that its ids are looked up in.

    Raises:
        InputError: `content` breaks a rule of `check_model`, or has other signatures than `signatures`.
    """

    def __init__(
        self,
        content: bytes,
        signatures: Mapping[int, str],
        inputs: Mapping[str, Shape],
        logits: Callable[[int], Shape],
        source: str | PathLike[str],
        threads: int = 1,
    ):
        self._signatures = Signatures(content, signatures, inputs, source, threads)
        self.lengths = self._signatures.lengths
        self.table_rows = {name: self._signatures.table_rows(name) for name in inputs}
        self._signatures.check_output("logits", logits)
        self._per_token = len(logits(1)) == 3
        self._has_attention = self._signatures.check_output(
            "attention_weights", lambda length: (1, length), optional=True
        )

    def run(self, inputs: Mapping[str, ArrayLike]) -> Outputs:
        """Runs the model on one text.

        Args:
            inputs: input name -> integers `(n, ...)` without padding, n from 0 to the largest length.

        Raises:
            InputError: LiteRT cannot run the model, or its scores are not finite.
        """
        count = len(np.asarray(inputs["token_ids"]))
        outputs = self._signatures.run(count, **inputs)
        logits = outputs["logits"][:count] if self._per_token else outputs["logits"]
        self._signatures.require_finite(logits)
        return Outputs(logits, outputs["attention_weights"][:count] if self._has_attention else None)
