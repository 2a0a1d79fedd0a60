"""How well each type of entity is found."""

import tensorflow as tf

from textapp.training.tensorboard.tag_dashboard import TagDashboard

_DESCRIPTION = "Strict F1 of the validation split's entities of this type: first token, last token and type are right."


class EntityTypeScores(TagDashboard):
    """Writes the F1 of each type of entity (`validation/entity_f1/TYPE`)."""

    def write(self) -> None:
        """Writes one point a type."""
        for name, score in self.scores.scores["types"].items():
            tf.summary.scalar(f"validation/entity_f1/{name}", score["entity_f1"], description=_DESCRIPTION)
