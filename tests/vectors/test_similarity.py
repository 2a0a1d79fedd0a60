"""Similarity sets, against hand-worked ranks and gensim."""

import math
import re
from pathlib import Path

import numpy as np
import pytest

from textapp.errors import InputError
from textapp.vectors.evaluation import expand_folders
from textapp.vectors.similarity import (
    SimilaritySet,
    character_cosines,
    cosines,
    read_similarity_set,
    score_similarity,
    spearman,
)
from textapp.vectors.subwords import Subwords, SubwordVectors
from textapp.vectors.word_vectors import WordVectors

DATA = Path(__file__).parents[2] / "../shared/data/word_similarity"

# Unit vectors at 0, 30, 60 and 90 degrees, then zero.
ANGLES = np.radians([0, 30, 60, 90])
VECTORS = WordVectors(
    ["好", "gut", "tiger", "Москва", "null"],
    np.concatenate([3 * np.stack([np.cos(ANGLES), np.sin(ANGLES)], 1), [[0, 0]]]),
)


def test_both_separations_a_header_and_more_columns_are_read(tmp_path):
    (tmp_path / "слова.txt").write_bytes("word1\tword2\tmean\n# c\n好\t New York \t4.5\t1\t2\r\nß gut -1e1\n".encode())
    name, pairs, scores = read_similarity_set(tmp_path / "слова.txt")
    assert (name, pairs, scores.tolist()) == ("слова", (("好", "New York"), ("ß", "gut")), [4.5, -10.0])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a b 1\nc d\n", ":2: must read WORD WORD SCORE"),
        ("a b 1\n\tc\t2\n", ":2: must read WORD WORD SCORE"),
        ("a b 1\nc d 1,5\n", ":2: the third column, the score, must be a number; received '1,5'"),
        ("a b nan\n", ":1: the third column, the score, must be a number; received 'nan'"),
        ("w w mean\n", ": there is no pair in it"),
        ("", ": there is no pair in it"),
    ],
)
def test_broken_files_are_refused(tmp_path, content, message):
    (tmp_path / "词.txt").write_text(content, encoding="utf-8")
    with pytest.raises(InputError, match=re.escape(f"{tmp_path / '词.txt'}{message}")):
        read_similarity_set(tmp_path / "词.txt")


def test_cosines_are_those_of_the_angles():
    pairs = (("好", "gut"), ("GUT", "Tiger"), ("好", "Москва"), ("好", "null"), ("好", "坏"), ("x", "y"), ("好", "好"))
    expected = [math.cos(math.pi / 6), math.cos(math.pi / 6), 0, 0, math.nan, math.nan, 1]
    np.testing.assert_allclose(cosines(VECTORS, pairs), expected, atol=1e-6)


def test_a_word_is_as_near_to_itself_as_any_other_to_itself():
    words = [f"слово{i}" for i in range(100)]
    vectors = WordVectors(words, np.random.default_rng(0).normal(size=(100, 7)))
    assert set(cosines(vectors, tuple((word, word) for word in words))) == {1.0}, "equal ranks, whatever the rounding"


def test_subwords_cover_unseen_words():
    subwords = SubwordVectors(Subwords(buckets=50), np.ones((50, 2), np.float32))
    vectors = WordVectors(["gut"], [[1.0, 0.0]], subwords=subwords)
    np.testing.assert_allclose(cosines(vectors, (("gut", "ungut"),)), [math.sqrt(0.5)], rtol=1e-6)


def test_spearman_by_hand():
    # Ranks 1, 2.5, 2.5, 4 against 1, 2, 4, 3: rho = 3 / sqrt(4.5 * 5).
    human, cosine = np.array([1, 5, 5, 9, 7.0]), np.array([-0.5, 0.0, 0.9, 0.3, math.nan])
    assert spearman(human, cosine) == pytest.approx(3 / math.sqrt(4.5 * 5))
    assert spearman(human[:1], cosine[:1]) is None
    assert spearman(human[1:3], cosine[1:3]) is None


def test_character_ngrams_by_hand():
    # <ab> against <abc>: 2-grams <a ab b> | <a ab bc c>, 3-grams <ab ab> | <ab abc bc>, 4-grams <ab> | <abc abc>.
    assert character_cosines((("AB", "abc"), ("好", "好"), ("好", "坏"))) == pytest.approx([3 / math.sqrt(6 * 9), 1, 0])


def test_scores_carry_their_coverage_and_baselines():
    pairs = (("好", "gut"), ("好", "tiger"), ("好", "Москва"), ("好", "fehlt"))
    similarity = SimilaritySet("词", pairs, np.array([9.0, 5.0, 1.0, 3.0]))
    other = WordVectors(["好", "tiger", "Москва", "fehlt"], [[1.0, 0.0], [0.0, 1.0], [1.0, 0.1], [1.0, 1.0]])
    scores = score_similarity(VECTORS, similarity, other)
    assert scores == {
        "set": "词",
        "spearman": pytest.approx(1.0),
        "count": 3,
        "total": 4,
        "coverage": 0.75,
        "character_ngrams": None,  # all 0
        "shared": {"count": 2, "spearman": pytest.approx(1.0), "baseline": pytest.approx(-1.0)},
    }
    nothing = score_similarity(WordVectors(["x"], [[1.0]]), similarity)
    assert (nothing["spearman"], nothing["count"], nothing["coverage"]) == (None, 0, 0.0)


def test_gensim_finds_the_same(tmp_path):
    keyedvectors = pytest.importorskip("gensim.models.keyedvectors")
    rng = np.random.default_rng(0)
    words = [f"слово{i}" for i in range(40)]
    vectors = WordVectors(words, rng.normal(size=(40, 5)))
    lines = [f"{a}\t{b}\t{rng.integers(10)}\n" for a, b in rng.choice([*words, "нет", "没有"], size=(200, 2)) if a != b]
    (tmp_path / "пары.txt").write_text("".join(lines), encoding="utf-8")
    reference = keyedvectors.KeyedVectors(5)
    reference.add_vectors(words, vectors.vectors)
    _, rho, missing = reference.evaluate_word_pairs(str(tmp_path / "пары.txt"))
    scores = score_similarity(vectors, read_similarity_set(tmp_path / "пары.txt"))
    assert scores["spearman"] == pytest.approx(rho.statistic, abs=1e-6)
    assert 100 * (1 - scores["coverage"]) == pytest.approx(missing)


@pytest.mark.skipif(not DATA.exists(), reason="../shared/data/word_similarity is not there")
def test_every_public_set_is_read():
    sizes = {path.stem: len(read_similarity_set(path).pairs) for path in expand_folders([DATA])}
    assert sizes == {
        "EN-MEN-TR-3k": 3000,
        "EN-MTurk-771": 771,
        "EN-RW-STANFORD": 2034,
        "EN-SIMLEX-999": 999,
        "EN-WS-353-ALL": 353,
        "EN-WS-353-REL": 252,
        "EN-WS-353-SIM": 203,
        "ZH-wordsim-240": 240,
        "ZH-wordsim-297": 297,
    }
