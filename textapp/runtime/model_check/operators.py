"""The operators that a bundle's model may have: those that exports write. None of them calls another graph.

Reference: tensorflow/compiler/mlir/lite/schema/schema.fbs for the numbers of operators, options and fields.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from textapp.runtime.model_check import layout_rules, rules, weight_rules
from textapp.runtime.model_check.file import Fields, Table
from textapp.runtime.model_check.tensors import BOOL, FLOAT32, INT8, INT32, INT64, Rule


@dataclass(frozen=True)
class Operator:
    """A kind of operator.

    Attributes:
        name: Its name in the schema.
        inputs: The smallest and the largest number of inputs.
        rule: Gives shape and type of each output, and raises `InputError`.
        options_type: The number of its options in the schema; 0 for none.
        options: The fields that are read from them.
        optional: Whether the options may be missing.
        left_out: The inputs that may be left out (-1).
    """

    name: str
    inputs: tuple[int, int]
    rule: Rule
    options_type: int = 0
    options: Table = field(default_factory=lambda: Table("options", {}))
    optional: bool = True
    left_out: frozenset[int] = frozenset()


_ACTIVATION: Fields = {"activation": (0, "b")}
_STRIDES: Fields = {"padding": (0, "b"), "stride_w": (1, "i"), "stride_h": (2, "i")}
_JOINED: Fields = {"axis": (0, "i"), "activation": (1, "b")}
_POOL: Fields = {**_STRIDES, "filter_w": (3, "i"), "filter_h": (4, "i"), "activation": (5, "b")}
_KEEP: Fields = {"keep_axes": (0, "?")}


def _options(fields: Fields, defaults: Mapping[str, Any] | None = None) -> Table:
    """The table of an operator's options."""
    table = Table("options", fields)
    table.defaults.update(defaults or {})
    return table


def _with(number: int, fields: Fields, defaults: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Options that an operator must have."""
    return {"options_type": number, "options": _options(fields, defaults), "optional": False}


def _floats(name: str, number: int = 0) -> Operator:
    return Operator(name, (1, 1), rules.unary(FLOAT32, INT8), number)


_NUMBERS = (FLOAT32, INT8, INT32, INT64)
_DILATIONS = {"dilation_w": 1, "dilation_h": 1}

OPERATORS: dict[int, Operator] = {
    0: Operator("ADD", (2, 2), rules.binary(*_NUMBERS, ratio=rules.in_sum), **_with(11, _ACTIVATION)),
    1: Operator("AVERAGE_POOL_2D", (1, 1), weight_rules.pool, **_with(5, _POOL)),
    2: Operator("CONCATENATION", (1, 1 << 16), layout_rules.concatenation, **_with(10, _JOINED)),
    3: Operator(
        "CONV_2D",
        (2, 3),
        weight_rules.conv_2d,
        **_with(1, {**_STRIDES, "activation": (3, "b"), "dilation_w": (4, "i"), "dilation_h": (5, "i")}, _DILATIONS),
        left_out=frozenset({2}),
    ),
    4: Operator(
        "DEPTHWISE_CONV_2D",
        (3, 3),  # LiteRT reads a bias that is left out
        weight_rules.depthwise_conv_2d,
        **_with(
            2,
            {
                **_STRIDES,
                "multiplier": (3, "i"),
                "activation": (4, "b"),
                "dilation_w": (5, "i"),
                "dilation_h": (6, "i"),
            },
            _DILATIONS,
        ),
    ),
    6: Operator("DEQUANTIZE", (1, 1), rules.dequantize, 38),
    7: Operator("EMBEDDING_LOOKUP", (2, 2), layout_rules.embedding_lookup),
    8: Operator("FLOOR", (1, 1), rules.unary(FLOAT32)),
    9: Operator(
        "FULLY_CONNECTED",
        (2, 3),
        weight_rules.fully_connected,
        **_with(8, {"activation": (0, "b"), "weights_format": (1, "b"), "keep_axes": (2, "?")}),
        left_out=frozenset({2}),
    ),
    14: _floats("LOGISTIC"),
    17: Operator("MAX_POOL_2D", (1, 1), weight_rules.pool, **_with(5, _POOL)),
    18: Operator("MUL", (2, 2), rules.binary(*_NUMBERS), **_with(21, _ACTIVATION)),
    19: _floats("RELU"),
    20: _floats("RELU_N1_TO_1"),
    21: _floats("RELU6"),
    22: Operator("RESHAPE", (1, 2), layout_rules.reshape, 17, _options({"shape": (0, ["i"])})),
    25: Operator("SOFTMAX", (1, 1), rules.softmax, **_with(9, {"beta": (0, "f")})),
    28: _floats("TANH"),
    34: Operator("PAD", (2, 2), layout_rules.pad, 22),
    36: Operator("GATHER", (2, 2), layout_rules.gather, **_with(23, {"axis": (0, "i"), "batch_axes": (1, "i")})),
    39: Operator("TRANSPOSE", (2, 2), layout_rules.transpose, 26),
    40: Operator("MEAN", (2, 2), rules.reduce(FLOAT32, INT8), **_with(27, _KEEP)),
    41: Operator("SUB", (2, 2), rules.binary(*_NUMBERS, ratio=rules.in_sum), **_with(28, _ACTIVATION)),
    42: Operator("DIV", (2, 2), rules.binary(FLOAT32), **_with(29, _ACTIVATION)),
    43: Operator("SQUEEZE", (1, 1), layout_rules.squeeze, **_with(30, {"axes": (0, ["i"])})),
    44: Operator(
        "UNIDIRECTIONAL_SEQUENCE_LSTM",
        (20, 24),
        weight_rules.lstm,
        **_with(
            71,
            {
                "activation": (0, "b"),
                "cell_clip": (1, "f"),
                "projection_clip": (2, "f"),
                "time_major": (3, "?"),
                "diagonal": (5, "?"),
            },
        ),
        left_out=frozenset({9, 10, 11, 16, 17, 20, 21, 22, 23}),
    ),
    45: Operator(
        "STRIDED_SLICE",
        (4, 4),
        layout_rules.strided_slice,
        **_with(
            32,
            {
                "begin_mask": (0, "i"),
                "end_mask": (1, "i"),
                "ellipsis_mask": (2, "i"),
                "new_axis_mask": (3, "i"),
                "shrink_mask": (4, "i"),
                "offset": (5, "?"),
            },
        ),
    ),
    47: _floats("EXP", 33),
    48: Operator("TOPK_V2", (2, 2), rules.top_k, 34),
    49: Operator("SPLIT", (2, 2), layout_rules.split, **_with(35, {"count": (0, "i")})),
    50: Operator("LOG_SOFTMAX", (1, 1), rules.softmax, 36),
    53: Operator("CAST", (1, 1), rules.cast, 37),
    54: Operator("PRELU", (2, 2), rules.prelu),
    55: Operator("MAXIMUM", (2, 2), rules.binary(*_NUMBERS), 39),
    56: Operator("ARG_MAX", (2, 2), rules.arg_max, **_with(40, {"result": (0, "b")})),
    57: Operator("MINIMUM", (2, 2), rules.binary(*_NUMBERS), 39),
    58: Operator("LESS", (2, 2), rules.compared(*_NUMBERS), 41),
    59: Operator("NEG", (1, 1), rules.unary(FLOAT32, INT32, INT64), 42),
    60: Operator("PADV2", (3, 3), layout_rules.pad, 43),
    61: Operator("GREATER", (2, 2), rules.compared(*_NUMBERS), 44),
    62: Operator("GREATER_EQUAL", (2, 2), rules.compared(*_NUMBERS), 45),
    63: Operator("LESS_EQUAL", (2, 2), rules.compared(*_NUMBERS), 46),
    64: Operator("SELECT", (3, 3), rules.select, 47),
    65: Operator("SLICE", (3, 3), layout_rules.slice_, 48),
    66: Operator("SIN", (1, 1), rules.unary(FLOAT32)),
    69: Operator("TILE", (2, 2), layout_rules.tile, 51),
    70: Operator("EXPAND_DIMS", (2, 2), layout_rules.expand_dims, 52),
    71: Operator("EQUAL", (2, 2), rules.compared(*_NUMBERS, BOOL), 53),
    72: Operator("NOT_EQUAL", (2, 2), rules.compared(*_NUMBERS, BOOL), 54),
    73: _floats("LOG"),
    74: Operator("SUM", (2, 2), rules.reduce(*_NUMBERS), **_with(27, _KEEP)),
    75: Operator("SQRT", (1, 1), rules.unary(FLOAT32)),
    76: _floats("RSQRT"),
    78: Operator("POW", (2, 2), rules.binary(FLOAT32), 56),
    81: Operator("REDUCE_PROD", (2, 2), rules.reduce(*_NUMBERS), **_with(27, _KEEP)),
    82: Operator("REDUCE_MAX", (2, 2), rules.reduce(*_NUMBERS), **_with(27, _KEEP)),
    83: Operator("PACK", (1, 1 << 16), layout_rules.pack, **_with(59, {"count": (0, "i"), "axis": (1, "i")})),
    84: Operator("LOGICAL_OR", (2, 2), rules.binary(BOOL), 60),
    85: Operator("ONE_HOT", (4, 4), layout_rules.one_hot, **_with(61, {"axis": (0, "i")})),
    86: Operator("LOGICAL_AND", (2, 2), rules.binary(BOOL), 62),
    87: Operator("LOGICAL_NOT", (1, 1), rules.unary(BOOL), 63),
    88: Operator("UNPACK", (1, 1), layout_rules.unpack, **_with(64, {"count": (0, "i"), "axis": (1, "i")})),
    89: Operator("REDUCE_MIN", (2, 2), rules.reduce(*_NUMBERS), **_with(27, _KEEP)),
    90: Operator("FLOOR_DIV", (2, 2), rules.divided(FLOAT32, INT32), 65),
    91: Operator("REDUCE_ANY", (2, 2), rules.reduce(BOOL), **_with(27, _KEEP)),
    92: Operator("SQUARE", (1, 1), rules.unary(FLOAT32), 66),
    94: Operator("FILL", (2, 2), layout_rules.fill, 68),
    95: Operator("FLOOR_MOD", (2, 2), rules.divided(FLOAT32, INT32, INT64), 72),
    98: Operator("LEAKY_RELU", (1, 1), rules.unary(FLOAT32, INT8), **_with(75, {"alpha": (0, "f")})),
    99: Operator("SQUARED_DIFFERENCE", (2, 2), rules.binary(FLOAT32, INT8, INT32, ratio=rules.in_square), 76),
    101: Operator("ABS", (1, 1), rules.unary(FLOAT32, INT8), 78),
    102: Operator("SPLIT_V", (3, 3), layout_rules.split_v, **_with(79, {"count": (0, "i")})),
    104: Operator("CEIL", (1, 1), rules.unary(FLOAT32)),
    105: Operator("REVERSE_V2", (2, 2), layout_rules.reverse_v2, 81),
    108: Operator("COS", (1, 1), rules.unary(FLOAT32), 84),
    111: _floats("ELU"),
    114: Operator("QUANTIZE", (1, 1), rules.quantize, 89),
    116: Operator("ROUND", (1, 1), rules.unary(FLOAT32)),
    117: _floats("HARD_SWISH", 91),
    123: Operator("SELECT_V2", (3, 3), rules.select_v2, 98),
    126: Operator(
        "BATCH_MATMUL",
        (2, 2),
        weight_rules.batch_matmul,
        **_with(101, {"transpose_x": (0, "?"), "transpose_y": (1, "?")}),
    ),
    128: Operator("CUMSUM", (2, 2), rules.cumsum, 102),
    130: Operator("BROADCAST_TO", (2, 2), layout_rules.broadcast_to, 104),
    140: Operator("REDUCE_ALL", (2, 2), rules.reduce(BOOL), **_with(27, _KEEP)),
    150: _floats("GELU", 116),
    158: Operator("SIGN", (1, 1), rules.unary(FLOAT32), 123),
}
"""The number of an operator in the schema -> its kind."""
