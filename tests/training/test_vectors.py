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
from textapp.training import vectors as training
from textapp.training.run import Run
from textapp.training.vectors import train_vectors
from textapp.vectors import blocks
from textapp.vectors.config import VectorsConfig
from textapp.vectors.formats import read_vectors, write_vectors
from textapp.vectors.token_cache import build_cache
from textapp.vectors.word2vec import Word2Vec
from textapp.vectors.word_vectors import WordVectors

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
    monkeypatch.setattr("textapp.training.checkpoint.EVERY_SECONDS", 0.0)


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


def test_frequent_words_of_both_trainings_come_first(corpus, tmp_path):
    """By their counts in all texts; where the known vectors have none, their words keep their places."""
    train(corpus, tmp_path / "first.npz", "epochs=1")
    first = read_vectors(tmp_path / "first.npz")
    write_vectors(first, tmp_path / "first.vec")
    (tmp_path / "more.txt").write_text("neu alt neu town\n" * 300, encoding="utf-8")
    for init in ("first.npz", "first.vec"):
        train(tmp_path / "more.txt", tmp_path / "v.npz", "epochs=1", init=tmp_path / init, force=True)
        second = read_vectors(tmp_path / "v.npz")
        counts = dict(zip(second.words, second.counts.tolist(), strict=True))
        assert counts["neu"] == 600
        np.testing.assert_array_equal(second["城"], first["城"])
        if init == "first.npz":
            assert counts["城"] == first.counts[first.index("城")]
            assert counts["town"] == 300 + first.counts[first.index("town")]
            assert list(counts.values()) == sorted(counts.values(), reverse=True)
        else:
            assert second.words == (*first.words, "neu", "alt")


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
        (["tokenizer=char"], r"first\.npz: its corpus was tokenized with other settings"),
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


@pytest.mark.parametrize("changed", ["corpus", "init"])
def test_what_it_was_made_of_must_not_change(corpus, tmp_path, monkeypatch, changed):
    """Other words with the same counts, other vectors of the same words: rows would go to other words, or be lost."""
    train(corpus, tmp_path / "init.npz", "epochs=1")

    def killed(*_, **__):
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(training, "write_vectors", killed)
        with pytest.raises(Killed):
            train(corpus, tmp_path / "v.npz", init=tmp_path / "init.npz")
    if changed == "corpus":
        corpus.write_text(corpus.read_text(encoding="utf-8").replace("king", "abcd"), encoding="utf-8")
    else:
        train(corpus, tmp_path / "init.npz", "epochs=1", "seed=1", force=True)
    with pytest.raises(InputError, match="data or settings have changed since"):
        train(corpus, tmp_path / "v.npz", init=tmp_path / "init.npz")


def test_what_a_format_cannot_hold_is_told_before_the_training(corpus, tmp_path, monkeypatch):
    monkeypatch.setattr(training, "_fit", None)
    write_vectors(WordVectors(["New York", "king"], np.eye(2, 8)), tmp_path / "init.npz")
    with pytest.raises(InputError, match="'New York' has white space"):
        train(corpus, tmp_path / "v.vec", init=tmp_path / "init.npz")
    (tmp_path / "long.txt").write_text(f"{'x' * 5000} b\n" * 9, encoding="utf-8")
    with pytest.raises(InputError, match="has more than 4,096 bytes"):
        train(tmp_path / "long.txt", tmp_path / "v.bin")
    (tmp_path / "d.npz").mkdir()
    with pytest.raises(InputError, match=r"d\.npz: is a folder"):
        train(corpus, tmp_path / "d.npz", force=True)
    assert not list(tmp_path.glob("*.training"))


def test_what_a_killed_process_was_writing_is_cleared_away(corpus, tmp_path):
    leftover = tmp_path / ".v.vec.textapp-a1b2c3d4.vec"
    leftover.write_bytes(b"half")
    train(corpus, tmp_path / "v.vec", "epochs=1")
    assert not leftover.exists()


@pytest.mark.parametrize("after", ["the corpus", "the metrics"])
def test_what_a_killed_training_left_is_cleared_by_a_refused_one(corpus, tmp_path, after):
    train(corpus, tmp_path / "v.vec", "epochs=1")
    before = sorted(tmp_path.rglob("*"))
    (tmp_path / ".v.vec.training.textapp-lock").touch()
    if after == "the metrics":
        (tmp_path / "v.vec.training" / "checkpoint.npz").touch()
    else:  # of a training with `force`, which replaces nothing before it has read the corpus
        build_cache([corpus], tmp_path / "v.vec.training" / "cache")
    with pytest.raises(InputError, match=r"v\.vec: exists; use --force"):
        train(corpus, tmp_path / "v.vec", "epochs=1")
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("force", [False, True])
def test_a_file_that_appears_during_the_training_is_replaced_only_by_force(corpus, tmp_path, monkeypatch, force):
    """With `force`, also by the command without it that resumes the training; and only vectors are replaced."""
    out, theirs = tmp_path / "v.vec", "1 2\nслово 0.5 1\n"
    if force:
        out.write_text("mine")
        with pytest.raises(InputError, match=r"v\.vec: exists, and this command did not write it; move it away"):
            train(corpus, out, "epochs=1", force=True)
        assert out.read_text() == "mine"
        out.write_text(theirs, encoding="utf-8")

    def killed(*arguments, **options):
        out.write_text(theirs, encoding="utf-8")
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(training, "write_vectors", killed)
        with pytest.raises(Killed):
            train(corpus, out, "epochs=1", force=force)
    if not force:
        with pytest.raises(InputError, match=r"v\.vec: exists, and this command did not write it; move it away"):
            train(corpus, out, "epochs=1")
        assert out.read_text(encoding="utf-8") == theirs
        out.unlink()
    train(corpus, out, "epochs=1")
    assert read_vectors(out).dim == 8
    names = sorted(path.name for path in (tmp_path / "v.vec.training").iterdir())
    assert names == ["config.json", "logs", "metrics.json"]


def test_a_forced_training_killed_at_its_start_does_not_let_the_same_command_replace_vectors(
    corpus, tmp_path, monkeypatch
):
    """Killed after it deleted the old training's metrics, before it wrote that it may replace the vectors."""
    out = tmp_path / "v.vec"
    train(corpus, out, "epochs=1")
    before = out.read_bytes()

    def killed(*_, **__):
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(training.run_folder, "write_json", killed)
        with pytest.raises(Killed):
            train(corpus, out, "epochs=1", force=True)
    corpus.write_text(corpus.read_text(encoding="utf-8").replace("king", "abcd"), encoding="utf-8")
    with monkeypatch.context() as patch:
        patch.setattr(training, "_train", None)  # it is refused before hours of work
        with pytest.raises(InputError, match=r"v\.vec: exists; use --force"):
            train(corpus, out, "epochs=1")
    assert out.read_bytes() == before
    train(corpus, out, "epochs=1", force=True)
    assert "abcd" in read_vectors(out).words


def test_a_file_of_the_user_in_the_cache_is_kept(corpus, tmp_path, monkeypatch):
    mine = tmp_path / "v.vec.training" / "cache" / "заметки"
    write = training.write_vectors

    def slowly(*arguments, **options):
        mine.write_text("важно")
        write(*arguments, **options)

    monkeypatch.setattr(training, "write_vectors", slowly)
    train(corpus, tmp_path / "v.vec", "epochs=1")
    assert [path.name for path in mine.parent.iterdir()] == ["заметки"]


def test_a_forced_training_that_cannot_start_leaves_the_finished_one(corpus, tmp_path):
    train(corpus, tmp_path / "v.vec", "epochs=1")
    before = sorted(path.name for path in (tmp_path / "v.vec.training").iterdir())
    with pytest.raises(InputError, match="min_count"):
        train(corpus, tmp_path / "v.vec", "min_count=100000", force=True)
    assert sorted(path.name for path in (tmp_path / "v.vec.training").iterdir()) == before


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


@pytest.mark.parametrize(
    ("rate", "warning"),
    [
        ("0.0001", "almost nothing was learned: the loss went from 4.16 to 4.16;"),
        ("0.5", None),
        ("4", "the loss rose from 4.16 "),
    ],
)
def test_a_loss_that_hardly_fell_or_rose_is_warned_of(corpus, tmp_path, rate, warning):
    lines = []
    train(corpus, tmp_path / "v.vec", f"learning_rate={rate}", report=lines.append)
    told = [line for line in lines if line.startswith("warning: ") and "the loss" in line]
    assert len(told) == bool(warning)
    assert warning is None or told[0].startswith(f"warning: {warning}")


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
    assert any("v.vec cannot hold n-grams" in line for line in lines)


def test_its_folder_is_no_run(corpus, tmp_path):
    train(corpus, tmp_path / "v.vec", "epochs=1")
    with pytest.raises(InputError, match="a training of word vectors, not a run"):
        Run.load(tmp_path / "v.vec.training")
