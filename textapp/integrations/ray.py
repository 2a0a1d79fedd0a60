"""Predictions of a bundle inside Ray Data."""

import os
from typing import Any

import numpy as np
from numpy.typing import NDArray

from textapp.runtime.loading import load


class BatchPredictor:
    """A class for `ray.data.Dataset.map_batches`: it adds the columns of the predictions to each batch.

    Each actor opens the bundle by its path, which all machines must have; nothing of the model is pickled. A classifier
    adds `predicted_label`, `predicted_probability`, `predicted_probs` and `predicted_truncated`, a tagger
    `predicted_spans`, a list of structures.

    Give each actor less than a CPU, or the cluster more CPUs than actors: Ray Data reads files with the CPUs that are
    left, and waits without a word where none is.

    Args:
        bundle: The bundle's folder.
        text_column: Name of the column of the texts; a missing text counts as an empty one.
        options: `min_confidence` of a classifier, `confidence` of a tagger.

    Example:
        texts = ray.data.read_parquet("texts/")
        texts.map_batches(
            BatchPredictor, fn_constructor_args=("bundle",), batch_size=1024, num_cpus=0.5,
            compute=ray.data.ActorPoolStrategy(size=2),
        ).write_parquet("labelled/")
    """

    def __init__(self, bundle: str | os.PathLike[str], text_column: str = "text", **options: Any):
        self._predictor = load(bundle, threads=1)
        self._text_column, self._options = text_column, options

    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        """The batch, name -> array `(B,)`, with the predictions. Raises `ValueError` if a name is taken."""
        types = self._predictor.column_types(**self._options)
        if taken := sorted(types.keys() & batch.keys()):
            raise ValueError(f"the batch already has a column with the name of a prediction: {', '.join(taken)}")
        texts = ["" if text is None else str(text) for text in batch[self._text_column]]
        columns = self._predictor.columns(texts, **self._options)
        return {**batch, **{name: object_array(values) for name, values in columns.items()}}


def object_array(values: list[Any]) -> NDArray[np.object_]:
    """Values as an array `(B,)`, also where they are lists of one length."""
    array = np.empty(len(values), object)
    array[:] = values
    return array
