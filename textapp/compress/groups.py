"""Which weights a converted file stores as integers, and which of their numbers share a scale."""

import dataclasses
import math
from collections.abc import Iterator
from typing import Any, Literal, get_args

import keras
from keras import activations, layers

from textapp.errors import InputError
from textapp.layers import CRF, AttentionPooling, BigramEmbedding, CharacterCNN

Lowering = Literal["fused", "unrolled"]
Kind = Literal["row", "table", "gate", "channel"]

INTEGER_FROM = 1024  # numbers: the converter leaves smaller tensors in float
GATES = 4  # of an LSTM
CLOSING_ROWS = 8  # of a fused LSTM with int8 activations, see `textapp.export.recurrent_fused`


@dataclasses.dataclass(frozen=True)
class Groups:
    """The quantization groups of one weight: the numbers that share a scale in the converted file.

    Attributes:
        kind: `row` of an embedding table, the whole `table`, `gate` of a fused LSTM, or output `channel`.
        view: Shape that the weight is seen in.
        axes: Axes of the view that a group extends over; along the others each index is another group.
        float_columns: How many of the last columns the file keeps in float: a tensor of their own, too small.
    """

    kind: Kind
    view: tuple[int, ...]
    axes: tuple[int, ...]
    float_columns: int = 0

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of one number a group, that of the view with 1 along `axes`."""
        return tuple(1 if axis in self.axes else size for axis, size in enumerate(self.view))

    @property
    def count(self) -> int:
        """How many groups, and so scales, there are."""
        return math.prod(self.shape) - self.float_columns


@dataclasses.dataclass(frozen=True)
class StoredWeight:
    """One weight of a model, and what the converted file makes of it.

    Attributes:
        variable: The weight.
        layer: Its layer's name; that of a `Bidirectional`'s direction behind a slash.
        groups: Its groups; None where the file keeps it in float.
        device_rows: Rows that the device's tensor has beyond the weight's own, see `textapp.export.recurrent_fused`.
    """

    variable: keras.Variable
    layer: str
    groups: Groups | None = None
    device_rows: int = 0

    @property
    def is_table(self) -> bool:
        """Whether it is an embedding table, of which rows can be packed to less than eight bits."""
        return self.groups is not None and self.groups.kind in ("row", "table")


def stored_weights(model: keras.Model, lowering: Lowering = "fused", integer: bool = False) -> list[StoredWeight]:
    """Tells for each weight of a model how `textapp.export` stores it, with int8 weights.

    What the converter does was read from its files, and tests compare each rule with one: an embedding table has a
    scale a row, a fused LSTM one for each gate of its kernel and of its recurrent kernel, everything else one for each
    output channel. Biases and tensors below 1,024 numbers stay float; a fused LSTM stays float as a whole if one of its
    gates is that small. The row that closes a fused LSTM's gates on padding is as large as its gate's largest weight
    and changes no scale.

    Args:
        model: A functional Keras model of `Embedding`, `LSTM`, `GRU`, `SimpleRNN`, `Bidirectional`, `Dense`, `Conv1D`,
            `Conv2D`, `AttentionPooling`, `CharacterCNN`, `BigramEmbedding` and layers without matrices. A CRF stays
            float.
        lowering: How its recurrent layers will run on the device.
        integer: Whether activations will be int8 too. A table then has one scale and a zero point, tensors below 1,024
            numbers are integers as well, and biases are int32, too fine to matter.

    Returns:
        The weights that the forward pass uses, each once, in the order of the layers.

    Raises:
        InputError: The model is not functional, or a layer has matrices, but no known groups.

    Example:
        >>> from textapp.config import Encoder, Words
        >>> from textapp.models.model import text_model
        >>> from textapp.tasks.classification.head import classification_head
        >>> model = text_model(Words(), Encoder(), classification_head(2), vocabulary_size=100)
        >>> table, kernel, *_ = stored_weights(model)
        >>> table.groups.kind, table.groups.count, kernel.groups.kind, kernel.groups.count
        ('row', 100, 'gate', 4)
    """
    if lowering not in get_args(Lowering):
        raise InputError(f"lowering {lowering!r}: must be one of {', '.join(get_args(Lowering))}")
    check_functional(model)
    found: dict[int, StoredWeight] = {}
    for name, layer in _leaves(model):
        for weight in _of_layer(name, layer, lowering, integer):
            found.setdefault(id(weight.variable), weight)
    return list(found.values())


def check_functional(model: Any) -> None:
    """Raises `InputError` unless a model is one whose layers tell all that it does."""
    # What a functional model has and a subclassed one lacks.
    if not isinstance(model, keras.Sequential) and not (
        isinstance(model, keras.Model) and hasattr(model, "output_names")
    ):
        raise InputError(
            f"model {getattr(model, 'name', model)!r} ({type(model).__name__}): must be a functional Keras model, "
            "keras.Model(inputs, outputs)"
        )


def _leaves(model: keras.Model) -> Iterator[tuple[str, Any]]:
    """The layers with weights of their own, by name: those inside nested models and wrappers instead of these."""
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            yield from _leaves(layer)
        elif isinstance(layer, layers.Bidirectional):
            yield f"{layer.name}/forward", layer.forward_layer
            yield f"{layer.name}/backward", layer.backward_layer
        elif isinstance(layer, CharacterCNN):
            yield f"{layer.name}/embedding", layer.embedding
            yield f"{layer.name}/convolution", layer.convolution
        elif isinstance(layer, BigramEmbedding):
            yield f"{layer.name}/embedding", layer.embedding
        else:
            yield layer.name, layer


def _of_layer(name: str, layer: Any, lowering: Lowering, integer: bool) -> Iterator[StoredWeight]:
    """The weights of one layer."""
    known: dict[int, StoredWeight] = {}
    least = 1 if integer else INTEGER_FROM

    def store(variable: keras.Variable, groups: Groups | None, device_rows: int = 0) -> None:
        known[id(variable)] = StoredWeight(variable, name, groups, device_rows)

    if isinstance(layer, layers.Embedding):
        rows = tuple(layer.embeddings.shape)
        table = Groups("table", rows, (0, 1)) if integer else Groups("row", rows, (1,))
        store(layer.embeddings, table if math.prod(rows) >= least else None)
    elif isinstance(layer, layers.LSTM) and lowering == "fused" and _fusable(layer):
        for variable, groups, device_rows in _fused(layer.cell, integer):
            store(variable, groups, device_rows)
    elif isinstance(layer, layers.GRU) and not layer.reset_after:
        store(layer.cell.kernel, _channels(layer.cell.kernel, least))
        store(layer.cell.recurrent_kernel, _divided(layer.cell.recurrent_kernel, layer.units, least))
    elif isinstance(layer, layers.LSTM | layers.GRU | layers.SimpleRNN):
        store(layer.cell.kernel, _channels(layer.cell.kernel, least))
        store(layer.cell.recurrent_kernel, _channels(layer.cell.recurrent_kernel, least))
    elif type(layer) in (layers.Dense, layers.Conv1D, layers.Conv2D):
        store(layer.kernel, _channels(layer.kernel, least))
    elif isinstance(layer, AttentionPooling):
        store(layer.kernel, _channels(layer.kernel, least))
        store(layer.query, _channels(layer.query, least))
    elif isinstance(layer, CRF):
        return  # its transitions are read by the decoder, which is no part of the file
    for variable in layer.weights:
        if not variable.dtype.startswith("float"):  # a dropout's seed
            continue
        if id(variable) not in known and len(variable.shape) > 1 and not variable.path.endswith("bias"):
            raise InputError(
                f"layer {layer.name!r} ({type(layer).__name__}): it is not known how a file quantizes {variable.path}"
            )
        yield known.get(id(variable), StoredWeight(variable, name))


def _fusable(layer: layers.LSTM) -> bool:
    """Whether the fused op can compute an LSTM; others are unrolled."""
    return layer.activation is activations.tanh and layer.recurrent_activation is activations.sigmoid


def _fused(cell: Any, integer: bool) -> Iterator[tuple[keras.Variable, Groups | None, int]]:
    """The matrices of a fused LSTM: float as soon as one gate's tensor is too small."""
    width, units = cell.kernel.shape[0], cell.units
    # Those that close the gates on padding, more where activations are int8, and zeros up to a multiple of four.
    closing = CLOSING_ROWS if integer else 1
    device_rows = closing + -(width + closing) % 4
    quantized = integer or min(width + device_rows, units) * units >= INTEGER_FROM
    for kernel, rows in ((cell.kernel, device_rows), (cell.recurrent_kernel, 0)):
        groups = Groups("gate", (kernel.shape[0], GATES, units), (0, 2))
        yield kernel, groups if quantized else None, rows


def _channels(kernel: keras.Variable, least: int) -> Groups | None:
    """A group for each index of the last axis, or float."""
    view = tuple(kernel.shape)
    return Groups("channel", view, tuple(range(len(view) - 1))) if math.prod(view) >= least else None


def _divided(kernel: keras.Variable, units: int, least: int) -> Groups | None:
    """The recurrent kernel `(H, 3H)` of a GRU whose candidate has a matrix product, and so a tensor, of its own."""
    groups = Groups("channel", tuple(kernel.shape), (0,), float_columns=units if units**2 < least else 0)
    return groups if units * 2 * units >= least else None
