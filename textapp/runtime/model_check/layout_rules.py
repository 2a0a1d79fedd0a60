"""What the operators must fulfil that move elements or choose some of them; see `rules`."""

import math

from textapp.runtime.model_check.tensors import (
    BITS,
    BROADCAST_RANK,
    FLOAT32,
    INT2,
    INT4,
    INT8,
    INT32,
    INT64,
    LARGEST_STEP,
    TYPE_NAMES,
    Call,
    Result,
    axis_of,
    broadcast,
    require,
    same_type,
)


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
