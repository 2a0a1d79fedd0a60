"""Training on several devices equals training on one, and is chosen where they are."""

import subprocess
import sys

import pytest

from textapp.errors import InputError

# Two logical CPUs stand for two GPUs; TensorFlow must not have started yet, hence a process of its own.
SCRIPT = """
import sys
import numpy as np, tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
import keras
from tests.small_models import small_tagger
from textapp.data.batches import TrainingBatches, evaluation_batches
from textapp.data.rows import EncodedRows
from textapp.layers import AttentionPooling, CRFLoss
from textapp.training.fit import fit
from textapp.training.optimizer import adamw

rng = np.random.default_rng(0)
lengths = rng.integers(1, 9, 64)
offsets = np.concatenate([[0], np.cumsum(lengths)])
token_ids = rng.integers(1, 30, offsets[-1]).astype("int32")
table = {"token_ids": np.arange(30, dtype="int32")}
examples = EncodedRows(token_ids, offsets, table, token_ids[offsets[:-1]] % 2, False, np.arange(64))
sentences = EncodedRows(token_ids, offsets, table, token_ids % 3, True, np.arange(64))

def classifier():
    ids = keras.Input((None,), dtype="int32")
    embedded = keras.layers.Embedding(30, 8, mask_zero=True)(ids)
    model = keras.Model(ids, keras.layers.Dense(2)(AttentionPooling(4)(embedded)))
    return model, keras.losses.SparseCategoricalCrossentropy(from_logits=True)

def tagger():
    dropouts = {"word_dropout": 0.0, "embedding_dropout": 0.0, "dropout": 0.0}  # which replicas draw for themselves
    model = small_tagger(30, 3, embedding_dim=8, units=4, **dropouts)
    return model, CRFLoss(model.get_layer("crf"), "mean_with_sample_weight")

def losses(strategy, path, build, data):
    keras.utils.set_random_seed(1)
    with strategy.scope():
        model, loss = build()
        optimizer = adamw(model, 16, learning_rate=0.01, warmup=0.1, weight_decay=0.0, clipnorm=1.0)
        model.compile(optimizer, loss)
    batches, validation = TrainingBatches(data, 16), evaluation_batches(data, 16)
    history = fit(model, batches, validation, epochs=2, patience=9, checkpoint=path, fingerprint="")
    return [epoch["loss"] for epoch in history]

path, kind = sys.argv[1:]
given = (classifier, examples) if kind == "classifier" else (tagger, sentences)
one = losses(tf.distribute.get_strategy(), path + "/one.npz", *given)
two = losses(tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]), path + "/two.npz", *given)
np.testing.assert_allclose(one, two, rtol=1e-4)
"""


@pytest.mark.parametrize("kind", ["classifier", "tagger"])
def test_two_replicas_train_as_one(tmp_path, kind):
    command = [sys.executable, "-c", SCRIPT, str(tmp_path), kind]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]


def test_strategies_are_chosen_by_devices(monkeypatch):
    import tensorflow as tf

    from textapp.training import strategy

    monkeypatch.delenv("TPU_NAME", raising=False)
    assert not tf.distribute.has_strategy()
    assert strategy.choose_strategy() is tf.distribute.get_strategy()
    assert strategy.describe(strategy.choose_strategy()) == "the CPU"
    devices = {"GPU": ["GPU:0", "GPU:1"], "CPU": ["CPU:0"]}
    monkeypatch.setattr(tf.config, "list_logical_devices", lambda kind: devices.get(kind, []))
    monkeypatch.setattr(tf.distribute, "MirroredStrategy", lambda: "mirrored")
    assert strategy.choose_strategy() == strategy.choose_strategy("mirrored") == "mirrored"
    assert strategy.choose_strategy("none") is tf.distribute.get_strategy()
    del devices["GPU"]
    assert strategy.choose_strategy("mirrored") == "mirrored"
    with pytest.raises(InputError, match=r"strategy multiworker: there is one process; use --workers N"):
        strategy.choose_strategy("multiworker")
    with pytest.raises(InputError, match="strategy tpu: set TPU_NAME to the name of the TPU"):
        strategy.choose_strategy("tpu")
    monkeypatch.setattr(strategy, "cluster_strategy", lambda: "cluster")
    assert strategy.choose_strategy() == strategy.choose_strategy("multiworker") == "cluster"
    for name in ("none", "mirrored", "tpu"):
        with pytest.raises(InputError, match=f"strategy {name}: TF_CONFIG or --workers names several workers"):
            strategy.choose_strategy(name)


def test_a_tpu_that_is_not_there_is_named(monkeypatch):
    """TensorFlow's own resolver and start of a TPU, in this process, which has none."""
    from textapp.training import strategy

    monkeypatch.setenv("TPU_NAME", "local")
    for name in ("auto", "tpu"):
        with pytest.raises(InputError, match="TPU_NAME=local: no such TPU was found"):
            strategy.choose_strategy(name)


def test_precision_is_put_back():
    import keras

    from textapp.training.strategy import precision

    with precision(True):
        assert keras.config.dtype_policy().name == "mixed_bfloat16"
    assert keras.config.dtype_policy().name == "float32"
