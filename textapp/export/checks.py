"""The checks that every exported file must pass before it is kept."""

import math
import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter
from numpy.typing import NDArray

from textapp.errors import InputError
from textapp.export import flatbuffer
from textapp.export.conversion import STATIC, Recipe, signature_name
from textapp.export.lowerings.recurrent_fused import FusedLSTM
from textapp.export.model_inputs import (
    TOKENS,
    InputBatch,
    Inputs,
    empty_inputs,
    keras_logits,
    named_inputs,
    padded_rows,
    select,
)
from textapp.export.padding import effect_of_amount, effect_of_side
from textapp.layers.leaves import leaves
from textapp.runtime.model_check import check_model

# The largest allowed difference between a logit and Keras' logit, as a share of the largest logit (or of 1). float16
# keeps 11 bits of a weight, int8 7; a defect (a lost weight, a wrong mask, a state that leaks) makes a larger
# difference than any of these.
# Packed rows may differ by more. So the file is compared with a Keras model whose rows are rounded in the same way.
# With int8 activations every step of an LSTM rounds its state, and a number outside of the calibrated range is clipped:
# on SST-2 the largest difference was 0.12 of the largest logit (0.01 on average), and 1.4 % of the labels changed.
LOGIT_TOLERANCE: dict[Recipe, float] = {
    "float32": 1e-4,
    "float16": 1e-2,
    "dynamic_wi8_afp32": 1e-1,
    "dynamic_wi8_afp32_emb4": 1e-1,
    "dynamic_wi8_afp32_emb2": 1e-1,
    "static_wi8_ai8": 3e-1,
}
# The share of the texts whose label may change. One text always may, since two classes can be almost equal.
LABEL_TOLERANCE: dict[Recipe, float] = {
    "float32": 0.0,
    "float16": 0.005,
    "dynamic_wi8_afp32": 0.02,
    "dynamic_wi8_afp32_emb4": 0.02,
    "dynamic_wi8_afp32_emb2": 0.02,
    "static_wi8_ai8": 0.04,
}
# The largest allowed difference between 1 and the sum of a text's attention weights. In int8 they are multiples of
# 1/256, and each of many small weights is rounded.
SUM_TOLERANCE = 1e-3
SUM_TOLERANCE_IN_INT8 = 0.25
# Operator -> the lowered layer that must become it; each such layer becomes at least one operator.
LOWERED_TO: dict[str, Any] = {
    "UNIDIRECTIONAL_SEQUENCE_LSTM": FusedLSTM,
    "EMBEDDING_LOOKUP": keras.layers.Embedding,
}
# The operators that may compute in floats in a file of int8 activations: they make the mask and the outputs.
FLOAT_IN_INT8 = ("CAST", "QUANTIZE", "DEQUANTIZE")
OPERATORS = {code: name for name, code in vars(schema.BuiltinOperator).items() if isinstance(code, int)}


class ExportError(InputError):
    """A converted file fails a check and is not kept. The message says which check, and by how much."""


def check_file(
    content: bytes,
    lowered: keras.Model,
    reference: keras.Model,
    lengths: Sequence[int],
    recipe: Recipe,
    texts: Sequence[Inputs],
    exclusive: bool = True,
) -> dict[str, Any]:
    """Checks a converted file against the Keras models that it was made from.

    Args:
        content: The file.
        lowered: The model that was converted.
        reference: The original model in float32 (see `in_float32`), to logits `(B, C)`, or `(B, T, K)` of tokens.
        lengths: The lengths of the file's signatures.
        recipe: How its weights are stored. The recipe sets the tolerances.
        texts: Real texts of any length. Every signature reads all of them, cut or padded.
        exclusive: True: the class with the largest logit is the answer. False: each class with a positive logit is.

    Returns:
        By the name of each check, the value that it measured.

    Raises:
        ExportError: A check fails.
    """
    interpreter = check_loads(content)
    operators = check_operators(content, lowered, lengths)
    measured: dict[str, Any] = {"builtin operators": operators}
    if recipe == STATIC:
        measured["int8 operators"] = check_integers(content)
    rows = {length: padded_rows([empty_inputs(texts[0]), *texts], length) for length in lengths}
    measured["padding"] = check_padding(reference, rows)
    outputs = check_order(interpreter, rows)
    for length in lengths:
        sum_tolerance = SUM_TOLERANCE_IN_INT8 if recipe == STATIC else SUM_TOLERANCE
        check_finite(outputs[length], rows[length][TOKENS], signature_name(length), sum_tolerance)
    logits = {length: outputs[length]["logits"] for length in lengths}
    agreement = check_agreement(reference, rows, logits, recipe, exclusive)
    calls = 2 * len(lengths) * (len(texts) + 1)
    return {**measured, "order of calls": calls, "finite": calls, "agreement with Keras": agreement}


def check_loads(content: bytes) -> Interpreter:
    """Loads a file as a device does; refuses a file that the runtime would refuse."""
    try:
        check_model(content)
    except InputError as error:
        raise ExportError(f"model.tflite: {error}") from error
    try:
        interpreter = Interpreter(model_content=content, num_threads=1)
        interpreter.allocate_tensors()
    except (ValueError, RuntimeError) as error:
        raise ExportError(f"model.tflite: LiteRT refuses the file: {error}") from error
    return interpreter


def check_operators(content: bytes, lowered: keras.Model, lengths: Sequence[int]) -> dict[str, int]:
    """Counts the operators; refuses a file in which a layer did not become its operator."""
    file = flatbuffer.read(content)
    operators = [operator for subgraph in file.subgraphs for operator in subgraph.operators]
    counts = Counter(OPERATORS[flatbuffer.operator_code(file, operator)] for operator in operators)
    for name, kind in LOWERED_TO.items():
        expected = len(lengths) * sum(isinstance(layer, kind) for _, layer in leaves(lowered))
        if counts[name] < expected:
            raise ExportError(f"model.tflite: has {counts[name]} {name} operators where its layers need {expected}")
    return dict(sorted(counts.items()))


def check_integers(content: bytes) -> int:
    """Counts the operators without floats; refuses operators with floats that are not in `FLOAT_IN_INT8`."""
    file = flatbuffer.read(content)
    integers, floats = 0, Counter[str]()
    for subgraph in file.subgraphs:
        for operator in subgraph.operators:
            kinds = {subgraph.tensors[index].type for index in (*operator.inputs, *operator.outputs) if index >= 0}
            if schema.TensorType.FLOAT32 in kinds:
                floats[OPERATORS[flatbuffer.operator_code(file, operator)]] += 1
            else:
                integers += 1
    left = [f"{floats[name]} {name}" for name in sorted(floats) if name not in FLOAT_IN_INT8]
    if left:
        raise ExportError(f"model.tflite: has operators left in float: {', '.join(left)}; the recipe wants int8 ones")
    return integers


def check_padding(reference: keras.Model, rows: Mapping[int, InputBatch]) -> dict[str, float]:
    """Refuses a model that gives one text different scores in different signatures.

    If there is only one signature, or if only the side of the padding matters, the model may have been trained on this
    very padding: then a warning says how the device pads.

    Args:
        reference: The Keras model.
        rows: The same texts by length.

    Returns:
        How much the amount of padding changes a logit, and how much its side, as shares of the largest logit.
    """
    way_out = "give it the mask, as mask=keras.ops.not_equal(token_ids, 0)"
    measured, longest = {}, max(rows)
    if named_inputs(reference)[TOKENS].shape[1] is None:
        effect = effect_of_amount(reference, rows)
        measured["amount"] = effect.difference
        if effect.matters and len(rows) > 1:
            raise ExportError(
                f"model: the scores of a text depend on how much padding is after it (by {effect.difference:.1%} of "
                f"the largest logit), so signatures disagree: layer {effect.layer} reads padding; {way_out}; or export "
                "the one length that the model was trained on, padded on the right"
            )
        if effect.matters:
            warnings.warn(
                f"model: its scores depend on padding: layer {effect.layer} reads it. The device pads texts on the "
                f"right to {longest} tokens; train it on exactly that, or {way_out}",
                stacklevel=2,
            )
            return measured
    effect = effect_of_side(reference, rows)
    measured["side"] = effect.difference
    if effect.matters:
        warnings.warn(
            f"model: its scores depend on the side of the padding: layer {effect.layer} differs. The device pads texts "
            "on the right; train it on that (keras.utils.pad_sequences pads on the left unless padding='post')",
            stacklevel=2,
        )
    return measured


def check_order(interpreter: Interpreter, rows: Mapping[int, InputBatch]) -> dict[int, dict[str, NDArray[np.float32]]]:
    """Runs all rows in one order and in the reverse order; refuses scores that depend on the previous call.

    Args:
        interpreter: The loaded file.
        rows: The same texts by length.

    Returns:
        By length and name, the outputs `(N, ...)`.
    """
    runners = {length: interpreter.get_signature_runner(signature_name(length)) for length in rows}
    count = len(next(iter(rows.values()))[TOKENS])
    calls = [(length, number) for number in range(count) for length in rows]

    def run(order: list[tuple[int, int]]) -> dict[tuple[int, int], dict[str, NDArray[np.float32]]]:
        return {(length, n): runners[length](**select(rows[length], slice(n, n + 1))) for length, n in order}

    first, second = run(calls), run(calls[::-1])
    for call in calls:
        for name, values in first[call].items():
            if not np.array_equal(values, second[call][name], equal_nan=True):
                difference = np.abs(values - second[call][name]).max()
                raise ExportError(
                    f"model.tflite: {name} of {signature_name(call[0])} depend on the text before "
                    f"(by {difference:.1e}): state leaks from call to call"
                )
    return {
        length: {name: np.concatenate([first[length, n][name] for n in range(count)]) for name in first[length, 0]}
        for length in rows
    }


def check_finite(
    outputs: Mapping[str, NDArray[np.float32]],
    token_ids: NDArray[np.int32],
    signature: str,
    sum_tolerance: float = SUM_TOLERANCE,
) -> None:
    """Refuses NaN and infinity, also on the empty text, and attention weights that do not sum to 1 on a text."""
    for name, values in outputs.items():
        broken = ~np.isfinite(values).all(axis=tuple(range(1, values.ndim)))
        if broken.any():
            text = "a real text" if token_ids[broken].any() else "the empty text"
            raise ExportError(f"model.tflite: {name} of {signature} are not finite on {text}")
    if "attention_weights" in outputs:
        sums = outputs["attention_weights"][token_ids.any(axis=1)].sum(axis=1)
        if len(sums) and np.abs(sums - 1.0).max() > sum_tolerance:
            wrong = sums[np.abs(sums - 1.0).argmax()]
            raise ExportError(
                f"model.tflite: attention_weights of {signature} sum to {wrong:.3g} on a real text, not 1"
            )


def check_agreement(
    reference: keras.Model,
    rows: Mapping[int, InputBatch],
    logits: Mapping[int, NDArray[np.float32]],
    recipe: Recipe,
    exclusive: bool = True,
) -> dict[str, float]:
    """Compares the file's logits, `(N, C)` or `(N, T, K)` (real tokens only), with Keras' logits of the same rows.

    Args:
        reference: The Keras model.
        rows: The rows that both have read, by length.
        logits: The file's logits, by length.
        recipe: Sets the tolerances.
        exclusive: See `check_file`.
    """
    expected = _in_one({length: keras_logits(reference, rows[length]) for length in rows}, rows)
    received = _in_one(logits, rows)
    if not np.isfinite(expected).all():
        raise ExportError("model: gives NaN or infinity in Keras already; look at its training")
    difference = float(np.abs(received - expected).max())
    allowed = LOGIT_TOLERANCE[recipe] * max(1.0, float(np.abs(expected).max()))
    hint = ""
    if recipe == STATIC:  # int8 arithmetic is too coarse for some models: this is not a defect of the file
        hint = "; --lowering unrolled is more exact, and so is a model trained longer; dynamic_wi8_afp32 is for any"
    if difference > allowed:
        raise ExportError(f"model.tflite: a logit is {difference:.2g} from Keras'; {recipe} allows {allowed:.2g}{hint}")
    if exclusive:
        changed = int((received.argmax(axis=1) != expected.argmax(axis=1)).sum())
    else:
        changed = int(((received > 0) != (expected > 0)).any(axis=1).sum())
    if changed > max(1, math.ceil(LABEL_TOLERANCE[recipe] * len(expected))):
        share = LABEL_TOLERANCE[recipe]
        raise ExportError(
            f"model.tflite: {changed} of {len(expected)} labels are not Keras'; {recipe} allows {share:.1%}{hint}"
        )
    return {
        "max_logit_difference": difference,
        "allowed_difference": allowed,
        "label_agreement": 1.0 - changed / len(expected),
    }


def _in_one(logits: Mapping[int, NDArray[np.float32]], rows: Mapping[int, InputBatch]) -> NDArray[np.float32]:
    """Concatenates the logits of all lengths to `(M, C)`; for logits of tokens, only those of real tokens."""
    real = {length: ... if logits[length].ndim == 2 else rows[length][TOKENS] != 0 for length in rows}
    return np.concatenate([logits[length][real[length]] for length in rows])
