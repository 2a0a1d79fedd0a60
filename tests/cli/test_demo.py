"""`textapp demo`: what it refuses. `make demo` runs the whole of it."""

import pytest

from textapp.cli import demo


def test_a_folder_with_something_else_is_refused(textapp, tmp_path, snapshot):
    (tmp_path / "corpus").mkdir()
    (tmp_path / "corpus" / "train.tsv").write_text("своё", encoding="utf-8")
    (tmp_path / "диплом.doc").write_text("важно", encoding="utf-8")
    before = snapshot(tmp_path)
    refusal = textapp("demo", "--out", tmp_path).refusal
    assert refusal == f"{tmp_path}: holds диплом.doc, which the demo did not make; choose another --out"
    assert snapshot(tmp_path) == before


@pytest.mark.parametrize("name", ["train", "test"])
def test_a_corpus_of_somebody_else_is_kept(textapp, tmp_path, snapshot, monkeypatch, name):
    monkeypatch.setattr(demo, "COUNTS", {"train": 40, "valid": 8, "test": 8})
    path = tmp_path / "corpus" / f"{name}.tsv"
    path.parent.mkdir()
    path.write_text("своё", encoding="utf-8")
    refusal = textapp("demo", "--out", tmp_path).refusal
    assert refusal == f"{path}: exists, and this command did not write it; move it away, or choose another --out"
    assert snapshot(tmp_path) == {f"corpus/{name}.tsv": "своё".encode()}


@pytest.mark.parametrize("kind", ["run", "bundles"])
def test_a_run_or_a_bundle_of_somebody_else_is_kept(textapp, classifier, copy, tmp_path, snapshot, kind):
    out = tmp_path / "копия 本"
    if kind == "run":
        copy(classifier.run).rename(out / "run")
    else:
        bundle = copy(classifier.bundle)
        (out / "bundles").mkdir()
        bundle.rename(out / "bundles" / "float32_fused")
    before = snapshot(out)
    assert textapp("demo", "--out", out).refusal.startswith(f"{out / kind}: ")
    assert snapshot(out) == before
