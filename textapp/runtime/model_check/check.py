"""Checks a model file before LiteRT reads it, so that a file from anywhere is refused in one line or runs.

LiteRT trusts a file: a wrong index, a constant with too many bytes or a loop without end crashes the process or takes
all memory. The rules are in textapp/runtime/BUNDLE.md, for readers in other languages.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from textapp.errors import InputError
from textapp.runtime.model_check.file import ModelFile
from textapp.runtime.model_check.graph import Graph
from textapp.runtime.model_check.operators import OPERATORS, Operator
from textapp.runtime.model_check.tensors import (
    DTYPES,
    FLOAT16,
    FLOAT32,
    INT2,
    INT4,
    INT8,
    INT16,
    INT32,
    MOST_AXES,
    TYPE_NAMES,
    Call,
    Tensor,
    require,
)

MEMORY = 384 << 20  # bytes that a model may take besides its file: enough for 2,048 tokens of a transformer of 4 heads
LARGEST_TENSOR = 1 << 30  # bytes; LiteRT computes sizes and offsets in 32 bits
SMALLEST_SCALE, LARGEST_SCALE = 1e-30, 1e10
METADATA = frozenset({"min_runtime_version", "CONVERSION_METADATA", "reduced_precision_support"})
ZERO_POINTS = {INT8: (-128, 127), INT16: (0, 0), INT32: (0, 0), INT4: (0, 0), INT2: (0, 0)}
NEED_SCALES = frozenset({INT8, INT16, INT4, INT2})
_PER_CHANNEL = {  # the inputs that may have a scale for each row or channel
    *((name, position) for name in ("FULLY_CONNECTED", "CONV_2D", "DEPTHWISE_CONV_2D") for position in (1, 2)),
    ("EMBEDDING_LOOKUP", 1),
}


@dataclass(frozen=True)
class SignatureTensors:
    """The inputs and outputs of a signature by name, the tables that its inputs look up, and what it asks of a runtime.

    Attributes:
        inputs: Its inputs.
        outputs: Its outputs.
        table_rows: Name of an input of ids -> the numbers of rows of the tables that are read at these ids.
        operators: The names of its operators in the schema.
        has_variables: Whether a tensor keeps its content between operators, as the state of a fused LSTM does.
    """

    inputs: Mapping[str, Tensor]
    outputs: Mapping[str, Tensor]
    table_rows: Mapping[str, frozenset[int]]
    operators: frozenset[str]
    has_variables: bool


def check_model(content: bytes) -> dict[str, SignatureTensors]:
    """Checks a model file, and tells what its signatures read and give.

    Its time grows with the number of operators and with the size of the constants, which are read once for NaN.

    Args:
        content: The file.

    Returns:
        The signatures by name.

    Raises:
        InputError: The file breaks a rule. The message is one line that names the signature, the operator or tensor,
            and the rule.
    """
    return _Checker(content).signatures()


class _Checker:
    """Checks one file."""

    def __init__(self, content: bytes):
        self.file = ModelFile(content)
        self.model = self.file.model()
        self.memory = MEMORY
        self.scales = len(content)
        self.buffers = [buffer["data"] for buffer in self.model["buffers"]]
        self.codes = [_operator_kind(code) for code in self.model["operator_codes"]]
        self.tensors: dict[int, Tensor] = {}  # id of a table, which the reader keeps -> its tensor
        self.finite: set[tuple[int, int]] = set()  # buffers and types that are known to hold no NaN
        self.checked: set[tuple[Any, ...]] = set()  # operators of equal tensors and options, as steps of an LSTM are

    def signatures(self) -> dict[str, SignatureTensors]:
        """The signatures, after all checks."""
        require(len(self.buffers) > 0 and len(self.buffers[0]) == 0, "its first buffer must be empty")
        require(
            all(0 <= index < len(self.buffers) for index in self.model["metadata_buffer"]), "metadata has no buffer"
        )
        for entry in self.model["metadata"]:
            known = entry["name"] in METADATA and entry["buffer"] < len(self.buffers)
            require(known, f"metadata {str(entry['name'])[:40]!r} is not written by exports, or has no buffer")
        signatures, subgraphs = self.model["signatures"], self.model["subgraphs"]
        numbers = [signature["subgraph"] for signature in signatures]
        apart = sorted(numbers) == list(range(len(subgraphs))) and len(set(map(id, subgraphs))) == len(subgraphs)
        require(apart, "each signature must have a subgraph of its own")
        names = [signature["name"] for signature in signatures]
        require(len(set(names)) == len(names) > 0, "signatures must have different names")
        return {signature["name"]: self._signature(signature) for signature in signatures}

    def _signature(self, signature: Mapping[str, Any]) -> SignatureTensors:
        """Checks a signature and its subgraph."""
        require(bool(signature["name"]), "a signature must have a name")
        try:
            return self._checked(signature)
        except InputError as error:
            raise InputError(f"signature {signature['name'][:40]!r}: {error}") from error

    def _checked(self, signature: Mapping[str, Any]) -> SignatureTensors:
        """Checks the subgraph of a signature: tensors, then operators in their order, then what they take."""
        subgraph = self.model["subgraphs"][signature["subgraph"]]
        tensors = []
        for index, table in enumerate(subgraph["tensors"]):
            try:
                tensors.append(self._tensor(table))
            except InputError as error:
                raise InputError(f"tensor {index}: {error}") from error
        graph = Graph(tensors, subgraph["inputs"], subgraph["outputs"])
        inputs = _named(signature["inputs"], subgraph["inputs"], "inputs")
        require(len(inputs) == len(subgraph["inputs"]), "its inputs must be different tensors")
        outputs = _named(signature["outputs"], subgraph["outputs"], "outputs")
        for index, table in enumerate(subgraph["operators"]):
            require(table["opcode_index"] < len(self.codes), f"operator {index} has no operator code")
            kind = self.codes[table["opcode_index"]]
            try:
                self._operator(graph, index, kind, table)
            except InputError as error:
                raise InputError(f"operator {index} ({kind.name}): {error}") from error
        graph.check_outputs()
        self.memory -= graph.memory()
        if self.memory < 0:
            raise InputError(
                f"takes more than {MEMORY >> 20} MiB besides the file, which is the most for all signatures "
                "together; use fewer or shorter lengths"
            )
        rows: dict[str, set[int]] = {name: set() for name in inputs}
        by_tensor = {index: name for name, index in inputs.items()}
        for index, count in graph.lookups:
            rows[by_tensor[index]].add(count)
        return SignatureTensors(
            {name: tensors[index] for name, index in inputs.items()},
            {name: tensors[index] for name, index in outputs.items()},
            {name: frozenset(counts) for name, counts in rows.items()},
            frozenset(self.codes[table["opcode_index"]].name for table in subgraph["operators"]),
            any(tensor.is_variable for tensor in tensors),
        )

    def _tensor(self, table: dict[str, Any]) -> Tensor:
        """The tensor of a table, after all checks."""
        found = self.tensors.get(id(table))
        if found is None:
            found = self.tensors[id(table)] = self._new_tensor(table)
        self.scales -= len(found.scales)  # LiteRT copies them for each tensor
        require(self.scales >= 0, "all tensors together have more scales than the file has bytes")
        return found

    def _new_tensor(self, table: Mapping[str, Any]) -> Tensor:
        """The tensor of a table that was not met before."""
        shape, kind, quantization = table["shape"], table["type"], table["quantization"]
        require(kind in TYPE_NAMES, f"its type {kind} must be one of {', '.join(TYPE_NAMES.values())}")
        require(len(shape) <= MOST_AXES and min(shape, default=1) >= 0, f"its shape cannot be {shape[:8]}")
        fixed = table["shape_signature"] in ((), shape)
        require(fixed, f"its shape must be fixed. Received: {table['shape_signature'][:8]}")
        require(table["buffer"] < len(self.buffers), f"its buffer {table['buffer']} must be below {len(self.buffers)}")
        data = self.buffers[table["buffer"]]
        tensor = Tensor(
            shape,
            kind,
            data if len(data) else None,
            table["buffer"],
            quantization["scale"] if quantization else np.zeros(0, "<f4"),
            quantization["zero_point"] if quantization else np.zeros(0, "<i8"),
            quantization["axis"] if quantization else 0,
            table["is_variable"],
        )
        require(tensor.nbytes <= LARGEST_TENSOR, f"{tensor} is too large")
        if tensor.data is not None:
            fits = len(tensor.data) == tensor.nbytes
            require(fits, f"{tensor} takes {tensor.nbytes} bytes, but its buffer has {len(tensor.data)}")
            require(not tensor.is_variable, "a variable must not have a buffer")
            self._check_finite(tensor)
        _check_scales(tensor)
        return tensor

    def _check_finite(self, tensor: Tensor) -> None:
        """Raises `InputError` if a constant holds NaN. Infinity is allowed: masks may use it."""
        key = tensor.buffer, tensor.type
        if tensor.type in (FLOAT32, FLOAT16) and key not in self.finite:
            values = np.frombuffer(tensor.data or b"", DTYPES[tensor.type])
            require(not np.isnan(values.min()), f"the constant {tensor} holds NaN")
            self.finite.add(key)

    def _operator(self, graph: "Graph", index: int, kind: Operator, table: Mapping[str, Any]) -> None:
        """Checks an operator, and its place in the graph."""
        inputs, outputs, intermediates = table["inputs"], table["outputs"], table["intermediates"]
        least, most = kind.inputs
        require(least <= len(inputs) <= most, f"must have {least} to {most} inputs. Received: {len(inputs)}")
        require(len(outputs) > 0, "must have an output")
        require(len(table["custom_options"]) == 0, "must have no custom options")
        graph.run(index, kind, inputs, outputs, intermediates)
        tensors = graph.tensors
        key = (
            table["opcode_index"],
            *(table["options_type"], table["options"], len(inputs), len(outputs)),
            *(-1 if number < 0 else id(tensors[number]) for number in (*inputs, *outputs, *intermediates)),
        )
        if key in self.checked:
            return
        call = Call(
            [None if number < 0 else tensors[number] for number in inputs],
            [tensors[number] for number in outputs],
            self._options(kind, table),
            [tensors[number] for number in intermediates],
        )
        for tensor in (*call.inputs, *call.outputs):
            if tensor is not None and tensor.type in NEED_SCALES:
                require(len(tensor.scales) > 0, f"{tensor} must have a scale")
        for position, tensor in enumerate(call.inputs):
            one = tensor is None or len(tensor.scales) < 2 or (kind.name, position) in _PER_CHANNEL
            require(one, f"input {position} must have one scale")
        expected = list(kind.rule(call))
        found = [(tensor.shape, tensor.type) for tensor in call.outputs]
        if found != expected:
            shown = " and ".join(f"{TYPE_NAMES[number]} {shape}" for shape, number in expected[:2])
            received = " and ".join(map(str, call.outputs[:2]))
            raise InputError(f"must give {shown}, by its inputs and options. Received: {received}")
        self.checked.add(key)

    def _options(self, kind: Operator, table: Mapping[str, Any]) -> Mapping[str, Any]:
        """The options of an operator."""
        number, position = table["options_type"], table["options"]
        if number == 0 and kind.optional:
            return kind.options.defaults
        fits = number == kind.options_type and number != 0 and position is not None
        require(fits, f"its options must be number {kind.options_type} of the schema. Received: {number}")
        return self.file.table(position, kind.options)


def _operator_kind(code: Mapping[str, Any]) -> Operator:
    """The kind of an operator code. Raises `InputError` if exports do not write it."""
    number = max(code["code"], code["deprecated_code"])
    if number not in OPERATORS or code["custom_code"] is not None:
        from ai_edge_litert.schema_py_generated import BuiltinOperator  # only for the name: it takes a while to load

        name = {value: name for name, value in vars(BuiltinOperator).items()}.get(number, number)
        raise InputError(
            f"has the operator {name}, which the runtime does not run; it runs builtin operators without control flow "
            "and custom code, those of textapp/runtime/model_check/operators.py"
        )
    return OPERATORS[number]


def _named(maps: Sequence[Mapping[str, Any]], numbers: Sequence[int], what: str) -> dict[str, int]:
    """The tensors of a signature by name: all inputs or outputs of its subgraph."""
    names = [entry["name"] for entry in maps]
    require(all(names) and len(set(names)) == len(names), f"its {what} must have different names")
    found = {entry["name"]: entry["tensor"] for entry in maps}
    fits = set(found.values()) == set(numbers)
    require(fits, f"its {what} are tensors {sorted(found.values())[:8]}, but those of its subgraph {numbers[:8]}")
    return found


def _check_scales(tensor: Tensor) -> None:
    """Raises `InputError` unless a tensor's scales fit its type and shape."""
    scales, count = tensor.scales, len(tensor.scales)
    require(len(tensor.zero_points) == count, f"has {count} scales, but {len(tensor.zero_points)} zero points")
    if count == 0:
        return
    require(tensor.type in ZERO_POINTS, f"{tensor} must have no scale")
    in_range = scales.min() >= SMALLEST_SCALE and scales.max() <= LARGEST_SCALE  # false for NaN, too
    require(bool(in_range), f"its scales must be from {SMALLEST_SCALE:g} to {LARGEST_SCALE:g}")
    least, most = ZERO_POINTS[tensor.type]
    fit = least <= tensor.zero_points.min() and tensor.zero_points.max() <= most
    require(bool(fit), f"its zero points must be from {least} to {most}")
    if count > 1:
        along = 0 <= tensor.axis < len(tensor.shape) and tensor.shape[tensor.axis] == count
        require(along and tensor.data is not None, f"{count} scales must be those of an axis of a constant {tensor}")
