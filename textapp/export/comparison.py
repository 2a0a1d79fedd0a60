"""Compares a converted file with its Keras model, text by text, as the runtime calls them."""

from bisect import bisect_left
from collections.abc import Sequence
from itertools import chain
from typing import Any, NamedTuple

import keras
import numpy as np
from ai_edge_litert.interpreter import Interpreter
from numpy.typing import NDArray

from textapp.export.conversion import signature_name
from textapp.export.model_inputs import TOKENS, Inputs, keras_logits, padded_rows, select
from textapp.runtime.predictor import Outputs, Predictor
from textapp.task import Compared, Task


class Logits(NamedTuple):
    """The logits of each text: float32 `(C,)`, or `(n, K)` for a model that scores each of n tokens.

    Attributes:
        before: By Keras.
        after: By the converted file.
    """

    before: list[NDArray[np.float32]]
    after: list[NDArray[np.float32]]


def both_logits(content: bytes, reference: keras.Model, lengths: Sequence[int], texts: Sequence[Inputs]) -> Logits:
    """Runs texts through a file and through its Keras model.

    Args:
        content: The file.
        reference: The Keras model that the file must agree with.
        lengths: The lengths of the file's signatures, in ascending order. A text runs in the shortest that fits, and is
            cut to the longest.
        texts: The texts.
    """
    interpreter = Interpreter(model_content=content, num_threads=1)
    counts = [len(text[TOKENS]) for text in texts]
    chosen = np.array([lengths[min(bisect_left(lengths, count), len(lengths) - 1)] for count in counts])
    logits = Logits([np.empty(0, np.float32)] * len(texts), [np.empty(0, np.float32)] * len(texts))
    for length in sorted(set(chosen.tolist())):
        runner = interpreter.get_signature_runner(signature_name(length))
        numbers = np.flatnonzero(chosen == length).tolist()
        rows = padded_rows([texts[number] for number in numbers], length)
        for row, (number, expected) in enumerate(zip(numbers, keras_logits(reference, rows), strict=True)):
            received = runner(**select(rows, slice(row, row + 1)))["logits"][0]
            real = slice(None) if expected.ndim == 1 else slice(counts[number])
            logits.before[number], logits.after[number] = expected[real], received[real]
    return logits


def compare(
    task: Task[Any, Any, Any],
    predictor: Predictor,
    content: bytes,
    reference: keras.Model,
    lengths: Sequence[int],
    compared: Compared,
) -> dict[str, Any]:
    """Scores a bundle before and after its conversion, as `textapp evaluate` scores the bundle.

    Args:
        task: The task.
        predictor: The bundle's predictor, which cuts long texts and decodes logits; its model is replaced here.
        content: The bundle's file.
        reference: The Keras model that the file must agree with.
        lengths: The lengths of the file's signatures, in ascending order.
        compared: The examples.

    Returns:
        `count`, the number of texts or tokens; `label_agreement`, the share of them that keep their label or tag; and,
        if the true labels are known, the scores `before` and `after` the conversion, and the confidence `intervals` of
        those after it.
    """
    decisions = both_decisions(predictor, content, reference, lengths, compared.questions)
    units = [list(chain.from_iterable(part)) if task.unit == "token" else part for part in decisions]
    same = [before == after for before, after in zip(*units, strict=True)]
    scores: dict[str, Any] = {"count": len(same), "label_agreement": sum(same) / len(same)}
    if compared.examples is not None:
        for name, part in zip(("before", "after"), decisions, strict=True):
            scores[name] = task.score_decisions(compared.examples, part, predictor.targets)
        intervals = task.intervals(compared.examples, decisions[1], predictor.targets)
        scores["intervals"] = {key: interval._asdict() for key, interval in intervals.items()}
    return scores


def both_decisions(
    predictor: Predictor, content: bytes, reference: keras.Model, lengths: Sequence[int], questions: Sequence[Any]
) -> tuple[list[Any], list[Any]]:
    """The labels or tags that a predictor chooses with the logits of a Keras model, and with those of its file.

    The predictor calls its model with one text at a time, which is slow in Keras. So the predictor runs once to record
    the inputs, both models run on all of them, and the predictor runs once more with the logits of each model.
    """
    recorded: list[Inputs] = []
    classes = len(predictor.targets.names)
    shape = reference.outputs[0].shape

    def record(inputs: Inputs) -> Outputs:
        recorded.append(inputs)
        return Outputs(np.zeros((len(inputs[TOKENS]), classes) if len(shape) == 3 else classes, np.float32))

    def decisions(score: Any) -> list[Any]:
        predictor.score = score
        return list(predictor.decide(questions))

    decisions(record)
    before, after = (iter(rows) for rows in both_logits(content, reference, lengths, recorded))
    return decisions(lambda _: Outputs(next(before))), decisions(lambda _: Outputs(next(after)))
