"""A model file is refused in one line, or is one that LiteRT runs as the rules say."""

import contextlib
import random
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import flatbuffers
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter

from benchmarks.reliability.mutations import mutated
from textapp.errors import InputError
from textapp.runtime.model_check import check, check_model
from textapp.runtime.model_check.operators import OPERATORS
from textapp.runtime.model_check.tensors import BOOL, DTYPES, FLOAT16, FLOAT32, INT8, INT16, INT32, INT64

SAMPLES = {name: Path(__file__).parents[1] / f"samples/{name}/bundle/model.tflite" for name in ("classifier", "tagger")}
UNIONS = {number: name for name, number in vars(schema.BuiltinOptions).items() if isinstance(number, int)}

VERSIONS = {130: 2}  # of BROADCAST_TO: LiteRT has no first one


@pytest.fixture(scope="module", params=SAMPLES)
def content(request) -> bytes:
    return SAMPLES[request.param].read_bytes()


def packed(file: Any) -> bytes:
    builder = flatbuffers.Builder(1 << 16)
    builder.Finish(file.Pack(builder), file_identifier=b"TFL3")
    return bytes(builder.Output())


def changed(content: bytes, change: Callable[[Any], None]) -> bytes:
    """The file after a change of its object form."""
    file = schema.ModelT.InitFromPackedBuf(content)
    change(file)
    return packed(file)


def refusal(content: bytes) -> str:
    """The message that a file is refused with: one line."""
    with pytest.raises(InputError) as caught:
        check_model(content)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_the_samples_pass_and_their_tables_are_those_of_the_vocabularies():
    for name, path in SAMPLES.items():
        lines = {file.name: len(file.read_text(encoding="utf-8").split("\n")) - 1 for file in path.parent.glob("*.txt")}
        for length, tensors in zip((8, 16), sorted(check_model(path.read_bytes()).items(), reverse=True), strict=True):
            assert tensors[0] == f"tokens_{length}"
            assert tensors[1].inputs["token_ids"].shape == (1, length)
            assert tensors[1].table_rows["token_ids"] == {lines["vocabulary.txt"]}
            if name == "tagger":
                assert tensors[1].table_rows["char_ids"] == {lines["characters.txt"]}


def test_changed_files_are_refused_in_one_line_or_pass(content):
    """Static: most of what passes has other weights or names. LiteRT runs thousands of them in benchmarks."""
    rng, messages = random.Random(1), []
    for _ in range(40):
        file, _ = mutated(content, rng)
        with contextlib.suppress(InputError):
            check_model(file)
            continue
        messages.append(refusal(file))
    assert 20 < len(messages) < 40


@pytest.mark.parametrize("size", [0, 1, 4, 8, 100, 2000, -1])
def test_a_cut_file_is_refused(content, size):
    refusal(content[:size])


def graph(file: Any) -> Any:
    return file.subgraphs[0]


def find(file: Any, name: str) -> Any:
    """The first operator of a kind."""
    number = getattr(schema.BuiltinOperator, name)
    return next(o for o in graph(file).operators if file.operatorCodes[o.opcodeIndex].builtinCode == number)


def weights(file: Any, kind: int = FLOAT32) -> Any:
    """A constant of a type with more than 8 numbers."""
    return next(t for t in graph(file).tensors if t.type == kind and t.buffer and np.prod(t.shape) > 8)


def longer(file: Any) -> None:
    buffer = file.buffers[weights(file).buffer]
    buffer.data = np.concatenate([buffer.data, np.zeros(400, np.uint8)])


def with_nan(file: Any) -> None:
    buffer = file.buffers[weights(file).buffer]
    buffer.data = buffer.data.copy()
    buffer.data[:4] = np.float32("nan").reshape(1).view(np.uint8)


def loop(file: Any) -> None:
    code = file.operatorCodes[find(file, "SOFTMAX").opcodeIndex]
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.WHILE


def custom(file: Any) -> None:
    file.operatorCodes[0].customCode = b"Flex"


def set_number(path: str, values: Callable[[Any], list[int]]) -> Callable[[Any], None]:
    """A change of the first number of a list of an operator, "SOFTMAX.inputs", or of the subgraph, "outputs"."""

    def change(file: Any) -> None:
        name, _, field = path.rpartition(".")
        setattr(find(file, name) if name else graph(file), field, np.array(values(file), np.int32))

    return change


def reordered(file: Any) -> None:
    graph(file).operators.reverse()


def scaled(scales: list[float]) -> Callable[[Any], None]:
    """A change of the scales of an int8 constant."""

    def change(file: Any) -> None:
        quantization = weights(file, INT8).quantization
        quantization.scale = np.array(scales, np.float32)
        quantization.zeroPoint = np.zeros(len(scales), np.int64)

    return change


def of(table: Callable[[Any], Any], **fields: Any) -> Callable[[Any], None]:
    """A change of fields of a table."""

    def change(file: Any) -> None:
        for name, value in fields.items():
            setattr(table(file), name, value)

    return change


def sparse(file: Any) -> None:
    weights(file).sparsity = schema.SparsityParametersT(traversalOrder=[0, 1])


BROKEN = {  # what is wrong -> the change and the message
    "a longer constant": (
        longer,
        r"signature 'tokens_\d+': tensor \d+: float32 .* takes \d+ bytes, but its buffer has",
    ),
    "NaN": (with_nan, "the constant float32 .* holds NaN"),
    "a loop": (loop, "has the operator WHILE, which the runtime does not run"),
    "a custom operator": (custom, "has the operator .*, which the runtime does not run"),
    "no such output": (set_number("outputs", lambda file: [-1]), "must be from 0 to|but those of its subgraph"),
    "no such input": (
        set_number("SOFTMAX.inputs", lambda file: [10**6]),
        r"operator \d+ \(SOFTMAX\): its input 0 is tensor 1000000, but must be from 0 to \d+",
    ),
    "an input left out": (set_number("SOFTMAX.inputs", lambda file: [-1]), "its input 0 is tensor -1, but must be"),
    "too many inputs": (set_number("SOFTMAX.inputs", lambda file: [0, 0]), "must have 1 to 1 inputs. Received: 2"),
    "an output that is a constant": (
        set_number("SOFTMAX.outputs", lambda file: [graph(file).tensors.index(weights(file))]),
        "is written twice",
    ),
    "no order": (reordered, r"operator \d+ \(\w+\): its input \d, tensor \d+, is read before it is written"),
    "another shape": (
        of(lambda file: graph(file).tensors[find(file, "SOFTMAX").outputs[0]], shape=np.array([1, 3], "i4")),
        "must give float32",
    ),
    "an open shape": (of(weights, shapeSignature=np.array([-1, 3], "i4")), "its shape must be fixed"),
    "an unknown type": (of(weights, type=5), "its type 5 must be one of float32"),
    "no such buffer": (of(weights, buffer=10**6), "its buffer 1000000 must be below"),
    "sparse weights": (sparse, "a tensor has the field `sparsity`, which exported files do not use"),
    "data elsewhere": (of(lambda file: file.buffers[1], offset=4096, size=64), "a buffer has the field `offset`"),
    "another subgraph": (of(lambda file: file.signatureDefs[0], subgraphIndex=1), "must have a subgraph of its own"),
    "no such subgraph": (of(lambda file: file.signatureDefs[0], subgraphIndex=2), "must have a subgraph of its own"),
    "another tensor": (
        of(lambda file: file.signatureDefs[0].inputs[0], tensorIndex=2**31),
        "but those of its subgraph",
    ),
    "no name": (of(lambda file: file.signatureDefs[0], signatureKey=None), "a signature must have a name"),
    "a name that is no text": (of(lambda file: file.signatureDefs[0], signatureKey=b"\xff\xfe"), "is not UTF-8"),
    "a tensor's name that is no text": (of(weights, name=b"\xff"), "the field `name` of a tensor is not UTF-8"),
    "options of another operator": (
        of(lambda file: find(file, "SOFTMAX"), builtinOptionsType=11, builtinOptions=schema.AddOptionsT()),
        "its options must be number 9 of the schema. Received: 11",
    ),
    "options left out": (
        of(lambda file: find(file, "SOFTMAX"), builtinOptionsType=0, builtinOptions=None),
        "Received: 0",
    ),
    "another version": (of(lambda file: file, version=2), "the schema version must be 3. Received: 2"),
    "foreign metadata": (
        of(lambda file: file.metadata[0], name=b"other"),
        "metadata 'other' is not written by exports",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_rule_is_named(name):
    change, message = BROKEN[name]
    assert re.search(message, refusal(changed(SAMPLES["classifier"].read_bytes(), change)))


@pytest.mark.parametrize(
    ("scales", "message"),
    [
        ([], "must have a scale"),
        ([float("nan")], "its scales must be from 1e-30"),
        ([0.0], "its scales must be from 1e-30"),
        ([1.0, 1.0, 1.0], "3 scales must be those of an axis of a constant int8"),
    ],
)
def test_scales_fit_their_tensor(scales, message):
    content = SAMPLES["classifier"].read_bytes()
    assert message in refusal(changed(content, scaled(scales)))


def test_vectors_that_share_parts_without_end_are_refused(monkeypatch):
    """A table is read once, however many refer to it. Its vectors count each time that a table is read."""
    content = SAMPLES["classifier"].read_bytes()
    model = check.ModelFile.model
    monkeypatch.setattr(check.ModelFile, "model", lambda reader: vars(reader).update(_left=100) or model(reader))
    assert refusal(content) == "its vectors have more elements than the file has bytes: they share parts without end"


def one_operator(number: int, inputs: list[Any], outputs: list[Any], options: dict[str, Any]) -> bytes:
    """A file of one operator. An input is a shape and a type of a computed tensor, or an array of constants."""
    kind = OPERATORS[number]
    file = schema.ModelT(version=3, buffers=[schema.BufferT()], subgraphs=[schema.SubGraphT(tensors=[])])
    file.subgraphs[0].inputs = []

    def add(value: Any, computed: bool) -> int:
        if isinstance(value, np.ndarray):
            types = {np.dtype(code): number for number, code in DTYPES.items()}
            file.buffers.append(schema.BufferT(data=np.frombuffer(value.tobytes(), np.uint8)))
            shape, number, buffer = value.shape, types[value.dtype], len(file.buffers) - 1
        else:
            (shape, number), buffer = value, 0
        tensor = schema.TensorT(shape=np.array(shape, np.int32), type=number, buffer=buffer, name=b"t")
        if number in (INT8, INT16):
            tensor.quantization = schema.QuantizationParametersT(
                scale=np.ones(1, "f4") / 256, zeroPoint=np.zeros(1, "i8")
            )
        file.subgraphs[0].tensors.append(tensor)
        index = len(file.subgraphs[0].tensors) - 1
        if computed and not buffer:
            file.subgraphs[0].inputs.append(index)
        return index

    places = [add(value, True) for value in inputs]
    results = [add(value, False) for value in outputs]
    if not file.subgraphs[0].inputs:
        add(((1,), INT32), True)
    union = UNIONS[kind.options_type] if kind.options_type and options is not None else None
    operator = schema.OperatorT(inputs=places, outputs=results)
    if union is not None:
        operator.builtinOptionsType, operator.builtinOptions = (
            kind.options_type,
            getattr(schema, f"{union}T")(**options),
        )
    file.subgraphs[0].operators, file.subgraphs[0].outputs = [operator], results
    file.operatorCodes = [
        schema.OperatorCodeT(
            builtinCode=number, deprecatedBuiltinCode=min(number, 127), version=VERSIONS.get(number, 1)
        )
    ]
    maps = [
        [schema.TensorMapT(name=f"{what}{index}".encode(), tensorIndex=index) for index in numbers]
        for what, numbers in (("in", file.subgraphs[0].inputs), ("out", results))
    ]
    file.signatureDefs = [schema.SignatureDefT(inputs=maps[0], outputs=maps[1], signatureKey=b"run", subgraphIndex=0)]
    return packed(file)


F, N, B = ((2, 3), FLOAT32), ((2, 3), INT32), ((2, 3), BOOL)
IMAGE = ((1, 4, 5, 2), FLOAT32)


def ints(*values: Any) -> np.ndarray:
    return np.array(values[0] if len(values) == 1 and not isinstance(values[0], int) else values, "<i4")


def one(value: int) -> np.ndarray:
    return np.array(value, "<i4")


def floats(*shape: int) -> np.ndarray:
    return np.ones(shape, "<f4")


STRIDE = {"strideW": 1, "strideH": 1}
POOL = {**STRIDE, "filterWidth": 2, "filterHeight": 2, "padding": 1}
UNARY = (
    "FLOOR LOGISTIC RELU RELU_N1_TO_1 RELU6 TANH EXP NEG SIN LOG SQRT RSQRT SQUARE LEAKY_RELU ABS CEIL COS ELU ROUND "
)
UNARY += "HARD_SWISH GELU SIGN SOFTMAX LOG_SOFTMAX"
BINARY = "ADD MUL SUB DIV MAXIMUM MINIMUM POW FLOOR_DIV FLOOR_MOD SQUARED_DIFFERENCE PRELU"
COMPARISONS = "LESS GREATER GREATER_EQUAL LESS_EQUAL EQUAL NOT_EQUAL"
REDUCTIONS = "MEAN SUM REDUCE_PROD REDUCE_MAX REDUCE_MIN"
EXAMPLES: dict[str, tuple[list[Any], list[Any], dict[str, Any]]] = {
    **{name: ([F], [F], {"beta": 1.0} if name == "SOFTMAX" else {}) for name in UNARY.split()},
    **{name: ([F, ((1, 3), FLOAT32)], [F], {}) for name in BINARY.split()},
    **{name: ([F, ((), FLOAT32)], [B], {}) for name in COMPARISONS.split()},
    **{name: ([F, one(1)], [((2, 1), FLOAT32)], {"keepDims": True}) for name in REDUCTIONS.split()},
    **{name: ([B, ints(0)], [((3,), BOOL)], {}) for name in ("REDUCE_ANY", "REDUCE_ALL")},
    **{name: ([B, B], [B], {}) for name in ("LOGICAL_OR", "LOGICAL_AND")},
    "LOGICAL_NOT": ([B], [B], {}),
    "AVERAGE_POOL_2D": ([IMAGE], [((1, 3, 4, 2), FLOAT32)], POOL),
    "MAX_POOL_2D": ([IMAGE], [((1, 4, 5, 2), FLOAT32)], {**POOL, "padding": 0}),
    "CONV_2D": ([IMAGE, floats(6, 1, 3, 2), floats(6)], [((1, 4, 3, 6), FLOAT32)], {**STRIDE, "padding": 1}),
    "DEPTHWISE_CONV_2D": (
        [IMAGE, floats(1, 1, 3, 2), floats(2)],
        [((1, 4, 1, 2), FLOAT32)],
        {**STRIDE, "padding": 1, "depthMultiplier": 1, "dilationWFactor": 2},
    ),
    "FULLY_CONNECTED": ([((2, 4, 3), FLOAT32), floats(5, 3), floats(5)], [((2, 4, 5), FLOAT32)], {"keepNumDims": True}),
    "BATCH_MATMUL": ([((2, 4, 3), FLOAT32), ((2, 5, 3), FLOAT32)], [((2, 4, 5), FLOAT32)], {"adjY": True}),
    "EMBEDDING_LOOKUP": ([((4,), INT32), floats(7, 3)], [((4, 3), FLOAT32)], {}),
    "GATHER": ([F, ints(1, 0, 0, 1)], [((4, 3), FLOAT32)], {}),
    "ONE_HOT": ([N, one(4), ((), FLOAT32), ((), FLOAT32)], [((2, 3, 4), FLOAT32)], {"axis": -1}),
    "CONCATENATION": ([F, ((2, 1), FLOAT32)], [((2, 4), FLOAT32)], {"axis": -1}),
    "PACK": ([F, F], [((2, 2, 3), FLOAT32)], {"valuesCount": 2, "axis": 1}),
    "UNPACK": ([F], [((3,), FLOAT32)] * 2, {"num": 2, "axis": 0}),
    "SPLIT": ([one(1), F], [((2, 1), FLOAT32)] * 3, {"numSplits": 3}),
    "SPLIT_V": ([F, ints(1, 2), one(1)], [((2, 1), FLOAT32), ((2, 2), FLOAT32)], {"numSplits": 2}),
    "RESHAPE": ([F, ints(3, -1)], [((3, 2), FLOAT32)], {}),
    "TRANSPOSE": ([F, ints(1, 0)], [((3, 2), FLOAT32)], {}),
    "SQUEEZE": ([((1, 3), FLOAT32)], [((3,), FLOAT32)], {"squeezeDims": [0]}),
    "EXPAND_DIMS": ([F, one(1)], [((2, 1, 3), FLOAT32)], {}),
    "PAD": ([F, ints([[1, 0], [0, 2]])], [((3, 5), FLOAT32)], {}),
    "PADV2": ([F, ints([[1, 0], [0, 2]]), ((), FLOAT32)], [((3, 5), FLOAT32)], {}),
    "SLICE": ([F, ints(0, 1), ints(2, -1)], [((2, 2), FLOAT32)], {}),
    "STRIDED_SLICE": ([F, ints(1, 0), ints(2, 3), ints(1, 2)], [((2,), FLOAT32)], {"shrinkAxisMask": 1}),
    "TILE": ([F, ints(2, 1)], [((4, 3), FLOAT32)], {}),
    "REVERSE_V2": ([F, ints([1])], [F], {}),
    "BROADCAST_TO": ([((1, 3), FLOAT32), ints(2, 3)], [F], {}),
    "FILL": ([ints(2, 3), ((), FLOAT32)], [F], {}),
    "CUMSUM": ([F, one(1)], [F], {}),
    "SELECT": ([B, F, F], [F], {}),
    "SELECT_V2": ([((2, 1), BOOL), F, ((), FLOAT32)], [F], {}),
    "CAST": ([N], [F], {}),
    "QUANTIZE": ([F], [((2, 3), INT8)], {}),
    "DEQUANTIZE": ([((2, 3), INT8)], [F], {}),
    "TOPK_V2": ([F, one(2)], [((2, 2), FLOAT32), ((2, 2), INT32)], {}),
    "ARG_MAX": ([F, one(1)], [((2,), INT64)], {"outputType": INT64}),
}
NUMBERS = {kind.name: number for number, kind in OPERATORS.items()}


def test_each_operator_has_an_example():
    assert set(EXAMPLES) == set(NUMBERS) - {"UNIDIRECTIONAL_SEQUENCE_LSTM"}  # the samples have it


@pytest.mark.parametrize("name", EXAMPLES)
def test_litert_agrees_about_the_outputs(name):
    """The rule takes the example. LiteRT computes outputs of these shapes; with another shape the rule refuses it."""
    inputs, outputs, options = EXAMPLES[name]
    content = one_operator(NUMBERS[name], inputs, outputs, options)
    tensors = check_model(content)["run"]
    runner = Interpreter(model_content=content, num_threads=1).get_signature_runner("run")
    types = {BOOL: "?", **DTYPES}
    results = runner(**{key: np.ones(tensor.shape, types[tensor.type]) for key, tensor in tensors.inputs.items()})
    for key, tensor in tensors.outputs.items():
        assert results[key].shape == tensor.shape
        assert results[key].dtype == types[tensor.type]
    (shape, kind), *others = outputs
    assert f"({name}): " in refusal(one_operator(NUMBERS[name], inputs, [((*shape, 2), kind), *others], options))


@pytest.mark.parametrize(
    ("name", "inputs", "outputs", "options", "message"),
    [
        ("FLOOR_MOD", [N, ints(0)], [N], {}, "must not divide by 0 or -1"),
        ("FLOOR_DIV", [N, N], [N], {}, "input 1 must be a constant"),
        ("GATHER", [F, ints(0, 2)], [F], {}, "its indices from 0 to 2 must be from 0 to 1"),
        ("EMBEDDING_LOOKUP", [ints(-1, 0), floats(7, 3)], [F], {}, "its indices from -1 to 0 must be from 0 to 6"),
        ("RESHAPE", [F, ((2,), INT32)], [((3, 2), FLOAT32)], {}, "input 1 must be a constant"),
        ("ADD", [((1,) * 5, FLOAT32), F], [((1, 1, 1, 2, 3), FLOAT32)], {}, "must have at most 4 axes to be broadcast"),
        ("ADD", [F, F], [F], {"fusedActivationFunction": 9}, "its activation must be none or a RELU"),
        (
            "CONV_2D",
            [IMAGE, floats(6, 9, 3, 2), floats(6)],
            [F],
            {**STRIDE, "padding": 1},
            "a window of 9 does not fit",
        ),
        ("CONV_2D", [IMAGE, floats(6, 1, 3, 2), floats(5)], [F], {**STRIDE}, "the bias must be 6 numbers"),
        ("CONV_2D", [IMAGE, floats(6, 1, 3, 2)], [F], {}, r"kernel, stride, dilation cannot be \(1, 0, 1\)"),
        ("DEPTHWISE_CONV_2D", [IMAGE, floats(1, 1, 3, 2)], [F], STRIDE, "must have 3 to 3 inputs"),
        ("BATCH_MATMUL", [floats(2, 2), floats(2, 2)], [((2, 2), FLOAT32)], {}, "must not multiply two constants"),
        ("TRANSPOSE", [F, ints(1, 1)], [F], {}, r"order \[1, 1\] must name each axis"),
        ("SPLIT", [one(5), F], [F], {"numSplits": 1}, "axis 5 must be one of 2"),
        ("TOPK_V2", [F, one(4)], [F, N], {}, "cannot take 4 of"),
        ("DEQUANTIZE", [((2, 3), FLOAT16)], [F], {}, "float16 must be a constant"),
        ("TILE", [F, ints(1, 1 << 25)], [((2, 3 << 25), FLOAT32)], {}, "takes more than 384 MiB besides the file"),
    ],
)
def test_what_a_kernel_does_not_survive_is_refused(name, inputs, outputs, options, message):
    with pytest.raises(InputError, match=message):
        check_model(one_operator(NUMBERS[name], inputs, outputs, options))
