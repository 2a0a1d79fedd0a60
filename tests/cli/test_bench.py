"""`textapp bench`."""

import re

RESULTS = {"classification": "label", "tagging": "spans", "multilabel": "labels"}


def test_the_figures_are_there_and_hang_together(textapp, model):
    outcome = textapp("bench", model.bundle, "--data", model.files["test"], "--count", "15", "--json")
    figures, result = outcome.json, RESULTS[model.task.name]
    assert figures["count"] == 15
    assert 0 < figures["model_ms_p50"] < figures[f"text_to_{result}_ms_p50"] <= figures[f"text_to_{result}_ms_p95"]
    assert figures["peak_memory_mb"] > 10
    assert figures["model_bytes"] == (model.bundle / "model.tflite").stat().st_size
    assert f"text to {result}, ms" in outcome.err
    assert "peak memory, MB" in outcome.err
    assert textapp("bench", model.bundle, "--data", model.files["test"], "--count", "2").out == ""


def test_no_peak_memory_where_the_system_reports_none(textapp, classifier, monkeypatch):
    monkeypatch.setattr("textapp.runtime.latency.peak_memory", lambda: None)
    outcome = textapp("bench", classifier.bundle, "--data", classifier.files["test"], "--count", "2", "--json")
    assert outcome.json["peak_memory_mb"] is None
    assert re.search(r"^peak memory, MB +unknown", outcome.err, re.M)


def test_a_run_is_no_bundle(textapp, model):
    refusal = textapp("bench", model.run, "--data", model.files["test"]).refusal
    assert refusal.startswith(f"{model.run}: is a run, not a bundle; ")


def test_broken_tags_are_timed_all_the_same(textapp, tagger, tmp_path):
    (tmp_path / "gebrochen.conll").write_text("in B-LOC\nNorço I-PER\n", encoding="utf-8")
    outcome = textapp("bench", tagger.bundle, "--data", tmp_path / "gebrochen.conll", "--json")
    assert outcome.json["count"] == 1
