"""CRF against sums and maxima over all tag sequences, one by one, in float64."""

import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.layers.gradients import gradients
from textapp.layers import CRF

RNG = np.random.default_rng(0)
B, T, K = 4, 5, 3
LOGITS = RNG.normal(size=(B, T, K)).astype("float32") * 2
LENGTHS = [5, 3, 1, 0]
MASK = np.arange(T) < np.array(LENGTHS)[:, None]
TAG_IDS = np.where(MASK, RNG.integers(0, K, (B, T)), -1).astype("int32")
ALLOWED = np.array([[True, True, False], [True, True, True], [False, True, True]])
STARTS = np.array([True, True, False])
ENDS = np.array([False, True, True])


def crf_of_random_scores(**arguments):
    layer = CRF(**arguments)
    layer.build((None, None, K))
    rng = np.random.default_rng(1)
    layer.set_weights([rng.normal(size=weight.shape) for weight in layer.weights])
    return layer


@pytest.fixture(name="layer", params=["all allowed", "some forbidden"])
def _layer(request):
    if request.param == "all allowed":
        return crf_of_random_scores()
    return crf_of_random_scores(allowed_transitions=ALLOWED, allowed_starts=STARTS, allowed_ends=ENDS)


def score(layer, logits, tags):
    """The definition, of one sequence of tags over logits `(len(tags), K)`; minus infinity if it is not allowed."""
    transitions, start, end = (np.asarray(weight, "float64") for weight in layer.get_weights())
    pairs = list(itertools.pairwise(tags))
    if layer.allowed_transitions is not None:
        legal = layer.allowed_starts[tags[0]] and layer.allowed_ends[tags[-1]]
        if not legal or not all(layer.allowed_transitions[pair] for pair in pairs):
            return -np.inf
    unary = sum(logits[t, tag] for t, tag in enumerate(tags))
    return start[tags[0]] + unary + sum(transitions[pair] for pair in pairs) + end[tags[-1]]


def every_sequence(layer, row):
    """All tag sequences of a row of the batch and their scores."""
    sequences = list(itertools.product(range(K), repeat=LENGTHS[row]))
    return sequences, np.array([score(layer, LOGITS[row].astype("float64"), tags) for tags in sequences])


def log_sum(scores):
    return np.logaddexp.reduce(scores)


def test_partition_is_the_sum_over_all_sequences(layer):
    expected = [log_sum(every_sequence(layer, row)[1]) if LENGTHS[row] else 0.0 for row in range(B)]
    np.testing.assert_allclose(layer.log_partition(layer(LOGITS, mask=MASK), MASK), expected, rtol=1e-5)


def test_likelihoods_of_all_sequences_are_those_of_the_definition():
    layer = crf_of_random_scores()
    for row in range(B - 1):
        sequences, scores = every_sequence(layer, row)
        tag_ids = np.full((len(sequences), T), -1)
        tag_ids[:, : LENGTHS[row]] = sequences
        potentials = np.repeat(layer(LOGITS, mask=MASK)[row : row + 1], len(sequences), axis=0)
        log_likelihood = layer.log_likelihood(potentials, tag_ids, np.repeat(MASK[row : row + 1], len(sequences), 0))
        np.testing.assert_allclose(log_likelihood, scores - log_sum(scores), atol=1e-4)
        np.testing.assert_allclose(np.exp(log_likelihood).sum(), 1.0, atol=1e-5)


def test_best_sequence_is_the_best_of_all(layer):
    tag_ids, scores = layer.decode(layer(LOGITS, mask=MASK), MASK)
    assert np.asarray(tag_ids).dtype == np.int32
    for row in range(B - 1):
        sequences, every_score = every_sequence(layer, row)
        assert tuple(np.asarray(tag_ids)[row, : LENGTHS[row]]) == sequences[every_score.argmax()]
        np.testing.assert_allclose(scores[row], every_score.max(), rtol=1e-5)
    assert np.all(np.asarray(tag_ids)[~MASK] == -1)
    assert scores[B - 1] == 0.0


def test_marginals_are_shares_of_all_sequences(layer):
    marginals = np.asarray(layer.marginals(layer(LOGITS, mask=MASK), MASK))
    for row in range(B - 1):
        sequences, scores = every_sequence(layer, row)
        shares = np.exp(scores - log_sum(scores))
        for t, tag in itertools.product(range(LENGTHS[row]), range(K)):
            expected = shares[[tags[t] == tag for tags in sequences]].sum()
            np.testing.assert_allclose(marginals[row, t, tag], expected, atol=1e-5)
    assert np.all(marginals[~MASK] == 0.0)


@pytest.fixture(name="weighed_gradients")
def _weighed_gradients():
    """Of the log-likelihood, each row weighed differently, with respect to the logits and the weights."""
    layer = crf_of_random_scores(allowed_transitions=ALLOWED)

    def weighed(logits):
        log_likelihood = layer.log_likelihood(layer(logits, mask=MASK), TAG_IDS, MASK)
        return keras.ops.sum(log_likelihood * np.array([1.0, -2.0, 3.0, 5.0], "float32")), log_likelihood

    return layer, gradients(weighed, [LOGITS], [layer.transitions, layer.start, layer.end])[1]


def test_gradient_of_the_logits_is_gold_minus_marginals(weighed_gradients):
    layer, (logits, *_) = weighed_gradients
    gold = (TAG_IDS[..., None] == np.arange(K)).astype("float32")
    marginals = np.asarray(layer.marginals(layer(LOGITS, mask=MASK), MASK))
    weights = np.array([1.0, -2.0, 3.0, 5.0])[:, None, None]
    np.testing.assert_allclose(logits, weights * (gold - marginals), atol=1e-5)


def test_gradient_of_the_weights_is_gold_minus_expected_counts(weighed_gradients):
    layer, (_, transitions, start, end) = weighed_gradients
    expected = [np.zeros((K, K)), np.zeros(K), np.zeros(K)]
    for row, weight in zip(range(B - 1), [1.0, -2.0, 3.0], strict=True):
        sequences, scores = every_sequence_without_edges(layer, row)
        shares = np.exp(scores - log_sum(scores))
        gold = tuple(TAG_IDS[row, : LENGTHS[row]])
        for tags, share in [(gold, -1.0), *zip(sequences, shares, strict=True)]:
            for pair in itertools.pairwise(tags):
                expected[0][pair] -= weight * share
            expected[1][tags[0]] -= weight * share
            expected[2][tags[-1]] -= weight * share
    np.testing.assert_allclose(transitions, np.where(ALLOWED, expected[0], 0.0), atol=1e-5)
    np.testing.assert_allclose(start, expected[1], atol=1e-5)
    np.testing.assert_allclose(end, expected[2], atol=1e-5)


def every_sequence_without_edges(layer, row):
    """As `every_sequence`, for a layer that forbids transitions, but no start and no end."""
    anything = crf_of_random_scores()
    sequences, scores = every_sequence(anything, row)
    legal = [all(layer.allowed_transitions[pair] for pair in itertools.pairwise(tags)) for tags in sequences]
    return sequences, np.where(legal, scores, -np.inf)


@pytest.mark.parametrize("padding", [1, 4])
def test_more_padding_changes_nothing(layer, padding):
    wide = [(0, 0), (0, padding)]
    # What stands on padding is arbitrary: an encoder's bias, or worse.
    logits, mask = np.pad(LOGITS, [*wide, (0, 0)], constant_values=7.0), np.pad(MASK, wide)
    tag_ids = np.pad(TAG_IDS, wide, constant_values=2)
    potentials, wide_potentials = layer(LOGITS, mask=MASK), layer(logits, mask=mask)
    np.testing.assert_array_equal(wide_potentials[:, :T], potentials)
    assert np.all(np.asarray(wide_potentials)[~mask] == 0.0)
    wide_potentials = np.where(mask[..., None], wide_potentials, 9.0)
    for method in (layer.decode, layer.marginals, layer.log_partition):
        for got, expected in zip(
            keras.tree.flatten(method(wide_potentials, mask)), keras.tree.flatten(method(potentials, MASK)), strict=True
        ):
            np.testing.assert_allclose(got[:, :T] if len(got.shape) > 1 else got, expected, rtol=1e-6)
    np.testing.assert_allclose(
        layer.log_likelihood(wide_potentials, tag_ids, mask), layer.log_likelihood(potentials, TAG_IDS, MASK), rtol=1e-6
    )


def test_without_a_mask_every_token_counts(layer):
    ones = np.ones_like(MASK)
    potentials = layer(LOGITS)
    np.testing.assert_array_equal(potentials, layer(LOGITS, mask=ones))
    np.testing.assert_array_equal(layer.marginals(potentials), layer.marginals(potentials, ones))


def test_a_row_of_padding_is_certain_and_has_no_gradient():
    layer = crf_of_random_scores()
    nothing = np.zeros_like(MASK)

    def total(logits):
        log_likelihood = layer.log_likelihood(layer(logits, mask=nothing), TAG_IDS, nothing)
        return keras.ops.sum(log_likelihood), log_likelihood

    log_likelihood, found = gradients(total, [LOGITS], [layer.transitions])
    assert np.all(np.asarray(log_likelihood) == 0.0)
    assert [gradient.shape for gradient in found] == [LOGITS.shape, (K, K)]
    assert not any(gradient.any() for gradient in found)


def test_what_is_forbidden_never_comes_out():
    """Even where the logits ask for nothing else."""
    layer = crf_of_random_scores(allowed_transitions=ALLOWED, allowed_starts=STARTS, allowed_ends=ENDS)
    rng = np.random.default_rng(3)
    mask = np.arange(20) < rng.integers(1, 21, 200)[:, None]
    potentials = layer(rng.normal(size=(200, 20, K)) * 100, mask=mask)
    tag_ids, marginals = np.asarray(layer.decode(potentials, mask)[0]), np.asarray(layer.marginals(potentials, mask))
    for row, tags in enumerate(tag_ids):
        tags = tags[mask[row]]
        assert STARTS[tags[0]]
        assert ENDS[tags[-1]]
        assert all(ALLOWED[pair] for pair in itertools.pairwise(tags))
    assert np.all(marginals[:, 0, 2] == 0.0)


def test_a_forbidden_true_sequence_costs_a_finite_loss():
    layer = crf_of_random_scores(allowed_transitions=ALLOWED)

    def of_forbidden(logits):
        log_likelihood = layer.log_likelihood(layer(logits), np.array([[0, 2, 2, 0, 1]]))[0]
        return log_likelihood, log_likelihood

    log_likelihood, [gradient] = gradients(of_forbidden, [LOGITS[:1]])
    assert -21_000 < float(log_likelihood) < -19_000
    assert np.isfinite(gradient).all()


def test_large_scores_stay_exact():
    """Logits whose exponentials overflow, and a best path over tags that look hopeless until its last token."""
    layer = CRF()
    logits = np.array([[[500.0, -400.0], [0.0, -300.0], [-2000.0, 900.0]]])
    layer.build(logits.shape)
    layer.transitions.assign([[0.0, -3000.0], [-3000.0, 0.0]])
    potentials = layer(logits)
    tag_ids, score = layer.decode(potentials)
    assert np.asarray(tag_ids).tolist() == [[1, 1, 1]]  # -400 - 300 + 900, where 0 0 0 scores -1500
    np.testing.assert_allclose(score, [200.0])
    np.testing.assert_allclose(layer.log_partition(potentials), [200.0])
    np.testing.assert_allclose(layer.marginals(potentials)[0], [[0.0, 1.0]] * 3)


def test_probabilities_of_a_long_text_stay_exact():
    """Float32 sums of 400 large scores, against float64."""
    layer = crf_of_random_scores()
    logits = np.random.default_rng(5).normal(size=(1, 400, K)) + 40.0
    potentials = np.asarray(layer(logits))
    transitions = np.asarray(layer.transition_scores(), "float64")
    beginnings = np.array(potentials[0], "float64")
    for t in range(1, 400):
        beginnings[t] += np.logaddexp.reduce(beginnings[t - 1][:, None] + transitions, axis=0)
    tag_ids, scores = layer.decode(potentials)
    path = np.asarray(tag_ids)[0]
    score = potentials[0, np.arange(400), path].sum(dtype="float64") + transitions[path[:-1], path[1:]].sum()
    expected = score - log_sum(beginnings[-1])
    np.testing.assert_allclose(scores, [score], rtol=1e-5)
    np.testing.assert_allclose(layer.log_likelihood(potentials, tag_ids), [expected], rtol=1e-5)
    marginals = np.asarray(layer.marginals(potentials))
    np.testing.assert_allclose(marginals[0, -1], np.exp(beginnings[-1] - log_sum(beginnings[-1])), atol=2e-4)
    np.testing.assert_allclose(marginals.sum(axis=-1), 1.0, atol=1e-6)


def test_a_hand_worked_sequence():
    layer = CRF()
    layer.build((1, 2, 2))
    layer.set_weights([np.array(scores) for scores in ([[0.0, 2.0], [1.0, 0.0]], [0.5, 0.0], [0.0, 3.0])])
    potentials = layer(np.array([[[1.0, 0.0], [0.0, 1.0]]]))
    assert np.asarray(potentials).tolist() == [[[1.5, 0.0], [0.0, 4.0]]]
    # 0 0: 1.5; 0 1: 1.5 + 2 + 4 = 7.5; 1 0: 1; 1 1: 4.
    np.testing.assert_allclose(layer.log_partition(potentials), [np.log(np.exp([1.5, 7.5, 1.0, 4.0]).sum())], rtol=1e-6)
    np.testing.assert_allclose(layer.decode(potentials)[1], [7.5])


def test_compiles_with_xla_forwards_and_backwards(layer):
    def everything(logits):
        potentials = layer(logits, mask=MASK)
        log_likelihood = layer.log_likelihood(potentials, TAG_IDS, MASK)
        outputs = log_likelihood, layer.decode(potentials, MASK)[0], layer.marginals(potentials, MASK)
        return keras.ops.sum(log_likelihood), outputs

    potentials = layer(LOGITS, mask=MASK)
    (log_likelihood, tag_ids, marginals), [gradient] = gradients(everything, [LOGITS], jit=True)
    np.testing.assert_allclose(log_likelihood, layer.log_likelihood(potentials, TAG_IDS, MASK), rtol=1e-5)
    np.testing.assert_allclose(gradient, (TAG_IDS[..., None] == np.arange(K)) - marginals, atol=1e-5)
    np.testing.assert_array_equal(tag_ids, layer.decode(potentials, MASK)[0])
    np.testing.assert_allclose(marginals, layer.marginals(potentials, MASK), atol=1e-6)


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="JAX compiles each shape for itself")
def test_any_batch_and_length_in_one_graph(layer):
    signature = [tf.TensorSpec((None, None, K)), tf.TensorSpec((None, None), tf.bool)]
    decode = tf.function(layer.decode, input_signature=signature)
    potentials = layer(LOGITS, mask=MASK)
    for rows, width in [(B, T), (1, 3), (2, 1)]:
        got = decode(potentials[:rows, :width], MASK[:rows, :width])
        expected = layer.decode(potentials[:rows, :width], MASK[:rows, :width])
        np.testing.assert_array_equal(got[0], expected[0])


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16", "float16"])
def test_half_precision_around_it_leaves_it_in_float32(policy):
    full = crf_of_random_scores(allowed_transitions=ALLOWED, dtype="float32")
    half = crf_of_random_scores(allowed_transitions=ALLOWED, dtype=policy)
    potentials = half(LOGITS, mask=MASK)
    assert keras.backend.standardize_dtype(potentials.dtype) == "float32"
    # Under "float16" the weights themselves are rounded.
    np.testing.assert_allclose(potentials, full(LOGITS, mask=MASK), atol=2e-3)
    for got in (half.log_likelihood(potentials, TAG_IDS, MASK), half.marginals(potentials, MASK)):
        assert keras.backend.standardize_dtype(got.dtype) == "float32"
        assert np.isfinite(got).all()


def test_takes_the_mask_that_its_input_carries_and_carries_none_on():
    ids = keras.Input((None,), dtype="int32")
    embedded = keras.layers.Embedding(10, K, mask_zero=True)(ids)
    layer = CRF()
    model = keras.Model(ids, layer(embedded))
    layer.end.assign([5.0, 5.0, 5.0])
    short, padded = model(np.array([[3, 4]])), model(np.array([[3, 4, 0, 0]]))
    np.testing.assert_array_equal(padded[:, :2], short)
    assert np.all(np.asarray(padded)[:, 2:] == 0.0)
    assert getattr(model.output, "_keras_mask", None) is None


def test_saved_and_loaded_with_what_is_allowed(tmp_path):
    logits = keras.Input((None, K))
    layer = CRF(allowed_transitions=ALLOWED, allowed_starts=STARTS, allowed_ends=ENDS, name="标签")
    model = keras.Model(logits, layer(logits))
    layer.set_weights([RNG.normal(size=weight.shape) for weight in layer.weights])
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras").get_layer("标签")
    np.testing.assert_array_equal(loaded.transition_scores(), layer.transition_scores())
    np.testing.assert_array_equal(loaded(LOGITS), layer(LOGITS))


def test_transition_scores_are_what_decoders_need():
    layer = crf_of_random_scores(allowed_transitions=ALLOWED)
    scores = np.asarray(layer.transition_scores())
    np.testing.assert_array_equal(scores[ALLOWED], layer.get_weights()[0][ALLOWED])
    assert np.all(scores[~ALLOWED] == -10_000.0)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"allowed_transitions": np.ones((2, 2), bool)}, r"`allowed_transitions` must have shape \(3, 3\)"),
        ({"allowed_starts": [True]}, r"`allowed_starts` must have shape \(3,\)"),
        ({"allowed_ends": [0.0, 1.0, 1.0]}, r"`allowed_ends` must be booleans of rank 1\. Received: float64"),
        ({"allowed_ends": [[True]]}, r"`allowed_ends` must be booleans of rank 1"),
    ],
)
def test_wrong_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        CRF(**arguments)(LOGITS)


def test_an_input_of_another_rank_is_refused():
    with pytest.raises(ValueError, match=r"shape \(B, T, K\)"):
        CRF()(np.zeros((2, 4), "float32"))
