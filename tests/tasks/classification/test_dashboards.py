"""Pictures, curves and tables of a classifier, compared with numbers worked out by hand."""

import html
import re
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf
from tensorboard.plugin_util import markdown_to_safe_html

from tests.dashboards import events
from tests.dashboards.models import WORDS, attention_model, echo, fit, token_ids_and_labels, write_once
from textapp.tasks.classification import dashboards
from textapp.tasks.classification.dashboards import (
    AttentionTables,
    ConfusionMatrix,
    PrecisionRecall,
    ReliabilityDiagram,
    RightAndWrong,
    attention_table,
    classification_dashboards,
)
from textapp.tasks.classification.validation_scores import ValidationScores
from textapp.text.token_encoder import TokenEncoder
from textapp.text.tokenizer import Tokenizer

ENCODER = TokenEncoder(None, WORDS)
TEXTS = ["好 电影 great film", "差 film", "déjà vu , 差 差", "great 好 !"]
LABELS = np.array([1, 0, 1, 1, 0])
POSITIVE = np.array([0.9, 0.8, 0.7, 0.3, 0.1])
PROBS = np.stack([1 - POSITIVE, POSITIVE], axis=1)


def read(folder) -> dict[str, np.ndarray]:
    """The last value of each tag of one run."""
    return {tag: points[-1][1] for tag, points in events.read(folder).items()}


@pytest.fixture(name="watched", scope="module")
def _watched(tmp_path_factory):
    """Log and model of a training with all dashboards."""
    folder = tmp_path_factory.mktemp("log")
    model = attention_model()
    arguments = {"tokenizer": Tokenizer(), "encoder": ENCODER, "texts": ["great film !", "  "]}
    validation = tf.data.Dataset.from_tensor_slices(token_ids_and_labels()).batch(8)
    fit(
        model,
        classification_dashboards(folder, validation=validation, label_names=["负面", "positive"], **arguments),
        epochs=1,
    )
    return folder, model


def test_dashboards_fill_every_page(watched):
    folder, _ = watched
    train, validation = events.read(folder / "train"), events.read(folder / "validation")
    assert {tag.partition("/")[0] for tag in train} == {"fit", "gradient_norm", "weights"}
    assert set(validation) == {
        "fit/accuracy",
        "fit/loss",
        "sample_texts/attention_table_1",  # the other text has no token
        "validation/average_precision/positive",
        "validation/confusion_matrix",
        "validation/precision_recall/positive",
        "validation/reliability_diagram",
    }
    assert all([step for step, _ in points] == [5] for points in validation.values())
    assert (folder / "train" / "projector_config.pbtxt").exists()
    assert len(list((folder / "train").glob("events.*"))) == 1, "one event file a run"


def test_training_is_the_same_with_and_without_dashboards(watched):
    fit(alone := attention_model(), [], epochs=1)
    for one, other in zip(alone.get_weights(), watched[1].get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_texts_need_a_tokenizer(tmp_path):
    with pytest.raises(ValueError, match="tokenizer"):
        classification_dashboards(tmp_path, validation=token_ids_and_labels(), encoder=ENCODER, texts=TEXTS)


def test_a_loss_that_is_not_a_number_stops_nothing(tmp_path):
    model = attention_model()
    arguments = {"tokenizer": Tokenizer(), "encoder": ENCODER, "texts": TEXTS}
    callbacks = classification_dashboards(tmp_path, validation=token_ids_and_labels(), **arguments)
    model.get_layer("logits").set_weights([np.full((4, 2), np.nan), np.zeros(2)])
    fit(model, callbacks, epochs=1)
    train, validation = read(tmp_path / "train"), read(tmp_path / "validation")
    assert np.isnan(train["fit/loss"])
    assert np.isnan(train["gradient_norm/all_layers"])
    assert set(validation) == {"fit/loss", "fit/accuracy"}, "nothing to draw"


def test_only_the_chief_writes(tmp_path, monkeypatch):
    model = attention_model()
    strategy = type(model.distribute_strategy.extended)
    monkeypatch.setattr(strategy, "should_save_summary", property(lambda _: False))
    arguments = {"tokenizer": Tokenizer(), "encoder": ENCODER, "texts": TEXTS}
    fit(model, classification_dashboards(tmp_path / "log", validation=token_ids_and_labels(), **arguments), epochs=1)
    assert not (tmp_path / "log").exists()


def test_confusion_matrix_shows_its_counts(tmp_path, monkeypatch):
    drawn = []
    original = dashboards.draw_confusion_matrix
    monkeypatch.setattr(dashboards, "draw_confusion_matrix", lambda *given: drawn.append(given) or original(*given))
    write_once(ConfusionMatrix(tmp_path, ValidationScores((np.log(PROBS), LABELS), ["差", "good"])), echo(2))
    ((counts, names),) = drawn
    np.testing.assert_array_equal(counts, [[1, 1], [1, 2]])
    assert names == ("差", "good")
    width, height, png = read(tmp_path / "validation")["validation/confusion_matrix"]
    assert tf.io.decode_png(png).shape[:2] == (int(height), int(width))
    texts = [text.get_text() for text in original(counts, names).axes[0].texts]
    assert texts == ["1\n50.0%", "1\n50.0%", "1\n33.3%", "2\n66.7%"]


def test_the_reliability_diagram_shows_how_often_predictions_are_right(tmp_path, monkeypatch):
    drawn = []
    original = dashboards.draw_reliability
    monkeypatch.setattr(dashboards, "draw_reliability", lambda *given: drawn.append(given) or original(*given))
    write_once(ReliabilityDiagram(tmp_path, ValidationScores((np.log(PROBS), LABELS), ["差", "good"])), echo(2))
    ((bins, error),) = drawn
    assert [(one.count, round(one.confidence, 6), one.accuracy) for one in bins] == [
        (2, 0.7, 0.5),
        (1, 0.8, 0),
        (2, 0.9, 1),
    ]
    assert error == pytest.approx((2 * 0.2 + 0.8 + 2 * 0.1) / 5)
    width, height, png = read(tmp_path / "validation")["validation/reliability_diagram"]
    assert tf.io.decode_png(png).shape[:2] == (int(height), int(width))
    bars = [bar.get_height() for bar in original(bins, error).axes[0].patches]
    assert bars == [0.5, 0, 1]


def test_precision_recall_of_two_classes_by_hand(tmp_path):
    write_once(PrecisionRecall(tmp_path, ValidationScores((np.log(PROBS), LABELS), ["差", "好"])), echo(2))
    tags = read(tmp_path / "validation")
    assert set(tags) == {"validation/precision_recall/好", "validation/average_precision/好"}
    assert tags["validation/average_precision/好"] == pytest.approx((1 + 2 / 3 + 3 / 4) / 3)
    # Rows: true positives, false positives, true negatives, false negatives, precision, recall; threshold i / 200.
    curve = tags["validation/precision_recall/好"]
    np.testing.assert_allclose(curve[:, 0], [3, 2, 0, 0, 3 / 5, 1])
    np.testing.assert_allclose(curve[:, 100], [2, 1, 1, 1, 2 / 3, 2 / 3], rtol=1e-6)
    np.testing.assert_allclose(curve[:, 170], [1, 0, 2, 2, 1, 1 / 3], rtol=1e-6)


def test_precision_recall_of_three_classes_is_one_against_the_rest(tmp_path):
    probs = np.array([[0.7, 0.2, 0.1], [0.3, 0.6, 0.1], [0.5, 0.4, 0.1]])
    scores = ValidationScores((np.log(probs), np.array([0, 1, 1])), ["a", "b", "c"])
    write_once(PrecisionRecall(tmp_path, scores), echo(3))
    tags = read(tmp_path / "validation")
    assert {tag.rpartition("/")[2] for tag in tags} == {"a", "b"}, "no text is of class c"
    np.testing.assert_allclose(tags["validation/precision_recall/a"][:, 90], [1, 1, 1, 0, 0.5, 1])
    np.testing.assert_allclose(tags["validation/precision_recall/b"][:, 90], [1, 0, 1, 1, 1, 0.5])


@pytest.mark.parametrize("arguments", [{}, {"length": 6}, {"length": 6, "explicit_mask": True}], ids=str)
def test_attention_weights_by_numpy(tmp_path, arguments):
    model = attention_model(**arguments)
    texts = {("好", "film", "!"): [3, 5, 2], (): [], ("great",): [7]}
    callback = AttentionTables(tmp_path, list(texts), lambda tokens: {"token_ids": texts[tokens]}, ["差", "good"])
    write_once(callback, model)
    table = model.get_layer("embedding").get_weights()[0]
    kernel, bias, query = model.get_layer("attention").get_weights()
    for tokens, row in texts.items():
        if not row:
            continue
        scores = np.exp(np.tanh(table[row] @ kernel + bias) @ query)[:, 0]
        weights, probs = callback.attend(tokens)
        np.testing.assert_allclose(weights, scores / scores.sum(), rtol=1e-5)
        logits = (scores / scores.sum()) @ table[row] @ model.get_layer("logits").get_weights()[0]
        np.testing.assert_allclose(probs, np.exp(logits) / np.exp(logits).sum(), rtol=1e-5)
    tags = read(tmp_path / "validation")
    assert {"sample_texts/attention_table_1", "sample_texts/attention_table_2"} <= set(tags)
    assert "| 好 | film | &#33; |" in tags["sample_texts/attention_table_1"].item().decode()


def test_a_sample_tells_the_true_label():
    tables = AttentionTables("logs", [["a"], [], ["b"]], ENCODER.encode, ["差", "好"], true_labels=["好", "差", "差"])
    assert tables.samples == [(("a",), "好"), (("b",), "差")]
    assert tables.title(np.array([0.25, 0.75]), "好") == "true: 好, predicted: 好 (75%) ✓"
    assert tables.title(np.array([0.25, 0.75]), "差") == "true: 差, predicted: 好 (75%) ✗"
    assert tables.title(np.array([0.25, 0.75])) == "predicted: 好 (75%)"


def test_each_class_has_a_right_and_a_wrong_text(tmp_path):
    names = ["差", "<b>", "never"]
    probs = np.array([[0.9, 0.1, 0], [0.6, 0.4, 0], [0.2, 0.8, 0], [0.7, 0.3, 0], [0.3, 0.7, 0]])
    labels = np.array([0, 0, 0, 1, 1])
    scores = SimpleNamespace(label_names=names, check=lambda model: None, at=lambda model, step: (labels, probs))
    texts = ["good|\n", "so", "*wrong*", "x" * 500, "right"]
    lines = RightAndWrong("logs", scores, texts).markdown(labels, probs).splitlines()[2:]
    assert lines[0] == "| 差 | ✓ (90%): good&#124;  | ✗ &#60;b&#62; (80%): &#42;wrong&#42; |"
    assert lines[1].startswith("| &#60;b&#62; | ✓ (70%): right | ✗ 差 (70%): xxx")
    assert len(lines[1]) < 200
    assert lines[2] == "| never | – | – |"
    write_once(RightAndWrong(tmp_path, scores, texts), echo(2))
    assert "right_and_wrong" in read(tmp_path / "validation")
    write_once(RightAndWrong(tmp_path / "другой", scores, texts[:3]), echo(2))  # rows with NaN are left out of scores
    assert "right_and_wrong" not in read(tmp_path / "другой/validation")


def test_a_text_longer_than_the_model_reads_is_cut(tmp_path):
    callback = AttentionTables(tmp_path, [["好"] * 9], ENCODER.encode)
    write_once(callback, attention_model(length=6))
    table = read(tmp_path / "validation")["sample_texts/attention_table_1"].item().decode()
    assert table.count("好") == 6


def test_attention_needs_an_attention_layer(tmp_path):
    callback = AttentionTables(tmp_path, [["a"]], ENCODER.encode)
    callback.set_model(echo(2))
    with pytest.raises(ValueError, match="no `AttentionPooling` layer"):
        callback.on_train_begin()


def test_attention_table_shows_tokens_as_they_are():
    tokens = ["|", "<b>", "*x*", "`", "&amp;", "_y_", "[z](w)", "\\", "好", "déjà", "$5", "#", "-", "😀"]
    weights = np.array([0.5, 0.0, 0.25, *[0.25 / 11] * 11])
    shown = markdown_to_safe_html(attention_table(tokens, weights, "predicted: <差> | 98%"))
    assert [html.unescape(cell) for cell in re.findall("<th>(.*?)</th>", shown)] == tokens
    assert "<strong>predicted: <差> | 98%</strong>" in html.unescape(shown)
    cells = re.findall("<td>(.*?)</td>", shown)
    assert cells[:3] == ["█", "▁", "▅"]
    assert cells[12:15] == ["50%", "0%", "25%"]


TWO_REPLICAS = """
import sys, keras, numpy as np, tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
from textapp.layers import AttentionPooling
from textapp.dashboards import GradientNorms
from textapp.tasks.classification.dashboards import AttentionTables, ConfusionMatrix
from textapp.tasks.classification.validation_scores import ValidationScores

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
    tables = AttentionTables(sys.argv[1], [["a", "b"]], lambda _: {"token_ids": [2, 3]})
    dashboards = [ConfusionMatrix(sys.argv[1], scores), tables]
    model.fit(x, y, batch_size=4, verbose=0, callbacks=dashboards)
for name, norm in expected.items():
    assert np.allclose([outside[name], inside[name]], norm, rtol=1e-4), (name, outside, inside, expected)
print("the same")
"""


def test_two_replicas_give_the_norms_of_one(tmp_path):
    # In a process of its own: devices cannot be split once TensorFlow has started.
    done = subprocess.run([sys.executable, "-c", TWO_REPLICAS, str(tmp_path)], capture_output=True, text=True)
    assert done.stdout.endswith("the same\n"), done.stderr
