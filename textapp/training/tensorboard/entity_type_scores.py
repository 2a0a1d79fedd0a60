"""How well each type of entity is found."""

import os

import tensorflow as tf

from textapp.training.tensorboard.dashboard import Dashboard
from textapp.training.tensorboard.event_log import EventLog
from textapp.training.validation_tags import ValidationTags

_DESCRIPTION = "Strict F1 of the validation split's entities of this type: first token, last token and type are right."


class EntityTypeScores(Dashboard):
    """Writes the F1 of each type of entity (`validation/entity_f1/TYPE`).

    Args:
        log: An `EventLog`, or the path of a folder.
        scores: Tags the validation split; stands before this in the list of callbacks.
    """

    run = "validation"

    def __init__(self, log: EventLog | str | os.PathLike[str], scores: ValidationTags):
        super().__init__(log)
        self.scores = scores

    def write(self) -> None:
        """Writes one point a type."""
        for name, score in self.scores.scores["types"].items():
            tf.summary.scalar(f"validation/entity_f1/{name}", score["entity_f1"], description=_DESCRIPTION)
