"""The loss of a student against hand-worked numbers, Keras' own, and sums over all tag sequences in float64."""

import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.small_models import small_tagger
from textapp.compress.distill import student_loss
from textapp.compress.soft_loss import SoftLoss, soft_rows
from textapp.data.rows import NO_TARGET, UNLABELLED
from textapp.layers import CRF
from textapp.task import task
from textapp.tasks.classification.losses import LabelAccuracy, soft_distance


def softmax(logits):
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def label_loss(kind="kl", temperature=2.0, alpha=0.5, rows_alone=False):
    """The loss of a classifier that is a student, from its settings; with `rows_alone` that of each row."""
    found = task("classification")
    settings = {"distillation_loss": kind, "temperature": temperature, "alpha": alpha}
    loss = student_loss(found, found.student_preset(None).replaced(**settings), None, None)
    loss.reduction = None if rows_alone else loss.reduction
    return loss


@pytest.fixture(name="rows")
def _rows():
    rng = np.random.default_rng(0)
    logits, teacher = 2 * rng.normal(size=(2, 6, 3)).astype("float32")
    return logits, teacher, np.array([0, 2, 1, 1, 0, 2])


@pytest.mark.parametrize("temperature", [1.0, 3.0])
@pytest.mark.parametrize("alpha", [0.0, 0.3, 1.0])
def test_kl_is_that_of_keras_distillation(rows, temperature, alpha):
    logits, teacher, labels = rows
    # Given as an instance: by the name "kl_divergence" Keras 3.15.1 takes the divergence of the logits themselves.
    divergence = keras.distillation.LogitsDistillation(temperature, keras.losses.KLDivergence())
    keras_soft = divergence.compute_loss(teacher, logits)
    keras_hard = keras.losses.SparseCategoricalCrossentropy(from_logits=True)(labels, logits)
    loss = label_loss("kl", temperature, alpha)(soft_rows(labels, softmax(teacher)), logits)
    np.testing.assert_allclose(loss, alpha * keras_hard + (1 - alpha) * keras_soft, rtol=1e-4)


def test_mse_is_the_distance_of_logits_but_for_a_constant(rows):
    logits, teacher, labels = rows
    loss = label_loss("mse", alpha=0.0)
    centred = [x - x.mean(axis=1, keepdims=True) for x in (logits, teacher)]
    targets = soft_rows(labels, softmax(teacher))
    np.testing.assert_allclose(loss(targets, logits), np.mean((centred[0] - centred[1]) ** 2), rtol=1e-4)
    np.testing.assert_allclose(loss(targets, teacher + 7), 0, atol=1e-6)


@pytest.mark.parametrize("kind", ["kl", "mse"])
def test_rows_that_lack_a_part_have_the_other_alone(rows, kind):
    logits, teacher, labels = rows
    probs = softmax(teacher)
    half = label_loss(kind, rows_alone=True)
    both = np.asarray(half(soft_rows(labels, probs), logits))
    unlabelled = np.asarray(half(soft_rows(np.full(6, UNLABELLED), probs), logits))
    untaught = np.asarray(half(soft_rows(labels, np.zeros((6, 3))), logits))
    assert (unlabelled > 0).all()
    assert (untaught > 0).all()
    np.testing.assert_allclose(unlabelled + untaught, both, rtol=1e-5)


def test_a_loss_worked_by_hand():
    # At T = 2 the teacher's 0.8 : 0.2 becomes 2 : 1; the student says 1 : 1, and its cross-entropy is log 2.
    kl = np.log(2) + 2 / 3 * np.log(2 / 3) + 1 / 3 * np.log(1 / 3)
    loss = label_loss("kl", 2.0, 0.25)(soft_rows(np.array([1]), np.array([[0.8, 0.2]])), np.zeros((1, 2)))
    assert float(loss) == pytest.approx(0.25 * np.log(2) + 0.75 * 4 * kl, rel=1e-5)


@pytest.mark.parametrize("kind", ["kl", "mse"])
def test_a_teacher_that_is_certain_gives_a_finite_gradient(kind):
    logits = keras.Variable(np.array([[30.0, -30.0]], "float32"))
    with tf.GradientTape() as tape:
        loss = label_loss(kind, 2.0, 0.1)(soft_rows(np.array([1]), np.array([[0.0, 1.0]])), logits.value)
    assert np.isfinite(loss)
    assert np.isfinite(np.asarray(tape.gradient(loss, logits.value))).all()


def test_rows_that_fill_up_a_batch_do_not_count(rows):
    logits, teacher, labels = rows
    loss, targets = label_loss(), soft_rows(labels, softmax(teacher))
    weighed = loss(targets, logits, sample_weight=np.array([1, 1, 1, 1, 0, 0]))
    np.testing.assert_allclose(weighed, loss(targets[:4], logits[:4]), rtol=1e-6)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: soft_distance("ce", 1.0), "`kind` must be kl or mse"),
        (lambda: soft_distance("kl", 0), "`temperature` must be above 0"),
        (lambda: SoftLoss(len, len, 1.1, per_token=True), "`alpha` must be from 0 to 1"),
    ],
)
def test_wrong_arguments_are_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize("targets", [np.array([0, UNLABELLED, 1, 1]), None])
def test_accuracy_counts_labelled_texts_alone_of_plain_and_of_soft_targets(targets):
    metric = LabelAccuracy()
    logits = np.array([[2.0, 1.0], [0.0, 1.0], [5.0, 0.0], [0.0, 1.0]])
    if targets is None:
        targets = soft_rows(np.array([0, UNLABELLED, 1, 1]), np.full((4, 2), 0.5))
    metric.update_state(targets, logits)
    assert float(metric.result()) == pytest.approx(2 / 3)
    metric.reset_state()
    metric.update_state(targets, logits, sample_weight=np.array([1.0, 1.0, 1.0, 0.0]))
    assert float(metric.result()) == pytest.approx(1 / 2)


RNG = np.random.default_rng(0)
B, T, K = 3, 4, 3
LENGTHS = [4, 2, 3]
MASK = np.arange(T) < np.array(LENGTHS)[:, None]
LOGITS = RNG.normal(size=(B, T, K)).astype("float32") * 2
MARGINALS = RNG.dirichlet(np.ones(K), (B, T)).astype("float32") * MASK[..., None]
TAG_IDS = np.where(MASK, RNG.integers(0, K, (B, T)), NO_TARGET)
TAG_IDS[2, : LENGTHS[2]] = UNLABELLED


def of_tokens(tag_ids, marginals):
    """Targets of tokens, as batches have them."""
    return np.concatenate([np.asarray(tag_ids)[..., None], marginals], axis=-1).astype("float32")


TARGETS = of_tokens(TAG_IDS, MARGINALS)


@pytest.fixture(scope="module", name="tagger")
def _tagger():
    """A tagger with a CRF of random scores, which alone of it counts here."""
    model = small_tagger(9, K, embedding_dim=4, units=2)
    crf = model.get_layer("crf")
    crf.set_weights([RNG.normal(size=weight.shape) for weight in crf.weights])
    return model


@pytest.fixture(name="crf")
def _crf(tagger):
    return tagger.get_layer("crf")


def tag_loss(model, alpha, rows_alone=True):
    """The loss of a tagger that is a student, from its settings; with `rows_alone` that of each row."""
    found = task("tagging")
    loss = student_loss(found, found.student_preset(None).replaced(alpha=alpha), model, None)
    loss.reduction = None if rows_alone else loss.reduction
    return loss


def parts(row, weights):
    """The negative log-likelihood of a row's true tags, and what its marginals add, from all of its sequences."""
    transitions, start, end = (np.float64(weight) for weight in weights)
    sequences = list(itertools.product(range(K), repeat=LENGTHS[row]))
    scores = np.array(
        [
            start[tags[0]]
            + end[tags[-1]]
            + sum(np.float64(LOGITS[row, t, tag]) for t, tag in enumerate(tags))
            + sum(transitions[pair] for pair in itertools.pairwise(tags))
            for tags in sequences
        ]
    )
    shares = np.exp(scores - np.logaddexp.reduce(scores))
    soft = 0.0
    for t, tag in itertools.product(range(LENGTHS[row]), range(K)):
        soft -= MARGINALS[row, t, tag] * np.log(shares[[tags[t] == tag for tags in sequences]].sum())
    true = tuple(TAG_IDS[row, : LENGTHS[row]])
    return (-np.log(shares[sequences.index(true)]) if true in sequences else 0.0), soft


@pytest.mark.parametrize("alpha", [0.0, 0.3, 1.0])
def test_with_a_crf_it_is_that_of_all_sequences(tagger, crf, alpha):
    both = [parts(row, crf.get_weights()) for row in range(B)]
    assert both[2][0] == 0.0  # nobody has tagged it
    expected = [alpha * hard + (1 - alpha) * soft for hard, soft in both]
    np.testing.assert_allclose(tag_loss(tagger, alpha)(TARGETS, crf(LOGITS, mask=MASK)), expected, rtol=1e-4)


def test_without_a_crf_each_token_is_by_itself():
    nothing = [np.zeros((K, K)), np.zeros(K), np.zeros(K)]
    expected = [0.3 * hard + 0.7 * soft for hard, soft in (parts(row, nothing) for row in range(B))]
    loss = tag_loss(small_tagger(9, K, embedding_dim=4, units=2, crf=False), 0.3)
    np.testing.assert_allclose(loss(TARGETS, LOGITS), expected, rtol=1e-4)
    masked = keras.layers.Masking(mask_value=9.0)(np.where(MASK[..., None], LOGITS, np.float32(9)))
    np.testing.assert_allclose(loss(TARGETS, masked), expected, rtol=1e-4)  # the mask weighs nothing


def test_a_student_that_says_what_its_teachers_say_stands_still(tagger, crf):
    potentials = tf.Variable(crf(LOGITS, mask=MASK))
    targets = of_tokens(np.where(MASK, UNLABELLED, NO_TARGET), crf.marginals(potentials, MASK))
    with tf.GradientTape() as tape:
        loss = tag_loss(tagger, 0.0, rows_alone=False)(targets, potentials)
    for gradient in tape.gradient(loss, [potentials, crf.transitions.value]):
        np.testing.assert_allclose(gradient, 0.0, atol=1e-6)


def test_what_the_student_may_not_say_is_left_out():
    forbidden = CRF(allowed_starts=[True, True, False])
    logits = keras.Input((None, K))
    model = keras.Model(logits, forbidden(logits, mask=keras.ops.any(logits != 9, axis=-1)))
    potentials = forbidden(np.zeros((1, 1, K)), mask=np.array([[True]]))
    targets = of_tokens([[UNLABELLED]], [[[0.5, 0.25, 0.25]]])
    np.testing.assert_allclose(tag_loss(model, 0.0)(targets, potentials), [0.75 * np.log(2)], rtol=1e-5)


def test_a_sentence_without_marginals_has_its_tags_alone(tagger, crf):
    potentials = crf(LOGITS[:1], mask=MASK[:1])
    received = tag_loss(tagger, 0.25)(of_tokens(TAG_IDS[:1], np.zeros((1, T, K))), potentials)
    true = task("tagging").loss(None, tagger, None)(TAG_IDS[:1], potentials)
    np.testing.assert_allclose(received, [0.25 * np.float32(true)], rtol=1e-6)


@pytest.mark.parametrize("name", ["classification", "tagging"])
def test_a_batch_is_the_mean_of_its_rows(name, tagger, rows):
    if name == "classification":
        targets, outputs = soft_rows(rows[2], softmax(rows[1])), rows[0]
        alone, mean = label_loss(rows_alone=True), label_loss()
    else:
        targets, outputs = TARGETS, tagger.get_layer("crf")(LOGITS, mask=MASK)
        alone, mean = tag_loss(tagger, 0.5), tag_loss(tagger, 0.5, rows_alone=False)
    np.testing.assert_allclose(mean(targets, outputs), np.mean(alone(targets, outputs)), rtol=1e-6)
