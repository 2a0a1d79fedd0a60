"""A model's outputs come back in the order of the rows, whatever the batches."""

import itertools

import keras
import numpy as np
import pytest

from tests.small_models import small_tagger
from textapp.data.batches import evaluation_batches
from textapp.data.rows import EncodedRows
from textapp.layers import CRF
from textapp.task import task
from textapp.text.tag_set import TagSet
from textapp.training.outputs import RowOutputs

TAGS = TagSet.build([["B-地", "I-地", "I-地", "B-人", "O"]], "IOBES")
V = 12


def some_rows(count=23, longest=5) -> EncodedRows:
    rng = np.random.default_rng(0)
    offsets = np.concatenate([[0], np.cumsum(rng.integers(1, longest + 1, count))])
    index = rng.integers(1, V, offsets[-1]).astype("int32")
    table = {"token_ids": np.arange(V, dtype="int32")}
    return EncodedRows(index, offsets, table, np.zeros(offsets[-1], "int32"), True, np.arange(count))


def ids_of(rows):
    """The ids of each row."""
    return [rows.index[start:end] for start, end in itertools.pairwise(rows.offsets)]


def tagger(crf: bool) -> keras.Model:
    """Word number k gives scores of its own to the tags; transitions do so too."""
    token_ids = keras.Input((None,), dtype="int32")
    logits = keras.layers.Embedding(V, len(TAGS), mask_zero=True)(token_ids)
    outputs = CRF(*TAGS.allowed(), name="crf")(logits) if crf else logits
    model = keras.Model(token_ids, outputs)
    rng = np.random.default_rng(1)
    model.set_weights([rng.normal(0, 2, weight.shape) for weight in model.get_weights()])
    return model


def best_by_brute_force(model: keras.Model, ids: np.ndarray) -> list[int]:
    """Scores every sequence of tags."""
    scores = model.get_layer(index=1).get_weights()[0][ids]
    if len(model.layers) == 2:
        return scores.argmax(axis=1).tolist()
    transitions, start, end = model.get_layer("crf").get_weights()
    allowed = [np.asarray(values) for values in TAGS.allowed()]
    transitions, start, end = (
        np.where(mask, weight, -1e4) for mask, weight in zip(allowed, (transitions, start, end), strict=True)
    )
    return max(
        itertools.product(range(len(TAGS)), repeat=len(ids)),
        key=lambda tags: (
            start[tags[0]]
            + end[tags[-1]]
            + sum(scores[range(len(ids)), tags])
            + sum(transitions[one, two] for one, two in itertools.pairwise(tags))
        ),
    )


def in_any_batches(compute, rows):
    """The outputs in small batches, in one, and in batches of static shape: all the same."""
    outputs = compute(rows, batch_size=4)
    static = evaluation_batches(rows, 4, [3, int(rows.lengths.max())], static_shapes=True)
    for other in (compute(rows), compute(rows, 4, static)):
        np.testing.assert_allclose(other, outputs, atol=1e-5)
    return outputs


def test_outputs_of_texts_come_back_in_order():
    rows = some_rows(50, longest=29)
    ids = keras.Input((None,), dtype="int32")
    as_float = keras.ops.cast(ids, "float32")
    model = keras.Model(ids, keras.ops.stack([keras.ops.sum(as_float, 1), keras.ops.max(as_float, 1)], 1))
    outputs = in_any_batches(RowOutputs(model, lambda outputs, _: outputs, per_token=False), rows)
    np.testing.assert_array_equal(outputs, [[row.sum(), row.max()] for row in ids_of(rows)])


@pytest.mark.parametrize("crf", [True, False])
def test_tags_are_the_best_and_in_order(crf):
    rows, model, found = some_rows(), tagger(crf), task("tagging")
    outputs = in_any_batches(RowOutputs(model, found.decoded(model), per_token=True), rows)
    wanted = [TAGS.decode(best_by_brute_force(model, ids)) for ids in ids_of(rows)]
    assert found.decisions(rows, outputs, TAGS) == wanted


@pytest.mark.parametrize("crf", [True, False])
def test_probabilities_of_tags_come_back_in_order(crf):
    rows, model = some_rows(), tagger(crf)
    outputs = in_any_batches(RowOutputs(model, task("tagging").probabilities(model), per_token=True), rows)
    assert outputs.shape == (len(rows.index), len(TAGS))
    for (start, end), ids in zip(itertools.pairwise(rows.offsets), ids_of(rows), strict=True):
        scores = model(ids[None])
        alone = model.get_layer("crf").marginals(scores)[0] if crf else keras.ops.softmax(scores[0])
        np.testing.assert_allclose(outputs[start:end], alone, atol=1e-5)


def test_the_model_of_the_package_is_understood():
    model = small_tagger(V, len(TAGS), embedding_dim=4, units=3, cell="rnn", allowed=TAGS.allowed())
    rows = some_rows(3)
    outputs = RowOutputs(model, task("tagging").decoded(model), per_token=True)(rows)
    assert list(map(len, task("tagging").decisions(rows, outputs, TAGS))) == rows.lengths.tolist()
