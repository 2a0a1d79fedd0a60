"""What the operators with weights or windows must fulfil: products, convolutions, pools and the LSTM; see `rules`."""

import math
from collections.abc import Sequence

from textapp.runtime.model_check.rules import RELUS
from textapp.runtime.model_check.tensors import (
    FLOAT32,
    INT8,
    INT16,
    INT32,
    LARGEST_STEP,
    Call,
    Result,
    Shape,
    broadcast,
    require,
    same_type,
)

SAME, VALID = 0, 1  # padding of convolutions and pools
FUSED_TANH = 4
# The inputs of an LSTM.
WEIGHTS, BIASES, STATES = range(1, 9), range(12, 16), (18, 19)


def _window(size: int, kernel: int, stride: int, dilation: int, padding: int) -> int:
    """The number of windows along an axis."""
    steps = (kernel, stride, dilation)
    require(all(0 < step <= LARGEST_STEP for step in steps), f"kernel, stride, dilation cannot be {steps}")
    require(padding in (SAME, VALID), f"padding {padding} must be 0 or 1")
    extent = (kernel - 1) * dilation + 1
    require(padding == SAME or extent <= size, f"a window of {extent} does not fit into {size}")
    require(extent <= LARGEST_STEP, f"a window of {extent} is too wide")
    return -(-size // stride) if padding == SAME else -(-(size - extent + 1) // stride)


def _windows(call: Call, shape: Shape, kernel: Sequence[int]) -> Shape:
    """Height and width of the output of a convolution or a pool."""
    options = call.options
    require(options["activation"] in RELUS, "its activation must be none or a RELU")
    pairs = zip(shape, kernel, "hw", strict=True)
    return tuple(
        _window(size, width, options[f"stride_{side}"], options.get(f"dilation_{side}", 1), options["padding"])
        for size, width, side in pairs
    )


def pool(call: Call) -> Result:
    """AVERAGE_POOL_2D and MAX_POOL_2D: `(B, H, W, C)` to `(B, rows, columns, C)`."""
    x = call.tensor(0)
    require(len(x.shape) == 4, f"the input must have 4 axes. Received: {x}")
    kernel = call.options["filter_h"], call.options["filter_w"]
    rows, columns = _windows(call, x.shape[1:3], kernel)
    return [((x.shape[0], rows, columns, x.shape[3]), same_type(x, allowed=(FLOAT32, INT8)))]


def _weighted(call: Call, units: int, axis: int, bias: int = 2) -> int:
    """Checks types, scales and bias of a product with weights; gives the type of its output."""
    x, weights = call.tensor(0), call.tensor(1)
    kinds = (x.type, weights.type)
    known = kinds in ((FLOAT32, FLOAT32), (FLOAT32, INT8), (INT8, INT8))
    require(known, f"cannot multiply {x} and {weights}")
    if weights.type == INT8:
        require(weights.data is not None, "int8 weights must be a constant")
        require(len(weights.scales) in (1, units), f"weights must have 1 or {units} scales")
        require(len(weights.scales) == 1 or weights.axis == axis, f"scales of weights must be along axis {axis}")
    added = call.inputs[bias] if len(call.inputs) > bias else None
    if added is not None:
        fits = added.size == units and added.type == (INT32 if x.type == INT8 else FLOAT32)
        require(fits, f"the bias must be {units} numbers. Received: {added}")
        require(x.type == FLOAT32 or added.data is not None, "an int32 bias must be a constant")
    return x.type


def conv_2d(call: Call) -> Result:
    """CONV_2D: `(B, H, W, C)` and weights `(units, h, w, C / groups)`."""
    x, weights = call.tensor(0), call.tensor(1)
    require(len(x.shape) == len(weights.shape) == 4, "input and weights must have 4 axes")
    channels, group, units = x.shape[3], weights.shape[3], weights.shape[0]
    fit = channels % group == 0 and units % (channels // group) == 0
    require(fit, f"weights {weights.shape} do not fit {channels} channels")
    rows, columns = _windows(call, x.shape[1:3], weights.shape[1:3])
    return [((x.shape[0], rows, columns, units), _weighted(call, units, 0))]


def depthwise_conv_2d(call: Call) -> Result:
    """DEPTHWISE_CONV_2D: `(B, H, W, C)` and weights `(1, h, w, C * multiplier)`."""
    x, weights = call.tensor(0), call.tensor(1)
    require(len(x.shape) == len(weights.shape) == 4, "input and weights must have 4 axes")
    channels, units = x.shape[3], weights.shape[3]
    fit = weights.shape[0] == 1 and units == channels * call.options["multiplier"]
    require(fit, f"weights {weights.shape} do not fit {channels} channels")
    rows, columns = _windows(call, x.shape[1:3], weights.shape[1:3])
    return [((x.shape[0], rows, columns, units), _weighted(call, units, 3))]


def fully_connected(call: Call) -> Result:
    """FULLY_CONNECTED: `(..., width)` and weights `(units, width)`."""
    x, weights, options = call.tensor(0), call.tensor(1), call.options
    require(len(weights.shape) == 2 and len(x.shape) > 0, "weights must have 2 axes, the input 1 or more")
    units, width = weights.shape
    require(options["weights_format"] == 0, "its weights must not be shuffled")
    require(options["activation"] in RELUS, "its activation must be none or a RELU")
    if options["keep_axes"]:
        require(x.shape[-1] == width, f"weights {weights.shape} do not fit {x.shape}")
        shape = (*x.shape[:-1], units)
    else:
        require(x.size % width == 0, f"weights {weights.shape} do not fit {x.shape}")
        shape = (x.size // width, units)
    return [(shape, _weighted(call, units, 0))]


def batch_matmul(call: Call) -> Result:
    """BATCH_MATMUL: `(..., rows, inner)` times `(..., inner, columns)`."""
    x, y = call.tensor(0), call.tensor(1)
    require(2 <= len(x.shape) <= 5 and 2 <= len(y.shape) <= 5, "inputs must have 2 to 5 axes")
    constants = sum(one.data is not None for one in (x, y))
    # LiteRT corrupts the heap.
    require(constants < (1 if x.type == INT8 else 2), "must not multiply two constants, or a constant by computed int8")
    rows, inner = x.shape[:-3:-1] if call.options["transpose_x"] else x.shape[-2:]
    outer, columns = y.shape[:-3:-1] if call.options["transpose_y"] else y.shape[-2:]
    require(inner == outer, f"{x.shape} and {y.shape} do not fit")
    if (x.type, y.type) == (FLOAT32, INT8):
        require(y.data is not None and len(y.scales) == 1, "int8 weights must be a constant with one scale")
    else:
        same_type(x, y, allowed=(FLOAT32, INT8))
    return [((*broadcast([x.shape[:-2], y.shape[:-2]], 3), rows, columns), x.type)]


def lstm(call: Call) -> Result:
    """Without peepholes, projection and layer normalization, in float32, with int8 weights, or all in integers."""
    x, options = call.tensor(0), call.options
    require(len(x.shape) == 3 and options["activation"] == FUSED_TANH, "needs an input of 3 axes, and tanh")
    plain = options["projection_clip"] == 0 and not options["diagonal"] and 0 <= options["cell_clip"] < math.inf
    require(plain, "must have no projection, no diagonal weights and no negative clip")
    batch, width = x.shape[1 if options["time_major"] else 0], x.shape[2]
    units = call.tensor(2).shape[0] if call.tensor(2).shape else 0
    integer = x.type == INT8
    weights = [call.tensor(index) for index in WEIGHTS]
    kind = same_type(*weights, allowed=(INT8,) if integer else (FLOAT32, INT8))
    shapes = [(units, width)] * 4 + [(units, units)] * 4
    require([one.shape for one in weights] == shapes, f"weights must be {shapes[0]} and {shapes[4]}")
    if kind == INT8:
        constant = all(one.data is not None and len(one.scales) == 1 for one in weights)
        require(constant, "int8 weights must be constants with one scale")
    for index in BIASES:
        bias = call.tensor(index)
        fits = bias.shape == (units,) and bias.type == (INT32 if integer else FLOAT32)
        require(fits and (bias.data is not None or not integer), f"a bias must be {(units,)}. Received: {bias}")
    for index, state_type in zip(STATES, (INT8, INT16) if integer else (FLOAT32, FLOAT32), strict=True):
        state = call.tensor(index)
        fits = state.is_variable and state.shape == (batch, units) and state.type == state_type
        require(fits, f"a state must be a variable {(batch, units)}. Received: {state}")
    if integer:
        hidden = call.intermediates[-1] if len(call.intermediates) == 5 else None
        scaled = hidden is not None and hidden.type == INT8 and len(hidden.scales) == 1
        require(scaled, "needs five intermediates, the last of them int8 with a scale")
    else:
        require(not call.intermediates, "must have no intermediates")
    return [((*x.shape[:2], units), INT8 if integer else same_type(x, allowed=(FLOAT32,)))]
