"""Trackers, with the real packages and without a network."""

import json
from pathlib import Path

import keras
import numpy as np
import pytest

from textapp.errors import InputError
from textapp.training.tracking import TRACKERS, tracker

SETTINGS = {"units": 32, "text_column": None}
METRICS = {"test": {"accuracy": 0.75, "by_label": {"好": 1.0}}, "epochs": 2, "task": "x", "history": [{"loss": 1.0}]}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A run folder as a training begins it; trackers write beside it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_DIR", str(tmp_path))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", (tmp_path / "store").as_uri())
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    run = tmp_path / "прогон"
    run.mkdir()
    (run / "config.json").write_text(json.dumps({"settings": SETTINGS, "train": "отзывы.tsv", "textapp_version": "0"}))
    return run


def fit(one, epochs=2):
    """A training of two `fit`s, as a resumed one is."""
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile(loss="mse")
    for epoch in range(epochs):
        model.fit(np.ones((4, 1)), np.ones((4, 1)), initial_epoch=epoch, epochs=epoch + 1, callbacks=[one], verbose=0)


def test_mlflow_gets_settings_scores_and_the_end(folder):
    mlflow = pytest.importorskip("mlflow", reason="the extra tracking is not installed")
    with tracker("mlflow", folder) as one:
        fit(one)
        place = one.finish(METRICS)
        number = one._run.info.run_id
    assert number in place
    client = mlflow.MlflowClient()
    run = client.get_run(number)
    assert run.info.run_name == folder.name
    assert run.info.status == "FINISHED"
    assert run.data.params["units"] == "32"
    assert run.data.params["train"] == "отзывы.tsv"
    assert run.data.params["run_folder"] == str(folder)
    assert [point.step for point in client.get_metric_history(number, "loss")] == [0, 1]
    assert run.data.metrics["test/accuracy"] == 0.75
    assert run.data.metrics["epochs"] == 2
    assert not {"task", "history", "test/by_label"} & set(run.data.metrics)


def test_mlflow_knows_of_a_failed_training(folder):
    mlflow = pytest.importorskip("mlflow", reason="the extra tracking is not installed")
    one = tracker("mlflow", folder)
    fit(one, epochs=1)
    number = one._run.info.run_id
    with pytest.raises(ZeroDivisionError), one:
        raise ZeroDivisionError
    assert mlflow.MlflowClient().get_run(number).info.status == "FAILED"


def test_wandb_works_offline(folder):
    wandb = pytest.importorskip("wandb", reason="the extra tracking is not installed")
    with tracker("wandb", folder) as one:
        fit(one)
        place = one.finish(METRICS)
        assert dict(one._run.config)["units"] == 32
        assert one._run.summary["test/accuracy"] == 0.75
        assert one._run.summary["epoch"] == 1
    assert wandb.run is None
    assert list(Path(place).glob("*.wandb"))


def test_a_command_that_fails_before_its_training_leaves_nothing(folder):
    for name in TRACKERS:
        pytest.importorskip(name, reason="the extra tracking is not installed")
        with pytest.raises(ZeroDivisionError), tracker(name, folder):
            raise ZeroDivisionError
    assert list(folder.parent.iterdir()) == [folder]


def test_a_tracker_that_refuses_is_one_line(folder, monkeypatch):
    pytest.importorskip("mlflow", reason="the extra tracking is not installed")
    monkeypatch.delenv("MLFLOW_ALLOW_FILE_STORE")
    with tracker("mlflow", folder) as one, pytest.raises(InputError, match=r"^--track mlflow: .*MLFLOW_TRACKING_URI"):
        one.on_train_begin()


def test_another_tracker_is_refused(folder):
    with pytest.raises(InputError, match="excel: must be one of wandb, mlflow"):
        tracker("excel", folder)
