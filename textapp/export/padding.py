"""Finds out whether padding changes a model's scores. A device pads a text on the right to its signature's length."""

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

import keras
import numpy as np
from numpy.typing import NDArray

from textapp.export.model_inputs import TOKENS, InputBatch, keras_logits, select, takes_names

TOLERANCE = 1e-3  # of the largest logit, or of 1: another order of float32 sums makes a hundredth of this difference
CHECKED_ROWS = 32  # few are enough: the effect comes from the model, not from single texts

Side = Literal["right", "left"]


class PaddingEffect(NamedTuple):
    """What padding does to the scores of one text.

    Attributes:
        difference: The largest difference of a logit, as a share of the largest logit (or of 1).
        layer: The first layer whose outputs for real tokens differ, as `'lstm' (LSTM)`; None if no layer is found.
    """

    difference: float
    layer: str | None

    @property
    def matters(self) -> bool:
        """Whether the difference is too large to come from rounding."""
        return self.difference > TOLERANCE


def effect_of_amount(model: keras.Model, rows: Mapping[int, InputBatch]) -> PaddingEffect:
    """Compares texts without padding and the same texts padded on the right to the largest length.

    Args:
        model: The Keras model, to logits `(B, C)`, or `(B, T, K)` of tokens. It takes texts of any length.
        rows: The same texts by length. Those of the smallest length are used, without empty texts.
    """
    shortest, longest = min(rows), max(rows)
    cut = shortest if shortest < longest else max(1, longest // 2)
    return _effect(model, select_columns(_with_tokens(rows[shortest]), cut), longest, "right")


def effect_of_side(model: keras.Model, rows: Mapping[int, InputBatch]) -> PaddingEffect:
    """Compares texts padded on the right with the same texts padded on the left, as Keras' `pad_sequences` does.

    Args:
        model: As for `effect_of_amount`; it may have a fixed length.
        rows: The same texts by length. Those of the largest length are used, without empty texts.
    """
    longest = max(rows)
    return _effect(model, _with_tokens(rows[longest]), longest, "left")


def select_columns(rows: InputBatch, count: int) -> InputBatch:
    """The first `count` tokens of all rows."""
    return {name: ids[:, :count] for name, ids in rows.items()}


def _effect(model: keras.Model, rows: InputBatch, length: int, side: Side) -> PaddingEffect:
    """The largest effect of padding rows to `length` on a side. The rows may already be padded on the right."""
    if not len(rows[TOKENS]):
        return PaddingEffect(0.0, None)
    padded = _padded(rows, length, side)
    given, moved = keras_logits(model, rows), keras_logits(model, padded)
    differences = np.zeros(len(given))
    for number, (first, second) in enumerate(zip(given, moved, strict=True)):
        count = np.count_nonzero(rows[TOKENS][number])
        if first.ndim == 2:  # logits of tokens
            first, second = first[:count], second[:count] if side == "right" else second[length - count :]
        if np.isfinite(first).all() and np.isfinite(second).all():
            differences[number] = np.abs(first - second).max() / max(1.0, np.abs(first).max())
    worst = int(differences.argmax())
    effect = PaddingEffect(float(differences[worst]), None)
    if not effect.matters:
        return effect
    one, other = (select(values, slice(worst, worst + 1)) for values in (rows, padded))
    return effect._replace(layer=_first_layer(model, one, other, int(np.count_nonzero(one[TOKENS])), side))


def _with_tokens(rows: InputBatch) -> InputBatch:
    """The first `CHECKED_ROWS` rows that have tokens."""
    return select(rows, np.flatnonzero(rows[TOKENS].any(axis=1))[:CHECKED_ROWS].tolist())


def _padded(rows: InputBatch, length: int, side: Side) -> InputBatch:
    """Rows padded to `length`; on the left each row's tokens are moved to the end."""
    room = length - rows[TOKENS].shape[1]
    wide = {name: np.pad(ids, [(0, 0), (0, room), *[(0, 0)] * (ids.ndim - 2)]) for name, ids in rows.items()}
    if side == "right":
        return wide
    counts = np.count_nonzero(rows[TOKENS], axis=1)
    places = (np.arange(length) + counts[:, None]) % length
    return {name: ids[np.arange(len(ids))[:, None], places] for name, ids in wide.items()}


def _first_layer(model: keras.Model, first: InputBatch, second: InputBatch, count: int, side: Side) -> str | None:
    """The first layer whose outputs for one text's tokens depend on its padding."""
    calls: list[tuple[Any, Any]] = []

    def call(layer: Any, *args: Any, **kwargs: Any) -> Any:
        outputs = layer(*args, **kwargs)
        calls.extend((layer, tensor) for tensor in keras.tree.flatten(outputs))
        return outputs

    inputs = model.input if takes_names(model) else model.inputs[0]
    view = keras.Model(inputs, model.outputs[0] if isinstance(model, keras.Sequential) else model.output)
    cloned = keras.models.clone_model(view, clone_function=lambda layer: layer, call_function=call)
    probe = keras.Model(cloned.input if takes_names(view) else cloned.inputs[0], [tensor for _, tensor in calls])
    runs = [probe(rows if takes_names(view) else rows[TOKENS], training=False) for rows in (first, second)]
    for (layer, _), one, other in zip(calls, *runs, strict=True):
        one, other = _of_tokens(np.asarray(one), np.asarray(other), first, second, count, side)
        if one.shape != other.shape or not np.allclose(one, other, rtol=TOLERANCE, atol=TOLERANCE, equal_nan=True):
            return f"{layer.name!r} ({type(layer).__name__})"
    return None


def _of_tokens(
    one: NDArray[Any], other: NDArray[Any], first: InputBatch, second: InputBatch, count: int, side: Side
) -> tuple[NDArray[Any], NDArray[Any]]:
    """The values of the real tokens if an output has values for each token; else all values."""
    lengths = first[TOKENS].shape[1], second[TOKENS].shape[1]
    if one.ndim < 2 or (one.shape[1], other.shape[1]) != lengths:
        return one, other
    return one[:, :count], other[:, :count] if side == "right" else other[:, lengths[1] - count :]
