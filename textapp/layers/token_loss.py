"""The loss of a tagger without a CRF."""

from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable("textapp")
class TokenLoss(keras.losses.Loss):
    """The negative log-likelihood of the true tags, which are independent of each other, in nats a sequence.

    It equals `CRFLoss` with all transitions 0, so both losses can be compared. Keras' `SparseCategoricalCrossentropy`
    has a loss for each token instead, and accepts no weights of sequences if it ignores some tokens.

    Call arguments:
        y_true: Integer tensor `(B, T)`, tag ids, -1 exactly on padding.
        y_pred: `logits`, float `(B, T, K)`.
        sample_weight: Optional weights of the sequences, `(B,)`.

    Example:
        >>> import numpy as np
        >>> round(float(TokenLoss()(np.array([[0, 1, -1]]), np.zeros((1, 3, 2)))), 4)  # two tokens of two tags: log 4
        1.3863
    """

    def __init__(self, reduction: str = "sum_over_batch_size", name: str = "token_loss"):
        super().__init__(name=name, reduction=reduction)

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        """Ignores the mask of the logits: Keras would weight tokens by it, but these losses are of sequences."""
        return super().__call__(y_true, ops.add(y_pred, 0.0), sample_weight)  # a new tensor, without a mask

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """The loss of each sequence, float32 `(B,)`; 0 for a sequence with only padding."""
        tag_ids = ops.cast(y_true, "int32")
        real = tag_ids >= 0
        log_probs = ops.log_softmax(ops.cast(y_pred, "float32"), axis=-1)
        chosen = ops.take_along_axis(log_probs, ops.expand_dims(ops.where(real, tag_ids, 0), 2), axis=2)[..., 0]
        return -ops.sum(ops.where(real, chosen, 0.0), axis=1)
