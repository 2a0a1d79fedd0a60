"""Times converted models in turn for the latency benchmark, in a process that never loads TensorFlow.

    python -m benchmarks.latency_timing JOB.json

TensorFlow's threads, and an eager Keras call just before, leave cold caches that triple the time of a call. So this
runs in a process of its own. It prints one JSON object: for each contestant the median and mean milliseconds of a call,
and its logits for the first rows.
"""

import json
import sys
import time
from bisect import bisect_left
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from ai_edge_litert.interpreter import Interpreter
from numpy.typing import NDArray

from textapp.runtime.bundle import read_bundle
from textapp.runtime.native import NativeModel
from textapp.task import device

WARM_UP = 5  # untimed calls at the start of each turn, because the previous contestant has filled the caches
CHECKED_ROWS = 32  # rows whose logits are returned, to check them

Call = Callable[[], NDArray[np.float32]]


def litert_calls(contestant: dict[str, Any], rows: Sequence[Sequence[int]]) -> list[Call]:
    """A call for each row, padded with 0 to the shortest signature that it fits into."""
    interpreter = Interpreter(model_path=contestant["file"], num_threads=1)
    signatures = {int(length): name for length, name in contestant["signatures"].items()}
    lengths = sorted(signatures)
    runners = {length: interpreter.get_signature_runner(name) for length, name in signatures.items()}

    def call(row: Sequence[int]) -> Call:
        length = lengths[bisect_left(lengths, len(row))]
        token_ids = np.zeros((1, length), np.int32)
        token_ids[0, : len(row)] = row
        runner, output = runners[length], contestant["output"]
        return lambda: runner(token_ids=token_ids)[output]

    return [call(row) for row in rows]


def onnx_calls(contestant: dict[str, Any], rows: Sequence[Sequence[int]]) -> list[Call]:
    """A call for each row, without padding."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(contestant["file"], options, providers=["CPUExecutionProvider"])

    def call(row: Sequence[int]) -> Call:
        inputs = {"token_ids": np.asarray([row], np.int32)}
        return lambda: session.run(None, inputs)[0]

    return [call(row) for row in rows]


def native_calls(contestant: dict[str, Any], rows: Sequence[Sequence[int]]) -> list[Call]:
    """A call of the core in C for each row, without padding. The file is a bundle; `features` chooses the kernels."""
    bundle = read_bundle(contestant["file"])
    half = device(bundle.task)
    shape = half.logits_shape(half.read_targets(bundle.description, bundle.files, bundle.folder))
    model = NativeModel(bundle, shape, threads=1, features=contestant["features"])

    def call(row: Sequence[int]) -> Call:
        run = model.prepared({"token_ids": np.asarray(row, np.int32)})
        return lambda: run().logits[None]

    return [call(row) for row in rows]


RUNTIMES = {"litert": litert_calls, "onnxruntime": onnx_calls, "native": native_calls}


def measure(job: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Times all contestants of a job.

    Args:
        job: `contestants`, each with `name`, `runtime` (a key of `RUNTIMES`), `rows` (a key of `rows` below) and
            `file`, for LiteRT also `signatures` (length to name) and `output`, for the core `features`; `rows`, lists
            of token ids by name; `turns`, the number of parts of the rows. All contestants run the first part, then all
            the second...

    Returns:
        By contestant: `ms_p50`, `ms_p95`, `ms_mean` and `logits`.
    """
    calls = [RUNTIMES[each["runtime"]](each, job["rows"][each["rows"]]) for each in job["contestants"]]
    if "tensorflow" in sys.modules:
        raise RuntimeError("TensorFlow is loaded: the times would not be those of a device")
    logits = [[call()[0].tolist() for call in of_one[:CHECKED_ROWS]] for of_one in calls]
    seconds: list[list[float]] = [[] for _ in calls]
    for turn in range(job["turns"]):
        for of_one, spent in zip(calls, seconds, strict=True):
            spent += _timed(of_one[turn :: job["turns"]])
    return {
        each["name"]: {
            "ms_p50": 1e3 * float(np.median(spent)),
            "ms_p95": 1e3 * float(np.percentile(spent, 95)),
            "ms_mean": 1e3 * float(np.mean(spent)),
            "logits": of_one,
        }
        for each, spent, of_one in zip(job["contestants"], seconds, logits, strict=True)
    }


def _timed(calls: Sequence[Call]) -> list[float]:
    """Seconds of each call."""
    for call in calls[:WARM_UP]:
        call()
    seconds = []
    for call in calls:
        start = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - start)
    return seconds


if __name__ == "__main__":
    print(json.dumps(measure(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))))
