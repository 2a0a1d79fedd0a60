"""What a server counts, in the text format of Prometheus.

Reference: https://prometheus.io/docs/instrumenting/exposition_formats/
"""

import bisect
import itertools
from collections import Counter
from collections.abc import Iterator

MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)  # seconds


class Metrics:
    """Counts requests, texts and errors, and the time of each request. One thread, that of the event loop, uses it."""

    def __init__(self) -> None:
        self._requests: Counter[tuple[str, int]] = Counter()  # by model and status
        self._texts: Counter[str] = Counter()
        self._buckets: dict[str, list[int]] = {}
        self._seconds: Counter[str] = Counter()
        self.in_progress = 0

    def count(self, model: str, status: int, texts: int, seconds: float) -> None:
        """Counts a request.

        Args:
            model: Name of the model; empty for a request of no model.
            status: The HTTP status of the answer.
            texts: The texts that were predicted.
            seconds: From the head of the request to the end of the answer.
        """
        self._requests[model, status] += 1
        if model and status < 400:
            self._texts[model] += texts
            buckets = self._buckets.setdefault(model, [0] * (len(_BOUNDS) + 1))
            buckets[bisect.bisect_left(_BOUNDS, seconds)] += 1
            self._seconds[model] += seconds  # type: ignore[assignment]

    def text(self) -> str:
        """All figures, a line each."""
        return "".join(f"{line}\n" for line in self._lines())

    def _lines(self) -> Iterator[str]:
        yield from _head("textapp_requests_total", "counter", "Requests, by model and HTTP status.")
        for (model, status), count in sorted(self._requests.items()):
            yield f'textapp_requests_total{{model="{_escaped(model)}",status="{status}"}} {count}'
        errors: Counter[str] = Counter()
        for (model, status), count in self._requests.items():
            errors[model] += count if status >= 400 else 0
        yield from _head("textapp_errors_total", "counter", "Requests with a status of 400 or more, by model.")
        for model, count in sorted(errors.items()):
            yield f'textapp_errors_total{{model="{_escaped(model)}"}} {count}'
        yield from _head("textapp_texts_total", "counter", "Predicted texts, by model.")
        for model, count in sorted(self._texts.items()):
            yield f'textapp_texts_total{{model="{_escaped(model)}"}} {count}'
        yield from _head("textapp_requests_in_progress", "gauge", "Requests that have no answer yet.")
        yield f"textapp_requests_in_progress {self.in_progress}"
        yield from _head("textapp_request_seconds", "histogram", "Seconds of a request with predictions, by model.")
        for model, buckets in sorted(self._buckets.items()):
            label = f'model="{_escaped(model)}"'
            totals = list(itertools.accumulate(buckets))
            for bound, total in zip((*map(str, _BOUNDS), "+Inf"), totals, strict=True):
                yield f'textapp_request_seconds_bucket{{{label},le="{bound}"}} {total}'
            yield f"textapp_request_seconds_sum{{{label}}} {self._seconds[model]:.6f}"
            yield f"textapp_request_seconds_count{{{label}}} {totals[-1]}"


def _head(name: str, kind: str, meaning: str) -> Iterator[str]:
    """The lines before the figures of a metric."""
    yield f"# HELP {name} {meaning}"
    yield f"# TYPE {name} {kind}"


def _escaped(value: str) -> str:
    """The value of a label as the format writes it."""
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
