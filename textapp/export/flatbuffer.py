"""Reads TFLite files as objects, and writes them with equal parts stored once.

A TFLite file is a flatbuffer: its tables refer to each other by offset, so that several tables can share one vector or
table. The converter shares nothing: it writes int8 LSTM weights once for each signature, and a name, a shape and an
empty quantization for each of the thousands of tensors between unrolled steps. Devices read a file with shared parts
like any other.

This works without TensorFlow.
"""

from collections.abc import Sequence
from typing import Any

import flatbuffers  # type: ignore[import-untyped]
import numpy as np
from ai_edge_litert import schema_py_generated as schema


def read(content: bytes) -> Any:
    """The object form of a TFLite file, a `ModelT`."""
    return schema.ModelT.InitFromPackedBuf(content)


def write(file: Any) -> bytes:
    """Writes a `ModelT` without the parts that no device reads, and with equal parts stored once. It changes `file`."""
    _merge_buffers(file)
    pool: dict[Any, _Shared] = {}
    for subgraph in file.subgraphs:
        _strip(subgraph)
        subgraph.tensors = [pool.setdefault(_content(tensor), _Shared(tensor)) for tensor in subgraph.tensors]
        for operator in subgraph.operators:
            options = operator.builtinOptions
            if options is not None:
                operator.builtinOptions = pool.setdefault(_content(options), _Shared(options))
    builder = _SharingBuilder(1 << 20)
    builder.Finish(file.Pack(builder), file_identifier=b"TFL3")
    return bytes(builder.Output())


def join(contents: Sequence[bytes]) -> bytes:
    """One file with the signatures of several: their subgraphs side by side, and equal weights stored once."""
    first, *others = [read(content) for content in contents]
    for file in others:
        graphs, buffers = len(first.subgraphs), len(first.buffers)
        codes = [add_operator_code(first, _builtin(code), code.version) for code in file.operatorCodes]
        for subgraph in file.subgraphs:
            for tensor in subgraph.tensors:
                tensor.buffer += buffers
            for operator in subgraph.operators:
                operator.opcodeIndex = codes[operator.opcodeIndex]
        for signature in file.signatureDefs:
            signature.subgraphIndex += graphs
        first.subgraphs += file.subgraphs
        first.buffers += file.buffers
        first.signatureDefs += file.signatureDefs
    return write(first)


def keep_signature(file: Any, name: str) -> tuple[dict[str, int], dict[str, int]]:
    """Removes all signatures but one, and their subgraphs. `write` leaves out what only these needed.

    Returns:
        Of the inputs and of the outputs of the signature: name -> index of the tensor.
    """
    [kept] = [signature for signature in file.signatureDefs if signature.signatureKey == name.encode()]
    file.subgraphs, file.signatureDefs = [file.subgraphs[kept.subgraphIndex]], [kept]
    kept.subgraphIndex = 0
    inputs, outputs = ({one.name.decode(): one.tensorIndex for one in maps} for maps in (kept.inputs, kept.outputs))
    return inputs, outputs


def operator_code(file: Any, operator: Any) -> int:
    """The `BuiltinOperator` of an operator."""
    return _builtin(file.operatorCodes[operator.opcodeIndex])


def add_operator_code(file: Any, builtin: int, version: int = 1) -> int:
    """The index of a builtin operator's code in the file, of this version or a later one. It is added if it is new."""
    for index, code in enumerate(file.operatorCodes):
        if _builtin(code) == builtin:
            code.version = max(code.version, version)
            return index
    file.operatorCodes.append(
        schema.OperatorCodeT(builtinCode=builtin, deprecatedBuiltinCode=min(builtin, 127), version=version)
    )
    return len(file.operatorCodes) - 1


def add_tensor(subgraph: Any, shape: Any, buffer: int = 0) -> int:
    """Appends a float32 tensor and returns its index."""
    subgraph.tensors.append(schema.TensorT(shape=np.array(shape, np.int32), buffer=buffer, hasRank=True))
    return len(subgraph.tensors) - 1


def _builtin(code: Any) -> int:
    """The `BuiltinOperator` of an operator code; codes above 127 are only in the newer field."""
    return max(code.builtinCode, code.deprecatedBuiltinCode)


def _strip(subgraph: Any) -> None:
    """Drops empty quantizations, and all names except those of inputs and outputs."""
    public = {*subgraph.inputs, *subgraph.outputs}
    for index, tensor in enumerate(subgraph.tensors):
        if index not in public:
            tensor.name = None
        if tensor.quantization is not None and tensor.quantization.scale is None:
            tensor.quantization = None


def _merge_buffers(file: Any) -> None:
    """Gives tensors of equal content one buffer, and those without content the empty buffer 0. Drops what none has."""
    kept = [schema.BufferT()]
    numbers: dict[bytes, int] = {}
    renumbered = []
    used = {tensor.buffer for subgraph in file.subgraphs for tensor in subgraph.tensors}
    used |= {entry.buffer for entry in file.metadata or []}
    for index, buffer in enumerate(file.buffers):
        if buffer.data is None or index not in used:
            renumbered.append(0)
            continue
        number = numbers.setdefault(buffer.data.tobytes(), len(kept))
        if number == len(kept):
            kept.append(buffer)
        renumbered.append(number)
    file.buffers = kept
    for subgraph in file.subgraphs:
        for tensor in subgraph.tensors:
            tensor.buffer = renumbered[tensor.buffer]
    for entry in file.metadata or []:
        entry.buffer = renumbered[entry.buffer]
    file.metadataBuffer = None  # an older list of the same buffers


def _content(value: Any) -> Any:
    """A hashable key for a table or vector; equal content gives equal keys."""
    if isinstance(value, np.ndarray):
        return value.dtype.str, value.shape, value.tobytes()
    if hasattr(value, "__dict__"):
        return type(value), tuple((name, _content(part)) for name, part in vars(value).items())
    return value


class _Shared:
    """A table that is packed once and shared by all tables of equal content."""

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
        """Begins a vector. Vectors of bytes start at a multiple of 16, as kernels read them as wider numbers."""
        return super().StartVector(elemSize, numElems, 16 if elemSize == 1 else alignment)
