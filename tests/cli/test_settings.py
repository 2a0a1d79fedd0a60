"""`textapp settings` shows each setting of each model once, with what `--set` accepts."""

import re

import pytest

from textapp.settings import as_text
from textapp.task import names, task


@pytest.mark.parametrize("name", names())
def test_all_settings_are_listed_with_their_defaults(textapp, name, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    found = task(name)
    outcome = textapp("settings", found.model_noun)
    shown = dict(re.findall(r"^  (\w+)=(\S*)$", outcome.out, re.M))
    assert shown == {key: as_text(value) for key, value in found.preset(None).to_dict().items()}
    assert max(map(len, outcome.out.splitlines())) <= 80
    assert f"textapp train {found.model_noun}" in outcome.err


def test_a_preset_shows_what_it_changes(textapp):
    outcome = textapp("settings", "sentiment", "--preset", "sentences", "--json")
    found, config = task("classification"), task("classification").preset("sentences")
    assert {name: entry["value"] for name, entry in outcome.json.items()} == config.to_dict()
    assert {name: entry["default"] for name, entry in outcome.json.items()} == found.preset(None).to_dict()
    assert outcome.json["units"]["allowed"] == "a whole number, 1 or more"
    assert outcome.json["dropout"]["section"] == "encoder"
    changed = [name for name, entry in outcome.json.items() if entry["value"] != entry["default"]]
    shown = textapp("settings", "sentiment", "--preset", "sentences").out
    assert re.findall(r"^  (\w+)=\S*  \(default: ", shown, re.M) == changed


def test_an_unknown_model_or_preset_is_refused(textapp):
    assert textapp("settings", "trcs").refusal.startswith("'trcs': is no model; name classifier, ")
    assert "sentences" in textapp("settings", "classifier", "--preset", "sentense").refusal
