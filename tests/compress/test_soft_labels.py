"""Soft labels: strict reading, writing that survives being killed, ensembles against hand-worked means."""

import gzip
import json
from types import SimpleNamespace

import numpy as np
import pytest
from textapp.compress.soft_labels import SoftLabels, mean_probabilities, write_soft_labels

from textapp.compress import soft_labels
from textapp.errors import InputError

LABELS = ["плохо", "хорошо"]
LINES = [
    {"text": "très bon café ☕", "probs": {"хорошо": 0.9, "плохо": 0.1}},
    {"text": "很 差", "probs": {"плохо": 1, "хорошо": 0}},
]


def written(path, lines, packed=False):
    content = "".join(f"{line if isinstance(line, str) else json.dumps(line)}\n" for line in lines).encode()
    path.write_bytes(gzip.compress(content) if packed else content)
    return path


def teacher(probs, labels=LABELS):
    return SimpleNamespace(labels=labels, probabilities=lambda texts: np.array(probs)[: len(texts)])


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("labels", [None, LABELS, LABELS[::-1]])
def test_read(tmp_path, packed, labels):
    soft = SoftLabels.read(written(tmp_path / "мягкие é.jsonl", [*LINES, "", LINES[0]], packed), labels)
    assert soft.labels == tuple(labels or LABELS)
    assert len(soft) == 2
    assert "  很\t差\n" in soft
    assert "很 好" not in soft
    expected = np.array([[1.0, 0.0], [0.1, 0.9]])[:, :: -1 if soft.labels[0] == "хорошо" else 1]
    np.testing.assert_allclose(soft.probabilities(["很 差", "très bon café ☕"]), expected, rtol=1e-6)
    assert list(soft.texts())[:2] == [line["text"] for line in LINES]
    assert soft.rows(map(soft_labels.key_of, ["?", "很 差"])).tolist() == [-1, 1]


def test_sums_a_little_off_become_one(tmp_path):
    line = {"text": "好", "probs": {"a": 0.3334, "b": 0.3333, "c": 0.3328}}
    assert SoftLabels.read(written(tmp_path / "f", [line])).probs.sum() == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize(
    ("line", "rule"),
    [
        ("{", "each line must be a JSON object"),
        ("[1]", "each line must read"),
        ('{"probs": {"плохо": 1, "хорошо": 0}}', "each line must read"),
        ('{"text": 3, "probs": {"плохо": 1, "хорошо": 0}}', "each line must read"),
        ('{"text": "好", "probs": [1, 0]}', "each line must read"),
        ('{"text": "好", "probs": {"плохо": 1}}', "the labels must be плохо, хорошо. Received: плохо"),
        ('{"text": "好", "probs": {"плохо": 1, "хорошо": 0, "x": 0}}', "the labels must be"),
        ('{"text": "好", "probs": {}}', "Received: none"),
        ('{"text": "好", "probs": {"плохо": 0.5, "хорошо": 0.502}}', "must sum to 1, within 0.001. Received: 1.002"),
        ('{"text": "好", "probs": {"плохо": -0.5, "хорошо": 1.5}}', "from 0 to 1. Received: -0.5 for плохо"),
        ('{"text": "好", "probs": {"плохо": NaN, "хорошо": 1}}', "from 0 to 1. Received: NaN"),
        ('{"text": "好", "probs": {"плохо": true, "хорошо": 0}}', "from 0 to 1. Received: true"),
        ('{"text": "好", "probs": {"плохо": "1", "хорошо": 0}}', 'from 0 to 1. Received: "1"'),
    ],
)
def test_a_broken_line_is_named(tmp_path, line, rule):
    path = written(tmp_path / "мягкие.jsonl", [LINES[0], "", line])
    for labels in (LABELS, None):  # given, and taken from the first line
        with pytest.raises(InputError) as error:
            SoftLabels.read(path, labels)
        assert str(error.value).startswith(f"{path}:3: ")
        assert rule in str(error.value)


@pytest.mark.parametrize("content", [b"", b"\n\n"])
def test_an_empty_file_is_refused(tmp_path, content):
    (tmp_path / "f").write_bytes(content)
    with pytest.raises(InputError, match="no soft label in it"):
        SoftLabels.read(tmp_path / "f")


def test_teachers_are_averaged_by_label():
    first, second = teacher([[0.9, 0.1], [0.2, 0.8]]), teacher([[0.5, 0.5], [1.0, 0.0]], LABELS[::-1])
    mean = mean_probabilities([first, second], ["a", "б"], LABELS)
    np.testing.assert_allclose(mean, [[0.7, 0.3], [0.1, 0.9]])


TEXTS = [f"текст {i} 好" for i in range(10)]


class Killed(BaseException):
    """Stands for `kill -9`."""


class Asked:
    """A teacher whose answers depend on the texts that it is given together, and that is killed at one of them."""

    def __init__(self, dies_at=None):
        self.chunks, self.dies_at = [], dies_at

    def __call__(self, texts):
        if self.dies_at in texts:
            raise Killed
        self.chunks.append(texts)
        first = len(texts) / 7 / (1 + np.array([len(text) + TEXTS.index(text) for text in texts]))
        return np.stack([first, 1 - first], axis=1)


@pytest.fixture(name="write")
def _write(tmp_path, monkeypatch):
    monkeypatch.setattr(soft_labels, "CHUNK", 4)

    def write(asked, texts=TEXTS, name="мягкие"):
        path = tmp_path / f"{name}.jsonl.gz"
        write_soft_labels(path, tmp_path / f"{name}.part", texts, asked, LABELS, report=lambda done: None)
        return path

    return write


def test_what_is_written_is_read(write):
    asked = Asked()
    soft = SoftLabels.read(write(asked), LABELS)
    np.testing.assert_allclose(soft.probabilities(TEXTS[:4]), Asked()(TEXTS[:4]), rtol=1e-6)
    assert [len(chunk) for chunk in asked.chunks] == [4, 4, 2]


@pytest.mark.parametrize("dies_at", [0, 5, 9])
@pytest.mark.parametrize("torn", [b"", b'{"text": "\xd1', b'{"text": "half", "probs": {"\xd0\xbf": 0.1}}\n'])
def test_a_killed_call_goes_on_to_the_same_bytes(write, tmp_path, dies_at, torn):
    whole = write(Asked(), name="весь").read_bytes()
    with pytest.raises(Killed):
        write(Asked(TEXTS[dies_at]))
    assert not (tmp_path / "мягкие.jsonl.gz").exists()
    with (tmp_path / "мягкие.part").open("ab") as file:
        file.write(torn)
    asked = Asked()
    assert write(asked).read_bytes() == whole
    asked_for = [text for chunk in asked.chunks for text in chunk]
    assert asked_for == TEXTS[dies_at // 4 * 4 :]  # whole chunks are kept, and not asked for again
    assert sorted(path.name for path in tmp_path.iterdir()) == ["весь.jsonl.gz", "мягкие.jsonl.gz"]


@pytest.mark.parametrize("texts", [["другой", *TEXTS[1:]], TEXTS[:3], [*TEXTS[1:], "больше"]])
def test_other_texts_than_before_are_refused(write, tmp_path, texts):
    with pytest.raises(Killed):
        write(Asked(TEXTS[5]))
    with pytest.raises(InputError, match=r"мягкие.part:[1-4]: another text than the transfer set has there; .*--force"):
        write(Asked(), texts)
