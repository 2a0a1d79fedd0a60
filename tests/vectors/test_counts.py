"""Counts beside a plain dictionary, in any order, with any memory; a vocabulary as the corpus itself gives it."""

import collections
import gzip
import itertools
import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from textapp.errors import InputError
from textapp.vectors.corpus import Part, WordSplitter
from textapp.vectors.counts import (
    check_tokenizer,
    count_words,
    holds_counts,
    merge_counts,
    read_vocabulary,
    write_counts,
)
from textapp.vectors.token_cache import build_cache

SPACED = WordSplitter("whitespace", False, "none")


@pytest.fixture
def corpus(tmp_path):
    rng = random.Random(0)
    words = ["好", "très", "a", "b!", "Ä", "😀", *(f"w{number}" for number in range(200))]
    lines = [" ".join(rng.choices(words, range(len(words), 0, -1), k=9)) for _ in range(300)]
    (tmp_path / "语料.txt").write_text("\n".join(lines), encoding="utf-8")
    return tmp_path / "语料.txt", collections.Counter(" ".join(lines).split())


@pytest.mark.parametrize("max_words", [1, 50, 10_000])
def test_counts_are_those_of_a_dictionary_whatever_fits_into_memory(corpus, tmp_path, max_words, monkeypatch):
    monkeypatch.setattr("textapp.vectors.corpus.BLOCK", 300)
    path, expected = corpus
    assert list(count_words([path], SPACED, max_words=max_words, folder=tmp_path)) == sorted(expected.items())
    assert list(tmp_path.iterdir()) == [path]  # no temporary file is left


@given(
    st.lists(st.lists(st.tuples(st.sampled_from("aÄ好😀b"), st.integers(0, 2**40)), min_size=1), min_size=1, max_size=4)
)
def test_merged_counts_add_up_in_any_order(tmp_path_factory, shards):
    folder = tmp_path_factory.mktemp("части")
    for number, shard in enumerate(shards):
        text = "".join(f"{word}\t{count}\n" for word, count in shard).encode()
        (folder / f"part-{number}").write_bytes(gzip.compress(text) if number % 2 else text.replace(b"\n", b"\r\n"))
    expected = collections.Counter()
    for word, count in itertools.chain(*shards):
        expected[word] += count
    for paths in ([folder], [folder / "part-*"], sorted(folder.iterdir(), reverse=True)):
        for max_words in (1, 100):
            assert list(merge_counts(paths, max_words=max_words)) == sorted(expected.items())


def test_counts_of_parts_add_up_to_those_of_the_whole(corpus, tmp_path):
    path, expected = corpus
    for index in range(3):
        out = tmp_path / f"{index}.tsv.gz"
        size = write_counts(count_words([path], SPACED, part=Part(index, 3)), out, overwrite=False)
        assert size == len(gzip.decompress(out.read_bytes()).splitlines())
        assert holds_counts(out)
    assert list(merge_counts([tmp_path / "*.tsv.gz"])) == sorted(expected.items())


@pytest.mark.parametrize(("min_count", "size"), [(1, None), (9, None), (3, 40)])
def test_the_vocabulary_is_that_of_the_corpus(corpus, tmp_path, min_count, size):
    path, _ = corpus
    write_counts(count_words([path], SPACED), tmp_path / "counts.tsv", overwrite=False)
    words, counts = read_vocabulary([tmp_path / "counts.tsv"], min_count, size)
    plain = build_cache([path], tmp_path / "c", splitter=SPACED, min_count=min_count, vocabulary_size=size)
    assert words == plain.words
    assert counts.tolist() == plain.counts.tolist()
    given_words = build_cache([path], tmp_path / "d", splitter=SPACED, vocabulary=words)
    assert given_words.words == plain.words
    assert given_words.counts.tolist() == plain.counts.tolist()
    assert given_words.num_words_read == plain.num_words_read
    for mine, wanted in zip(given_words.read(), plain.read(), strict=True):
        np.testing.assert_array_equal(mine, wanted)


def test_words_to_keep_stay_in_a_vocabulary(tmp_path):
    (tmp_path / "c").write_text("a\t9\nb\t5\nselten\t1\nd\t7\n", encoding="utf-8")
    words, counts = read_vocabulary([tmp_path / "c"], min_count=6, size=3, keep=["selten", "neu"])
    assert (words, counts.tolist()) == (("a", "selten", "neu"), [9, 1, 0])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a\t1\nb 2\n", r"c:2: must read WORD<TAB>COUNT. Received: 'b 2'"),
        ("word\tcount\n", r"c:1: must read WORD<TAB>COUNT"),
        ("a\t-1\n", r"c:1: must read"),
        ("\t1\n", r"c:1: must read"),
        (f"a\t{2**63}\n", r"c:1: the counts of 'a' add up to more than int64"),
        ("", r"c: there is no word"),
        ("a\t4\nb\t2\n", r"c: no word has a count of 5 or more \(the highest is 4\); lower min_count"),
    ],
)
def test_wrong_counts_are_named(tmp_path, text, message):
    (tmp_path / "c").write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=message):
        read_vocabulary([tmp_path / "c"])


def test_an_empty_corpus_and_a_write_that_ends_early(tmp_path):
    (tmp_path / "leer.txt").write_text(" \n", encoding="utf-8")
    with pytest.raises(InputError, match=r"leer\.txt: there is no word in it"):
        list(count_words([tmp_path / "leer.txt"]))
    with pytest.raises(InputError, match=r"leer\.txt: there is no word in it"):
        write_counts(count_words([tmp_path / "leer.txt"]), tmp_path / "out", overwrite=False)
    assert not (tmp_path / "out").exists()


def test_counts_of_another_tokenizer_are_refused():
    check_tokenizer(["the", "don't", "好", "3.5"], WordSplitter(), "c")
    with pytest.raises(InputError, match="c: was counted with another tokenizer: 'The' becomes 'the' with"):
        check_tokenizer(["The", "a"], WordSplitter(), "c")
    check_tokenizer(["The", "a"], WordSplitter(lowercase=False), "c")
