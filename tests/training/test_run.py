"""The model file of a run, before Keras reads it."""

import zipfile

import pytest

from textapp.data import limits
from textapp.errors import InputError
from textapp.training.run import load_keras


def test_a_model_that_expands_a_lot_is_refused_before_keras_reads_it(tmp_path, monkeypatch):
    monkeypatch.setattr(limits, "FREE_BYTES", 1 << 20)
    with zipfile.ZipFile(tmp_path / "model.keras", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("config.json", b" " * 2_000_000)
    with pytest.raises(InputError, match=r"model\.keras: its compressed data expand more than 100 times, "):
        load_keras(tmp_path / "model.keras")
