"""A search over trainings that cost no time but that of a clock."""

import json
import os
from types import SimpleNamespace

import numpy as np
import pytest

from textapp.errors import InputError
from textapp.search import trials, tune
from textapp.search.trainings import Trained
from textapp.task import task

SECONDS = 10  # of an epoch
KILLED = KeyboardInterrupt


class Clock:
    now = 1_000.0

    def __call__(self):
        return self.now


class FreeTrainings:
    """Trainings whose score depends on the learning rate, the seed and the epoch."""

    def __init__(self, task, files, report):
        self.task, self.clock, self.log, self.stop = task, *SHARED
        assert files.test is not None

    def data(self, config):
        return SimpleNamespace(
            targets=self.task.targets_of_names(["O", "S-好"], "here"), target_counts=np.array([2, 2])
        )

    def train(self, config, checkpoint, watch):
        training = config.training
        self.log.append((training.seed, training.learning_rate))
        self.stop("begin", len(self.log))
        best = score_of(training.learning_rate, training.seed)
        checkpoint.write_bytes(b"")
        for epoch in range(1, training.epochs + 1):
            self.clock.now += SECONDS
            watch(epoch, best * epoch / training.epochs)
        self.stop("end", len(self.log))
        return Trained(best, training.epochs)


def score_of(learning_rate, seed):
    return 0.9 - abs(learning_rate - 0.004) * 50 - 0.01 * seed


SHARED = ()


@pytest.fixture(name="search")
def _search(tmp_path, monkeypatch):
    """Calls `tune` with a learning rate to search alone. Gives the result, the trainings and the lines."""
    global SHARED
    for name in ("данные.tsv", "тест.tsv"):
        (tmp_path / name).write_text("好\t1\n", encoding="utf-8")
    found, clock, out = task("classification"), Clock(), tmp_path / "搜索"
    runs, stops = [], {}

    def stop(when, number):
        if stops.get((when, number)):
            raise stops.pop((when, number))

    def train_run(name, config, place, *, train, valid, test, vectors, force, report):
        files = {"train": os.fspath(train), "valid": valid, "test": os.fspath(test), "vectors": vectors}
        command = {"task": name, "settings": config.to_dict(), **files, "textapp_version": "0"}
        stop("run begins", len(runs))
        place.mkdir(exist_ok=True)
        assert force or not (place / "metrics.json").exists()
        (place / "config.json").write_text(json.dumps(command), encoding="utf-8")
        stop("run", len(runs))
        runs.append(config.training.learning_rate)
        clock.now += SECONDS * config.training.epochs
        score = {found.main_score(FreeTrainings(found, SimpleNamespace(test=1), None).data(config).targets): 0.5}
        metrics = {"valid": score, "test": score, "run": len(runs)}
        (place / "metrics.json").write_text(json.dumps(metrics), encoding="utf-8")
        stop("run ended", len(runs) - 1)
        return metrics

    def search(*, sets=(), stopped=(), **options):
        global SHARED
        log, lines = [], []
        stops.update(stopped)
        SHARED = (clock, log, stop)
        start = found.config().override(["epochs=4", "learning_rate=0.001", *sets])
        fixed = {*start.settings()} - {"learning_rate"}
        options = {"minutes": 12, "train": tmp_path / "данные.tsv", "test": tmp_path / "тест.tsv", **options}
        return (
            tune.tune(found.name, start, out, fixed=fixed, report=lines.append, clock=clock, **options),
            log,
            lines,
        )

    monkeypatch.setattr(os, "fsync", lambda _: None)  # most of the time of these tests
    monkeypatch.setattr(tune, "Trainings", FreeTrainings)
    monkeypatch.setattr(tune, "train_run", train_run)
    monkeypatch.setattr(tune, "draw", lambda result, path: path.write_bytes(b""))
    search.out, search.runs, search.clock, search.folder = out, runs, clock, tmp_path / "搜索.tuning"
    search.stops = stops
    return search


def test_the_best_finalist_over_seeds_is_trained_within_the_budget(search):
    before = search.clock.now
    result, log, _ = search(minutes=14)
    spent = search.clock.now - before
    assert 0.75 * 840 < spent <= 840
    assert log[0] == (0, 0.001)  # the start point
    first, *others = result["finalists"]
    assert first["trial"] == 0
    assert len(others) == 2
    assert first["scores"] == [score_of(0.001, seed) for seed in range(3)]
    assert [len(one["scores"]) for one in others] == [3, 3]
    chosen = result["trials"][result["chosen"]]
    finished = [trial["score"] for trial in result["trials"] if trial["finished"]]
    assert chosen["score"] == max(finished) > first["scores"][0]
    assert search.runs == [chosen["settings"]["learning_rate"]]
    assert result["run"] == {"valid": 0.5, "test": 0.5}
    assert result == json.loads((search.folder / "tune.json").read_text(encoding="utf-8"))
    assert {path.name for path in search.folder.iterdir()} == {"tune.json", "tune.md", "tune.png", "journal.jsonl"}


def test_the_start_point_wins_if_nothing_is_better(search):
    result, log, _ = search(sets=["learning_rate=0.004"])
    assert len(log) > 5
    assert result["chosen"] == 0
    assert search.runs == [0.004]


def test_bad_trials_are_ended_early_and_do_not_count_as_finalists(search):
    result, *_ = search(minutes=20)
    ended = [trial for trial in result["trials"] if trial["why"] == trials.WORSE]
    assert ended
    assert all(trial["seconds"] < 4 * SECONDS for trial in ended)
    assert not {trial["trial"] for trial in ended} & {one["trial"] for one in result["finalists"]}


@pytest.mark.parametrize(
    ("when", "number"),
    [*(("begin", n) for n in (1, 2, 18)), ("end", 4), ("run begins", 0), ("run", 0), ("run ended", 0)],
)
def test_a_killed_search_goes_on_where_it_was(search, when, number):
    before = search.clock.now
    with pytest.raises(KILLED):
        search(stopped={(when, number): KILLED})
    assert "chosen" not in json.loads((search.folder / "tune.json").read_text(encoding="utf-8"))
    counted = len((search.folder / "journal.jsonl").read_text(encoding="utf-8").splitlines())
    result, log, _ = search(minutes=13)
    assert len(search.runs) == 1
    assert search.clock.now - before <= 780
    rates = [trial["settings"]["learning_rate"] for trial in result["trials"]]
    again = [trial for trial in result["trials"] if trial["why"] == "the process was killed"]
    if when in ("begin", "end"):
        assert log[0][1] in rates
        assert len(again) == (number < 18)  # the 18th training is one of a finalist
        if again:
            retried = result["trials"][again[0]["trial"] + 1]
            assert retried["settings"] == again[0]["settings"]
            assert retried["start"] == again[0]["start"]
    else:
        assert log == []  # nothing is searched again, whatever the budget
        assert not again
    assert counted < len((search.folder / "journal.jsonl").read_text(encoding="utf-8").splitlines()) or not log
    assert result["finalists"][0]["trial"] == next(
        trial["trial"] for trial in result["trials"] if trial["start"] and trial["finished"]
    )


def test_settings_whose_training_kills_the_process_are_given_up(search):
    for _ in range(trials.ATTEMPTS):
        with pytest.raises(KILLED):
            search(stopped={("begin", 1 if search.folder.exists() else 3): KILLED})
    result, log, _ = search()
    killed = [trial for trial in result["trials"] if trial["why"] == "the process was killed"]
    assert len(killed) == trials.ATTEMPTS
    assert killed[0]["settings"]["learning_rate"] not in {rate for _, rate in log}


def test_slow_settings_do_not_spend_the_budget(search, monkeypatch):
    train = FreeTrainings.train

    def slowly(self, config, checkpoint, watch):
        def later(epoch, score):
            if config.training.learning_rate > 0.002:
                self.clock.now += 60
            watch(epoch, 0.0 if config.training.learning_rate > 0.002 else score)

        return train(self, config, checkpoint, later)

    monkeypatch.setattr(FreeTrainings, "train", slowly)
    before = search.clock.now
    result, *_ = search()
    assert search.clock.now - before <= 720
    slow = [trial for trial in result["trials"] if trial["settings"]["learning_rate"] > 0.002]
    assert slow
    assert all(trial["why"] == trials.NO_TIME and trial["seconds"] == 140 for trial in slow)


def test_a_training_that_fails_does_not_end_the_search(search):
    result, _, lines = search(stopped={("begin", 3): InputError("training diverged; lower learning_rate")})
    assert result["trials"][2]["why"] == "training diverged; lower learning_rate"
    assert len(result["trials"]) > 5
    assert any("ended: training diverged" in line for line in lines)


def test_a_finalist_that_fails_with_another_seed_does_not_win(search):
    result, *_ = search(stopped={("begin", 18): InputError("training diverged")})
    start, failed, other = result["finalists"]
    assert failed["scores"][1] is None
    assert failed["mean"] is None
    assert result["chosen"] == other["trial"]
    assert other["mean"] > start["mean"]


def test_a_search_in_which_all_fails_ends_with_the_reason(search):
    stopped = {("begin", number): InputError("training diverged") for number in range(1, 50)}
    with pytest.raises(InputError, match="no training of the search ended well: training diverged"):
        search(stopped=stopped)
    assert len(stopped) - len(search.stops) == trials.MOST_FAILURES
    assert search.runs == []


def test_too_few_minutes_are_refused_and_more_go_on(search):
    before = search.clock.now
    for minutes, rule in (
        (
            0.1,
            "--minutes 0.1: is 6 seconds, too short to read .* 20 seconds or more; give --minutes 4 to compare",
        ),
        (1, "--minutes 1: is 60 seconds, too short .*, which take 110 seconds or more; give --minutes 7 to compare"),
    ):
        with pytest.raises(InputError, match=rule):
            search(minutes=minutes)
    assert search.clock.now - before <= 66
    result, log, _ = search(minutes=7)
    assert log[0] == (0, 0.001)
    assert search.clock.now - before <= 7 * 60
    assert len(result["finalists"]) > 1
    with pytest.raises(InputError, match="--minutes nan: must be a number above 0"):
        search(minutes=float("nan"))


def test_other_searches_and_runs_are_refused_before_any_work(search, tmp_path):
    with pytest.raises(KILLED):
        search(stopped={("begin", 2): KILLED})
    with pytest.raises(InputError, match=r"holds an unfinished search with other seed, units; use --force"):
        search(seed=3, sets=["units=32"])
    data = tmp_path / "данные.tsv"
    data.write_text("坏\t1\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"данные\.tsv: has changed since the search in .* began"):
        search()
    search(force=True)
    with pytest.raises(InputError, match="holds a finished search; use --force"):
        search()
    for path in (search.folder / "tune.json", search.folder / "journal.jsonl"):
        path.unlink()
    with pytest.raises(InputError, match=r"搜索\.tuning: exists and holds no search"):
        search()
    with pytest.raises(InputError, match="setting stream"):
        search(sets=["stream=true"])


def test_an_old_run_is_replaced_with_force_alone_and_after_the_search(search):
    search()
    old = (search.out / "metrics.json").read_bytes()
    for path in search.folder.iterdir():
        path.unlink()
    search.folder.rmdir()
    with pytest.raises(InputError, match="搜索: holds a run; use --force"):
        search()
    with pytest.raises(KILLED):
        search(force=True, stopped={("begin", 2): KILLED})
    with pytest.raises(KILLED):
        search(stopped={("run begins", 1): KILLED})  # without --force it still has the permission
    assert (search.out / "metrics.json").read_bytes() == old
    assert search()[0]["run"] == {"valid": 0.5, "test": 0.5}
    assert len(search.runs) == 2
    assert (search.out / "metrics.json").read_bytes() != old
