"""The state of a training of word vectors in shards, between its rounds; see `textapp.vectors.averaging`."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

from textapp.errors import InputError, excerpt


@dataclasses.dataclass(frozen=True, eq=False)
class RoundState:
    """Where a training in shards is, and what its next round needs besides the vectors.

    Attributes:
        number: Rounds trained so far, from 1.
        rounds: Rounds of the whole training.
        shards: Number of shards.
        shard: Which of them the vectors are of, from 1; 0 for the average of all.
        num_words: Occurrences of the vocabulary in the whole corpus, by its counts.
        settings: The settings of the training, as JSON values.
        losses: The loss at the end of each round.
        inputs: Adagrad's accumulator of each row of the input table, float32 `(V + buckets,)`.
        outputs: The same of the output table, float32 `(V,)`.
    """

    number: int
    rounds: int
    shards: int
    shard: int
    num_words: int
    settings: Mapping[str, Any]
    losses: tuple[float, ...]
    inputs: np.ndarray = dataclasses.field(repr=False)
    outputs: np.ndarray = dataclasses.field(repr=False)

    def to_dict(self) -> dict[str, Any]:
        """Everything but the accumulators, as JSON values."""
        names = [field.name for field in dataclasses.fields(self)[:-2]]
        return {name: getattr(self, name) for name in names}

    @classmethod
    def from_dict(cls, values: Any, inputs: np.ndarray, outputs: np.ndarray) -> "RoundState":
        """The reverse of `to_dict`. Raises `InputError` if a value is missing or has another type."""
        names = [field.name for field in dataclasses.fields(cls)[:-2]]
        if (
            not isinstance(values, dict)
            or sorted(values) != sorted(names)
            or not all(type(values[name]) is int for name in names[:5])
            or not isinstance(values["settings"], dict)
            or not isinstance(values["losses"], list)
            or not all(type(loss) is float for loss in values["losses"])
        ):
            raise InputError(f"the state of a round is damaged. Received: {excerpt(str(values))}")
        return cls(**{**values, "losses": tuple(values["losses"])}, inputs=inputs, outputs=outputs)

    def differing(self, other: "RoundState") -> list[str]:
        """In what another state is not of the same round of the same training."""
        common = ("number", "rounds", "shards", "num_words")
        names = [name for name in common if getattr(self, name) != getattr(other, name)]
        return [
            *("round" if name == "number" else name for name in names),
            *(key for key in {**self.settings, **other.settings} if self.settings.get(key) != other.settings.get(key)),
        ]
