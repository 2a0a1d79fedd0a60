"""The labels that a classifier chooses from, by number."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Labels:
    """C labels; the number of a label is its position.

    Example:
        >>> Labels(("差", "好")).encode(["好", "差"])
        [1, 0]
    """

    names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.names)

    def encode(self, labels: Iterable[str]) -> list[int]:
        """The number of each label."""
        numbers = {name: number for number, name in enumerate(self.names)}
        return [numbers[label] for label in labels]
