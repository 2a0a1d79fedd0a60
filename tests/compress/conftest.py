"""What a converted file holds, read from its flatbuffer and brought back to the shapes of Keras' weights."""

from collections.abc import Callable
from typing import NamedTuple

import keras
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from textapp.export import convert, flatbuffer, lower

Builtin = schema.BuiltinOperator


class Stored(NamedTuple):
    """One constant of the file: integers with the scale of each group along the first axis, or float with None."""

    values: np.ndarray
    scales: np.ndarray | None

    @property
    def floats(self) -> np.ndarray:
        """float32(integer * scale), what the device computes with."""
        if self.scales is None:
            return self.values
        return self.values.astype("f4") * self.scales.reshape(-1, *[1] * (self.values.ndim - 1))

    @property
    def size(self) -> int:
        """Bytes of the numbers and the scales."""
        return self.values.nbytes + (0 if self.scales is None else self.scales.nbytes)


class File:
    """The operators of a file's first signature, in order, with their constants."""

    def __init__(self, content: bytes):
        self.file = flatbuffer.read(content)
        self.graph = self.file.subgraphs[0]

    def operators(self, name: str) -> list:
        code = getattr(Builtin, name)
        return [o for o in self.graph.operators if flatbuffer.operator_code(self.file, o) == code]

    def constant(self, index: int) -> Stored | None:
        tensor = self.graph.tensors[index]
        data = self.file.buffers[tensor.buffer].data
        if index < 0 or data is None:
            return None
        kinds = {schema.TensorType.INT8: np.int8, schema.TensorType.FLOAT32: np.float32}
        values = data.view(kinds[tensor.type]).reshape(tensor.shape)
        quantized = tensor.quantization is not None and tensor.quantization.scale is not None
        return Stored(values, tensor.quantization.scale if quantized else None)

    def tables(self) -> list[Stored]:
        """Embedding tables: integers or float, with the row scales from the table beside them."""
        found = [self.constant(operator.inputs[1]) for operator in self.operators("EMBEDDING_LOOKUP")]
        result = []
        for table in found:
            if table.values.dtype == np.int8:
                result.append(table)
            elif table.values.shape[1] == 1 and result:  # the scales of the table before
                result[-1] = Stored(result[-1].values, table.values[:, 0])
            else:
                result.append(table)
        return result

    def lstms(self) -> list[tuple[list[Stored], list[Stored]]]:
        """For each fused LSTM the four gates of its kernel and of its recurrent kernel, transposed to Keras' shape."""
        return [
            ([self.constant(i) for i in o.inputs[1:5]], [self.constant(i) for i in o.inputs[5:9]])
            for o in self.operators("UNIDIRECTIONAL_SEQUENCE_LSTM")
        ]

    def matrices(self) -> list[Stored]:
        """The constant weights of FULLY_CONNECTED and CONV_2D, each once, output channels first."""
        indices = dict.fromkeys(int(o.inputs[1]) for o in self.operators("FULLY_CONNECTED") + self.operators("CONV_2D"))
        constants = [self.constant(index) for index in indices]
        return [constant for constant in constants if constant is not None]


@pytest.fixture(scope="session")
def converted() -> Callable[..., File]:
    """The int8 file of a model, for texts of four tokens."""

    def content(model: keras.Model, lowering: str, max_characters: int | None = None) -> File:
        return File(convert(lower(model, lowering), [4], "dynamic_wi8_afp32", max_characters))

    return content


@pytest.fixture(scope="session")
def randomized() -> Callable[[keras.Model], keras.Model]:
    """Gives all weights of a model random values, groups of which differ in size."""

    def changed(model: keras.Model, seed: int = 3) -> keras.Model:
        rng = np.random.default_rng(seed)
        for variable in model.weights:
            if variable.dtype == "float32":
                sizes = rng.uniform(0.2, 2.0, variable.shape[-1:])
                variable.assign(rng.normal(scale=0.5, size=variable.shape) * sizes)
        return model

    return changed
