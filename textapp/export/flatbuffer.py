"""What the converter leaves to do in its file: put each thing in it once, and undo a clip that Keras does not have.

A TFLite file is a flatbuffer: tables that refer to each other by offset, so that one copy of a vector or table serves
any number of others. The converter writes every one anew: int8 LSTM weights once for each signature, a name, a shape
and an empty quantization for each of the thousands of tensors between unrolled steps, and a zero point of eight bytes
for each row of an int8 table. Devices read the rewritten file as any other, and get the same numbers to the bit, apart
from cell states beyond the converter's clip.

This works without TensorFlow.
"""

from typing import Any

import flatbuffers  # type: ignore[import-untyped]
import numpy as np
from ai_edge_litert import schema_py_generated as schema

Builtin = schema.BuiltinOperator


def read(content: bytes) -> Any:
    """The object form of a TFLite file."""
    return schema.ModelT.InitFromPackedBuf(content)


def operator_code(file: Any, operator: Any) -> int:
    """The `BuiltinOperator` of an operator."""
    code = file.operatorCodes[operator.opcodeIndex]
    return max(code.builtinCode, code.deprecatedBuiltinCode)  # codes beyond 127 are in the newer field alone


def compact(content: bytes) -> bytes:
    """Rewrites a converted file to be smaller and to give Keras' results for any cell state.

    Args:
        content: The converter's file.

    Returns:
        A file with the same signatures, tensors and operators, but an int8 `EMBEDDING_LOOKUP` with a scale for each row
        is split (see `split_row_scales`), and no LSTM clips its state.
    """
    file = read(content)
    for subgraph in file.subgraphs:
        split_row_scales(file, subgraph)
        for operator in subgraph.operators:
            if operator_code(file, operator) == Builtin.UNIDIRECTIONAL_SEQUENCE_LSTM:
                operator.builtinOptions.cellClip = 0.0  # the converter writes 10
        strip(subgraph)
    merge_buffers(file)
    return _write(file)


def split_row_scales(file: Any, subgraph: Any) -> None:
    """Moves the row scales of int8 tables into a table of their own: 4 bytes a row instead of 12.

    The format wants an int64 zero point beside each scale, though all are 0. So the int8 table gets the one scale 1,
    its scales become a float table `(V, 1)`, and the rows of the two are looked up and multiplied: the product that
    EMBEDDING_LOOKUP itself computes, to the bit.
    """
    lookups = [op for op in subgraph.operators if operator_code(file, op) == Builtin.EMBEDDING_LOOKUP]
    scale_tables = {}
    for table in {int(lookup.inputs[1]) for lookup in lookups}:
        quantization = subgraph.tensors[table].quantization
        if quantization is not None and quantization.scale is not None and len(quantization.scale) > 1:
            file.buffers.append(schema.BufferT(data=quantization.scale.view(np.uint8)))
            scale_tables[table] = _add_tensor(subgraph, (len(quantization.scale), 1), buffer=len(file.buffers) - 1)
            quantization.scale, quantization.zeroPoint = np.ones(1, np.float32), np.zeros(1, np.int64)

    operators = []
    for operator in subgraph.operators:
        operators.append(operator)
        if operator in lookups and operator.inputs[1] in scale_tables:
            ids, table = operator.inputs
            rows, result = subgraph.tensors[operator.outputs[0]].shape, operator.outputs
            values, factors = _add_tensor(subgraph, rows), _add_tensor(subgraph, (rows[0], 1))
            operator.outputs = np.array([values], np.int32)
            operators.append(_operator(operator.opcodeIndex, [ids, scale_tables[table]], [factors]))
            multiply = _operator(_opcode_index(file, Builtin.MUL), [values, factors], result)
            multiply.builtinOptionsType, multiply.builtinOptions = (
                schema.BuiltinOptions.MulOptions,
                schema.MulOptionsT(),
            )
            operators.append(multiply)
    subgraph.operators = operators


def strip(subgraph: Any) -> None:
    """Drops what no device reads: names (but those of inputs and outputs) and empty quantizations."""
    public = {*subgraph.inputs, *subgraph.outputs}
    for index, tensor in enumerate(subgraph.tensors):
        if index not in public:
            tensor.name = None
        if tensor.quantization is not None and tensor.quantization.scale is None:
            tensor.quantization = None


def merge_buffers(file: Any) -> None:
    """Gives tensors of equal content one buffer, and those without content the empty buffer 0."""
    kept = [schema.BufferT()]
    numbers: dict[bytes, int] = {}
    renumbered = []
    for buffer in file.buffers:
        if buffer.data is None:
            renumbered.append(0)
            continue
        number = numbers.setdefault(np.asarray(buffer.data).tobytes(), len(kept))
        if number == len(kept):
            kept.append(buffer)
        renumbered.append(number)
    file.buffers = kept
    for subgraph in file.subgraphs:
        for tensor in subgraph.tensors:
            tensor.buffer = renumbered[tensor.buffer]
    for entry in file.metadata or []:
        entry.buffer = renumbered[entry.buffer]
    file.metadataBuffer = None  # an old index of the same


def _add_tensor(subgraph: Any, shape: Any, buffer: int = 0) -> int:
    """Appends a float32 tensor and returns its index."""
    subgraph.tensors.append(schema.TensorT(shape=np.array(shape, np.int32), buffer=buffer, hasRank=True))
    return len(subgraph.tensors) - 1


def _operator(opcode_index: int, inputs: Any, outputs: Any) -> Any:
    """An operator without options."""
    return schema.OperatorT(
        opcodeIndex=opcode_index, inputs=np.array(inputs, np.int32), outputs=np.array(outputs, np.int32)
    )


def _opcode_index(file: Any, builtin: int) -> int:
    """The index of a builtin operator's code in the file, added where it is new."""
    for index, code in enumerate(file.operatorCodes):
        if max(code.builtinCode, code.deprecatedBuiltinCode) == builtin:
            return index
    file.operatorCodes.append(schema.OperatorCodeT(builtinCode=builtin, deprecatedBuiltinCode=min(builtin, 127)))
    return len(file.operatorCodes) - 1


def _write(file: Any) -> bytes:
    """Packs a file, equal tensors, options and vectors once."""
    pool: dict[Any, _Shared] = {}
    for subgraph in file.subgraphs:
        subgraph.tensors = [pool.setdefault(_content(tensor), _Shared(tensor)) for tensor in subgraph.tensors]
        for operator in subgraph.operators:
            options = operator.builtinOptions
            if options is not None:
                operator.builtinOptions = pool.setdefault(_content(options), _Shared(options))
    builder = _SharingBuilder(1 << 20)
    builder.Finish(file.Pack(builder), file_identifier=b"TFL3")
    return bytes(builder.Output())


def _content(value: Any) -> Any:
    """A hashable stand-in for a table's content, equal where the content is."""
    if isinstance(value, np.ndarray):
        return value.dtype.str, value.shape, value.tobytes()
    if hasattr(value, "__dict__"):
        return type(value), tuple((name, _content(part)) for name, part in vars(value).items())
    return value


class _Shared:
    """Stands for all tables of equal content: packed once, referred to by each."""

    def __init__(self, table: Any):
        self.table = table
        self.offset: int | None = None

    def Pack(self, builder: Any) -> int:
        """The offset of the one copy."""
        if self.offset is None:
            self.offset = self.table.Pack(builder)
        return self.offset


class _SharingBuilder(flatbuffers.Builder):
    """A builder that writes equal vectors once, and aligns buffers as the schema demands."""

    def __init__(self, size: int):
        super().__init__(size)
        self._vectors: dict[Any, int] = {}

    def CreateNumpyVector(self, x: np.ndarray) -> int:
        """The offset of the one vector of this content."""
        key = _content(x)
        if key not in self._vectors:
            self._vectors[key] = super().CreateNumpyVector(x)
        return self._vectors[key]

    def StartVector(self, elemSize: int, numElems: int, alignment: int) -> int:
        """Begins a vector; one of bytes, which kernels read as wider numbers, at a multiple of 16."""
        return super().StartVector(elemSize, numElems, 16 if elemSize == 1 else alignment)
