"""The projector's files, read back by TensorBoard's own plugin."""

import dataclasses
import re
from pathlib import Path

import numpy as np
import pytest
from google.protobuf import text_format
from tensorboard.plugins.projector import ProjectorConfig, projector_plugin

from textapp.dashboards import EmbeddingProjector
from textapp.dashboards.projector import printable, row_columns, word_columns, write_projector
from textapp.data.rows import EncodedRows
from textapp.errors import InputError

from .models import attention_model, write_once


def test_tensorboard_reads_what_was_written(tmp_path):
    folder = tmp_path / "журнал 日志"
    vectors = np.array([[0.5, -1e-20], [3.25, 1e10], [0, -7]], np.float32)
    write_projector(folder, vectors, {"word": ["好", "a\tb", "ß"], "count": [30, 20, 10]}, "词向量")
    config = text_format.Parse((folder / "projector_config.pbtxt").read_text(encoding="utf-8"), ProjectorConfig())
    (embedding,) = config.embeddings
    assert embedding.tensor_name == "词向量 (3 words)"
    lines = (folder / embedding.metadata_path).read_text(encoding="utf-8")
    assert lines == "word\tcount\n好\t30\na\\tb\t20\nß\t10\n"
    read = projector_plugin._read_tensor_tsv_file(str(folder / embedding.tensor_path))
    np.testing.assert_allclose(read, vectors, rtol=1e-4)
    assert sorted(path.name for path in (folder / "projector").iterdir()) == ["vectors.tsv", "words.tsv"]


def test_a_folder_that_cannot_be_is_refused(tmp_path):
    (tmp_path / "文件").write_text("in the way", encoding="utf-8")
    with pytest.raises(InputError, match=r"文件/projector: the projector's files cannot be written here: "):
        write_projector(tmp_path / "文件", np.eye(2), {"word": ["a", "b"], "id": [0, 1]}, "t")


def test_printable_words():
    assert [printable(word) for word in ["好", "", "\u3000", "a\u2028b", "\ud800"]] == [
        "好",
        "''",
        "\\u3000",
        "a\\u2028b",
        "\\ud800",
    ]


def test_projector_shows_words_and_their_vectors(tmp_path):
    words = ["[PAD]", "[UNK]", "好", "déjà\tvu", 'a"b', "'", " ", "line\nend", "#", "x", "cut"]
    model = attention_model()
    callback = EmbeddingProjector(tmp_path, words, most_words=9, columns={"count": range(11)})
    write_once(callback, model)
    folder = tmp_path / "train"
    config = text_format.Parse((folder / "projector_config.pbtxt").read_text(encoding="utf-8"), ProjectorConfig())
    (embedding,) = config.embeddings
    header, *rows = (folder / embedding.metadata_path).read_text(encoding="utf-8").rstrip("\n").split("\n")
    assert header == "word\tid\tcount"
    shown = ["[UNK]", "好", "déjà\\tvu", 'a"b', "'", "' '", "line\\nend", "#", "x"]
    assert [row.split("\t") for row in rows] == [[word, str(i), str(i)] for i, word in enumerate(shown, start=1)]
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
    write_once(callback, model)
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


def test_words_lean_to_the_label_that_they_occur_with():
    ids = np.array([2] * 20 + [3] * 20 + [4] * 20 + [9])
    labels = np.array([0] * 20 + [1] * 20 + [0, 1] * 10 + [0])
    columns = word_columns(ids, labels, ["坏", "好"], 5)
    assert columns == {
        "log10 count": [0.0, 0.0, 1.3, 1.3, 1.3],
        "count": [0, 0, 20, 20, 20],  # id 9 is no row of the table
        "leans to": ["-", "-", "坏", "好", "-"],
    }
    assert word_columns(ids, np.stack([labels == 0, labels == 1], axis=1), ["坏", "好"], 5) == columns
    assert word_columns(ids, np.full(61, -1), ["坏", "好"], 5)["leans to"] == ["-"] * 5


def test_the_columns_of_rows_are_those_of_their_tokens():
    words = np.array([0, 2, 3], np.int32)  # of padding and two tokens
    rows = EncodedRows(
        index=np.array([1] * 20 + [2] * 20, np.int32),
        offsets=np.array([0, 20, 40]),
        inputs={"token_ids": words},
        targets=np.array([1, 0], np.int32),
        per_token=False,
        sources=np.arange(2),
    )
    assert row_columns(rows, ["a", "b"], 4)["leans to"] == ["-", "-", "b", "a"]
    of_tokens = dataclasses.replace(rows, targets=np.repeat(np.array([2, 1], np.int32), 20), per_token=True)
    assert row_columns(of_tokens, ["a", "b"], 4, [-1, 0, 1])["leans to"] == ["-", "-", "b", "a"]
    assert row_columns(dataclasses.replace(rows, targets=np.ones((2, 2), np.float32)), ["a", "b"], 4) == {}
    assert row_columns(None, ["a", "b"], 4) == {}
