"""The trials of a search and its finalists, within a budget of seconds."""

import hashlib
import json
import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

import optuna
from optuna.trial import TrialState

from textapp.config import ModelConfig
from textapp.errors import InputError
from textapp.search.space import Searched
from textapp.search.study import distributions, parameters, settings
from textapp.search.trainings import Trained, TrainingEnded, Trainings, Watch
from textapp.settings import as_text
from textapp.task import Report

FINALISTS = 3  # with the start point
SEEDS = 3  # of each finalist: with one seed, a point of difference is often chance
SEEDS_SHARE = 0.3  # of the budget, at most, for the further seeds
TRIAL_SHARE = 0.25  # of the budget, at most, for a trial that is not the best so far; but as much as the start point
RUN_FACTOR, RUN_SECONDS = 1.25, 20.0  # the run of the winner takes longer than its trial: baseline, dashboards, test
TRIALS_WORTH = 10  # trainings as long as that of the start point: fewer hardly find better settings
OVERTIME = 1.1  # of the budget; a search that needs more from the beginning is refused
PARTS = 4  # of a training; at the end of each but the last, Optuna's pruner may end it
ATTEMPTS = 3  # at a training during which the process was killed: it may take more memory than there is
MOST_FAILURES = 10  # in a row
LONG = 30.0  # seconds; after that the score of an epoch is reported
UNSAVED = 5.0  # seconds; after that the time that is spent is recorded
COMPILING = 60.0  # seconds at most in a first epoch
WORSE = "worse than most others so far"
NO_TIME = "too slow for the budget"


class BudgetError(InputError):
    """The budget is too small for a search."""


class Trials:
    """Trains the start point, the presets, what Optuna proposes, and then the finalists with more seeds.

    Everything is recorded in the study, so that another process can go on.

    Args:
        start: The settings of the start point.
        presets: Settings that were good for other data, to try next.
        space: The values to try.
        folder: The folder for checkpoints.
        trainings: Trains a model.
        study: The study.
        seconds: The budget, with the time for the run of the winner.
        title: The name of the validation score in words.
        report: Receives each line of progress.
        clock: Gives the time in seconds.
        began: The time at which this process began.
    """

    def __init__(
        self,
        start: ModelConfig,
        presets: Sequence[ModelConfig],
        space: Mapping[str, Searched],
        folder: Path,
        trainings: Trainings,
        study: optuna.Study,
        seconds: float,
        title: str,
        report: Report,
        clock: Callable[[], float],
        began: float,
    ):
        self._start, self._presets, self._space, self._folder = start, presets, space, folder
        self._trainings, self._study, self._seconds = trainings, study, seconds
        self._title, self._report = title, report
        self._clock, self._began, self._earlier = clock, began, float(study.user_attrs.get("seconds", 0.0))

    def spent(self) -> float:
        """Seconds that are spent, also by earlier processes."""
        return self._earlier + self._clock() - self._began

    def search(self) -> None:
        """Trains the start point, the presets and what Optuna proposes, until the finalists need the time left.

        Raises:
            BudgetError: The budget is too small for a search.
            InputError: No training ended well.
        """
        self._try_killed_again()
        if not self._trials(TrialState.COMPLETE) and (least := self.spent() + RUN_SECONDS) > self._seconds:
            raise self._too_short(least, TRIALS_WORTH * least)
        if not self._study.get_trials(deepcopy=False):
            self._study.enqueue_trial(parameters(self._space, self._start), user_attrs={"start": True})
        failures = 0
        while failures < MOST_FAILURES and not self._is_over():
            if not self._trials(TrialState.WAITING):
                self._enqueue_preset()
            failures = 0 if self._try() else failures + 1
        if not self._trials(TrialState.COMPLETE):
            reasons = [trial.user_attrs["why"] for trial in self._study.trials if "why" in trial.user_attrs]
            raise InputError(f"no training of the search ended well: {reasons[-1] if reasons else NO_TIME}")
        if failures == MOST_FAILURES:
            self._report(f"warning: {failures} trials failed one after the other, so the search ends")

    def train_finalists(self) -> None:
        """Trains the finalists with more seeds, as long as there is time."""
        finalists = self.finalists()
        longest = max(trial.user_attrs["seconds"] for trial in finalists)
        first = self._start.training.seed
        for seed in range(first + 1, first + SEEDS) if len(finalists) > 1 else ():
            for trial in finalists:
                scores = self._study.user_attrs.get("seeds", {})
                of_trial = scores.get(str(trial.number), {})
                if str(seed) in of_trial:
                    continue
                if self._left() - RUN_FACTOR * longest - RUN_SECONDS < trial.user_attrs["seconds"]:
                    return
                score: float | None = None
                try:
                    score = self._train(self.config(trial).replaced(seed=seed), self._watch()).score
                    self._report(f"trial {trial.number} with seed {seed}: {self._title} {score:.4f}")
                except InputError as error:
                    self._report(f"trial {trial.number} with seed {seed}: failed: {error}")
                self._study.set_user_attr("seeds", {**scores, str(trial.number): {**of_trial, str(seed): score}})
                self._save_time()

    def finalists(self) -> list[Any]:
        """The start point, if its training ended well, and the best other trials."""
        finished = sorted(self._trials(TrialState.COMPLETE), key=lambda trial: -trial.value)
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
        scores = self._study.user_attrs.get("seeds", {})
        of_finalists = [scores.get(str(one.number), {}) for one in self.finalists()]
        seeds = [seed for seed in of_finalists[0] if all(seed in others for others in of_finalists)]
        return [trial.value, *(scores[str(trial.number)][seed] for seed in seeds)]

    def config(self, trial: Any) -> ModelConfig:
        """The settings of a trial."""
        return self._start.replaced(**settings(self._space, self._start, trial.params))

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
            "settings": settings(self._space, self._start, trial.params)
            if len(trial.params) == len(self._space)
            else {},
        }

    def _try(self) -> bool:
        """Trains one trial. Returns False if its training failed."""
        trial = self._study.ask(distributions(self._space))
        values = settings(self._space, self._start, trial.params)
        changes = [f"{name}={as_text(value)}" for name, value in values.items() if value != self._start.get(name)]
        again = ", again" if "attempts" in trial.user_attrs else ""
        is_start = "start" in trial.user_attrs
        self._report(f"trial {trial.number}{again}: {'the start point' if is_start else ', '.join(changes)}")
        began, earlier = self._clock(), float(trial.user_attrs.get("seconds", 0.0))
        score, state, why = None, TrialState.PRUNED, None
        try:
            trained = self._train(self._start.replaced(**values), self._watch(trial, values, began, earlier))
            score, state = trained.score, TrialState.COMPLETE
            trial.set_user_attr("epochs", trained.epochs)
        except BudgetError:
            raise
        except TrainingEnded as ended:
            why = str(ended)
            if why == NO_TIME:
                state = TrialState.FAIL  # it says nothing about the settings, so the sampler must not learn from it
        except InputError as error:
            why = str(error)
        seconds = earlier + self._clock() - began
        trial.set_user_attr("seconds", round(seconds, 1))
        if why is not None:
            trial.set_user_attr("why", why)
        self._study.tell(trial, score, state=state)
        self._save_time()
        shown = f"ended: {why}" if score is None else f"{self._title} {score:.4f}, {trained.epochs} epochs"
        best = max(self._trials(TrialState.COMPLETE), key=lambda one: one.value, default=None)
        best_shown = "" if best is None else f"; best {best.value:.4f} (trial {best.number})"
        self._report(f"  {shown}, {seconds:.0f} s{best_shown}; {max(self._left(), 0) / 60:.1f} minutes left")
        return why in (None, WORSE, NO_TIME)

    def _train(self, config: ModelConfig, watch: Watch) -> Trained:
        """Trains a model. A checkpoint stays only if the process stops, or if the budget is too small."""
        name = hashlib.sha256(json.dumps(config.to_dict()).encode()).hexdigest()[:16]
        checkpoint = self._folder / f"checkpoint-{name}.npz"
        try:
            trained = self._trainings.train(config, checkpoint, watch)
        except BudgetError:
            raise
        except (TrainingEnded, InputError):
            checkpoint.unlink(missing_ok=True)
            raise
        checkpoint.unlink(missing_ok=True)
        return trained

    def _watch(
        self, trial: Any = None, values: Mapping[str, Any] | None = None, began: float = 0.0, earlier: float = 0.0
    ) -> Watch:
        """A function to call after each epoch, which ends trials. Without a trial, it records the time alone."""
        epochs = (values or {}).get("epochs", self._start.training.epochs)
        last = reported = saved = self._clock()
        first, part = 0, 0
        best = -math.inf if trial is None else trial.user_attrs.get("best", -math.inf)

        def end(why: str) -> NoReturn:
            trial.set_user_attr("best", best)
            raise TrainingEnded(why)

        def watch(epoch: int, score: float) -> None:
            nonlocal last, reported, saved, first, part, best
            now = self._clock()
            # The first epoch of a process also compiles the model.
            rest = (now - last if first else max(now - last - COMPILING, 0)) * (epochs - epoch)
            first, last, best = first or epoch, now, max(best, score)
            if now - reported > LONG:
                self._report(f"  epoch {epoch} of {epochs}: {self._title} {score:.4f}")
                reported = now
            seconds = earlier + now - began
            if now - saved > UNSAVED:
                self._save_time()
                if trial is not None:
                    trial.set_user_attr("best", best)
                    trial.set_user_attr("seconds", round(seconds, 1))
                saved = now
            if trial is None:
                return
            if "start" in trial.user_attrs:
                self._check_budget(rest, seconds + rest)
                return
            if self._left() - self._reserve() < rest or (best <= self._best() and seconds + rest > self._longest()):
                end(NO_TIME)
            if (reached := PARTS * epoch // epochs) > part and reached < PARTS:
                part = reached
                trial.report(best, part)
                if trial.should_prune():
                    end(WORSE)

        return watch

    def _check_budget(self, rest: float, whole: float) -> None:
        """Checks that the budget has time for the start point and for a run.

        Args:
            rest: Seconds of the start point that are left, if all epochs are trained.
            whole: Seconds of its whole training. Both may be too small during the first epochs.
        """
        before = self.spent() + rest - whole
        least = before + whole + RUN_FACTOR * whole + RUN_SECONDS
        if least > OVERTIME * self._seconds:
            raise self._too_short(least, before + TRIALS_WORTH * whole + RUN_SECONDS)

    def _too_short(self, least: float, enough: float) -> BudgetError:
        """The error for a budget that is too small for a search.

        Args:
            least: Seconds that the reading of the data, the start point and the run take at least.
            enough: Seconds that are enough to compare some settings.
        """
        return BudgetError(
            f"--minutes {self._seconds / 60:g}: is {self._seconds:.0f} seconds, too short to read the data, train the "
            f"start point and then a run with the best settings, which take {least:.0f} seconds or more; give "
            f"--minutes {math.ceil(enough / 60)} to compare some settings, or use `textapp train`"
        )

    def _enqueue_preset(self) -> None:
        """Lets the next trial be that of a preset, if one is left."""
        tried = [trial.params for trial in self._study.get_trials(deepcopy=False)]
        untried = (params for preset in self._presets if (params := parameters(self._space, preset)) not in tried)
        for params in untried:
            self._study.enqueue_trial(params)
            return

    def _try_killed_again(self) -> None:
        """Counts trials during which the process was killed as failed, and tries their settings again first."""
        for trial in self._trials(TrialState.RUNNING):
            attempts = trial.user_attrs.get("attempts", 1)
            if attempts < ATTEMPTS or "start" in trial.user_attrs:
                self._study.enqueue_trial(trial.params, user_attrs={**trial.user_attrs, "attempts": attempts + 1})
            self._study.tell(trial.number, state=TrialState.FAIL)

    def _is_over(self) -> bool:
        """Whether the time left is needed for the finalists and the run."""
        seconds = [trial.user_attrs["seconds"] for trial in self._trials(TrialState.COMPLETE)]
        return self._left() - self._reserve() < min(seconds, default=0.0)

    def _reserve(self) -> float:
        """Seconds that the further seeds of the finalists and the run will take."""
        seconds = [trial.user_attrs["seconds"] for trial in self.finalists()]
        further = min((SEEDS - 1) * sum(seconds), SEEDS_SHARE * self._seconds)
        return RUN_FACTOR * max(seconds, default=0.0) + RUN_SECONDS + further

    def _best(self) -> float:
        """The best score of a finished trial."""
        return max((trial.value for trial in self._trials(TrialState.COMPLETE)), default=-math.inf)

    def _longest(self) -> float:
        """Seconds that a trial may take."""
        start = [trial.user_attrs["seconds"] for trial in self.finalists() if "start" in trial.user_attrs]
        return max(TRIAL_SHARE * self._seconds, *start, 0.0)

    def _left(self) -> float:
        """Seconds of the budget that are left."""
        return self._seconds - self.spent()

    def _save_time(self) -> None:
        """Records the time that is spent."""
        self._study.set_user_attr("seconds", round(self.spent(), 1))

    def _trials(self, *states: TrialState) -> list[Any]:
        """The trials in some states."""
        return self._study.get_trials(deepcopy=False, states=states)
