"""Settings that are options of their own."""

import pytest

from textapp.cli.arguments import FREQUENT
from textapp.errors import InputError
from textapp.task import names, task


@pytest.fixture
def trained_with(monkeypatch):
    """The settings, and the names of those that were given, that a command trains with."""
    seen = []

    def train(name, config, out, *, fixed, **_):
        seen.append((config, fixed))
        raise InputError("enough")

    monkeypatch.setattr("textapp.training.train.train", train)
    return seen


def test_an_option_is_the_setting(textapp, classifier, tmp_path, trained_with):
    command = ["train", "classifier", "--train", classifier.files["train"], "--out", tmp_path / "прогон"]
    options = ["--epochs", 3, "--text-column", "текст", "--seed", 7, "--learning-rate", "1e-3", "--set", "units=8"]
    assert textapp(*command, *options).refusal == "enough"
    [(config, fixed)] = trained_with
    assert [config.get(name) for name in ("epochs", "text_column", "seed", "units")] == [3, "текст", 7, 8]
    assert set(fixed) == {"epochs", "text_column", "seed", "learning_rate", "units"}


def test_both_given_differently_is_refused(textapp, classifier, tmp_path):
    command = ["train", "classifier", "--train", classifier.files["train"], "--out", tmp_path / "прогон"]
    refusal = textapp(*command, "--epochs", 3, "--set", "epochs=4").refusal
    assert refusal == "--epochs 3: --set gives epochs too; give one of them"
    assert textapp(*command, "--epochs", "drei").refusal.startswith("--set epochs=drei: ")


def test_each_task_has_the_options_that_are_its_settings(textapp):
    for found in map(task, names()):
        shown = textapp("train", found.model_noun, "--help").out
        for name in FREQUENT:
            assert (f"--{name.replace('_', '-')} " in shown) == (name in found.config.settings())
