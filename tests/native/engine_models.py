"""Small models of every kind that textapp exports, with random weights, as files: for the tests of the engine in C."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import keras
import numpy as np

from textapp.config import Encoder, Words
from textapp.export import convert, lower
from textapp.export.model_inputs import named_inputs
from textapp.models.model import text_model
from textapp.tasks.classification.head import classification_head
from textapp.tasks.tagging.head import tagging_head, without_crf

V = 60
CHARACTERS = 6
"""Characters of a word that are read."""
LENGTHS = [4, 8, 13]
WORDS = {
    "words": Words(embedding_dim=32),
    "factorized, context, pairs": Words(embedding_dim=32, embedding_rank=20, context_filters=36, bigrams=70),
    "characters, shapes": Words(embedding_dim=32, characters=True, shapes=True, max_characters=CHARACTERS),
}
ENCODERS = {
    "lstm": Encoder(units=32),
    "gru": Encoder(units=32, cell="gru"),
    "rnn": Encoder(units=32, cell="rnn"),
    "lstm in one direction": Encoder(units=36, bidirectional=False),
    "convolution x 3": Encoder(encoder="convolution", units=32, num_layers=3),
    "gated convolution": Encoder(encoder="convolution", units=34, gated=True, kernel_width=5),
    "transformer x 2": Encoder(encoder="transformer", units=32, heads=2, num_layers=2),
    "light recurrence x 2": Encoder(encoder="light_recurrence", units=32, num_layers=2),
    "light recurrence in one direction": Encoder(encoder="light_recurrence", units=34, bidirectional=False),
    "none": Encoder(encoder="none"),
}
HEADS = {"classifier": lambda: classification_head(3, attention_units=32), "tagger": lambda: tagging_head(5)}
STATIC = "static_wi8_ai8"
RECIPES = ["float32", "float16", "dynamic_wi8_afp32", "dynamic_wi8_afp32_emb4", "dynamic_wi8_afp32_emb2", STATIC]


def build(words: str, encoder: str, head: str, seed: int = 1) -> keras.Model:
    """A model with random weights, without its CRF."""
    keras.utils.set_random_seed(seed)
    model = text_model(WORDS[words], ENCODERS[encoder], HEADS[head](), vocabulary_size=V, character_vocabulary_size=V)
    rng = np.random.default_rng(seed)
    for variable in model.trainable_variables:
        if variable.path.endswith(("gamma", "beta", "bias")):
            variable.assign(variable + rng.normal(scale=0.1, size=variable.shape))
        else:  # vectors of about the length that trained ones have; sums that are about as large as what they add
            scale = 0.5 if variable.path.endswith("embeddings") else np.prod(variable.shape[:-1]) ** -0.5
            variable.assign(rng.normal(scale=scale, size=variable.shape))
    return without_crf(model)[0] if head == "tagger" else model


def random_ids(inputs: Mapping[str, Any], count: int, rng: np.random.Generator) -> dict[str, Any]:
    """Ids of a text of `count` tokens for inputs by name, `(count,)` or `(count, L)`."""
    found = {}
    for name, tensor in inputs.items():
        deeper = [CHARACTERS] if len(tensor.shape) == 3 else []
        ids = rng.integers(1, 30, (count, *deeper))
        if deeper:  # words are of different lengths
            ids *= np.arange(CHARACTERS) < rng.integers(1, CHARACTERS + 1, (count, 1))
        found[name] = ids.astype("i4")
    return found


def files(
    model: keras.Model, lowerings: Sequence[Any] = ("fused",), recipes: Sequence[Any] = RECIPES
) -> Iterator[tuple[str, str, bytes]]:
    """The files of a model: lowering, recipe, content."""
    rng = np.random.default_rng(2)
    inputs = named_inputs(model)
    texts = [random_ids(inputs, int(count), rng) for count in rng.integers(1, max(LENGTHS) + 1, 40)]
    for lowering in lowerings:
        for recipe in recipes:
            lowered = lower(model, lowering, integer=recipe == STATIC)
            yield lowering, recipe, convert(lowered, LENGTHS, recipe, CHARACTERS, texts if recipe == STATIC else ())
