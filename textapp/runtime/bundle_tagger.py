"""From text to spans: the tagger over a bundle."""

import numpy as np

from textapp.errors import InputError
from textapp.runtime.bundle import CHARACTERS, TaggerBundle
from textapp.runtime.bundle_files import MODEL, VOCABULARY
from textapp.runtime.model import DeviceTagModel
from textapp.runtime.tagger import Inputs, Tagger
from textapp.text.word_shape import SHAPES


class BundleTagger(Tagger):
    """A `Tagger` whose model is a bundle's. Threads may share it; they take turns at the model.

    Args:
        bundle: from `read_bundle`.
        threads: positive integer, threads that LiteRT may use for one text.

    Raises:
        InputError: the model is not one that the bundle describes.
    """

    def __init__(self, bundle: TaggerBundle, threads: int = 1):
        self.bundle = bundle
        encoder = bundle.encoder
        self.model = DeviceTagModel(
            bundle.model,
            bundle.signatures,
            len(bundle.tag_set),
            encoder.inputs,
            source=bundle.folder / MODEL,
            threads=threads,
        )
        super().__init__(
            bundle.tokenizer,
            encoder,
            bundle.tag_set,
            bundle.decoder,
            self.model.lengths[-1],
            self.model.run,
            bundle.retokenize,
        )
        self._check_model()

    def _check_model(self) -> None:
        """Runs the model on the last word, character and shape, so that a foreign model fails when it is loaded."""
        words, characters = self.encoder.vocabulary, self.encoder.characters
        token = {name: np.zeros((1, *shape), np.int32) for name, shape in self.encoder.inputs.items()}
        token["token_ids"] += len(words) - 1
        self._check_ids(VOCABULARY, len(words), token)
        if characters is not None:
            token["char_ids"] += len(characters) - 1
            self._check_ids(CHARACTERS, len(characters), token)
        if self.encoder.shapes:
            token["shape_ids"] += SHAPES - 1
            self._check_ids(MODEL, SHAPES, token)

    def _check_ids(self, name: str, entries: int, inputs: Inputs) -> None:
        """Raises `InputError` naming a file where the model fails on the last of its entries."""
        try:
            self.score(inputs)
        except InputError as error:
            path = self.bundle.folder / name
            raise InputError(f"{path}: the model fails on the last of {entries} entries: {error}") from error
