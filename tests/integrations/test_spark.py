"""The function for Spark, on arrays of NumPy, and in Spark where it is installed."""

import sys
from pathlib import Path

import numpy as np
import pytest

from textapp.integrations.spark import make_predict_fn, predict_udf
from textapp.runtime import load

SAMPLES = Path(__file__).parents[1] / "samples"
TEXTS = ["Ms Anbe\nsang 好", None, "then Mr Lusotä, in Norço.", "🎉"]


def test_labels_are_a_dictionary_of_columns():
    bundle = SAMPLES / "classifier" / "bundle"
    found = make_predict_fn(str(bundle), min_confidence=1)(np.array(TEXTS, object))
    expected = load(bundle).columns([text or "" for text in TEXTS], min_confidence=1)
    assert list(found["predicted_label"]) == [None] * 4
    assert list(found["predicted_probability"]) == expected["predicted_probability"]
    assert found["predicted_probs"].tolist() == [list(probs.values()) for probs in expected["predicted_probs"]]
    assert found["predicted_probs"].shape == (4, 2)


def test_spans_are_an_array_in_the_dictionary_of_a_row():
    bundle = SAMPLES / "tagger" / "bundle"
    found = make_predict_fn(str(bundle), confidence=True)(np.array(TEXTS, object))
    expected = load(bundle).columns([text or "" for text in TEXTS], confidence=True)["predicted_spans"]
    assert [list(row["predicted_spans"]) for row in found] == expected
    assert any(expected)
    assert all(row["predicted_spans"].ndim == 1 for row in found)


@pytest.mark.parametrize("name", ["classifier", "tagger"])
def test_in_spark(name, monkeypatch):
    sql = pytest.importorskip("pyspark.sql", reason="extra `spark`")
    monkeypatch.setenv("PYSPARK_PYTHON", sys.executable)
    bundle = SAMPLES / name / "bundle"
    texts = [f"Mr Lusotä {number} 好" for number in range(40)]
    builder = sql.SparkSession.builder.master("local[2]").config("spark.ui.enabled", "false")
    spark = builder.config("spark.driver.host", "127.0.0.1").getOrCreate()
    try:
        frame = spark.createDataFrame(list(enumerate(texts)), "n long, text string").repartition(2)
        found = frame.withColumn("p", predict_udf(bundle, batch_size=16)("text")).select("n", "p.*").collect()
    finally:
        spark.stop()
    for column, values in load(bundle).columns(texts).items():
        in_order = [row.asDict(recursive=True)[column] for row in sorted(found, key=lambda row: row["n"])]
        if isinstance(values[0], bool):
            values = list(map(int, values))
        if isinstance(values[0], dict):
            values = [list(probs.values()) for probs in values]
        assert in_order == values
