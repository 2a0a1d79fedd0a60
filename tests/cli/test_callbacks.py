"""`--callbacks` of the commands that train: what reaches Keras' `fit`."""

import keras
import pytest


@pytest.mark.parametrize("command", ["train", "distill", "quantize"])
def test_callbacks_of_the_user_come_last(textapp, classifier, tmp_path, monkeypatch, command):
    seen = []

    def fit(*_, **options):
        seen.extend(options["callbacks"])
        return [{"loss": 1.0, "val_loss": 0.5}]

    monkeypatch.setattr("textapp.training.train.fit", fit)
    monkeypatch.setattr("textapp.compress.quantize.fit", fit)
    out = tmp_path / "прогон"
    arguments = {
        "train": classifier.train_command(out),
        "distill": ["distill", classifier.run, "--out", out, "--set", "epochs=1"],
        "quantize": ["quantize", classifier.run, "--out", out, "--epochs", 1],
    }[command]
    outcome = textapp(*arguments, "--callbacks", "keras.callbacks:CSVLogger")
    assert outcome.code == 0, outcome.err
    assert isinstance(seen[-1], keras.callbacks.CSVLogger)
    assert seen[-1].filename == str(out)


def test_a_wrong_name_is_refused_before_the_run_is_made(textapp, classifier, tmp_path):
    out = tmp_path / "прогон"
    refusal = textapp(*classifier.train_command(out), "--callbacks", "keras.callbacks:no_such").refusal
    assert refusal == "--callbacks keras.callbacks:no_such: the module keras.callbacks has no function no_such"
    assert not out.exists()
