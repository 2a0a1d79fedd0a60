"""How long a bundle takes from text to label, or to spans, on this machine, and how much memory."""

import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from textapp.runtime.bundle import Bundle
from textapp.runtime.bundle_tagger import BundleTagger
from textapp.runtime.predictor import Predictor
from textapp.runtime.tagger import Inputs

_Item = TypeVar("_Item")


@dataclass(frozen=True, kw_only=True)
class ModelLatency:
    """Times of a model's calls over given texts, in milliseconds, whatever it says of them.

    Attributes:
        count: texts that were timed.
        model_ms_p50: median time of the model alone, from ids to logits; of a long text that a tagger reads in windows,
            of all of them.
        model_ms_p95: its 95th percentile.
        peak_memory_mb: most memory that the process has held resident so far, in 10^6 bytes: Python, NumPy, LiteRT and
            whatever else the process loaded; None where the system does not report it, as Windows.
        model_bytes: size of model.tflite.
    """

    count: int
    model_ms_p50: float
    model_ms_p95: float
    peak_memory_mb: float | None
    model_bytes: int

    def to_dict(self) -> dict[str, Any]:
        """The figures as JSON values."""
        return asdict(self)


@dataclass(frozen=True, kw_only=True)
class Latency(ModelLatency):
    """Those of a classifier.

    Attributes:
        text_to_label_ms_p50: median time from a string to the index of its label.
        text_to_label_ms_p95: the time that 95 % of the texts stay under.
    """

    text_to_label_ms_p50: float
    text_to_label_ms_p95: float


@dataclass(frozen=True, kw_only=True)
class TagLatency(ModelLatency):
    """Those of a tagger.

    Attributes:
        text_to_spans_ms_p50: median time from a string to its spans, or its tokens' tags, without confidence.
        text_to_spans_ms_p95: the time that 95 % of the texts stay under.
    """

    text_to_spans_ms_p50: float
    text_to_spans_ms_p95: float


def measure_latency(predictor: Predictor, texts: Sequence[str], warm_up: int = 50) -> Latency:
    """Times a predictor over texts, one text a call.

    Real texts make the figures those of use: a short text runs in a short signature. The model alone is timed in a pass
    of its own, after the one from text to label, so that neither finds its caches warmed by the other on the same text.

    Args:
        predictor: from `textapp.runtime.load`.
        texts: the texts to time, at least one.
        warm_up: non-negative integer, how many of the texts each pass runs untimed first. They make LiteRT allocate the
            signatures in use and bring code and weights into the caches.
    """
    _check(texts, warm_up)
    ids = [predictor.encode(text) for text in texts]
    for length in predictor.model.lengths:
        predictor.model.run([0] * length)
    text_to_label = _times(predictor.label_index, texts, warm_up)
    model = _times(predictor.model.run, ids, warm_up)
    return Latency(
        text_to_label_ms_p50=float(np.percentile(text_to_label, 50)),
        text_to_label_ms_p95=float(np.percentile(text_to_label, 95)),
        **_of_model(model, predictor.bundle),
    )


def measure_tag_latency(tagger: BundleTagger, texts: Sequence[str], warm_up: int = 50) -> TagLatency:
    """Times a tagger over texts, one text a call, as `measure_latency` does."""
    _check(texts, warm_up)
    pieces = [[inputs for _, inputs in tagger.pieces(tagger.tokenizer.words(text))] for text in texts]

    def run_model(parts: Sequence[Inputs]) -> None:
        for inputs in parts:
            tagger.score(inputs)

    for length in tagger.model.lengths:
        tagger.logits(["a"] * length)
    text_to_spans = _times(lambda text: tagger.predict([text]), texts, warm_up)
    model = _times(run_model, pieces, warm_up)
    return TagLatency(
        text_to_spans_ms_p50=float(np.percentile(text_to_spans, 50)),
        text_to_spans_ms_p95=float(np.percentile(text_to_spans, 95)),
        **_of_model(model, tagger.bundle),
    )


def _of_model(times: NDArray[np.float64], bundle: Bundle) -> dict[str, Any]:
    """The fields of `ModelLatency`."""
    peak = peak_memory()
    return {
        "count": len(times),
        "model_ms_p50": float(np.percentile(times, 50)),
        "model_ms_p95": float(np.percentile(times, 95)),
        "peak_memory_mb": None if peak is None else peak / 1e6,
        "model_bytes": len(bundle.model),
    }


def peak_memory() -> int | None:
    """The most bytes that this process has held resident so far; None where the system does not report it.

    On Linux from /proc: `getrusage` there also counts what the parent held when it started this process, so that a
    small client started by a large trainer would seem as large as the trainer.
    """
    status = Path("/proc/self/status")
    if status.exists():
        for line in status.read_text(encoding="ascii").splitlines():
            name, _, value = line.partition(":")
            if name == "VmHWM":
                return int(value.split()[0]) * 1024
    try:
        import resource  # here, as Windows has no such module
    except ModuleNotFoundError:
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024  # bytes on macOS, kilobytes elsewhere


def _check(texts: Sequence[str], warm_up: int) -> None:
    """Raises `ValueError` where nothing can be timed."""
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
