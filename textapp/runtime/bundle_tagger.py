"""From text to spans: the tagger over a bundle."""

import numpy as np
from numpy.typing import NDArray

from textapp.errors import InputError
from textapp.runtime.bundle import CHARACTERS, TaggerBundle
from textapp.runtime.bundle_files import MODEL, VOCABULARY
from textapp.runtime.model import DeviceTagModel
from textapp.runtime.tagger import Tagger, TokenIds


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
            None if encoder.characters is None else encoder.max_characters,
            source=bundle.folder / MODEL,
            threads=threads,
        )
        super().__init__(
            bundle.tokenizer,
            encoder,
            bundle.tag_set,
            bundle.decoder,
            self.model.lengths[-1],
            self._score,
            bundle.retokenize,
        )
        self._check_model()

    def _score(self, ids: TokenIds) -> NDArray[np.float32]:
        """The model's logits for tokens."""
        return self.model.run(ids.token_ids, ids.char_ids)

    def _check_model(self) -> None:
        """Runs the model on the last word and the last character, so that a foreign model fails when it is loaded."""
        words, characters = self.encoder.vocabulary, self.encoder.characters
        last, no_characters = np.array([len(words) - 1]), None
        if characters is not None:
            no_characters = np.zeros((1, self.encoder.max_characters), np.int32)
        self._check_ids(VOCABULARY, len(words), TokenIds(last, no_characters))
        if characters is not None:
            full = np.full((1, self.encoder.max_characters), len(characters) - 1, np.int32)
            self._check_ids(CHARACTERS, len(characters), TokenIds(last, full))

    def _check_ids(self, name: str, entries: int, ids: TokenIds) -> None:
        """Raises `InputError` naming a file where the model fails on the last of its entries."""
        try:
            self._score(ids)
        except InputError as error:
            path = self.bundle.folder / name
            raise InputError(f"{path}: the model fails on the last of {entries} entries: {error}") from error
