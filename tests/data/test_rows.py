"""Rows of tokens and their encoding."""

import numpy as np
import pytest

from tests.data.rows import SENTENCES, encoded_rows, make_encoder
from textapp.data.batches import first_rows
from textapp.data.rows import TokenRows, encode_untargeted


def test_tokens_are_kept_once_and_counted():
    rows = TokenRows.read([["b", "a", "b"], [], ["a"]])
    assert (rows.tokens, rows.index.tolist(), rows.offsets.tolist()) == (["b", "a"], [0, 1, 0, 1], [0, 3, 3, 4])
    assert [rows.row(number) for number in range(len(rows))] == [["b", "a", "b"], [], ["a"]]
    assert (rows.counts(), rows.counts(2)) == ({"b": 2, "a": 2}, {"b": 2, "a": 1})
    assert rows.lengths.tolist() == [3, 0, 1]


@pytest.mark.parametrize("characters", [False, True])
@pytest.mark.parametrize("shapes", [False, True])
def test_the_inputs_are_those_of_the_encoder(characters, shapes):
    rows = encoded_rows(per_token=True, characters=characters, shapes=shapes)
    assert rows.inputs.keys() == make_encoder(characters, shapes).inputs.keys()
    inputs, _ = first_rows(rows, np.arange(3))
    if not (characters or shapes):
        assert inputs.shape.rank == 2  # the words alone
    ids = make_encoder().encode([token for sentence in SENTENCES for token in sentence])["token_ids"]
    np.testing.assert_array_equal(rows.token_ids(), ids)


def test_a_word_of_nothing_still_has_a_place_for_a_character():
    rows = encode_untargeted([["\N{SOFT HYPHEN}"]], make_encoder(characters=True))
    inputs, _ = first_rows(rows, np.arange(1))
    assert inputs["token_ids"].numpy().tolist() == [[1]]  # real, though unknown
    assert inputs["char_ids"].shape == (1, 1, 1)


@pytest.mark.parametrize(
    "other",
    [
        encoded_rows(per_token=True, seed=2),
        encoded_rows(per_token=True, characters=True),
        encoded_rows(per_token=True, shapes=True),
        encoded_rows(per_token=False),
        encode_untargeted(SENTENCES[:-1], make_encoder()),
    ],
    ids=["targets", "characters", "shapes", "a target a text", "sentences"],
)
def test_the_digest_tells_rows_apart(other):
    assert encoded_rows(per_token=True).digest() == encoded_rows(per_token=True).digest()
    assert encoded_rows(per_token=True).digest() != other.digest()
