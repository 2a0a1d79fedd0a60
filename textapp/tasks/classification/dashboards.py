"""What TensorBoard shows of a text classifier, as callbacks for any Keras `fit`."""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol

import keras
import numpy as np
import tensorflow as tf
from sklearn.metrics import average_precision_score
from tensorboard.plugins.pr_curve import summary as pr_curve

from textapp.dashboards import Dashboard, EmbeddingProjector, EventLog, GradientNorms, Histograms, Scalars
from textapp.dashboards.figures import draw_confusion_matrix, draw_reliability, escape_markdown, write_figure
from textapp.data.batches import model_inputs
from textapp.data.compiled import compiled
from textapp.layers import attention_scores
from textapp.tasks.classification.scores import confusion_matrix, expected_calibration_error, reliability
from textapp.tasks.classification.validation_scores import ValidationScores, class_probabilities
from textapp.text.characters import one_line, shortened
from textapp.text.token_encoder import TokenEncoder
from textapp.text.tokenizer import Tokenizer

_PROBE = 32  # examples: enough for a stable gradient, and as fast as one training step
_CURVE = "Validation texts of this class (positive) against all others, by the model's probability of the class."
_AREA = "Average precision: area under the precision-recall curve, over all thresholds."
_SAMPLES = (
    "For each class a validation text that the model labels rightly, and one that it does not: the most confident."
)
_RELIABILITY = (
    "Validation texts by the probability of the predicted class. Bars: share of right predictions; the line: that of "
    "honest probabilities; below: number of texts."
)
_COLUMNS = 12  # tokens per row of an attention table
_SHOWN = 120  # characters of a text in the table of right and wrong texts
_BARS = "▁▂▃▄▅▆▇█"


class Scores(Protocol):
    """Labels and class probabilities of the validation set, such as `ValidationScores`."""

    label_names: tuple[str, ...]

    def check(self, model: keras.Model) -> None:
        """Raises `ValueError` if the model, the labels and their names do not fit together."""

    def at(self, model: keras.Model, step: int) -> tuple[np.ndarray, np.ndarray]:
        """Labels int64 `(N,)` and probabilities float32 `(N, C)` at a step of the optimizer."""


def classification_dashboards(
    log_dir: str | os.PathLike[str],
    *,
    validation: tuple[Any, Any] | Iterable[tuple[Any, ...]],
    label_names: Sequence[str] | None = None,
    tokenizer: Tokenizer | None = None,
    encoder: TokenEncoder | None = None,
    texts: Sequence[str] = (),
    true_labels: Sequence[str] = (),
    validation_texts: Sequence[str] = (),
    probe: tuple[Any, Any] | None = None,
    from_logits: bool = True,
    scores: Scores | None = None,
    columns: Mapping[str, Sequence[object]] | None = None,
) -> list[keras.callbacks.Callback]:
    """Makes the callbacks that write TensorBoard's pages, all to one log.

    Args:
        log_dir: Folder of the log, local or remote. Show it with `tensorboard --logdir LOG_DIR`.
        validation: Pair of token ids and labels as arrays, or batches of such pairs (a `tf.data.Dataset`).
        label_names: Name of each class, in the order of the outputs.
        tokenizer: The tokenizer of the texts; needed for `texts`.
        encoder: Converts tokens to ids; needed for `texts`, and for the embedding projector.
        texts: Sample texts whose attention weights are shown; the model then needs an `AttentionPooling` layer.
        true_labels: Their labels, if they are known.
        validation_texts: The texts of the validation set, in the order of `scores`, of which some are shown.
        probe: Inputs and labels of the batch for gradient norms. By default some of `validation`.
        from_logits: Whether the model returns logits, as textapp's do, rather than probabilities.
        scores: Labels and probabilities of the validation set, if another callback computes them; by default they are
            computed from `validation`.
        columns: More columns of the words on the projector's page, see `textapp.dashboards.projector.row_columns`.

    Returns:
        `Scalars`, `GradientNorms`, `Histograms`, `ConfusionMatrix`, `PrecisionRecall` and `ReliabilityDiagram`; with
        an encoder `EmbeddingProjector`; with texts `AttentionTables`; with texts of the validation set `RightAndWrong`.

    Raises:
        ValueError: `texts` are given without tokenizer or encoder.

    Example:
        >>> import numpy as np
        >>> token_ids, labels = np.array([[2, 3], [3, 0]]), np.array([0, 1])
        >>> names = ["negative", "positive"]
        >>> callbacks = classification_dashboards("logs", validation=(token_ids, labels), label_names=names)
        >>> [type(callback).__name__ for callback in callbacks[3:]]
        ['ConfusionMatrix', 'PrecisionRecall', 'ReliabilityDiagram']
    """
    log = EventLog(log_dir)
    scores = scores or ValidationScores(validation, label_names, from_logits)
    callbacks: list[keras.callbacks.Callback] = [
        Scalars(log),
        GradientNorms(log, probe or ValidationScores(validation).probe(_PROBE)),
        Histograms(log),
        ConfusionMatrix(log, scores),
        PrecisionRecall(log, scores),
        ReliabilityDiagram(log, scores),
    ]
    if encoder is not None:
        callbacks.append(EmbeddingProjector(log, encoder.vocabulary.tokens, layer="embedding", columns=columns))
    if validation_texts:
        callbacks.append(RightAndWrong(log, scores, validation_texts))
    if texts:
        if tokenizer is None or encoder is None:
            raise ValueError("`texts` need `tokenizer` and `encoder` too. Received: one of them is None")
        tokens = [tokenizer.words(text) for text in texts]
        callbacks.append(
            AttentionTables(log, tokens, encoder.encode, label_names, from_logits, true_labels=true_labels)
        )
    return callbacks


class _OfScores(Dashboard):
    """A dashboard of the scores of the validation set, which several dashboards share."""

    run = "validation"

    def __init__(self, log: EventLog | str | os.PathLike[str], scores: Scores):
        super().__init__(log)
        self.scores = scores

    def prepare(self) -> None:
        """Scores one batch."""
        self.scores.check(self.model)


class ConfusionMatrix(_OfScores):
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


class PrecisionRecall(_OfScores):
    """Writes precision-recall curves (page "PR Curves") and their areas (`validation/average_precision/LABEL`).

    For two classes there is one curve, that of the second class. For more classes there is one each, the class against
    the rest. A class without a validation text is left out.

    Args:
        log: An `EventLog`, or the path of a folder.
        scores: The validation set, shared with other dashboards.
    """

    def write(self) -> None:
        """Writes a curve and its area for each class."""
        for name, positive, scores in self.one_against_rest():
            write_curve(name, positive, scores)

    def one_against_rest(self) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
        """Yields name, boolean labels `(N,)` and probabilities `(N,)` of each class that has texts."""
        labels, probs = self.scores.at(self.model, self.step)
        for index, name in enumerate(self.scores.label_names):
            positive = labels == index
            if positive.any() and (index == 1 or probs.shape[1] > 2):
                yield name, positive, probs[:, index]


def write_curve(name: str, positive: np.ndarray, scores: np.ndarray) -> None:
    """Writes the precision-recall curve of a class and its area; `positive` boolean `(N,)`, `scores` float `(N,)`."""
    tag = f"validation/precision_recall/{name}"
    curve = pr_curve.pb(tag, positive, scores, description=_CURVE)
    curve.value[0].tag = tag  # without the suffix that `pb` adds
    tf.summary.experimental.write_raw_pb(curve.SerializeToString())
    area = average_precision_score(positive, scores)
    tf.summary.scalar(f"validation/average_precision/{name}", area, description=_AREA)


class ReliabilityDiagram(_OfScores):
    """Draws how often predictions of the validation set are right, by confidence (`validation/reliability_diagram`).

    Args:
        log: An `EventLog`, or the path of a folder.
        scores: The validation set, shared with other dashboards.

    Reference:
        Guo et al. 2017, On Calibration of Modern Neural Networks, section 2.
    """

    def write(self) -> None:
        """Draws the diagram, or nothing if no score is a number."""
        labels, probs = self.scores.at(self.model, self.step)
        if len(labels):
            bins = reliability(probs.argmax(axis=1) == labels, probs.max(axis=1))
            figure = draw_reliability(bins, expected_calibration_error(bins))
            write_figure("validation/reliability_diagram", figure, _RELIABILITY)


class RightAndWrong(_OfScores):
    """Writes for each class a text that is labelled rightly and one that is not (page "Text", `right_and_wrong`).

    Args:
        log: An `EventLog`, or the path of a folder.
        scores: The validation set, shared with other dashboards.
        texts: The texts of the validation set, N of them, in the order of the scores.
    """

    def __init__(self, log: EventLog | str | os.PathLike[str], scores: Scores, texts: Sequence[str]):
        super().__init__(log, scores)
        self.texts = texts

    def write(self) -> None:
        """Writes the table, or nothing if a score is not a number."""
        labels, probs = self.scores.at(self.model, self.step)
        if len(labels) == len(self.texts):
            tf.summary.text("right_and_wrong", self.markdown(labels, probs), description=_SAMPLES)

    def markdown(self, labels: np.ndarray, probs: np.ndarray) -> str:
        """The table, from labels `(N,)` and probabilities `(N, C)`: for each class the most confident ones."""
        names, predicted, confidence = self.scores.label_names, probs.argmax(axis=1), probs.max(axis=1)
        rows = ["| true | right | wrong |", "| :- | :- | :- |"]
        for label, name in enumerate(names):
            cells = [escape_markdown(name)]
            for is_right in (True, False):
                found = np.flatnonzero((labels == label) & ((predicted == label) == is_right))
                if not len(found):
                    cells.append("–")
                    continue
                best = int(found[confidence[found].argmax()])
                text = escape_markdown(shortened(one_line(self.texts[best]), _SHOWN))
                guess = "✓" if is_right else f"✗ {escape_markdown(names[predicted[best]])}"
                cells.append(f"{guess} ({confidence[best]:.0%}): {text}")
            rows.append(f"| {' | '.join(cells)} |")
        return "\n".join(rows)


class AttentionTables(Dashboard):
    """Writes the attention weights of sample texts (page "Text", `sample_texts/attention_table_N`).

    The weights are tables of text, because a browser can show any script. A picture would need a font for the script on
    the training machine.

    Args:
        log: An `EventLog`, or the path of a folder.
        texts: The tokens of each text.
        encode: Converts tokens to the model's inputs by name, such as `TokenEncoder.encode`.
        label_names: Name of each class, in the order of the outputs.
        from_logits: Whether the model returns logits, as textapp's do, rather than probabilities.
        layer: Name of the `AttentionPooling` layer. By default the model's first.
        most_tokens: Most tokens of a text that the model reads and the table shows.
        true_labels: The label of each text, in words; empty if they are not known.
    """

    run = "validation"

    def __init__(
        self,
        log: EventLog | str | os.PathLike[str],
        texts: Sequence[Sequence[str]],
        encode: Callable[[Sequence[str]], Mapping[str, Any]],
        label_names: Sequence[str] | None = None,
        from_logits: bool = True,
        layer: str | None = None,
        most_tokens: int = 100,
        true_labels: Sequence[str] = (),
    ):
        super().__init__(log)
        true: Sequence[str | None] = true_labels or [None] * len(texts)
        # A text without tokens has nothing to show, and cuDNN does not accept empty rows.
        self.samples = [
            (tuple(tokens[:most_tokens]), label) for tokens, label in zip(texts, true, strict=True) if len(tokens)
        ]
        self.encode = encode
        self.label_names = label_names
        self.from_logits = from_logits
        self.layer = layer

    def prepare(self) -> None:
        """Makes a model that also returns the weights of the attention layer."""
        scores = attention_scores(self.model, self.layer)
        self._length = self.model.inputs[0].shape[1]
        signature = keras.tree.map_structure(
            lambda tensor: tf.TensorSpec((1, self._length, *tensor.shape[2:]), "int32"), self.model.input
        )
        self._forward = compiled(self.model, scores, [signature])

    def write(self) -> None:
        """Writes a table for each text, except if the model returns NaN."""
        for number, (tokens, true) in enumerate(self.samples, start=1):
            weights, probs = self.attend(tokens)
            if not np.isfinite(weights).all() or not np.isfinite(probs).all():
                continue
            table = attention_table(tokens[: len(weights)], weights, self.title(probs, true))
            tf.summary.text(f"sample_texts/attention_table_{number}", table)

    def attend(self, tokens: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """Attention weights `(T,)` and class probabilities `(C,)` of one text."""
        # One text needs no padding, except in a model of fixed length, which may also cut the text.
        length = self._length or len(tokens)
        rows = {}
        for name, ids in self.encode(tokens).items():
            values = np.array(ids, np.int32)[:length]
            rows[name] = np.zeros((1, length, *values.shape[1:]), np.int32)
            rows[name][0, : len(values)] = values
        outputs, weights = self._forward(keras.tree.map_structure(tf.constant, model_inputs(rows)))
        return np.asarray(weights)[0, : len(tokens)], self.probabilities(outputs)[0]

    def probabilities(self, outputs: Any) -> np.ndarray:
        """The probabilities of a model's outputs, float32 `(B, C)`."""
        return class_probabilities(outputs, self.from_logits)

    def title(self, probs: np.ndarray, true: str | None = None) -> str:
        """The title line for a text with these probabilities, `(C,)`, and this label, if it is known."""
        predicted = int(probs.argmax())
        label = self.label_names[predicted] if self.label_names else f"class {predicted}"
        line = f"predicted: {label} ({probs[predicted]:.0%})"
        return line if true is None else f"true: {true}, {line} {'✓' if label == true else '✗'}"


def attention_table(tokens: Sequence[str], weights: np.ndarray, title: str) -> str:
    """Makes tables of three rows: the tokens, a bar for each weight, the weight in percent.

    Args:
        tokens: The tokens, one or more.
        weights: Float `(T,)`; the largest has the highest bar.
        title: Line above the tables.

    Returns:
        Markdown for TensorBoard's text page, which shows tables but no colours.
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


class EpochScores:
    """`Scores` from a `textapp.training.validation.ValidationScores`.

    Args:
        validation: That callback. It must be before the dashboards in the list of callbacks.
        label_names: Name of each class.
    """

    def __init__(self, validation: Any, label_names: Sequence[str]):
        self.validation = validation
        self.label_names = tuple(label_names)

    def check(self, model: keras.Model) -> None:
        """Nothing to check: labels and model come from the same training."""

    def at(self, model: keras.Model, step: int) -> tuple[np.ndarray, np.ndarray]:
        """See `Scores`; with the temperature of the epoch. Rows with scores that are not finite are left out."""
        del model, step
        logits = self.validation.decoded / self.validation.calibrated.temperature
        finite = np.isfinite(logits).all(axis=1)
        powers = np.exp(logits[finite] - logits[finite].max(axis=1, keepdims=True))
        return self.validation.rows.targets[finite].astype(np.int64), powers / powers.sum(axis=1, keepdims=True)
