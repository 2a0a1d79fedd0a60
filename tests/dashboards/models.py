"""A small classifier with attention and some token ids, for the tests of dashboards."""

import keras
import numpy as np
from keras import layers

from textapp.layers import AttentionPooling
from textapp.text.vocabulary import Vocabulary

WORDS = Vocabulary(["[PAD]", "[UNK]", "好", "差", "great", "film", "电", "影", "déjà", "vu", "!"])
TABLE_ROWS = 12  # one more than there are words
EXAMPLES = 20


def token_ids_and_labels() -> tuple[np.ndarray, np.ndarray]:
    """Rows padded on the right, class 1 where the first word is even."""
    rng = np.random.default_rng(3)
    token_ids = rng.integers(2, len(WORDS), (EXAMPLES, 6), dtype=np.int32)
    token_ids[::3, 4:] = 0
    return token_ids, (token_ids[:, 0] % 2 == 0).astype(np.int32)


def attention_model(length: int | None = None, explicit_mask: bool = False) -> keras.Model:
    keras.utils.set_random_seed(7)
    token_ids = keras.Input((length,), dtype="int32", name="token_ids")
    embedded = layers.Embedding(TABLE_ROWS, 4, mask_zero=not explicit_mask, name="embedding")(token_ids)
    arguments = {"mask": keras.ops.not_equal(token_ids, 0)} if explicit_mask else {}
    context = AttentionPooling(3, name="attention")(layers.Dropout(0.3)(embedded), **arguments)
    model = keras.Model(token_ids, layers.Dense(2, name="logits")(context))
    model.compile(
        keras.optimizers.Adam(keras.optimizers.schedules.ExponentialDecay(0.1, 1, 0.5)),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    return model


def fit(model, callbacks, **arguments):
    """Five steps an epoch."""
    token_ids, labels = token_ids_and_labels()
    data = {"batch_size": 4, "shuffle": False, "verbose": 0, "validation_data": (token_ids, labels)}
    return model.fit(token_ids, labels, callbacks=callbacks, **(data | arguments)).history


def echo(classes: int) -> keras.Model:
    """A model whose outputs are its inputs."""
    inputs = keras.Input((classes,))
    model = keras.Model(inputs, layers.Identity()(inputs))
    model.compile("sgd", "mse")
    return model


def write_once(callback, model) -> None:
    """What `fit` does with a callback in one epoch."""
    callback.set_model(model)
    callback.on_train_begin()
    callback.on_epoch_end(0)
