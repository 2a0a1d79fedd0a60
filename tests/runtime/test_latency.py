import dataclasses
import subprocess
import sys
import types

import numpy as np
import pytest

from textapp.runtime import latency, load
from textapp.runtime.latency import Latency, measure_latency, peak_memory
from textapp.runtime.predictor import Outputs

TEXTS = ["good film", "плохо !", "这部电影很好", "", "café naïve " * 20]


def test_measures_a_bundle(folder):
    predictor = load(folder)
    figures = measure_latency(predictor, TEXTS, warm_up=3)
    assert figures.count == len(TEXTS)
    assert figures.result == predictor.result
    assert figures.model_bytes == (folder / "model.tflite").stat().st_size
    assert 0 < figures.model_ms_p50 <= figures.model_ms_p95
    assert 0 < figures.ms_p50 <= figures.ms_p95
    assert figures.peak_memory_mb > 10


def test_a_tagger_is_timed_over_all_windows_of_a_long_text(tagger, monkeypatch):
    """Texts of 1, 8, 9 and 20 tokens have 1, 1, 2 and 3 windows of 8; a window takes 10 ms, and the rest nothing."""
    now = 0.0

    def score(ids):
        nonlocal now
        now += 0.01
        return Outputs(np.zeros((len(ids["token_ids"]), len(tagger.tag_set)), np.float32))

    monkeypatch.setattr(tagger, "score", score)
    monkeypatch.setattr(latency.time, "perf_counter", lambda: now)
    texts = [" ".join(["北"] * count) for count in (1, 8, 9, 20)]
    figures = measure_latency(tagger, texts, warm_up=0)
    assert [figures.ms_p50, figures.model_ms_p50] == pytest.approx([15, 15])
    assert figures.ms_p95 == pytest.approx(28.5)


@pytest.mark.parametrize(("result", "name"), [("label", "label"), ("spans", "spans"), ("tags", "spans")])
def test_keys_are_those_that_the_command_line_promises(result, name):
    figures = Latency(
        count=3,
        result=result,
        ms_p50=0.2,
        ms_p95=0.3,
        model_ms_p50=0.1,
        model_ms_p95=0.15,
        peak_memory_mb=50.0,
        model_bytes=1000,
    )
    assert figures.to_dict() == {
        "count": 3,
        f"text_to_{name}_ms_p50": 0.2,
        f"text_to_{name}_ms_p95": 0.3,
        "model_ms_p50": 0.1,
        "model_ms_p95": 0.15,
        "peak_memory_mb": 50.0,
        "model_bytes": 1000,
    }
    with pytest.raises(dataclasses.FrozenInstanceError):
        figures.count = 4


def test_percentiles_worked_by_hand_on_a_clock_that_calls_turn(monkeypatch):
    """A text of n characters takes n ms, its model n / 2 ms, and the first run of anything 1000 ms more."""
    now = 0.0
    seen = set()

    def spend(kind, n, milliseconds):
        nonlocal now
        now += (milliseconds + (0 if (kind, n) in seen else 1000)) / 1000
        seen.add((kind, n))

    predictor = types.SimpleNamespace(
        result="label",
        encode=lambda tokens: tokens,
        pieces=lambda text: [list(text)],
        quick=lambda text: spend("text", len(text), len(text)),
        score=lambda ids: spend("model", len(ids), len(ids) / 2),
        model=types.SimpleNamespace(lengths=(4, 8)),
        core=None,
        bundle=types.SimpleNamespace(model_bytes=5),
    )
    monkeypatch.setattr(latency.time, "perf_counter", lambda: now)
    texts = ["好" * n for n in range(1, 22)]  # 1 to 21 ms: the median is 11, 95 % of the way from 1 to 21 is 20
    figures = measure_latency(predictor, texts, warm_up=len(texts))
    assert figures.count == 21
    assert figures.ms_p50 == pytest.approx(11)
    assert figures.ms_p95 == pytest.approx(20)
    assert figures.model_ms_p50 == pytest.approx(5.5)
    assert figures.model_ms_p95 == pytest.approx(10)
    assert figures.model_bytes == 5


def test_nothing_to_time(predictor):
    with pytest.raises(ValueError, match="`texts` must hold at least one text"):
        measure_latency(predictor, [])


def test_a_run_is_not_timed(predictor):
    predictor.bundle = None
    with pytest.raises(ValueError, match="`predictor` must be of a bundle"):
        measure_latency(predictor, TEXTS)


def test_a_negative_warm_up(predictor):
    with pytest.raises(ValueError, match=r"`warm_up` must not be negative\. Received: warm_up=-1"):
        measure_latency(predictor, TEXTS, warm_up=-1)


def test_no_peak_memory_is_reported_where_the_system_has_none(predictor, monkeypatch):
    """As on Windows, which has neither /proc nor the module `resource`."""
    monkeypatch.setattr(latency.Path, "exists", lambda path: False)
    assert latency.peak_memory() > 10_000_000  # as on macOS: by `resource` alone
    monkeypatch.setitem(sys.modules, "resource", None)
    assert latency.peak_memory() is None
    assert measure_latency(predictor, TEXTS, warm_up=1).to_dict()["peak_memory_mb"] is None


def test_peak_memory_is_the_process_s_own():
    """Of a child of a large process; and it stays after the memory has been given back."""
    ballast = bytearray(300_000_000)
    ballast[::4096] = b"x" * len(ballast[::4096])
    code = (
        "from textapp.runtime.latency import peak_memory\n"
        "before = peak_memory()\n"
        "block = bytearray(100_000_000)\n"
        "block[::4096] = b'x' * len(block[::4096])\n"
        "del block\n"
        "print(before, peak_memory())\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    before, after = map(int, done.stdout.split())
    assert 95_000_000 < after - before < 110_000_000
    assert peak_memory() > 300_000_000
    if sys.platform == "linux":
        assert before < 200_000_000
