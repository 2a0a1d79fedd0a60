"""Client `onnx`: the Keras model as Keras exports it, beside the text files of the bundle."""

import shutil
from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np
import onnx  # noqa: F401 - Keras' export needs it: that it is missing shows before the work
import onnxruntime
import tf2onnx  # noqa: F401 - likewise

from textapp.export.checks import LOGIT_TOLERANCE, ExportError
from textapp.export.clients.files import client_folder
from textapp.export.clients.source import Source
from textapp.export.model_inputs import (
    TOKENS,
    InputBatch,
    Inputs,
    empty_inputs,
    encoded_tokens,
    keras_logits,
    padded_rows,
    takes_names,
)
from textapp.runtime.bundle_format import MODEL
from textapp.training.run import Run

NAME, OUTPUT = "model.onnx", "logits"
CHECKED_TEXTS = 64  # a recurrent layer with a mask takes milliseconds a text


def write(source: Source, out: Path) -> None:
    """Writes model.onnx, the files of the bundle except model.tflite, and README.md.

    Raises:
        ExportError: ONNX Runtime computes other logits than Keras.
    """
    run = source.run
    assert run is not None  # CLIENTS says that the client needs one
    model = run.task.device_model(run.model)
    texts = _texts(run)
    named = keras.Model(model.input, {OUTPUT: model.output})
    rows = padded_rows(texts, 2)
    named(rows if takes_names(named) else rows[TOKENS])  # Keras exports a model that was called
    named.export(str(out / NAME), format="onnx", verbose=False)
    _check(out / NAME, model, texts)
    for path in source.bundle.iterdir():
        if path.name != MODEL:
            shutil.copyfile(path, out / path.name)
    shutil.copyfile(client_folder("onnx") / "README.md", out / "README.md")


def _texts(run: Run) -> list[Inputs]:
    """Encoded texts of the run's validation sample, one without tokens first."""
    tokens = run.task.compared(run.config, run.sample(), run.tokenizer, run.config.data.max_tokens).rows
    chosen = tokens[:: -(-len(tokens) // CHECKED_TEXTS)]
    texts = [encoded_tokens(row, run.encoder) for row in chosen]
    return [empty_inputs(texts[0]), *texts]


def _check(path: Path, model: keras.Model, texts: Sequence[Inputs]) -> None:
    """Raises `ExportError` unless the file gives Keras' logits, for texts of one length each and padded in a batch."""
    session = onnxruntime.InferenceSession(path.read_bytes(), providers=["CPUExecutionProvider"])
    alone = [padded_rows([text], len(text[TOKENS])) for text in texts if len(text[TOKENS]) > 1]
    batches: list[InputBatch] = [padded_rows(texts, max(2, *(len(text[TOKENS]) for text in texts))), *alone]
    for batch in batches:
        expected = keras_logits(model, batch)
        [received] = session.run([OUTPUT], batch)
        allowed = LOGIT_TOLERANCE["float32"] * max(1.0, float(np.abs(expected).max()))
        difference = float(np.abs(received - expected).max())
        if not difference <= allowed:  # NaN too
            raise ExportError(f"{path}: a logit differs by {difference:.2g} from Keras'; {allowed:.2g} is allowed")
