"""Improves the file that the converter writes.

Three changes cannot be expressed in the graph that the converter reads: an int8 embedding table without eight bytes of
zero point a row, a fused LSTM that does not clip its state, and unrolled steps that share one copy of their weights in
memory. A fourth change corrects an error of the converter: it gives numbers that are only moved another scale.
"""

from collections import Counter
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from textapp.export.flatbuffer import add_operator_code, add_tensor, operator_code, read, write

Builtin = schema.BuiltinOperator
LSTM_STATE, LSTM_HIDDEN = 18, 4  # an int8 LSTM's input of its last output, and the intermediate with the range of these
MOVED_INPUT = {  # operator -> the input that it copies to its output
    Builtin.EMBEDDING_LOOKUP: 1,
    Builtin.REVERSE_V2: 0,
    Builtin.UNIDIRECTIONAL_SEQUENCE_LSTM: LSTM_STATE,
}
COPIES_LIMIT = 8 << 20  # bytes; more copies do not fit into caches, measured on H = 64, 96, 128 and T = 32 to 256


def rewrite(content: bytes) -> bytes:
    """Rewrites a converted file: smaller, with Keras' results, and with less memory in use.

    Args:
        content: The converter's file.

    Returns:
        A file with the same signatures. The results are the same, except for rounding and for cell states beyond the
        converter's clip.
    """
    file = read(content)
    for subgraph in file.subgraphs:
        split_row_scales(file, subgraph)
        requantize_moved(file, subgraph)
        unclip(file, subgraph)
        share_step_weights(file, subgraph)
    return write(file)


def split_row_scales(file: Any, subgraph: Any) -> None:
    """Moves the row scales of int8 tables into a table of their own: 4 bytes a row instead of 12.

    The format wants an int64 zero point for each scale, though all are 0. So the int8 table gets the single scale 1,
    its scales become a float table `(V, 1)`, and rows of both are looked up and multiplied. EMBEDDING_LOOKUP itself
    computes exactly this product.
    """
    lookups = [operator for operator in subgraph.operators if operator_code(file, operator) == Builtin.EMBEDDING_LOOKUP]
    scale_tables = {}
    for table in {int(lookup.inputs[1]) for lookup in lookups}:
        quantization = subgraph.tensors[table].quantization
        if quantization is not None and quantization.scale is not None and len(quantization.scale) > 1:
            file.buffers.append(schema.BufferT(data=quantization.scale.view(np.uint8)))
            scale_tables[table] = add_tensor(subgraph, (len(quantization.scale), 1), buffer=len(file.buffers) - 1)
            quantization.scale, quantization.zeroPoint = np.ones(1, np.float32), np.zeros(1, np.int64)

    operators = []
    for operator in subgraph.operators:
        operators.append(operator)
        if operator in lookups and operator.inputs[1] in scale_tables:
            ids, table = operator.inputs
            rows, result = subgraph.tensors[operator.outputs[0]].shape, operator.outputs
            values, factors = add_tensor(subgraph, rows), add_tensor(subgraph, (rows[0], 1))
            operator.outputs = np.array([values], np.int32)
            operators += [
                schema.OperatorT(
                    opcodeIndex=operator.opcodeIndex,
                    inputs=np.array([ids, scale_tables[table]], np.int32),
                    outputs=np.array([factors], np.int32),
                ),
                schema.OperatorT(
                    opcodeIndex=add_operator_code(file, Builtin.MUL),
                    inputs=np.array([values, factors], np.int32),
                    outputs=result,
                    builtinOptionsType=schema.BuiltinOptions.MulOptions,
                    builtinOptions=schema.MulOptionsT(),
                ),
            ]
    subgraph.operators = operators


def requantize_moved(file: Any, subgraph: Any) -> None:
    """Adds a QUANTIZE after operators that only move int8 numbers, if the converter gives their output another scale.

    The converter does so when the next operator, a CONCATENATION or a recurrent layer, wants another scale; but the
    kernels copy the integers unchanged. The zero points of a real classifier moved its word vectors by 0.02, and a
    fifth of its labels changed.

    A fused LSTM rounds each step's output to the scale of an intermediate tensor, copies the integers to its state and
    to its output, and reads the state with the state's scale. The converter can give the LSTMs of a bidirectional layer
    three scales. So the state takes the intermediate's scale, which was measured on the outputs of all steps.
    """
    operators = []
    for operator in subgraph.operators:
        operators.append(operator)
        code = operator_code(file, operator)
        moved = MOVED_INPUT.get(code)
        if moved is None:
            continue
        source, result = subgraph.tensors[operator.inputs[moved]], subgraph.tensors[operator.outputs[0]]
        if result.type != schema.TensorType.INT8:
            continue
        if code == Builtin.UNIDIRECTIONAL_SEQUENCE_LSTM:
            source.quantization = subgraph.tensors[operator.intermediates[LSTM_HIDDEN]].quantization
        if _same_scale(source.quantization, result.quantization):
            continue
        copied = add_tensor(subgraph, result.shape)
        subgraph.tensors[copied].type = result.type
        subgraph.tensors[copied].quantization = source.quantization
        quantize = schema.OperatorT(
            opcodeIndex=add_operator_code(file, Builtin.QUANTIZE),
            inputs=np.array([copied], np.int32),
            outputs=operator.outputs,
        )
        operator.outputs = quantize.inputs
        operators.append(quantize)
    subgraph.operators = operators


def _same_scale(first: Any, second: Any) -> bool:
    """Whether an integer means the same number in two quantizations."""
    return np.array_equal(first.scale, second.scale) and np.array_equal(first.zeroPoint, second.zeroPoint)


def unclip(file: Any, subgraph: Any) -> None:
    """Removes the clip of fused LSTMs' cell states: the converter clips them at 10, Keras does not."""
    for operator in subgraph.operators:
        if operator_code(file, operator) == Builtin.UNIDIRECTIONAL_SEQUENCE_LSTM:
            operator.builtinOptions.cellClip = 0.0


def share_step_weights(file: Any, subgraph: Any) -> None:
    """Makes many unrolled steps read one copy of their weights.

    XNNPACK runs a FULLY_CONNECTED whose bias is a constant, and makes a packed copy of its weights for each operator.
    This is fast while the copies of all steps fit into the processor's caches. More copies are several times slower and
    take tens of megabytes. The interpreter's own kernel runs a FULLY_CONNECTED whose bias is computed, and reads the
    weights from the file. So above `COPIES_LIMIT` the ADD of a step's projected input becomes the bias of its
    FULLY_CONNECTED.
    """
    products = {
        int(operator.outputs[0]): operator
        for operator in subgraph.operators
        if operator_code(file, operator) == Builtin.FULLY_CONNECTED
        and operator.inputs[2] < 0
        and subgraph.tensors[operator.outputs[0]].type == schema.TensorType.FLOAT32  # for int8 a bias is int32
    }
    uses = Counter(int(index) for operator in subgraph.operators for index in operator.inputs)
    steps = []
    for operator in subgraph.operators:
        if operator_code(file, operator) == Builtin.ADD and operator.builtinOptions.fusedActivationFunction == 0:
            for result, addend in (operator.inputs, operator.inputs[::-1]):
                product = products.get(int(result))
                if product is None or uses[int(result)] > 1 or uses[int(product.inputs[1])] < 2:
                    continue
                shapes = [tuple(subgraph.tensors[index].shape) for index in (result, addend)]
                if shapes[0] == shapes[1] == (1, shapes[0][-1]):
                    steps.append((operator, product, addend))
                    break
    if sum(_weight_bytes(subgraph, product) for _, product, _ in steps) <= COPIES_LIMIT:
        return
    moved = {id(product) for _, product, _ in steps}
    for add, product, addend in steps:
        product.inputs = np.array([*product.inputs[:2], addend], np.int32)
        product.outputs = add.outputs
    in_place_of = {id(add): product for add, product, _ in steps}
    subgraph.operators = [in_place_of.get(id(op), op) for op in subgraph.operators if id(op) not in moved]


def _weight_bytes(subgraph: Any, product: Any) -> int:
    """The bytes of a FULLY_CONNECTED's weights in memory."""
    weights = subgraph.tensors[product.inputs[1]]
    return int(np.prod(weights.shape)) * (1 if weights.type == schema.TensorType.INT8 else 4)
