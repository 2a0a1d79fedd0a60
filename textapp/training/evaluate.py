"""A Keras classifier's logits and scores over encoded examples."""

from typing import Any

import keras
import numpy as np

from textapp.data.pipeline import EncodedExamples, evaluation_batches, sorted_batches
from textapp.data.scores import accuracy, confusion_matrix, macro_f1


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


def classification_scores(labels: np.ndarray, logits: np.ndarray) -> dict[str, Any]:
    """Accuracy, macro F1 and mean cross-entropy in nats.

    Args:
        labels: int `(N,)`.
        logits: float `(N, C)`.

    Returns:
        `accuracy`, `macro_f1`, `loss` and `count`, ready for JSON.
    """
    matrix = confusion_matrix(labels, logits.argmax(axis=1), logits.shape[1])
    shifted = logits - logits.max(axis=1, keepdims=True)
    log_probs = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return {
        "accuracy": accuracy(matrix),
        "macro_f1": macro_f1(matrix),
        "loss": float(-log_probs[np.arange(len(labels)), labels].mean()),
        "count": len(labels),
    }
