"""The batches of any rows: every row once an epoch, little padding, the same again from any position."""

import itertools

import numpy as np
import pytest

from tests.data.rows import FORM, LONGEST, SENTENCES, encoded_rows, make_encoder
from textapp.data.batches import TrainingBatches, evaluation_batches, shuffled_batches, sorted_batches
from textapp.text.word_shape import word_shape

WIDTHS = [4, 8, LONGEST]


@pytest.fixture(params=[False, True], ids=["a target a text", "a target a token, characters, shapes"], name="rows")
def _rows(request):
    return encoded_rows(per_token=request.param, characters=request.param, shapes=request.param)


def unpadded(ids) -> list[int]:
    return [int(value) for value in ids if value > 0]


def rows_of(rows, batches):
    """What batches hold, row by row and without padding: the ids of each input, and the target."""
    found = []
    for inputs, targets, *weights in batches:
        by_name = inputs if isinstance(inputs, dict) else {"token_ids": inputs}
        arrays = {name: ids.numpy() for name, ids in by_name.items()}
        for number, target in enumerate(targets.numpy()):
            if weights and not weights[0][number]:
                continue
            length = np.count_nonzero(arrays["token_ids"][number])
            parts = [(unpadded(ids[number, :length].ravel()), ids[number, length:].any()) for ids in arrays.values()]
            if rows.per_token:
                assert (target[length:] == -1).all()
                target = target[:length]
            assert not any(padded for _, padded in parts)
            found.append(([ids for ids, _ in parts], target.tolist()))
    return found


def expected_rows(rows):
    """The same of the rows themselves, token by token."""
    encoder = make_encoder("char_ids" in rows.inputs, "shape_ids" in rows.inputs)
    found = []
    for number, tokens in enumerate(SENTENCES):
        parts = [[encoder.vocabulary.encode([FORM.word(token)])[0] for token in tokens]]
        if "char_ids" in rows.inputs:
            parts.append([id for token in tokens for id in encoder.characters.encode(FORM.spelling(token)[:6])])
            parts.append([word_shape(FORM.spelling(token)) for token in tokens])
        start, end = rows.offsets[number : number + 2]
        found.append((parts, (rows.targets[start:end] if rows.per_token else rows.targets[number]).tolist()))
    return found


def epochs_of(batches, count):
    steps = batches.steps_per_epoch
    found = list(itertools.islice(batches.dataset, count * steps))
    return [found[start : start + steps] for start in range(0, count * steps, steps)]


def arrays_of(batch):
    """All tensors of a batch, in a fixed order."""
    inputs, *others = batch
    return [*(inputs.values() if isinstance(inputs, dict) else [inputs]), *others]


def test_an_epoch_holds_every_row_once(rows):
    first, second = (rows_of(rows, epoch) for epoch in epochs_of(TrainingBatches(rows, batch_size=16, seed=4), 2))
    assert sorted(first) == sorted(second) == sorted(expected_rows(rows))
    assert first != second


def test_padding_is_little_and_on_the_right(rows):
    padding = total = 0
    for inputs, _ in epochs_of(TrainingBatches(rows, batch_size=16), 1)[0]:
        token_ids = inputs["token_ids"] if isinstance(inputs, dict) else inputs
        real = token_ids.numpy() > 0
        assert real.any(axis=1).all(), "no row is empty"
        assert (np.diff(real.astype(int), axis=1) <= 0).all()
        padding, total = padding + (~real).sum(), total + real.size
    assert padding / total < 0.12  # unsorted batches have 45 %


def test_batches_are_as_wide_as_their_longest_word():
    rows = encoded_rows(per_token=True, characters=True)
    widths = []
    for inputs, _ in evaluation_batches(rows, 2):
        assert inputs["char_ids"].numpy().any(axis=(0, 1)).all()
        widths.append(inputs["char_ids"].shape[2])
    assert len(set(widths)) > 1
    static = evaluation_batches(rows, 16, WIDTHS, static_shapes=True)
    assert {inputs["char_ids"].shape[2] for inputs, *_ in static} == {6}


@pytest.mark.parametrize("position", [(0, 5), (1, 0), (2, 12)])
def test_training_starts_at_any_position(rows, position):
    whole, resumed = (TrainingBatches(rows, batch_size=16, seed=1) for _ in range(2))
    epoch, step = position
    resumed.position = position
    skipped = epoch * whole.steps_per_epoch + step
    expected = itertools.islice(whole.dataset, skipped, skipped + 9)
    for received, wanted in zip(itertools.islice(resumed.dataset, 9), expected, strict=True):
        for one, other in zip(arrays_of(received), arrays_of(wanted), strict=True):
            np.testing.assert_array_equal(one, other)


def test_the_seed_decides(rows):
    one, same, other = (shuffled_batches(rows.lengths, 16, (seed, 0)) for seed in (1, 1, 2))
    assert all(np.array_equal(a, b) for a, b in zip(one, same, strict=True))
    assert not all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


def test_static_shapes(rows):
    batches = TrainingBatches(rows, batch_size=16, widths=WIDTHS, static_shapes=True)
    epoch = epochs_of(batches, 1)[0]
    token_ids = [inputs["token_ids"] if isinstance(inputs, dict) else inputs for inputs, *_ in epoch]
    assert {tuple(ids.shape) for ids in token_ids} <= {(16, width) for width in WIDTHS}
    assert sorted(rows_of(rows, epoch)) == sorted(expected_rows(rows))
    assert all((ids.numpy() > 0).any(axis=1).all() for ids in token_ids), "fillers are no empty rows"


def test_one_width_is_known_to_the_graph(rows):
    inputs, targets, _ = TrainingBatches(rows, batch_size=16, widths=[LONGEST], static_shapes=True).dataset.element_spec
    assert (inputs["token_ids"] if isinstance(inputs, dict) else inputs).shape == (16, LONGEST)
    assert targets.shape == ((16, LONGEST) if rows.per_token else (16,))


@pytest.mark.parametrize("static", [False, True])
def test_evaluation_goes_from_short_to_long(rows, static):
    dataset = evaluation_batches(rows, 16, WIDTHS if static else None, static)
    assert int(dataset.cardinality()) == -(-len(rows) // 16)
    order = np.concatenate(sorted_batches(rows.lengths, 16))
    assert (np.diff(rows.lengths[order]) >= 0).all()
    expected = expected_rows(rows)
    assert rows_of(rows, dataset) == [expected[number] for number in order]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"batch_size": 0}, "`batch_size` must be positive"),
        ({"batch_size": 4, "static_shapes": True}, "`static_shapes` needs `widths`"),
        ({"batch_size": 4, "widths": [8]}, f"`widths` must hold the longest text, {LONGEST} tokens"),
    ],
)
def test_wrong_arguments_are_named(rows, arguments, message):
    with pytest.raises(ValueError, match=message):
        TrainingBatches(rows, **arguments)
