"""Texts that the core computes at once have the results of texts that it computes one by one, to the last bit."""

import ctypes
import itertools
from pathlib import Path

import numpy as np
import pytest

from textapp.runtime import load
from textapp.runtime import native_library as binding

SAMPLES = Path(__file__).parents[1] / "samples"
ARGUMENT, TOO_LONG = 4, 5
LONGEST = 200
TEXTS = [
    *("a good film", "", "bad", "Très bon café ☕, 3.5 étoiles!", "word " * 40, "北京 " * 20, "!", "½ ㌖ ﬁn", " \t"),
    *(" ".join(["truly", "charming", "and", "good"] * 5)[: 7 * number] for number in range(14)),
] * 5  # more than are sorted together


@pytest.fixture(scope="module")
def core(native):
    """The sample's classifier in the core."""
    with pytest.MonkeyPatch.context() as patches:
        patches.setenv(binding.LIBRARY, native._name)
        yield load(SAMPLES / "classifier/bundle", engine="native").core


class Batch:
    """A context of a size, and what it computes of texts."""

    def __init__(self, core, size):
        self.core, self.library, self.memory = core, core._core, np.zeros(size, np.uint8)
        place = self.library.textapp_context_init(core._model, self.memory.ctypes.data, size, LONGEST)
        self.context = ctypes.c_void_p(place)

    def run(self, texts, ends=None):
        contents = [text.encode() for text in texts]
        if ends is None:
            ends = list(itertools.accumulate(map(len, contents)))
        places, classes = np.array(ends, np.uintp), len(self.core.names)
        probs, logits = np.full((len(texts), classes), -1.0), np.zeros((len(texts), classes), np.float32)
        cut, done, message = np.zeros(len(texts), np.bool_), ctypes.c_size_t(), binding.Message()
        status = self.library.textapp_probabilities(
            self.context, b"".join(contents), places.ctypes.data, len(texts), probs.ctypes.data, logits.ctypes.data,
            cut.ctypes.data, done, message,
        )  # fmt: skip
        return status, done.value, probs[: done.value], logits[: done.value], cut[: done.value]


@pytest.fixture(scope="module")
def both(core):
    """A context for one text after the other, and one for several at once."""
    sizes = [getattr(core._core, f"textapp_{name}")(core._model, LONGEST) for name in ("context_size", "batch_size")]
    assert sizes[1] > sizes[0] > 0, "the model has an LSTM"
    return [Batch(core, size) for size in sizes]


@pytest.mark.parametrize("count", [0, 1, 2, 3, 5, 64, 65, len(TEXTS)])
def test_results_are_those_of_one_text_after_the_other(both, count):
    one, together = (batch.run(TEXTS[:count]) for batch in both)
    assert one[:2] == together[:2] == (0, count)
    for wanted, found in zip(one[2:], together[2:], strict=True):
        assert np.array_equal(wanted, found)
    if count > 4:
        assert set(one[4]) == {False, True}


def test_the_first_text_that_fails_is_named(both):
    texts = [*TEXTS[:80], "x" * (LONGEST + 1), *TEXTS[:5]]
    one, together = (batch.run(texts) for batch in both)
    assert one[:2] == together[:2] == (TOO_LONG, 80)
    assert np.array_equal(one[2], together[2])
    for batch in both:
        assert batch.run(["abc", "def", "ghi"], ends=[3, 2, 9])[:2] == (ARGUMENT, 1)


def test_a_tagger_needs_no_more_memory(native, monkeypatch):
    monkeypatch.setenv(binding.LIBRARY, native._name)
    tagger = load(SAMPLES / "tagger/bundle", engine="native").core
    sizes = {getattr(native, f"textapp_{name}")(tagger._model, LONGEST) for name in ("context_size", "batch_size")}
    assert len(sizes) == 1
