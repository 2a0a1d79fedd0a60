"""The baseline without a neural network: a linear-chain CRF over hand-made features (sklearn-crfsuite)."""

import statistics
import time
from collections.abc import Sequence
from typing import Any

from textapp.data.tagged import read_tagged
from textapp.tasks.tagging.scores import entity_scores

# The settings of the library's tutorial on CoNLL-2002, whose search chose c1 and c2.
SETTINGS = {"algorithm": "lbfgs", "c1": 0.1, "c2": 0.1, "max_iterations": 100, "all_possible_transitions": True}
EDGE = "<edge>"  # stands for a character before the start or after the end of a sentence


def train_feature_crf(paths: dict[str, str]) -> dict[str, Any]:
    """Trains on a data set's training split and scores the other two: strict entity F1."""
    import sklearn_crfsuite  # here, as the tables of finished rows do not need it

    began = time.monotonic()
    examples = {name: read_tagged(path, repair=True) for name, path in paths.items()}
    of_sentence = character_features if by_character(examples["train"].sentences) else word_features
    # Iterators: the features of all characters of MSRA would take gigabytes.
    features = {name: map(of_sentence, part.sentences) for name, part in examples.items()}
    model = sklearn_crfsuite.CRF(**SETTINGS)
    model.fit(features["train"], examples["train"].tags)
    scores = {
        name: entity_scores(examples[name].tags, list(model.predict(features[name]))).micro
        for name in ("valid", "test")
    }
    return {
        "valid": scores["valid"].f1,
        "keras": scores["test"].f1,
        "count": scores["test"].support,
        "parameters": len(model.state_features_) + len(model.transition_features_),
        "minutes": (time.monotonic() - began) / 60,
    }


def by_character(sentences: Sequence[list[str]]) -> bool:
    """Whether most tokens are single characters, as in Chinese data."""
    lengths = [len(token) for sentence in sentences for token in sentence]
    return statistics.median(lengths) == 1


def character_features(sentence: list[str]) -> list[dict[str, Any]]:
    """The features of each character: n-grams of up to three characters, none of which is more than two away."""
    around = [EDGE, EDGE, *sentence, EDGE, EDGE]
    rows = []
    for position, character in enumerate(sentence, start=2):
        row: dict[str, Any] = {"bias": 1.0, "digit": character.isdigit(), "letter": character.isascii()}
        for length in (1, 2, 3):
            for start in range(-2, 4 - length):
                found = around[position + start : position + start + length]
                row[f"{start:+d}:{length}"] = " ".join(found)
        rows.append(row)
    return rows


def word_features(sentence: list[str]) -> list[dict[str, Any]]:
    """The features of each word: the word, its ends, its shape, and the same of its neighbours."""
    own = [
        {
            "lower": word.lower(),
            "suffix3": word[-3:],
            "suffix2": word[-2:],
            "prefix3": word[:3],
            "upper": word.isupper(),
            "title": word.istitle(),
            "digit": word.isdigit(),
        }
        for word in sentence
    ]
    near = ("lower", "upper", "title")
    rows = []
    for position, features in enumerate(own):
        row: dict[str, Any] = {"bias": 1.0, **features}
        for step in (-1, 1):
            if 0 <= position + step < len(own):
                row |= {f"{step:+d}:{name}": own[position + step][name] for name in near}
            else:
                row[f"{step:+d}:edge"] = True
        rows.append(row)
    return rows
