"""A Keras classifier's logits over encoded examples."""

import keras
import numpy as np

from textapp.data.pipeline import EncodedExamples, evaluation_batches, sorted_batches


def predict_logits(model: keras.Model, examples: EncodedExamples, batch_size: int = 256) -> np.ndarray:
    """Runs the model over all examples, short ones together.

    Returns:
        float32 `(N, C)`, in the order of `examples`.
    """
    order = np.concatenate(sorted_batches(examples.lengths, batch_size))
    logits = np.asarray(model.predict(evaluation_batches(examples, batch_size), verbose=0), np.float32)
    restored = np.empty_like(logits)
    restored[order] = logits
    return restored
