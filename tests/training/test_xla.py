"""A training step that XLA compiles is the plain step: `jit_compile`, which TPUs always do."""

import keras
import numpy as np
import pytest

from tests.small_models import small_classifier, small_tagger
from textapp.compress.quantization_aware import QuantizationAware
from textapp.compress.soft_loss import SoftLoss, soft_rows
from textapp.models.encoders import ENCODERS
from textapp.tasks.classification import losses as classification
from textapp.tasks.tagging import losses as tagging
from textapp.training.adversarial import with_adversary
from textapp.training.optimizer import adamw

WORDS, LABELS, ROWS, TOKENS, LETTERS = 20, 3, 4, 6, 5
LENGTHS = np.array([6, 4, 1, 1])
WEIGHTS = np.array([1.0, 1.0, 1.0, 0.0], "float32")  # the last row only fills the batch
STEPS = 3
MASK = np.arange(TOKENS) < LENGTHS[:, None]


def drawn(*shape, seed):
    return np.random.default_rng(seed).integers(1, WORDS, shape)


IDS = np.where(MASK, drawn(ROWS, TOKENS, seed=0), 0).astype("int32")
CLASSES = (drawn(ROWS, seed=1) % LABELS).astype("int32")
TAGS = np.where(MASK, drawn(ROWS, TOKENS, seed=2) % LABELS, -1).astype("int32")
LETTER_IDS = np.where(MASK[..., None], drawn(ROWS, TOKENS, LETTERS, seed=3) % 9 + 1, 0).astype("int32")


SMALL = {"embedding_dim": 4, "units": 4, "heads": 2}
# XLA draws other random numbers.
NOTHING_DROPPED = dict.fromkeys(("dropout", "embedding_dropout", "word_dropout", "character_dropout"), 0.0)


def of_encoder(encoder, **settings):
    model = small_classifier(WORDS, LABELS, attention_units=4, encoder=encoder, **SMALL, **NOTHING_DROPPED, **settings)
    return model, IDS, CLASSES, keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def of_tags():
    model = small_tagger(WORDS, LABELS, 10, **SMALL, **NOTHING_DROPPED)
    return model, {"token_ids": IDS, "char_ids": LETTER_IDS}, TAGS, tagging.tag_loss(model, "mean_with_sample_weight")


def of_teachers():
    model, inputs, targets, loss = of_encoder("recurrent")
    probabilities = keras.ops.convert_to_numpy(keras.ops.softmax(np.random.default_rng(4).normal(size=(ROWS, LABELS))))
    soft = SoftLoss(loss.call, classification.soft_distance("kl", 2.0), 0.5, per_token=False)
    return model, inputs, soft_rows(targets, probabilities), soft


def of_teachers_of_tags():
    model, inputs, targets, loss = of_tags()
    raw = np.random.default_rng(4).normal(size=(ROWS, TOKENS, LABELS))
    probabilities = keras.ops.convert_to_numpy(keras.ops.softmax(raw)) * MASK[..., None]
    soft = SoftLoss(loss.call, tagging.soft_distance(model), 0.5, per_token=True)
    return model, inputs, np.concatenate([targets[..., None], probabilities], axis=-1).astype("float32"), soft


def rounded(**options):
    model, inputs, targets, loss = of_encoder("recurrent")
    return QuantizationAware(model, **options), inputs, targets, loss


def adversarial():
    model, inputs, targets, loss = of_encoder("recurrent")
    return with_adversary(model, 0.1), inputs, targets, loss


CASES = {
    **{f"classifier, {name}": (lambda name=name: of_encoder(name)) for name in ENCODERS},
    "tagger with a CRF": of_tags,
    "distillation": of_teachers,
    "distillation of a tagger": of_teachers_of_tags,
    "rounded weights": lambda: rounded(embedding_bits=4),
    "rounded weights and activations": lambda: rounded(activation_bits=8),
    "adversary": adversarial,
}


def trained(make, jit_compile):
    """The losses of some steps, and the weights after them."""
    keras.utils.set_random_seed(5)
    model, inputs, targets, loss = make()
    optimizer = adamw(model, STEPS, learning_rate=0.01, warmup=0.0, weight_decay=0.01, clipnorm=1.0)
    model.compile(optimizer, loss, jit_compile=jit_compile)
    model.optimizer.build(model.trainable_variables)
    losses = [model.train_on_batch(inputs, targets, sample_weight=WEIGHTS) for _ in range(STEPS)]
    return np.array(losses), model.get_weights()


@pytest.mark.parametrize("name", CASES)
def test_a_compiled_step_is_the_plain_step(name):
    losses, weights = trained(CASES[name], jit_compile=True)
    expected, expected_weights = trained(CASES[name], jit_compile=False)
    assert expected[-1] < expected[0], "nothing was learned"
    np.testing.assert_allclose(losses, expected, rtol=1e-5)
    for value, other in zip(weights, expected_weights, strict=True):
        np.testing.assert_allclose(value, other, atol=1e-4)  # a step moves a weight by 1e-2
