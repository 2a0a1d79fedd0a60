"""`textapp vectors count`, `merge`, `average`, and the options of `train` for shards: what they write and refuse."""

import json

import pytest

from textapp.vectors.corpus import Part


@pytest.fixture
def corpus(tmp_path):
    path = tmp_path / "语料.txt"
    path.write_text("Très bon 好\nbon Bon\n好 c'est bon\n", encoding="utf-8")
    return path


def test_counts_of_shards_merge_to_those_of_the_corpus(textapp, corpus, tmp_path):
    whole = textapp("vectors", "count", corpus, "--out", tmp_path / "whole.tsv", "--json")
    assert whole.json == {"counts": str(tmp_path / "whole.tsv"), "words": 4}
    text = (tmp_path / "whole.tsv").read_text(encoding="utf-8")
    assert text == "bon\t4\nc'est\t1\ntrès\t1\n好\t2\n"
    for shard in ("1/2", "2/2"):
        textapp("vectors", "count", corpus, "--out", tmp_path / f"c-{shard[0]}.tsv.gz", "--shard", shard)
    merged = textapp("vectors", "merge", tmp_path / "c-*", "--out", tmp_path / "merged.tsv")
    assert f"counts: {tmp_path / 'merged.tsv'} (4 words)" in merged.err
    assert (tmp_path / "merged.tsv").read_text(encoding="utf-8") == text
    again = ("vectors", "merge", tmp_path / "c-*", "--out", tmp_path / "merged.tsv")
    assert "exists; use --force" in textapp(*again).refusal
    assert textapp(*again, "--force").code == 0
    (tmp_path / "mine.txt").write_text("wichtig", encoding="utf-8")
    refusal = textapp("vectors", "merge", tmp_path / "c-*", "--out", tmp_path / "mine.txt", "--force").refusal
    assert refusal.startswith(f"{tmp_path / 'mine.txt'}: exists, and this command did not write it")
    cased = ("vectors", "count", corpus, "--out", tmp_path / "cased", "--set", "lowercase=false", "--tokenizer", "char")
    assert textapp(*cased).code == 0
    assert "B\t1\n" in (tmp_path / "cased").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("options", "rule"),
    [
        (["--shard", "0/2"], "--shard 0/2: must read K/N, with K from 1 to N, such as 2/4"),
        (["--shard", "3/2"], "--shard 3/2: must read K/N"),
        (["--shard", "a"], "--shard a: must read K/N"),
        (["--set", "dim=3"], "--set dim: counting has the settings tokenizer, lowercase and normalization only"),
    ],
)
def test_count_refuses(textapp, corpus, tmp_path, options, rule):
    assert textapp("vectors", "count", corpus, "--out", tmp_path / "o", *options).refusal.startswith(rule)
    refusal = textapp("vectors", "count", corpus, "--out", corpus, "--force").refusal
    assert refusal == f"{corpus}: is read by this command ({corpus}); choose another --out"


@pytest.mark.parametrize(
    ("options", "rule"),
    [
        (["--workers", "2"], "--workers: needs --rounds; 30 are a good number"),
        (["--shard", "1/2", "--counts", "c"], "--shard: needs --rounds"),
        (["--rounds", "2"], "--rounds: is for --workers or --shard"),
        (["--workers", "2", "--rounds", "2", "--shard", "1/2"], "--workers: cannot be combined with --shard"),
        (["--workers", "2", "--rounds", "2", "--init", "i.npz"], "--workers: cannot be combined with --init"),
    ],
)
def test_train_refuses_options_that_do_not_fit(textapp, corpus, tmp_path, options, rule):
    assert textapp("vectors", "train", corpus, "--out", tmp_path / "o.npz", *options).refusal.startswith(rule)


def test_a_shard_is_trained_and_averaged(textapp, corpus, tmp_path):
    corpus.write_text("ein zwei drei vier\n" * 200, encoding="utf-8")
    textapp("vectors", "count", corpus, "--out", tmp_path / "c.tsv")
    shard = ["--counts", tmp_path / "c.tsv", "--shard", "1/1", "--rounds", "2"]
    options = ["--out", tmp_path / "s.npz", *shard, "--dim", "4", "--epochs", "2", "--set", "learning_rate=0.1"]
    command = ["vectors", "train", corpus, *options]
    first = textapp(*command, "--json")
    assert (first.json["round"], first.json["rounds"]) == (1, 2)
    assert "next:    textapp vectors average SHARD... --out ROUND.npz" in first.err
    average = ["vectors", "average", tmp_path / "s.npz", "--out", tmp_path / "r.npz"]
    outcome = textapp(*average, "--json")
    assert outcome.json == {"vectors": str(tmp_path / "r.npz"), "round": 1, "rounds": 2, "vocabulary": 4}
    assert f"next:    each shard again, with --init {tmp_path / 'r.npz'}" in outcome.err
    assert textapp(*command, "--init", tmp_path / "r.npz", "--json").json["round"] == 2
    assert textapp(*average).refusal == "round 2: give what its shards started from, with --init"
    # The average of the round before is replaced by that of this one, and a finished one by none.
    assert textapp(*average, "--init", tmp_path / "r.npz", "--json").json["round"] == 2
    assert textapp("vectors", "neighbors", tmp_path / "r.npz", "ein", "--json").code == 0
    refusal = textapp(*average, "--init", tmp_path / "r.npz").refusal
    assert refusal.startswith(f"{tmp_path / 'r.npz'}: exists, and this command did not write it")
    assert json.loads((tmp_path / "s.npz.training" / "metrics.json").read_text())["round"] == 2


def test_the_options_reach_the_training(textapp, corpus, tmp_path, monkeypatch):
    import sys
    from types import ModuleType

    calls = []
    for name, function in (("vectors", "train_vectors"), ("vector_workers", "train_vectors_on_workers")):
        module = ModuleType(f"textapp.training.{name}")
        setattr(module, function, lambda config, out, **others: calls.append(others) or {"vocabulary": 3, "dim": 7})
        monkeypatch.setitem(sys.modules, f"textapp.training.{name}", module)
    command = ("vectors", "train", corpus, "--out", tmp_path / "o.npz", "--counts", "a", "--counts", "b", "--rounds", 4)
    assert textapp(*command, "--shard", "2/3").code == 0
    assert textapp(*command, "--workers", "3").code == 0
    shard, workers = calls
    assert (shard["shard"], shard["rounds"], list(map(str, shard["counts"]))) == (Part(1, 3), 4, ["a", "b"])
    assert (workers["workers"], workers["rounds"], list(map(str, workers["counts"]))) == (3, 4, ["a", "b"])
