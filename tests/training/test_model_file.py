"""The model file of a run, before Keras reads it."""

import io
import json
import tracemalloc
import zipfile

import h5py
import keras
import numpy as np
import pytest

from textapp.data import limits
from textapp.errors import InputError
from textapp.training.model_file import load_keras


@pytest.fixture
def path(tmp_path):
    keras.utils.set_random_seed(7)
    inputs = keras.Input((3,))
    keras.Model(inputs, keras.layers.Dropout(0.5)(keras.layers.Dense(4)(inputs))).save(tmp_path / "模型.keras")
    return tmp_path / "模型.keras"


def rewrite(path, member, change):
    """Writes an archive anew with one member changed."""
    with zipfile.ZipFile(path) as archive:
        contents = {name: archive.read(name) for name in archive.namelist()}
    contents[member] = change(contents[member])
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in contents.items():
            archive.writestr(name, content)


def with_weights(change):
    """A function that changes the HDF5 file of the weights: `change` receives the group of a layer's variables."""

    def changed(content):
        stream = io.BytesIO(content)
        with h5py.File(stream, "r+") as file:
            change(file["layers/dense/vars"])
        return stream.getvalue()

    return changed


def with_units(units):
    def changed(content):
        text = json.dumps(json.loads(content)).replace('"units": 4', f'"units": {units}')
        assert str(units) in text
        return text.encode()

    return changed


def replaced(variables, **options):
    del variables["0"]
    variables.create_dataset("0", dtype="float32", **options)


def linked(variables):
    del variables["0"]
    variables["0"] = h5py.ExternalLink("/etc/hostname", "x")


def refusal(path):
    tracemalloc.start()
    try:
        with pytest.raises(InputError) as raised:
            load_keras(path)
        assert tracemalloc.get_traced_memory()[1] < 50_000_000
    finally:
        tracemalloc.stop()
    assert "\n" not in str(raised.value)
    return str(raised.value).removeprefix(f"{path}: ")


def test_a_model_comes_back(path):
    model = keras.models.load_model(path)
    texts = np.ones((1, 3), "float32")
    np.testing.assert_array_equal(load_keras(path)(texts), model(texts))


def test_a_model_that_expands_a_lot_is_refused_before_keras_reads_it(tmp_path, monkeypatch):
    monkeypatch.setattr(limits, "FREE_BYTES", 1 << 20)
    with zipfile.ZipFile(tmp_path / "model.keras", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("config.json", b" " * 2_000_000)
    assert refusal(tmp_path / "model.keras").startswith("its compressed data expand more than 100 times, ")


@pytest.mark.parametrize("units", [5, 10**9, 10**15])
def test_layers_without_their_weights_are_refused_before_they_take_memory(path, units):
    rewrite(path, "config.json", with_units(units))
    assert refusal(path).startswith(f"its layers have {4 * units:,} weights, but the file holds 16; ")
    with keras.StatelessScope():  # at its end Keras gives values to the variables that wait for them
        pass


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda variables: replaced(variables, shape=(10**9,)), "its weights expand when they are read"),
        (
            lambda variables: replaced(variables, data=np.zeros(10**6, "float32"), compression="gzip"),
            "its weights expand when they are read",
        ),
        (
            lambda variables: replaced(variables, shape=(9,), external=[("/etc/hostname", 0, 36)]),
            "its weights 'layers/dense/vars/0' are not in the file itself",
        ),
        (linked, "its weights 'layers/dense/vars/0' are not in the file itself"),
    ],
    ids=["not stored", "compressed", "external", "linked"],
)
def test_weights_that_the_file_does_not_hold_are_refused(path, change, message):
    rewrite(path, "model.weights.h5", with_weights(change))
    assert refusal(path).startswith(message)


def test_one_stored_array_counts_once(path):
    """Ten layers of one name's weights would take ten times the file's memory."""

    def share(variables):
        del variables["1"]
        variables["1"] = variables["0"]

    rewrite(path, "model.weights.h5", with_weights(share))
    assert refusal(path).startswith("its layers have 16 weights, but the file holds 12; ")


def test_a_model_without_weights_is_refused(path):
    with zipfile.ZipFile(path.with_name("leer.keras"), "w") as archive:
        archive.writestr("config.json", "{}")
    assert refusal(path.with_name("leer.keras")).startswith("not a Keras model, or a broken one")
