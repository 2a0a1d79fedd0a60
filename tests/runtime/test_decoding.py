import itertools
import time

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from textapp.layers import CRF
from textapp.runtime.decoding import FORBIDDEN, TagDecoder, TagsOfSpan
from textapp.text.tag_schemes import allowed_transitions, find_breaks

TAGS = ("O", "S-人", "B-人", "I-人", "E-人", "S-lieu")


def scores_of(seed, tags=4, forbidden=0.3):
    """Random transitions, start and end, of which the first tag's alone are sure to be allowed."""
    rng = np.random.default_rng(seed)
    arrays = []
    for shape in ((tags, tags), (tags,), (tags,)):
        scores, never = rng.normal(scale=2.0, size=shape), rng.random(shape) < forbidden
        never.flat[0] = False
        arrays.append(np.where(never, FORBIDDEN, scores))
    return tuple(arrays)


def enumerated(logits, transitions, start, end):
    """All sequences that hold nothing forbidden, with their probabilities, straight from the definition."""
    count, tags = logits.shape
    scores = {}
    for path in itertools.product(range(tags), repeat=count):
        parts = [start[path[0]], end[path[-1]], *(transitions[pair] for pair in itertools.pairwise(path))]
        if min(parts) > FORBIDDEN:
            scores[path] = sum(parts) + sum(logits[position, tag] for position, tag in enumerate(path))
    powers = np.exp(np.array(list(scores.values())) - max(scores.values()))
    return dict(zip(scores, powers / powers.sum(), strict=True))


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("count", [1, 2, 5])
class TestAgainstAllSequences:
    def case(self, seed, count):
        scores = scores_of(seed)
        logits = np.random.default_rng(seed + 100).normal(scale=3.0, size=(count, 4))
        return TagDecoder(*scores), logits, enumerated(logits, *scores)

    def test_best_sequence(self, seed, count):
        decoder, logits, probabilities = self.case(seed, count)
        assert tuple(decoder.viterbi(logits)) == max(probabilities, key=probabilities.get)

    def test_marginals(self, seed, count):
        decoder, logits, probabilities = self.case(seed, count)
        expected = np.zeros((count, 4))
        for path, probability in probabilities.items():
            expected[range(count), path] += probability
        np.testing.assert_allclose(decoder.marginals(logits), expected, atol=1e-12)

    def test_span(self, seed, count):
        decoder, logits, probabilities = self.case(seed, count)
        rng = np.random.default_rng(seed)
        for first, stop in itertools.combinations(range(count + 1), 2):
            tags = rng.integers(4, size=stop - first).tolist()
            left, right = rng.random((2, 4)) < 0.5
            expected = sum(
                probability
                for path, probability in probabilities.items()
                if list(path[first:stop]) == tags
                and (first == 0 or left[path[first - 1]])
                and (stop == count or right[path[stop]])
            )
            [found] = decoder.span_probabilities(logits, [TagsOfSpan(first, tags, left, right)])
            assert found == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("forbidden", [0.0, 0.4])
@pytest.mark.parametrize("count", [1, 7, 40])
def test_equals_the_layer_that_is_trained(count, forbidden):
    """CRF works in float32 on potentials, TagDecoder in float64 on logits."""
    scores = scores_of(count, tags=9, forbidden=forbidden)
    logits = np.random.default_rng(5).normal(scale=3.0, size=(count, 9)).astype(np.float32)
    crf = CRF(*(array > FORBIDDEN for array in scores))
    crf.build((None, None, 9))
    for weight, values in zip((crf.transitions, crf.start, crf.end), scores, strict=True):
        weight.assign(values)
    potentials = crf(logits[None])
    decoder = TagDecoder(*(keras.ops.convert_to_numpy(given) for given in (crf.transition_scores(), *scores[1:])))
    assert decoder.viterbi(logits) == crf.decode(potentials)[0][0].numpy().tolist()
    np.testing.assert_allclose(decoder.marginals(logits), crf.marginals(potentials)[0], atol=2e-5)


def scheme_decoder(seed=0):
    """A decoder of `TAGS` in IOBES, with random scores where something is allowed."""
    rng = np.random.default_rng(seed)
    return TagDecoder(
        *(
            np.where(np.array(allowed), rng.normal(size=np.shape(allowed)), FORBIDDEN)
            for allowed in allowed_transitions(TAGS, "IOBES")
        )
    )


huge = st.floats(-1e6, 1e6, width=32)


@given(st.lists(st.lists(huge, min_size=len(TAGS), max_size=len(TAGS)), min_size=1, max_size=12))
def test_only_valid_sequences_come_out_whatever_the_logits(rows):
    """Also where the logits outweigh the layer's -10,000 a hundred times."""
    decoder = scheme_decoder()
    tags = [TAGS[tag] for tag in decoder.viterbi(rows)]
    assert len(tags) == len(rows)
    assert not find_breaks(tags, "IOBES")
    marginals = decoder.marginals(rows)
    assert np.isfinite(marginals).all()
    np.testing.assert_allclose(marginals.sum(axis=1), 1)
    assert marginals[0, TAGS.index("E-人")] == marginals[-1, TAGS.index("B-人")] == 0


def test_a_span_that_cannot_be_has_no_probability():
    every, none = np.ones(len(TAGS), bool), np.zeros(len(TAGS), bool)
    begin, end = TAGS.index("B-人"), TAGS.index("E-人")

    def probability(*span):
        return scheme_decoder().span_probabilities(np.zeros((4, len(TAGS))), [TagsOfSpan(*span)])[0]

    assert 0 < probability(1, [begin, end], every, every) < 1
    assert probability(1, [begin, begin], every, every) == 0
    assert probability(1, [begin, end], every, none) == 0
    assert probability(3, [begin], every, every) == 0


def test_single_tags_are_a_softmax():
    logits = np.random.default_rng(1).normal(scale=4.0, size=(6, 5))
    powers = np.exp(logits)
    softmax = powers / powers.sum(axis=1, keepdims=True)
    decoder = TagDecoder.of_single_tags(5)
    assert decoder.viterbi(logits) == logits.argmax(axis=1).tolist()
    np.testing.assert_allclose(decoder.marginals(logits), softmax, atol=1e-12)
    every = np.ones(5, bool)
    together = softmax[2, 4] * softmax[3, 0]
    assert decoder.span_probabilities(logits, [TagsOfSpan(2, [4, 0], every, every)]) == [pytest.approx(together)]


def test_long_texts_neither_overflow_nor_lose_digits():
    """Scores of a thousand a token add up to 2e7, of which float32 keeps no fraction; the last tokens still tell."""
    decoder = scheme_decoder()
    rng = np.random.default_rng(3)
    tail = rng.normal(size=(30, len(TAGS)))
    whole = np.concatenate([1000.0 + rng.normal(size=(20_000, len(TAGS))), tail])
    began = time.perf_counter()
    tags, marginals = decoder.viterbi(whole), decoder.marginals(whole)
    assert time.perf_counter() - began < 20  # a tenth of it on an idle machine; a step a token
    assert not find_breaks([TAGS[tag] for tag in tags], "IOBES")
    np.testing.assert_allclose(marginals.sum(axis=1), 1, rtol=1e-9)
    assert tags[-15:] == decoder.viterbi(tail)[-15:]
    np.testing.assert_allclose(marginals[-5:], decoder.marginals(tail)[-5:], atol=1e-3)


def test_no_token_has_no_tag():
    decoder = scheme_decoder()
    nothing = np.zeros((0, len(TAGS)))
    assert decoder.viterbi(nothing) == []
    assert decoder.marginals(nothing).shape == nothing.shape


def test_a_text_leaves_nothing_behind_and_logits_stay_as_they_are():
    decoder = scheme_decoder()
    logits = np.random.default_rng(2).normal(size=(9, len(TAGS))).astype(np.float32)
    kept, first = logits.copy(), (decoder.viterbi(logits), decoder.marginals(logits))
    decoder.viterbi(-logits[:4])
    decoder.marginals(-logits[:4])
    np.testing.assert_array_equal(logits, kept)
    assert decoder.viterbi(logits) == first[0]
    np.testing.assert_array_equal(decoder.marginals(logits), first[1])


def test_scores_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match=r"must be \(K, K\), \(K,\) and \(K,\)\. Received: \[\(2, 3\), \(3,\), \(3,\)"):
        TagDecoder(np.zeros((2, 3)), np.zeros(3), np.zeros(3))
    with pytest.raises(ValueError, match="no tag may start a sequence, follow itself and end it"):
        TagDecoder([[FORBIDDEN, 0], [0, 0]], [0, FORBIDDEN], [0, 0])


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("stays", [False, True])
def test_logits_in_parts_have_the_tags_of_the_whole(monkeypatch, seed, stays):
    """With `stays`, each tag is followed by itself alone, so that nothing is decided before the last token."""
    transitions, start, end = scores_of(seed, forbidden=0.2)
    if stays:
        transitions = np.where(np.eye(4, dtype=bool), 0, FORBIDDEN)
    decoder = TagDecoder(transitions, start, end)
    rng = np.random.default_rng(seed)
    logits = rng.normal(scale=2.0, size=(300, 4)).astype(np.float32)
    expected = decoder.viterbi(logits)  # one part, which is shorter than what is decided at once
    monkeypatch.setattr("textapp.runtime.decoding._BLOCK", 5)
    parts = np.split(logits, sorted(rng.integers(0, 300, 60)))
    assert decoder.viterbi_of_parts(parts) == expected
    assert (len(set(expected)) == 1) == stays


def test_probabilities_computed_in_blocks_are_those_of_the_whole(monkeypatch):
    decoder = TagDecoder(*scores_of(3))
    logits = np.random.default_rng(3).normal(scale=2.0, size=(50, 4)).astype(np.float32)
    every, some = np.ones(4, bool), np.array([True, False, True, True])
    spans = [TagsOfSpan(first, [0, 0], some, every) for first in (0, 2, 9, 10, 21, 30, 48)]
    expected = decoder.span_probabilities(logits, spans), decoder.marginals(logits).tolist()
    assert len(set(expected[0])) == len(spans)
    monkeypatch.setattr("textapp.runtime.decoding._BLOCK", 7)
    assert (decoder.span_probabilities(logits, spans), decoder.marginals(logits).tolist()) == expected
