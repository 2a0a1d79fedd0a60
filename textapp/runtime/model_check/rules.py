"""What the operators must fulfil that compute each element, or one from several; and what a rule is.

An operator's rule computes the shapes and the types of its outputs from its inputs, constants and options, and refuses
what a kernel would not survive.

Reference: the kernels in tensorflow/lite/kernels, for what they read and write.
"""

from collections.abc import Callable

from textapp.runtime.model_check.tensors import (
    BOOL,
    BROADCAST_RANK,
    FLOAT16,
    FLOAT32,
    INT8,
    INT32,
    INT64,
    Call,
    Result,
    Rule,
    axis_of,
    broadcast,
    require,
    same_type,
)

RELUS = (0, 1, 2, 3)  # fused activations: none, RELU, RELU_N1_TO_1, RELU6
LARGEST_RATIO = 1 << 18  # of scales, input to output, of an int8 sum: LiteRT aborts the process at 2^19
LARGEST_SQUARE = 1 << 11  # the same of a squared difference, of the input's squared scale, at 2^12


def unary(*allowed: int) -> Rule:
    """Each element by itself."""

    def rule(call: Call) -> Result:
        x = call.tensor(0)
        return [(x.shape, same_type(x, allowed=allowed))]

    return rule


def binary(*allowed: int, result: int | None = None, ratio: Callable[[float, float], bool] | None = None) -> Rule:
    """Two tensors, element by element.

    Args:
        allowed: The types of the inputs.
        result: The type of the output, if it is not that of the inputs.
        ratio: Whether the larger scale of int8 inputs fits the scale of the output.
    """

    def rule(call: Call) -> Result:
        x, y = call.tensor(0), call.tensor(1)
        kind = same_type(x, y, allowed=allowed)
        require(call.options.get("activation", 0) in RELUS, "its activation must be none or a RELU")
        if kind == INT8 and ratio is not None and len(call.outputs[0].scales):
            scales = float(max(x.scales[0], y.scales[0])), float(call.outputs[0].scales[0])
            require(ratio(*scales), f"the scale of its output is too small for its inputs: {scales[1]} for {scales[0]}")
        return [(broadcast([x.shape, y.shape]), kind if result is None else result)]

    return rule


def in_sum(scale: float, result: float) -> bool:
    """Whether scales fit an int8 sum."""
    return scale <= LARGEST_RATIO * result


def in_square(scale: float, result: float) -> bool:
    """Whether scales fit an int8 squared difference."""
    return scale * scale <= LARGEST_SQUARE * result


def compared(*allowed: int) -> Rule:
    """A comparison, element by element. LiteRT aborts the process on int8 numbers with a scale of 1 or more."""

    def rule(call: Call) -> Result:
        scales = [float(scale) for index in (0, 1) for scale in call.tensor(index).scales]
        require(max(scales, default=0) < 1, f"cannot compare int8 numbers with scales {scales}; they must be below 1")
        return binary(*allowed, result=BOOL)(call)

    return rule


def divided(*allowed: int) -> Rule:
    """Division with rest. Integers have a constant divisor: a processor stops at 0, and at the least number by -1."""

    def rule(call: Call) -> Result:
        if call.tensor(0).type != FLOAT32:
            least, most = call.constant(1, BROADCAST_RANK).bounds
            require(least > 0 or most < -1, f"must not divide by 0 or -1. Received: divisors from {least} to {most}")
        return binary(*allowed)(call)

    return rule


def select(call: Call) -> Result:
    """SELECT: condition, x and y of one shape."""
    condition, x, y = map(call.tensor, range(3))
    require(condition.type == BOOL, f"the condition must be bool. Received: {condition}")
    shape = x.shape
    require(x.shape == y.shape and condition.shape in (shape, ()), "the three inputs must have one shape")
    return [(shape, same_type(x, y))]


def select_v2(call: Call) -> Result:
    """SELECT_V2: condition, x and y are broadcast."""
    condition, x, y = map(call.tensor, range(3))
    require(condition.type == BOOL, f"the condition must be bool. Received: {condition}")
    return [(broadcast([condition.shape, x.shape, y.shape]), same_type(x, y))]


def cast(call: Call) -> Result:
    """CAST: another type."""
    x = call.tensor(0)
    types = (FLOAT32, INT32, INT64, BOOL)
    require(x.type in types and call.outputs[0].type in types, f"cannot turn {x} into {call.outputs[0]}")
    return [(x.shape, call.outputs[0].type)]


def quantize(call: Call) -> Result:
    """QUANTIZE: int8 from float32, or with another scale."""
    same_type(call.tensor(0), allowed=(FLOAT32, INT8))
    return [(call.tensor(0).shape, INT8)]


def dequantize(call: Call) -> Result:
    """DEQUANTIZE: float32 from int8, or from a constant in float16."""
    x = call.tensor(0)
    require(x.type in (FLOAT16, INT8), f"cannot read {x}")
    require(x.type == INT8 or x.data is not None, "float16 must be a constant")
    return [(x.shape, FLOAT32)]


def cumsum(call: Call) -> Result:
    """CUMSUM: sums along an axis."""
    x = call.tensor(0)
    call.axis(1, len(x.shape))
    return [(x.shape, same_type(x, allowed=(FLOAT32, INT32, INT64)))]


def softmax(call: Call) -> Result:
    """SOFTMAX and LOG_SOFTMAX: over the last axis."""
    x, beta = call.tensor(0), call.options.get("beta", 1.0)
    require(1 <= len(x.shape) <= 4 and 1e-3 < beta < 1e3, f"needs 1 to 4 axes and beta around 1. Received: {beta}")
    return [(x.shape, same_type(x, allowed=(FLOAT32, INT8)))]


def reduce(*allowed: int) -> Rule:
    """A number for all of some axes."""

    def rule(call: Call) -> Result:
        x = call.tensor(0)
        rank = len(x.shape)
        axes = {axis_of(axis, rank) for axis in call.constants(1, 1, (INT32,))}
        kept = call.options["keep_axes"]
        sizes = ((axis, size) for axis, size in enumerate(x.shape) if kept or axis not in axes)
        return [(tuple(1 if axis in axes else size for axis, size in sizes), same_type(x, allowed=allowed))]

    return rule


def top_k(call: Call) -> Result:
    """TOPK_V2: the largest of the last axis, and their indices."""
    x, count = call.tensor(0), call.constants(1, 0, (INT32,))
    require(len(x.shape) > 0 and 0 < count[0] <= x.shape[-1], f"cannot take {count[0]} of {x.shape}")
    shape = (*x.shape[:-1], count[0])
    return [(shape, same_type(x, allowed=(FLOAT32, INT8, INT32, INT64))), (shape, INT32)]


def arg_max(call: Call) -> Result:
    """ARG_MAX: the index of the largest along an axis."""
    x = call.tensor(0)
    axis = call.axis(1, len(x.shape))
    same_type(x, allowed=(FLOAT32, INT8, INT32))
    kind = call.options["result"]
    require(kind in (INT32, INT64), f"cannot give the type {kind}")
    return [((*x.shape[:axis], *x.shape[axis + 1 :]), kind)]


def prelu(call: Call) -> Result:
    """PRELU: slopes that are broadcast to the input."""
    x, alpha = call.tensor(0), call.tensor(1)
    require(broadcast([x.shape, alpha.shape]) == x.shape, f"slopes {alpha.shape} do not fit {x.shape}")
    return [(x.shape, same_type(x, alpha, allowed=(FLOAT32, INT8)))]
