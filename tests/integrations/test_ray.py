"""The class for Ray Data, on batches of NumPy, and in Ray where it is installed."""

from pathlib import Path

import numpy as np
import pytest

from textapp.integrations.ray import BatchPredictor
from textapp.runtime import load

SAMPLES = Path(__file__).parents[1] / "samples"
TEXTS = ["Ms Anbe\nsang 好", None, "then Mr Lusotä, in Norço.", "🎉"]


@pytest.mark.parametrize(
    ("name", "options"), [("classifier", {"min_confidence": 0.6}), ("tagger", {"confidence": True})]
)
def test_a_batch_gets_the_columns_of_the_predictor(name, options):
    bundle = SAMPLES / name / "bundle"
    batch = {"id": np.arange(4), "review": np.array(TEXTS, object)}
    added = BatchPredictor(bundle, "review", **options)(batch)
    expected = load(bundle).columns([text or "" for text in TEXTS], **options)
    assert list(added) == [*batch, *expected]
    assert added["id"] is batch["id"]
    for column, values in expected.items():
        assert added[column].shape == (4,)
        assert list(added[column]) == values


def test_lists_of_one_length_stay_a_column():
    batch = {"text": np.array(["Mr Lusotä"] * 3, object)}
    spans = BatchPredictor(SAMPLES / "tagger" / "bundle")(batch)["predicted_spans"]
    assert spans.shape == (3,)
    assert isinstance(spans[0], list)


def test_a_column_is_not_replaced():
    batch = {"text": np.array(["a"]), "predicted_label": np.array(["mine"])}
    with pytest.raises(ValueError, match="predicted_label"):
        BatchPredictor(SAMPLES / "classifier" / "bundle")(batch)


@pytest.mark.parametrize("name", ["classifier", "tagger"])
def test_in_ray(name):
    ray = pytest.importorskip("ray", reason="extra `ray`")
    pytest.importorskip("ray.data", reason="extra `ray`")
    texts = [f"Mr Lusotä {number} 好" for number in range(100)]
    bundle = SAMPLES / name / "bundle"
    ray.init(num_cpus=4, include_dashboard=False, logging_level="ERROR")
    try:
        rows = ray.data.from_items([{"text": text, "n": number} for number, text in enumerate(texts)]).map_batches(
            BatchPredictor,
            fn_constructor_args=(str(bundle),),
            compute=ray.data.ActorPoolStrategy(size=2),
            num_cpus=0.5,
            batch_size=16,
        )
        found = sorted(rows.take_all(), key=lambda row: row["n"])
    finally:
        ray.shutdown()
    for column, values in load(bundle).columns(texts).items():
        assert [row[column] for row in found] == values
