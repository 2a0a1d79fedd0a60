"""A training killed with `kill -9` and started again by the same command ends as if nothing had been."""

import json
import signal
import subprocess
import sys
import time

import numpy as np

from textapp.training.run import CHECKPOINT, Run

COMMAND = [sys.executable, "-c", "from textapp.cli.main import main; main()"]


def test_a_killed_run_ends_like_one_that_was_not(textapp, run_folder, train_command, tmp_path):
    folder = tmp_path / "убитый 死"
    process = subprocess.Popen([*COMMAND, *train_command(folder)], stderr=subprocess.PIPE)
    deadline = time.monotonic() + 120
    while not (folder / CHECKPOINT).exists():  # written at the end of the first of two epochs
        assert process.poll() is None, process.stderr.read().decode()
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stderr.close()
    assert not (folder / "metrics.json").exists()
    (folder / f".{CHECKPOINT}.a1b2c3d4.npz").write_bytes(b"killed while writing")

    outcome = textapp(*train_command(folder), "--json")
    assert outcome.code == 0
    assert "epoch 1/2" not in outcome.err
    assert "epoch 2/2" in outcome.err
    assert {path.name for path in folder.iterdir()} == {path.name for path in run_folder.iterdir()}
    expected = json.loads((run_folder / "metrics.json").read_text(encoding="utf-8"))
    assert {**outcome.json, "seconds": 0} == {**expected, "seconds": 0}
    weights, expected_weights = (Run.load(path).model.get_weights() for path in (folder, run_folder))
    for received, wanted in zip(weights, expected_weights, strict=True):
        np.testing.assert_array_equal(received, wanted)
