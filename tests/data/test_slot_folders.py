"""Slot-filling folders: three files side by side."""

import gzip
from pathlib import Path

import pytest

from textapp.data.readers import check_labels, read_examples
from textapp.data.slot_folders import read_slots
from textapp.errors import InputError

WORDS = "joue du café tacvba \n\nwetter in 北京\n"
SLOTS = "O O B-artist I-artist\n\nO O B-city\n"
INTENTS = "PlayMusic\n\nGetWeather\n"


def folder(path: Path, words: str = WORDS, slots: str = SLOTS, intents: str = INTENTS) -> Path:
    for name, content in (("seq.in", words), ("seq.out", slots), ("label", intents)):
        (path / name).write_text(content, encoding="utf-8")
    return path


def test_sentences_and_their_slots(tmp_path):
    first, empty, second = read_slots(folder(tmp_path))
    assert first.tokens == ["joue", "du", "café", "tacvba"]
    assert first.tags == ["O", "O", "B-artist", "I-artist"]
    assert first.location(3) == f"{tmp_path / 'seq.out'}:1"
    assert (empty.tokens, empty.location()) == ([], f"{tmp_path / 'seq.out'}:2")
    assert second.tags == ["O", "O", "B-city"]
    assert second.location() == f"{tmp_path / 'seq.out'}:3"


def test_intents_are_examples_for_a_classifier(tmp_path):
    examples = read_examples(folder(tmp_path))
    assert examples.texts == ["joue du café tacvba", "wetter in 北京"]
    assert examples.labels == ["PlayMusic", "GetWeather"]
    assert examples.location(1) == f"{tmp_path}: label:3"
    assert examples.empty == 1


def test_an_intent_that_the_classifier_lacks_is_named(tmp_path):
    with pytest.raises(InputError, match="label:3: the label 'GetWeather' does not occur in the training data"):
        check_labels(read_examples(folder(tmp_path)), ["BookFlight", "PlayMusic"])


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_each_file_may_be_compressed(tmp_path, suffix):
    plain, packed = tmp_path / "plain", tmp_path / "packed"
    plain.mkdir()
    packed.mkdir()
    for file in folder(plain).iterdir():
        (packed / f"{file.name}{suffix}").write_bytes(gzip.compress(file.read_bytes()))
    assert [row[:2] for row in read_slots(packed)] == [row[:2] for row in read_slots(plain)]
    assert read_examples(packed).labels == read_examples(plain).labels


def test_the_plain_file_goes_before_a_compressed_one(tmp_path):
    (folder(tmp_path) / "seq.out.gz").write_bytes(gzip.compress(b"B-old\n"))
    assert next(iter(read_slots(tmp_path))).tags == ["O", "O", "B-artist", "I-artist"]


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"slots": "O O B-artist\n\nO O B-city\n"}, "seq.out:1: each token must have a tag. Received: 3 for 4 tokens"),
        ({"words": "joue du café tacvba\né\nwetter in 北京\n"}, "seq.out:2: each token must have a tag. Received: 0"),
        ({"slots": "O O B-artist I-artist\n"}, "seq.out:3: the file ends before the others"),
        ({"intents": "PlayMusic\n\n"}, "label:3: the file ends before the others; each must have a line per sentence"),
        ({"words": "joue du café tacvba\n"}, "seq.in:3: the file ends before the others"),
    ],
)
def test_files_that_do_not_agree(tmp_path, changed, message):
    with pytest.raises(InputError) as caught:
        list(read_slots(folder(tmp_path, **changed)))
    assert str(caught.value).startswith(f"{tmp_path}/{message}")


def test_more_blank_lines_at_the_end_of_one_file_do_no_harm(tmp_path):
    assert len(list(read_slots(folder(tmp_path, intents=INTENTS + "\n")))) == 4
    assert len(read_examples(tmp_path)) == 2


def test_intents_must_be_there(tmp_path):
    with pytest.raises(InputError, match=r"label:3: the label is missing"):
        read_examples(folder(tmp_path, intents="PlayMusic\n\n \n"))
    with pytest.raises(InputError, match="there is no example to read"):
        read_examples(folder(tmp_path, "", "", ""))


@pytest.mark.parametrize("name", ["seq.in", "seq.out", "label"])
def test_a_missing_file_is_named(tmp_path, name):
    (folder(tmp_path) / name).unlink()
    with pytest.raises(InputError) as caught:
        list(read_slots(tmp_path))
    assert str(caught.value) == f"{tmp_path / name}: No such file or directory"
