"""What `textapp quantize` was asked to do."""

import dataclasses
from typing import Annotated, Literal

from textapp.errors import InputError
from textapp.settings import MOST, Config, Range


@dataclasses.dataclass(frozen=True)
class QuantizeConfig(Config):
    """`textapp quantize`: how many bits, for which file, how a finished run trains on; all else is the run's own."""

    # Rounding
    bits: Annotated[int, Range(2, 8), "Of matrices; files store them in int8, fewer are for research."] = 8
    embedding_bits: Annotated[int, Range(2, 8), "Of embedding rows; 4 and less are packed."] = 8
    activation_bits: Annotated[int, "8 for a file that computes in int8; 0 for float activations."] = 0
    lowering: Annotated[Literal["fused", "unrolled"], "How the run will be exported: scales differ."] = "fused"
    # Training
    epochs: Annotated[int, Range(0, MOST), "Passes over the training split; 0 rounds without training."] = 5
    learning_rate: Annotated[
        float, Range(0, open_low=True), "The peak: a tenth of what most runs were trained with."
    ] = 1e-4
    warmup: Annotated[float, Range(0, 1, open_high=True), "Share of all steps in which the rate rises."] = 0.1
    delay: Annotated[float, Range(0, 1), "Share of all steps before the rounding begins."] = 0.0
    freeze: Annotated[float, Range(0, 1), "Share of all steps after which ranges stand still; 1 for never."] = 1.0
    patience: Annotated[int, Range(0, MOST), "Epochs without a better validation score before training stops."] = 5

    def check(self) -> None:
        """Raises `InputError` naming the first setting that is out of range."""
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
