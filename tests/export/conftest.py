"""One small sentiment model, and its converted files, for all tests of this folder."""

import functools
from collections.abc import Callable

import keras
import numpy as np
import pytest

from tests.small_models import small_classifier
from textapp.export import convert, lower

LENGTHS = [3, 7]


@pytest.fixture(scope="session")
def attentive() -> keras.Model:
    """Wide enough for its tensors to be quantized: the converter leaves those below 1,024 numbers in float."""
    model = small_classifier(40, 2, embedding_dim=32, units=32, attention_units=32)
    rng = np.random.default_rng(3)
    for variable in model.trainable_variables:
        variable.assign(rng.normal(scale=0.5, size=variable.shape))
    return model


@pytest.fixture(scope="session")
def converted(attentive) -> Callable[[str, str], bytes]:
    """The file of a lowering and a recipe, for texts of 3 and 7 tokens."""

    @functools.cache
    def content(lowering: str, recipe: str) -> bytes:
        return convert(lower(attentive, lowering), LENGTHS, recipe)

    return content
