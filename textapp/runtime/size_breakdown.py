"""Reads from a model.tflite which parts its bytes belong to."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

from ai_edge_litert import schema_py_generated as schema

_Builtin = schema.BuiltinOperator
_LOOKUPS = {_Builtin.EMBEDDING_LOOKUP: 1, _Builtin.GATHER: 0}  # operator -> the input that is its table
_RECURRENT = {
    _Builtin.UNIDIRECTIONAL_SEQUENCE_LSTM,
    _Builtin.UNIDIRECTIONAL_SEQUENCE_RNN,
    _Builtin.BIDIRECTIONAL_SEQUENCE_LSTM,
    _Builtin.BIDIRECTIONAL_SEQUENCE_RNN,
    _Builtin.LSTM,
}
_DENSE = {_Builtin.FULLY_CONNECTED, _Builtin.CONV_2D, _Builtin.DEPTHWISE_CONV_2D, _Builtin.BATCH_MATMUL}
_REWRITING = {_Builtin.DEQUANTIZE, _Builtin.CAST, _Builtin.RESHAPE, _Builtin.TRANSPOSE}  # constant in, constant out
# These cut the projected inputs of all steps into steps, and a product with the state into gates.
_CUTTING = {
    _Builtin.RESHAPE,
    _Builtin.TRANSPOSE,
    _Builtin.UNPACK,
    _Builtin.SPLIT,
    _Builtin.SPLIT_V,
    _Builtin.SLICE,
    _Builtin.STRIDED_SLICE,
}


@dataclass(frozen=True)
class FileParts:
    """Bytes of the parts of a model file. Their sum is the size of the file.

    Attributes:
        embeddings: Tables whose rows are looked up: words, characters, pairs; and the scales of the rows.
        recurrent: Weights and biases of recurrent layers, fused or step by step.
        dense: Weights and biases of dense layers and convolutions.
        rest: The graph of each signature, scales, shapes, and constants too small to have a name.
    """

    embeddings: int
    recurrent: int
    dense: int
    rest: int

    @property
    def total(self) -> int:
        """The bytes of the file."""
        return self.embeddings + self.recurrent + self.dense + self.rest

    def to_dict(self) -> dict[str, int]:
        """The parts by name."""
        return asdict(self)


class _Operator(NamedTuple):
    """The code of an operator and the numbers of its tensors; -1 for an input that is left out."""

    code: int
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


def size_breakdown(content: bytes) -> FileParts:
    """Divides a model file's bytes by the operators that read them.

    A buffer belongs to the operators that read it, in any signature. A file does not mark recurrent layers that run
    step by step. They are recognized by their weights, which one operator for each step reads, and by the terms that
    are added to these products. So they count as dense in a file whose only length is one or two tokens.

    Args:
        content: A TFLite file.
    """
    file = schema.Model.GetRootAs(content, 0)
    buffers: dict[str, set[int]] = {"embeddings": set(), "recurrent": set(), "dense": set()}
    for index in range(file.SubgraphsLength()):
        for part, number in _weights(file, file.Subgraphs(index)):
            buffers[part].add(number)
    sizes, counted = {}, {0}  # the schema's empty buffer
    for part, numbers in buffers.items():
        sizes[part] = sum(file.Buffers(number).DataLength() for number in numbers - counted)
        counted |= numbers
    return FileParts(**sizes, rest=len(content) - sum(sizes.values()))


def _weights(file: Any, subgraph: Any) -> Iterator[tuple[str, int]]:
    """Yields the part and the buffer of each weight of a subgraph."""
    operators = [_operator(file, subgraph.Operators(index)) for index in range(subgraph.OperatorsLength())]
    constants = _constants(file, subgraph, operators)
    stepwise = _stepwise(operators, constants)
    for operator in operators:
        if operator.code in _LOOKUPS:
            part, read = "embeddings", operator.inputs[_LOOKUPS[operator.code] :][:1]
        elif operator.code in _RECURRENT or operator in stepwise:
            part, read = "recurrent", operator.inputs
        elif operator.code in _DENSE:
            part, read = "dense", operator.inputs
        else:
            continue
        for tensor in read:
            if tensor in constants:
                yield part, constants[tensor]


def _constants(file: Any, subgraph: Any, operators: list[_Operator]) -> dict[int, int]:
    """Tensor -> buffer, for tensors with data and for tensors computed from a single one of them (float16 weights)."""
    buffers = {index: subgraph.Tensors(index).Buffer() for index in range(subgraph.TensorsLength())}
    constants = {tensor: buffer for tensor, buffer in buffers.items() if file.Buffers(buffer).DataLength()}
    for operator in operators:
        if operator.code in _REWRITING and operator.inputs[0] in constants:
            constants[operator.outputs[0]] = constants[operator.inputs[0]]
    return constants


def _stepwise(operators: list[_Operator], constants: dict[int, int]) -> set[_Operator]:
    """The products of recurrent layers that run step by step: those with the state, and those of the inputs."""
    products = [
        operator
        for operator in operators
        if operator.code == _Builtin.FULLY_CONNECTED and operator.inputs[1] in constants
    ]
    reads = Counter(constants[operator.inputs[1]] for operator in products)
    steps = {operator for operator in products if reads[constants[operator.inputs[1]]] > 1}
    if not steps:
        return steps
    of_state = {operator.outputs[0] for operator in steps}
    biases = {operator.inputs[2] for operator in steps if len(operator.inputs) > 2}  # a step's inputs may be its bias
    origin: dict[int, _Operator] = {
        operator.outputs[0]: operator for operator in products if operator not in steps
    }  # tensor -> the product of the inputs that it is cut from
    found = set(steps)
    for operator in operators:  # in the order in which they run
        sources = [origin[tensor] for tensor in operator.inputs if tensor in origin]
        if operator.code in _CUTTING:
            if sources:
                origin |= dict.fromkeys(operator.outputs, sources[0])
            if of_state.intersection(operator.inputs):
                of_state.update(operator.outputs)
        elif operator.code == _Builtin.ADD and sources:
            if of_state.intersection(operator.inputs):
                found.update(sources)
            else:
                origin[operator.outputs[0]] = sources[0]
    found.update(product for tensor, product in origin.items() if tensor in biases)
    return found


def _operator(file: Any, operator: Any) -> _Operator:
    """An operator as numbers."""
    code = file.OperatorCodes(operator.OpcodeIndex())
    return _Operator(
        code=max(code.BuiltinCode(), code.DeprecatedBuiltinCode()),  # codes above 127 are only in the newer field
        inputs=tuple(operator.Inputs(index) for index in range(operator.InputsLength())),
        outputs=tuple(operator.Outputs(index) for index in range(operator.OutputsLength())),
    )
