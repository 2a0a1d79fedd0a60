"""`textapp bench`."""

import re


def test_the_figures_are_there_and_hang_together(textapp, bundle_folder, corpus):
    outcome = textapp("bench", bundle_folder, "--data", corpus["test"], "--count", "20", "--json")
    figures = outcome.json
    assert figures["count"] == 20
    assert 0 < figures["model_ms_p50"] <= figures["text_to_label_ms_p95"]
    assert figures["text_to_label_ms_p50"] <= figures["text_to_label_ms_p95"]
    assert figures["peak_memory_mb"] > 10
    assert figures["model_bytes"] == (bundle_folder / "model.tflite").stat().st_size
    assert "peak memory, MB" in outcome.err
    assert textapp("bench", bundle_folder, "--data", corpus["test"], "--count", "2").out == ""


def test_no_peak_memory_where_the_system_reports_none(textapp, bundle_folder, corpus, monkeypatch):
    monkeypatch.setattr("textapp.runtime.latency.peak_memory", lambda: None)
    outcome = textapp("bench", bundle_folder, "--data", corpus["test"], "--count", "2", "--json")
    assert outcome.json["peak_memory_mb"] is None
    assert re.search(r"^peak memory, MB +unknown", outcome.err, re.M)


def test_a_run_is_no_bundle(textapp, run_folder, corpus):
    refusal = textapp("bench", run_folder, "--data", corpus["test"]).refusal
    assert refusal.startswith(f"{run_folder / 'bundle.json'}: missing")
