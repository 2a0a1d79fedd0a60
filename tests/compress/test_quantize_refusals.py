"""Runs that cannot be trained on are refused in words that say why."""

import json

import pytest

from textapp.compress.config import QuantizeConfig
from textapp.compress.quantize import quantize_run
from textapp.errors import InputError


def finished(folder, task="sentiment", **command):
    """The two files that tell of a finished run."""
    folder.mkdir()
    settings = {"settings": {}, "textapp_version": "0", "train": "t.tsv", **command}
    (folder / "config.json").write_text(json.dumps(settings), encoding="utf-8")
    (folder / "metrics.json").write_text(json.dumps({"task": task}), encoding="utf-8")
    return folder


def test_a_tagger(tmp_path):
    with pytest.raises(InputError, match="läuft: not a run of a classifier; its task is ner"):
        quantize_run(QuantizeConfig(), finished(tmp_path / "läuft", task="ner"), tmp_path / "out")


def test_a_student(tmp_path):
    student = finished(tmp_path / "学生", distillation={"temperature": 2.0})
    with pytest.raises(InputError, match="学生: a student of `textapp distill`, which cannot be trained on"):
        quantize_run(QuantizeConfig(), student, tmp_path / "out")
    assert not (tmp_path / "out").exists()
