"""Predictions of a bundle inside Spark."""

import functools
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from textapp.integrations.ray import object_array
from textapp.runtime.loading import load

if TYPE_CHECKING:
    from textapp.runtime.predictor import ColumnType

Predict = Callable[[Any], Any]


def predict_udf(bundle: str | os.PathLike[str], batch_size: int = 1024, **options: Any) -> Any:
    """A function of one column of texts for Spark's data frames, made by `pyspark.ml.functions.predict_batch_udf`.

    Each Python worker opens the bundle by its path, which all machines must have; nothing of the model is pickled. The
    value is a structure. Of a classifier: `predicted_label`, `predicted_probability`, `predicted_probs` (an array, in
    the order of labels.txt) and `predicted_truncated` (0 or 1); of a tagger: `predicted_spans`, an array of structures.
    The workers need pandas, pyarrow and textapp: set PYSPARK_PYTHON to the Python that has them.

    Args:
        bundle: The bundle's folder.
        batch_size: Texts that a worker predicts at a time.
        options: `min_confidence` of a classifier, `confidence` of a tagger.

    Example:
        predicted = predict_udf("bundle")(texts["text"])
        texts.withColumn("p", predicted).select("*", "p.*").drop("p").write.parquet("labelled/")
    """
    from pyspark.ml.functions import predict_batch_udf  # extra `spark`

    types = load(bundle, threads=1).column_types(**options)
    make = functools.partial(make_predict_fn, os.fspath(Path(bundle).absolute()), **options)
    return predict_batch_udf(make, return_type=spark_type(types), batch_size=batch_size)


def make_predict_fn(bundle: str, **options: Any) -> Predict:
    """Opens a bundle, and returns a function from texts `(B,)` to what Spark takes for the type of `spark_type`.

    Spark takes lists of one length, as the probabilities, as arrays `(B, C)` in a dictionary of columns; lists of any
    length, as spans, only as one array in each of B dictionaries.
    """
    predictor = load(bundle, threads=1)
    types = predictor.column_types(**options)

    def predict(texts: Any) -> Any:
        columns = predictor.columns(["" if text is None else str(text) for text in texts], **options)
        if not any(isinstance(kind, list) for kind in types.values()):
            return {name: _array(values, types[name]) for name, values in columns.items()}
        names = list(columns)
        return [dict(zip(names, row, strict=True)) for row in zip(*map(_cells, columns.values()), strict=True)]

    return predict


def spark_type(kind: "ColumnType", is_inner: bool = False) -> Any:
    """The type of Spark for the types of `Predictor.column_types`, as far as `predict_batch_udf` takes them.

    Probabilities are an array of them, truth values the integers 0 and 1.
    """
    from pyspark.sql import types

    if isinstance(kind, list):
        return types.ArrayType(spark_type(kind[0]))
    if isinstance(kind, dict) and is_inner:
        return types.ArrayType(types.DoubleType())
    if isinstance(kind, dict):
        return types.StructType([types.StructField(name, spark_type(each, True)) for name, each in kind.items()])
    return {
        "string": types.StringType,
        "double": types.DoubleType,
        "long": types.LongType,
        "boolean": types.IntegerType,
    }[kind]()


def _array(values: list[Any], kind: "ColumnType") -> Any:
    """The values of a column `(B,)`, of probabilities `(B, C)`."""
    cells = _cells(values)
    return np.array(cells) if isinstance(kind, dict) else object_array(cells)


def _cells(values: list[Any]) -> list[Any]:
    """The values of a column, lists and structures as arrays."""
    return list(map(_cell, values))


def _cell(value: Any) -> Any:
    """A value; a list as an array of objects, probabilities as an array of numbers, a truth value as 0 or 1."""
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, dict):
        return np.fromiter(value.values(), float)
    return object_array(value) if isinstance(value, list) else value
