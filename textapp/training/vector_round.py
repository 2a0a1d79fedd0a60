"""One round of one shard of a training of word vectors: its steps, where it starts, and what it hands on."""

import dataclasses
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from textapp.data.lines import open_stream
from textapp.errors import InputError
from textapp.files import named_errors
from textapp.vectors.config import VectorsConfig
from textapp.vectors.corpus import Part
from textapp.vectors.formats import format_of_name, holds_vectors
from textapp.vectors.numpy_format import read_round
from textapp.vectors.rounds import RoundState
from textapp.vectors.word2vec import Word2Vec
from textapp.vectors.word_vectors import WordVectors

_FREE = ("probes", "threads")  # settings that may differ between shards


@dataclasses.dataclass(frozen=True)
class ShardRound:
    """A round of a shard.

    The shard's training is one long training of all epochs that is cut into `rounds` pieces of equally many steps. At a
    cut, the average of all shards replaces the shard's tables and accumulators; the learning rate goes on where it was.
    So it falls once, as in a training without shards: with a rate that rises again in each round the shards would drift
    apart again, and with a low one at the end they stay near their average.

    Attributes:
        part: Which shard of how many.
        rounds: Rounds of the whole training.
        number: This round, from 1.
        settings: The settings that all shards and rounds must share.
        losses: The losses of the rounds before.
    """

    part: Part
    rounds: int
    number: int
    settings: dict[str, Any]
    losses: tuple[float, ...]

    @classmethod
    def after(cls, init: str | os.PathLike[str] | None, part: Part, rounds: int, config: VectorsConfig) -> "ShardRound":
        """The round after the one that ended with `init`; the first one without it.

        Raises:
            InputError: `init` is not the average of a round of such a training, or it is of the last round.
        """
        settings = {name: value for name, value in config.to_dict().items() if name not in _FREE}
        if init is None:
            return cls(part, rounds, 1, settings, ())
        state = None
        if format_of_name(Path(init)) == "npz":
            with open_stream(init) as stream:
                state = read_round(stream, init)
        if state is None or state.shard:
            what = f"the result of shard {state.shard}" if state else "no average of a round, or of the last"
            raise InputError(f"{os.fspath(init)}: is {what}; --shard starts from what `vectors average` wrote")
        wanted = dataclasses.replace(state, rounds=rounds, shards=part.count, settings=settings)
        if differing := state.differing(wanted):
            raise InputError(f"{os.fspath(init)}: was trained with other {', '.join(differing[:8])}; give the same")
        return cls(part, rounds, state.number + 1, settings, state.losses)

    @property
    def is_last(self) -> bool:
        """Whether no round comes after this one."""
        return self.number == self.rounds

    def steps(self, total: int) -> tuple[int, int]:
        """The first step of this round, and the first one after it, of `total` steps of the whole training.

        Raises:
            InputError: A round would have no step.
        """
        if self.rounds > total:
            raise InputError(f"--rounds {self.rounds}: this shard's training has only {total} steps; use fewer rounds")
        return (self.number - 1) * total // self.rounds, self.number * total // self.rounds

    def is_done(self, out: Path) -> bool:
        """Whether a file holds the result of this round of this shard."""
        state = self._state_of(out)
        return state is not None and state.number == self.number

    def may_replace(self, out: Path) -> bool:
        """Whether a file holds the result of an earlier round of this shard, which this round replaces."""
        state = self._state_of(out)
        return state is not None and state.number < self.number

    def start(self, model: Word2Vec, init: WordVectors, words: Sequence[str], path: str | os.PathLike[str]) -> None:
        """Puts the average of the round before into the model's tables.

        Raises:
            InputError: The average has other words than the counts give.
        """
        assert init.training is not None  # by `after`
        if init.words != tuple(words) or init.outputs is None:
            raise InputError(f"{os.fspath(path)}: has another vocabulary than --counts gives; use the same counts")
        for table, vectors, accumulator in (
            (model.inputs_table, init.input_rows(), init.training.inputs),
            (model.outputs_table, init.outputs, init.training.outputs),
        ):
            table.vectors.assign(vectors)
            table.accumulator.assign(accumulator)

    def state(self, model: Word2Vec, num_words: int, loss: float) -> RoundState:
        """What the average needs besides the vectors."""
        return RoundState(
            number=self.number,
            rounds=self.rounds,
            shards=self.part.count,
            shard=self.part.index + 1,
            num_words=num_words,
            settings=self.settings,
            losses=(*self.losses, loss),
            inputs=model.inputs_table.accumulator.numpy(),
            outputs=model.outputs_table.accumulator.numpy(),
        )

    def _state_of(self, out: Path) -> RoundState | None:
        """The state in a file, if it is of this shard of this training."""
        with named_errors(out):
            if not out.is_file() or not holds_vectors(out) or out.suffix != ".npz":
                return None
        with open_stream(out) as stream:
            state = read_round(stream, out)
        if state is None or (state.shard, state.shards, state.rounds) != (
            self.part.index + 1,
            self.part.count,
            self.rounds,
        ):
            return None
        return state if state.settings == self.settings else None
