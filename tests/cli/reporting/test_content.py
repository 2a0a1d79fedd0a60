"""What a report says."""

import dataclasses
import json
from pathlib import Path

import pytest

from textapp.cli.reporting.content import short_names
from textapp.errors import InputError


def test_the_notes_tell_how_sure_the_scores_are(make_report):
    notes = make_report().notes()
    assert "1,000 texts" in notes[0]
    assert "95 % confidence, by Wilson's score method" in notes[1]
    assert "paired bootstrap" in notes[2]
    assert "20 texts of the data" in notes[3]
    assert "3 rounds" in notes[3]
    spans = [
        dataclasses.replace(one, interval=one.interval._replace(method="bootstrap"))
        for one in make_report().variants[:1]
    ]
    assert "resamples of texts" in make_report(tuple(spans)).notes()[1]


def test_the_folders_of_the_data_stay_private(make_report):
    report = dataclasses.replace(make_report(), data="/home/anna/geheim/отзывы.tsv")
    assert report.data_name == "отзывы.tsv"
    assert not any("anna" in note for note in report.notes())


def test_it_is_json(make_report):
    value = json.loads(json.dumps(make_report().to_dict()))
    assert value["metric"] == "accuracy"
    assert value["variants"][1]["lineage"]["quantized"] == {"bits": 8, "embedding_bits": 4, "trained": True}
    assert sum(value["variants"][0]["device"]["parts"].values()) == value["variants"][0]["model_bytes"]
    assert value["variants"][2]["device"] is None


def test_names_are_as_short_as_they_can_be(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    paths = [Path("a/好/x"), Path("b/好/x"), Path("b/好/y"), Path("z\x1b[1m"), Path()]
    assert short_names(paths) == ["a/好/x", "b/好/x", "y", "z\\x1b[1m", tmp_path.name]
    with pytest.raises(InputError, match=r"b/\.\./a: is given twice"):
        short_names([Path("a"), Path("b/../a")])


def test_a_folder_in_a_folder_of_its_name_can_be_told_from_it():
    names = short_names([Path("/x"), Path("/x/x")])
    assert len(set(names)) == 2
