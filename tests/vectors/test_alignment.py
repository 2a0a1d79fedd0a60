"""The rotation between two languages, on vectors of which one is known to be the other rotated."""

import numpy as np
import pytest
from scipy.linalg import orthogonal_procrustes
from scipy.stats import ortho_group

from textapp.errors import InputError
from textapp.vectors.alignment import learn_rotation, mutual_translations, procrustes, rotate, score_translation
from textapp.vectors.subwords import Subwords, SubwordVectors
from textapp.vectors.word_vectors import WordVectors

COUNT, DIM = 200, 8
ROTATION = ortho_group.rvs(DIM, random_state=0)
ROWS = np.arange(COUNT)


def languages(noise: float) -> tuple[WordVectors, WordVectors]:
    """Two vocabularies whose words of one number are translations; lengths differ."""
    rng = np.random.default_rng(1)
    meanings = rng.normal(size=(COUNT, DIM))
    other = 3 * meanings @ ROTATION + noise * rng.normal(size=meanings.shape)
    return WordVectors([f"en{i}" for i in ROWS], meanings), WordVectors([f"词{i}" for i in ROWS], other)


def test_procrustes_is_scipys():
    rng = np.random.default_rng(2)
    one, other = rng.normal(size=(50, DIM)), rng.normal(size=(50, DIM))
    rotation = procrustes(one, other)
    np.testing.assert_allclose(rotation, orthogonal_procrustes(one, other)[0], atol=1e-5)
    np.testing.assert_allclose(rotation @ rotation.T, np.eye(DIM), atol=1e-5)


def test_a_rotation_is_found_from_few_pairs():
    source, target = languages(noise=0)
    rotation = learn_rotation(source, target, np.stack([ROWS[:DIM], ROWS[:DIM]], axis=1))
    np.testing.assert_allclose(rotation, ROTATION, atol=1e-4)
    scores = score_translation(source, target, rotation, [(f"en{i}", f"词{i}") for i in ROWS])
    assert scores["cosine"] == scores["csls"] == {"precision_at_1": 1.0, "precision_at_5": 1.0, "of_all": 1.0}


def test_refinement_comes_nearer():
    source, target = languages(noise=1)
    lines: list[str] = []
    few = np.stack([ROWS[:10], ROWS[:10]], axis=1)
    errors = [
        np.linalg.norm(learn_rotation(source, target, few, refinements, lines.append) - ROTATION)
        for refinements in (0, 3)
    ]
    assert errors[1] < errors[0] / 2
    assert [line.partition(":")[0] for line in lines] == ["refinement 1", "refinement 2", "refinement 3"]


def test_mutual_translations_are_of_one_meaning():
    source, target = languages(noise=0)
    pairs = mutual_translations(source.unit_vectors @ ROTATION.astype(np.float32), target.unit_vectors[::-1].copy())
    assert pairs.tolist() == [[row, COUNT - 1 - row] for row in ROWS]


def test_muse_counts_any_translation_and_leaves_out_the_unknown():
    # In the plane, with no rotation. Nearest to a: 甲 then 乙; to b: 乙 then 甲; 丙 is far from both.
    source = WordVectors(["a", "b", "甲"], [[1, 0], [0.6, 0.8], [0, 1]])
    target = WordVectors(["甲", "乙", "丙"], [[1, 0.1], [0.7, 0.7], [-1, 0]])
    dictionary = [
        ("a", "丙"),
        ("a", "甲"),
        ("b", "甲"),
        ("甲", "甲"),
        ("a", "无"),
        ("c", "甲"),
        ("d", "乙"),
        ("b", "丁"),
    ]
    scores = score_translation(source, target, np.eye(2, dtype=np.float32), [*dictionary, ("e", "无")])
    counts = {key: scores[key] for key in ("source_words", "known", "scored", "coverage", "pairs", "pairs_known")}
    assert counts == {"source_words": 6, "known": 3, "scored": 3, "coverage": 0.5, "pairs": 9, "pairs_known": 4}
    third = pytest.approx(1 / 3)
    assert scores["cosine"] == {"precision_at_1": third, "precision_at_5": 1.0, "of_all": pytest.approx(1 / 6)}
    assert scores["same_spelling"] == third


def test_nothing_known_scores_nothing():
    source, target = languages(noise=0)
    scores = score_translation(source, target, ROTATION.astype(np.float32), [("x", "y")])
    assert (scores["scored"], scores["same_spelling"]) == (0, None)
    assert scores["csls"] == {"precision_at_1": None, "precision_at_5": None, "of_all": 0.0}


def test_rotated_vectors_keep_their_words_lengths_and_subwords():
    subwords = SubwordVectors(Subwords(buckets=20), np.random.default_rng(3).normal(size=(20, DIM)).astype(np.float32))
    source = WordVectors(["gut", "好"], np.ones((2, DIM)), [5, 2], subwords=subwords, tokenizer={"lowercase": True})
    rotation = ROTATION.astype(np.float32)
    result = rotate(source, rotation)
    assert (result.words, result.counts.tolist(), result.tokenizer) == (source.words, [5, 2], {"lowercase": True})
    np.testing.assert_allclose(result.norms, source.norms, rtol=1e-5)
    np.testing.assert_allclose(result["ungut"], source["ungut"] @ rotation, atol=1e-5)


def test_what_cannot_be_aligned_is_refused():
    source, target = languages(noise=0)
    with pytest.raises(
        InputError, match=r"vectors to align must have one dimension; received 8 \(source\) and 2 \(target\)"
    ):
        learn_rotation(source, WordVectors(["好"], [[1.0, 0.0]]), np.array([[0, 0]]))
    with pytest.raises(InputError, match="no pair of the training dictionary is in both vocabularies"):
        learn_rotation(source, target, np.zeros((0, 2), np.int64))
