"""Soft tags on disk: written in one go or in two, the same; what is broken or of other sentences is refused."""

import numpy as np
import pytest
from textapp.compress.soft_tags import read_soft_tags, write_soft_tags

from textapp.compress import soft_tags
from textapp.errors import InputError

SENTENCES = [["我", "爱", "Ōsaka"], ["x\N{NO-BREAK SPACE}y"], ["a", "b"], ["c"], ["d", "e"]]
TAGS = ("O", "S-地")


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch):
    monkeypatch.setattr(soft_tags, "CHUNK", 2)


class Teacher:
    """Gives each token a probability of its own, and dies when it is asked too often."""

    def __init__(self, answers=99):
        self.left, self.asked = answers, []

    def __call__(self, sentences):
        if not self.left:
            raise KeyboardInterrupt
        self.left -= 1
        self.asked += sentences
        share = np.array([sum(map(ord, token)) % 7 / 7 for tokens in sentences for token in tokens])
        return np.column_stack([1 - share, share])


@pytest.fixture(name="write")
def _write(tmp_path):
    def write(name, teacher, sentences=SENTENCES):
        path, part = tmp_path / f"мягкие {name}.npz", tmp_path / f"{name}.part"
        write_soft_tags(path, part, sentences, teacher, TAGS, lambda done: None)
        part.unlink()
        return path

    return write


def test_what_is_read_is_what_was_said(write):
    path = write("a", Teacher())
    probs = read_soft_tags(path, SENTENCES, TAGS)
    assert probs.dtype == np.float16
    np.testing.assert_allclose(probs, Teacher()(SENTENCES), atol=2**-11)
    with np.load(path, allow_pickle=False) as content:
        assert content["tokens"].tobytes().decode() == "我\n爱\nŌsaka\n\nx\N{NO-BREAK SPACE}y\n\na\nb\n\nc\n\nd\ne\n\n"
        assert content["tags"].tobytes().decode() == "O\nS-地\n"


@pytest.mark.parametrize("torn", [0, 5, 21])
def test_a_killed_call_goes_on_where_it_was(write, tmp_path, torn):
    whole = write("a", Teacher())
    with pytest.raises(KeyboardInterrupt):
        write("b", Teacher(answers=2))
    part = tmp_path / "b.part"
    part.write_bytes(part.read_bytes() + b"\1" * torn)  # as far as the third chunk came
    teacher = Teacher()
    assert write("b", teacher).read_bytes() == whole.read_bytes()
    assert teacher.asked == SENTENCES[4:]


def test_other_sentences_are_refused(write, tmp_path):
    path = write("a", Teacher())
    others = [*SENTENCES[:4], ["d", "é"]]
    pairs = [(sentences, TAGS) for sentences in (others, SENTENCES[:4], [["我爱", "Ōsaka"], *SENTENCES[1:]])]
    for sentences, tags in (*pairs, (SENTENCES, ("O", "S-人"))):
        with pytest.raises(InputError, match=r"мягкие a\.npz: is of other sentences; .*--force"):
            read_soft_tags(path, sentences, tags)
    with pytest.raises(KeyboardInterrupt):
        write("b", Teacher(answers=2))
    before = (tmp_path / "b.part").read_bytes()
    with pytest.raises(InputError, match=r"b\.part: is of other sentences .*--force"):
        write("b", Teacher(), sentences=[["x"], *SENTENCES])
    assert (tmp_path / "b.part").read_bytes() == before


def test_what_is_no_such_file_is_refused(write, tmp_path):
    path = write("a", Teacher())
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(InputError, match=r"a\.npz: not a file of soft tags"):
        read_soft_tags(path, SENTENCES, TAGS)
    np.savez(path, tokens=np.zeros(1))
    with pytest.raises(InputError, match=r"a\.npz: not a file of soft tags .*tags"):
        read_soft_tags(path, SENTENCES, TAGS)
    path = write("c", lambda sentences: Teacher()(sentences)[:, :1])
    with pytest.raises(InputError, match=r"c\.npz: has not a probability for each tag of each token"):
        read_soft_tags(path, SENTENCES, TAGS)
    with pytest.raises(InputError, match="нет: No such file"):
        read_soft_tags(tmp_path / "нет", SENTENCES, TAGS)
