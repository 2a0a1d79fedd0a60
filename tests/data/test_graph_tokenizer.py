"""The tokenizers in the graph against those in Python, and inside tf.data."""

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from textapp.data.graph_tokenizer import GraphTokenizer
from textapp.text.characters import replace_surrogates
from textapp.text.tokenizer import TOKENIZERS, Tokenizer
from textapp.text.vocabulary import SPECIALS, Vocabulary

ROOT = Path(__file__).parents[2]
BERT = Tokenizer("bert", True, "none")
TEXTS = [
    "I DON'T like it; it’s 3.5/5!",
    "",
    "这部电影３．５分，太好看了！",
    " \x00\t\u3000",
    "정말 좋은 \u1112\u1161\u11ab국 ｶﾞか\u309a ½ﬁ",
    "हिन्दी क्\u200dष। كِتَابٌ ٣٫٥",
    "👩\u200d👧❤️ e\u0301 \u0301a don'\u0301t \ufeff",
    f"{'x' * 100} {'é' * 50} {'é' * 50}x {'好' * 34}\u3000{'て' * 34} ÀÉ\x0bB",
]
VOCABULARY = Vocabulary([*SPECIALS, "don't", "好", "a", "3.5", "é", "한국", "👩"])


def encode(texts):
    return tf.constant([replace_surrogates(text).encode() for text in texts], tf.string)


def decode(ragged):
    return [[word.decode() for word in row] for row in ragged.to_list()]


def test_ids_by_hand():
    ids = GraphTokenizer(Tokenizer(), VOCABULARY)(encode(["DON’T!", "", "好好3.5", "한국e\u0301 e\u0301"]))
    assert ids.dtype == tf.int32
    assert ids.to_list() == [[2, 1], [], [3, 3, 5], [1, 6]]


@pytest.mark.parametrize("tokenizer", TOKENIZERS)
def test_words_equal_python(tokenizer):
    words = GraphTokenizer(tokenizer, VOCABULARY).words(encode(TEXTS))
    assert decode(words) == [tokenizer.words(text) for text in TEXTS]


def test_line_breaks_of_html_as_in_python():
    texts = ["Très<br />bon<BR>.<br\v/>é", "<br x>", "<br", "<br>\u0338é", "<\u0338br>"]
    for line_breaks in (True, False):
        tokenizer = Tokenizer(line_breaks=line_breaks)
        words = GraphTokenizer(tokenizer, VOCABULARY).words(encode(texts))
        assert decode(words) == [tokenizer.words(text) for text in texts]


@pytest.mark.parametrize("tokenizer", [Tokenizer(), Tokenizer("char", False, "nfc"), BERT])
def test_words_of_any_text_equal_python(tokenizer):
    graph_words = tf.function(
        GraphTokenizer(tokenizer, VOCABULARY).words, input_signature=[tf.TensorSpec([None], tf.string)]
    )
    lively = st.sampled_from(
        "aZ9'’.,é\u0301\u093c\u16b34好カ\uff9e한\u1100\u1161😀\u200d\ufe0f\x00 ﬁ½٣٫\ud83dİ\U0001e030"
    )

    @settings(deadline=None)
    @given(st.lists(st.text(st.one_of(lively, st.characters()), max_size=30), max_size=10))
    def check(texts):
        assert decode(graph_words(encode(texts))) == [tokenizer.words(text) for text in texts]

    check()


def test_generated_strings_in_all_settings():
    command = [sys.executable, "-m", "benchmarks.tokenizer_parity", "--strings", "5000", "--seed", "7"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    report = json.loads(result.stdout)
    assert [report["differences"], result.returncode] == [0, 0], result.stderr
    assert [comparison["texts"] for comparison in report["comparisons"].values()] == [5000] * len(TOKENIZERS)
    assert report["comparisons"]["word True nfkc"]["tokens"] > 50_000


@pytest.mark.parametrize("marks", [31, 32, 33, 64, 65, 100])
def test_long_runs_of_marks(marks):
    run = ("\u0301\u0316" * marks)[:marks]
    texts = [run, f"e{run}", f"好e{run}é{run}", f"{run} {run}\u1161", f"ﬁ{run}"]
    words = GraphTokenizer(Tokenizer(), VOCABULARY).words(encode(texts))
    assert decode(words) == [Tokenizer().words(text) for text in texts]


def test_broken_bytes_are_read_as_python_replaces_them():
    broken = [b"a\xffb \xe4\xb8", b"\xed\xa0\x80x", "très 好".encode("latin-1", "replace"), b"\xf4\x90\x80\x80"]
    words = GraphTokenizer(Tokenizer(), VOCABULARY).words(tf.constant(broken))
    assert decode(words) == [Tokenizer().words(text.decode("utf-8", "replace")) for text in broken]


def test_inside_a_dataset():
    vocabulary = Vocabulary.build(Counter(word for text in TEXTS for word in Tokenizer().words(text)), min_count=1)
    tokenizer = GraphTokenizer(Tokenizer(), vocabulary)
    texts = tf.data.Dataset.from_tensor_slices(encode(TEXTS))
    batches = texts.batch(3).map(tokenizer, num_parallel_calls=2)
    assert batches.element_spec.dtype == tf.int32
    ids = [row for batch in batches for row in batch.to_list()]
    assert ids == [vocabulary.encode(Tokenizer().words(text)) for text in TEXTS]
    assert all(1 not in row for row in ids)


@pytest.mark.parametrize("texts", [[], [""], ["", " ", "\r\n"]])
def test_nothing_to_tokenize(texts):
    for tokenizer in TOKENIZERS:
        ids = GraphTokenizer(tokenizer, Vocabulary(SPECIALS))(encode(texts))
        assert ids.to_list() == [[] for _ in texts]


def test_a_special_in_a_text_is_unknown():
    ids = GraphTokenizer(Tokenizer("char"), Vocabulary([*SPECIALS, "好"]))(encode(["[PAD]好"]))
    assert ids.to_list() == [[1, 1, 1, 1, 1, 2]]
