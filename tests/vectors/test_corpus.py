"""Words by hand, cuts that change no word, blocks that lose nothing, errors that name the line."""

import gzip
import itertools
import sys
import tempfile
import tracemalloc
import types
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from textapp.errors import InputError
from textapp.text.tokenizer import Tokenizer
from textapp.vectors import corpus
from textapp.vectors.corpus import Part, WordSplitter, read_blocks, read_part, read_sentences, text_files

SPLITTERS = [
    WordSplitter(kind, lowercase, form)
    for kind in ("word", "char", "whitespace")
    for lowercase in (True, False)
    for form in ("none", "nfc", "nfkc")
]
LIVELY = st.sampled_from(
    "aZ9'’.,é\u0301\u093c好人㐀。，！“…カ\uff9e\u302a\u3099한\u1161😀\u200d\ufe0f\x00 \u3000\xa0\x85ﬁ½İ\u00a8\u200b"
)
TEXTS = st.text(alphabet=st.one_of(LIVELY, st.characters(exclude_categories=["Cs"])), max_size=20)


@pytest.mark.parametrize(
    ("splitter", "text", "expected"),
    [
        (WordSplitter(), "Don’t miss 3.5 好吃!", ["don't", "miss", "3.5", "好", "吃", "!"]),
        (WordSplitter("char"), "Été 好", ["é", "t", "é", "好"]),
        (WordSplitter("whitespace"), " Don't  STOP,\tnow ", ["don't", "stop,", "now"]),
        (WordSplitter("whitespace"), "Don’t Ｔ恤　很 好看\u00a0ÉTÉ", ["don't", "t恤", "很", "好看", "été"]),
        (WordSplitter("whitespace", False, "none"), "Don’t Ｔ恤　ÉTÉ", ["Don’t", "Ｔ恤", "ÉTÉ"]),
        (WordSplitter("whitespace"), "a\x00b\u200bc \ufeff \x1b", ["a", "b", "c"]),
        *((splitter, " \n\u3000\x00\ufeff", []) for splitter in SPLITTERS if splitter.normalization == "nfkc"),
    ],
)
def test_words_by_hand(splitter, text, expected):
    assert splitter.words(text) == expected


def test_jieba_finds_chinese_words():
    pytest.importorskip("jieba", reason="the extra `chinese` is not installed")
    splitter = WordSplitter("jieba")
    assert splitter.words("我来到北京清华大学，ＡＡ制 Hello\u200b!") == [
        *("我", "来到", "北京", "清华大学", ",", "aa制", "hello", "!")
    ]
    assert WordSplitter("jieba", lowercase=False).words("买Ｔ恤") == ["买", "T恤"]
    assert splitter.tokenizer is None


def test_jieba_reads_no_cache_that_others_can_write(tmp_path, monkeypatch):
    """With a stand-in that looks for its cache as jieba does, since the extra `chinese` may not be installed."""
    folders = []

    class Segmenter:
        tmp_dir = None

        def initialize(self):
            folders.append(Path(self.tmp_dir or tempfile.gettempdir()))
            assert not (folders[-1] / "jieba.cache").exists()
            (folders[-1] / "jieba.cache").touch()

        def lcut(self, text):
            return list(text)

    jieba = types.SimpleNamespace(setLogLevel=lambda level: None, Tokenizer=Segmenter)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    (tmp_path / "jieba.cache").write_bytes(b"of somebody else")
    corpus._jieba_cut.cache_clear()
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "jieba", jieba)
        assert WordSplitter("jieba").words("高") == ["高"]
    corpus._jieba_cut.cache_clear()
    assert folders[0] != tmp_path
    assert not folders[0].exists()


def test_without_jieba_the_error_names_the_extra(monkeypatch):
    corpus._jieba_cut.cache_clear()
    monkeypatch.setitem(sys.modules, "jieba", None)
    with pytest.raises(InputError, match=r'^tokenizer jieba: .* pip install "textapp-keras\[chinese\]"$'):
        WordSplitter("jieba")


@pytest.mark.parametrize("settings", [{"kind": "words"}, {"lowercase": 1}, {"kind": "jieba", "normalization": "nfd"}])
def test_other_settings_are_refused(settings):
    with pytest.raises(InputError, match=r"^tokenizer: .* must be .*Received|^tokenizer: must be one of word, char"):
        WordSplitter(**settings)


def test_the_settings_make_the_same_splitter():
    for splitter in SPLITTERS:
        assert WordSplitter(**splitter.to_dict()) == splitter
    assert WordSplitter("char", False, "nfc").tokenizer == Tokenizer("char", False, "nfc")


@given(TEXTS, TEXTS, st.sampled_from(" \n\t\x1c\u3000\xa0\u2028"), st.sampled_from(SPLITTERS))
@example("好", "\u3099a", "\xa0", WordSplitter())
def test_white_space_separates_words(before, after, space, splitter):
    assert splitter.words(before + space + after) == splitter.words(before) + splitter.words(after)


@given(TEXTS, st.sampled_from(SPLITTERS))
@example("2015年5月，好\u200d\u0301人ﾞ！", WordSplitter())
def test_pieces_have_the_words_of_the_whole(text, splitter):
    for chunk in text.split():
        pieces = splitter.pieces(chunk)
        assert "".join(pieces) == chunk
        assert list(itertools.chain.from_iterable(map(splitter.words, pieces))) == splitter.words(chunk)


def test_chinese_falls_into_pieces_that_come_again():
    assert WordSplitter().pieces("在2015年，《女友》好看!") == [
        *"在",
        "2015",
        *"年",
        "，《",
        *"女友",
        "》",
        *"好看",
        "!",
    ]
    assert WordSplitter("whitespace").pieces("在2015年") == ["在2015年"]


@given(TEXTS, st.sampled_from(SPLITTERS))
def test_words_hold_no_white_space(text, splitter):
    words = splitter.words(text)
    assert all(words)
    assert all(not corpus._WHITE_SPACE.search(word) and len(word.split()) == 1 for word in words)


def test_a_folder_stands_for_its_files(tmp_path):
    for name in ("b/ü.txt", "b/a.txt.gz", "c.txt", ".hidden", ".git/x.txt", "a"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    found = text_files([tmp_path / "c.txt", tmp_path])
    assert [str(file.relative_to(tmp_path)) for file in found] == ["c.txt", "a", "b/a.txt.gz", "b/ü.txt", "c.txt"]


def test_no_file_is_an_error(tmp_path):
    with pytest.raises(InputError, match=r"nothing\.txt: No such file"):
        text_files([tmp_path / "nothing.txt"])
    with pytest.raises(InputError, match="the folder has no file"):
        text_files([tmp_path])
    with pytest.raises(InputError, match="has no file"):
        text_files([])


@given(text=st.text(alphabet=st.sampled_from("aé好😀 \n\r\t\u3000\ufeff"), max_size=60), size=st.integers(1, 12))
@example(text="\n" + "好" * 50, size=1)
def test_blocks_lose_nothing_and_stay_small(tmp_path_factory, text, size):
    path = tmp_path_factory.mktemp("blocks") / "text"
    path.write_bytes(text.encode())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(corpus, "BLOCK", size)
        blocks = list(read_blocks(path))
    assert "".join(blocks) == text.removeprefix("\ufeff")
    assert all(len(block.encode()) <= 3 * size + 4 for block in blocks)


def test_blocks_end_with_a_line_else_with_a_word(tmp_path, monkeypatch):
    path = tmp_path / "text.txt"
    path.write_text("très bien\nune ligne plus longue\nfin", encoding="utf-8")
    monkeypatch.setattr(corpus, "BLOCK", 16)
    assert list(read_blocks(path)) == ["très bien\n", "une ligne plus ", "longue\n", "fin"]


def test_a_line_of_any_length_takes_little_memory(tmp_path, monkeypatch):
    monkeypatch.setenv("TEXTAPP_MAX_EXPANSION", "1000")
    path = tmp_path / "line.txt.gz"
    with gzip.open(path, "wt", encoding="utf-8") as file:
        for _ in range(20):
            file.write("très 好 " * 100_000)
    tracemalloc.start()
    try:
        characters = sum(map(len, read_blocks(path)))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert characters == 20 * 700_000
    assert peak < 4e6  # of 22 MB of text


def test_sentences_of_many_files(tmp_path):
    (tmp_path / "a.txt").write_bytes("\ufeffDéjà vu!\r\n\n  \n好吃\n".encode())
    (tmp_path / "b.gz").write_bytes(gzip.compress(b"ende"))
    assert list(read_sentences([tmp_path], WordSplitter())) == [["déjà", "vu", "!"], ["好", "吃"], ["ende"]]


def test_sentences_are_those_of_gensim(tmp_path):
    word2vec = pytest.importorskip("gensim.models.word2vec", reason="gensim is not installed")
    path = tmp_path / "text.txt"
    path.write_text("Ein Satz , très kurz\n\n这 是 第二 句\n\tend ", encoding="utf-8")
    expected = [words for words in word2vec.LineSentence(str(path)) if words]
    assert list(read_sentences([path], WordSplitter("whitespace", False, "none"))) == expected


@pytest.mark.parametrize("block", [1, 2, 5, 16, 1000])
def test_broken_utf8_names_the_line_and_the_byte(tmp_path, monkeypatch, block):
    path = tmp_path / "text.txt"
    path.write_bytes(b"eins\nzwei\n" + "drei und vièr ".encode() + b"\xff\xe4\xb8\nende")
    monkeypatch.setattr(corpus, "BLOCK", block)
    with pytest.raises(InputError, match=r"text\.txt:3: byte 16 of the line is not UTF-8; files must be UTF-8; "):
        list(read_blocks(path))


def test_a_cut_off_gzip_file_is_named(tmp_path):
    path = tmp_path / "text.txt.gz"
    path.write_bytes(gzip.compress("très bien\n".encode() * 1000)[:-20])
    with pytest.raises(InputError, match=r"text\.txt\.gz: the gzip data are cut off"):
        list(read_blocks(path))


def test_a_pattern_means_the_files_and_folders_that_match(tmp_path):
    for name in ("part-2.gz", "part-1", "other", "sub/part-3", "part-dir/x"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name, encoding="utf-8")
    found = [path.relative_to(tmp_path).as_posix() for path in text_files([tmp_path / "part-*", tmp_path / "other"])]
    assert found == ["part-1", "part-2.gz", "part-dir/x", "other"]
    assert len(text_files([tmp_path / "**/part-?"])) == 2
    (tmp_path / "a[1].txt").write_text("x", encoding="utf-8")  # a file of that very name is no pattern
    assert text_files([tmp_path / "a[1].txt"]) == [tmp_path / "a[1].txt"]
    with pytest.raises(InputError, match=r"zz\*: no file matches this pattern"):
        text_files([tmp_path / "zz*"])


@pytest.mark.parametrize("block", [7, 64, 100_000])
@pytest.mark.parametrize("count", [1, 2, 3])
def test_parts_of_few_files_are_every_nth_line(tmp_path, monkeypatch, block, count):
    monkeypatch.setattr(corpus, "BLOCK", block)
    texts = ["".join(f"zeile {number} 好\n" for number in range(50)), "kurz\n\nletzte"]
    for name, text in zip("ab", texts, strict=True):
        (tmp_path / name).write_text(text, encoding="utf-8")
    files = text_files([tmp_path])
    for index in range(count):
        received = [line for piece in read_part(files, Part(index, count)) for line in piece.split("\n")]
        expected = [line for text in texts for line in text.split("\n")[index::count]]
        # A line that is cut between blocks stays in its part.
        assert "".join(received) == "".join(expected)


def test_parts_of_even_files_are_whole_files(tmp_path):
    for name, size in {"a": 300, "b": 100, "c": 290, "d": 110, "e": 100}.items():
        (tmp_path / name).write_text(f"{name}\n" * (size // 2), encoding="utf-8")
    files = text_files([tmp_path])
    parts = ["".join(read_part(files, Part(index, 3))) for index in range(3)]
    assert [sorted({*part} - {"\n"}) for part in parts] == [["a"], ["c"], ["b", "d", "e"]]
    assert sum(map(len, parts)) == 900
