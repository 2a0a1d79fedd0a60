"""Pictures, curves and files that TensorBoard shows, compared with numbers worked out by hand."""

import html
import re
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from google.protobuf import text_format
from keras import layers
from matplotlib.patches import Rectangle
from tensorboard.plugin_util import markdown_to_safe_html
from tensorboard.plugins.projector import ProjectorConfig, projector_plugin

from textapp import fonts
from textapp.figures import pixels
from textapp.layers import AttentionPooling
from textapp.training.tensorboard import (
    AttentionMaps,
    ConfusionMatrix,
    EmbeddingProjector,
    PrecisionRecall,
    ValidationScores,
    attention_figure,
    confusion_matrix,
)
from textapp.training.tensorboard.attention_page import markdown
from textapp.training.tensorboard.precision_recall import average_precision

from . import events

LABELS = np.array([1, 0, 1, 1, 0])
POSITIVE = np.array([0.9, 0.8, 0.7, 0.3, 0.1])
PROBS = np.stack([1 - POSITIVE, POSITIVE], axis=1)


def read(folder) -> dict[str, np.ndarray]:
    """The last value of each tag of one run."""
    return {tag: points[-1][1] for tag, points in events.read(folder).items()}


def echo(classes: int) -> keras.Model:
    """A model whose outputs are its inputs."""
    inputs = keras.Input((classes,))
    model = keras.Model(inputs, layers.Identity()(inputs))
    model.compile("sgd", "mse")
    return model


def draw(callback, model) -> None:
    """What `fit` does with a callback in one epoch."""
    callback.set_model(model)
    callback.on_train_begin()
    callback.on_epoch_end(0)


@pytest.mark.parametrize("weights", [None, np.array([1, 1, 0, 1, 1])], ids=["arrays", "weighted dataset"])
def test_scores_are_softmaxed_and_filler_rows_left_out(weights):
    rows = slice(None) if weights is None else weights.astype(bool)
    data = (np.log(PROBS), LABELS)
    validation = data if weights is None else tf.data.Dataset.from_tensor_slices((*data, weights)).batch(2)
    labels, probs = ValidationScores(validation, batch_size=2).at(echo(2), step=0)
    np.testing.assert_array_equal(labels, LABELS[rows])
    np.testing.assert_allclose(probs, PROBS[rows], rtol=1e-5)


def test_scores_of_one_unit_one_hot_labels_and_nan():
    logits = np.log(POSITIVE / (1 - POSITIVE))[:, np.newaxis]
    logits[2] = np.nan
    labels, probs = ValidationScores((logits, LABELS[:, np.newaxis])).at(echo(1), step=0)
    np.testing.assert_array_equal(labels, LABELS[[0, 1, 3, 4]])
    np.testing.assert_allclose(probs, PROBS[[0, 1, 3, 4]], rtol=1e-5)
    labels, probs = ValidationScores((PROBS, np.eye(2)[LABELS]), from_logits=False).at(echo(2), step=0)
    np.testing.assert_array_equal(labels, LABELS)
    np.testing.assert_allclose(probs, PROBS, rtol=1e-6)


def test_scores_are_computed_once_a_step_and_model():
    model = keras.Sequential([keras.Input((2,)), layers.Dense(2)])
    model.compile("sgd", "mse")
    scores = ValidationScores((PROBS, LABELS))
    _, first = scores.at(model, step=1)
    model.set_weights([np.array([[1.0, -1.0], [3.0, 2.0]]), np.zeros(2)])
    assert scores.at(model, step=1)[1] is first
    assert not np.allclose(scores.at(model, step=2)[1], first)
    assert scores.at(echo(2), step=2)[1].shape == (5, 2)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"label_names": ["一", "二", "三"]}, "`label_names` must name the model's 2 classes"),
        ({"validation": (np.log(PROBS), LABELS + 1)}, "labels must be class numbers from 0 to 1"),
        ({"validation": (PROBS, LABELS)}, "the model returns probabilities. Received: from_logits=True"),
        ({"from_logits": False}, "the model returns logits. Received: from_logits=False"),
        ({"validation": ()}, "at least one batch"),
    ],
)
def test_scores_that_do_not_fit_are_refused_before_training(tmp_path, arguments, message):
    validation = arguments.pop("validation", (np.log(PROBS) + 1, LABELS))
    scores = ValidationScores(validation or tf.data.Dataset.range(0), **arguments)
    callback = ConfusionMatrix(tmp_path, scores)
    callback.set_model(echo(2))
    with pytest.raises(ValueError, match=re.escape(message)):
        callback.on_train_begin()


def test_confusion_matrix_shows_its_counts(tmp_path, monkeypatch):
    drawn = []
    original = confusion_matrix.draw
    monkeypatch.setattr(confusion_matrix, "draw", lambda *given: drawn.append(given) or original(*given))
    draw(ConfusionMatrix(tmp_path, ValidationScores((np.log(PROBS), LABELS), ["差", "good"])), echo(2))
    ((counts, names),) = drawn
    np.testing.assert_array_equal(counts, [[1, 1], [1, 2]])
    assert names == ("差", "good")
    width, height, png = read(tmp_path / "validation")["validation/confusion_matrix"]
    assert tf.io.decode_png(png).shape[:2] == (int(height), int(width))
    texts = [text.get_text() for text in original(counts, names).axes[0].texts]
    assert texts == ["1\n50.0%", "1\n50.0%", "1\n33.3%", "2\n66.7%"]


@pytest.mark.parametrize("classes", [2, 12, 30])
def test_confusion_matrix_of_many_classes(classes):
    counts = np.diag(np.arange(classes)) + 1
    assert pixels(confusion_matrix.draw(counts, [f"class $x_{i}" for i in range(classes)])).std() > 0


def test_average_precision_by_hand():
    # By falling score: hit (precision 1), miss, hit (2/3), hit (3/4), miss; each hit gains a third of the recall.
    assert average_precision(LABELS == 1, POSITIVE) == pytest.approx((1 + 2 / 3 + 3 / 4) / 3)
    # Equal scores are one threshold: precision 1/2 at recall 1/2, then 2/4 at 1.
    tied = average_precision(np.array([True, False, True, False]), np.array([0.8, 0.8, 0.2, 0.2]))
    assert tied == pytest.approx(0.5)


def test_precision_recall_of_two_classes_by_hand(tmp_path):
    draw(PrecisionRecall(tmp_path, ValidationScores((np.log(PROBS), LABELS), ["差", "好"])), echo(2))
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
    draw(PrecisionRecall(tmp_path, scores), echo(3))
    tags = read(tmp_path / "validation")
    assert {tag.rpartition("/")[2] for tag in tags} == {"a", "b"}, "no text is of class c"
    np.testing.assert_allclose(tags["validation/precision_recall/a"][:, 90], [1, 1, 1, 0, 0.5, 1])
    np.testing.assert_allclose(tags["validation/precision_recall/b"][:, 90], [1, 0, 1, 1, 1, 0.5])


def attention_model(length=None, explicit_mask=False) -> keras.Model:
    keras.utils.set_random_seed(2)
    token_ids = keras.Input((length,), dtype="int32")
    embedded = layers.Embedding(12, 4, mask_zero=not explicit_mask, name="embedding")(token_ids)
    arguments = {"mask": keras.ops.not_equal(token_ids, 0)} if explicit_mask else {}
    context = AttentionPooling(3, name="attention")(embedded, **arguments)
    model = keras.Model(token_ids, layers.Dense(2, name="logits")(context))
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    return model


@pytest.mark.parametrize("arguments", [{}, {"length": 6}, {"length": 6, "explicit_mask": True}], ids=str)
def test_attention_weights_by_numpy(tmp_path, arguments):
    model = attention_model(**arguments)
    texts, ids = [["好", "film", "!"], [], ["great"]], [[3, 5, 2], [], [7]]
    callback = AttentionMaps(tmp_path, texts, ids, ["差", "good"])
    draw(callback, model)
    table = model.get_layer("embedding").get_weights()[0]
    kernel, bias, query = model.get_layer("attention").get_weights()
    for row in ([3, 5, 2], [7]):
        scores = np.exp(np.tanh(table[row] @ kernel + bias) @ query)[:, 0]
        weights, probs = callback.attend(row)
        np.testing.assert_allclose(weights, scores / scores.sum(), rtol=1e-5)
        logits = (scores / scores.sum()) @ table[row] @ model.get_layer("logits").get_weights()[0]
        np.testing.assert_allclose(probs, np.exp(logits) / np.exp(logits).sum(), rtol=1e-5)
    tags = read(tmp_path / "validation")
    assert {"sample_texts/attention_table_1", "sample_texts/attention_table_2"} <= set(tags)
    assert "| 好 | film | &#33; |" in tags["sample_texts/attention_table_1"].item().decode()


def test_a_text_longer_than_the_model_reads_is_cut(tmp_path):
    callback = AttentionMaps(tmp_path, [["好"] * 9], [[3] * 9])
    draw(callback, attention_model(length=6))
    table = read(tmp_path / "validation")["sample_texts/attention_table_1"].item().decode()
    assert table.count("好") == 6


def test_attention_needs_an_attention_layer(tmp_path):
    callback = AttentionMaps(tmp_path, [["a"]], [[1]])
    callback.set_model(echo(2))
    with pytest.raises(ValueError, match="no `AttentionPooling` layer"):
        callback.on_train_begin()
    with pytest.raises(ValueError, match="same number of tokens"):
        AttentionMaps(tmp_path, [["a", "b"]], [[1]])


def test_attention_table_shows_tokens_as_they_are():
    tokens = ["|", "<b>", "*x*", "`", "&amp;", "_y_", "[z](w)", "\\", "好", "déjà", "$5", "#", "-", "😀"]
    weights = np.array([0.5, 0.0, 0.25, *[0.25 / 11] * 11])
    shown = markdown_to_safe_html(markdown(tokens, weights, "predicted: <差> | 98%"))
    assert [html.unescape(cell) for cell in re.findall("<th>(.*?)</th>", shown)] == tokens
    assert "<strong>predicted: <差> | 98%</strong>" in html.unescape(shown)
    cells = re.findall("<td>(.*?)</td>", shown)
    assert cells[:3] == ["█", "▁", "▅"]
    assert cells[12:15] == ["50%", "0%", "25%"]


def test_attention_figure_is_darkest_at_the_largest_weight():
    figure = attention_figure.draw(["a", "b", "c" * 60], np.array([0.25, 0.75, 0.0]), "title")
    lightness = [sum(box.get_facecolor()[:3]) for box in figure.artists if isinstance(box, Rectangle)]
    assert lightness[1] < lightness[0] < lightness[2]
    assert pixels(figure).shape[1] == 660


def test_a_picture_is_left_out_rather_than_drawn_with_boxes(tmp_path, monkeypatch):
    monkeypatch.setattr(fonts, "_installed", list)
    draw(AttentionMaps(tmp_path, [["好"], ["fine"]], [[3], [4]], ["差", "好"]), attention_model())
    assert set(read(tmp_path / "validation")) == {
        "sample_texts/attention_map_2",
        "sample_texts/attention_table_1",
        "sample_texts/attention_table_2",
    }
    ticks = confusion_matrix.draw(np.eye(2), ["差", "好"]).axes[0].get_xticklabels()
    assert [tick.get_text() for tick in ticks] == ["0", "1"], "class numbers stand in"


def test_projector_shows_words_and_their_vectors(tmp_path):
    words = ["[PAD]", "[UNK]", "好", "déjà\tvu", 'a"b', "'", " ", "line\nend", "#", "x", "cut"]
    model = attention_model()
    callback = EmbeddingProjector(tmp_path, words, most_words=9)
    draw(callback, model)
    folder = tmp_path / "train"
    config = text_format.Parse((folder / "projector_config.pbtxt").read_text(encoding="utf-8"), ProjectorConfig())
    (embedding,) = config.embeddings
    header, *rows = (folder / embedding.metadata_path).read_text(encoding="utf-8").rstrip("\n").split("\n")
    assert header == "word\tid"
    shown = ["[UNK]", "好", "déjà\\tvu", 'a"b', "'", "' '", "line\\nend", "#", "x"]
    assert [row.split("\t") for row in rows] == [[word, str(i)] for i, word in enumerate(shown, start=1)]
    vectors = projector_plugin._read_tensor_tsv_file(str(folder / embedding.tensor_path))
    table = model.get_layer("embedding").get_weights()[0]
    np.testing.assert_allclose(vectors, table[1:10], rtol=1e-4)

    table[3] = 5.0
    model.get_layer("embedding").set_weights([table])
    model.optimizer.iterations.assign(1)
    callback.on_epoch_end(1)
    vectors = projector_plugin._read_tensor_tsv_file(str(folder / embedding.tensor_path))
    np.testing.assert_allclose(vectors[2], 5.0)
    assert sorted(path.name for path in Path(folder / "projector").iterdir()) == ["vectors.tsv", "words.tsv"]


def test_projector_keeps_the_last_vectors_that_are_numbers(tmp_path):
    model = attention_model()
    callback = EmbeddingProjector(tmp_path, ["[PAD]", "好"])
    draw(callback, model)
    before = (tmp_path / "train/projector/vectors.tsv").read_bytes()
    model.get_layer("embedding").set_weights([np.full((12, 4), np.nan)])
    model.optimizer.iterations.assign(1)
    callback.on_epoch_end(1)
    assert (tmp_path / "train/projector/vectors.tsv").read_bytes() == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"vocabulary": ["w"] * 13}, "at most the embedding's 12 rows. Received: 13 words"),
        ({"vocabulary": ["w"], "layer": "other"}, "no `Embedding` layer named 'other'"),
    ],
)
def test_projector_refuses_what_does_not_fit(tmp_path, arguments, message):
    callback = EmbeddingProjector(tmp_path, **arguments)
    callback.set_model(attention_model())
    with pytest.raises(ValueError, match=re.escape(message)):
        callback.on_train_begin()
