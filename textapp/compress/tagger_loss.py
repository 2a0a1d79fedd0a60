"""What a tagger that is a student is trained on: true tags and its teachers' marginals, weighed against each other."""

from typing import Any

import keras
from keras import ops

from textapp.layers import CRF, CRFLoss
from textapp.layers.crf import FORBIDDEN, NO_TAG
from textapp.layers.token_loss import TokenLoss

UNLABELLED = -2
"""Stands in the place of a tag id on each token of a sentence that nobody has tagged; `NO_TAG` stands on padding."""


@keras.saving.register_keras_serializable("textapp")
class TagDistillationLoss(keras.losses.Loss):
    r"""The loss of a student that gives a sentence's tags the score of `own`, in nats a sentence.

    $$\alpha\,\mathrm{own}(y) + (1 - \alpha) \sum_t -\sum_k p(y_t = k)\,\log q(y_t = k)$$

    p are the teachers' marginals, q the student's: with a CRF those over all its sequences, so that its transitions are
    taught too; otherwise a softmax a token. Both parts are of whole sentences, as the loss of `textapp train ner` is:
    learning rate and clipping mean the same. A sentence that nobody has tagged has the second part alone, one without
    marginals the first.

    What the student's CRF forbids at a token, and a teacher without one may still hold possible, is left out of the
    sum: no weight could ever bring it about.

    There is no temperature. That of a CRF would flatten whole sequences, not tokens; from marginals, which is all that
    a mean over teachers leaves, it cannot be had any more.

    Args:
        own: The loss of true tags: `CRFLoss` of the layer that the student ends in, or `TokenLoss`.
        alpha: Its weight, in [0, 1].
        reduction: As in `keras.losses.Loss`, over sentences.
        name: As in `keras.losses.Loss`.

    Call arguments:
        y_true: Float `(B, T, 1 + K)`: the tag id, `UNLABELLED`, or `NO_TAG` on padding; then the teachers' marginals,
            all 0 on padding and where there are none.
        y_pred: `potentials`, or of a model without a CRF `logits`, float `(B, T, K)`.
        sample_weight: Optional weights of the sentences, `(B,)`.

    Example:
        >>> import numpy as np
        >>> said = np.array([[[UNLABELLED, 0.5, 0.5], [UNLABELLED, 1.0, 0.0], [NO_TAG, 0.0, 0.0]]])
        >>> round(float(TagDistillationLoss(TokenLoss(), alpha=0.5)(said, np.zeros((1, 3, 2)))), 4)  # half of 2 log 2
        0.6931

    Reference:
        Wang et al. 2020, Structure-Level Knowledge Distillation For Multilingual Sequence Labeling, section 3.2
        (posterior distillation); Hinton et al. 2015, Distilling the Knowledge in a Neural Network.
    """

    def __init__(
        self,
        own: CRFLoss | TokenLoss,
        alpha: float = 0.5,
        reduction: str = "sum_over_batch_size",
        name: str = "tag_distillation_loss",
    ):
        if not 0 <= alpha <= 1:
            raise ValueError(f"`alpha` must be from 0 to 1. Received: alpha={alpha}")
        super().__init__(name=name, reduction=reduction)
        self.own, self.alpha = own, alpha

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        """As in Keras, but for the mask that logits may carry, as `TokenLoss` has it."""
        return super().__call__(y_true, ops.add(y_pred, 0.0), sample_weight)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """The loss of each sentence, float32 `(B,)`; 0 for one of padding only."""
        tag_ids, marginals = ops.cast(y_true[..., 0], "int32"), y_true[..., 1:]
        hard = self.own.call(ops.maximum(tag_ids, NO_TAG), y_pred)  # 0 where no token has a tag
        logs = self._log_marginals(y_pred, tag_ids != NO_TAG)
        possible = ops.where(logs > FORBIDDEN / 2, logs, 0.0)
        soft = -ops.sum(marginals * possible, axis=(1, 2))
        return self.alpha * hard + (1 - self.alpha) * soft

    def _log_marginals(self, outputs: Any, mask: Any) -> Any:
        """The logarithms of the student's marginals, float32 `(B, T, K)`."""
        if not isinstance(self.own, CRFLoss):
            return ops.log_softmax(ops.cast(outputs, "float32"), axis=-1)
        if not isinstance(self.own.layer, CRF):
            raise ValueError("`own` must hold the CRF itself once a model is loaded; see `CRFLoss`")
        return self.own.layer.log_marginals(outputs, mask)

    def get_config(self) -> dict[str, Any]:
        """The arguments; of a CRF its name."""
        own = keras.saving.serialize_keras_object(self.own)
        return {**super().get_config(), "own": own, "alpha": self.alpha}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "TagDistillationLoss":
        """The inverse of `get_config`; a CRF must be given anew, see `CRFLoss`."""
        return cls(**{**config, "own": keras.saving.deserialize_keras_object(config["own"])})
