"""The tables of a report."""

import dataclasses
import json

import pytest

from textapp.cli.reporting.content import Baseline
from textapp.cli.reporting.tables import tables
from textapp.tasks.intervals import Difference


def test_the_results_show_the_best_of_each_column(make_report):
    results = tables(make_report())[0]
    assert results.header[2:6] == ("accuracy, %", "95 % interval", "model file, bytes", "text to label, p50 ms")
    times = ("0.500", "0.450 to 0.750", "1.00", "0.250")
    assert results.rows[0] == ("1", "большой 大", "90.00", "88.0 to 91.5", "4,000,000", *times)
    assert results.rows[2] == ("3", "прогон", "90.00", "88.0 to 91.5", "9,000,000", "–", "–", "–", "–")
    assert results.best == {(0, 2), (2, 2), (1, 4), (1, 5), (1, 7), (1, 8)}


def test_the_differences_are_to_the_first_model(make_report):
    report = make_report()
    table = tables(report)[1]
    assert table.title == "Difference to model 1"
    assert [row[:1] + row[2:] for row in table.rows] == [
        ("2", "-1.50", "-4.00 to +1.00", "0.250", "McNemar, exact"),
        ("3", "–", "–", "–", "–"),
    ]
    assert "p by McNemar, exact" in " ".join(report.notes())
    several = make_report(differences=(Difference(0.1, 0, 0.2, 0.0004, "x"), Difference(0.1, 0, 0.2, 0.04, "x")))
    assert [row[4] for row in tables(several)[1].rows] == ["< 0.001", "0.040"]  # 2 * 0.0004, and 1 * 0.04
    assert json.loads(json.dumps(report.to_dict()))["differences_to_first"][0]["p"] == 0.25
    assert "Difference" not in [one.title for one in tables(make_report(report.variants[:1]))]


def test_what_was_done_is_told_in_words(make_report):
    rows = tables(make_report())[2].rows
    assert rows[0][2:] == ("bundle", "dynamic_wi8_afp32", "fused", "16, 64", "–", "–")
    assert rows[1][6] == "7,000"
    for step in ("distilled from </title>", "factorized, rank 8", "quantization-aware: 4-bit embedding rows, 8-bit"):
        assert step in rows[1][7]
    assert rows[2][2:] == ("Keras", "–", "–", "–", "1,000,000", "trained on labels")


def test_the_calibration_of_each_is_told_where_there_is_confidence(with_confidence, make_report):
    calibration = tables(with_confidence)[2]
    assert calibration.rows[0] == ("1", "большой 大", "80.00", "81.25", "13.75")
    assert calibration.best == {(0, 4)}
    value = json.loads(json.dumps(with_confidence.to_dict()))
    assert value["variants"][0]["reliability"][0] == {"count": 250, "confidence": 0.5, "accuracy": 0.25}
    assert calibration.title not in [table.title for table in tables(make_report())]


def test_parts_are_those_of_bundles_and_add_up(make_report):
    parts = tables(make_report())[3]
    assert [row[0] for row in parts.rows] == ["1", "2"]
    for row in parts.rows:
        *shares, total, beside = (int(cell.replace(",", "")) for cell in row[2:])
        assert sum(shares) == total
        assert beside == 1000


def test_a_baseline_has_a_table_of_its_trainings_scores(make_report):
    plain, _, run = make_report().variants
    metrics = {"valid": {"accuracy": 0.875}, "test": {"accuracy": 0.5}}
    metrics["baseline"] = {"model": "linear [a](b)", "fitted_to": "1 text", "valid": {"accuracy": 0.75}}
    compared = dataclasses.replace(run, baseline=Baseline.of_metrics(metrics, "accuracy"))
    table = tables(make_report((plain, compared)))[3]
    assert table.header[3:] == ("valid: model, %", "valid: baseline, %", "test: model, %", "test: baseline, %")
    assert table.rows == [("2", "прогон", "linear [a](b)", "87.50", "75.00", "–", "–")]
    assert tables(make_report((plain, compared)))[4].title == "Where the bytes are"
    assert Baseline.of_metrics({"valid": {}}, "accuracy") is None
    for broken in ([], {"model": 3}, {"model": "linear", "valid": {"accuracy": "0.7"}}, {"model": "x", "test": {}}):
        with pytest.raises(ValueError, match="not a baseline"):
            Baseline.of_metrics({**metrics, "baseline": broken}, "accuracy")


def test_runs_alone_have_neither_latency_nor_parts(make_report):
    report = make_report(make_report().variants[2:])
    results, _ = tables(report)
    assert results.header == ("", "model", "accuracy, %", "95 % interval", "model file, bytes")
    assert results.best == set()
    assert not any("Latency" in note for note in report.notes())
