"""The models of bundles: token ids in, logits out, of a text or of each of its tokens."""

from collections.abc import Mapping, Sequence
from os import PathLike
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from textapp.runtime.signatures import Shape, Signatures


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
    """A TFLite classifier of token ids with one signature per text length; see `Signatures`.

    Args:
        content: bytes of the TFLite file. The interpreter reads its weights in place.
        signatures: length in tokens -> name of the signature, shortest first.
        classes: number of classes `C` that each signature's logits must have.
        source: where `content` comes from, for error messages.
        threads: positive integer, the threads that one call may use.

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
        self._signatures = Signatures(content, signatures, {"token_ids": ()}, source, threads)
        self.lengths = self._signatures.lengths
        self._signatures.check_output("logits", lambda _: (1, classes))
        self._has_attention = self._signatures.check_output(
            "attention_weights", lambda length: (1, length), optional=True
        )

    def run(self, token_ids: Sequence[int]) -> Outputs:
        """Runs the model on one text.

        Args:
            token_ids: at most as many ids as the largest length, without padding; none for an empty text.

        Raises:
            InputError: LiteRT cannot run the model, or its scores are not finite.
        """
        outputs = self._signatures.run(len(token_ids), token_ids=token_ids)
        self._signatures.require_finite(outputs["logits"])
        return Outputs(outputs["logits"], outputs["attention_weights"] if self._has_attention else None)


class DeviceTagModel:
    """A TFLite tagger with one signature per text length; see `Signatures`.

    Args:
        content: bytes of the TFLite file. The interpreter reads its weights in place.
        signatures: length in tokens -> name of the signature, shortest first.
        tags: number of tags `K` that each signature's logits must have.
        inputs: name of each input -> its shape behind the tokens; see `TokenEncoder.inputs`.
        source: where `content` comes from, for error messages.
        threads: positive integer, the threads that one call may use.

    Raises:
        InputError: LiteRT cannot read `content`, or its signatures are not those that are asked for.
    """

    def __init__(
        self,
        content: bytes,
        signatures: Mapping[int, str],
        tags: int,
        inputs: Mapping[str, Shape],
        source: str | PathLike[str],
        threads: int = 1,
    ):
        self._signatures = Signatures(content, signatures, inputs, source, threads)
        self.lengths = self._signatures.lengths
        self._signatures.check_output("logits", lambda length: (1, length, tags))

    def run(self, inputs: Mapping[str, ArrayLike]) -> NDArray[np.float32]:
        """Runs the model on one text.

        Args:
            inputs: integers `(n, ...)` by the name of each input, of at most as many tokens as the largest length, and
                without padding behind them.

        Returns:
            Logits, float32 `(n, K)`.

        Raises:
            InputError: LiteRT cannot run the model, or its scores are not finite.
        """
        count = len(np.asarray(inputs["token_ids"]))
        logits = self._signatures.run(count, **inputs)["logits"][:count]
        self._signatures.require_finite(logits)
        return logits
