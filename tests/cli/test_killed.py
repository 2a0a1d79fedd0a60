"""A training killed with `kill -9` and started again by the same command ends as if nothing had been."""

import numpy as np

from tests.cli.commands import read_json, run_and_kill
from textapp.training.run import Run
from textapp.training.run_folder import CHECKPOINT


def test_a_killed_run_ends_like_one_that_was_not(textapp, classifier, tmp_path):
    folder = tmp_path / "убитый 死"
    command = classifier.train_command(folder)
    run_and_kill(command, (folder / CHECKPOINT).exists)  # written at the end of the first of two epochs
    assert not (folder / "metrics.json").exists()
    (folder / f".{CHECKPOINT}.textapp-a1b2c3d4.npz").write_bytes(b"killed while writing")

    outcome = textapp(*command, "--json")
    assert outcome.code == 0
    assert "epoch 1/2" not in outcome.err
    assert "epoch 2/2" in outcome.err
    assert {path.name for path in folder.iterdir()} == {*(path.name for path in classifier.run.iterdir()), "logs"}
    expected = read_json(classifier.run / "metrics.json")
    assert {**outcome.json, "seconds": 0} == {**expected, "seconds": 0}
    weights, expected_weights = (Run.load(path).model.get_weights() for path in (folder, classifier.run))
    for received, wanted in zip(weights, expected_weights, strict=True):
        np.testing.assert_array_equal(received, wanted)
