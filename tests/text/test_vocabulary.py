"""The vocabulary: order, ids, file."""

from collections import Counter

import pytest

from textapp.errors import InputError
from textapp.text.tokenizer import Tokenizer
from textapp.text.vocabulary import PAD, PAD_ID, SPECIALS, UNKNOWN, UNKNOWN_ID, Vocabulary

COUNTS = Counter({"好": 5, "très": 5, "b": 3, "a": 3, "👍": 2, "selten": 1})


def test_order_is_by_count_then_by_code_points():
    assert Vocabulary.build(COUNTS, min_count=1).tokens == (PAD, UNKNOWN, "très", "好", "a", "b", "👍", "selten")


def test_order_does_not_depend_on_the_order_of_counting():
    reordered = Counter(dict(reversed(COUNTS.items())))
    assert Vocabulary.build(reordered) == Vocabulary.build(COUNTS)


def test_size_and_minimum_count():
    assert Vocabulary.build(COUNTS, max_size=4).tokens == (*SPECIALS, "très", "好")
    assert Vocabulary.build(COUNTS, min_count=3).tokens == (*SPECIALS, "très", "好", "a", "b")
    assert Vocabulary.build(Counter()).tokens == SPECIALS


@pytest.mark.parametrize("arguments", [{"max_size": 2}, {"min_count": 0}])
def test_wrong_limits_are_named(arguments):
    [(name, value)] = arguments.items()
    with pytest.raises(InputError, match=f"`{name}`.*Received: {name}={value}"):
        Vocabulary.build(COUNTS, **arguments)


def test_encode():
    vocabulary = Vocabulary.build(COUNTS)
    assert vocabulary.encode(["好", "très", "unbekannt", "👍"]) == [3, 2, UNKNOWN_ID, 6]
    assert vocabulary.encode([]) == []
    assert len(vocabulary) == 7
    assert "好" in vocabulary
    assert "selten" not in vocabulary


def test_a_special_in_a_text_is_unknown():
    vocabulary = Vocabulary.build(Counter({PAD: 9, "好": 9}))
    assert vocabulary.tokens == (*SPECIALS, "好")
    assert vocabulary.encode([PAD, UNKNOWN]) == [UNKNOWN_ID, UNKNOWN_ID]
    assert PAD_ID not in vocabulary.encode(SPECIALS)
    assert PAD not in vocabulary


def test_oov_rate():
    vocabulary = Vocabulary.build(COUNTS)
    assert vocabulary.oov_rate([["好", "x"], [], ["a", "好"]]) == 0.25
    assert vocabulary.oov_rate([]) == 0.0
    assert vocabulary.oov_rate(Tokenizer().words(text) for text in ("好 好", "très A!")) == 0.2


def test_file_round_trip(tmp_path):
    vocabulary = Vocabulary.build(COUNTS)
    vocabulary.save(tmp_path / "wörter.txt")
    assert (tmp_path / "wörter.txt").read_bytes() == "[PAD]\n[UNK]\ntrès\n好\na\nb\n👍\n".encode()
    assert Vocabulary.load(tmp_path / "wörter.txt") == vocabulary


def test_the_final_line_break_may_be_missing(tmp_path):
    path = tmp_path / "vocabulary.txt"
    path.write_bytes("[PAD]\n[UNK]\n好".encode())
    assert Vocabulary.load(path).tokens == (*SPECIALS, "好")


def test_only_line_feeds_end_a_line(tmp_path):
    vocabulary = Vocabulary([*SPECIALS, "a\u2028b\x0bc\x85", "好"])
    vocabulary.save(tmp_path / "vocabulary.txt")
    assert Vocabulary.load(tmp_path / "vocabulary.txt") == vocabulary


@pytest.mark.parametrize(
    ("content", "line", "named"),
    [
        ("", 1, r"\[PAD\]"),
        ("[PAD]\n", 2, r"\[UNK\]"),
        ("[UNK]\n[PAD]\n好\n", 1, r"\[PAD\]"),
        ("[PAD]\n好\n[UNK]\n", 2, "好"),
        ("[PAD]\n[UNK]\n好\n\na\n", 4, "empty"),
        ("[PAD]\n[UNK]\n好\n\n", 4, "empty"),
        ("[PAD]\n[UNK]\n好\nx\n好\n", 5, "'好' is already on line 3"),
        ("[PAD]\n[UNK]\n好\r\n", 3, "line break"),
    ],
)
def test_a_broken_file_is_named_with_its_line(tmp_path, content, line, named):
    path = tmp_path / "vocabulary.txt"
    path.write_bytes(content.encode())
    with pytest.raises(InputError, match=rf"vocabulary\.txt:{line}: .*{named}") as caught:
        Vocabulary.load(path)
    assert "\n" not in str(caught.value)


def test_a_missing_file_and_broken_bytes_are_named(tmp_path):
    with pytest.raises(InputError, match=r"fehlt\.txt"):
        Vocabulary.load(tmp_path / "fehlt.txt")
    (tmp_path / "latin1.txt").write_bytes("[PAD]\n[UNK]\ntrès\n".encode("latin-1"))
    with pytest.raises(InputError, match=r"latin1\.txt:3: byte 3"):
        Vocabulary.load(tmp_path / "latin1.txt")


def test_tokens_given_by_hand_are_checked():
    with pytest.raises(InputError, match="vocabulary:3"):
        Vocabulary([*SPECIALS, ""])
