"""The loss of a model that ends in a CRF."""

from typing import Any

import keras
from keras import ops

from textapp.layers.crf import CRF


@keras.saving.register_keras_serializable("textapp")
class CRFLoss(keras.losses.Loss):
    """The negative log-likelihood of the true tags, in nats a sequence.

    A loss receives the output of the model, the potentials; but the transitions are weights of the layer. So the loss
    holds the layer: `model.compile(optimizer, CRFLoss(model.get_layer("crf")))`. A file cannot store this reference, so
    a loaded model is compiled again before it is trained further, with the optimizer that it was saved with:
    `model.compile(model.optimizer, CRFLoss(model.get_layer("crf")))`.

    The true tags are -1 on padding (`NO_TAG`), as for
    `keras.losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=-1)`, the loss of a model without a CRF.

    Args:
        layer: The `CRF` that the model ends in. A loaded loss has only its name, and raises when it is called.
        reduction: As in `keras.losses.Loss`, over sequences.
        name: As in `keras.losses.Loss`.

    Call arguments:
        y_true: Integer tensor `(B, T)`, tag ids, -1 exactly on padding.
        y_pred: `potentials`, float `(B, T, K)`.
        sample_weight: Optional weights of the sequences, `(B,)`.

    Example:
        >>> import numpy as np
        >>> from textapp.layers import CRF
        >>> crf = CRF()
        >>> potentials = crf(np.zeros((1, 3, 2)), mask=np.array([[True, True, False]]))
        >>> round(float(CRFLoss(crf)(np.array([[0, 1, -1]]), potentials)), 4)  # one of 2 x 2 sequences: log 4
        1.3863

    Reference:
        Lafferty et al. 2001, Conditional Random Fields, section 4.
    """

    def __init__(self, layer: CRF | str, reduction: str = "sum_over_batch_size", name: str = "crf_loss"):
        if not isinstance(layer, CRF | str):
            raise ValueError(f"`layer` must be the CRF that the model ends in. Received: layer={layer!r}")
        super().__init__(name=name, reduction=reduction)
        self.layer = layer

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """The loss of each sequence, float32 `(B,)`; 0 for a sequence with only padding."""
        if isinstance(self.layer, str):
            raise ValueError(
                f"`layer` must be the CRF itself once a model is loaded: "
                f"model.compile(model.optimizer, CRFLoss(model.get_layer({self.layer!r})))"
            )
        tag_ids = ops.cast(y_true, "int32")
        return -self.layer.log_likelihood(y_pred, tag_ids, mask=tag_ids >= 0)

    def get_config(self) -> dict[str, Any]:
        """The arguments, with the name of the layer."""
        return {**super().get_config(), "layer": self.layer if isinstance(self.layer, str) else self.layer.name}
