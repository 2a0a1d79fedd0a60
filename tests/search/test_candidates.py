"""The grid of students that fit a budget, with a file whose bytes are known in closed form."""

import pytest

from textapp.errors import InputError
from textapp.search import candidates as grid
from textapp.search.candidates import PADDING, Candidate, Shape, candidates


def bytes_of(shape: Shape, words: int) -> int:
    """A file of 10,000 bytes, a recurrent layer that grows with the square of the width, and a row a word."""
    return 10_000 + 8 * shape.width**2 + words * shape.row_bytes


def test_row_bytes_are_the_packed_numbers_and_a_scale() -> None:
    assert Shape(32, None, 8).row_bytes == 32 + 4
    assert Shape(32, None, 4).row_bytes == 16 + 4
    assert Shape(32, 16, 4).row_bytes == 8 + 4


def test_each_has_the_most_words_that_fit() -> None:
    found = candidates(150_000, 10**6, bytes_of)
    for candidate in found:
        assert bytes_of(candidate, candidate.vocabulary_size) <= 150_000
        assert bytes_of(candidate, candidate.vocabulary_size + 1) > 150_000 - PADDING


def test_three_widest_with_enough_words_and_one_with_8_bits() -> None:
    # Width 96 leaves (149,936 - 10,000 - 8 * 96^2) / 52 = 1,273 words, too few; 64 leaves 2,976.
    assert [candidate.name for candidate in candidates(150_000, 10**6, bytes_of)] == [
        *("w64_b4", "w64_r32_b4"),
        *("w48_b4", "w48_r24_b4", "w48_b8"),
        *("w32_b4", "w32_r16_b4"),
    ]
    assert candidates(150_000, 10**6, bytes_of)[0] == Candidate(64, None, 4, 2976)


def test_a_shape_that_leaves_too_few_words_is_left_out() -> None:
    # Width 16 alone: 24 kB hold (23,936 - 12,048) / 20 = 594 rows of 8 bits, but 990 of 4 and 1,486 of rank 8.
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(grid, "FEWEST_WORDS", 900)
        assert [candidate.name for candidate in candidates(24_000, 10**6, bytes_of)] == ["w16_b4", "w16_r8_b4"]


def test_a_shape_is_measured_once() -> None:
    measured = []

    def counted(shape: Shape, words: int) -> int:
        measured.append((shape, words))
        return bytes_of(shape, words)

    candidates(150_000, 10**6, counted)
    assert len(measured) == len(set(measured))


def test_too_small_a_budget_is_refused_with_the_least_that_would_do() -> None:
    with pytest.raises(
        InputError, match=r"--budget 20KB: too small; the smallest student, of 2,000 words, takes 28\.112KB; "
    ):
        candidates(20_000, 10**6, bytes_of, "KB")


def test_a_factorized_table_fits_where_one_of_one_piece_does_not():
    # Of 2,000 words width 16 takes 36,112 bytes, of rank 8 28,112.
    assert candidates(28_112, 10**6, bytes_of) == [Candidate(16, 8, 4, 2000)]
    with pytest.raises(InputError, match="takes 28,112 bytes"):
        candidates(28_111, 10**6, bytes_of)


def test_few_words_leave_room_for_width():
    # Width 96 takes 10,000 + 8 * 96^2 + 300 * 52 = 99,328 bytes, 128 takes 161,472.
    found = candidates(120_000, 300, bytes_of)
    assert {candidate.vocabulary_size for candidate in found} == {300}
    assert found[0].width == 96
    with pytest.raises(InputError, match=r"the smallest student, of 300 words, takes 14,512 bytes"):
        candidates(12_000, 300, bytes_of)
