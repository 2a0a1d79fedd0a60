"""Texts in batches in the core: the time and the memory of four texts at once, beside one text at a time.

It is the part `batches` of `benchmarks.native`. Both ways are one call of `textapp_probabilities`, on one thread; they
differ in their context alone. Classifiers have random weights, and texts random words.
"""

import ctypes
import random
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from textapp.runtime import load
from textapp.runtime.native import NativeModel, _Context

SIZES = [(64, 64), (128, 128)]  # units, tokens
TEXTS, CALLS = 256, 40
LONGEST = 1024  # bytes of a text


def one_context(core: NativeModel, batch: bool = False) -> int:
    """Makes the core compute one text at a time, or several at once with `batch`. Returns the bytes of its context."""
    size: Callable[..., int] = core._core.textapp_batch_size if batch else core._core.textapp_context_size
    needed = size(core._model, LONGEST)
    memory = np.empty(needed, np.uint8)
    pointer = core._core.textapp_context_init(core._model, memory.ctypes.data, needed, LONGEST)
    core._free[:] = [_Context(memory, ctypes.c_void_p(pointer), LONGEST)]  # the next call takes it
    return needed


def measure_batches(
    write: Callable[[Path, int, int, str], Path], recipes: dict[str, str], seed: int
) -> list[dict[str, Any]]:
    """Times classifiers in both ways, in turn.

    Args:
        write: Writes the bundle of a classifier into a new folder, of these units, tokens and recipe, with a second
            signature of half as many tokens.
        recipes: Recipe by the name of its weights.
        seed: Seed of the texts.

    Returns:
        A line for each model and kind of texts, with the least microseconds a text in `one` and `batch`, and the bytes
        of their contexts.

    Raises:
        RuntimeError: The two ways have other probabilities.
    """
    lines = []
    for units, tokens in SIZES:
        for weights, recipe in recipes.items():
            with tempfile.TemporaryDirectory() as folder:
                core = load(write(Path(folder, "bundle"), units, tokens, recipe), engine="native").core
                assert core is not None
                rng = random.Random(seed)
                for kind, least in (("mixed", 4), ("full", tokens)):
                    texts = [
                        " ".join(f"w{rng.randrange(2, 5000)}" for _ in range(rng.randint(least, tokens)))
                        for _ in range(TEXTS)
                    ]
                    lines.append(
                        {
                            "units": units,
                            "tokens": tokens,
                            "weights": weights,
                            "texts": kind,
                            **_times(core, texts),
                        }
                    )
                    print(f"batches: {lines[-1]}", file=sys.stderr)
    return lines


def _times(core: NativeModel, texts: list[str]) -> dict[str, float]:
    """The least microseconds a text of many calls in each way, and the bytes of the contexts."""
    seconds: dict[str, list[float]] = {"one": [], "batch": []}
    found: dict[str, Any] = {}
    size: dict[str, int] = {}
    for _ in range(CALLS):
        for way in seconds:
            size[way] = one_context(core, batch=way == "batch")
            began = time.perf_counter()
            found[way] = core._scored(texts).probs
            seconds[way].append(time.perf_counter() - began)
        if found["one"] is None or not np.array_equal(found["one"], found["batch"]):
            raise RuntimeError("texts in batches have other probabilities than one by one")
    return {
        **{way: 1e6 * min(times) / len(texts) for way, times in seconds.items()},
        **{f"{way}_bytes": bytes_ for way, bytes_ in size.items()},
    }


def batch_lines(rows: list[dict[str, Any]]) -> list[str]:
    """The rows as Markdown."""
    lines = [
        "",
        f"## {TEXTS} texts in a call: one at a time, and four at once",
        "",
        "| units | tokens | weights | lengths | one, µs a text | four, µs a text | saved | context, bytes | for four |",
        "|--:|--:|---|---|--:|--:|--:|--:|--:|",
    ]
    for row in rows:
        saved = 100 * (1 - row["batch"] / row["one"])
        lines.append(
            f"| {row['units']} | {row['tokens']} | {row['weights']} | {row['texts']} | {row['one']:.1f} | "
            f"{row['batch']:.1f} | {saved:.0f} % | {row['one_bytes']:,} | {row['batch_bytes']:,} |"
        )
    return lines
