"""Hidden and attention matching: a student that learns from the insides of its teachers too, and its losses.

Both are settings of `textapp distill`. Nothing of them is in the student that is kept.

Reference:
    Romero et al. 2015, FitNets: Hints for Thin Deep Nets, section 2.2 (a student's hidden layer, through a learned
    regressor, against its teacher's); Zagoruyko and Komodakis 2017, Paying More Attention to Attention; Jiao et al.
    2020, TinyBERT, section 3.1 (both, and a linear projection).
"""

from collections.abc import Mapping
from typing import Any

import keras
from keras import ops

from textapp.layers import AttentionPooling, attention_states

SAID, ATTENTION, HIDDEN = "said", "attention", "hidden"
"""Targets of a batch: those of `DistillationLoss`, and those of the two matchings."""

LOGITS = "logits"
SMALLEST = 1e-30  # of an attention weight: its logarithm and its gradient are numbers still in float32


@keras.saving.register_keras_serializable("textapp")
class AttentionLoss(keras.losses.Loss):
    r"""How far a student's attention $q$ is from its teachers' $p$, over the tokens $t$ of a text.

    $$\mathrm{KL}(p \,\|\, q) = \sum_t p_t (\log p_t - \log q_t)$$

    TinyBERT takes the squared distance of the weights, of which a text of many tokens has little: all are small. A row
    of $p$ that is all 0 says nothing, and adds none.

    Call arguments:
        y_true: float `(B, T)`, rows that sum to 1 or are 0.
        y_pred: float32 `(B, T)`, the weights of `AttentionPooling`.
        sample_weight: Optional weights of the rows, `(B,)`.

    Example:
        >>> import numpy as np
        >>> teacher, student = np.array([[1.0, 0.0], [0.0, 0.0]]), np.array([[0.5, 0.5], [0.9, 0.1]])
        >>> round(float(AttentionLoss()(teacher, student)), 4)  # log 2, in one of two rows
        0.3466
    """

    def __init__(self, reduction: str = "sum_over_batch_size", name: str = "attention_loss"):
        super().__init__(name=name, reduction=reduction)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """The loss of each row, float32 `(B,)`."""
        teacher, student = ops.cast(y_true, "float32"), ops.cast(y_pred, "float32")
        ratios = ops.log(ops.maximum(teacher, SMALLEST)) - ops.log(ops.maximum(student, SMALLEST))
        return ops.sum(teacher * ratios, axis=-1)


class MatchingStudent(keras.Model):
    """A student while it learns from its teachers' insides: the same layers, and a projection behind them.

    The losses of the matchings are added to the compiled one, $L + w_a L_a + w_h L_h$: $L_a$ is `AttentionLoss`, $L_h$
    the mean squared distance of the teachers' contexts and the student's pooled one, before its dropout, through a
    linear projection, as the two have other widths. Both are metrics, `attention_loss` and `hidden_loss`.

    In training a forward pass gives more than the logits. Everywhere else it is the student's own, and so are the loss
    and the metrics of a validation: those of students with and without matching compare.

    Args:
        student: A functional model from `token_ids` to logits with an `AttentionPooling` layer; it learns.
        width: D, how many numbers the teachers' contexts have.
        attention_weight: $w_a$; 0 for no such loss.
        hidden_weight: $w_h$; likewise.

    Call arguments:
        inputs: `token_ids`, int32 `(B, T)`.
        training: Whether dropout is on, and more than the logits wanted.

    Returns:
        Logits, float32 `(B, C)`; in training a dictionary of `logits`, `attention`, float32 `(B, T)`, and `hidden`,
        float32 `(B, D)`, of which the last two are there as far as their weights are not 0. `fit` wants targets by the
        same two names, and by `said` those of the compiled loss.

    Example:
        >>> import numpy as np
        >>> from textapp.models.sentiment import sentiment_classifier
        >>> student = sentiment_classifier(100, num_classes=2)
        >>> model = MatchingStudent(student, width=6, attention_weight=1.0, hidden_weight=0.5)
        >>> seen = model(np.array([[5, 6, 7]]), training=True)
        >>> {name: tuple(values.shape) for name, values in seen.items()}
        {'logits': (1, 2), 'attention': (1, 3), 'hidden': (1, 6)}
    """

    def __init__(self, student: keras.Model, width: int, attention_weight: float, hidden_weight: float):
        super().__init__(student.input, student.output, name=student.name)
        weights = {ATTENTION: attention_weight, HIDDEN: hidden_weight}
        losses = {ATTENTION: AttentionLoss, HIDDEN: keras.losses.MeanSquaredError}
        self.matched = {name: weight for name, weight in weights.items() if weight}
        self.distances = {name: losses[name](reduction="mean_with_sample_weight") for name in self.matched}
        self.means = {name: keras.metrics.Mean(f"{name}_loss") for name in self.matched}
        self.states = attention_states(student)
        self.projection = None
        if HIDDEN in self.matched:
            self.projection = keras.layers.Dense(width, dtype="float32", name="context_projection")
            pooling = next(layer for layer in student.layers if isinstance(layer, AttentionPooling))
            self.projection.build(pooling.output.shape)

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        """Runs the student; see the class."""
        if not training:
            return super().call(inputs, training=training, mask=mask)
        logits, context, attention = self.states(inputs, training=True)
        seen = {LOGITS: logits, ATTENTION: attention}
        if self.projection is not None:
            seen[HIDDEN] = self.projection(context)
        return {name: value for name, value in seen.items() if name == LOGITS or name in self.matched}

    def compute_loss(
        self, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None, training: bool = True
    ) -> Any:
        """The compiled loss, and in training the others."""
        loss = super().compute_loss(x, _one_of(y, SAID), _one_of(y_pred, LOGITS), sample_weight, training)
        if isinstance(y_pred, Mapping):
            for name, weight in self.matched.items():
                loss += weight * self.distances[name](y[name], y_pred[name], sample_weight)
        return loss

    def compute_metrics(self, x: Any, y: Any, y_pred: Any, sample_weight: Any = None) -> dict[str, Any]:
        """The compiled metrics, and in training the means of the other losses."""
        if isinstance(y_pred, Mapping):
            for name, mean in self.means.items():
                mean.update_state(self.distances[name].call(y[name], y_pred[name]), sample_weight)
            return super().compute_metrics(x, y[SAID], y_pred[LOGITS], sample_weight)
        own = super().compute_metrics(x, _one_of(y, SAID), y_pred, sample_weight)
        others = {mean.name for mean in self.means.values()}
        return {name: value for name, value in own.items() if name not in others}


def _one_of(values: Any, name: str) -> Any:
    """Of a dictionary the values of that name, else all."""
    return values[name] if isinstance(values, Mapping) else values
