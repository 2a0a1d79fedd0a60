"""The settings of `textapp quantize`."""

import dataclasses
from typing import Annotated, Literal

from textapp.errors import InputError
from textapp.settings import MOST, Config, Range


@dataclasses.dataclass(frozen=True)
class QuantizeConfig(Config):
    """`textapp quantize`: bits, lowering and training. All other settings are those of the finished run."""

    # Rounding
    bits: Annotated[int, Range(2, 8), "Bits of matrices; files store int8, fewer bits are for research."] = 8
    embedding_bits: Annotated[int, Range(2, 8), "Bits of embedding rows; 4 bits and fewer are packed."] = 8
    activation_bits: Annotated[int, "8 for a file that computes in int8; 0 for float activations."] = 0
    lowering: Annotated[Literal["fused", "unrolled"], "Lowering of the later export: scales differ."] = "fused"
    # Training
    epochs: Annotated[int, Range(0, MOST), "Passes over the training split; 0 rounds without training."] = 5
    learning_rate: Annotated[
        float, Range(0, open_low=True), "The highest learning rate: a tenth of that of most trainings."
    ] = 1e-4
    warmup: Annotated[float, Range(0, 1, open_high=True), "Share of all steps in which the learning rate rises."] = 0.1
    delay: Annotated[float, Range(0, 1), "Share of all steps before the rounding begins."] = 0.0
    freeze: Annotated[float, Range(0, 1), "Share of all steps after which ranges are fixed; 1 for never."] = 1.0
    patience: Annotated[int, Range(0, MOST), "Epochs without a better validation score before training stops."] = 5

    def check(self) -> None:
        """Raises `InputError` that names the first setting that is out of range."""
        super().check()
        if self.activation_bits not in (0, 8):
            raise InputError(f"setting activation_bits: must be 0 (float) or 8; received {self.activation_bits}")
        if self.activation_bits and self.embedding_bits != 8:
            raise InputError(
                "setting activation_bits: a file that computes in int8 has tables of int8; set embedding_bits=8. "
                f"Received: embedding_bits={self.embedding_bits}"
            )
        if self.delay >= self.freeze:
            raise InputError(
                f"settings delay and freeze: must be from 0 to 1, delay below freeze; received {self.delay} and "
                f"{self.freeze}"
            )
