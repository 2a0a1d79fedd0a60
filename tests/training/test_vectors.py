"""Word vectors from a text file to a vector file: killed, gone on from, refused."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from textapp.errors import InputError
from textapp.files import write_json
from textapp.training import run
from textapp.training.checkpoint import Checkpoint
from textapp.training.run import Run
from textapp.training.vectors import train_vectors
from textapp.vectors import blocks
from textapp.vectors.config import VectorsConfig
from textapp.vectors.formats import read_vectors
from textapp.vectors.word2vec import Word2Vec

SETTINGS = ["dim=8", "epochs=3", "threads=1", "sample=0", "min_count=2"]
WORDS = ["城市", "大学", "电影", "好看", "king", "queen", "city", "town"]


class Killed(Exception):
    """Stands for `kill -9`: nothing after it runs."""


@pytest.fixture
def corpus(tmp_path) -> Path:
    rng = np.random.default_rng(0)
    path = tmp_path / "语料.txt"
    lines = [" ".join(rng.choice(WORDS[4 * (i % 2) : 4 * (i % 2) + 4], size=6)) for i in range(600)]
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch):
    """Several chunks an epoch, and a checkpoint after each."""
    monkeypatch.setattr(blocks.TrainingBlocks.__init__, "__defaults__", (None, 1e-3, 0, 1500))
    monkeypatch.setattr(Checkpoint.__init__, "__defaults__", (0.0,))


def train(corpus, out, *settings, **arguments):
    config = VectorsConfig().override([*SETTINGS, *settings])
    return train_vectors(config, out, corpus=[corpus], report=arguments.pop("report", lambda _: None), **arguments)


@pytest.mark.parametrize("kills", [[2], [4, 3]], ids=["inside an epoch", "twice"])
def test_killed_and_gone_on_ends_the_same(corpus, tmp_path, monkeypatch, kills):
    train(corpus, tmp_path / "whole.npz")
    make, out = Word2Vec.make_train_function, tmp_path / "killed.npz"
    for steps in kills:
        left = iter(range(steps))

        def make_mortal(model, force=False, left=left):
            make(model, force)
            step = model.train_function

            def train_function(iterator):
                if next(left, None) is None:
                    raise Killed
                return step(iterator)

            model.train_function = train_function

        with monkeypatch.context() as patch:
            patch.setattr(Word2Vec, "make_train_function", make_mortal)
            with pytest.raises(Killed):
                train(corpus, out)
        assert not out.exists()
    train(corpus, out)
    whole, killed = read_vectors(tmp_path / "whole.npz"), read_vectors(out)
    assert whole.words == killed.words
    np.testing.assert_array_equal(whole.vectors, killed.vectors)
    np.testing.assert_array_equal(whole.outputs, killed.outputs)


def test_leaves_vectors_logs_and_nothing_big(corpus, tmp_path):
    metrics = train(corpus, tmp_path / "v.npz", "subwords=true", "min_n=1", "buckets=50", "probes=大 king")
    vectors = read_vectors(tmp_path / "v.npz")
    assert metrics["vocabulary"] == len(vectors) == 12  # each Han character is a word
    assert metrics["words"] == vectors.counts.sum() == 300 * 6 * 2 + 300 * 6
    assert vectors.tokenizer["kind"] == "word"
    assert "城市" not in vectors
    assert vectors["城市"].shape == (8,)  # from its n-grams
    folder = tmp_path / "v.npz.training"
    assert {path.name for path in folder.iterdir()} == {"config.json", "metrics.json", "logs"}
    log = EventAccumulator(str(folder / "logs" / "train")).Reload()
    tags = log.Tags()["tensors"]
    assert {"vectors/loss", "vectors/learning_rate", "vectors/words_per_second"} <= set(tags)
    page = tf.make_ndarray(log.Tensors("vectors/neighbors")[-1].tensor_proto).ravel()[0].decode()
    assert "| king | " in page
    assert "queen" in page
    assert (folder / "logs" / "train" / "projector" / "words.tsv").exists()


def test_goes_on_from_vectors_with_new_words(corpus, tmp_path):
    train(corpus, tmp_path / "first.npz")
    first = read_vectors(tmp_path / "first.npz")
    text = corpus.read_text(encoding="utf-8").replace("town", "schön")
    (tmp_path / "more.txt").write_text(re.sub("[城大电好]", "", text), encoding="utf-8")
    settings = ["dim=none", "epochs=1", "learning_rate=0.1"]
    train(tmp_path / "more.txt", tmp_path / "second.npz", *settings, init=tmp_path / "first.npz")
    second = read_vectors(tmp_path / "second.npz")
    assert set(second.words) == {*first.words, "schön"}
    np.testing.assert_array_equal(second["城"], first["城"])  # not in the new text
    assert (second["king"] != first["king"]).any()
    cosine = second.unit_vectors[second.index("king")] @ first.unit_vectors[first.index("king")]
    assert cosine > 0.5  # moved, not begun anew


def test_init_with_subwords_starts_where_it_was(corpus, tmp_path):
    settings = ["subwords=true", "buckets=50"]
    train(corpus, tmp_path / "first.npz", *settings)
    train(corpus, tmp_path / "second.npz", *settings, "epochs=1", "learning_rate=1e-9", init=tmp_path / "first.npz")
    first, second = read_vectors(tmp_path / "first.npz"), read_vectors(tmp_path / "second.npz")
    np.testing.assert_allclose(first.vectors, second.vectors, atol=1e-5)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (["dim=9"], r"first\.npz: has vectors of 8 dimensions"),
        (["subwords=true"], r"first\.npz: has no subwords"),
        (["tokenizer=char"], r"first\.npz: its corpus was cut into words by other settings"),
    ],
)
def test_init_that_does_not_fit(corpus, tmp_path, settings, message):
    train(corpus, tmp_path / "first.npz", "epochs=1")
    with pytest.raises(InputError, match=message):
        train(corpus, tmp_path / "second.npz", *settings, init=tmp_path / "first.npz")
    assert not (tmp_path / "second.npz.training").exists()


def test_is_not_overwritten_without_force(corpus, tmp_path):
    train(corpus, tmp_path / "v.vec", "epochs=1")
    before = (tmp_path / "v.vec").read_bytes()
    with pytest.raises(InputError, match=r"v\.vec: exists; use --force"):
        train(corpus, tmp_path / "v.vec", "seed=1")
    assert (tmp_path / "v.vec").read_bytes() == before
    train(corpus, tmp_path / "v.vec", "epochs=1", "seed=1", force=True)
    assert (tmp_path / "v.vec").read_bytes() != before
    assert json.loads((tmp_path / "v.vec.training" / "config.json").read_text())["settings"]["seed"] == 1


def test_killed_after_the_vectors_were_written(corpus, tmp_path, monkeypatch):
    def killed(path, value):
        if path.name == "metrics.json":
            raise Killed
        write_json(path, value)

    with monkeypatch.context() as patch:
        patch.setattr(run, "write_json", killed)
        with pytest.raises(Killed):
            train(corpus, tmp_path / "v.vec")
    before = (tmp_path / "v.vec").read_bytes()
    metrics = train(corpus, tmp_path / "v.vec")
    assert (tmp_path / "v.vec").read_bytes() == before
    assert metrics["epochs"] == 3
    assert metrics["words_per_second"] is None  # nothing was left to train


def test_bad_input_leaves_nothing(corpus, tmp_path):
    for out, settings, message in [
        ("v.doc", [], "v.doc: the name must end in"),
        ("v.vec", ["min_count=100000"], "min_count"),
        ("v.vec", ["probes=xyzzy"], "setting probes: not in the vocabulary: xyzzy"),
    ]:
        with pytest.raises(InputError, match=message):
            train(corpus, tmp_path / out, *settings)
        assert not (tmp_path / out).exists()


def test_diverging_says_so(corpus, tmp_path):
    with pytest.raises(InputError, match="training diverged"):
        train(corpus, tmp_path / "v.vec", "learning_rate=1e30")
    assert not (tmp_path / "v.vec").exists()


def test_few_words_are_warned_of(corpus, tmp_path):
    lines = []
    train(corpus, tmp_path / "v.vec", "epochs=1", report=lines.append)
    assert any(line.startswith("warning: ") and "few" in line for line in lines)


def test_what_is_read_is_never_written_over(corpus, tmp_path):
    before = corpus.read_bytes()
    with pytest.raises(InputError, match="is read by this training"):
        train(corpus, corpus, force=True)
    with pytest.raises(InputError, match="is read by this training"):  # a second start would read the first one's files
        train(corpus.parent, tmp_path / "v.npz")
    train(corpus, tmp_path / "v.npz", "epochs=1")
    with pytest.raises(InputError, match="is read by this training"):
        train(corpus, tmp_path / "v.npz", init=tmp_path / "v.npz", force=True)
    assert corpus.read_bytes() == before


def test_a_format_without_ngrams_is_warned_of(corpus, tmp_path):
    lines = []
    train(corpus, tmp_path / "v.vec", "epochs=1", "subwords=true", "buckets=50", report=lines.append)
    assert any("v.vec keeps no n-grams" in line for line in lines)


def test_its_folder_is_no_run(corpus, tmp_path):
    train(corpus, tmp_path / "v.vec", "epochs=1")
    with pytest.raises(InputError, match="a training of word vectors, not a run"):
        Run.load(tmp_path / "v.vec.training")
