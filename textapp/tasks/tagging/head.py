"""The head of a tagger: logits of each token, and a CRF that chooses the tags of a text together."""

from collections.abc import Callable
from typing import Any

import keras
from keras import layers
from numpy.typing import ArrayLike

from textapp.layers import CRF

AllowedTags = tuple[ArrayLike, ArrayLike, ArrayLike]
"""Which tag may follow which, boolean `(K, K)`, and which may be first and last, `(K,)` each; see `CRF`."""


def tagging_head(
    num_tags: int, dropout: float = 0.5, crf: bool = True, allowed: AllowedTags | None = None
) -> Callable[[Any, Any], Any]:
    """Makes the last part of a tagger: dropout -> logits -> CRF.

    Args:
        num_tags: K, two or more.
        dropout: Rate in [0, 1) before the logits; 0.5 as in the paper.
        crf: Whether the tags of a text are chosen together. If not, the model ends in logits, with a softmax for each
            token.
        allowed: Which tags may follow which, start and end; by default all may.

    Returns:
        A function from `encoded`, float `(B, T, H)`, and `mask`, boolean `(B, T)`, to `potentials` of the layer `crf`,
        float32 `(B, T, K)`, 0 on padding; or with `crf=False` to `logits`, float32 `(B, T, K)`.

    Raises:
        ValueError: There is only one tag, or `allowed` is given without a CRF.

    Reference:
        Lample et al. 2016, Neural Architectures for Named Entity Recognition; Ma and Hovy 2016, End-to-end Sequence
        Labeling via Bi-directional LSTM-CNNs-CRF.
    """
    if num_tags < 2:
        raise ValueError(f"`num_tags` must be 2 or more. Received: num_tags={num_tags}")
    if allowed is not None and not crf:
        raise ValueError("`allowed` needs `crf=True`: a softmax for each token cannot forbid tags. Received: crf=False")

    def head(encoded: Any, mask: Any) -> Any:
        encoded = layers.Dropout(dropout, name="encoded_dropout")(encoded)
        # float32 under mixed precision too: the loss's exponentials overflow half precision.
        logits = layers.Dense(num_tags, dtype="float32", name="logits")(encoded)
        return CRF(*(allowed or ()), name="crf")(logits, mask=mask) if crf else logits

    return head


def without_crf(model: keras.Model) -> tuple[keras.Model, CRF | None]:
    """Splits a tagger into the model up to its logits `(B, T, K)`, and its CRF or None.

    Both share all weights with `model`, which is not changed.
    """
    crf = model.layers[-1]
    if not isinstance(crf, CRF):
        return model, None
    logits = keras.tree.flatten(crf.input)[0]  # the mask comes after it
    return keras.Model(model.input, logits, name=model.name), crf
