"""The loss of a tagger, and the distance of a student from its teachers."""

from collections.abc import Callable
from typing import Any

import keras
from keras import ops

from textapp.layers import CRF, CRFLoss
from textapp.layers.crf import FORBIDDEN
from textapp.layers.token_loss import TokenLoss
from textapp.tasks.tagging.decoding import crf_of


def tag_loss(model: keras.Model, reduction: str = "sum_over_batch_size") -> CRFLoss | TokenLoss:
    """The negative log-likelihood of a sentence's tags; of the whole sequence if the model ends in a CRF."""
    crf = crf_of(model)
    return TokenLoss(reduction) if crf is None else CRFLoss(crf, reduction)


def soft_distance(model: keras.Model) -> Callable[[Any, Any, Any], Any]:
    r"""The cross-entropy between teachers' marginals $p$ and a student's marginals $q$, in nats per sentence.

    $$\sum_t -\sum_k p(y_t = k)\,\log q(y_t = k)$$

    With a CRF, $q$ are its marginals over all sequences, so that its transitions are learned too; otherwise $q$ is a
    softmax for each token. The sum is over a whole sentence, as in the loss of the true tags, so that learning rate and
    clipping have the same meaning.

    A tag that the student's CRF forbids at a token is left out of the sum, though a teacher without a CRF may give it a
    probability: the student could never learn it.

    There is no temperature. In a CRF it would flatten whole sequences, not tokens. The mean over teachers has only
    marginals, from which flattened sequences cannot be computed.

    Returns:
        A function from marginals `(B, T, K)`, outputs `(B, T, K)` and the mask `(B, T)` to float32 `(B,)`.

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
