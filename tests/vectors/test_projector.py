"""The projector's files, read back by TensorBoard's own plugin."""

import numpy as np
import pytest
from google.protobuf import text_format
from tensorboard.plugins.projector import ProjectorConfig, projector_plugin

from textapp.errors import InputError
from textapp.vectors.projector import printable, write_projector


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
