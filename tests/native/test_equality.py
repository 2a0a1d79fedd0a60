"""The part `models` of benchmarks/native_equality.py, on one small model."""

import re

import pytest

from benchmarks import native_equality as equality
from clients.conformance import golden

COUNT = len(golden.texts(20))
NAME = "words; none; tagger; fused; float32"


@pytest.fixture
def results(tmp_path, monkeypatch, check):
    """Results of one model."""
    monkeypatch.setattr(equality, "models", lambda: iter([("words", "none", "tagger", "fused")]))
    monkeypatch.setattr(equality, "RECIPES", ("float32",))
    monkeypatch.setattr(equality, "kernel_sets", lambda: {"scalar": 0, "best": 0xFFFFFFFF})
    monkeypatch.setattr(equality, "build_check", lambda work: [str(check)])
    return equality.Results(tmp_path / "results")


def test_a_model_is_compared_on_all_kernels(results, tmp_path):
    equality.measure_models(results, tmp_path, 20)
    row = results.rows("models")[NAME]
    assert row.keys() == {"scalar", "best"}
    for found in row.values():
        assert (found["lines"], found["different"], found["others"]) == (COUNT, 0, 0)
        assert found["logits"] < 1e-5
    assert f"| {NAME} | {COUNT} | 0 |" in (tmp_path / "results.md").read_text(encoding="utf-8")

    # What was measured is kept; what was not is measured with the files that are there.
    [predictions] = tmp_path.glob("models/*/predictions.txt")
    lines = predictions.read_text(encoding="ascii").splitlines()
    assert len(lines) == COUNT
    changed = [re.sub(r"^((?:[^\t]*\t){5})-?\d", r"\g<1>77", line) for line in lines]  # the first logit
    assert changed != lines
    predictions.write_text("".join(f"{line}\n" for line in changed), encoding="ascii")
    equality.measure_models(equality.Results(tmp_path / "results"), tmp_path, 20)
    assert results.rows("models")[NAME] == row
    del results.rows("models")[NAME]
    equality.measure_models(results, tmp_path, 20)
    assert all(found["different"] > 0 for found in results.rows("models")[NAME].values())
