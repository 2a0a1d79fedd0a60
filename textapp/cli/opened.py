"""A run or a bundle, whichever a path holds, behind one face."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from textapp.cli.native_log import native_log_hidden
from textapp.errors import InputError
from textapp.files import read_json

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from textapp.runtime import Prediction, Tagger
    from textapp.runtime.tagger import Inputs


class Classifier(Protocol):
    """What `evaluate` and `predict` ask of a model of labels."""

    labels: tuple[str, ...]
    max_tokens: int

    def predict(self, texts: Iterable[str]) -> "list[Prediction]":
        """Labels, probabilities and attention of texts."""

    def label_indices(self, texts: Iterable[str]) -> Iterable[int]:
        """The class of each text."""


def task_of(path: Path) -> str | None:
    """The task of a finished run; None for all else, of which it is said elsewhere what is wrong with it."""
    try:
        metrics = read_json(path / "metrics.json")
    except InputError:
        return None
    return metrics.get("task") if isinstance(metrics, dict) else None


def open_model(path: Path) -> "Classifier | Tagger":
    """Opens a bundle with the runtime alone, a run with Keras.

    Raises:
        InputError: The path is neither, or what it holds is broken.
    """
    if (path / "bundle.json").exists():
        from textapp.runtime import load

        with native_log_hidden():
            return load(path)
    if (path / "config.json").exists():
        return _open_tag_run(path) if task_of(path) == "ner" else _OpenedRun(path)
    what = "no run folder or bundle (neither config.json nor bundle.json in it)" if path.exists() else "no such folder"
    raise InputError(f"{path}: {what}")


def _open_tag_run(path: Path) -> "Tagger":
    """A run of a tagger, in the terms of the runtime."""
    from textapp.runtime import Tagger
    from textapp.runtime.decoding import TagDecoder

    with native_log_hidden():
        from textapp.training.ner_run import NerRun
        from textapp.training.tag_logits import TagLogits

        run = NerRun.load(path)
        logits = TagLogits(run.model)

    def score(inputs: "Inputs") -> "NDArray[np.float32]":
        with native_log_hidden():
            return logits.score(inputs)

    decoder = None if logits.crf_scores is None else TagDecoder(*logits.crf_scores)
    config = run.config
    return Tagger(run.tokenizer, run.encoder, run.tag_set, decoder, config.max_tokens, score, config.retokenize)


class _OpenedRun:
    """A run of a classifier, predicting in the terms of the runtime."""

    def __init__(self, path: Path):
        with native_log_hidden():
            from textapp.training.predictor import RunPredictor
            from textapp.training.run import Run

            self._predictor = RunPredictor(Run.load(path))
        self.labels = tuple(self._predictor.run.labels)
        self.max_tokens = self._predictor.max_tokens

    def predict(self, texts: Iterable[str]) -> "list[Prediction]":
        with native_log_hidden():
            return [self._predict(text) for text in texts]

    def _predict(self, text: str) -> "Prediction":
        from textapp.runtime.predictor import prediction_from

        tokens = self._predictor.run.tokenizer.tokenize(text)
        read = tokens[: self.max_tokens]
        logits, weights = self._predictor.score([token.text for token in read])
        return prediction_from(self.labels, read, logits.tolist(), weights.tolist(), len(tokens) > len(read))

    def label_indices(self, texts: Iterable[str]) -> Iterable[int]:
        with native_log_hidden():
            return self._predictor.classify(texts)
