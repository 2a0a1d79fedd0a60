import json

import numpy as np
import pytest

from tests.runtime.conftest import LABELS, load_error
from textapp.errors import InputError
from textapp.runtime import load
from textapp.runtime.ngram_model import NGRAM_TABLE, NGRAMS, NgramModel
from textapp.text.ngrams import NgramHash

HASH = NgramHash(order=2, rows=64, characters=3, character_rows=32)
TEXT = ["good", "film", "good"]


def model(classes=3, columns=None, hashed=HASH, weights=(0.5, 2.0)):
    rng = np.random.default_rng(7)
    width = columns or classes
    return NgramModel(
        hashed,
        rng.integers(-127, 128, (hashed.rows + hashed.character_rows, width)).astype(np.int8),
        rng.random((2, width), np.float32) / 50,
        rng.normal(size=classes).astype(np.float32),
        rng.normal(size=(columns, classes)).astype(np.float32) if columns else None,
        weights,
    )


@pytest.mark.parametrize("columns", [None, 1, 2])
def test_logits_are_scaled_sums_of_rows(columns):
    ngrams, rows = model(columns=columns), HASH(TEXT)
    values = np.zeros(ngrams.table.shape[1])
    for scale, numbers, start in zip(ngrams.scales, rows, (0, HASH.rows), strict=True):
        for number in numbers:
            values += scale * ngrams.table[start + number] / len(numbers) ** 0.5
    expected = (values if columns is None else values @ ngrams.projection) + ngrams.bias
    np.testing.assert_allclose(ngrams.logits(TEXT), expected, rtol=1e-5, atol=1e-5)
    logits = np.array([1, 2, 3], np.float32)
    np.testing.assert_allclose(ngrams.combined(logits, TEXT), 0.5 * logits + 2 * expected, rtol=1e-5, atol=1e-5)
    assert ngrams.combined(logits, []) is logits


def test_rows_of_zeros_are_counted_only_in_files_of_the_first_version(tmp_path):
    ngrams = model()
    rows = HASH(TEXT)
    ngrams.table[rows.words[0]] = 0
    scale = ngrams.scales[0] * ngrams.table[rows.words].sum(axis=0)
    others = ngrams.scales[1] * ngrams.table[np.array(rows.characters) + HASH.rows].sum(axis=0)
    rest = others / len(rows.characters) ** 0.5 + ngrams.bias
    count = len(rows.words)
    np.testing.assert_allclose(ngrams.logits(TEXT), scale / (count - 1) ** 0.5 + rest, rtol=1e-5, atol=1e-5)
    files = ngrams.files()
    fields = json.loads(files[NGRAMS])
    del fields["count_zero_rows"]
    first = NgramModel.parse(files | {NGRAMS: json.dumps(fields).encode()}, tmp_path, 3)
    np.testing.assert_allclose(first.logits(TEXT), scale / count**0.5 + rest, rtol=1e-5, atol=1e-5)
    ngrams.table[:] = 0
    np.testing.assert_array_equal(ngrams.logits(TEXT), ngrams.bias)


@pytest.mark.parametrize("columns", [None, 2])
@pytest.mark.parametrize("hashed", [HASH, NgramHash(4, 256)])
def test_files_are_read_back(tmp_path, columns, hashed):
    ngrams = model(columns=columns, hashed=hashed)
    read = NgramModel.parse(ngrams.files(), tmp_path, 3)
    assert read.hashed == hashed
    assert read.weights == (0.5, 2.0)
    np.testing.assert_array_equal(read.logits(TEXT), ngrams.logits(TEXT))


BROKEN = {
    "order": [0, 9, True, 1.5, None],
    "rows": [0, 63, 2**21, "64"],
    "characters": [-1, 9, 0],
    "character_rows": [0, 31],
    "scales": [[], [[1.0] * 3], [[1.0] * 3, [1.0, 2.0]], [[1.0] * 3, [1.0, 2.0, True]], [[1.0] * 3, [1.0, 2.0, 1e30]]],
    "bias": [[], [1.0, 2.0], ["1", 2.0, 3.0], None],
    "projection": [[], [[1.0] * 3] * 2, 3, [[1.0] * 2] * 3],
    "weights": [[1.0], [1.0, None], {}],
    "count_zero_rows": [None, 0, "true"],
}


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in BROKEN.items() for value in values])
def test_a_broken_field_is_named(tmp_path, name, value):
    files = model().files()
    fields = json.loads(files[NGRAMS]) | {name: value}
    with pytest.raises(InputError, match=r"ngrams\.(json|bin): ") as caught:
        NgramModel.parse(files | {NGRAMS: json.dumps(fields).encode()}, tmp_path, 3)
    assert "\n" not in str(caught.value)


def test_nan_and_other_shapes_are_refused(tmp_path):
    files = model().files()
    for content, pattern in {
        files[NGRAMS].replace(b"[0.5, 2.0]", b"[NaN, 2.0]"): "weights|NaN",
        b"[]": "must be an object",
        b"{}": "must be an object",
    }.items():
        with pytest.raises(InputError, match=pattern):
            NgramModel.parse(files | {NGRAMS: content}, tmp_path, 3)
    with pytest.raises(InputError, match=r"ngrams\.bin: must have 288 bytes"):
        NgramModel.parse(files | {NGRAM_TABLE: files[NGRAM_TABLE][:-1]}, tmp_path, 3)
    with pytest.raises(InputError, match="for 4 labels"):
        NgramModel.parse(files, tmp_path, 4)


def test_a_bundle_adds_the_logits_of_both_models(write_bundle, predictor):
    ngrams = model(len(LABELS))
    both = load(write_bundle(ngrams.files(), ngrams=True, name="n-grams"))
    for text in ("good film", "Café!", "unknown words alone"):
        words = both.tokens(text)
        expected = 0.5 * predictor.outputs(words).logits + 2 * ngrams.logits(words)
        np.testing.assert_allclose(both.outputs(words).logits, expected, rtol=1e-5, atol=1e-5)
        assert both.predict([text])[0].label == LABELS[int(expected.argmax())]
    assert both.predict([""]) == predictor.predict([""])


def test_files_of_n_grams_are_checked(write_bundle):
    files = model(len(LABELS)).files()
    assert "ngrams.bin" in load_error(write_bundle(files | {NGRAM_TABLE: b""}, ngrams=True))
