"""Word vectors from shards: rounds beside one long training, killed, refused, and in processes."""

import multiprocessing
import os
import signal

import numpy as np
import pytest

from textapp.errors import InputError
from textapp.training import vector_workers
from textapp.training import vectors as training
from textapp.training.vector_workers import Processes, train_vectors_on_workers
from textapp.training.vectors import train_vectors
from textapp.vectors import blocks
from textapp.vectors.averaging import average_vectors
from textapp.vectors.config import VectorsConfig
from textapp.vectors.corpus import Part
from textapp.vectors.counts import count_words, write_counts
from textapp.vectors.formats import read_vectors, write_vectors

SETTINGS = ["dim=8", "epochs=3", "threads=1", "sample=0", "min_count=2", "tokenizer=whitespace"]
WORDS = ["城市", "大学", "电影", "好看", "king", "queen", "city", "town"]


class Killed(Exception):
    """Stands for `kill -9`: nothing after it runs."""


@pytest.fixture
def corpus(tmp_path):
    rng = np.random.default_rng(0)
    path = tmp_path / "语料.txt"
    lines = [" ".join(rng.choice(WORDS[4 * (i % 2) : 4 * (i % 2) + 4], size=6)) for i in range(601)]
    path.write_text("\n".join(["Zürich Zürich", *lines]), encoding="utf-8")
    return path


@pytest.fixture
def counts(corpus, tmp_path):
    config = VectorsConfig().override(SETTINGS)
    splitter = training.WordSplitter(config.tokenizer, config.lowercase, config.normalization)
    write_counts(count_words([corpus], splitter), tmp_path / "counts.tsv", overwrite=False)
    return tmp_path / "counts.tsv"


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch):
    """Several chunks an epoch, and a checkpoint after each."""
    monkeypatch.setattr(blocks.TrainingBlocks.__init__, "__defaults__", (None, 1e-3, 0, 1500))
    monkeypatch.setattr("textapp.training.checkpoint.EVERY_SECONDS", 0.0)


def train(corpus, out, *settings, **arguments):
    config = VectorsConfig().override([*SETTINGS, *settings])
    return train_vectors(config, out, corpus=[corpus], report=arguments.pop("report", lambda _: None), **arguments)


def rounds_of(corpus, counts, folder, shards, rounds, *settings):
    """Trains all shards of all rounds in turn."""
    init = None
    for number in range(1, rounds + 1):
        outs = [folder / f"s{index}.npz" for index in range(shards)]
        for index, out in enumerate(outs):
            part = Part(index, shards)
            train(corpus, out, *settings, counts=[counts], shard=part, rounds=rounds, init=init)
        averaged = average_vectors(outs[::-1], init)
        init = folder / f"r{number}.npz"
        write_vectors(averaged, init)
    return read_vectors(init)


@pytest.mark.parametrize("rounds", [1, 4])
def test_one_shard_is_the_plain_training_cut_into_rounds(corpus, counts, tmp_path, rounds):
    """Bit for bit: the same words, random vectors, batches, accumulators and learning rates."""
    train(corpus, tmp_path / "plain.npz")
    plain, cut = read_vectors(tmp_path / "plain.npz"), rounds_of(corpus, counts, tmp_path, 1, rounds)
    assert cut.words == plain.words
    assert cut.training is None
    np.testing.assert_array_equal(cut.vectors, plain.vectors)
    np.testing.assert_array_equal(cut.outputs, plain.outputs)
    np.testing.assert_array_equal(cut.counts, plain.counts)
    names = {path.name for path in (tmp_path / "s0.npz.training").iterdir()}
    assert names == {"config.json", "metrics.json", "logs"}


def test_counts_give_the_vectors_that_the_corpus_gives(corpus, counts, tmp_path):
    train(corpus, tmp_path / "plain.npz", "epochs=1")
    reports = []
    train(corpus, tmp_path / "counted.npz", "epochs=1", counts=[counts], report=reports.append)
    plain, counted = read_vectors(tmp_path / "plain.npz"), read_vectors(tmp_path / "counted.npz")
    np.testing.assert_array_equal(counted.vectors, plain.vectors)
    assert not any("do not occur" in line for line in reports)
    counts.write_text(counts.read_text(encoding="utf-8") + "nirgends\t5\n", encoding="utf-8")
    train(corpus, tmp_path / "more.npz", "epochs=1", counts=[counts], report=reports.append)
    assert "warning: 1 word of the counts do not occur in the corpus: they learn nothing" in reports
    assert "nirgends" in read_vectors(tmp_path / "more.npz")


def test_two_shards_learn_and_a_word_of_one_shard_keeps_its_vector(corpus, counts, tmp_path):
    found = rounds_of(corpus, counts, tmp_path, 2, 3)
    near = {word for word, _ in found.neighbors("king", 4, exclude=["zürich"])}
    assert near > {"queen", "city", "town"}
    ones = [read_vectors(tmp_path / f"s{index}.npz") for index in range(2)]
    assert [one.counts[one.index("zürich")] for one in ones] == [2, 0]  # the first line
    np.testing.assert_allclose(found["zürich"], ones[0]["zürich"], atol=1e-6)
    assert (ones[0]["king"] != ones[1]["king"]).any()
    assert found.counts.tolist() == (ones[0].counts + ones[1].counts).tolist()


def test_subwords_are_averaged_too(corpus, counts, tmp_path):
    settings = ["subwords=true", "min_n=1", "max_n=2", "buckets=40", "epochs=1"]
    train(corpus, tmp_path / "plain.npz", *settings)
    plain, cut = read_vectors(tmp_path / "plain.npz"), rounds_of(corpus, counts, tmp_path, 1, 2, *settings)
    np.testing.assert_allclose(cut.vectors, plain.vectors, atol=1e-5)
    np.testing.assert_allclose(cut.subwords.vectors, plain.subwords.vectors, atol=1e-5)
    (tmp_path / "2").mkdir()
    two = rounds_of(corpus, counts, tmp_path / "2", 2, 2, *settings)
    assert "neu-town" not in two
    assert np.isfinite(two["neu-town"]).all()


@pytest.mark.parametrize("steps", [1, 2])
def test_a_killed_round_ends_the_same(corpus, counts, tmp_path, monkeypatch, steps):
    arguments = {"counts": [counts], "shard": Part(1, 2), "rounds": 2}
    out, other = tmp_path / "s.npz", tmp_path / "t.npz"
    train(corpus, other, **arguments)
    make, left = training.Word2Vec.make_train_function, iter(range(steps))

    def make_mortal(model, force=False):
        make(model, force)
        step = model.train_function

        def train_function(iterator):
            if next(left, None) is None:
                raise Killed
            return step(iterator)

        model.train_function = train_function

    with monkeypatch.context() as patch:
        patch.setattr(training.Word2Vec, "make_train_function", make_mortal)
        with pytest.raises(Killed):
            train(corpus, out, **arguments)
    assert (out.with_name("s.npz.training") / "checkpoint.npz").exists()
    train(corpus, out, **arguments)
    one, two = read_vectors(out), read_vectors(other)
    np.testing.assert_array_equal(one.vectors, two.vectors)
    np.testing.assert_array_equal(one.training.inputs, two.training.inputs)
    before, reports = out.read_bytes(), []
    assert train(corpus, out, **arguments, report=reports.append)["round"] == 1
    assert (out.read_bytes(), reports) == (before, [f"{out}: round 1 of 2 of shard 2/2 is there already"])


def test_what_is_no_round_is_refused(corpus, counts, tmp_path):
    arguments = {"counts": [counts], "rounds": 2}
    outs = [tmp_path / "a.npz", tmp_path / "b.npz"]
    for index, out in enumerate(outs):
        train(corpus, out, "epochs=1", shard=Part(index, 2), **arguments)
    write_vectors(average_vectors(outs), tmp_path / "r.npz")
    train(corpus, tmp_path / "plain.npz", "epochs=1")

    def refused(message, out, *settings, **changed):
        with pytest.raises(InputError, match=message):
            train(corpus, out, *settings, **{"shard": Part(0, 2), **arguments, **changed})

    refused("needs --counts of the whole corpus", outs[0], counts=[])
    refused("must be an .npz", tmp_path / "a.vec")
    refused(r"plain\.npz: is no average of a round", outs[0], "epochs=1", init=tmp_path / "plain.npz")
    refused(r"a\.npz: is the result of shard 1;", tmp_path / "c.npz", "epochs=1", init=outs[0])
    refused(r"r\.npz: was trained with other seed;", outs[0], "epochs=1", "seed=3", init=tmp_path / "r.npz")
    refused(r"r\.npz: was trained with other shards", outs[0], "epochs=1", shard=Part(0, 3), init=tmp_path / "r.npz")
    refused("--rounds 99: this shard's training has only", tmp_path / "e.npz", rounds=99)
    others = counts.read_text(encoding="utf-8").replace("zürich", "zug")
    (tmp_path / "other.tsv").write_text(others, encoding="utf-8")
    refused(
        r"r\.npz: has another vocabulary than --counts",
        tmp_path / "d.npz",
        "epochs=1",
        init=tmp_path / "r.npz",
        counts=[tmp_path / "other.tsv"],
    )
    for paths, message in [
        (outs[:1], r"a\.npz: is one of 2 shards; shard 2 is missing"),
        ([outs[0], outs[0]], r"a\.npz: is shard 1, as .* is; give each once"),
        ([*outs, tmp_path / "plain.npz"], r"plain\.npz: is no result of `vectors train --shard`"),
        ([tmp_path / "r.npz"], r"r\.npz: is the average of a round"),
    ]:
        with pytest.raises(InputError, match=message):
            average_vectors(paths)
    train(corpus, outs[1], "epochs=1", shard=Part(1, 2), init=tmp_path / "r.npz", **arguments)
    with pytest.raises(InputError, match=r"b\.npz: has another round than .*a\.npz"):
        average_vectors(outs)
    (tmp_path / "half.txt").write_text("\n".join(corpus.read_text(encoding="utf-8").split("\n")[::2]), encoding="utf-8")
    for index, out in enumerate(outs):  # each machine has a corpus of its own, and reads half of it
        train(tmp_path / "half.txt", out, "epochs=1", shard=Part(index, 2), force=True, counts=[counts])
    with pytest.raises(InputError, match="the shards have 1,802 of the 3,608 words that were counted"):
        average_vectors(outs)


class Here:
    """Stands in for `Processes`, without the seconds that TensorFlow takes to load in each."""

    def __init__(self, count):
        self.count = count

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def run(self, tasks, report):
        assert len(tasks) <= self.count
        return [function(**arguments, report=report) for function, arguments in tasks]


def test_workers_give_what_the_rounds_give_by_hand(corpus, counts, tmp_path, monkeypatch):
    """And the same after a kill between two rounds."""
    config = VectorsConfig().override([*SETTINGS, "threads=none"])
    expected = rounds_of(corpus, counts, tmp_path, 2, 3)
    out, lines, average = tmp_path / "v.vec", [], vector_workers.average_vectors
    arguments = {"corpus": [corpus], "workers": 2, "rounds": 3, "report": lines.append}

    def killed(paths, init):
        if init is not None:
            raise Killed
        return average(paths, init)

    monkeypatch.setattr(vector_workers, "Processes", Here)
    with monkeypatch.context() as patch:
        patch.setattr(vector_workers, "average_vectors", killed)
        with pytest.raises(Killed):
            train_vectors_on_workers(config, out, **arguments)
    assert not out.exists()
    with pytest.raises(InputError, match="unfinished run with other rounds"):
        train_vectors_on_workers(config, out, **{**arguments, "rounds": 2})
    metrics = train_vectors_on_workers(config, out, **arguments)
    found = read_vectors(out)
    assert found.words == expected.words
    np.testing.assert_allclose(found.vectors, expected.vectors, rtol=1e-5, atol=1e-7)  # written as text
    assert (metrics["workers"], metrics["rounds"], metrics["vocabulary"]) == (2, 3, 9)
    assert (metrics["epochs"], len(metrics["history"])) == (3, 3)
    assert sum(line.startswith("round") for line in lines) == 3
    assert any("round 2 of 3 of shard 1/2 is there already" in line for line in lines)
    kept = {path.name for path in (tmp_path / "v.vec.training").iterdir()}
    assert kept == {"config.json", "metrics.json", "shard-1.npz.training", "shard-2.npz.training"}
    with pytest.raises(InputError, match=r"v\.vec: exists; use --force"):
        train_vectors_on_workers(config, out, **arguments)
    train_vectors_on_workers(config, out, **arguments, force=True)
    np.testing.assert_array_equal(read_vectors(out).vectors, found.vectors)


def _die(report):
    os.kill(os.getpid(), signal.SIGKILL)


def _sleep(report):
    signal.pause()


def _refuse(report):
    raise InputError("zu wenig 文")


def test_a_process_that_dies_or_refuses_ends_all():
    others = set(multiprocessing.active_children())
    with (
        pytest.raises(InputError, match=r"^--workers 2: the process of shard 2 was killed by signal 9; "),
        Processes(2) as processes,
    ):
        processes.run([(_sleep, {}), (_die, {})], print)
    with pytest.raises(InputError, match=r"^shard 2: zu wenig 文$"), Processes(2) as processes:
        processes.run([(_sleep, {}), (_refuse, {})], print)
    assert set(multiprocessing.active_children()) == others
