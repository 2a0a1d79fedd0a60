"""Which types of entities are taken for which, token by token."""

import itertools
from collections.abc import Iterable, Sequence

import numpy as np

from textapp.tasks.classification.scores import confusion_matrix
from textapp.training.tensorboard import confusion_matrix as drawing
from textapp.training.tensorboard.images import write_figure
from textapp.training.tensorboard.tag_dashboard import TagDashboard


class EntityConfusion(TagDashboard):
    """Draws the confusion matrix of the validation split's tokens (`validation/type_confusion`).

    Of a token inside an entity it counts the entity's type, of others `O`: where an entity begins and ends is left out,
    which entity F1 does not. Tags that stand for themselves are drawn as they are.
    """

    def write(self) -> None:
        """Draws the matrix."""
        names, counts = self.counts()
        legend = "; ".join(f"{index} = {name}" for index, name in enumerate(names))
        write_figure(
            "validation/type_confusion",
            drawing.draw(counts, names, "tokens"),
            f"Validation tokens by true and predicted type. {legend}",
        )

    def counts(self) -> tuple[list[str], np.ndarray]:
        """The types that occur, and the tokens by true (row) and predicted type, int64 `(C, C)`."""
        true, predicted = (self._types(tags) for tags in (self.scores.examples.tags, self.scores.predicted))
        names = sorted({*true, *predicted}, key=lambda name: (name != "O", name))
        index = {name: number for number, name in enumerate(names)}
        return names, confusion_matrix([index[name] for name in true], [index[name] for name in predicted], len(names))

    def _types(self, sentences: Iterable[Sequence[str]]) -> list[str]:
        """The type of each token; `_` of an entity that has none."""
        tags = itertools.chain.from_iterable(sentences)
        if self.scores.tag_set.scheme is None:
            return list(tags)
        return ["O" if tag == "O" else tag[2:] or "_" for tag in tags]
