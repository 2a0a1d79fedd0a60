import pytest
from hypothesis import given
from hypothesis import strategies as st

from textapp.runtime.windows import windows


@pytest.mark.parametrize(("count", "expected"), [(0, []), (1, [(0, 1, 0, 1)]), (8, [(0, 8, 0, 8)])])
def test_a_text_that_fits_has_one_window(count, expected):
    assert list(windows(["词"] * count, 8)) == expected


def test_windows_worked_by_hand():
    """16 tokens to cover by windows of 8 which overlap by 2 or more: two steps of 4, changed over in the middle."""
    assert list(windows(["слово"] * 16, 8)) == [(0, 8, 0, 6), (4, 12, 6, 10), (8, 16, 10, 16)]


@pytest.mark.parametrize("end", [".", "!", "?", "。", "！", "？", "…", "।"])
@pytest.mark.parametrize(("ends_at", "change"), [(7, 10), (8, 9), (9, 10), (10, 11), (11, 10)])
def test_the_change_over_is_put_behind_a_sentence_near_the_middle_of_the_overlap(end, ends_at, change):
    """The overlap is 4 to 16, its middle 10; of windows of 16 it may be moved by one token."""
    tokens = ["词"] * 20
    tokens[ends_at] = end
    assert list(windows(tokens, 16)) == [(0, 16, 0, change), (4, 20, change, 20)]


@given(st.text(st.sampled_from("а词.。!x"), max_size=400), st.integers(1, 40))
def test_each_token_is_taken_from_one_window_that_sees_around_it(text, size):
    tokens = list(text)
    found = list(windows(tokens, size))
    assert [position for window in found for position in range(window.first, window.stop)] == list(range(len(text)))
    least = size // 8 - size // 4 * 3 // 8  # half the overlap, without what the change-over may be moved
    for window in found:
        assert window.end - window.start == min(size, len(text))
        assert window.start <= window.first < window.stop <= window.end
        if window.start > 0:
            assert window.first - window.start >= least
        if window.end < len(text):
            assert window.end - window.stop >= least


@given(st.integers(1, 2000), st.integers(1, 64))
def test_there_is_no_window_that_is_not_needed(count, size):
    """One fewer would cover less than the text, at an overlap of a quarter."""
    found = list(windows(["t"] * count, size))
    step = size - size // 4
    assert len(found) == 1 or size + (len(found) - 2) * step < count
