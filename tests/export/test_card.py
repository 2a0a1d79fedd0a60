"""The model card of a bundle: what it says, what it never says, and that nothing depends on it."""

import hashlib
import json
import re
import shutil

import pytest

from tests.test_samples import SAMPLES
from textapp.export.card import CARD, languages, model_card
from textapp.runtime import load
from textapp.task import task
from textapp.text.labels import ExclusiveLabels
from textapp.text.tag_set import TagSet

ENGLISH = ["the", "of", "and", "to", "in", "a", "is", "that", "for", "it"]
CHINESE = ["面", "很", "好", "吃"]
DESCRIPTION = {
    "textapp_version": "9.9",
    "recipe": "dynamic_wi8_afp32",
    "lineage": {
        "parameters": 1234,
        "teachers": ["anna/geheim"],
        "quantized": {"bits": 8, "embedding_bits": 4, "trained": True},
    },
    "metrics": {
        "count": 50,
        "label_agreement": 0.98,
        "scored_on": "given examples",
        "after": {"accuracy": 0.9, "macro_f1": 0.8, "count": 50},
        "intervals": {"accuracy": {"low": 0.786, "high": 0.957, "method": "Wilson"}},
    },
    "lengths": [16, 64],
    "sha256": {"model.tflite": "ab" * 32, "labels.txt": "cd" * 32},
    "clients": ["textapp", "LiteRT Interpreter"],
    "versions": {"keras": "3"},
}
TRAINING = {
    "data": {"train": {"count": 1000, "tokens": 9000, "oov_rate": 0.025}},
    "test": {"accuracy": 0.875, "count": 80},
    "train": "/home/anna/reviews.tsv",
}


def card(training=TRAINING, name="classification", targets=None, description=DESCRIPTION):
    targets = targets or ExclusiveLabels(("bad", "好 `x` | y"))
    sizes = {"model.tflite": 1500, "labels.txt": 20}
    return model_card(task(name), targets, [*ENGLISH, *CHINESE], description, sizes, training)


def front_matter(text):
    """The lists and values of the front matter, read line by line."""
    _, block, _ = text.split("---\n", 2)
    found, key = {}, ""
    for line in block.splitlines():
        if line.startswith("- "):
            found[key].append(line[2:])
        else:
            key, _, value = line.partition(":")
            found[key] = value.strip() or []
    return found


def test_a_hub_reads_its_front_matter():
    assert front_matter(card()) == {
        "language": ["en", "zh"],
        "library_name": "textapp",
        "pipeline_tag": "text-classification",
        "tags": ["textapp", "keras", "litert", "tflite", "on-device", "classification"],
        "metrics": ["accuracy", "f1"],
    }
    tags = TagSet(("O", "B-PER", "I-PER"), "IOB2")
    tagger = card(name="tagging", targets=tags, description={**DESCRIPTION, "tag_scheme": "IOB2"})
    assert front_matter(tagger)["pipeline_tag"] == "token-classification"
    assert "Types of spans (1): `PER`." in tagger


def test_it_says_what_the_files_say():
    text = card()
    assert "| this file | given examples | accuracy | 90.0 | 78.6 to 95.7 | 50 |" in text
    assert "| this file | given examples | macro F1 | 80.0 |  | 50 |" in text
    assert "| Keras, before the export | test split | accuracy | 87.5 |  | 80 |" in text
    assert "agree on 98.0 % of 50 texts" in text
    assert "| train | 1,000 | 9,000 | 2.5 |" in text
    assert f"| `model.tflite` | 1,500 | `{'ab' * 32}` |" in text
    assert "1,520 bytes in all" in text
    assert "first 64 tokens" in text
    assert "Labels (2): `bad`, `好 'x' ¦ y`." in text
    assert "--client android" in text


def test_it_names_no_path_and_no_teacher():
    text = card()
    assert "distilled from 1 teacher" in text
    assert not re.search("anna|geheim|home|reviews", text)


def test_it_says_nothing_of_what_is_not_known():
    text = card(
        training={}, description={**DESCRIPTION, "metrics": {"count": 5, "label_agreement": 1.0}, "lineage": None}
    )
    assert "## Scores" not in text
    assert "## Data" not in text
    assert "None" not in text


def test_languages_need_evidence():
    assert languages(["cheap", "fade", "salé"]) == []
    assert languages([*ENGLISH[:9], "好"]) == ["zh"]
    assert languages(["これ", "は", "面"]) == ["ja"]


@pytest.mark.parametrize("change", ["deleted", "edited", "added"])
def test_a_bundle_loads_whatever_happens_to_its_card(tmp_path, change):
    folder = shutil.copytree(SAMPLES / "classifier/bundle", tmp_path / "包")  # of a version without cards
    before = load(folder).predict(["très bon 好"])[0].label
    path = folder / "bundle.json"
    description = json.loads(path.read_text(encoding="utf-8"))
    description["card_sha256"] = hashlib.sha256(b"as it was").hexdigest()
    path.write_text(json.dumps(description), encoding="utf-8")
    if change != "deleted":
        (folder / CARD).write_text("mine" if change == "edited" else "as it was", encoding="utf-8")
    assert load(folder).predict(["très bon 好"])[0].label == before
