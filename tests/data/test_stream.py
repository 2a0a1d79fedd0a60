"""Streamed batches hold what the source holds, in ids equal to Python's, and can start anywhere."""

import itertools
from collections import Counter

import numpy as np
import pytest

from tests.data.rows import FORM, make_encoder
from textapp.data.stream import Scan, StreamedBatches
from textapp.text.word_shape import word_shape

TOKENS = ["Wien", "wien", "北京", "Überraschung", "1996", "x", "unbekannt", "😀"]
WIDTHS, LONGEST = [4, 8, 12], 12
NAMES = ["neg", "pos"]
RNG = np.random.default_rng(0)
SENTENCES = [list(RNG.choice(TOKENS, RNG.integers(1, 16))) for _ in range(150)]


@pytest.fixture(params=[False, True], ids=["a target a text", "a target a token, shapes"], name="per_token")
def _per_token(request):
    return request.param


def rows_of(per_token):
    """Rows as a task gives them: tokens, and a name or a name a token."""
    if per_token:
        return [(tokens, [NAMES["i" in token] for token in tokens]) for tokens in SENTENCES]
    return [(tokens, NAMES[number % 2]) for number, tokens in enumerate(SENTENCES)]


def streamed(per_token, **settings):
    rows = rows_of(per_token)
    scan = Scan.read(rows, LONGEST)
    settings = {"max_tokens": LONGEST, "batch_size": 16, "widths": WIDTHS, "buffer": 64, **settings}
    return StreamedBatches(rows, scan, make_encoder(shapes=per_token), NAMES, per_token=per_token, **settings)


def contents(per_token, batches):
    """The rows of batches without padding."""
    found = Counter()
    for inputs, targets in batches:
        by_name = inputs if per_token else {"token_ids": inputs}
        for number, target in enumerate(targets.numpy()):
            length = np.count_nonzero(by_name["token_ids"][number])
            assert not any(ids.numpy()[number, length:].any() for ids in by_name.values())
            if per_token:
                assert (target[length:] == -1).all()
                target = target[:length]
            ids = [tuple(ids.numpy()[number, :length].tolist()) for ids in by_name.values()]
            found[(*ids, tuple(np.atleast_1d(target).tolist()))] += 1
    return found


def expected(per_token):
    vocabulary, found = make_encoder().vocabulary, Counter()
    for tokens, target in rows_of(per_token):
        tokens = tokens[:LONGEST]
        parts = [tuple(vocabulary.encode([FORM.word(token) for token in tokens]))]
        if per_token:
            parts.append(tuple(word_shape(FORM.spelling(token)) for token in tokens))
        names = target[:LONGEST] if per_token else [target]
        found[(*parts, tuple(map(NAMES.index, names)))] += 1
    return found


def test_an_epoch_is_the_source(per_token):
    batches = streamed(per_token)
    epochs = list(itertools.islice(batches.dataset, 2 * batches.steps_per_epoch))
    first, second = epochs[: batches.steps_per_epoch], epochs[batches.steps_per_epoch :]
    assert contents(per_token, first) == contents(per_token, second) == expected(per_token)
    same = [np.array_equal(one, other) for (_, one), (_, other) in zip(first, second, strict=True)]
    assert not all(same)


def test_the_first_pass_counts(per_token):
    rows = rows_of(per_token)
    scan = Scan.read(rows, LONGEST)
    assert (
        scan.lengths.tolist() == np.bincount([min(len(tokens), LONGEST) for tokens, _ in rows], minlength=13).tolist()
    )
    assert scan.cut == sum(len(tokens) > LONGEST for tokens, _ in rows)
    assert scan.tokens == Counter(token for tokens, _ in rows for token in tokens[:LONGEST])
    assert set(scan.names) == set(NAMES)
    assert scan.fingerprint == Scan.read(iter(rows), LONGEST).fingerprint
    assert scan.fingerprint != Scan.read(rows[::-1], LONGEST).fingerprint
    other = ["pos"] * len(rows[0][0]) if per_token else "pos"
    assert scan.fingerprint != Scan.read([(rows[0][0], other), *rows[1:]], LONGEST).fingerprint


@pytest.mark.parametrize("static", [False, True])
def test_training_starts_at_any_position(per_token, static):
    whole, resumed = (streamed(per_token, seed=3, static_shapes=static) for _ in range(2))
    resumed.position = (1, 4)
    skipped = whole.steps_per_epoch + 4
    pairs = zip(
        itertools.islice(resumed.dataset, 8), itertools.islice(whole.dataset, skipped, skipped + 8), strict=True
    )
    for (inputs, targets), (other_inputs, other_targets) in pairs:
        np.testing.assert_array_equal(targets, other_targets)
        for name in inputs if per_token else [slice(None)]:
            np.testing.assert_array_equal(inputs[name], other_inputs[name])


def test_static_shapes(per_token):
    batches = streamed(per_token, static_shapes=True)
    epochs = list(itertools.islice(batches.dataset, 2 * batches.steps_per_epoch))
    shapes = {tuple((inputs["token_ids"] if per_token else inputs).shape) for inputs, _ in epochs}
    assert shapes <= {(16, width) for width in WIDTHS}


def test_widths_must_end_at_the_longest():
    with pytest.raises(ValueError, match="`widths` must increase up to 12"):
        streamed(False, widths=[4, 8])
