"""The bytes of each weight in the converted file, and its change by rounding."""

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from textapp.compress.granularity import StoredWeight
from textapp.compress.rounding import stored_bits

FLOAT_BYTES = 4


@dataclasses.dataclass(frozen=True)
class WeightSummary:
    """One weight in the converted file.

    Attributes:
        layer: Name of its layer; for a `Bidirectional`, with a slash and the layer of the direction.
        weight: Name of the weight in the layer.
        shape: Its shape in Keras.
        bits: Bits of the rounding; 32 for float.
        stored_bits: Bits in the file.
        groups: Number of scales.
        bytes: Bytes of its numbers, and of its scales, 4 each.
        share: Share of the bytes of all weights.
        error: Relative change by rounding: norm of the differences / norm of the weights; 0 for float.
    """

    layer: str
    weight: str
    shape: tuple[int, ...]
    bits: int
    stored_bits: int
    groups: int
    bytes: int
    share: float
    error: float

    def to_dict(self) -> dict[str, Any]:
        """The fields, ready for JSON."""
        return {**dataclasses.asdict(self), "shape": list(self.shape)}


def summarize(
    plan: Sequence[tuple[StoredWeight, int | None]], before: Sequence[np.ndarray], after: Sequence[np.ndarray]
) -> list[WeightSummary]:
    """Describes each weight of a model whose weights are rounded.

    Args:
        plan: `QuantizationAware.plan`.
        before: The value of each weight of the plan before rounding.
        after: The value of each weight after rounding.

    Returns:
        One entry per weight, in the plan's order. The sum of their bytes is that of the file's weights.
    """
    sizes = [_bytes(weight, bits) for weight, bits in plan]
    total = max(1, sum(sizes))
    return [
        WeightSummary(
            layer=weight.layer,
            weight=weight.variable.name,
            shape=tuple(weight.variable.shape),
            bits=bits or 8 * FLOAT_BYTES,
            stored_bits=8 * FLOAT_BYTES
            if weight.granularity is None or bits is None
            else stored_bits(weight.granularity, bits),
            groups=0 if weight.granularity is None else weight.granularity.count,
            bytes=size,
            share=size / total,
            error=_error(old, new),
        )
        for (weight, bits), size, old, new in zip(plan, sizes, before, after, strict=True)
    ]


def _bytes(weight: StoredWeight, bits: int | None) -> int:
    """The bytes of a weight's numbers and scales in the file."""
    shape, columns = weight.variable.shape, weight.variable.shape[-1] if weight.variable.shape else 1
    numbers = math.prod(shape) + weight.device_rows * columns
    if weight.granularity is None or bits is None:
        return FLOAT_BYTES * numbers
    floats = numbers // columns * weight.granularity.float_columns
    integers = (numbers - floats) * stored_bits(weight.granularity, bits) // 8
    return integers + FLOAT_BYTES * (floats + weight.granularity.count)


def _error(before: np.ndarray, after: np.ndarray) -> float:
    """The norm of the change divided by the norm of the weights."""
    return float(np.linalg.norm(after - before) / max(float(np.linalg.norm(before)), 1e-30))
