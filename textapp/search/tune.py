"""Searches good settings within a budget of minutes, and trains a run with the best ones.

1. The start point, the settings that `textapp train` would use, is trained first.
2. The settings of the presets follow, and then those that Optuna proposes, until the time left is needed for what
   follows. A training that is worse than most others after a quarter, a half or three quarters of its epochs is ended,
   and so is one that would take too long.
3. The finalists, the start point and the two best others, are trained with more seeds. The best mean wins. So the
   winner's mean is never below that of the start point.
4. The run of the winner is trained as `textapp train` does it. Only this run is scored on the test file.

Several processes may do so together, each by the same call. Each takes the next trial or the next seed of a finalist;
one of them trains the run.
"""

import math
import os
import sys
import time
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

from textapp.config import ModelConfig
from textapp.data.readers import file_of
from textapp.errors import InputError
from textapp.files import delete_leftovers, digest, named_errors, read_object, replacing, write_json, write_text
from textapp.search.folder import PROCESSES, end_search, joined, others_at, read_search, replace_search, resumed
from textapp.search.outcome import Outcome
from textapp.search.processes import Processes
from textapp.search.space import search_space
from textapp.search.study import importances, open_study
from textapp.search.trainings import Trainings
from textapp.search.trials import Trials
from textapp.search.tuning_report import draw, markdown
from textapp.task import Files, Report, Task, task
from textapp.text.characters import counted
from textapp.training import run_folder
from textapp.training.pretrained import check_settings
from textapp.training.train import named_files
from textapp.training.train import train as train_run

TUNING, JOURNAL, TABLE, PICTURE = "tune.json", "journal.jsonl", "tune.md", "tune.png"


def tune(
    task_name: str,
    config: ModelConfig,
    out: str | os.PathLike[str],
    *,
    minutes: float,
    train: str | os.PathLike[str],
    valid: str | os.PathLike[str] | None = None,
    test: str | os.PathLike[str] | None = None,
    vectors: str | os.PathLike[str] | None = None,
    fixed: Collection[str] = (),
    automatic: bool = False,
    seed: int = 0,
    force: bool = False,
    report: Report = lambda line: print(line, file=sys.stderr, flush=True),
    clock: Callable[[], float] = time.monotonic,
) -> dict[str, Any] | None:
    """Searches settings and trains a run with the best ones. The same call resumes a search that was killed.

    Where other processes search in the same folder, it joins them.

    Two searches with equal arguments may find different settings, because the speed of the machine decides how many
    trainings the budget allows.

    Args:
        task_name: The task, see `textapp.task.names`.
        config: The start point, of the class `Task.config`; with `automatic`, its fixed settings and those for reading
            the files.
        out: The run folder to make. The search has the folder `OUT.tuning`, with its journal and the results:
            `tune.json`, `tune.md` and `tune.png`.
        minutes: The budget for everything: trials, finalists and the run. Resumed, a search also counts the minutes
            before; its budget may then be another one.
        train: Training examples, as for `textapp.training.train.train`.
        valid: Examples that choose the settings; by default a share of `train`, another one for each seed.
        test: Examples to score the run once, after the search. Before, they are only read, because no training learns
            from a text of them.
        vectors: Word vectors to start from.
        fixed: Names of settings that are not searched.
        automatic: Whether the start point is what `textapp train` chooses for the data.
        seed: Seed of the proposals. The trainings have the seed of `config`, the finalists also the next two.
        force: Whether an existing search and an existing run are replaced. A search that other processes of the same
            command are at is joined.
        report: Receives each line of progress.
        clock: Gives the time in seconds.

    Returns:
        The content of `tune.json`: `command`, `score` (the key and the title of the validation score), `space`,
        `trials`, `finalists`, `importances`, `chosen` (the number of a trial), the scores of the `run`, and `seconds`.
        None if another process trains the run.

    Raises:
        InputError: A file or a setting is wrong, `out` holds something else, or the budget is too small.
    """
    began = clock()
    found, place = task(task_name), Path(out)
    folder = place.with_name(f"{place.name}.tuning")
    files = Files(train, valid, test, vectors)
    check_settings(config, vectors)
    found.check_installed(config)
    if not 0 < minutes < math.inf:
        raise InputError(f"--minutes {minutes:g}: must be a number above 0")
    if config.data.stream:
        raise InputError(
            "setting stream: a search holds the texts in memory; leave it false and search on a part of the file, then "
            "train on the whole file with the settings found"
        )
    of_run = {"task": found.name, "settings": config.to_dict(), **named_files(files)}
    command = {
        **of_run,
        "minutes": minutes,
        "not_searched": sorted(fixed),
        "automatic": automatic,
        "seed": seed,
        "sha256": {os.fspath(path): digest(file_of(path)) for path in files if path is not None},
    }
    run_folder.check_place(place, of_run)
    with Processes(folder) as processes:
        with processes.turn():
            before = _read_unfinished(folder, command, force, processes)
            if before is None or "run" not in open_study(folder / JOURNAL, seed).user_attrs:
                _check_run(place, of_run, force if before is None else before["forced"])
        trainings = Trainings(found, files, report)
        if automatic:
            config = trainings.choose(config, fixed)
            check_settings(config, vectors)
        data = trainings.data(config)
        score = found.monitor(config, data.targets, data.target_counts)
        title = {"loss": "negative loss", **found.score_titles}.get(score, found.main_score_title(data.targets))
        space = search_space(config, fixed, vectors is not None)
        with processes.turn():
            before = _read_unfinished(folder, command, force, processes)  # again: another process may have begun it
            others = others_at(before, processes)
            forced = force if before is None else before["forced"]
            start = {
                "command": command,
                "forced": forced,
                "space": {name: str(kind) for name, kind in space.items()},
                PROCESSES: [*others, processes.name],
            }
            if before is not None and before.get("space") != start["space"]:
                raise InputError(f"{folder}: holds an unfinished search of other values; use --force, or another --out")
            # Files and settings are valid: only now delete an old search.
            if before is None:
                replace_search(folder, TUNING, start, lambda: _delete(folder))
            else:
                write_json(folder / TUNING, start)  # perhaps with another budget
            study = open_study(folder / JOURNAL, seed)
        if others:
            report(joined(others))
            began = clock()  # the others count the time
        presets = [found.preset(name) for name in found.presets]
        outcome = Outcome(study, config, space)
        trials = Trials(outcome, presets, folder, trainings, processes, minutes * 60, title, report, clock, began)
        if "run" not in study.user_attrs:
            trials.search()
            trials.train_finalists()
        with processes.turn():
            begun = study.user_attrs.get("run")
            if "chosen" in read_object(folder / TUNING) or (begun and processes.is_alive(begun["process"])):
                report(f"another process trains the run with the settings found: {place}")
                return None
            if begun is None:
                old = place / run_folder.METRICS
                begun = {"trial": outcome.winner().number, "replaced": digest(old) if old.exists() else None}
            study.set_user_attr("run", {**begun, "process": processes.name})
        chosen = study.trials[begun["trial"]]
        seeds = len(outcome.scores(chosen))
        report(f"chosen: trial {chosen.number}, the best mean of {counted(seeds, 'seed')}; now its run")
        metrics = _train_run(found, outcome.config(chosen), place, files, begun, forced, report)
        with processes.turn():  # another process that starts now deletes temporary files
            for path in folder.glob("checkpoint-*.npz"):  # of trials that were not tried again
                path.unlink()
            result = {
                **start,
                "score": {"key": score, "title": title},
                "trials": [outcome.entry(trial) for trial in study.trials if trial.state.is_finished()],
                "finalists": [
                    {"trial": trial.number, "scores": outcome.scores(trial), "mean": outcome.mean(trial)}
                    for trial in outcome.finalists()
                ],
                "importances": importances(study, space),
                "chosen": chosen.number,
                "run": {name: metrics[name][score] for name in ("valid", "test") if score in metrics.get(name, {})},
                "seconds": round(trials.spent(), 1),
            }
            del result[PROCESSES]
            write_text(folder / TABLE, markdown(result))
            with replacing(folder / PICTURE) as temporary:
                draw(result, temporary)
            end_search(folder, TUNING, result, processes)
        return result


def _train_run(
    task: Task[Any, Any, Any],
    config: ModelConfig,
    place: Path,
    files: Files,
    begun: dict[str, Any],
    forced: bool,
    report: Report,
) -> dict[str, Any]:
    """Trains the run of the winner, or resumes it, and returns its metrics.

    Args:
        task: The task.
        config: The settings.
        place: The run folder.
        files: The files.
        begun: What the study recorded when the search ended: `replaced`, the hash of the metrics of an old run.
        forced: Whether an old run is replaced.
        report: Receives each line of progress.
    """
    ours = {"task": task.name, "settings": config.to_dict(), **named_files(files)}
    if (place / run_folder.CONFIG).exists() and not run_folder.differences(run_folder.read_command(place), ours):
        if not (place / run_folder.METRICS).exists():
            forced = False  # resume it
        elif digest(place / run_folder.METRICS) != begun["replaced"]:  # killed after the training
            return run_folder.read_finished(place)[1]
    return train_run(task.name, config, place, **files._asdict(), force=forced, report=report)


def _check_run(place: Path, of_run: dict[str, Any], forced: bool) -> None:
    """Raises `InputError` now, not after the search, if no run can be made there."""
    with run_folder.reserved(place, of_run, force=True):
        if (place / run_folder.CONFIG).exists() and not forced:
            raise InputError(f"{place}: holds a run; use --force to replace it after the search, or another --out")


def _read_unfinished(folder: Path, command: dict[str, Any], force: bool, processes: Processes) -> dict[str, Any] | None:
    """The content of `tune.json` of an unfinished search to resume or to join; None to start a new one.

    Raises:
        InputError: The folder holds a finished search, another search, or something else.
    """
    with named_errors(folder):
        for name in (TABLE, PICTURE):
            delete_leftovers(folder / name)
    before = read_search(folder, TUNING, "textapp tune", lambda found: "forced" in found)
    if before is None or (force and not others_at(before, processes)):
        return None
    known = {name: value for name, value in before["command"].items() if name not in ("sha256", "minutes")}
    asked = {name: value for name, value in command.items() if name not in ("sha256", "minutes")}
    if known.keys() != asked.keys() or not isinstance(known["settings"], dict):
        raise InputError(f"{folder / TUNING}: not what this version of `textapp tune` writes; use --force")
    differing = run_folder.differences(known, asked)
    return resumed(folder, before, differing, command["sha256"], others_at(before, processes))


def _delete(folder: Path) -> None:
    """Deletes the files of an earlier search except `tune.json`."""
    for path in (folder / JOURNAL, folder / TABLE, folder / PICTURE, *folder.glob("checkpoint-*.npz")):
        path.unlink(missing_ok=True)
