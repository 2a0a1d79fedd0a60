"""Blocks of a corpus: nothing lost, nothing out of order, the same again for the same seed and place."""

import itertools

import numpy as np
import pytest

from textapp.vectors.blocks import BlockShape, TrainingBlocks, choose_shape, keep_probabilities, noise_ratios
from textapp.vectors.corpus import WordSplitter
from textapp.vectors.token_cache import build_cache

SHAPE = BlockShape(length=4, segments=2, blocks=3)


@pytest.fixture
def cache(tmp_path):
    """A corpus of 3,000 words in sentences of 2 to 9, in which each word is the number of its place, modulo 200."""
    rng = np.random.default_rng(0)
    words = iter(f"词{place % 200}" for place in range(3000))
    lines = iter(lambda: " ".join(itertools.islice(words, int(rng.integers(2, 10)))), "")
    (tmp_path / "corpus.txt").write_text("\n".join(lines), encoding="utf-8")
    return build_cache([tmp_path / "corpus.txt"], tmp_path / "cache", splitter=WordSplitter("whitespace"), min_count=1)


def elements(blocks, count):
    return [(ids.numpy(), sentences.numpy()) for ids, sentences in blocks.dataset.take(count)]


def test_layout_by_hand():
    steps = BlockShape(length=2, segments=2, blocks=2).arrange(np.arange(14, dtype=np.int32))
    # Two steps of eight words: four runs of four words, each step takes two of each; the end starts over.
    np.testing.assert_array_equal(steps, [[[0, 1, 8, 9], [4, 5, 12, 13]], [[2, 3, 10, 11], [6, 7, 0, 1]]])


def test_an_epoch_holds_every_word(cache):
    blocks = TrainingBlocks(cache, SHAPE, sample=0, chunk=1000)
    chunks = elements(blocks, blocks.steps_per_epoch)
    seen = np.bincount(np.concatenate([ids.ravel() for ids, _ in chunks]), minlength=200)
    assert (seen >= cache.counts).all()
    assert seen.sum() - cache.counts.sum() < blocks.steps_per_epoch * SHAPE.words_per_step


def test_neighbours_in_a_segment_are_neighbours_in_the_text(cache):
    blocks = TrainingBlocks(cache, SHAPE, sample=0, chunk=1000)
    number = np.array([int(word[1:]) for word in cache.words])
    pairs = 0
    for ids, sentences in elements(blocks, blocks.steps_per_epoch):
        segments = number[ids].reshape(-1, SHAPE.length)
        same = np.diff(sentences.reshape(-1, SHAPE.length)) == 0
        np.testing.assert_array_equal((np.diff(segments) % 200)[same], 1)
        pairs += same.sum()
    assert pairs > 1500  # of 3,000 words, less the ends of sentences and segments


def test_elements_depend_on_seed_and_place_alone(cache):
    def make(seed=1):
        return TrainingBlocks(cache, SHAPE, sample=1e-3, seed=seed, chunk=1000)

    blocks = make()
    first = elements(blocks, 2 * blocks.steps_per_epoch)
    later = make()
    later.position = (1, 2)
    for (ids, sentences), (other, others) in zip(first[blocks.steps_per_epoch + 2 :], elements(later, 2), strict=False):
        np.testing.assert_array_equal(ids, other)
        np.testing.assert_array_equal(sentences, others)
    assert first[0][0].shape != first[blocks.steps_per_epoch][0].shape or (
        (first[0][0] != first[blocks.steps_per_epoch][0]).any()
    )
    assert (elements(make(seed=2), 1)[0][0].ravel()[:50] != first[0][0].ravel()[:50]).any()


def test_frequent_words_are_subsampled_as_in_word2vec():
    counts = np.array([80_000, 10_000, 9_000, 1_000])
    # word2vec.c: ran = (sqrt(cn / (sample * train_words)) + 1) * (sample * train_words) / cn
    threshold = 1e-2 * 100_000
    expected = [(np.sqrt(c / threshold) + 1) * threshold / c for c in counts]
    np.testing.assert_allclose(keep_probabilities(counts, 1e-2), np.minimum(1, expected), rtol=1e-6)
    np.testing.assert_array_equal(keep_probabilities(counts, 0), np.ones(4))


def test_thinning_keeps_the_share_that_it_should(cache):
    blocks = TrainingBlocks(cache, BlockShape(4, 2, 1), sample=1e-3)
    kept = elements(blocks, 1)[0][0].size / cache.num_words
    expected = keep_probabilities(cache.counts, 1e-3) @ cache.counts / cache.num_words
    assert kept == pytest.approx(expected, abs=0.04)


def test_a_corpus_shorter_than_a_step(tmp_path):
    (tmp_path / "corpus.txt").write_text("好 film", encoding="utf-8")
    cache = build_cache([tmp_path / "corpus.txt"], tmp_path / "cache", splitter=WordSplitter("whitespace"), min_count=1)
    ids, sentences = elements(TrainingBlocks(cache, SHAPE), 1)[0]
    assert ids.shape == sentences.shape == (1, 3, 8)
    assert set(ids.ravel()) <= {0, 1}


def test_steps_are_smaller_where_few_words_make_up_the_corpus():
    assert choose_shape(np.full(10_000, 7), 1e-3) == BlockShape()
    # Of four words, one is a quarter of each step: 256 words a step would hold 64 of it, and two blocks hold less.
    assert choose_shape(np.full(4, 500), 0).words_per_step == 2 * BlockShape().words_per_block <= 256
    assert choose_shape(np.array([500]), 0).blocks == 1


def test_noise_is_weighed_as_word2vec_draws_it():
    counts = np.array([90_000, 8_000, 1_900, 100, 0])
    ratios = noise_ratios(counts, 1e-3)
    kept = counts * keep_probabilities(counts, 1e-3)
    np.testing.assert_allclose(
        (ratios * kept)[:4] / (ratios @ kept), counts[:4] ** 0.75 / (counts**0.75).sum(), rtol=1e-5
    )
    assert ratios[4] == 0
    np.testing.assert_allclose(ratios @ kept / kept.sum(), 1, rtol=1e-5)
    rare = noise_ratios(np.array([10**9, *[1] * 100]), 0)
    assert rare[1] / rare[0] == pytest.approx(20, rel=1e-3)  # cut: 1e9 ** 0.25 would be 178
