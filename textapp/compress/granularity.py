"""Granularity: which weights a converted file stores as integers, and which numbers of a weight share a scale."""

import dataclasses
import math
from collections.abc import Iterator
from typing import Any, Literal, get_args

import keras
from keras import activations, layers

from textapp.errors import InputError
from textapp.layers import CRF, AttentionPooling, LightRecurrence, SelfAttention
from textapp.layers.leaves import leaves

Lowering = Literal["fused", "unrolled"]
Kind = Literal["row", "tensor", "gate", "channel"]

QUANTIZED_FROM = 1024  # numbers: the converter leaves smaller tensors in float
GATES = 4  # of an LSTM
CLOSING_ROWS = 8  # extra rows of a fused LSTM with int8 activations, see `textapp.export.lowerings.recurrent_fused`
MATRICES: dict[type, tuple[str, ...]] = {
    layers.Dense: ("kernel",),
    layers.Conv1D: ("kernel",),
    layers.Conv2D: ("kernel",),
    AttentionPooling: ("kernel", "query"),
    SelfAttention: ("kernel", "output_kernel"),
    LightRecurrence: ("kernel",),
}
"""The attributes of a layer whose weights have a scale for each output channel."""


@dataclasses.dataclass(frozen=True)
class Granularity:
    """Which numbers of one weight share a scale in the converted file. Such numbers are a group.

    Attributes:
        kind: What a group is: a `row` of an embedding table, the whole `tensor`, a `gate` of a fused LSTM, or an output
            `channel`.
        view: Shape to which the weight is reshaped, so that groups are along axes.
        axes: Axes of the view that a group covers; each index of the other axes is a group.
        float_columns: Number of last columns that the file keeps in float, because they are a separate tensor that is
            too small.
    """

    kind: Kind
    view: tuple[int, ...]
    axes: tuple[int, ...]
    float_columns: int = 0

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of an array with one number per group: that of the view, with 1 along `axes`."""
        return tuple(1 if axis in self.axes else size for axis, size in enumerate(self.view))

    @property
    def count(self) -> int:
        """The number of groups, which is the number of scales."""
        return math.prod(self.shape) - self.float_columns


@dataclasses.dataclass(frozen=True)
class StoredWeight:
    """One weight of a model, and how the converted file stores it.

    Attributes:
        variable: The weight.
        layer: Name of its layer; for a layer inside another one, both names with a slash between.
        granularity: Which numbers share a scale; None if the file keeps the weight in float.
        device_rows: Number of rows that only the device's tensor has, see `textapp.export.lowerings.recurrent_fused`.
    """

    variable: keras.Variable
    layer: str
    granularity: Granularity | None = None
    device_rows: int = 0

    @property
    def is_table(self) -> bool:
        """Whether it is an embedding table, whose rows can be packed to fewer than eight bits."""
        return self.granularity is not None and self.granularity.kind in ("row", "tensor")


def stored_weights(model: keras.Model, lowering: Lowering = "fused", integer: bool = False) -> list[StoredWeight]:
    """Lists how `textapp.export` stores each weight of a model, with int8 weights.

    The rules come from files of the converter, and tests compare each rule with a file. An embedding table has a scale
    for each row, a fused LSTM one for each gate of its kernel and its recurrent kernel, any other matrix one for each
    output channel. Biases and tensors of fewer than 1,024 numbers stay float. A whole fused LSTM stays float if one of
    its gates is so small. The row that closes a fused LSTM's gates on padding is as large as the largest weight of its
    gate, so it changes no scale.

    Args:
        model: A functional Keras model of `Embedding`, `LSTM`, `GRU`, `SimpleRNN`, `Bidirectional`, `Dense`, `Conv1D`,
            `Conv2D`, the layers of `textapp.layers` and layers without matrices. A CRF stays float.
        lowering: How recurrent layers run on the device.
        integer: Whether activations are int8 too. A table then has one scale and a zero point, tensors of fewer than
            1,024 numbers are integers too, and biases are int32, whose rounding does not matter.

    Returns:
        The weights that the forward pass uses, each once, in the order of the layers.

    Raises:
        InputError: The model is not functional, or a layer has a matrix whose granularity is unknown.

    Example:
        >>> from textapp.config import Encoder, Words
        >>> from textapp.models.model import text_model
        >>> from textapp.tasks.classification.head import classification_head
        >>> model = text_model(Words(), Encoder(), classification_head(2), vocabulary_size=100)
        >>> table, kernel, *_ = stored_weights(model)
        >>> table.granularity.kind, table.granularity.count, kernel.granularity.kind, kernel.granularity.count
        ('row', 100, 'gate', 4)
    """
    if lowering not in get_args(Lowering):
        raise InputError(f"lowering {lowering!r}: must be one of {', '.join(get_args(Lowering))}")
    check_functional(model)
    found: dict[int, StoredWeight] = {}
    for name, layer in leaves(model):
        for weight in _of_layer(name, layer, lowering, integer):
            found.setdefault(id(weight.variable), weight)
    return list(found.values())


def check_functional(model: Any) -> None:
    """Raises `InputError` unless a model is functional: then its graph of layers is its whole computation."""
    # Only functional models have these members.
    if not isinstance(model, keras.Sequential) and not (
        isinstance(model, keras.Model) and hasattr(model, "output_names")
    ):
        raise InputError(
            f"model {getattr(model, 'name', model)!r} ({type(model).__name__}): must be a functional Keras model, "
            "keras.Model(inputs, outputs)"
        )


def fusable(layer: layers.LSTM) -> bool:
    """Whether the fused op can compute an LSTM; others are unrolled."""
    return layer.activation is activations.tanh and layer.recurrent_activation is activations.sigmoid


def _of_layer(name: str, layer: Any, lowering: Lowering, integer: bool) -> Iterator[StoredWeight]:
    """The weights of one layer."""
    known: dict[int, StoredWeight] = {}
    least = 1 if integer else QUANTIZED_FROM

    def store(variable: keras.Variable, granularity: Granularity | None, device_rows: int = 0) -> None:
        known[id(variable)] = StoredWeight(variable, name, granularity, device_rows)

    if isinstance(layer, layers.Embedding):
        rows = tuple(layer.embeddings.shape)
        table = Granularity("tensor", rows, (0, 1)) if integer else Granularity("row", rows, (1,))
        store(layer.embeddings, table if math.prod(rows) >= least else None)
    elif isinstance(layer, layers.LSTM) and lowering == "fused" and fusable(layer):
        for variable, granularity, device_rows in _fused(layer.cell, integer):
            store(variable, granularity, device_rows)
    elif isinstance(layer, layers.GRU) and not layer.reset_after:
        store(layer.cell.kernel, _per_channel(layer.cell.kernel, least))
        store(layer.cell.recurrent_kernel, _per_channel_of_gates(layer.cell.recurrent_kernel, layer.units, least))
    elif isinstance(layer, layers.LSTM | layers.GRU | layers.SimpleRNN):
        store(layer.cell.kernel, _per_channel(layer.cell.kernel, least))
        store(layer.cell.recurrent_kernel, _per_channel(layer.cell.recurrent_kernel, least))
    elif type(layer) in MATRICES:
        for attribute in MATRICES[type(layer)]:
            store(getattr(layer, attribute), _per_channel(getattr(layer, attribute), least))
    elif isinstance(layer, CRF):
        return  # the decoder reads its transitions; the file does not have them
    for variable in layer.weights:
        if not variable.dtype.startswith("float"):  # the seed of a dropout
            continue
        if id(variable) not in known and len(variable.shape) > 1 and not variable.path.endswith("bias"):
            raise InputError(
                f"layer {layer.name!r} ({type(layer).__name__}): unknown how a file quantizes {variable.path}"
            )
        yield known.get(id(variable), StoredWeight(variable, name))


def _fused(cell: Any, integer: bool) -> Iterator[tuple[keras.Variable, Granularity | None, int]]:
    """The matrices of a fused LSTM: all float if the tensor of one gate is too small."""
    width, units = cell.kernel.shape[0], cell.units
    # The rows that close the gates on padding, more of them with int8 activations, and zeros up to a multiple of four.
    closing = CLOSING_ROWS if integer else 1
    device_rows = closing + -(width + closing) % 4
    quantized = integer or min(width + device_rows, units) * units >= QUANTIZED_FROM
    for kernel, rows in ((cell.kernel, device_rows), (cell.recurrent_kernel, 0)):
        granularity = Granularity("gate", (kernel.shape[0], GATES, units), (0, 2))
        yield kernel, granularity if quantized else None, rows


def _per_channel(kernel: keras.Variable, least: int) -> Granularity | None:
    """A group for each index of the last axis; None for float."""
    view = tuple(kernel.shape)
    return Granularity("channel", view, tuple(range(len(view) - 1))) if math.prod(view) >= least else None


def _per_channel_of_gates(kernel: keras.Variable, units: int, least: int) -> Granularity | None:
    """The recurrent kernel `(H, 3H)` of a GRU whose candidate is a separate matrix product and so a separate tensor."""
    float_columns = units if units**2 < least else 0
    granularity = Granularity("channel", tuple(kernel.shape), (0,), float_columns)
    return granularity if units * 2 * units >= least else None
