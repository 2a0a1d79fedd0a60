"""The step against its own definition, computed with plain tapes; and what must not change."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.small_models import small_classifier, small_tagger
from textapp.training.adversarial import AdversarialTraining

SIZES = {"units": 3, "embedding_dim": 4, "attention_units": 3}
NO_DROPOUT = {"word_dropout": 0.0, "embedding_dropout": 0.0, "dropout": 0.0}
IDS = np.array([[3, 4, 3, 0], [5, 6, 7, 9]], np.int32)
LABELS = np.array([0, 1])
LOSS = keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def classifier(**options):
    keras.utils.set_random_seed(2)
    return small_classifier(12, 2, **{**SIZES, **NO_DROPOUT, **options})


def adversarial(model, size=0.3):
    trained = AdversarialTraining(model.input, model.output, size=size)
    trained.compile(keras.optimizers.SGD(1.0), LOSS)
    trained.optimizer.build(trained.trainable_variables)  # its first step would be traced twice otherwise
    return trained


def losses_gradients(model):
    """By all trainable variables, dense."""
    with tf.GradientTape() as tape:
        loss = LOSS(LABELS, model(IDS, training=True))
    gradients = tape.gradient(loss, [variable.value for variable in model.trainable_variables])
    return float(loss), [tf.convert_to_tensor(gradient).numpy() for gradient in gradients]


def test_a_step_descends_the_sum_of_both_losses():
    model, twin = classifier(), classifier()
    trained = adversarial(model, size=0.3)
    loss, gradients = losses_gradients(twin)
    table = next(i for i, v in enumerate(twin.trainable_variables) if v is twin.get_layer("embedding").embeddings)
    words = np.unique(IDS[IDS > 0])
    before = twin.get_layer("embedding").embeddings.numpy()
    gradient = gradients[table]
    assert set(np.flatnonzero(np.abs(gradient).sum(axis=1))) == set(words)
    length = np.sqrt(np.mean(np.sum(before[words] ** 2, axis=1)))
    moved = 0.3 * length * np.sqrt(len(words)) * gradient / np.linalg.norm(gradient)
    # What the size means: words go 0.3 of a word vector's length, in the root of the mean of squares.
    assert np.sqrt(np.mean(np.sum(moved[words] ** 2, axis=1))) == pytest.approx(0.3 * length, rel=1e-5)
    weights = twin.get_weights()
    twin.get_layer("embedding").embeddings.assign(before + moved)
    worse, against = losses_gradients(twin)
    assert worse > loss  # where the words went is worse
    wanted = [w - own - other for w, own, other in zip(weights, gradients, against, strict=True)]

    logs = trained.train_on_batch(IDS, LABELS, return_dict=True)
    assert logs["loss"] == pytest.approx(loss, rel=1e-5)
    for weight, expected in zip(model.get_weights(), wanted, strict=True):
        np.testing.assert_allclose(weight, expected, atol=1e-6)


def test_a_small_size_is_plain_training_twice():
    model, twin = classifier(), classifier()
    adversarial(model, size=1e-6).train_on_batch(IDS, LABELS)
    twin.compile(keras.optimizers.SGD(2.0), LOSS)
    twin.train_on_batch(IDS, LABELS)
    for weight, expected in zip(model.get_weights(), twin.get_weights(), strict=True):
        np.testing.assert_allclose(weight, expected, atol=1e-5)


def test_layers_weights_and_predictions_are_the_models_own():
    model = classifier()
    trained = adversarial(model)
    assert [layer.name for layer in trained.layers] == [layer.name for layer in model.layers]
    assert all(one is other for one, other in zip(trained.weights, model.weights, strict=True))
    np.testing.assert_array_equal(trained.predict(IDS, verbose=0), model.predict(IDS, verbose=0))


def test_dropout_draws_anew_for_each_pass():
    keras.utils.set_random_seed(0)
    model = classifier(embedding_dropout=0.5)
    trained = adversarial(model)
    seeds = [variable for variable in model.non_trainable_variables if "seed" in variable.path]
    states = [np.array([variable.numpy() for variable in seeds])]
    for _ in range(2):
        trained.train_on_batch(IDS, LABELS)
        states.append(np.array([variable.numpy() for variable in seeds]))
    steps = np.diff([state[:, 1] for state in states], axis=0)  # draws of each layer
    assert steps.max(axis=1).tolist() == [2, 2]


def test_filling_rows_of_weight_0_change_nothing():
    model, twin = classifier(), classifier()
    for one, ids, labels, weights in (
        (model, IDS, LABELS, np.ones(2)),
        (twin, np.vstack([IDS, IDS[:1]]), np.append(LABELS, 1), np.array([1.0, 1.0, 0.0])),
    ):
        trained = AdversarialTraining(one.input, one.output, size=0.3)
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True, reduction="mean_with_sample_weight")
        trained.compile(keras.optimizers.SGD(1.0), loss)
        trained.optimizer.build(trained.trainable_variables)
        trained.train_on_batch(ids, labels, weights)
    for weight, expected in zip(model.get_weights(), twin.get_weights(), strict=True):
        np.testing.assert_allclose(weight, expected, atol=1e-6)


@pytest.mark.parametrize("options", [{"jit_compile": True}, {"run_eagerly": True}])
def test_compiled_or_not_the_step_is_the_same(options):
    models = classifier(), classifier()
    for model, chosen in zip(models, ({}, options), strict=True):
        trained = AdversarialTraining(model.input, model.output, size=0.3)
        trained.compile(keras.optimizers.SGD(1.0), LOSS, **chosen)
        trained.optimizer.build(trained.trainable_variables)
        trained.train_on_batch(IDS, LABELS)
    for one, other in zip(models[0].get_weights(), models[1].get_weights(), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)


def test_a_tagger_with_two_inputs():
    tagger = small_tagger(12, 3, character_vocabulary_size=8, embedding_dim=4, units=3, crf=False)
    trained = AdversarialTraining(tagger.input, tagger.output, size=0.1)
    trained.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=-1))
    inputs = {"token_ids": IDS, "char_ids": np.full((2, 4, 5), 3, np.int32)}
    before = tagger.get_layer("embedding").embeddings.numpy()
    trained.train_on_batch(inputs, np.where(IDS > 0, IDS % 3, -1))
    moved = np.abs(tagger.get_layer("embedding").embeddings.numpy() - before).sum(axis=1) > 0
    assert moved.any()
    assert set(np.flatnonzero(moved)) <= set(IDS.ravel())


@pytest.mark.parametrize("size", [0, -1.0, float("inf"), float("nan")])
def test_a_size_out_of_range_is_refused(size):
    model = classifier()
    with pytest.raises(ValueError, match="`size` must be above 0"):
        AdversarialTraining(model.input, model.output, size=size)


def test_frozen_words_are_moved_and_stay_what_they_are():
    models = classifier(), classifier()
    models[0].get_layer("embedding").trainable = False
    for model in models:
        adversarial(model).train_on_batch(IDS, LABELS)
    frozen, other = (model.get_layer("embedding").embeddings.numpy() for model in models)
    np.testing.assert_array_equal(frozen, classifier().get_layer("embedding").embeddings.numpy())
    assert not np.array_equal(frozen, other)
    for one, trained in zip(models[0].trainable_variables, models[1].trainable_variables[1:], strict=True):
        np.testing.assert_allclose(one.numpy(), trained.numpy(), atol=1e-6)


def test_without_words_there_is_nothing_to_move():
    inputs = keras.Input((3,))
    with pytest.raises(ValueError, match="The model has no `Embedding` layer"):
        AdversarialTraining(inputs, keras.layers.Dense(2)(inputs), size=0.1)
