"""The smallest models of textapp: the scores of a token are a row of a table, and those of a text their sum.

They are files of LiteRT with two or three operators, made without training and without TensorFlow.
"""

from collections.abc import Sequence
from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

_OPERATORS = ("RESHAPE", "EMBEDDING_LOOKUP", "SUM")


def signature_name(length: int) -> str:
    """The name of the signature of a length in tokens."""
    return f"tokens_{length}"


def table_model(table: NDArray[np.float32], lengths: Sequence[int], per_token: bool) -> bytes:
    """The file of a model that looks its scores up.

    Args:
        table: float32 `(V, C)`, the scores of each word. The row of the padding must be 0.
        lengths: lengths of the signatures, in tokens.
        per_token: whether tokens have scores, `(1, T, C)`, or the text, `(1, C)`.
    """
    file = schema.ModelT()
    file.version, file.description = 3, "textapp conformance"
    file.operatorCodes = [_code(name) for name in _OPERATORS]
    file.buffers = [schema.BufferT(), _buffer(table)]
    file.subgraphs, file.signatureDefs = [], []
    for number, length in enumerate(lengths):
        file.subgraphs.append(_graph(file, table.shape, length, per_token))
        signature = schema.SignatureDefT()
        signature.signatureKey, signature.subgraphIndex = signature_name(length), number
        signature.inputs = [_named("token_ids", file.subgraphs[number].inputs[0])]
        signature.outputs = [_named("logits", file.subgraphs[number].outputs[0])]
        file.signatureDefs.append(signature)
    builder = flatbuffers.Builder(1 << 12)
    builder.Finish(file.Pack(builder), file_identifier=b"TFL3")
    return bytes(builder.Output())


def _graph(file: Any, shape: tuple[int, ...], length: int, per_token: bool) -> Any:
    """The subgraph of a signature."""
    entries, classes = shape
    graph = schema.SubGraphT()
    graph.name = signature_name(length)
    graph.tensors, graph.operators = [], []

    def tensor(name: str, sizes: Sequence[int], kind: int, buffer: int = 0) -> int:
        made = schema.TensorT()
        made.name, made.shape, made.type, made.buffer = name, np.array(sizes, np.int32), kind, buffer
        graph.tensors.append(made)
        return len(graph.tensors) - 1

    def constant(name: str, numbers: Sequence[int]) -> int:
        file.buffers.append(_buffer(np.array(numbers, np.int32)))
        return tensor(name, [len(numbers)], schema.TensorType.INT32, len(file.buffers) - 1)

    def operator(name: str, inputs: Sequence[int], output: int) -> int:
        made = schema.OperatorT()
        made.opcodeIndex = _OPERATORS.index(name)
        made.inputs, made.outputs = np.array(inputs, np.int32), np.array([output], np.int32)
        if name == "SUM":
            made.builtinOptionsType, made.builtinOptions = (
                schema.BuiltinOptions.ReducerOptions,
                schema.ReducerOptionsT(),
            )
            made.builtinOptions.keepDims = True
        graph.operators.append(made)
        return output

    numbers = schema.TensorType.FLOAT32
    ids = tensor("token_ids", [1, length], schema.TensorType.INT32)
    flat = tensor("flat", [length], schema.TensorType.INT32)
    weights = tensor("table", [entries, classes], numbers, 1)
    rows = tensor("rows", [length, classes], numbers)
    operator("RESHAPE", [ids, constant("length", [length])], flat)
    operator("EMBEDDING_LOOKUP", [flat, weights], rows)
    if per_token:
        sizes = [1, length, classes]
        logits = operator("RESHAPE", [rows, constant("sizes", sizes)], tensor("logits", sizes, numbers))
    else:
        logits = operator("SUM", [rows, constant("axis", [0])], tensor("logits", [1, classes], numbers))
    graph.inputs, graph.outputs = np.array([ids], np.int32), np.array([logits], np.int32)
    return graph


def _code(name: str) -> Any:
    """The code of an operator."""
    code = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = getattr(schema.BuiltinOperator, name)
    code.version = 1
    return code


def _buffer(numbers: NDArray[Any]) -> Any:
    """The bytes of a constant."""
    made = schema.BufferT()
    made.data = np.frombuffer(numbers.tobytes(), np.uint8)
    return made


def _named(name: str, number: int) -> Any:
    """An input or output of a signature."""
    made = schema.TensorMapT()
    made.name, made.tensorIndex = name, int(number)
    return made
