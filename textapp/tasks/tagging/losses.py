"""The loss of a tagger, and how far a student is from its teachers."""

from collections.abc import Callable
from typing import Any

import keras
from keras import ops

from textapp.layers import CRF, CRFLoss
from textapp.layers.crf import FORBIDDEN
from textapp.layers.token_loss import TokenLoss
from textapp.tasks.tagging.decoding import crf_of


def tag_loss(model: keras.Model, reduction: str = "sum_over_batch_size") -> CRFLoss | TokenLoss:
    """The negative log-likelihood of a sentence's tags: of whole sequences where the model ends in a CRF."""
    crf = crf_of(model)
    return TokenLoss(reduction) if crf is None else CRFLoss(crf, reduction)


def soft_distance(model: keras.Model) -> Callable[[Any, Any, Any], Any]:
    r"""The cross-entropy of teachers' marginals $p$ and a student's $q$, in nats a sentence.

    $$\sum_t -\sum_k p(y_t = k)\,\log q(y_t = k)$$

    With a CRF $q$ are the marginals over all its sequences, so that its transitions are learned too; otherwise a
    softmax a token. The sum is over a whole sentence, as the loss of the true tags is: learning rate and clipping mean
    the same.

    What the student's CRF forbids at a token, and a teacher without one may still hold possible, is left out of the
    sum: no weight could ever bring it about.

    There is no temperature. That of a CRF would flatten whole sequences, not tokens; from marginals, which is all that
    a mean over teachers leaves, it cannot be recovered.

    Returns:
        A function of marginals `(B, T, K)`, outputs `(B, T, K)` and the mask `(B, T)` to float32 `(B,)`.

    Reference:
        Wang et al. 2020, Structure-Level Knowledge Distillation For Multilingual Sequence Labeling, section 3.2
        (posterior distillation); Hinton et al. 2015, Distilling the Knowledge in a Neural Network.
    """
    crf: CRF | None = crf_of(model)

    def distance(probs: Any, outputs: Any, mask: Any) -> Any:
        if crf is None:
            logs = ops.log_softmax(ops.cast(outputs, "float32"), axis=-1)
        else:
            logs = crf.log_marginals(outputs, mask)
        possible = ops.where(logs > FORBIDDEN / 2, logs, 0.0)
        return -ops.sum(probs * possible, axis=(1, 2))

    return distance
