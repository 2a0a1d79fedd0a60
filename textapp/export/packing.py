"""Embedding rows of 4 or 2 bits a number, which the converter cannot write.

EMBEDDING_LOOKUP reads rows of INT4 (two numbers a byte) and INT2 (four), the first number in the lowest bits. It
unpacks only the rows that it looks up. A row must fill whole bytes, as the device finds a row by its first byte.
"""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

from textapp.compress.granularity import QUANTIZED_FROM, Granularity
from textapp.compress.rounding import levels, rounded, row_bits
from textapp.errors import InputError
from textapp.export.flatbuffer import operator_code, read, write
from textapp.layers.leaves import leaves

TYPES = {4: schema.TensorType.INT4, 2: schema.TensorType.INT2}


def pack_rows(content: bytes, lowered: keras.Model, bits: int) -> bytes:
    """Stores the embedding tables of a converted file in fewer bits.

    Args:
        content: The converter's file with int8 weights, before `rewrite`, which later splits off the row scales.
        lowered: The model that the file was made from. Its float tables are rounded, since int8 numbers would be
            rounded twice. Tables that `textapp.compress` has already rounded are stored exactly.
        bits: 4 or 2. A table whose width does not allow 2 gets 4. A table whose width allows neither, or that is too
            small to be quantized, is not changed.

    Returns:
        The file, with one scale for each row; numbers are symmetric: -7 to 7, or -1 to 1.

    Raises:
        InputError: No table can be packed.
    """
    file = read(content)
    tables = [variable.numpy() for variable in _tables(lowered)]
    packed: dict[int, NDArray[np.float32]] = {}  # buffer (signatures may share one) -> scales
    for subgraph in file.subgraphs:
        for index in _integer_tables(file, subgraph):
            tensor = subgraph.tensors[index]
            stored = row_bits(int(tensor.shape[1]), bits)
            if stored not in TYPES:
                continue
            if tensor.buffer not in packed:
                integers, packed[tensor.buffer] = quantized_rows(_source(file, tensor, tables), stored)
                file.buffers[tensor.buffer].data = packed_bytes(integers, stored)
            tensor.type, tensor.quantization.scale = TYPES[stored], packed[tensor.buffer]
    if not packed:
        widths = ", ".join(str(table.shape[1]) for table in tables) or "none"
        raise InputError(
            f"recipe: no embedding table can be packed to {bits} bits; it needs 1,024 numbers and an even width. "
            f"Received widths: {widths}"
        )
    return write(file)


def round_rows(model: keras.Model, bits: int) -> keras.Model:
    """Rounds the embedding tables of a model in place as `pack_rows` does. The file must agree with this model.

    Returns:
        The model.
    """
    for variable in _tables(model):
        rows, width = variable.shape
        if rows * width >= QUANTIZED_FROM:
            granularity = Granularity("row", (rows, width), (1,))
            variable.assign(rounded(variable.value, granularity, row_bits(width, bits)))
    return model


def quantized_rows(table: NDArray[np.float32], bits: int) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """The integers `(V, E)` of a table and the scale `(V,)` of each row."""
    scales = np.abs(table).max(axis=1) / np.float32(levels(bits))
    scales[scales == 0] = 1
    return np.rint(table / scales[:, None]).astype(np.int8), scales


def packed_bytes(integers: NDArray[np.int8], bits: int) -> NDArray[np.uint8]:
    """Integers as bytes of 8 / bits numbers each, the first in the lowest bits, in two's complement."""
    in_a_byte = 8 // bits
    numbers = integers.reshape(-1, in_a_byte).view(np.uint8) & (2**bits - 1)
    return np.bitwise_or.reduce(numbers << np.arange(0, 8, bits, dtype=np.uint8), axis=1)


def _tables(model: keras.Model) -> list[keras.Variable]:
    """The embedding tables `(V, E)` of a model, lowered or not."""
    return [layer.embeddings for _, layer in leaves(model) if isinstance(layer, keras.layers.Embedding)]


def _integer_tables(file: Any, subgraph: Any) -> list[int]:
    """The indices of the tables that the converter stored in int8."""
    lookups = [o for o in subgraph.operators if operator_code(file, o) == schema.BuiltinOperator.EMBEDDING_LOOKUP]
    indices = dict.fromkeys(int(lookup.inputs[1]) for lookup in lookups)
    return [index for index in indices if subgraph.tensors[index].type == schema.TensorType.INT8]


def _source(file: Any, tensor: Any, tables: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
    """The float table that an int8 table was made from."""
    scales = tensor.quantization.scale[:, None]
    values = file.buffers[tensor.buffer].data.view(np.int8).reshape(tensor.shape) * scales
    for table in tables:
        if table.shape == values.shape and np.all(np.abs(values - table) <= 0.51 * scales):
            return table
    raise ValueError(f"`lowered` must be the model of the file. Received: one without its table {values.shape}")
