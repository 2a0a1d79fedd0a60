"""The batches: every example once an epoch, little padding, the same again from any position."""

import itertools

import numpy as np
import pytest
from textapp.data.pipeline import (
    TokenizedTexts,
    TrainingBatches,
    encode_examples,
    evaluation_batches,
    shuffled_batches,
)

from textapp.data.readers import Examples
from textapp.errors import InputError
from textapp.text.tokenizer import Tokenizer
from textapp.text.vocabulary import Vocabulary

WORDS = ["gut", "schlecht", "好", "吃", "très", "café", "nicht", "的"]


@pytest.fixture(scope="module", name="encoded")
def _encoded():
    rng = np.random.default_rng(0)
    texts = [" ".join(rng.choice(WORDS, rng.integers(1, 30))) for _ in range(203)]
    texts[7], texts[11] = "   ", "\u200b"  # no token in either
    examples = Examples(texts, [["neg", "pos"][i % 2] for i in range(203)], "Beispiele")
    tokenized = TokenizedTexts.read(texts, Tokenizer(), 25)
    vocabulary = Vocabulary.build(tokenized.counts(), max_size=9, min_count=1)
    return encode_examples(examples, tokenized, vocabulary, ["neg", "pos"])


def rows_of(encoded, batches):
    """The texts of batches, padding removed, as tuples."""
    return [
        (tuple(ids[ids > 0].tolist()), int(label))
        for token_ids, labels, *_ in batches
        for ids, label in zip(token_ids.numpy(), labels.numpy(), strict=True)
    ]


def all_rows(encoded):
    starts, ends = encoded.offsets[:-1], encoded.offsets[1:]
    return [
        (tuple(encoded.token_ids[a:b].tolist()), int(label))
        for a, b, label in zip(starts, ends, encoded.labels, strict=True)
    ]


def test_encoding_equals_a_text_at_a_time():
    texts = ["Das ist gut, sehr gut!", "", "好吃 好吃", "Café"]
    tokenizer = Tokenizer()
    tokenized = TokenizedTexts.read(texts, tokenizer, max_tokens=4)
    vocabulary = Vocabulary.build(tokenized.counts(), min_count=2)
    encoded = encode_examples(Examples(texts, ["a", "b", "a", "b"], "x"), tokenized, vocabulary, ["a", "b"])
    expected = [vocabulary.encode(tokenizer.words(text)[:4]) for text in texts if text]
    assert [list(ids) for ids, _ in all_rows(encoded)] == expected
    assert encoded.labels.tolist() == [0, 0, 1]
    assert encoded.rows.tolist() == [0, 2, 3]
    assert encoded.cut == 1
    assert encoded.oov_rate == pytest.approx(sum(i == 1 for ids in expected for i in ids) / sum(map(len, expected)))
    assert tokenized.counts()["好"] == 2


def test_no_text_with_a_token_is_an_error():
    tokenized = TokenizedTexts.read([" ", "\u200b"], Tokenizer(), 4)
    with pytest.raises(InputError, match="leer: no text has a token"):
        encode_examples(
            Examples([" ", "\u200b"], ["a", "b"], "leer"), tokenized, Vocabulary(["[PAD]", "[UNK]"]), ["a", "b"]
        )


def test_an_epoch_holds_every_example_once(encoded):
    batches = TrainingBatches(encoded, batch_size=16, seed=4)
    epochs = list(itertools.islice(batches.dataset, 2 * batches.steps_per_epoch))
    first, second = epochs[: batches.steps_per_epoch], epochs[batches.steps_per_epoch :]
    assert sorted(rows_of(encoded, first)) == sorted(rows_of(encoded, second)) == sorted(all_rows(encoded))
    assert rows_of(encoded, first) != rows_of(encoded, second)
    assert all((token_ids.numpy() > 0).any(axis=1).all() for token_ids, _ in first), "no row is empty"


def test_padding_is_little_and_on_the_right(encoded):
    batches = TrainingBatches(encoded, batch_size=16)
    padding = total = 0
    for token_ids, _ in itertools.islice(batches.dataset, batches.steps_per_epoch):
        real = token_ids.numpy() > 0
        assert (np.diff(real.astype(int), axis=1) <= 0).all()
        padding, total = padding + (~real).sum(), total + real.size
    assert padding / total < 0.12  # unsorted batches have 45 %


@pytest.mark.parametrize("position", [(0, 5), (1, 0), (2, 12)])
def test_starts_at_any_position(encoded, position):
    whole, resumed = (TrainingBatches(encoded, batch_size=16, seed=1) for _ in range(2))
    epoch, step = position
    resumed.position = position
    skipped = epoch * whole.steps_per_epoch + step
    expected = itertools.islice(whole.dataset, skipped, skipped + 9)
    for (a, b), (c, d) in zip(itertools.islice(resumed.dataset, 9), expected, strict=True):
        np.testing.assert_array_equal(a, c)
        np.testing.assert_array_equal(b, d)


def test_the_seed_decides(encoded):
    one, same, other = (shuffled_batches(encoded.lengths, 16, (seed, 0)) for seed in (1, 1, 2))
    assert all(np.array_equal(a, b) for a, b in zip(one, same, strict=True))
    assert not all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


def test_static_shapes(encoded):
    batches = TrainingBatches(encoded, batch_size=16, widths=[8, 16, 25], static_shapes=True)
    epoch = list(itertools.islice(batches.dataset, batches.steps_per_epoch))
    assert {tuple(token_ids.shape) for token_ids, _, _ in epoch} <= {(16, 8), (16, 16), (16, 25)}
    kept = [(token_ids[weights > 0], labels[weights > 0]) for token_ids, labels, weights in epoch]
    assert sorted(rows_of(encoded, kept)) == sorted(all_rows(encoded))
    assert all((token_ids.numpy() > 0).any(axis=1).all() for token_ids, _, _ in epoch), "fillers are no empty rows"


def test_one_width_is_known_to_the_graph(encoded):
    dataset = TrainingBatches(encoded, batch_size=16, widths=[25], static_shapes=True).dataset
    assert dataset.element_spec[0].shape == (16, 25)


def test_evaluation_goes_from_short_to_long(encoded):
    dataset = evaluation_batches(encoded, batch_size=16)
    assert int(dataset.cardinality()) == -(-len(encoded) // 16)
    rows = rows_of(encoded, dataset)
    assert [len(ids) for ids, _ in rows] == sorted(encoded.lengths)
    assert sorted(rows) == sorted(all_rows(encoded))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"batch_size": 0}, "`batch_size` must be positive"),
        ({"batch_size": 4, "static_shapes": True}, "`static_shapes` needs `widths`"),
        ({"batch_size": 4, "widths": [8]}, "`widths` must hold the longest text, 25 tokens"),
    ],
)
def test_wrong_arguments_are_named(encoded, arguments, message):
    with pytest.raises(ValueError, match=message):
        TrainingBatches(encoded, **arguments)
