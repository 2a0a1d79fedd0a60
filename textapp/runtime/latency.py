"""Measures the time of a bundle from text to result, and its memory, on this machine."""

import functools
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from textapp.runtime.predictor import Predictor

_Item = TypeVar("_Item")


@dataclass(frozen=True, kw_only=True)
class Latency:
    """Times of a bundle's calls over given texts, in milliseconds, one text a call.

    Attributes:
        count: number of texts that were timed.
        result: what is predicted: label, spans, tags.
        ms_p50: median time from a string to its result.
        ms_p95: 95th percentile of this time.
        model_ms_p50: median time of the model only, from ids to logits; for a long text that a tagger reads in windows,
            the time of all windows.
        model_ms_p95: 95th percentile of this time.
        peak_memory_mb: largest resident memory of the process so far, in 10^6 bytes: Python, NumPy, the engine and all
            else that the process loaded; None if the system does not report it.
        model_bytes: size of model.tflite, and of ngrams.bin if there is one.
    """

    count: int
    result: str
    ms_p50: float
    ms_p95: float
    model_ms_p50: float
    model_ms_p95: float
    peak_memory_mb: float | None
    model_bytes: int

    def to_dict(self) -> dict[str, Any]:
        """The figures as JSON values. The names of times from text to result contain the kind of result."""
        figures = asdict(self)
        name = "spans" if self.result == "tags" else self.result
        figures[f"text_to_{name}_ms_p50"] = figures.pop("ms_p50")
        figures[f"text_to_{name}_ms_p95"] = figures.pop("ms_p95")
        del figures["result"]
        return figures


def measure_latency(predictor: Predictor, texts: Sequence[str], warm_up: int = 50) -> Latency:
    """Times a predictor over texts, one text a call.

    Use real texts, since a short text runs in a short signature. The model is timed in a second pass over all texts, so
    that neither measurement warms the caches for the other on the same text.

    Args:
        predictor: from `textapp.runtime.load`.
        texts: the texts to time, at least one.
        warm_up: non-negative integer, number of texts that each pass first runs untimed. They make LiteRT allocate its
            tensors and load code and weights into the caches.
    """
    _check(texts, warm_up)
    if predictor.model is None or predictor.bundle is None:
        raise ValueError("`predictor` must be of a bundle. Received: one of a run")
    run = functools.partial(functools.partial, predictor.score) if predictor.core is None else predictor.core.prepared
    calls = [[run(inputs) for inputs in predictor.pieces(text)] for text in texts]

    def run_model(parts: Sequence[Callable[[], object]]) -> None:
        for call in parts:
            call()

    for length in predictor.model.lengths:
        predictor.score(predictor.encode(["a"] * length))
    times = _times(predictor.quick, texts, warm_up)
    model = _times(run_model, calls, warm_up)
    peak = peak_memory()
    return Latency(
        count=len(times),
        result=predictor.result,
        ms_p50=float(np.percentile(times, 50)),
        ms_p95=float(np.percentile(times, 95)),
        model_ms_p50=float(np.percentile(model, 50)),
        model_ms_p95=float(np.percentile(model, 95)),
        peak_memory_mb=None if peak is None else peak / 1e6,
        model_bytes=predictor.bundle.model_bytes,
    )


def peak_memory() -> int | None:
    """The largest resident memory of this process so far, in bytes; None if the system does not report it.

    On Linux it comes from /proc: `getrusage` would also count the parent's memory at the start of this process, so that
    a small client would seem as large as the trainer that started it.
    """
    status = Path("/proc/self/status")
    if status.exists():
        for line in status.read_text(encoding="ascii").splitlines():
            name, _, value = line.partition(":")
            if name == "VmHWM":
                return int(value.split()[0]) * 1024
    try:
        import resource  # not on Windows
    except ModuleNotFoundError:
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024  # bytes on macOS, kilobytes elsewhere


def _check(texts: Sequence[str], warm_up: int) -> None:
    """Raises `ValueError` if nothing can be timed."""
    if not texts:
        raise ValueError("`texts` must hold at least one text. Received: none")
    if warm_up < 0:
        raise ValueError(f"`warm_up` must not be negative. Received: warm_up={warm_up}")


def _times(call: Callable[[_Item], object], items: Sequence[_Item], warm_up: int) -> NDArray[np.float64]:
    """Milliseconds of one call per item `(N,)`."""
    for index in range(warm_up):
        call(items[index % len(items)])
    seconds = np.empty(len(items))
    for index, item in enumerate(items):
        start = time.perf_counter()
        call(item)
        seconds[index] = time.perf_counter() - start
    return seconds * 1e3
