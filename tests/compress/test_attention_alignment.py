"""Weights carried from tokens to tokens, against a loop over characters."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from textapp.compress.attention_alignment import aligned
from textapp.compress.teacher_states import spans_of

from textapp.text.tokenizer import Tokenizer

LETTERS = "ab 3.'½é好ﬁ！\u0301\u00ad\n가"
tokenizers = st.builds(
    Tokenizer, st.sampled_from(["word", "char"]), st.booleans(), st.sampled_from(["none", "nfc", "nfkc"])
)


def by_loop(weights, spans, onto, characters):
    """A character at a time."""
    gathered = [0.0] * len(onto)
    for place in range(characters):
        weight = sum(w / (end - start) for w, (start, end) in zip(weights, spans, strict=True) if start <= place < end)
        readers = [number for number, (start, end) in enumerate(onto) if start <= place < end]
        for number in readers:
            gathered[number] += weight / len(readers)
    return np.array([weight / (sum(gathered) or 1.0) for weight in gathered])


def test_by_hand():
    words, letters = np.array([[0, 4], [5, 6]]), np.array([[0, 1], [1, 2], [2, 3], [3, 4], [5, 6]])
    np.testing.assert_allclose(aligned(np.array([0.8, 0.2]), words, letters, 6), [0.2, 0.2, 0.2, 0.2, 0.2])
    np.testing.assert_allclose(aligned(np.array([0.1, 0.2, 0.3, 0.2, 0.2]), letters, words, 6), [0.8, 0.2])


def test_what_the_student_does_not_read_is_shared_among_the_rest():
    words = np.array([[0, 2], [3, 5], [6, 8]])
    np.testing.assert_allclose(aligned(np.array([0.1, 0.3, 0.6]), words, words[:2], 8), [0.25, 0.75])


def test_one_character_of_several_tokens_is_counted_once():
    spans = spans_of(Tokenizer("char").tokenize("½a"))
    assert spans.tolist() == [[0, 1], [0, 1], [0, 1], [1, 2]]
    np.testing.assert_allclose(aligned(np.array([0.5, 0.5]), np.array([[0, 1], [1, 2]]), spans, 2), [*[1 / 6] * 3, 0.5])
    np.testing.assert_allclose(aligned(np.full(4, 0.25), spans, np.array([[0, 1], [1, 2]]), 2), [0.75, 0.25])


@pytest.mark.parametrize(
    ("weights", "spans", "onto"),
    [([], [], [[0, 1]]), ([1.0], [[0, 1]], []), ([1.0], [[0, 1]], [[1, 3]]), ([0.0, 1.0], [[0, 1], [2, 3]], [[0, 2]])],
)
def test_where_nothing_overlaps_there_is_nothing(weights, spans, onto):
    spans, onto = (np.array(values, np.int64).reshape(-1, 2) for values in (spans, onto))
    assert aligned(np.array(weights), spans, onto, 3).tolist() == [0.0] * len(onto)


@settings(max_examples=200, deadline=None)
@given(
    text=st.text(LETTERS, max_size=14),
    teacher=tokenizers,
    student=tokenizers,
    read=st.tuples(st.integers(0, 8), st.integers(0, 8)),
    seed=st.integers(0, 99),
)
def test_like_a_loop_over_characters(text, teacher, student, read, seed):
    spans = spans_of(teacher.tokenize(text)[: read[0]])
    onto = spans_of(student.tokenize(text)[: read[1]])
    weights = np.random.default_rng(seed).dirichlet(np.ones(len(spans))) if len(spans) else np.zeros(0)
    found = aligned(weights, spans, onto, len(text))
    np.testing.assert_allclose(found, by_loop(weights, spans, onto, len(text)), atol=1e-12)
    assert found.sum() == pytest.approx(1) or not found.any()


@settings(max_examples=50, deadline=None)
@given(text=st.text(LETTERS, min_size=1, max_size=14), tokenizer=tokenizers, seed=st.integers(0, 99))
def test_characters_of_their_own_keep_their_weights(text, tokenizer, seed):
    spans = spans_of(tokenizer.tokenize(text))
    if len({tuple(span) for span in spans.tolist()}) == len(spans) > 0 and (spans[1:, 0] >= spans[:-1, 1]).all():
        weights = np.random.default_rng(seed).dirichlet(np.ones(len(spans)))
        np.testing.assert_allclose(aligned(weights, spans, spans, len(text)), weights, atol=1e-12)
