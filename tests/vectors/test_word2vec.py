"""Training: what `fit` does to the tables, against the same updates written out, and what is learned."""

import numpy as np
import pytest
import tensorflow as tf

from textapp.vectors.blocks import BlockShape, TrainingBlocks
from textapp.vectors.corpus import WordSplitter
from textapp.vectors.objective import BlockObjective
from textapp.vectors.subwords import Subwords, SubwordVectors
from textapp.vectors.token_cache import build_cache
from textapp.vectors.word2vec import Word2Vec
from textapp.vectors.word_vectors import WordVectors

SHAPE = BlockShape(length=8, segments=4, blocks=4)
GROUPS = [["猫", "狗", "兔", "马"], ["red", "blue", "green", "grün"], ["eins", "zwei", "drei", "vier"]]


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    """A corpus in which each sentence holds words of one group only."""
    folder = tmp_path_factory.mktemp("corpus")
    rng = np.random.default_rng(0)
    lines = [" ".join(rng.choice(GROUPS[rng.integers(3)], size=8)) for _ in range(2000)]
    (folder / "corpus.txt").write_text("\n".join(lines), encoding="utf-8")
    return build_cache([folder / "corpus.txt"], folder / "cache", splitter=WordSplitter("whitespace"))


def train(cache, epochs=3, seed=0, **options):
    blocks = TrainingBlocks(cache, SHAPE, sample=0, seed=seed, chunk=6000)
    model = Word2Vec(len(cache.words), 12, shape=SHAPE, window=3, seed=seed, **options)
    model.compile(learning_rate=0.2, total_steps=epochs * blocks.steps_per_epoch)
    history = model.fit(blocks.dataset, steps_per_epoch=blocks.steps_per_epoch, epochs=epochs, shuffle=False, verbose=0)
    return model, history.history


@pytest.mark.parametrize("options", [{}, {"kind": "cbow"}, {"threads": 2}], ids=str)
def test_words_of_a_group_come_together(cache, options):
    model, history = train(cache, **options)
    assert history["loss"][-1] < 0.8 * 6 * np.log(2)
    vectors = WordVectors(cache.words, model.vectors())
    for group in GROUPS:
        for word in group:
            assert {near for near, _ in vectors.neighbors(word, 3)} == set(group) - {word}


def test_one_thread_repeats_itself(cache):
    first, again, other = (train(cache, epochs=1, seed=seed)[0].vectors() for seed in (3, 3, 4))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def test_a_step_by_hand(cache):
    """Two updates of `fit` beside the same written out with dense tables in float64."""
    ids = np.random.default_rng(0).integers(0, 12, (2, *(SHAPE.blocks, SHAPE.words_per_block))).astype(np.int32)
    sentences = np.zeros_like(ids)
    noise = np.linspace(0.5, 2, 12, dtype=np.float32)
    model = Word2Vec(12, 5, shape=SHAPE, window=3, noise=noise, seed=0)
    model.compile(learning_rate=0.2, total_steps=4)
    tables = [model.inputs_table.vectors.numpy().astype(np.float64), np.zeros((12, 5))]
    accumulator = [np.full(12, 16.0), np.full(12, 16.0)]
    model.fit(tf.data.Dataset.from_tensors((ids, sentences)), epochs=1, verbose=0)

    objective = BlockObjective("skip_gram", SHAPE, 3, 5)
    for number in range(2):
        done = number / 2 / 4
        rate = 0.2 * (1 + (1 / 300 - 1) * done) * min(1, (done + 1e-4) / 0.01)
        x, y = (tf.constant(table[ids[number]], tf.float32) for table in tables)
        for table, square, gradient in zip(
            tables,
            accumulator,
            objective.gradients(x, y, tf.constant(sentences[number]), tf.constant(noise[ids[number]])),
            strict=True,
        ):
            flat, gradient = ids[number].ravel(), gradient.numpy().reshape(-1, 5).astype(np.float64)
            np.add.at(square, flat, (gradient**2).mean(1))
            np.add.at(table, flat, gradient * (rate / np.sqrt(square[flat]))[:, None])
    np.testing.assert_allclose(model.vectors(), tables[0], rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(model.outputs_table.vectors.numpy(), tables[1], rtol=1e-4, atol=1e-6)
    assert int(model.steps_done) == 1


def test_subwords_give_an_unseen_word_a_vector(cache):
    subwords = Subwords(1, 3, 500)
    model, _ = train(cache, ngrams=subwords.flat_ids(cache.words), buckets=500)
    composed = SubwordVectors(subwords, model.ngram_vectors())
    own = model.inputs_table.vectors.numpy()[: len(cache.words)]
    np.testing.assert_allclose(model.vectors(), composed.compose(cache.words, own), rtol=1e-4, atol=1e-6)
    vectors = WordVectors(cache.words, model.vectors(), subwords=composed)
    assert {near for near, _ in vectors.neighbors("zweie", 3)} <= set(GROUPS[2])


def test_a_subword_step_by_hand():
    """One update whose words share n-grams: each part moves along the mean's gradient, a part of it."""
    ngrams = np.array([0, 1, 1], np.int32), np.array([0, 2, 3, 3])
    shape = BlockShape(length=3, segments=2, blocks=1)
    ids = np.array([[[0, 1, 2, 1, 1, 0]]], np.int32)
    model = Word2Vec(3, 4, shape=shape, window=2, ngrams=ngrams, buckets=2, seed=1)
    model.compile(learning_rate=0.2, total_steps=1)
    outputs = np.random.default_rng(0).normal(size=(3, 4)).astype(np.float32)
    model.outputs_table.vectors.assign(outputs)
    table = model.inputs_table.vectors.numpy().astype(np.float64)
    parts = [[0, 3, 4], [1, 4], [2]]
    means = np.stack([table[rows].mean(0) for rows in parts])
    flat = ids.ravel()
    gradient, _ = BlockObjective("skip_gram", shape, 2, 5).gradients(
        tf.constant(means[flat][None], tf.float32),
        tf.constant(outputs[flat][None]),
        tf.zeros((1, 6), tf.int32),
        tf.ones((1, 6)),
    )
    of_word = np.zeros((3, 4))
    np.add.at(of_word, flat, gradient.numpy()[0])
    accumulator = np.full(5, 0.1)
    moves = [(row, of_word[word] / len(rows)) for word, rows in enumerate(parts) for row in rows]
    for row, move in moves:
        accumulator[row] += (move**2).mean()
    for row, move in moves:
        table[row] += 0.2 * 1e-2 * move / np.sqrt(accumulator[row])  # 1e-4 / 1e-2 of the rate, as the warm-up begins

    model.fit(tf.data.Dataset.from_tensors((ids, np.zeros_like(ids))), verbose=0)
    np.testing.assert_allclose(model.inputs_table.vectors.numpy(), table, rtol=1e-5)


def test_the_rate_rises_then_falls():
    model = Word2Vec(3, 2)
    model.compile(learning_rate=0.3, total_steps=10)
    np.testing.assert_allclose(model.rate(np.float32(0.0)), 0.003, rtol=1e-5)
    np.testing.assert_allclose(model.rate(np.float32(0.5)), 0.3 * 0.5 + 1e-3 * 0.5, rtol=1e-5)
    np.testing.assert_allclose(model.rate(np.float32(1.0)), 1e-3, rtol=1e-3)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"window": 16}, "`window` must be from 1 to 15"),
        ({"threads": 0}, "`threads` must be positive"),
        ({"ngrams": (np.zeros(2, np.int32), np.arange(3)), "buckets": 1}, "must be those of 3 words"),
        ({"ngrams": (np.ones(3, np.int32), np.arange(4)), "buckets": 1}, "largest number 1, buckets=1"),
    ],
)
def test_wrong_arguments(options, message):
    with pytest.raises(ValueError, match=message):
        Word2Vec(3, 2, **options)
