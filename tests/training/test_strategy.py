"""Training on several devices equals training on one, and is chosen where they are."""

import subprocess
import sys

# Two logical CPUs stand for two GPUs; TensorFlow must not have started yet, hence a process of its own.
SCRIPT = """
import sys
import numpy as np, tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
import keras
from textapp.data.pipeline import EncodedExamples, TrainingBatches, evaluation_batches
from textapp.layers import AttentionPooling
from textapp.training.fit import fit
from textapp.training.optimizer import adamw

rng = np.random.default_rng(0)
lengths = rng.integers(1, 9, 64)
offsets = np.concatenate([[0], np.cumsum(lengths)])
token_ids = rng.integers(1, 30, offsets[-1]).astype("int32")
examples = EncodedExamples(token_ids, offsets, token_ids[offsets[:-1]] % 2, np.arange(64), 0.0, 0)

def losses(strategy, path):
    keras.utils.set_random_seed(1)
    with strategy.scope():
        ids = keras.Input((None,), dtype="int32")
        embedded = keras.layers.Embedding(30, 8, mask_zero=True)(ids)
        model = keras.Model(ids, keras.layers.Dense(2)(AttentionPooling(4)(embedded)))
        optimizer = adamw(model, 16, learning_rate=0.01, warmup=0.1, weight_decay=0.0, clipnorm=1.0)
        model.compile(optimizer, keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"])
    batches = TrainingBatches(examples, 16)
    validation = evaluation_batches(examples, 16)
    history = fit(model, batches, validation, epochs=2, patience=9, checkpoint=path, fingerprint="")
    return [epoch["loss"] for epoch in history]

one = losses(tf.distribute.get_strategy(), sys.argv[1] + "/one.npz")
two = losses(tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]), sys.argv[1] + "/two.npz")
np.testing.assert_allclose(one, two, rtol=1e-4)
"""


def test_two_replicas_train_as_one(tmp_path):
    done = subprocess.run([sys.executable, "-c", SCRIPT, str(tmp_path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]


def test_strategies_are_chosen_by_devices(monkeypatch):
    import tensorflow as tf

    from textapp.training import strategy

    monkeypatch.delenv("TPU_NAME", raising=False)
    assert not tf.distribute.has_strategy()
    assert strategy.choose_strategy() is tf.distribute.get_strategy()
    assert strategy.describe(strategy.choose_strategy()) == "1 CPU"
    devices = {"GPU": ["GPU:0", "GPU:1"], "CPU": ["CPU:0"]}
    monkeypatch.setattr(tf.config, "list_logical_devices", lambda kind: devices.get(kind, []))
    monkeypatch.setattr(tf.distribute, "MirroredStrategy", lambda: "mirrored")
    assert strategy.choose_strategy() == "mirrored"


def test_precision_is_put_back():
    import keras

    from textapp.training.strategy import precision

    with precision(True):
        assert keras.config.dtype_policy().name == "mixed_bfloat16"
    assert keras.config.dtype_policy().name == "float32"
