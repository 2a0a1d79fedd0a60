"""The sample bundles, which clients are made of."""

from pathlib import Path

SAMPLES = {task: Path(__file__).parents[2] / "samples" / task / "bundle" for task in ("classifier", "tagger")}
