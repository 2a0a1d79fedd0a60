"""The Optuna study of a search: its journal on the disk, and settings as Optuna's parameters.

A study maximizes the validation score. Optuna's TPE sampler proposes settings, its median pruner ends trainings early.
"""

import contextlib
import json
import os
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.importance import FanovaImportanceEvaluator, get_param_importances
from optuna.storages import JournalStorage
from optuna.storages.journal import BaseJournalBackend
from optuna.trial import TrialState

from textapp.config import ModelConfig
from textapp.errors import InputError
from textapp.files import named_errors, parse_json
from textapp.search.space import Interval, Searched, Steps

RANDOM_TRIALS = 8  # before the sampler has enough scores to learn from, the start point included
UNPRUNED_TRIALS = 4  # before their median says what is bad
FEWEST_FOR_IMPORTANCE = 8  # finished trials; with fewer, importances are noise
_NAME = "tune"
_OPENED = "opened"  # attribute of the study: how many processes have opened it
_WAY_ON = "restore the file, or search again with --force"


class JournalFile(BaseJournalBackend):
    """A file with a line of JSON for each change of a study, for `optuna.storages.JournalStorage`.

    Several processes may write to it. Optuna's own file backend refuses a file whose last line was cut off by a kill,
    and leaves a lock file that makes the next process wait. This one drops the cut line, and locks the file itself: the
    system ends such a lock with its process.

    Args:
        path: The file. It need not exist.

    Raises:
        InputError: The file cannot be read, or a line is not JSON.
    """

    def __init__(self, path: Path):
        self._path, self._logs, self._size = path, list[dict[str, Any]](), 0
        with self._locked() as file:
            self._read(file)

    def read_logs(self, log_number_from: int) -> list[dict[str, Any]]:
        """The lines from a number on, also those of other processes; the first has the number 0."""
        with named_errors(self._path), self._path.open("rb") as file:
            self._read(file)
        return self._logs[log_number_from:]

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        """Writes lines to the disk."""
        lines = [json.dumps(log, ensure_ascii=False, allow_nan=False) for log in logs]
        with self._locked() as file:
            self._read(file)  # what others wrote comes first
            with named_errors(self._path):
                file.write("".join(f"{line}\n" for line in lines).encode())
                file.flush()
                os.fsync(file.fileno())
                file.seek(self._size)
            self._read(file)

    @contextlib.contextmanager
    def _locked(self) -> Iterator[IO[bytes]]:
        """The open file, locked against other processes, without a last line that a kill cut off."""
        import fcntl

        with named_errors(self._path), self._path.open("a+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            file.seek(self._size)
            whole = self._size + file.read().rfind(b"\n") + 1
            file.truncate(whole)
            yield file

    def _read(self, file: IO[bytes]) -> None:
        """Reads the whole lines that were not read yet. The last line may still be written by another process."""
        with named_errors(self._path):
            file.seek(self._size)
            content = file.read()
        whole = content[: content.rfind(b"\n") + 1]
        for line in whole.splitlines():
            number = len(self._logs) + 1
            try:
                self._logs.append(parse_json(line, self._path))
            except InputError as error:
                raise InputError(f"{self._path}:{number}: is not JSON, so the file was changed; {_WAY_ON}") from error
        self._size += len(whole)


def open_study(path: Path, seed: int) -> optuna.Study:
    """Creates a study, or restores it from its journal.

    Args:
        path: The journal.
        seed: Seed of the sampler. Each process that opens the study has proposals of its own.

    Raises:
        InputError: The file is not what this function's study wrote.
    """
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    pruner = optuna.pruners.MedianPruner(n_startup_trials=UNPRUNED_TRIALS, n_warmup_steps=0)
    journal = JournalFile(path)
    try:
        storage = JournalStorage(journal)
        if storage.get_all_studies():
            study = optuna.load_study(storage=storage, study_name=_NAME, pruner=pruner)
        else:
            study = optuna.create_study(storage=storage, study_name=_NAME, pruner=pruner, direction="maximize")
        number = len(study.trials)
        opened = int(study.user_attrs.get(_OPENED, 0))
    except (optuna.exceptions.OptunaError, AttributeError, KeyError, TypeError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        # Optuna replays the lines without checks.
        raise InputError(f"{path}: is no journal of `textapp tune`; {_WAY_ON}") from error
    study.set_user_attr(_OPENED, opened + 1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)  # of `constant_liar`
        # With the seed alone, a resumed search would propose the first settings again. The sampler counts trials that
        # other processes train as bad ones, so that it does not propose their settings too.
        study.sampler = optuna.samplers.TPESampler(
            n_startup_trials=RANDOM_TRIALS, seed=seed + number + opened, constant_liar=True
        )
    return study


def distributions(space: Mapping[str, Searched]) -> dict[str, BaseDistribution]:
    """Optuna's parameters. One of ordered values is the place of its value, so that Optuna knows their order."""
    found: dict[str, BaseDistribution] = {}
    for name, kind in space.items():
        if isinstance(kind, Interval):
            found[name] = FloatDistribution(kind.low, kind.high, log=kind.log)
        elif isinstance(kind, Steps):
            found[name] = IntDistribution(0, len(kind.values) - 1)
        else:
            found[name] = CategoricalDistribution(kind.values)
    return found


def parameters(space: Mapping[str, Searched], config: ModelConfig) -> dict[str, Any]:
    """The parameters of the settings, or of the nearest that are searched."""
    found: dict[str, Any] = {}
    for name, kind in space.items():
        value = config.get(name)
        if isinstance(kind, Interval):
            found[name] = min(max(value, kind.low), kind.high)
        elif isinstance(kind, Steps):
            found[name] = min(range(len(kind.values)), key=lambda place: abs(kind.values[place] - value))
        else:
            found[name] = value
    return found


def settings(space: Mapping[str, Searched], start: ModelConfig, params: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of parameters. Numbers of an interval have two digits, except those of the start point."""
    found = {}
    for name, kind in space.items():
        value = params[name]
        if isinstance(kind, Steps):
            value = kind.values[value]
        elif isinstance(kind, Interval) and value != start.get(name):
            value = float(f"{value:.2g}")
        found[name] = value
    return found


def importances(study: optuna.Study, space: Mapping[str, Searched]) -> dict[str, float]:
    """The share of each setting in the differences between the scores of finished trials, the largest first.

    Empty if there are too few finished trials to tell, or all have the same score.

    Reference:
        Hutter, Hoos and Leyton-Brown 2014, "An Efficient Approach for Assessing Hyperparameter Importance" (fANOVA).
    """
    scores = [trial.value for trial in study.get_trials(deepcopy=False, states=[TrialState.COMPLETE])]
    if len(scores) < FEWEST_FOR_IMPORTANCE or len(set(scores)) == 1:
        return {}
    return get_param_importances(study, evaluator=FanovaImportanceEvaluator(seed=0), params=list(space))
