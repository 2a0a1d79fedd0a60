"""What the operators of a model must fulfil.

An operator's rule computes the shapes and the types of its outputs from its inputs, constants and options, and refuses
what a kernel would not survive.

Reference: the kernels in tensorflow/lite/kernels, for what they read and write.
"""

import math
from collections.abc import Callable, Sequence

from textapp.runtime.model_check.tensors import (
    BITS,
    BOOL,
    BROADCAST_RANK,
    FLOAT16,
    FLOAT32,
    INT2,
    INT4,
    INT8,
    INT16,
    INT32,
    INT64,
    TYPE_NAMES,
    Call,
    Result,
    Rule,
    Shape,
    axis_of,
    broadcast,
    require,
    same_type,
)

SAME, VALID = 0, 1  # padding of convolutions and pools
RELUS = (0, 1, 2, 3)  # fused activations: none, RELU, RELU_N1_TO_1, RELU6
FUSED_TANH = 4
LARGEST_STEP = 1 << 16  # of strides, dilations and windows: products of two of them and a size fit into 64 bits
LARGEST_RATIO = 1 << 18  # of scales, input to output, of an int8 sum: LiteRT aborts the process at 2^19
LARGEST_SQUARE = 1 << 11  # the same of a squared difference, of the input's squared scale, at 2^12
# The inputs of an LSTM.
WEIGHTS, BIASES, STATES = range(1, 9), range(12, 16), (18, 19)


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


def concatenation(call: Call) -> Result:
    """CONCATENATION: tensors of equal shape but for one axis."""
    inputs = [call.tensor(index) for index in range(len(call.inputs))]
    first = inputs[0]
    axis = axis_of(call.options["axis"], len(first.shape))
    require(call.options["activation"] == 0, "must have no activation")
    rest = {(*one.shape[:axis], *one.shape[axis + 1 :]) for one in inputs if len(one.shape) == len(first.shape)}
    fit = len(rest) == 1 and all(len(one.shape) == len(first.shape) for one in inputs)
    require(fit, f"inputs {[one.shape for one in inputs][:4]} must differ only in axis {axis}")
    total = sum(one.shape[axis] for one in inputs)
    return [((*first.shape[:axis], total, *first.shape[axis + 1 :]), same_type(*inputs))]


def pack(call: Call) -> Result:
    """PACK: tensors of one shape along a new axis."""
    inputs = [call.tensor(index) for index in range(len(call.inputs))]
    shape = inputs[0].shape
    require(call.options["count"] == len(inputs), f"packs {call.options['count']} tensors of {len(inputs)}")
    require(all(one.shape == shape for one in inputs), "inputs must have one shape")
    axis = axis_of(call.options["axis"], len(shape) + 1)
    return [((*shape[:axis], len(inputs), *shape[axis:]), same_type(*inputs))]


def unpack(call: Call) -> Result:
    """UNPACK: a tensor for each index of an axis."""
    x = call.tensor(0)
    axis = axis_of(call.options["axis"], len(x.shape))
    count = x.shape[axis]
    require(call.options["count"] == len(call.outputs) == count, f"must have {count} outputs")
    return [((*x.shape[:axis], *x.shape[axis + 1 :]), same_type(x))] * count


def split(call: Call) -> Result:
    """SPLIT: equal parts along an axis."""
    x = call.tensor(1)
    axis, parts = call.axis(0, len(x.shape)), len(call.outputs)
    require(call.options["count"] == parts > 0, f"must have {call.options['count']} outputs")
    require(x.shape[axis] % parts == 0, f"cannot split {x.shape[axis]} into {parts}")
    return [((*x.shape[:axis], x.shape[axis] // parts, *x.shape[axis + 1 :]), same_type(x))] * parts


def split_v(call: Call) -> Result:
    """SPLIT_V: parts of given sizes along an axis."""
    x, sizes = call.tensor(0), call.constants(1, 1, most=len(call.outputs))
    axis, parts = call.axis(2, len(x.shape)), len(call.outputs)
    require(call.options["count"] == parts == len(sizes), f"must have {len(sizes)} outputs")
    fit = min(sizes) > 0 and sum(sizes) == x.shape[axis]
    require(fit, f"cannot split {x.shape[axis]} into {sizes[:8]}")
    return [((*x.shape[:axis], size, *x.shape[axis + 1 :]), same_type(x)) for size in sizes]


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


def embedding_lookup(call: Call) -> Result:
    """EMBEDDING_LOOKUP: rows of a table `(V, E)` by ids `(N,)`."""
    ids, table = call.tensor(0), call.tensor(1)
    require(ids.type == INT32 and len(ids.shape) == 1, f"ids must be int32 with one axis. Received: {ids}")
    require(len(table.shape) == 2, f"the table must have 2 axes. Received: {table}")
    result = call.outputs[0].type
    known = ((FLOAT32, FLOAT32), (INT8, FLOAT32), (INT8, INT8), (INT4, FLOAT32), (INT2, FLOAT32))
    require((table.type, result) in known, f"cannot turn rows of {table} into {TYPE_NAMES[result]}")
    if table.type != FLOAT32:
        rows, width = table.shape
        require(table.data is not None, "a table of integers must be a constant")
        require(width * BITS[table.type] % 8 == 0, f"rows of {width} {TYPE_NAMES[table.type]} do not fill whole bytes")
        fit = len(table.scales) == 1 or (result != INT8 and len(table.scales) == rows and table.axis == 0)
        require(fit, f"the table must have 1 scale, or one for each of {rows} rows")
    _check_indices(call, 0, table.shape[0])
    return [((*ids.shape, table.shape[1]), result)]


def _check_indices(call: Call, index: int, count: int) -> None:
    """Checks indices that are constant; the kernel checks those that are computed."""
    if call.tensor(index).data is not None:
        least, most = call.constant(index, BROADCAST_RANK).bounds
        require(least >= 0 and most < count, f"its indices from {least} to {most} must be from 0 to {count - 1}")


def gather(call: Call) -> Result:
    """GATHER: parts of a tensor by indices along an axis."""
    x, indices = call.tensor(0), call.tensor(1)
    require(indices.type in (INT32, INT64), f"indices must be integers. Received: {indices}")
    axis, batch = axis_of(call.options["axis"], len(x.shape)), call.options["batch_axes"]
    fit = 0 <= batch <= min(axis, len(indices.shape)) and x.shape[:batch] == indices.shape[:batch]
    require(fit, f"indices {indices.shape} do not fit {x.shape}")
    _check_indices(call, 1, x.shape[axis])
    return [((*x.shape[:axis], *indices.shape[batch:], *x.shape[axis + 1 :]), same_type(x))]


def one_hot(call: Call) -> Result:
    """ONE_HOT: a new axis that is `on` at the index and `off` elsewhere."""
    indices, on, off = call.tensor(0), call.tensor(2), call.tensor(3)
    depth = call.constants(1, 0, (INT32,))
    fit = indices.type in (INT32, INT64) and on.size == off.size == 1 and depth[0] > 0
    require(fit, "needs indices, a positive depth and two single values")
    rank = len(indices.shape) + 1
    axis = axis_of(call.options["axis"], rank)
    return [((*indices.shape[:axis], depth[0], *indices.shape[axis:]), same_type(on, off))]


def slice_(call: Call) -> Result:
    """SLICE: a part by constant begin and size."""
    x, begins, sizes = call.tensor(0), call.constants(1, 1), call.constants(2, 1)
    require(len(begins) == len(sizes) == len(x.shape) <= 5, "must have a begin and a size for each of at most 5 axes")
    shape = []
    for length, begin, size in zip(x.shape, begins, sizes, strict=True):
        size = length - begin if size == -1 else size
        require(begin >= 0 and size > 0 and begin + size <= length, f"cannot take {size} of {length} from {begin}")
        shape.append(size)
    return [(tuple(shape), same_type(x))]


def strided_slice(call: Call) -> Result:
    """STRIDED_SLICE: as Python's slices, by constants."""
    x, options = call.tensor(0), call.options
    begins, ends, strides = (call.constants(index, 1, (INT32,)) for index in (1, 2, 3))
    rank = len(x.shape)
    require(len(begins) == len(ends) == len(strides) == rank <= 5, "must have three numbers for each of at most 5 axes")
    plain = not (options["ellipsis_mask"] or options["new_axis_mask"] or options["offset"])
    require(plain, "must not use an ellipsis, new axes or offsets")
    shape = []
    for axis, (size, begin, end, stride) in enumerate(zip(x.shape, begins, ends, strides, strict=True)):
        bit = 1 << axis
        if options["shrink_mask"] & bit:
            require(-size <= begin < size and stride == 1, f"index {begin} must be one of {size}, with stride 1")
            continue
        require(stride != 0 and abs(stride) <= LARGEST_STEP, f"stride {stride} must not be 0")
        span = slice(None if options["begin_mask"] & bit else begin, None if options["end_mask"] & bit else end, stride)
        shape.append(len(range(*span.indices(size))))
    return [(tuple(shape), same_type(x))]


def pad(call: Call) -> Result:
    """PAD and PADV2: constant amounts before and after each axis."""
    x, paddings = call.tensor(0), call.constants(1, 2)
    fit = call.tensor(1).shape == (len(x.shape), 2) and len(x.shape) <= 5
    require(fit and min(paddings, default=0) >= 0, f"paddings must be two numbers from 0 on for each axis of {x.shape}")
    tensors = (x, call.tensor(2)) if len(call.inputs) > 2 else (x,)
    require(all(one.size == 1 for one in tensors[1:]), "must pad with a single value")
    sums = (size + before + after for size, before, after in zip(x.shape, paddings[::2], paddings[1::2], strict=True))
    return [(tuple(sums), same_type(*tensors, allowed=(FLOAT32, INT8, INT32, INT64)))]


def tile(call: Call) -> Result:
    """TILE: each axis repeated."""
    x, counts = call.tensor(0), call.constants(1, 1)
    require(len(counts) == len(x.shape) and min(counts, default=1) > 0, f"must repeat each axis of {x.shape}")
    return [(tuple(size * count for size, count in zip(x.shape, counts, strict=True)), same_type(x))]


def reshape(call: Call) -> Result:
    """RESHAPE: the same elements in the shape that a constant or an option names."""
    x = call.tensor(0)
    wanted = call.constants(1, 1, (INT32,)) if len(call.inputs) > 1 else list(call.options.get("shape", ()))
    shape = call.outputs[0].shape
    fit = len(wanted) == len(shape) and wanted.count(-1) <= 1
    fit = fit and all(one in (-1, size) for one, size in zip(wanted, shape, strict=True))
    require(fit and math.prod(shape) == x.size, f"cannot reshape {x.shape} by {wanted[:8]} to {shape}")
    return [(shape, same_type(x))]


def expand_dims(call: Call) -> Result:
    """EXPAND_DIMS: a new axis of size 1."""
    x = call.tensor(0)
    axis = call.axis(1, len(x.shape) + 1)
    return [((*x.shape[:axis], 1, *x.shape[axis:]), same_type(x))]


def squeeze(call: Call) -> Result:
    """SQUEEZE: axes of size 1 left out."""
    x = call.tensor(0)
    axes = {axis_of(axis, len(x.shape)) for axis in call.options["axes"]}
    axes = axes or {axis for axis, size in enumerate(x.shape) if size == 1}
    require(all(x.shape[axis] == 1 for axis in axes), f"axes {sorted(axes)} of {x.shape} must be 1")
    return [(tuple(size for axis, size in enumerate(x.shape) if axis not in axes), same_type(x))]


def transpose(call: Call) -> Result:
    """TRANSPOSE: the axes in another order."""
    x, order = call.tensor(0), call.constants(1, 1, (INT32,))
    fit = sorted(order) == list(range(len(x.shape))) and len(x.shape) <= 6
    require(fit, f"order {order[:8]} must name each axis of {x.shape} once")
    return [(tuple(x.shape[axis] for axis in order), same_type(x))]


def reverse_v2(call: Call) -> Result:
    """REVERSE_V2: one axis reversed."""
    x, axes = call.tensor(0), call.constants(1, 1, (INT32,))
    require(len(axes) == 1 and len(x.shape) <= 5, f"must reverse one axis of at most 5. Received: {axes[:8]}")
    axis_of(axes[0], len(x.shape))
    return [(x.shape, same_type(x))]


def broadcast_to(call: Call) -> Result:
    """BROADCAST_TO: a constant shape."""
    x, shape = call.tensor(0), tuple(call.constants(1, 1))
    require(min(shape, default=1) > 0 and broadcast([x.shape, shape]) == shape, f"cannot broadcast {x.shape}")
    return [(shape, same_type(x))]


def fill(call: Call) -> Result:
    """FILL: one value in a constant shape."""
    shape, value = tuple(call.constants(0, 1)), call.tensor(1)
    require(min(shape, default=1) > 0 and value.size == 1, "needs positive sizes and a single value")
    return [(shape, same_type(value))]


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
