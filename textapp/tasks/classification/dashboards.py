"""What TensorBoard shows of a text classifier, as callbacks for any Keras `fit`."""

import os
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from sklearn.metrics import average_precision_score
from tensorboard.plugins.pr_curve import summary as pr_curve

from textapp.dashboards import Dashboard, EmbeddingProjector, EventLog, GradientNorms, Histograms, Scalars
from textapp.dashboards.figures import draw_confusion_matrix, escape_markdown, write_figure
from textapp.data.compiled import compiled
from textapp.layers import attention_scores
from textapp.tasks.classification.scores import confusion_matrix
from textapp.tasks.classification.validation_scores import ValidationScores, class_probabilities
from textapp.text.tokenizer import Tokenizer
from textapp.text.vocabulary import Vocabulary

_PROBE = 32  # examples: enough for a steady gradient, and as cheap as one training step
_CURVE = "Validation texts of this class (positive) against all others, by the probability that the model gives it."
_AREA = "Average precision: area under the precision-recall curve, over all thresholds."
_COLUMNS = 12  # tokens side by side in a table of attention
_BARS = "▁▂▃▄▅▆▇█"


def classification_dashboards(
    log_dir: str | os.PathLike[str],
    *,
    validation: tuple[Any, Any] | Iterable[tuple[Any, ...]],
    label_names: Sequence[str] | None = None,
    tokenizer: Tokenizer | None = None,
    vocabulary: Vocabulary | None = None,
    texts: Sequence[str] = (),
    probe: tuple[Any, Any] | None = None,
    from_logits: bool = True,
) -> list[keras.callbacks.Callback]:
    """Makes the callbacks that fill TensorBoard's pages, all of which write to one log.

    Args:
        log_dir: Folder of the log, local or remote. Show it with `tensorboard --logdir LOG_DIR`.
        validation: Pair of token ids and labels as arrays, or batches of such pairs (a `tf.data.Dataset`).
        label_names: Name of each class, in the order of the outputs.
        tokenizer: What made the token ids; needed for `texts`.
        vocabulary: The words of the embedding's rows; needed for `texts`, and for the embedding projector.
        texts: Sample texts whose attention weights are shown; the model then needs an `AttentionPooling` layer.
        probe: Inputs and labels of the batch whose gradient norms are drawn. By default some of `validation`.
        from_logits: Whether the model returns logits, as textapp's do, rather than probabilities.

    Returns:
        `Scalars`, `GradientNorms`, `Histograms`, `ConfusionMatrix` and `PrecisionRecall`; with a vocabulary
        `EmbeddingProjector`; with texts `AttentionTables`.

    Raises:
        ValueError: `texts` are given without tokenizer or vocabulary.

    Example:
        >>> import numpy as np
        >>> token_ids, labels = np.array([[2, 3], [3, 0]]), np.array([0, 1])
        >>> names = ["negative", "positive"]
        >>> callbacks = classification_dashboards("logs", validation=(token_ids, labels), label_names=names)
        >>> [type(callback).__name__ for callback in callbacks]
        ['Scalars', 'GradientNorms', 'Histograms', 'ConfusionMatrix', 'PrecisionRecall']
    """
    log = EventLog(log_dir)
    scores = ValidationScores(validation, label_names, from_logits)
    callbacks: list[keras.callbacks.Callback] = [
        Scalars(log),
        GradientNorms(log, probe or scores.probe(_PROBE)),
        Histograms(log),
        ConfusionMatrix(log, scores),
        PrecisionRecall(log, scores),
    ]
    if vocabulary is not None:
        callbacks.append(EmbeddingProjector(log, vocabulary.tokens))
    if texts:
        if tokenizer is None or vocabulary is None:
            raise ValueError("`texts` need `tokenizer` and `vocabulary` too. Received: one of them is None")
        tokens = [tokenizer.words(text) for text in texts]
        token_ids = [vocabulary.encode(words) for words in tokens]
        callbacks.append(AttentionTables(log, tokens, token_ids, label_names, from_logits))
    return callbacks


class _ScoresDashboard(Dashboard):
    """A dashboard of the scores of the validation set.

    Args:
        log: An `EventLog`, or the path of a folder.
        scores: The validation set, shared with other dashboards.
    """

    run = "validation"

    def __init__(self, log: EventLog | str | os.PathLike[str], scores: ValidationScores):
        super().__init__(log)
        self.scores = scores

    def prepare(self) -> None:
        """Scores one batch."""
        self.scores.check(self.model)


class ConfusionMatrix(_ScoresDashboard):
    """Draws the confusion matrix of the validation set (`validation/confusion_matrix`).

    Args:
        log: An `EventLog`, or the path of a folder.
        scores: The validation set, shared with other dashboards.
    """

    def write(self) -> None:
        """Draws the matrix, or nothing if no score is a number."""
        labels, probs = self.scores.at(self.model, self.step)
        if len(labels):
            names = self.scores.label_names
            counts = confusion_matrix(labels, probs.argmax(axis=1), len(names))
            legend = "; ".join(f"{index} = {name}" for index, name in enumerate(names))
            write_figure(
                "validation/confusion_matrix",
                draw_confusion_matrix(counts, names),
                f"Validation texts by class and prediction. {legend}",
            )


class PrecisionRecall(_ScoresDashboard):
    """Writes precision-recall curves (page "PR Curves") and their areas (`validation/average_precision/LABEL`).

    Two classes have one curve, that of the second; more have one each, the class against the rest. A class without a
    validation text is left out.

    Args:
        log: An `EventLog`, or the path of a folder.
        scores: The validation set, shared with other dashboards.
    """

    def write(self) -> None:
        """Writes a curve and its area for each class."""
        for name, positive, scores in self.one_against_rest():
            tag = f"validation/precision_recall/{name}"
            curve = pr_curve.pb(tag, positive, scores, description=_CURVE)
            curve.value[0].tag = tag  # without the suffix that `pb` adds
            tf.summary.experimental.write_raw_pb(curve.SerializeToString())
            area = average_precision_score(positive, scores)
            tf.summary.scalar(f"validation/average_precision/{name}", area, description=_AREA)

    def one_against_rest(self) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
        """Name, boolean labels `(N,)` and probabilities `(N,)` of each class that has texts."""
        labels, probs = self.scores.at(self.model, self.step)
        for index, name in enumerate(self.scores.label_names):
            positive = labels == index
            if positive.any() and (index == 1 or probs.shape[1] > 2):
                yield name, positive, probs[:, index]


class AttentionTables(Dashboard):
    """Writes the attention weights of sample texts (page "Text", `sample_texts/attention_table_N`).

    The weights are tables of text, because a browser draws any script; a picture would need a font for it on the
    training machine.

    Args:
        log: An `EventLog`, or the path of a folder.
        texts: The tokens of each text.
        token_ids: Their ids, the model's input.
        label_names: Name of each class, in the order of the outputs.
        from_logits: Whether the model returns logits, as textapp's do, rather than probabilities.
        layer: Name of the `AttentionPooling` layer. By default the model's first.
        most_tokens: Tokens of a text that the model reads and the table shows.
    """

    run = "validation"

    def __init__(
        self,
        log: EventLog | str | os.PathLike[str],
        texts: Sequence[Sequence[str]],
        token_ids: Sequence[Sequence[int]],
        label_names: Sequence[str] | None = None,
        from_logits: bool = True,
        layer: str | None = None,
        most_tokens: int = 100,
    ):
        super().__init__(log)
        if [len(tokens) for tokens in texts] != [len(ids) for ids in token_ids]:
            raise ValueError("`texts` and `token_ids` must have the same number of tokens, text by text")
        # A text without tokens has nothing to show, and cuDNN takes no empty row.
        self.samples = [
            (tuple(tokens[:most_tokens]), tuple(ids[:most_tokens]))
            for tokens, ids in zip(texts, token_ids, strict=True)
            if len(tokens)
        ]
        self.label_names = label_names
        self.from_logits = from_logits
        self.layer = layer

    def prepare(self) -> None:
        """Makes a model that returns the weights of the attention layer too."""
        scores = attention_scores(self.model, self.layer)
        self._length = self.model.inputs[0].shape[1]
        self._forward = compiled(self.model, scores, [tf.TensorSpec((1, self._length), "int32")])

    def write(self) -> None:
        """Writes a table for each text; none where the model returns NaN."""
        for number, (tokens, token_ids) in enumerate(self.samples, start=1):
            weights, probs = self.attend(token_ids)
            if not np.isfinite(weights).all() or not np.isfinite(probs).all():
                continue
            predicted = int(probs.argmax())
            label = self.label_names[predicted] if self.label_names else f"class {predicted}"
            title = f"predicted: {label} ({probs[predicted]:.0%})"
            table = attention_table(tokens[: len(weights)], weights, title)
            tf.summary.text(f"sample_texts/attention_table_{number}", table)

    def attend(self, token_ids: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
        """Attention weights `(T,)` and class probabilities `(C,)` of one text."""
        # One text at a time needs no padding; a model of fixed length does, and may cut the text.
        length = self._length or len(token_ids)
        row = np.zeros((1, length), np.int32)
        row[0, : len(token_ids)] = token_ids[:length]
        outputs, weights = self._forward(tf.constant(row))
        return np.asarray(weights)[0, : len(token_ids)], class_probabilities(outputs, self.from_logits)[0]


def attention_table(tokens: Sequence[str], weights: np.ndarray, title: str) -> str:
    """Tables of three rows: the tokens, a bar for the weight of each, the weight in percent.

    Args:
        tokens: The tokens, one or more.
        weights: Float `(T,)`; the largest has the highest bar.
        title: Line above the tables.

    Returns:
        Markdown for TensorBoard's text page, which shows tables, but no colours.
    """
    highest = max(float(weights.max()), 1e-9)
    bars = [_BARS[round(float(weight) / highest * (len(_BARS) - 1))] for weight in np.nan_to_num(weights)]
    parts = [f"**{escape_markdown(title)}**"]
    for start in range(0, len(tokens), _COLUMNS):
        part = slice(start, start + _COLUMNS)
        cells = [escape_markdown(token) for token in tokens[part]]
        numbers = [f"{weight:.0%}" for weight in weights[part]]
        rows = [cells, [":-:"] * len(cells), bars[part], numbers]
        parts.append("\n".join(f"| {' | '.join(row)} |" for row in rows))
    return "\n\n".join(parts)
