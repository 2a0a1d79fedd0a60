"""Streamed batches hold what the file holds, in ids equal to Python's, and can start anywhere."""

import itertools
from collections import Counter

import numpy as np
import pytest

from textapp.data.readers import Examples
from textapp.data.stream import Scan, Source, StreamedBatches
from textapp.text.tokenizer import Tokenizer
from textapp.text.vocabulary import Vocabulary

WORDS = ["gut", "schlecht", "好", "吃", "Très", "café", "nicht", "的", "😀"]
WIDTHS, LONGEST = [4, 8, 12], 12


@pytest.fixture(scope="module", name="rows")
def _rows():
    rng = np.random.default_rng(0)
    rows = [(" ".join(rng.choice(WORDS, rng.integers(1, 16))), ["neg", "pos"][i % 2]) for i in range(150)]
    return [*rows, ("\u200b", "neg")]  # no token


@pytest.fixture(scope="module", name="make")
def _make(rows, tmp_path_factory):
    path = tmp_path_factory.mktemp("strom") / "Sätze.tsv"
    path.write_text("text\tlabel\n" + "".join(f"{text}\t{label}\n" for text, label in rows), encoding="utf-8")

    def make(held_out=(), **settings):
        source = Source(str(path), held_out=held_out)
        scan = Scan.read(source, Tokenizer(), LONGEST)
        vocabulary = Vocabulary.build(scan.words, min_count=1)
        batches = StreamedBatches(
            source,
            scan,
            Tokenizer(),
            vocabulary,
            ["neg", "pos"],
            **{"max_tokens": LONGEST, "batch_size": 16, "widths": WIDTHS, "buffer": 64, **settings},
        )
        return batches, scan, vocabulary

    return make


def texts_of(batches):
    return Counter(
        (tuple(ids[ids > 0].tolist()), int(label))
        for token_ids, labels in batches
        for ids, label in zip(token_ids.numpy(), labels.numpy(), strict=True)
    )


def expected(rows, vocabulary):
    encoded = [(vocabulary.encode(Tokenizer().words(text)[:LONGEST]), label) for text, label in rows]
    return Counter((tuple(ids), int(label == "pos")) for ids, label in encoded if ids)


def test_an_epoch_is_the_file(make, rows):
    batches, scan, vocabulary = make()
    epochs = list(itertools.islice(batches.dataset, 2 * batches.steps_per_epoch))
    first, second = epochs[: batches.steps_per_epoch], epochs[batches.steps_per_epoch :]
    assert texts_of(first) == texts_of(second) == expected(rows, vocabulary)
    assert not all(np.array_equal(a, b) for (a, _), (b, _) in zip(first, second, strict=True))
    assert scan.lengths.sum() == 150
    assert scan.cut == sum(len(text.split()) > LONGEST for text, _ in rows)


def test_starts_at_any_position(make):
    whole, *_ = make(seed=3)
    resumed, *_ = make(seed=3)
    resumed.position = (1, 4)
    skipped = whole.steps_per_epoch + 4
    for (a, b), (c, d) in zip(
        itertools.islice(resumed.dataset, 8), itertools.islice(whole.dataset, skipped, skipped + 8), strict=True
    ):
        np.testing.assert_array_equal(a, c)
        np.testing.assert_array_equal(b, d)


def test_static_shapes(make):
    batches, *_ = make(static_shapes=True)
    epoch = list(itertools.islice(batches.dataset, batches.steps_per_epoch))
    assert {tuple(token_ids.shape) for token_ids, _ in epoch} <= {(16, width) for width in WIDTHS}


def test_held_out_texts_are_skipped(make, rows):
    held_out = Examples([text.upper() for text, _ in rows[:20]], [label for _, label in rows[:20]], "Prüfung")
    batches, scan, vocabulary = make(held_out=[held_out])
    kept = [row for row in rows if row[0].casefold() not in {text.casefold() for text in held_out.texts}]
    assert texts_of(itertools.islice(batches.dataset, batches.steps_per_epoch)) == expected(kept, vocabulary)
    assert scan.lengths.sum() == len(kept) - 1


def test_widths_must_end_at_the_longest(make):
    with pytest.raises(ValueError, match="`widths` must increase up to 12"):
        make(widths=[4, 8])
