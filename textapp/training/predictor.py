"""A run as a predictor of `textapp.runtime`: the device half of the task with a Keras model."""

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from textapp.data.batches import model_inputs
from textapp.data.rows import encode_rows
from textapp.files import temporary_folder
from textapp.layers import AttentionPooling, attention_scores
from textapp.runtime.predictor import Inputs, Outputs, Predictor
from textapp.task import device
from textapp.training.ngram_model import with_ngrams
from textapp.training.outputs import RowOutputs
from textapp.training.run import Run


def run_predictor(run: Run) -> Predictor:
    """Makes a predictor of a finished run. Its results equal those of the run's bundle, except for quantization."""
    task, model = run.task, run.task.device_model(run.model)
    files = {**task.files(run.targets), **task.device_files(run.model, run.targets)}
    with temporary_folder() as folder:  # only the task knows how to write its files
        contents = {}
        for name, save in files.items():
            save(folder / name)
            contents[name] = (folder / name).read_bytes()
    fields = task.device_fields(run.config, run.model, run.targets)
    scorer = _Scorer(model, per_token=task.unit == "token")
    predictor: Predictor = device(task.name).predictor(
        run.tokenizer, run.encoder, run.targets, fields, contents, run.folder, run.config.data.max_tokens, scorer
    )
    predictor.ngrams = run.ngrams
    return predictor


def run_decisions(run: Run, examples: Any) -> list[Any]:
    """The decisions of a run about all examples, as `decide` of its predictor gives them, computed in batches."""
    task = run.task
    rows = task.rows(run.config, examples, run.targets, run.tokenizer, keep_empty=True)
    encoded = encode_rows(rows, run.encoder)
    outputs = RowOutputs(run.model, task.decoded(run.model), per_token=task.unit == "token")
    return task.decisions(encoded, with_ngrams(run.ngrams, encoded, outputs(encoded)), run.targets)


def run_scores(run: Run, examples: Any) -> dict[str, Any]:
    """The scores of a run on examples, as its training computes them: texts without tokens do not count."""
    task = run.task
    rows = encode_rows(task.rows(run.config, examples, run.targets, run.tokenizer), run.encoder)
    outputs = RowOutputs(run.model, task.decoded(run.model), per_token=task.unit == "token")
    return task.score(examples, rows, with_ngrams(run.ngrams, rows, outputs(rows)), run.targets)


class _Scorer:
    """A Keras model on one text at a time; `textapp.runtime.predictor.Score`."""

    def __init__(self, model: keras.Model, per_token: bool):
        self._per_token = per_token
        self._has_attention = any(isinstance(layer, AttentionPooling) for layer in model.layers)
        signature = keras.tree.map_structure(lambda tensor: tf.TensorSpec(tensor.shape, tensor.dtype), model.input)
        scores = attention_scores(model) if self._has_attention else lambda inputs: (model(inputs, training=False), ())
        # A recurrent layer in eager mode takes a tenth of a second per text.
        self._scores = tf.function(scores, input_signature=[signature], autograph=False)

    def __call__(self, inputs: Inputs) -> Outputs:
        """Runs the model on the tokens of one text."""
        count = len(inputs["token_ids"])
        rows = {}
        for name, ids in inputs.items():
            rows[name] = np.zeros(
                (1, max(2, count), *ids.shape[1:]), np.int32
            )  # Keras warns of a softmax over one step
            rows[name][0, :count] = ids
        logits, weights = self._scores(model_inputs(rows))
        outputs = np.asarray(logits)[0]
        attention = np.asarray(weights)[0, :count] if self._has_attention else None
        return Outputs(outputs[:count] if self._per_token else outputs, attention)
