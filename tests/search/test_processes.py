"""Several processes at one search: each training once, what a killed one trained again, one result."""

import json
import os
import signal
import time
from types import SimpleNamespace

import numpy as np
import pytest

from tests.search.forks import PATIENCE, forked, lines_of, wait_until, write_line
from textapp.output_files import Occupied, locked
from textapp.search import processes, trials, tune
from textapp.search.processes import Processes
from textapp.search.trainings import Trained
from textapp.task import task

SECONDS = 0.02  # of an epoch
EPOCHS = 4


class SlowTrainings:
    """Trainings that take a moment and write down who trained what."""

    log, stuck_at = None, None

    def __init__(self, task, files, report):
        self.task, self.count = task, 0

    def data(self, config):
        targets = self.task.targets_of_names(["O", "S-好"], "here")
        return SimpleNamespace(targets=targets, target_counts=np.array([2, 2]))

    def train(self, config, checkpoint, watch):
        self.count += 1
        training = config.training
        write_line(self.log, [os.getpid(), checkpoint.name, training.learning_rate, training.seed])
        if self.count == self.stuck_at:
            checkpoint.write_bytes(b"")
            write_line(self.log, [os.getpid(), "stuck"])
            time.sleep(PATIENCE)
        score = 0.9 - abs(training.learning_rate - 0.004) * 50 - 0.01 * training.seed
        for epoch in range(1, EPOCHS + 1):
            time.sleep(SECONDS)
            watch(epoch, score)
        return Trained(score, EPOCHS)


@pytest.fixture(name="search")
def _search(tmp_path, monkeypatch):
    """Calls `tune` in this process, on files of `tmp_path`."""
    (tmp_path / "данные.tsv").write_text("好\t1\n", encoding="utf-8")
    found, out = task("classification"), tmp_path / "搜索"
    search = SimpleNamespace(folder=tmp_path / "搜索.tuning", log=tmp_path / "log", runs=tmp_path / "runs")
    search.results = tmp_path / "results"

    def train_run(name, config, place, *, train, valid, test, vectors, force, report):
        time.sleep(SECONDS)
        write_line(search.runs, [os.getpid(), config.training.learning_rate])
        place.mkdir()
        command = {"task": name, "settings": config.to_dict(), "train": os.fspath(train), "textapp_version": "0"}
        (place / "config.json").write_text(json.dumps(command), encoding="utf-8")
        metrics = {"valid": {found.main_score(SlowTrainings(found, None, None).data(config).targets): 0.5}}
        (place / "metrics.json").write_text(json.dumps(metrics), encoding="utf-8")
        return metrics

    def call(stuck_at=None, seconds=2.5, **options):
        SlowTrainings.stuck_at = stuck_at
        start = found.config().override([f"epochs={EPOCHS}", "learning_rate=0.001"])
        options = {"fixed": {*start.settings()} - {"learning_rate"}, "train": tmp_path / "данные.tsv", **options}
        result = tune.tune(found.name, start, out, minutes=seconds / 60, report=lambda _: None, **options)
        write_line(search.results, [os.getpid(), result is not None])

    SlowTrainings.log = search.log
    monkeypatch.setattr(os, "fsync", lambda _: None)
    monkeypatch.setattr(tune, "Trainings", SlowTrainings)
    monkeypatch.setattr(tune, "train_run", train_run)
    monkeypatch.setattr(tune, "draw", lambda result, path: path.write_bytes(b""))
    monkeypatch.setattr(trials, "RUN_SECONDS", 0.2)
    monkeypatch.setattr(trials, "WAITING", 0.02)
    monkeypatch.setattr(processes, "PAUSE", 0.005)
    search.call = call
    return search


def test_two_processes_share_the_trainings_of_a_search_and_one_makes_the_run(search):
    children = [forked(search.call) for _ in range(2)]
    assert [os.waitpid(child, 0)[1] for child in children] == [0, 0]
    result = json.loads((search.folder / "tune.json").read_text(encoding="utf-8"))
    trainings = lines_of(search.log)
    assert {line[0] for line in trainings} == {*children}  # both have trained
    names = [line[1] for line in trainings]
    assert len(names) == len({*names})  # each training once
    assert [trial["trial"] for trial in result["trials"]] == [*range(len(result["trials"]))]
    seeds = sum(len(one["scores"]) - 1 for one in result["finalists"])
    assert seeds > 0
    assert len(trainings) == len(result["trials"]) + seeds
    assert [trial["start"] for trial in result["trials"]].count(True) == 1
    ((runner, rate),) = lines_of(search.runs)
    assert rate == result["trials"][result["chosen"]]["settings"]["learning_rate"]
    assert sorted(lines_of(search.results)) == sorted([child, child == runner] for child in children)
    assert {path.name for path in search.folder.iterdir()} == {"tune.json", "tune.md", "tune.png", "journal.jsonl"}
    assert {path.name for path in search.folder.parent.iterdir() if path.name.startswith(".")} == set()


def test_the_trial_of_a_killed_process_is_tried_again_by_another(search):
    killed = forked(lambda: search.call(stuck_at=2))
    wait_until(lambda: [killed, "stuck"] in lines_of(search.log))
    other = forked(search.call)
    wait_until(lambda: any(line[0] == other for line in lines_of(search.log)))
    stuck = next(line for line in reversed(lines_of(search.log)) if line[0] == killed and len(line) > 2)
    assert [other, *stuck[1:]] not in lines_of(search.log)  # the other process leaves a trial that is trained
    os.kill(killed, signal.SIGKILL)
    assert os.waitpid(killed, 0)[1] == signal.SIGKILL
    assert os.waitpid(other, 0)[1] == 0
    assert [other, *stuck[1:]] in lines_of(search.log)  # from the checkpoint of the same name
    result = json.loads((search.folder / "tune.json").read_text(encoding="utf-8"))
    (first,) = [trial for trial in result["trials"] if trial["why"] == "the process was killed"]
    assert any(one["finished"] and one["settings"] == first["settings"] for one in result["trials"])
    assert len(lines_of(search.runs)) == 1


def test_a_process_with_other_settings_or_data_does_not_join(search, capfd):
    first = forked(lambda: search.call(stuck_at=1))
    wait_until(lambda: [first, "stuck"] in lines_of(search.log))
    for force in (False, True):
        assert os.waitpid(forked(lambda force=force: search.call(seed=3, force=force)), 0)[1] >> 8 == 2
        line = capfd.readouterr().err
        assert "holds an unfinished search with other seed, which other processes are at; choose another --out" in line
    (search.folder.parent / "данные.tsv").write_text("坏\t1\n", encoding="utf-8")
    assert os.waitpid(forked(search.call), 0)[1] >> 8 == 2
    assert "has changed since the search" in capfd.readouterr().err
    os.kill(first, signal.SIGKILL)
    os.waitpid(first, 0)
    search.call(force=True, seed=3)  # nobody is at the search any more
    assert lines_of(search.results) == [[os.getpid(), True]]


def test_a_process_is_alive_until_it_is_killed_and_turns_follow_each_other(tmp_path, monkeypatch):
    folder = tmp_path / "папка"
    with Processes(folder) as one, Processes(folder) as two:
        assert one.name != two.name
        assert one.is_alive(one.name)
        assert one.is_alive(two.name)
        with one.turn():
            monkeypatch.setattr(processes, "LONGEST_TURN", 0.0)
            with pytest.raises(Occupied, match="another textapp command is writing to it"), two.turn():
                pass
        with two.turn(), pytest.raises(Occupied), locked(folder):
            pass
    assert not one.is_alive(two.name)
    assert [*tmp_path.iterdir()] == []

    def stay():
        with Processes(folder) as third:
            write_line(tmp_path / "name", third.name)
            time.sleep(PATIENCE)

    child = forked(stay)
    wait_until(lambda: lines_of(tmp_path / "name"))
    (name,) = lines_of(tmp_path / "name")
    assert one.is_alive(name)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    assert not one.is_alive(name)
    assert [path.name for path in tmp_path.iterdir()] == ["name"]
