"""Changed bundles, which a client refuses in one line, or whose model predicts."""

import hashlib
import json
import random
from collections.abc import Mapping
from pathlib import Path

from benchmarks.reliability.mutations import changed_bytes, mutated

MOST = 60
"""Changed bundles of each sample that `write_mutants` writes."""


def mutant(good: Mapping[str, bytes], rng: random.Random) -> dict[str, bytes]:
    """A changed bundle; in two of three, bundle.json has the hashes of the changed files.

    Args:
        good: The files of a bundle, by name.
        rng: It decides all.
    """
    files = dict(good)
    name = rng.choice(["model.tflite", "model.tflite", *sorted(set(good) - {"model.tflite"})])
    files[name], _ = mutated(good[name], rng) if name == "model.tflite" else changed_bytes(good[name], rng)
    if name != "bundle.json" and rng.random() < 2 / 3:
        description = json.loads(good["bundle.json"])
        description["sha256"][name] = hashlib.sha256(files[name]).hexdigest()
        files["bundle.json"] = json.dumps(description).encode()
    return files


def write_mutants(bundle: Path, folder: Path) -> None:
    """Writes `MOST` changed bundles into a folder, each as a folder with a number for a name."""
    good = {path.name: path.read_bytes() for path in sorted(bundle.iterdir())}
    rng = random.Random(0)
    for number in range(MOST):
        made = folder / f"{bundle.parent.name}-{number}"
        made.mkdir(parents=True)
        for name, content in mutant(good, rng).items():
            (made / name).write_bytes(content)
