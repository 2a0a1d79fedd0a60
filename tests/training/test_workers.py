"""The place of a worker in a cluster, and what a worker that is not the chief may write."""

import json

import pytest

from textapp.errors import InputError
from textapp.training import workers

CLUSTER = {"worker": ["127.0.0.1:1", "127.0.0.1:2"]}


def place(monkeypatch, content):
    monkeypatch.setenv("TF_CONFIG", content if isinstance(content, str) else json.dumps(content))


def test_without_the_variable_one_process_trains(monkeypatch):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    assert workers.task_of_cluster() is None
    assert workers.is_chief()


@pytest.mark.parametrize("index", [0, 1])
def test_worker_0_is_the_chief(monkeypatch, index):
    place(monkeypatch, {"cluster": CLUSTER, "task": {"type": "worker", "index": index}})
    assert workers.task_of_cluster() == (index, CLUSTER["worker"])
    assert workers.is_chief() == (index == 0)


@pytest.mark.parametrize(
    "content",
    [
        "{",
        "[]",
        {"cluster": CLUSTER},
        {"cluster": CLUSTER, "task": {"type": "worker", "index": 2}},
        {"cluster": CLUSTER, "task": {"type": "chief", "index": 0}},
        {"cluster": {**CLUSTER, "ps": ["127.0.0.1:3"]}, "task": {"type": "worker", "index": 0}},
    ],
)
def test_a_broken_cluster_is_named(monkeypatch, content):
    place(monkeypatch, content)
    with pytest.raises(InputError, match="TF_CONFIG"):
        workers.task_of_cluster()


def test_a_worker_writes_nothing_where_the_chief_does(monkeypatch, tmp_path):
    @workers.as_worker
    def train(name, out, *, callbacks=(), report=print):
        report("a line")
        out.mkdir()
        return name, out, callbacks

    place(monkeypatch, {"cluster": CLUSTER, "task": {"type": "worker", "index": 1}})
    monkeypatch.setattr(workers, "cluster_strategy", lambda: "several")  # only the real strategy sends anything
    lines = []
    name, out, callbacks = train("task", tmp_path / "run", callbacks=["one"], report=lines.append)
    assert (name, callbacks, lines) == ("task", (), [])
    assert not (tmp_path / "run").exists()
    assert not out.exists()
