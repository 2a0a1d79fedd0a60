"""The tensors of a model file, and an operator with its tensors, as the rules see them."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from textapp.errors import InputError

Shape = tuple[int, ...]

FLOAT32, FLOAT16, INT32, INT64, BOOL, INT16, INT8, INT4, INT2 = 0, 1, 2, 4, 6, 7, 9, 17, 19
TYPE_NAMES = {
    FLOAT32: "float32",
    FLOAT16: "float16",
    INT32: "int32",
    INT64: "int64",
    BOOL: "bool",
    INT16: "int16",
    INT8: "int8",
    INT4: "int4",
    INT2: "int2",
}
BITS = {FLOAT32: 32, FLOAT16: 16, INT32: 32, INT64: 64, BOOL: 8, INT16: 16, INT8: 8, INT4: 4, INT2: 2}
DTYPES = {FLOAT32: "<f4", FLOAT16: "<f2", INT32: "<i4", INT64: "<i8", INT8: "i1"}

MOST_AXES = 6
BROADCAST_RANK = 4  # of most kernels that broadcast; more axes would be written past the end of an array
LARGEST_STEP = 1 << 16  # of strides, dilations and windows: products of two of them and a size fit into 64 bits


@dataclass(frozen=True, eq=False)
class Tensor:
    """A tensor of the file.

    Attributes:
        shape: Its sizes.
        type: Its number in the schema.
        data: Its bytes; None for one that is computed.
        buffer: The number of its buffer.
        scales: float32; empty for a tensor that is not quantized.
        zero_points: int64, one a scale.
        axis: The axis that has a scale for each index, if there are several scales.
        is_variable: Whether it keeps its content from call to call, as the state of an LSTM does.
    """

    shape: Shape
    type: int
    data: memoryview | None
    buffer: int
    scales: NDArray[np.float32]
    zero_points: NDArray[np.int64]
    axis: int
    is_variable: bool

    @cached_property
    def size(self) -> int:
        """The number of its elements."""
        return math.prod(self.shape)

    @cached_property
    def nbytes(self) -> int:
        """The bytes that its elements take."""
        return (self.size * BITS[self.type] + 7) // 8

    @cached_property
    def numbers(self) -> NDArray[Any]:
        """The elements of a constant of integers."""
        return np.frombuffer(self.data or b"", DTYPES[self.type])

    @cached_property
    def bounds(self) -> tuple[int, int]:
        """The least and the largest element of a constant of integers."""
        return int(self.numbers.min()), int(self.numbers.max())

    def __str__(self) -> str:
        return f"{TYPE_NAMES[self.type]} {self.shape}"


@dataclass(frozen=True)
class Call:
    """An operator with its tensors.

    Attributes:
        inputs: None for one that is left out.
        outputs: As the file has them.
        options: The fields of its options.
        intermediates: Tensors that tell an LSTM its inner scales.
    """

    inputs: Sequence[Tensor | None]
    outputs: Sequence[Tensor]
    options: Mapping[str, Any]
    intermediates: Sequence[Tensor] = ()

    def tensor(self, index: int) -> Tensor:
        """An input that must be there."""
        found = self.inputs[index]
        if found is None:
            raise InputError(f"input {index} must not be left out")
        return found

    def constant(self, index: int, rank: int, types: Sequence[int] = (INT32, INT64)) -> Tensor:
        """An input that must be constant integers of at most `rank` axes."""
        found = self.tensor(index)
        require(found.data is not None, f"input {index} must be a constant")
        require(found.type in types and len(found.shape) <= rank, f"input {index} must be integers. Received: {found}")
        return found

    def constants(
        self, index: int, rank: int, types: Sequence[int] = (INT32, INT64), most: int = 2 * MOST_AXES
    ) -> list[int]:
        """The elements of such an input: axes, sizes, paddings; not more than `most`."""
        found = self.constant(index, rank, types)
        require(found.size <= most, f"input {index} must be at most {most} integers. Received: {found}")
        values: list[int] = found.numbers.tolist()
        return values

    def axis(self, index: int, rank: int) -> int:
        """The axis that a constant input names."""
        values = self.constants(index, 1, (INT32,))
        require(len(values) == 1, f"input {index} must be one axis. Received: {values}")
        return axis_of(values[0], rank)


Result = Sequence[tuple[Shape, int]]
"""Shape and type of each output."""
Rule = Callable[[Call], Result]


def require(holds: bool, rule: str) -> None:
    """Raises `InputError` unless a rule holds."""
    if not holds:
        raise InputError(rule)


def axis_of(axis: int, rank: int) -> int:
    """An axis counted from the front. Raises `InputError` if it is out of range."""
    require(-rank <= axis < rank, f"axis {axis} must be one of {rank}")
    return axis % rank


def broadcast(shapes: Sequence[Shape], rank: int = BROADCAST_RANK) -> Shape:
    """The shape of an operation on tensors that are broadcast."""
    if all(shape == shapes[0] for shape in shapes):
        return shapes[0]
    longest = max(map(len, shapes))
    require(longest <= rank, f"shapes {list(shapes)} must have at most {rank} axes to be broadcast")
    result = []
    for sizes in zip(*((1,) * (longest - len(shape)) + shape for shape in shapes), strict=True):
        size = max(sizes)
        require(all(one in (1, size) for one in sizes), f"shapes {list(shapes)} must fit each other")
        result.append(size)
    return tuple(result)


def same_type(*tensors: Tensor, allowed: Sequence[int] = (FLOAT32, INT8, INT32, INT64, BOOL)) -> int:
    """The one type of tensors."""
    types = {tensor.type for tensor in tensors}
    require(len(types) == 1 and types <= set(allowed), f"inputs cannot be {', '.join(map(str, tensors))}")
    return tensors[0].type
