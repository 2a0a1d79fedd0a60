"""A bundle's folder in, what predicts from it out."""

import os

from textapp.runtime.bundle import TaggerBundle, read_bundle
from textapp.runtime.bundle_tagger import BundleTagger
from textapp.runtime.predictor import Predictor


def load(path: str | os.PathLike[str], threads: int = 1) -> Predictor | BundleTagger:
    """Loads a bundle folder.

    Args:
        path: the folder that `textapp export` wrote.
        threads: positive integer, threads that LiteRT may use for one text. One is fastest for models of this size.

    Returns:
        A `Predictor` of labels or a `BundleTagger`, as the bundle's task is.

    Raises:
        InputError: a file of the bundle is missing, changed or malformed, in one line that names it.
    """
    bundle = read_bundle(path)
    return BundleTagger(bundle, threads) if isinstance(bundle, TaggerBundle) else Predictor(bundle, threads)
