"""Client onnx: ONNX Runtime gives Keras' logits, for any batch and length."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from textapp.cli.explanation import explanation
from textapp.errors import InputError
from textapp.export.verb import export

SAMPLES = Path(__file__).parents[2] / "samples"
PACKAGES = ("onnx", "onnxruntime", "tf2onnx")


@pytest.fixture(scope="module")
def onnxruntime():
    """ONNX Runtime, where what the extra `onnx` installs is here."""
    for name in PACKAGES:
        pytest.importorskip(name)
    return sys.modules["onnxruntime"]


@pytest.mark.parametrize("sample", ["classifier", "tagger"])
def test_onnx_runtime_gives_the_logits_of_keras(onnxruntime, sample, tmp_path):
    from textapp.training.predictor import run_predictor
    from textapp.training.run import Run

    out = tmp_path / "выход"
    description = export(SAMPLES / sample / "run", out, lengths=[16], clients=["onnx"])
    names = {path.name for path in out.iterdir()}
    assert names == {"model.onnx", "README.md", "bundle.json", "textapp-export.json"} | set(description["sha256"]) - {
        "model.tflite"
    }
    content = (out / "model.onnx").read_bytes()
    assert str(tmp_path).encode() not in content
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    predictor = run_predictor(Run.load(SAMPLES / sample / "run"))
    for row in json.loads((out / "selftest.json").read_text(encoding="utf-8"))["texts"]:
        if len(row["tokens"]) < 2 or row["logits"] is None:
            continue
        ids = {name: np.array(numbers, np.int32) for name, numbers in row["ids"].items()}
        padded = {name: np.stack([np.pad(one, [(0, 3), *[(0, 0)] * (one.ndim - 1)])] * 2) for name, one in ids.items()}
        expected = predictor.score(ids).logits
        [alone] = session.run(["logits"], {name: one[None] for name, one in ids.items()})
        np.testing.assert_allclose(alone[0], expected, atol=1e-4)
        [batch] = session.run(["logits"], padded)
        real = slice(len(row["tokens"])) if sample == "tagger" else slice(None)
        np.testing.assert_allclose(batch[1][real], expected, atol=1e-4)


def test_another_model_than_keras_is_refused(onnxruntime, tmp_path, monkeypatch):
    from textapp.export.clients import onnx

    monkeypatch.setattr(onnx, "keras_logits", lambda model, rows: np.ones((len(rows["token_ids"]), 2), np.float32))
    out = tmp_path / "выход"
    with pytest.raises(InputError, match=r"model\.onnx: a logit differs by .* from Keras'; 0\.0001 is allowed"):
        export(SAMPLES / "classifier/run", out, lengths=[16], clients=["onnx"])
    assert not out.exists()


def test_a_bundle_is_not_enough(tmp_path):
    with pytest.raises(InputError, match="client onnx needs the run that the bundle was made of"):
        export(SAMPLES / "classifier/bundle", tmp_path / "out", clients=["onnx"])


@pytest.mark.parametrize("name", PACKAGES)
def test_a_missing_package_is_named_before_the_work(name, tmp_path, monkeypatch):
    monkeypatch.delitem(sys.modules, "textapp.export.clients.onnx", raising=False)
    for package in PACKAGES:
        monkeypatch.setitem(sys.modules, package, None if package == name else type(sys)(package))
    with pytest.raises(ModuleNotFoundError) as raised:
        export(SAMPLES / "classifier/run", tmp_path / "out", clients=["c", "onnx"])
    assert explanation(raised.value) == (
        f'{name} is not installed; this command needs: pip install "textapp-keras[train,onnx]"'
    )
    assert list(tmp_path.iterdir()) == []
