"""Each rule of granularity holds in a file that the converter wrote: same scales, same integers, same floats left."""

import keras
import numpy as np
import pytest
from keras import layers

from tests.small_models import small_classifier, small_tagger
from textapp.compress.granularity import stored_weights
from textapp.config import Encoder, Words
from textapp.errors import InputError
from textapp.models.model import text_model
from textapp.tasks.classification.head import classification_head
from textapp.tasks.tagging.head import without_crf


def expected(weight) -> tuple[np.ndarray, np.ndarray]:
    """Integers and scales by the rule, in NumPy: the largest of a group is 127."""
    view = np.reshape(weight.variable.numpy(), weight.granularity.view).astype("f8")
    scales = np.abs(view).max(axis=weight.granularity.axes, keepdims=True) / 127
    return np.rint(view / scales), scales.astype("f4")


def same(stored, integers, scales):
    np.testing.assert_array_equal(stored.scales, scales)
    differing = stored.values != integers  # a tie may go either way
    assert differing.mean() < 1e-3
    assert np.abs(stored.values - integers).max() <= 1


def test_rows_gates_and_channels_of_the_fused_classifier(converted, randomized):
    model = randomized(small_classifier(40, 2, embedding_dim=33, units=36, attention_units=32))
    file = converted(model, "fused")
    weights = stored_weights(model, "fused")
    table, kernel, recurrent, *_ = weights
    (stored,) = file.tables()
    integers, scales = expected(table)
    same(stored, integers, scales[:, 0])

    directions = [weights[1:4], weights[4:7]]
    assert [weight.layer for weight in weights[1:7:3]] == ["encoder/forward", "encoder/backward"]
    lstms = {kernel[0].scales[0]: (kernel, recurrent) for kernel, recurrent in file.lstms()}
    for kernel, recurrent, bias in directions:
        assert bias.granularity is None
        assert kernel.device_rows == 3  # 33 + 1 for padding, filled up to 36
        kernel_gates, recurrent_gates = lstms[expected(kernel)[1][0, 0, 0]]
        for weight, gates in ((kernel, kernel_gates), (recurrent, recurrent_gates)):
            integers, scales = expected(weight)
            for number, gate in enumerate(gates):
                rows = weight.variable.shape[0]
                assert gate.values.shape == (36, rows + weight.device_rows)
                same(gate._replace(values=gate.values[:, :rows]), integers[:, number].T, scales[0, number])
        resets = [gate.values[:, 33] for gate in kernel_gates]
        assert [set(reset.tolist()) for reset in resets] == [{-127}, {-127}, {0}, {-127}]
        assert not any(gate.values[:, 34:].any() for gate in kernel_gates)

    attention, bias, query, *logits = weights[7:]
    matrices = file.matrices()
    same(matrices[0], expected(attention)[0].T, expected(attention)[1][0])
    assert [weight.granularity for weight in (bias, query, *logits)] == [None] * 4
    assert [matrix.scales for matrix in matrices[1:]] == [None, None]


def test_channels_of_the_unrolled_classifier(converted, randomized):
    model = randomized(small_classifier(40, 2, embedding_dim=33, units=32, attention_units=32))
    file = converted(model, "unrolled")
    weights = [weight for weight in stored_weights(model, "unrolled") if weight.granularity and not weight.is_table]
    assert len(weights) == 5
    stored = {matrix.values.shape: [] for matrix in file.matrices()}
    for matrix in file.matrices():
        stored[matrix.values.shape].append(matrix)
    for weight in weights:
        assert weight.granularity.kind == "channel"
        integers, scales = expected(weight)
        candidates = stored[integers.T.shape]
        (match,) = [matrix for matrix in candidates if np.array_equal(matrix.scales, scales[0])]
        same(match, integers.T, scales[0])


@pytest.mark.parametrize(
    ("dim", "units", "is_integer"), [(40, 31, False), (30, 32, True), (27, 36, False), (28, 36, True), (64, 16, False)]
)
def test_a_fused_lstm_with_a_small_gate_stays_float_as_a_whole(converted, randomized, dim, units, is_integer):
    ids = keras.Input((None,), dtype="int32")
    model = randomized(keras.Model(ids, layers.LSTM(units)(layers.Embedding(50, dim)(ids))))
    ((kernel, recurrent),) = converted(model, "fused").lstms()
    assert [gate.scales is not None for gate in kernel + recurrent] == [is_integer] * 8
    assert [weight.granularity is not None for weight in stored_weights(model)[1:3]] == [is_integer] * 2


@pytest.mark.parametrize("units", [20, 24, 31, 32])
@pytest.mark.parametrize("reset_after", [True, False])
def test_recurrent_layers_that_no_op_fuses(converted, randomized, units, reset_after):
    ids = keras.Input((None,), dtype="int32")
    x = layers.Embedding(50, 32)(ids)
    x = layers.GRU(units, reset_after=reset_after, return_sequences=True)(x)
    x = layers.LSTM(units, activation="relu", return_sequences=True)(x)
    x = layers.Dense(48)(layers.SimpleRNN(units)(x))
    model = randomized(keras.Model(ids, x))
    file = converted(model, "fused")
    assert not file.lstms()
    stored = [matrix for matrix in file.matrices() if matrix.scales is not None]
    channels = {scale: row for matrix in stored for scale, row in zip(matrix.scales, matrix.values, strict=True)}
    found = 0
    for weight in stored_weights(model, "fused")[1:]:
        if weight.granularity is None:
            continue
        assert weight.granularity.kind == "channel"
        integers, scales = expected(weight)
        for column in range(weight.granularity.count):
            assert np.abs(channels[scales[0, column]] - integers[:, column]).max() <= 1
        found += weight.granularity.count
    assert found == len(channels) == sum(len(matrix.scales) for matrix in stored)


def test_convolutions(converted, randomized):
    ids = keras.Input((None,), dtype="int32")
    x = layers.Embedding(50, 32)(ids)
    x = layers.Conv1D(20, 3, padding="same")(x)
    x = layers.Conv1D(17, 3, padding="same")(x)  # 1,020 numbers: float
    model = randomized(keras.Model(ids, x))
    first, second = converted(model, "fused").matrices()
    kernels = [weight for weight in stored_weights(model, "fused") if weight.variable.path.endswith("kernel")]
    integers, scales = expected(kernels[0])
    same(first._replace(values=first.values[:, 0]), np.transpose(integers, (2, 0, 1)), scales[0, 0])
    assert kernels[1].granularity is None
    assert second.scales is None


@pytest.mark.parametrize(
    "encoder",
    [
        Encoder(encoder="convolution", units=32, num_layers=2),
        Encoder(encoder="convolution", units=32, gated=True),
        Encoder(encoder="transformer", units=32, heads=2, num_layers=2),
        Encoder(encoder="light_recurrence", units=32, num_layers=2),
        Encoder(encoder="light_recurrence", units=32, bidirectional=False),
    ],
)
def test_channels_of_other_encoders(converted, randomized, encoder):
    """Every matrix of the model is one of the file, with a scale for each output channel, and the other way round."""
    words = Words(embedding_dim=36)
    model = randomized(text_model(words, encoder, classification_head(2, attention_units=32), vocabulary_size=40))
    stored = [matrix for matrix in converted(model, "unrolled").matrices() if matrix.scales is not None]
    weights = [weight for weight in stored_weights(model, "unrolled") if weight.granularity and not weight.is_table]
    assert len(weights) == len(stored)
    for weight in weights:
        assert weight.granularity.kind == "channel"
        integers, scales = expected(weight)
        (match,) = [matrix for matrix in stored if np.array_equal(matrix.scales, scales.ravel())]
        wanted = np.moveaxis(integers, -1, 0)
        same(match._replace(values=match.values.reshape(wanted.shape)), wanted, scales.ravel())


def test_a_tagger_with_characters_and_crf(converted, randomized):
    tagger = randomized(small_tagger(100, 7, embedding_dim=32, character_vocabulary_size=50, units=32))
    weights = {weight.variable.path.split("/", 1)[1]: weight for weight in stored_weights(tagger)}
    assert not any("crf" in weight.layer for weight in weights.values())
    file = converted(without_crf(tagger)[0], "fused", max_characters=6)
    (table,) = [table for table in file.tables() if len(table.values) == 50]
    integers, scales = expected(weights["embedding/embeddings"])
    same(table, integers, scales[:, 0])
    integers, scales = expected(weights["convolution/kernel"])
    (filters,) = [matrix for matrix in file.matrices() if np.array_equal(matrix.scales, scales[0, 0, 0])]
    same(filters, np.transpose(integers, (3, 0, 1, 2)), scales[0, 0, 0])


def test_the_pairs_of_a_tagger(converted, randomized):
    tagger = randomized(small_tagger(100, 7, embedding_dim=32, bigrams=60, bigram_dim=24, units=32))
    weights = {weight.layer: weight for weight in stored_weights(tagger)}
    file = converted(without_crf(tagger)[0], "fused")
    (table,) = [table for table in file.tables() if len(table.values) == 60]
    integers, scales = expected(weights["bigrams/embedding"])
    same(table, integers, scales[:, 0])


def test_small_tables_and_biases_stay_float():
    model = small_classifier(10, 2, embedding_dim=8, units=4, attention_units=4)
    assert {weight.granularity for weight in stored_weights(model)} == {None}
    assert len(stored_weights(model)) == len(model.trainable_weights)


def test_a_matrix_of_unknown_granularity_is_refused():
    ids = keras.Input((None,), dtype="int32")
    x = layers.SeparableConv1D(8, 3, name="раздельный")(layers.Embedding(50, 32)(ids))
    with pytest.raises(InputError, match=r"layer 'раздельный' \(SeparableConv1D\)"):
        stored_weights(keras.Model(ids, x))
    with pytest.raises(InputError, match="lowering 'other'"):
        stored_weights(keras.Model(ids, ids), "other")


def test_a_shared_layer_counts_once():
    ids = keras.Input((None,), dtype="int32")
    table = layers.Embedding(50, 32)
    inner = keras.Model(ids, table(ids))
    model = keras.Model(ids, layers.Add()([inner(ids), table(ids)]))
    assert [weight.variable for weight in stored_weights(model)] == [table.embeddings]


def test_a_subclassed_model_does_not_tell_its_layers():
    class Subclassed(keras.Model):
        def call(self, ids):
            return ids

    with pytest.raises(InputError, match=r"\(Subclassed\): must be a functional Keras model"):
        stored_weights(Subclassed())
