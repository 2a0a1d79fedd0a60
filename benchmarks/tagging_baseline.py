"""The baseline without a neural network: a linear-chain CRF over hand-made features (sklearn-crfsuite)."""

import time
from typing import Any

from textapp.data.tagged import read_tagged
from textapp.tasks.tagging.scores import entity_scores

# The settings of the library's tutorial on CoNLL-2002, whose search chose c1 and c2.
SETTINGS = {"algorithm": "lbfgs", "c1": 0.1, "c2": 0.1, "max_iterations": 100, "all_possible_transitions": True}


def train_feature_crf(paths: dict[str, str]) -> dict[str, Any]:
    """Trains on a data set's training split and scores the other two: strict entity F1."""
    import sklearn_crfsuite  # here, as the tables of finished rows do not need it

    began = time.monotonic()
    examples = {name: read_tagged(path, repair=True) for name, path in paths.items()}
    features = {name: [word_features(sentence) for sentence in part.sentences] for name, part in examples.items()}
    model = sklearn_crfsuite.CRF(**SETTINGS)
    model.fit(features["train"], examples["train"].tags)
    scores = {
        name: entity_scores(examples[name].tags, model.predict(features[name])).micro for name in ("valid", "test")
    }
    return {
        "valid": scores["valid"].f1,
        "keras": scores["test"].f1,
        "count": scores["test"].support,
        "parameters": len(model.state_features_) + len(model.transition_features_),
        "minutes": (time.monotonic() - began) / 60,
    }


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
