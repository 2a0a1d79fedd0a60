"""What the n-grams of a classifier cost on a device: bytes, and time from text to label with and without them."""

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from textapp.files import read_object, write_text
from textapp.runtime import load
from textapp.runtime.bundle_format import SELFTEST
from textapp.runtime.latency import measure_latency
from textapp.runtime.ngram_model import NGRAM_TABLE, NGRAMS

TEXTS = 200  # texts that are timed
TURNS = 5  # of both bundles; the least median of each counts, because other work on the machine only adds time


def ngram_cost(run: Path, texts: Sequence[str], folder: Path) -> dict[str, Any]:
    """Exports a run as it is by default, and measures the bundle with its n-grams and without them.

    Args:
        run: The run.
        texts: Texts to label.
        folder: Folder for the bundles, which are deleted.

    Returns:
        `engine`, native or litert; `model_bytes` and `ngram_bytes`; `ms` and `ms_without`, the median time from text
        to label in milliseconds, on one thread. Empty for a run without n-grams.
    """
    if "ngrams" not in read_object(run / "metrics.json"):
        return {}
    from textapp.export.run import export  # loads TensorFlow

    with_ngrams, without = folder / "bundle", folder / "bundle_without"
    for path in (with_ngrams, without):
        shutil.rmtree(path, ignore_errors=True)
    export(run, with_ngrams)
    leave_out_ngrams(with_ngrams, without)
    predictors = [load(path, threads=1) for path in (with_ngrams, without)]
    timed = list(texts[:TEXTS])
    turns = [[measure_latency(one, timed).ms_p50 for one in predictors] for _ in range(TURNS)]
    first, second = map(min, zip(*turns, strict=True))
    sizes = {name: (with_ngrams / name).stat().st_size for name in ("model.tflite", NGRAMS, NGRAM_TABLE)}
    for path in (with_ngrams, without):
        shutil.rmtree(path)
    return {
        "engine": "litert" if predictors[0].core is None else "native",
        "model_bytes": sizes["model.tflite"],
        "ngram_bytes": sizes[NGRAMS] + sizes[NGRAM_TABLE],
        "ms": first,
        "ms_without": second,
    }


def leave_out_ngrams(bundle: Path, folder: Path) -> None:
    """Copies a bundle without its n-grams."""
    names = (NGRAMS, NGRAM_TABLE, SELFTEST)  # the self-test has results with n-grams
    shutil.copytree(bundle, folder, ignore=shutil.ignore_patterns(*names))
    description = read_object(folder / "bundle.json") | {"ngrams": False, "selftest": False}
    description["sha256"] = {name: digest for name, digest in description["sha256"].items() if name not in names}
    write_text(folder / "bundle.json", json.dumps(description))
