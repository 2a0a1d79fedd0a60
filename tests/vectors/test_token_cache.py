"""Caches against words counted and cut one by one; what is reused, what a kill leaves, what is refused."""

import collections
import gzip
import json
import os
import subprocess
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from textapp.errors import InputError
from textapp.text.tokenizer import Tokenizer
from textapp.vectors import token_cache
from textapp.vectors.corpus import WordSplitter
from textapp.vectors.token_cache import TokenCache, build_cache

DATA = Path(__file__).parents[2] / "../shared/data"


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8", newline="")
    return path


def sentences(cache: TokenCache) -> list[list[str]]:
    """The text that a cache holds."""
    ids, numbers = cache.read()
    grouped = collections.defaultdict(list)
    for number, word in zip(numbers.tolist(), ids.tolist(), strict=True):
        grouped[number].append(cache.words[word])
    return list(grouped.values())


def frequent(lines: list[list[str]], min_count: int) -> tuple[dict[str, int], list[list[str]]]:
    """The vocabulary with its counts, and the lines reduced to it, worked out word by word."""
    counts = collections.Counter(word for line in lines for word in line)
    kept = sorted((word for word in counts if counts[word] >= min_count), key=lambda word: (-counts[word], word))
    reduced = [[word for word in line if counts[word] >= min_count] for line in lines]
    return {word: counts[word] for word in kept}, [line for line in reduced if line]


def random_lines(seed: int, words: int = 3000) -> list[list[str]]:
    """Lines of few frequent and many rare words, some of them not ASCII."""
    rng = np.random.default_rng(seed)
    ids = np.minimum(rng.zipf(1.5, words), 5000)
    spelled = [f"ż{number}" if number % 2 else f"w{number}" for number in ids.tolist()]
    return [
        line.tolist() for line in np.split(np.array(spelled), np.sort(rng.integers(0, words, words // 8))) if len(line)
    ]


def test_by_hand(tmp_path):
    text = write(tmp_path / "text.txt", "Très bien, très 好!\n\nbien!\n rien \n好 très")
    lines = []
    cache = build_cache([text], tmp_path / "cache", min_count=2, report=lines.append)
    assert cache.words == ("très", "!", "bien", "好")
    assert cache.counts.tolist() == [3, 2, 2, 2]
    assert cache.counts.dtype == np.int64
    assert (cache.num_words, cache.num_words_read, cache.length) == (9, 11, 13)
    ids, numbers = cache.read()
    assert ids.tolist() == [0, 2, 0, 3, 1, 2, 1, 3, 0]
    assert numbers.tolist() == [0, 0, 0, 0, 0, 1, 1, 3, 3]  # the third has no word that is frequent enough
    assert ids.dtype == numbers.dtype == np.int32
    ids, numbers = cache.read(4, 9)
    assert ids.tolist() == [1, 2, 1]
    assert numbers.tolist() == [0, 1, 1]
    assert lines == ["corpus: 11 words, 81.8% of them in the vocabulary of 4"]


@pytest.mark.parametrize("min_count", [1, 3])
def test_equals_words_counted_one_by_one(tmp_path, monkeypatch, min_count):
    monkeypatch.setattr("textapp.vectors.corpus.BLOCK", 1000)
    monkeypatch.setattr(token_cache, "_RENUMBER_BATCH", 100)
    lines = random_lines(min_count)
    half = len(lines) // 2
    (tmp_path / "corpus").mkdir()
    write(tmp_path / "corpus/1.txt", "\n".join(map(" ".join, lines[:half])))
    (tmp_path / "corpus/2.txt.gz").write_bytes(gzip.compress("\n".join(map(" ".join, lines[half:])).encode()))
    cache = build_cache(
        [tmp_path / "corpus"], tmp_path / "cache", splitter=WordSplitter("whitespace"), min_count=min_count
    )
    vocabulary, reduced = frequent(lines, min_count)
    assert dict(zip(cache.words, cache.counts.tolist(), strict=True)) == vocabulary
    assert cache.words == tuple(vocabulary)
    assert sentences(cache) == reduced
    assert cache.num_words == sum(map(len, reduced))
    assert cache.length == cache.num_words + len(lines)


def test_slices_make_up_the_whole(tmp_path):
    cache = build_cache(
        [write(tmp_path / "t", "\n".join(map(" ".join, random_lines(0, 300))))], tmp_path / "c", min_count=1
    )
    whole, numbers = cache.read()
    slices = [cache.read(start, start + 7) for start in range(0, cache.length, 7)]
    assert np.concatenate([ids for ids, _ in slices]).tolist() == whole.tolist()
    start = 0
    for ids, sentence in slices:  # the same words belong together in the slice and in the whole
        assert np.diff(sentence).tolist() == np.diff(numbers[start : start + len(ids)]).tolist()
        start += len(ids)
    assert cache.read(cache.length)[0].size == 0
    for wrong in ((-1, 3), (5, 4), (cache.length + 1, None)):
        with pytest.raises(ValueError, match=r"`start` must be from 0 to `stop`"):
            cache.read(*wrong)


def test_vocabulary_size_and_words_to_keep(tmp_path):
    text = write(tmp_path / "t", "a a a b b c c é")
    assert build_cache([text], tmp_path / "c", min_count=1, vocabulary_size=2).words == ("a", "b")
    cache = build_cache([text], tmp_path / "c", min_count=3, keep=("好", "é"))
    assert cache.words == ("a", "é", "好")
    assert cache.counts.tolist() == [3, 1, 0]
    assert cache.read()[0].tolist() == [0, 0, 0, 1]


def test_a_cache_is_reused_while_it_is_of_the_same(tmp_path):
    text = write(tmp_path / "text.txt", "très 好 très 好\n")
    folder, settings = tmp_path / "cache", {"min_count": 1}
    first = build_cache([text], folder, **settings)

    def reused(**changes) -> bool:
        lines = []
        cache = build_cache([text], folder, **{**settings, **changes}, report=lines.append)
        assert sentences(cache) == [["très", "好", "très", "好"]]
        return lines[-1].endswith(", from the cache")

    again = build_cache([text], folder, **settings)
    assert (again.words, again.counts.tolist(), again.length) == (first.words, first.counts.tolist(), first.length)
    assert reused()
    for change in (
        {"min_count": 2},
        {"splitter": WordSplitter("whitespace")},
        {"vocabulary_size": 5},
        {"keep": ["x"]},
        {"max_words": 5},
    ):
        assert not reused(**change)
        assert reused(**change)
    os.utime(text, ns=(0, 0))
    assert not reused()
    write(text, "très 好\ntrès 好")
    with pytest.raises(AssertionError):
        reused()  # the text is another, and so is what was read


def test_damaged_caches_are_made_again(tmp_path):
    text, folder = write(tmp_path / "t", "好 très " * 9), tmp_path / "c"
    expected = sentences(build_cache([text], folder))
    for damage in (
        lambda: os.truncate(folder / "ids.int32", 8),
        lambda: (folder / "ids.int32").unlink(),
        lambda: (folder / "words.txt").write_text("très\n", encoding="utf-8"),
        lambda: (folder / "cache.json").write_text("{}"),
        lambda: (folder / "cache.json").write_text("[]"),
    ):
        damage()
        assert sentences(build_cache([text], folder)) == expected
    cache = build_cache([text], folder)
    os.truncate(folder / "ids.int32", 8)
    with pytest.raises(InputError, match=r"ids\.int32: is cut off; delete .*c, then the corpus is read again"):
        cache.read()


KILLED = """
import os, sys
from textapp.vectors.token_cache import build_cache
build_cache([sys.argv[1]], sys.argv[2], min_count=1, max_words=50, report=lambda line: os._exit(9))
"""


@pytest.mark.parametrize("before", ["nothing", "another cache"])
def test_a_killed_process_leaves_no_cache(tmp_path, before):
    text = write(tmp_path / "text.txt", "\n".join(f"très w{number} 好" for number in range(100)))
    folder = tmp_path / "cache"
    if before == "another cache":
        build_cache([write(tmp_path / "other.txt", "ganz anderes " * 9)], folder)
    assert subprocess.run([sys.executable, "-c", KILLED, text, folder]).returncode == 9
    assert (folder / "ids.unfinished").exists()
    assert not (folder / "cache.json").exists()
    (folder / ".counts.npy.textapp-abcd1234.npy").touch()  # of a process killed a little later
    assert build_cache([text], folder, min_count=2).words == ("très", "好")
    assert sorted(path.name for path in folder.iterdir()) == ["cache.json", "counts.npy", "ids.int32", "words.txt"]


@pytest.mark.parametrize("failure", ["vocabulary", "_renumber", "_save"])
def test_a_failure_leaves_no_cache(tmp_path, monkeypatch, failure):
    text, folder = write(tmp_path / "t", "好 très " * 9), tmp_path / "c"

    def fail(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(token_cache.WordIds if failure == "vocabulary" else token_cache, failure, fail)
        with pytest.raises(KeyboardInterrupt):
            build_cache([text], folder)
    assert not {"cache.json", "ids.unfinished"} & {path.name for path in folder.iterdir()}
    assert build_cache([text], folder).words == ("très", "好")


def test_a_full_disk_is_an_input_error(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(token_cache, "_renumber", full)
    with pytest.raises(InputError, match=r"ids\.unfinished: No space left on device$"):
        build_cache([write(tmp_path / "t", "好 " * 9)], tmp_path / "c")


def test_pruning_bounds_the_table_and_spares_frequent_words(tmp_path, monkeypatch):
    monkeypatch.setattr("textapp.vectors.corpus.BLOCK", 500)
    lines = [["très", f"w{number}", "好", f"x{number % 3}"] for number in range(3000)]
    text = write(tmp_path / "t", "\n".join(map(" ".join, lines)))
    sizes, reports = [], []
    encode = token_cache.WordIds.encode
    monkeypatch.setattr(
        token_cache.WordIds, "encode", lambda self, block: (encode(self, block), sizes.append(len(self)))[0]
    )
    cache = build_cache(
        [text], tmp_path / "c", splitter=WordSplitter("whitespace"), min_count=1, max_words=60, report=reports.append
    )
    assert max(sizes) < 60 + 500 // 2
    assert len(cache.words) <= 60
    assert cache.words[:5] == ("très", "好", "x0", "x1", "x2")
    assert cache.counts[:5].tolist() == [3000, 3000, 1000, 1000, 1000]
    assert "with fewer than 2 occurrences so far; `textapp vectors count`" in reports[0]
    ids = cache.read()[0]
    assert np.bincount(ids, minlength=len(cache.words)).tolist() == cache.counts.tolist()
    last = 3000 - np.count_nonzero(cache.counts == 1)  # the latest rare words are left
    assert {word for word in cache.words if word.startswith("w")} == {f"w{number}" for number in range(last, 3000)}
    assert [line[:1] + line[-2:] for line in sentences(cache)[:last]] == [[a, c, d] for a, _, c, d in lines[:last]]


def test_no_word_left_says_why(tmp_path):
    text = write(tmp_path / "t.txt", "一 二 二 三\n")
    with pytest.raises(
        InputError, match=r"t\.txt: none of the 4 words occurs 5 times or more \(the most frequent 2 times\)"
    ):
        build_cache([text], tmp_path / "c")
    for empty in ("", "\n \n", "\ufeff"):
        write(text, empty)
        with pytest.raises(InputError, match=r"t\.txt and 1 more: there is no word in it; the corpus is empty"):
            build_cache([text, text], tmp_path / "c", keep=["好"])
    with pytest.raises(InputError, match=r"^`min_count` must be positive\. Received: min_count=0$"):
        build_cache([text], tmp_path / "c", min_count=0)


def test_broken_text_names_the_line(tmp_path):
    text = tmp_path / "t.txt"
    text.write_bytes("très\n".encode() * 9 + b"\xff\n")
    with pytest.raises(InputError, match=r"t\.txt:10: byte 1 of the line is not UTF-8"):
        build_cache([text], tmp_path / "c")
    assert list((tmp_path / "c").iterdir()) == []


@pytest.mark.parametrize("name", ["notes.txt", "cache.json.old", ".hidden"])
def test_a_folder_of_other_things_is_left_alone(tmp_path, name):
    text, folder = write(tmp_path / "t.txt", "好 " * 9), tmp_path / "c"
    folder.mkdir()
    write(folder / name, "meine")
    with pytest.raises(InputError, match=r"is not part of a token cache, which needs a separate folder"):
        build_cache([text], folder)
    assert [path.read_text() for path in folder.iterdir()] == ["meine"]
    with pytest.raises(InputError, match=r"t\.txt: is no folder"):
        build_cache([text], text)


def test_what_the_cache_is_from_can_be_read(tmp_path):
    text = write(tmp_path / "t.txt", "好 " * 9)
    build_cache([text], tmp_path / "c")
    meta = json.loads((tmp_path / "c/cache.json").read_text(encoding="utf-8"))
    assert meta["files"] == [[str(text.resolve()), 36, text.stat().st_mtime_ns]]
    assert meta["splitter"] == {"kind": "word", "lowercase": True, "normalization": "nfkc"}
    assert (tmp_path / "c/words.txt").read_text(encoding="utf-8") == "好\n"


def test_memory_does_not_grow_with_the_text(tmp_path):
    text = write(tmp_path / "t.txt", "das ist très 好 und gut\n" * 150_000)
    tracemalloc.start()
    try:
        cache = build_cache([text], tmp_path / "c")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert cache.num_words == 900_000
    assert peak < 20e6  # the words as strings would take 50 MB


@pytest.mark.parametrize("name", ["wiki_en", "wiki_zh"])
def test_wikipedia_as_the_tokenizer_cuts_it(tmp_path, name):
    path = DATA / name / f"{name}.txt.gz"
    if not path.exists():
        pytest.skip(f"{path} is not there")
    with gzip.open(path, "rt", encoding="utf-8") as file:
        text = [next(file) for _ in range(1000)]
    cache = build_cache([write(tmp_path / "t", "".join(text))], tmp_path / "c", min_count=2)
    vocabulary, reduced = frequent([Tokenizer().words(line) for line in text], 2)
    assert dict(zip(cache.words, cache.counts.tolist(), strict=True)) == vocabulary
    assert sentences(cache) == reduced
