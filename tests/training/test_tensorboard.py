"""The event files are read back with TensorBoard's own reader and compared with numbers worked out here."""

import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from textapp.errors import InputError
from textapp.layers import AttentionPooling
from textapp.text.tokenizer import Tokenizer
from textapp.text.vocabulary import Vocabulary
from textapp.training.tensorboard import EventLog, GradientNorms, Scalars, dashboards
from textapp.training.unfreezing import UnfreezingAdamW

from .events import read

TEXTS = ["好 电影 great film", "差 film", "déjà vu , 差 差", "great 好 !"]
WORDS = Vocabulary(["[PAD]", "[UNK]", "好", "差", "great", "film", "电", "影", "déjà", "vu", "!"])
ROWS = 20


def steps(points) -> list[int]:
    return [step for step, _ in points]


def token_ids_and_labels() -> tuple[np.ndarray, np.ndarray]:
    """Rows padded on the right, class 1 where the first word is even."""
    rng = np.random.default_rng(3)
    token_ids = rng.integers(2, len(WORDS), (ROWS, 6), dtype=np.int32)
    token_ids[::3, 4:] = 0
    return token_ids, (token_ids[:, 0] % 2 == 0).astype(np.int32)


def attention_model() -> keras.Model:
    token_ids = keras.Input((None,), dtype="int32", name="token_ids")
    embedded = layers.Embedding(len(WORDS), 4, mask_zero=True, name="embedding")(token_ids)
    context = AttentionPooling(3, name="attention")(layers.Dropout(0.3)(embedded))
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


@pytest.fixture(autouse=True)
def _seed():
    keras.utils.set_random_seed(7)


def test_scalars_are_those_of_the_history(tmp_path):
    history = fit(attention_model(), [Scalars(tmp_path, every=2)], epochs=2)
    train, validation = read(tmp_path / "train"), read(tmp_path / "validation")
    assert set(train) == {"fit/loss", "fit/accuracy", "fit/learning_rate"}
    assert set(validation) == {"fit/loss", "fit/accuracy"}
    for name in ("loss", "accuracy"):
        points = train[f"fit/{name}"]
        assert steps(points) == [2, 4, 5, 7, 9, 10]
        assert [value for step, value in points if step in (5, 10)] == pytest.approx(history[name])
        assert steps(validation[f"fit/{name}"]) == [5, 10]
        assert [value for _, value in validation[f"fit/{name}"]] == pytest.approx(history[f"val_{name}"])
    for step, rate in train["fit/learning_rate"]:
        assert rate == pytest.approx(0.1 * 0.5**step)


def test_steps_skipped_by_steps_per_execution(tmp_path):
    model = attention_model()
    model.compile("sgd", model.loss, steps_per_execution=3)
    fit(model, [Scalars(tmp_path, every=2)], epochs=1)
    assert steps(read(tmp_path / "train")["fit/loss"]) == [3, 5]


def test_a_metric_with_a_value_for_each_class_has_a_line_for_each(tmp_path):
    model = keras.Sequential([keras.Input((2,)), layers.Dense(3, activation="softmax")])
    model.compile("sgd", "categorical_crossentropy", metrics=[keras.metrics.F1Score(name="f1")])
    model.fit(np.eye(2), np.eye(3)[:2], verbose=0, callbacks=[Scalars(tmp_path)])
    assert {"fit/f1/0", "fit/f1/1", "fit/f1/2"} <= set(read(tmp_path / "train"))


def test_a_resumed_training_goes_on_at_its_step(tmp_path):
    fit(model := attention_model(), [Scalars(tmp_path / "log", every=2)], epochs=1)
    model.save(tmp_path / "model.keras")
    resumed = keras.models.load_model(tmp_path / "model.keras")
    fit(resumed, [Scalars(tmp_path / "log", every=2)], initial_epoch=1, epochs=2)
    assert steps(read(tmp_path / "log" / "train")["fit/loss"]) == [2, 4, 5, 7, 9, 10]
    assert steps(read(tmp_path / "log" / "validation")["fit/loss"]) == [5, 10]


def test_gradient_norm_of_a_dense_layer_by_hand(tmp_path):
    model = keras.Sequential([keras.Input((2,)), layers.Dense(1, name="linear")])
    model.compile(keras.optimizers.SGD(0.0), "mse")
    model.set_weights([np.array([[1.0], [2.0]]), np.array([0.5])])
    x, y = np.array([[1.0, 0.0], [0.0, 1.0], [2.0, -1.0]]), np.array([[1.0], [1.0], [1.5]])
    # Errors 0.5, 1.5, -1: d/dw of their mean square is 2/3 [0.5 - 2, 1.5 + 1], d/db 2/3 (0.5 + 1.5 - 1).
    model.fit(x, y, epochs=2, verbose=0, callbacks=[GradientNorms(tmp_path, (x, y), every=1)])
    points = read(tmp_path / "train")["gradient_norm/linear"]
    assert steps(points) == [1, 2]
    assert [value for _, value in points] == pytest.approx([2 / 3 * np.sqrt(1.5**2 + 2.5**2 + 1)] * 2)


def test_gradient_norm_of_an_embedding_adds_up_repeated_words(tmp_path):
    token_ids = keras.Input((3,), dtype="int32")
    vectors = layers.Embedding(5, 2, name="embedding")(token_ids)
    model = keras.Model(token_ids, layers.Dense(1, use_bias=False, name="out")(layers.Flatten()(vectors)))
    model.compile("sgd", keras.losses.MeanSquaredError())
    x, y = np.array([[1, 1, 4], [1, 2, 2]], np.int32), np.array([[1.0], [-1.0]], np.float32)
    callback = GradientNorms(tmp_path, (x, y))
    callback.set_model(model)
    callback.on_train_begin()
    table, kernel = model.get_layer("embedding").get_weights()[0], model.get_layer("out").get_weights()[0]
    flat = table[x].reshape(2, 6)
    error = 2 / 2 * (flat @ kernel - y)
    table_gradient = np.zeros_like(table)
    np.add.at(table_gradient, x, (error @ kernel.T).reshape(2, 3, 2))
    expected = {"embedding": np.linalg.norm(table_gradient), "out": np.linalg.norm(flat.T @ error)}
    expected |= {"all_but_embeddings": expected["out"], "all_layers": np.hypot(*expected.values())}
    assert callback.norms() == pytest.approx(expected, rel=1e-5)


def test_the_gradient_norm_of_what_is_frozen_is_0(tmp_path):
    def points(**frozen) -> dict[str, list[float]]:
        keras.utils.set_random_seed(7)
        model = attention_model()
        model.get_layer("embedding").trainable = frozen.pop("trainable", True)
        layer = ["embedding"] if model.get_layer("embedding").trainable else []
        model.compile(UnfreezingAdamW(1e-9, layer, **frozen), model.loss)
        folder = tmp_path / f"{frozen}{layer}"
        fit(model, [GradientNorms(folder, token_ids_and_labels(), every=1)], epochs=1)
        return {tag: [float(value) for _, value in points] for tag, points in read(folder / "train").items()}

    trained, held, never = points(), points(frozen_steps=3), points(trainable=False)
    assert min(trained["gradient_norm/embedding"]) > 0.01
    assert held["gradient_norm/embedding"] == pytest.approx(
        [0, 0, 0, *trained["gradient_norm/embedding"][3:]], rel=1e-3
    )
    assert never["gradient_norm/embedding"] == [0] * 5
    assert never["gradient_norm/all_layers"] == never["gradient_norm/all_but_embeddings"]
    assert never["gradient_norm/logits"] == pytest.approx(trained["gradient_norm/logits"], rel=1e-3)


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_gradients_too_small_for_half_precision_have_a_norm(tmp_path, policy):
    def norms() -> dict[str, float]:
        keras.utils.set_random_seed(7)
        model = attention_model()
        kernel, bias = model.get_layer("logits").get_weights()
        model.get_layer("logits").set_weights([kernel * 1e-6, bias])
        callback = GradientNorms(tmp_path, token_ids_and_labels())
        callback.set_model(model)
        callback.on_train_begin()
        return callback.norms()

    expected = norms()
    assert expected["embedding"] < np.finfo(np.float16).smallest_subnormal * 10
    keras.config.set_dtype_policy(policy)
    try:
        assert norms() == pytest.approx(expected, rel=0.05)
    finally:
        keras.config.set_dtype_policy("float32")


@pytest.fixture(name="watched", scope="module")
def _watched(tmp_path_factory):
    """Log and model of a training with all dashboards."""
    folder = tmp_path_factory.mktemp("log")
    keras.utils.set_random_seed(5)
    model = attention_model()
    arguments = {"tokenizer": Tokenizer(), "vocabulary": WORDS, "texts": ["great film !", "  "]}
    validation = tf.data.Dataset.from_tensor_slices(token_ids_and_labels()).batch(8)
    fit(model, dashboards(folder, validation=validation, label_names=["负面", "positive"], **arguments), epochs=1)
    return folder, model


def test_dashboards_fill_every_page(watched):
    folder, _ = watched
    train, validation = read(folder / "train"), read(folder / "validation")
    assert {tag.partition("/")[0] for tag in train} == {"fit", "gradient_norm", "weights"}
    assert set(validation) == {
        "fit/accuracy",
        "fit/loss",
        "sample_texts/attention_map_1",  # the other text has no token
        "sample_texts/attention_table_1",
        "validation/average_precision/positive",
        "validation/confusion_matrix",
        "validation/precision_recall/positive",
    }
    assert all(steps(points) == [5] for points in validation.values())
    assert (folder / "train" / "projector_config.pbtxt").exists()
    assert len(list((folder / "train").glob("events.*"))) == 1, "one event file a run"


def test_training_is_the_same_with_and_without_dashboards(watched):
    keras.utils.set_random_seed(5)
    fit(alone := attention_model(), [], epochs=1)
    for one, other in zip(alone.get_weights(), watched[1].get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_texts_need_a_tokenizer(tmp_path):
    with pytest.raises(ValueError, match="tokenizer"):
        dashboards(tmp_path, validation=token_ids_and_labels(), vocabulary=WORDS, texts=TEXTS)


def test_a_loss_that_is_not_a_number_stops_nothing(tmp_path):
    model = attention_model()
    arguments = {"tokenizer": Tokenizer(), "vocabulary": WORDS, "texts": TEXTS}
    callbacks = dashboards(tmp_path, validation=token_ids_and_labels(), **arguments)
    model.get_layer("logits").set_weights([np.full((4, 2), np.nan), np.zeros(2)])
    fit(model, callbacks, epochs=1)
    train, validation = read(tmp_path / "train"), read(tmp_path / "validation")
    assert np.isnan(train["fit/loss"][0][1])
    assert np.isnan(train["gradient_norm/all_layers"][0][1])
    assert set(validation) == {"fit/loss", "fit/accuracy"}, "nothing to draw"


def test_only_the_chief_writes(tmp_path, monkeypatch):
    model = attention_model()
    strategy = type(model.distribute_strategy.extended)
    monkeypatch.setattr(strategy, "should_save_summary", property(lambda _: False))
    arguments = {"tokenizer": Tokenizer(), "vocabulary": WORDS, "texts": TEXTS}
    fit(model, dashboards(tmp_path / "log", validation=token_ids_and_labels(), **arguments), epochs=1)
    assert not (tmp_path / "log").exists()


def test_a_log_that_cannot_be_written_is_named_before_training(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(InputError, match=r"file.logs.train: TensorBoard's log cannot be written here: .*directory"):
        fit(attention_model(), [Scalars(tmp_path / "file" / "logs")])


def test_a_disk_that_fills_up_is_named(tmp_path):
    log = EventLog(tmp_path)
    full = tf.errors.ResourceExhaustedError(None, None, f"{log.run_folder('train')}/events.v2; No space left on device")
    with (
        pytest.raises(InputError, match=r"train: TensorBoard's log cannot be written here: No space left on device$"),
        log.writing("train", 1),
    ):
        raise full


def test_errors_of_the_model_are_not_blamed_on_the_log(tmp_path):
    with pytest.raises(tf.errors.ResourceExhaustedError), EventLog(tmp_path).writing("train", 1):
        raise tf.errors.ResourceExhaustedError(None, None, "out of memory")


@pytest.mark.parametrize("dashboard", [lambda log: Scalars(log, every=0), lambda log: GradientNorms(log, (), every=0)])
def test_every_must_be_positive(dashboard, tmp_path):
    with pytest.raises(ValueError, match=r"`every` must be positive\. Received: every=0"):
        dashboard(tmp_path)


TWO_REPLICAS = """
import sys, keras, numpy as np, tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
from textapp.layers import AttentionPooling
from textapp.training.tensorboard import AttentionMaps, ConfusionMatrix, GradientNorms, ValidationScores

x, y = np.arange(2, 50, dtype="int32").reshape(8, 6), np.arange(8) % 2

def build(strategy):
    keras.utils.set_random_seed(1)
    with strategy.scope():
        token_ids = keras.Input((None,), dtype="int32")
        embedded = keras.layers.Embedding(50, 3, mask_zero=True, name="embedding")(token_ids)
        context = AttentionPooling(3, name="attention")(embedded)
        model = keras.Model(token_ids, keras.layers.Dense(2, name="logits")(context))
        model.compile(keras.optimizers.SGD(0.0), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    return model

def norms(model):
    probe = GradientNorms(sys.argv[1], (x, y))
    probe.set_model(model)
    probe.on_train_begin()
    return probe.norms()

expected = norms(build(tf.distribute.get_strategy()))
assert expected["all_layers"] > 0
mirrored = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
model = build(mirrored)
outside = norms(model)
with mirrored.scope():  # `fit` may be called in the scope too
    inside = norms(model)
    scores = ValidationScores((x, y))
    dashboards = [ConfusionMatrix(sys.argv[1], scores), AttentionMaps(sys.argv[1], [["a", "b"]], [[2, 3]])]
    model.fit(x, y, batch_size=4, verbose=0, callbacks=dashboards)
for name, norm in expected.items():
    assert np.allclose([outside[name], inside[name]], norm, rtol=1e-4), (name, outside, inside, expected)
print("the same")
"""


def test_two_replicas_give_the_norms_of_one(tmp_path):
    # In a process of its own: devices cannot be split once TensorFlow has started.
    done = subprocess.run([sys.executable, "-c", TWO_REPLICAS, str(tmp_path)], capture_output=True, text=True)
    assert done.stdout.endswith("the same\n"), done.stderr
