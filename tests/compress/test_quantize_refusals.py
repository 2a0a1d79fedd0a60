"""Runs that cannot be trained on are refused in words that say why."""

import json

import pytest

from textapp.compress.config import QuantizeConfig
from textapp.compress.quantize import quantize_run
from textapp.errors import InputError


def finished(folder, task, **command):
    """The two files that tell of a finished run."""
    folder.mkdir()
    command = {"settings": {}, "textapp_version": "0", "train": "t.tsv", **command}
    (folder / "config.json").write_text(json.dumps(command), encoding="utf-8")
    (folder / "metrics.json").write_text(json.dumps({"task": task}), encoding="utf-8")
    return folder


@pytest.mark.parametrize(
    ("task", "command", "rule"),
    [
        ("vectors", {}, "läuft 好: a run of another task, vectors; must be one of a classifier or tagger"),
        ("ner", {"train": None}, "läuft 好/config.json: names no training file"),
        ("sentiment", {"train": None}, "läuft 好/config.json: names no training file"),
    ],
)
def test_what_cannot_be_trained_on(tmp_path, task, command, rule):
    with pytest.raises(InputError, match=rule):
        quantize_run(QuantizeConfig(), finished(tmp_path / "läuft 好", task, **command), tmp_path / "out")
    assert not (tmp_path / "out").exists()
