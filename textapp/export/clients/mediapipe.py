"""Client `mediapipe`: one file that MediaPipe Tasks' TextClassifier runs, without any of textapp's code.

MediaPipe has its own tokenizer, `textapp.text.bert`. A model that was trained with it has equal scores there; of other
models some tokens get other ids, and how many is measured on the run's sample of its validation split.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from ai_edge_litert.interpreter import Interpreter
from numpy.typing import NDArray

from textapp.errors import InputError, quoted
from textapp.export.clients.files import client_folder
from textapp.export.clients.source import Source
from textapp.export.mediapipe import INPUTS, SIGNATURE, mediapipe_file
from textapp.files import write_text
from textapp.runtime.bundle_format import MODEL
from textapp.runtime.classification import Classifier
from textapp.runtime.loading import load
from textapp.runtime.predictor import Predictor
from textapp.text.characters import counted
from textapp.text.tokenizer import Tokenizer

TOKENIZER = Tokenizer("bert", lowercase=True, normalization="none")
"""The tokenizer that MediaPipe has."""


class MediaPipeModel:
    """The file in LiteRT, with the inputs that MediaPipe gives it.

    Args:
        content: The content of the file.
    """

    def __init__(self, content: bytes):
        self._run = Interpreter(model_content=content).get_signature_runner(SIGNATURE)
        self._length = int(self._run.get_input_details()["input_word_ids"]["shape"][1])

    def probabilities(self, ids: Sequence[int]) -> NDArray[np.float32]:
        """The probability of each label, float32 `(C,)`.

        Args:
            ids: The ids of the tokens of a text, of any number; MediaPipe cuts them to the length of the model.
        """
        # MediaPipe gives [CLS] and [SEP] the ids of their entries; here they are 1, as the graph must leave them out.
        row = [1, *ids[: self._length - 2], 1]
        given = {name: np.zeros((1, self._length), np.int32) for name, _ in INPUTS.values()}
        given["input_word_ids"][0, : len(row)] = row
        given["input_mask"][0, : len(row)] = 1
        return np.asarray(self._run(**given)["probabilities"][0])


def write(source: Source, out: Path) -> None:
    """Writes model.tflite and README.md.

    Raises:
        InputError: MediaPipe cannot run the bundle's model.
    """
    classifier = load(source.bundle, engine="litert")
    assert isinstance(classifier, Classifier)  # `check` says so
    bundle, length, labels = classifier.bundle, classifier.max_tokens, classifier.labels
    assert bundle is not None  # it was loaded from one
    content = mediapipe_file(
        bundle.model,
        bundle.signatures[length],
        bundle.description["temperature"],
        bundle.encoder.vocabulary.tokens,
        labels,
    )
    difference = _difference(source, classifier, MediaPipeModel(content))
    source.report(f"mediapipe: {difference}")
    (out / MODEL).write_bytes(content)
    notes = f"It reads the first {counted(length, 'token')} of a text, and has {counted(len(labels), 'label')}."
    readme = (client_folder("mediapipe") / "README.md").read_text(encoding="utf-8")
    write_text(out / "README.md", f"{readme}\n## This model\n\n{notes}\n{difference[0].upper()}{difference[1:]}.\n")


def check(predictor: Predictor) -> None:
    """Raises `InputError` if MediaPipe cannot run the model of a bundle or of a run, or would give other labels."""
    encoder = predictor.encoder
    pieces = [token for token in encoder.vocabulary.tokens if len(token) > 2 and token.startswith("##")]
    if not isinstance(predictor, Classifier):
        reason = f"MediaPipe's TextClassifier gives each text one label; this model is for {predictor.task}"
    elif list(encoder.inputs) != ["token_ids"]:
        reason = "MediaPipe gives a model words only; this one reads characters or shapes; train one without them"
    elif predictor.ngrams is not None:
        reason = (
            "MediaPipe cannot compute this model's n-grams, and without them it gives other labels; train it again "
            "with --set tokenizer=bert --set ngram_rows=0"
        )
    elif pieces:
        reason = f"vocabulary.txt has {quoted(pieces[0])}, which MediaPipe takes for a piece of a word"
    else:
        return
    raise InputError(f"client mediapipe: {reason}")


def _difference(source: Source, classifier: Classifier, model: MediaPipeModel) -> str:
    """How far MediaPipe's tokens differ from those of the model's tokenizer, as a sentence without a point."""
    tokenizer, encoder = classifier.tokenizer, classifier.encoder
    if tokenizer == TOKENIZER and encoder.form is None:
        return "MediaPipe cuts a text as the model's tokenizer does, so its scores are those of the bundle"
    other = f"MediaPipe cuts a text by other rules than the model's tokenizer ({tokenizer.kind})"
    remedy = "train with --set tokenizer=bert --set ngram_rows=0 for equal ones"
    if source.run is None:
        return f"{other}, so scores differ; export the run to measure how far, or {remedy}"
    sample = source.run.sample()
    same_ids = same_labels = right = right_here = 0
    for text, true_label in zip(sample.texts, sample.labels, strict=True):
        ids = encoder.vocabulary.encode(TOKENIZER.words(text)[: classifier.max_tokens])
        own_ids = encoder.encode(classifier.tokens(text))["token_ids"]
        label = classifier.labels[int(model.probabilities(ids).argmax())]
        own_label = classifier.labels[classifier.quick(text)]
        same_ids += ids == own_ids
        same_labels += label == own_label
        right += label == true_label
        right_here += own_label == true_label
    count = len(sample.texts)
    return (
        f"{other}: of {counted(count, 'validation text')} {same_ids / count:.1%} have the same ids and "
        f"{same_labels / count:.1%} the same label, and the accuracy is {right / count:.4f} instead of "
        f"{right_here / count:.4f}; {remedy}"
    )
