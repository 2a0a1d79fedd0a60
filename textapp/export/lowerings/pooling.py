"""The average over a text's tokens, which is finite on a text without tokens."""

from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable("textapp")
class FiniteAveragePooling1D(keras.layers.GlobalAveragePooling1D):
    """`keras.layers.GlobalAveragePooling1D` that gives 0 where the mask leaves no token.

    Keras divides the sum over real tokens by their number, 0 by 0 on the empty text. This layer divides by at least 1,
    so all other texts keep their average. It has no weights.
    """

    def call(self, inputs: Any, mask: Any = None) -> Any:
        """Averages `inputs`, `(B, T, H)`, over the tokens of `mask`, bool `(B, T)`. Returns `(B, H)`."""
        if mask is None:
            return super().call(inputs)
        axis = 1 if self.data_format == "channels_last" else 2
        mask = ops.expand_dims(ops.cast(mask, inputs.dtype), 2 if axis == 1 else 1)
        count = ops.maximum(ops.sum(mask, axis=axis, keepdims=self.keepdims), 1.0)
        return ops.sum(inputs * mask, axis=axis, keepdims=self.keepdims) / count


LOWERED: dict[type, type] = {keras.layers.GlobalAveragePooling1D: FiniteAveragePooling1D}
