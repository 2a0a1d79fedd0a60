"""What every exported file must pass before it is kept."""

import math
from collections import Counter
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter

from textapp.errors import InputError
from textapp.export.convert import Recipe, signature_name
from textapp.export.embedding import EmbeddingLookup
from textapp.export.lowering import recurrent_layers
from textapp.export.recurrent_fused import FusedLSTM

# The largest difference of a logit from Keras' own, as a share of the largest logit (at least 1). float16 keeps 11 bits of a
# weight and int8 7; a defect (a lost weight, a wrong mask, a leaking state) moves logits by more than any of these.
LOGIT_TOLERANCE: dict[Recipe, float] = {"float32": 1e-4, "float16": 1e-2, "dynamic_wi8_afp32": 1e-1}
# The share of texts that may change their label. One text always may: two classes can be as good as equal.
LABEL_TOLERANCE: dict[Recipe, float] = {"float32": 0.0, "float16": 0.005, "dynamic_wi8_afp32": 0.02}
# Control flow, and what only starts with it: MediaPipe and LiteRT's compiled model refuse these.
FORBIDDEN = ("WHILE", "IF", "CALL_ONCE", "CUSTOM")


class ExportError(InputError):
    """A converted file fails a check, and is not kept. The message says which check and by how much."""


def check_file(
    content: bytes, model: keras.Model, lowered: keras.Model, lengths: Sequence[int], recipe: Recipe, ids: Sequence[Sequence[int]]
) -> dict[str, Any]:
    """Checks a converted file against the model that it came from.

    Args:
        content: The file.
        model: The original Keras model: one output, logits `(B, C)`.
        lowered: The model that was converted.
        lengths: The lengths of its signatures.
        recipe: How its weights are stored: sets the tolerances.
        ids: Token ids of real texts, any lengths. Each signature is given all of them, cut or padded to its length.

    Returns:
        What was measured: `operators` by name, `texts`, `max_logit_difference` and `label_agreement`.

    Raises:
        ExportError: A check fails.
    """
    interpreter = check_loads(content)
    operators = check_operators(content, lowered, lengths)
    report: dict[str, Any] = {"operators": operators, "texts": len(ids)}
    rows = {length: padded_rows([[], *ids], length) for length in lengths}
    logits = check_order(interpreter, rows)
    for length, values in logits.items():
        if not np.isfinite(values).all():
            which = "the empty text" if not np.isfinite(values[0]).all() else "a text"
            raise ExportError(f"model.tflite: {signature_name(length)} gives NaN or infinity on {which}")
    return {**report, **check_agreement(model, rows, logits, recipe)}


def check_loads(content: bytes) -> Interpreter:
    """Loads a file into the device's interpreter."""
    try:
        interpreter = Interpreter(model_content=content, num_threads=1)
        interpreter.allocate_tensors()
    except (ValueError, RuntimeError) as error:
        raise ExportError(f"model.tflite: LiteRT refuses the file: {error}") from error
    return interpreter


def check_operators(content: bytes, lowered: keras.Model, lengths: Sequence[int]) -> dict[str, int]:
    """Counts operators; refuses control flow, custom ones, and lowerings that did not take."""
    names = {code: name for name, code in vars(schema.BuiltinOperator).items() if not name.startswith("_")}
    file = schema.ModelT.InitFromPackedBuf(content)
    counts: Counter[str] = Counter()
    for graph in file.subgraphs:
        for operator in graph.operators:
            code = file.operatorCodes[operator.opcodeIndex]
            counts[names[max(code.builtinCode, code.deprecatedBuiltinCode)]] += 1
    for name in FORBIDDEN:
        if counts[name]:
            raise ExportError(f"model.tflite: holds {counts[name]} {name} operators; only straight builtin ones run on every device")
    expected = {
        "UNIDIRECTIONAL_SEQUENCE_LSTM": sum(isinstance(layer, FusedLSTM) for layer in recurrent_layers(lowered)),
        "EMBEDDING_LOOKUP": sum(isinstance(layer, EmbeddingLookup) for layer in lowered.layers),
    }
    for name, count in expected.items():
        if counts[name] != count * len(lengths):
            raise ExportError(f"model.tflite: holds {counts[name]} {name} operators instead of {count} for each of {len(lengths)} lengths")
    return dict(sorted(counts.items()))


def check_order(interpreter: Interpreter, rows: dict[int, np.ndarray]) -> dict[int, np.ndarray]:
    """Runs all rows forwards and backwards; refuses scores that depend on the call before. Returns logits `(N, C)` by length."""
    runners = {length: interpreter.get_signature_runner(signature_name(length)) for length in rows}
    calls = [(length, index) for index in range(len(next(iter(rows.values())))) for length in rows]
    first, second = (
        {(length, index): runners[length](token_ids=rows[length][index : index + 1])["logits"] for length, index in order}
        for order in (calls, calls[::-1])
    )
    for call in calls:
        if not np.array_equal(first[call], second[call], equal_nan=True):
            difference = float(np.abs(first[call] - second[call]).max())
            raise ExportError(
                f"model.tflite: {signature_name(call[0])} gives other scores after another text (difference {difference:.1e}): "
                "state leaks from call to call"
            )
    return {length: np.concatenate([first[length, index] for index in range(len(rows[length]))]) for length in rows}


def check_agreement(
    model: keras.Model, rows: dict[int, np.ndarray], logits: dict[int, np.ndarray], recipe: Recipe
) -> dict[str, float]:
    """Compares logits with Keras' own on the same rows."""
    differences, changed, largest, total = [], 0, 1.0, 0
    for length, ids in rows.items():
        wanted = np.concatenate([np.asarray(model(ids[start : start + 64], training=False)) for start in range(0, len(ids), 64)])
        if not np.isfinite(wanted).all():
            raise ExportError("model: gives NaN or infinity in Keras itself; was its training stopped by one?")
        differences.append(float(np.abs(wanted - logits[length]).max()))
        changed += int((wanted.argmax(-1) != logits[length].argmax(-1)).sum())
        largest, total = max(largest, float(np.abs(wanted).max())), total + len(ids)
    worst, allowed = max(differences), LOGIT_TOLERANCE[recipe] * largest
    if worst > allowed:
        raise ExportError(f"model.tflite: a logit differs from Keras by {worst:.2g}; {recipe} allows {allowed:.2g}")
    if changed > math.ceil(max(1.0, LABEL_TOLERANCE[recipe] * total)):
        raise ExportError(f"model.tflite: {changed} of {total} labels differ from Keras; {recipe} allows {LABEL_TOLERANCE[recipe]:.1%}")
    return {"max_logit_difference": worst, "label_agreement": 1.0 - changed / total}


def padded_rows(ids: Sequence[Sequence[int]], length: int) -> np.ndarray:
    """Token ids as int32 `(N, length)`: cut at the end, padded with 0 on the right."""
    rows = np.zeros((len(ids), length), np.int32)
    for row, text in zip(rows, ids, strict=True):
        row[: min(len(text), length)] = text[:length]
    return rows
