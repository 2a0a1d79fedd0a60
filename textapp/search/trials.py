"""The trials of a search and its finalists, within a budget of seconds."""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

import optuna
from optuna.trial import TrialState

from textapp.config import ModelConfig
from textapp.errors import InputError
from textapp.search.outcome import OF_SEED, Outcome, of_seed
from textapp.search.processes import WAITING, Processes
from textapp.search.study import distributions, parameters, settings
from textapp.search.trainings import Trained, TrainingEnded, Trainings, Watch
from textapp.settings import as_text
from textapp.task import Report

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

    Everything is recorded in the study, so that another process can go on, or help. Each process trains one model at a
    time. What a killed process trained is trained again, from its checkpoint.

    Args:
        outcome: What the study holds; it gets the trials.
        presets: Settings that were good for other data, to try next.
        folder: The folder for checkpoints.
        trainings: Trains a model.
        processes: The processes of the search.
        seconds: The budget, with the time for the run of the winner. It is the time during which any process works.
        title: The name of the validation score in words.
        report: Receives each line of progress.
        clock: Gives the time in seconds.
        began: The time at which this process began.
    """

    def __init__(
        self,
        outcome: Outcome,
        presets: Sequence[ModelConfig],
        folder: Path,
        trainings: Trainings,
        processes: Processes,
        seconds: float,
        title: str,
        report: Report,
        clock: Callable[[], float],
        began: float,
    ):
        self._outcome, self._study, self._start, self._space = outcome, outcome.study, outcome.start, outcome.space
        self._presets, self._folder, self._trainings = presets, folder, trainings
        self._processes, self._seconds = processes, seconds
        self._title, self._report = title, report
        self._clock, self._began, self._earlier = clock, began, float(self._study.user_attrs.get("seconds", 0.0))

    def spent(self) -> float:
        """Seconds that are spent, also by earlier processes."""
        return self._earlier + self._clock() - self._began

    def search(self) -> None:
        """Trains the start point, the presets and what Optuna proposes, until the finalists need the time left.

        It ends when all processes have ended their trials, so that all see the same finalists.

        Raises:
            BudgetError: The budget is too small for a search.
            InputError: No training ended well.
        """
        if not self._outcome.trials(TrialState.COMPLETE) and (least := self.spent() + RUN_SECONDS) > self._seconds:
            raise self._too_short(least, TRIALS_WORTH * least)
        failures, waits = 0, False
        while True:
            with self._processes.turn():
                if self._is_closed():
                    break
                self._try_killed_again()
                trial = None if failures == MOST_FAILURES or self._is_over() else self._begin_trial()
                if trial is None and not self._outcome.trials(TrialState.RUNNING):
                    self._study.set_user_attr("closed", self._processes.name)
                    break
            if trial is not None:
                failures = 0 if self._try(trial) else failures + 1
            else:
                waits = self._wait(waits)
        if not self._outcome.trials(TrialState.COMPLETE):
            reasons = [trial.user_attrs["why"] for trial in self._study.trials if "why" in trial.user_attrs]
            raise InputError(f"no training of the search ended well: {reasons[-1] if reasons else NO_TIME}")
        if failures == MOST_FAILURES:
            self._report(f"warning: {failures} trials failed one after the other, so the search ends")

    def train_finalists(self) -> None:
        """Trains the finalists with more seeds, as long as there is time. It ends when all processes have done so."""
        finalists, waits = self._outcome.finalists(), False
        while len(finalists) > 1:
            with self._processes.turn():
                found = self._begin_seed(finalists)
                if found is None and not self._are_seeds_trained():
                    return
            if found is None:
                waits = self._wait(waits)
                continue
            trial, seed = found
            score: float | None = None
            try:
                config = self._outcome.config(trial).replaced(seed=seed)
                score = self._train(config, f"{trial.number}-seed-{seed}", self._watch()).score
                self._report(f"trial {trial.number} with seed {seed}: {self._title} {score:.4f}")
            except InputError as error:
                self._report(f"trial {trial.number} with seed {seed}: failed: {error}")
            self._study.set_user_attr(of_seed(trial.number, seed), {"score": score})
            self._save_time()

    def _begin_trial(self) -> optuna.Trial:
        """Takes a trial for this process, in its turn: the start point, one to try again, a preset, or a proposal."""
        if not self._study.get_trials(deepcopy=False):
            self._study.enqueue_trial(parameters(self._space, self._start), user_attrs={"start": True})
        elif not self._outcome.trials(TrialState.WAITING):
            self._enqueue_preset()
        trial = self._study.ask(distributions(self._space))
        trial.set_user_attr("process", self._processes.name)
        if "checkpoint" not in trial.user_attrs:  # a trial that is tried again goes on from the checkpoint of before
            trial.set_user_attr("checkpoint", str(trial.number))
        return trial

    def _begin_seed(self, finalists: Sequence[Any]) -> tuple[Any, int] | None:
        """Takes a finalist and a seed for this process, in its turn; None if none is left, or no time."""
        longest = max(trial.user_attrs["seconds"] for trial in finalists)
        for seed in self._outcome.seeds():
            for trial in finalists:
                name = of_seed(trial.number, seed)
                known = self._study.user_attrs.get(name)
                if known is not None and ("score" in known or self._processes.is_alive(known["process"])):
                    continue
                if self._left() - RUN_FACTOR * longest - RUN_SECONDS < trial.user_attrs["seconds"]:
                    return None
                self._study.set_user_attr(name, {"process": self._processes.name})
                return trial, seed
        return None

    def _are_seeds_trained(self) -> bool:
        """Whether another process trains a finalist now."""
        known = (value for name, value in self._study.user_attrs.items() if name.startswith(OF_SEED))
        return any("process" in value and self._processes.is_alive(value["process"]) for value in known)

    def _is_closed(self) -> bool:
        """Whether a process has ended the search and still runs; if all were killed, the search may go on."""
        name = self._study.user_attrs.get("closed")
        return name is not None and self._processes.is_alive(name)

    def _wait(self, waits: bool) -> bool:
        """Waits a moment for other processes, and says so the first time."""
        if not waits:
            self._report("waiting for trainings of other processes")
        time.sleep(WAITING)
        return True

    def _try(self, trial: optuna.Trial) -> bool:
        """Trains one trial. Returns False if its training failed."""
        values = settings(self._space, self._start, trial.params)
        changes = [f"{name}={as_text(value)}" for name, value in values.items() if value != self._start.get(name)]
        again = ", again" if "attempts" in trial.user_attrs else ""
        is_start = "start" in trial.user_attrs
        self._report(f"trial {trial.number}{again}: {'the start point' if is_start else ', '.join(changes)}")
        began, earlier = self._clock(), float(trial.user_attrs.get("seconds", 0.0))
        score, state, why = None, TrialState.PRUNED, None
        try:
            watch = self._watch(trial, values, began, earlier)
            trained = self._train(self._start.replaced(**values), trial.user_attrs["checkpoint"], watch)
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
        best = max(self._outcome.trials(TrialState.COMPLETE), key=lambda one: one.value, default=None)
        best_shown = "" if best is None else f"; best {best.value:.4f} (trial {best.number})"
        self._report(f"  {shown}, {seconds:.0f} s{best_shown}; {max(self._left(), 0) / 60:.1f} minutes left")
        return why in (None, WORSE, NO_TIME)

    def _train(self, config: ModelConfig, name: str, watch: Watch) -> Trained:
        """Trains a model. Its checkpoint stays only if the process stops, or if the budget is too small."""
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
        """Counts trials during which a process was killed as failed, and tries their settings again first."""
        for trial in self._outcome.trials(TrialState.RUNNING):
            process = trial.user_attrs.get("process")
            if process is not None and self._processes.is_alive(process):
                continue
            attempts = trial.user_attrs.get("attempts", 1)
            if attempts < ATTEMPTS or "start" in trial.user_attrs:
                self._study.enqueue_trial(trial.params, user_attrs={**trial.user_attrs, "attempts": attempts + 1})
            self._study.tell(trial.number, state=TrialState.FAIL)

    def _is_over(self) -> bool:
        """Whether the time left is needed for the finalists and the run."""
        seconds = [trial.user_attrs["seconds"] for trial in self._outcome.trials(TrialState.COMPLETE)]
        return self._left() - self._reserve() < min(seconds, default=0.0)

    def _reserve(self) -> float:
        """Seconds that the further seeds of the finalists and the run will take."""
        seconds = [trial.user_attrs["seconds"] for trial in self._outcome.finalists()]
        further = min(len(self._outcome.seeds()) * sum(seconds), SEEDS_SHARE * self._seconds)
        return RUN_FACTOR * max(seconds, default=0.0) + RUN_SECONDS + further

    def _best(self) -> float:
        """The best score of a finished trial."""
        return max((trial.value for trial in self._outcome.trials(TrialState.COMPLETE)), default=-math.inf)

    def _longest(self) -> float:
        """Seconds that a trial may take."""
        start = [trial.user_attrs["seconds"] for trial in self._outcome.finalists() if "start" in trial.user_attrs]
        return max(TRIAL_SHARE * self._seconds, *start, 0.0)

    def _left(self) -> float:
        """Seconds of the budget that are left."""
        return self._seconds - self.spent()

    def _save_time(self) -> None:
        """Records the time that is spent, or takes over the longer time that another process has recorded."""
        spent, recorded = self.spent(), float(self._study.user_attrs.get("seconds", 0.0))
        if recorded > spent:
            self._earlier += recorded - spent
        else:
            self._study.set_user_attr("seconds", round(spent, 1))
