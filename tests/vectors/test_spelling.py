"""Which word of the vectors a word of a test set is."""

import numpy as np
import pytest

from textapp.vectors.spelling import spelled
from textapp.vectors.subwords import Subwords, SubwordVectors
from textapp.vectors.word_vectors import WordVectors


def test_as_written_and_then_lower_cased():
    vectors = WordVectors(["Москва", "москва", "paris", "北京"], np.eye(4))
    assert [spelled(vectors, word) for word in ("Москва", "МОСКВА", "Paris", "北京", "Rom")] == [
        "Москва",
        "москва",
        "paris",
        "北京",
        None,
    ]


@pytest.mark.parametrize(
    ("tokenizer", "form"), [({"lowercase": True}, "rom"), ({"lowercase": False}, "Rom"), (None, "Rom")]
)
def test_an_unseen_word_is_spelled_as_the_tokenizer_would(tokenizer, form):
    subwords = SubwordVectors(Subwords(buckets=10), np.ones((10, 2), np.float32))
    vectors = WordVectors(["paris"], np.ones((1, 2)), subwords=subwords, tokenizer=tokenizer)
    assert spelled(vectors, "Rom") == form
    assert spelled(vectors, "Paris") == "paris"
