"""A student's files come out the same with its soft labels as with the teachers themselves."""

import json
from pathlib import Path

import numpy as np
import pytest
from textapp.compress.distillation import distill
from textapp.compress.soft_labels import SoftLabels
from textapp.compress.student_preparation import StudentFiles

from textapp.compress.config import distill_preset
from textapp.data.readers import read_examples
from textapp.data.samples import sample_reviews, write_samples


class Killed(BaseException):
    """Stands for `kill -9`."""


class Guessing:
    """A teacher that knows every text, and says of each what its length tells."""

    name, labels, parameters, sha256 = "учитель", ("negative", "positive"), None, "0"

    def __contains__(self, text):
        return isinstance(text, str)

    def probabilities(self, texts):
        share = np.array([len(text) % 10 / 10 for text in texts])
        return np.column_stack([1 - share, share])


@pytest.fixture(scope="module", name="files")
def _files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("Отзывы 评论")
    files = write_samples(folder, {"train": 60, "valid": 20}, seed=3)
    train, valid = (read_examples(files[name]).texts for name in ("train", "valid"))
    more = [*sample_reviews(30, seed=4).texts, valid[0].upper(), train[0]]
    files["unlabelled"] = [str(folder / "ещё.txt")]
    Path(files["unlabelled"][0]).write_text("".join(f"{text}\n" for text in more), encoding="utf-8")
    return files


@pytest.fixture(scope="module", name="file_teacher")
def _file_teacher(tmp_path_factory, files):
    """Knows half of the files' texts, and some that stand nowhere else, one of them twice but for its case."""
    train, valid = (read_examples(files[name]).texts for name in ("train", "valid"))
    own = ["Quite new 好", "quite NEW 好", "noch ein Text", sample_reviews(30, seed=4).texts[2].upper()]
    path = tmp_path_factory.mktemp("Учителя") / "мягкие.jsonl"
    lines = ({"text": text, "probs": {"positive": 0.25, "negative": 0.75}} for text in [*valid, *train[:30], *own])
    path.write_text("".join(f"{json.dumps(line)}\n" for line in lines), encoding="utf-8")
    return SoftLabels.read(path)


@pytest.mark.parametrize("kind", ["runs", "a file", "both"])
def test_soft_labels_stand_for_the_teachers(files, file_teacher, kind, tmp_path, monkeypatch):
    def killed(*_, **__):
        raise Killed

    monkeypatch.setattr("textapp.training.sentiment.fit", killed)
    teachers = {"runs": [Guessing()], "a file": [file_teacher], "both": [Guessing(), file_teacher]}[kind]
    config = distill_preset("tiny").override(["min_count=1", f"augment={3 if kind == 'runs' else 0}"])
    folder = tmp_path / "ученик"
    with pytest.raises(Killed):
        distill(config, folder, teachers=teachers, report=lambda line: None, **files)
    command = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    soft = SoftLabels.read(folder / "soft_labels.jsonl.gz", ["negative", "positive"])

    lines = []
    with_teachers, with_soft = (StudentFiles.read(config, command, given, lines.append) for given in (teachers, [soft]))
    assert with_soft.vocabulary.tokens == with_teachers.vocabulary.tokens
    assert with_soft.counts == with_teachers.counts
    kinds = with_soft.counts["train"]
    assert (kinds["augmented"] > 60) == (kind == "runs")
    assert (kinds["without_soft_labels"] > 0) == (kind != "runs")
    data, valid = with_soft.taught(soft)
    expected, expected_valid = with_teachers.taught(soft)
    assert data.fingerprint == expected.fingerprint
    np.testing.assert_array_equal(valid.targets, expected_valid.targets)
    np.testing.assert_allclose(valid.targets[:, 1:].sum(axis=1), 1, rtol=1e-6)
    assert lines[: len(lines) // 2] == lines[len(lines) // 2 :]
