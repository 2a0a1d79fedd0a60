"""Analogies, against hand-worked answers, a question at a time, and gensim."""

import re
from pathlib import Path

import numpy as np
import pytest

from textapp.errors import InputError
from textapp.vectors import analogies
from textapp.vectors.analogies import AnalogySet, answer, read_analogies, score_analogies
from textapp.vectors.word_vectors import WordVectors

DATA = Path(__file__).parents[2] / "../shared/data/analogy"

# Axes: person, royal, female. 苹果 is off all of them.
WORDS = ["man", "woman", "king", "queen", "苹果"]
VECTORS = WordVectors(WORDS, [[1.0, 0, 0, 0], [1, 0, 1, 0], [1, 1, 0, 0], [1, 1, 1, 0], [0, 0, 0, 1]])


def random_vectors(seed: int = 0, count: int = 30) -> WordVectors:
    return WordVectors([f"词{i}" for i in range(count)], np.random.default_rng(seed).normal(size=(count, 6)))


def random_questions(words, count: int = 300) -> tuple[tuple[str, ...], ...]:
    rng = np.random.default_rng(1)
    return tuple(tuple(question) for question in rng.choice(words, size=(count, 4)).tolist())


def test_sections_are_read(tmp_path):
    (tmp_path / "вопросы.txt").write_bytes(
        ": семья\r\nman king woman queen\r\n\n: leer\n: gram1 x\na\tb c 好\n".encode()
    )
    name, questions, sections = read_analogies(tmp_path / "вопросы.txt")
    assert name == "вопросы"
    assert questions == (("man", "king", "woman", "queen"), ("a", "b", "c", "好"))
    assert sections == {"семья": range(1), "leer": range(1, 1), "gram1 x": range(1, 2)}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (": x\na b c\n", ":2: must be four words, or `: section`; received 3 words"),
        ("a b c d\n", ":1: there is no section before this question"),
        (": x\na b c d\n: x\n", ":3: a section must have a name that no other has; received 'x'"),
        (":\n", ":1: a section must have a name that no other has; received ''"),
        (": x\n", ": there is no question in it"),
    ],
)
def test_broken_files_are_refused(tmp_path, content, message):
    (tmp_path / "题.txt").write_text(content, encoding="utf-8")
    with pytest.raises(InputError, match=re.escape(f"{tmp_path / '题.txt'}{message}")):
        read_analogies(tmp_path / "题.txt")


def test_answers_by_hand():
    questions = (
        ("man", "king", "woman", "queen"),
        ("man", "king", "Woman", "QUEEN"),  # lower-cased
        ("man", "woman", "king", "苹果"),
        ("man", "king", "woman", "принцесса"),
        ("man", "king", "man", "king"),  # the answer is a word of the question, and so is never given
    )
    right, neighbour = answer(VECTORS, questions)
    assert right.tolist() == [1, 1, 0, -1, 0]
    # The neighbour of woman that is neither man nor king is queen too: this question needs no relation.
    assert neighbour.tolist() == [1, 1, 0, -1, 0]


def test_words_beyond_the_limit_are_left_out():
    questions = (("man", "king", "woman", "queen"), ("man", "woman", "king", "man"))
    assert [result.tolist() for result in answer(VECTORS, questions, most_words=3)] == [[-1, 0], [-1, 0]]


def test_where_every_word_is_excluded_nothing_is_right():
    questions = (("man", "woman", "king", "man"),)
    assert [result.tolist() for result in answer(VECTORS, questions, most_words=3)] == [[0], [0]]


@pytest.mark.parametrize("block", [1, 100, 2**24])
def test_batches_answer_as_one_question_at_a_time(monkeypatch, block):
    monkeypatch.setattr(analogies, "_BLOCK", block)
    vectors = random_vectors()
    questions = random_questions(vectors.words)
    units = vectors.vectors / np.linalg.norm(vectors.vectors, axis=1, keepdims=True)
    expected: tuple[list[bool], list[bool]] = ([], [])
    for question in questions:
        a, b, c, d = (vectors.words.index(word) for word in question)
        others = [row for row in range(len(units)) if row not in (a, b, c)]
        for results, query in zip(expected, (units[b] - units[a] + units[c], units[c]), strict=True):
            results.append(max(others, key=lambda row: units[row] @ query) == d)
    right, neighbour = answer(vectors, questions)
    assert right.tolist() == expected[0]
    assert neighbour.tolist() == expected[1]
    assert 0 < sum(expected[0]) < len(questions)


def test_scores_by_section_kind_and_in_all():
    questions = (("man", "king", "woman", "queen"), ("man", "woman", "king", "苹果"), ("x", "king", "woman", "queen"))
    analogy = AnalogySet("题", questions, {"семья": range(1), "gram1-x": range(1, 3), "gram2-leer": range(3, 3)})
    scores = score_analogies(VECTORS, analogy, baseline=WordVectors(WORDS[::-1], np.eye(5)))
    rows = {
        row["section"]: (row["accuracy"], row["count"], row["total"], row["coverage"], row["neighbour_of_c"])
        for row in scores["sections"]
    }
    assert rows == {
        "семья": (1.0, 1, 1, 1.0, 1.0),
        "gram1-x": (0.0, 1, 2, 0.5, 0.0),
        "gram2-leer": (None, 0, 0, None, None),
        "semantic": (1.0, 1, 1, 1.0, 1.0),
        "syntactic": (0.0, 1, 2, 0.5, 0.0),
        "total": (0.5, 2, 3, pytest.approx(2 / 3), 0.5),
    }
    assert scores["sections"][-1]["shared"] == {"count": 2, "accuracy": 0.5, "baseline": 0.5}
    other_set = AnalogySet("题", questions, {"семья": range(3)})
    assert [row["section"] for row in score_analogies(VECTORS, other_set)["sections"]] == ["семья", "total"]


def test_gensim_finds_the_same(tmp_path):
    keyedvectors = pytest.importorskip("gensim.models.keyedvectors")
    vectors = random_vectors(2, 12)
    questions = [q for q in random_questions([*vectors.words, "нет"]) if len(set(q)) == 4]
    lines = [
        ": а\n",
        *(" ".join(q) + "\n" for q in questions[:90]),
        ": б\n",
        *(" ".join(q) + "\n" for q in questions[90:]),
    ]
    (tmp_path / "в.txt").write_text("".join(lines), encoding="utf-8")
    reference = keyedvectors.KeyedVectors(6)
    reference.add_vectors(list(vectors.words), vectors.vectors)
    total, sections = reference.evaluate_word_analogies(str(tmp_path / "в.txt"), case_insensitive=False)
    scores = score_analogies(vectors, read_analogies(tmp_path / "в.txt"))["sections"]
    assert scores[-1]["accuracy"] == pytest.approx(total)
    assert 0 < total < 1
    for score, section in zip(scores, sections, strict=True):
        assert score["count"] == len(section["correct"]) + len(section["incorrect"])
        assert score["accuracy"] == pytest.approx(len(section["correct"]) / score["count"])


@pytest.mark.skipif(not DATA.exists(), reason="../shared/data/analogy is not there")
@pytest.mark.parametrize(
    ("name", "questions", "sections"),
    [("questions-words", 19544, 14), ("CA8_morphological", 10177, 4), ("CA8_semantic", 7636, 4)],
)
def test_every_public_set_is_read(name, questions, sections):
    read = read_analogies(DATA / f"{name}.txt")
    assert (len(read.questions), len(read.sections)) == (questions, sections)
