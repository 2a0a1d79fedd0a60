"""The baseline without a neural network: the CRF over features of `--set baseline=crf`, on the tokens of the files."""

import time
from typing import Any

from textapp.data.tagged import read_tagged
from textapp.tasks.tagging.feature_crf import FeatureCRF
from textapp.tasks.tagging.scores import entity_scores


def train_feature_crf(paths: dict[str, str]) -> dict[str, Any]:
    """Trains on a data set's training split and scores the other two: strict entity F1."""
    began = time.monotonic()
    examples = {name: read_tagged(path, repair=True) for name, path in paths.items()}
    model = FeatureCRF(examples["train"].sentences, examples["train"].tags)
    scores = {
        name: entity_scores(examples[name].tags, list(model(examples[name].sentences))).micro
        for name in ("valid", "test")
    }
    return {
        "valid": scores["valid"].f1,
        "keras": scores["test"].f1,
        "count": scores["test"].support,
        "parameters": model.parameters,
        "minutes": (time.monotonic() - began) / 60,
    }
