"""What a search has found: its trials, the finalists with their scores, and the winner."""

import math
import statistics
from collections.abc import Mapping
from typing import Any

import optuna
from optuna.trial import TrialState

from textapp.config import ModelConfig
from textapp.search.space import Searched
from textapp.search.study import settings

FINALISTS = 3  # with the start point
SEEDS = 3  # of each finalist: with one seed, a point of difference is often chance
OF_SEED = "trained: "  # before the names of the study's attributes of finalists


def of_seed(trial: int, seed: int) -> str:
    """The attribute of the study for a finalist with another seed: its `process`, or at the end its `score`."""
    return f"{OF_SEED}trial {trial}, seed {seed}"


class Outcome:
    """Reads the results of a search from its study, which any process may extend meanwhile.

    Args:
        study: The study.
        start: The settings of the start point.
        space: The values to try.
    """

    def __init__(self, study: optuna.Study, start: ModelConfig, space: Mapping[str, Searched]):
        self.study, self.start, self.space = study, start, space

    def trials(self, *states: TrialState) -> list[Any]:
        """The trials in some states."""
        return self.study.get_trials(deepcopy=False, states=states)

    def seeds(self) -> range:
        """The further seeds of finalists."""
        first = self.start.training.seed
        return range(first + 1, first + SEEDS)

    def finalists(self) -> list[Any]:
        """The start point, if its training ended well, and the best other trials."""
        finished = sorted(self.trials(TrialState.COMPLETE), key=lambda trial: -trial.value)
        return sorted(finished, key=lambda trial: "start" not in trial.user_attrs)[:FINALISTS]

    def winner(self) -> Any:
        """The finalist with the highest mean; of equal ones the start point."""
        means = [self.mean(trial) for trial in self.finalists()]
        return max(zip(self.finalists(), means, strict=True), key=lambda one: -math.inf if one[1] is None else one[1])[
            0
        ]

    def mean(self, trial: Any) -> float | None:
        """The mean score of a finalist over the seeds that all finalists have; None if one of its trainings failed."""
        scores = self.scores(trial)
        return None if None in scores else statistics.fmean(scores)

    def scores(self, trial: Any) -> list[Any]:
        """The scores of a finalist with each of the seeds that all finalists have."""
        trained = self.study.user_attrs
        of_finalists = [
            [trained.get(of_seed(one.number, seed), {}) for seed in self.seeds()] for one in self.finalists()
        ]
        shared = [all("score" in of_one[place] for of_one in of_finalists) for place in range(len(self.seeds()))]
        seeds = [seed for seed, is_shared in zip(self.seeds(), shared, strict=True) if is_shared]
        return [trial.value, *(trained[of_seed(trial.number, seed)]["score"] for seed in seeds)]

    def config(self, trial: Any) -> ModelConfig:
        """The settings of a trial."""
        return self.start.replaced(**settings(self.space, self.start, trial.params))

    def entry(self, trial: Any) -> dict[str, Any]:
        """The entry of a finished trial in `tune.json`."""
        more = trial.user_attrs
        is_whole = trial.state == TrialState.COMPLETE
        return {
            "trial": trial.number,
            "start": "start" in more,
            "finished": is_whole,
            "why": None if is_whole else more.get("why", "the process was killed"),
            "score": trial.value if is_whole else more.get("best"),
            "epochs": more.get("epochs"),
            "seconds": more.get("seconds"),
            "settings": settings(self.space, self.start, trial.params) if len(trial.params) == len(self.space) else {},
        }
