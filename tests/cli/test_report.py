"""`textapp report`: its files, and what it refuses."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.commands import COMMAND
from textapp.cli.reporting import MARK

FEW = ("--count", 3, "--rounds", 1)


def test_a_page_markdown_and_json_say_the_same(textapp, model, tmp_path):
    page, markdown = tmp_path / "отчёт 报告.html", tmp_path / "отчёт 报告.md"
    arguments = [model.bundle, model.run, "--data", model.files["test"], "--out", page, "--markdown", markdown, *FEW]
    outcome = textapp("report", *arguments, "--json")
    assert outcome.code == 0
    variants = outcome.json["variants"]
    assert [variant["name"] for variant in variants] == [model.bundle.name, model.run.name]
    size = f"{(model.bundle / 'model.tflite').stat().st_size:,}"
    for text in (page.read_text(encoding="utf-8"), markdown.read_text(encoding="utf-8"), outcome.err):
        assert size in text
        for variant in variants:
            assert variant["name"] in text.replace("<wbr>", "")
            assert f"{100 * variant['score']:.2f}" in text
    assert sum(variants[0]["device"]["parts"].values()) == variants[0]["model_bytes"]
    assert sorted(path.name for path in tmp_path.iterdir()) == [page.name, markdown.name]


def test_bundles_need_no_training_library(base_install, model, tmp_path):
    out = tmp_path / "отчёт.html"
    command = ["report", model.bundle, "--data", model.files["test"], "--out", out, *FEW]
    done = subprocess.run(
        [sys.executable, "-c", base_install + COMMAND[-1], *map(str, command)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert out.read_text(encoding="utf-8").endswith("</html>\n")


@pytest.mark.parametrize(
    ("options", "rule"),
    [
        (["--out", "страница.htm"], "--out страница.htm: must end in .html"),
        (["--out", "п.html", "--markdown", "п.html"], "--markdown п.html: must end in .md"),
        (["--out", "папка.html"], "--out папка.html: is a folder"),
        (["--out", "п.html", "--markdown", "файл/п.md"], "файл: is no folder; choose another place"),
    ],
)
def test_files_are_checked_before_the_work(textapp, classifier, tmp_path, monkeypatch, options, rule):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "папка.html").mkdir()
    (tmp_path / "файл").touch()
    assert textapp("report", classifier.bundle, "--data", classifier.files["test"], *options).refusal == rule
    assert {path.name for path in tmp_path.iterdir()} == {"папка.html", "файл"}


@pytest.mark.parametrize("option", ["--out", "--markdown"])
def test_only_a_report_is_replaced(textapp, classifier, tmp_path, monkeypatch, option):
    options = {"--out": tmp_path / "п.html", "--markdown": tmp_path / "п.md"}
    arguments = ["report", classifier.bundle, "--data", classifier.files["test"], *FEW]
    arguments += [part for pair in options.items() for part in pair]
    assert textapp(*arguments).code == 0
    assert textapp(*arguments).code == 0  # over its own
    options[option].write_text("важно", encoding="utf-8")
    monkeypatch.setattr("textapp.cli.reporting.measuring.measure", None)
    refusal = textapp(*arguments).refusal
    assert refusal.startswith(f"{options[option]}: exists, and this command did not write it; move it away")
    assert options[option].read_text(encoding="utf-8") == "важно"


def test_the_data_is_never_written_over(textapp, classifier, tmp_path):
    data = tmp_path / "данные.html"
    before = Path(classifier.files["test"]).read_bytes()
    data.write_bytes(before)
    refusal = textapp("report", classifier.bundle, "--data", data, "--out", data).refusal
    assert refusal == f"--out {data}: is the --data, which is only read"
    assert data.read_bytes() == before


def test_what_is_wrong_with_a_model_is_one_line_and_nothing_is_written(textapp, copy, classifier, tmp_path):
    out = tmp_path / "п.html"

    def refused(*models):
        return textapp("report", *models, "--data", classifier.files["test"], "--out", out, *FEW).refusal

    assert refused(classifier.bundle, classifier.bundle) == f"{classifier.bundle}: is given twice"
    assert refused(tmp_path / "нет") == f"{tmp_path / 'нет'}: no such folder"
    assert "no run folder or bundle" in refused(tmp_path)
    broken = copy(classifier.bundle)
    (broken / "model.tflite").write_bytes(b"cut")
    assert "was cut or changed after the export" in refused(classifier.bundle, broken)
    unfinished = copy(classifier.run)
    (unfinished / "metrics.json").unlink()
    assert "this training is not finished" in refused(classifier.bundle, unfinished)
    assert not out.exists()


def test_a_report_that_cannot_be_written_leaves_the_old_one(textapp, classifier, tmp_path, monkeypatch):
    out = tmp_path / "п.html"
    out.write_text(f"старый {MARK}", encoding="utf-8")
    monkeypatch.setattr("textapp.cli.reporting.model_page._cost", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        textapp("report", classifier.bundle, "--data", classifier.files["test"], "--out", out, *FEW)
    assert out.read_text(encoding="utf-8") == f"старый {MARK}"
    assert list(tmp_path.iterdir()) == [out]
