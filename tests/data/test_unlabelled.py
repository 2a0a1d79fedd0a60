"""Texts without labels: read from files of all kinds, and made by the operations of Tang et al. (2019)."""

import gzip
import io
import re
import tarfile

import numpy as np
import pytest

from textapp.data.unlabelled import MASK, Augmentation, unlabelled_texts
from textapp.errors import InputError
from textapp.text.tokenizer import Tokenizer
from textapp.text.vocabulary import Vocabulary


def augment(text, **settings):
    return list(Augmentation(Tokenizer(), **{"copies": 400, **settings}).texts(text, 5))


@pytest.mark.parametrize("kind", ["word", "char"])
def test_a_masked_word_is_one_unknown_token(kind):
    tokenizer = Tokenizer(kind)
    text = "Très bon, 很好吃 ½ don't!"
    count = len(tokenizer.words(text))
    (masked,) = Augmentation(tokenizer, 1, mask_rate=1.0, ngram_rate=0.0).texts(text, 0)
    words = tokenizer.words(masked)
    assert set(words) == {MASK}
    assert len(words) == count - 2  # the three tokens of ½ are one word to mask
    assert Vocabulary.build({"bon": 2}).encode(words) == [1] * len(words)


def test_rates_and_the_authors_spelling():
    text = "Das  WAR\tein 好 Film ! "
    assert set(augment(text, mask_rate=0.0, ngram_rate=0.0)) == {text.strip()}
    words = Tokenizer().words(text)
    masked = augment(text, mask_rate=0.1, ngram_rate=0.0, copies=2000)
    assert np.mean([one.count(MASK) for one in masked]) == pytest.approx(0.1 * len(words), rel=0.1)
    pattern = "".join(
        rf"(?:{re.escape(part)}|{MASK})" if part.strip() else part for part in re.split(r"(\s+)", text.strip())
    )
    assert all(re.fullmatch(pattern, one) for one in masked)


def test_ngrams():
    text = "a b c d e f g h"
    grams = augment(text, mask_rate=0.0, ngram_rate=1.0, copies=4000)
    assert all(gram in text for gram in grams)
    lengths = np.bincount([len(gram.split()) for gram in grams], minlength=7)
    assert lengths[0] == lengths[6] == 0
    np.testing.assert_allclose(lengths[1:6] / 4000, 0.2, atol=0.03)
    starts = np.bincount([text.index(gram) // 2 for gram in grams if len(gram) == 1])
    np.testing.assert_allclose(starts / starts.sum(), 1 / 8, atol=0.04)
    assert np.mean([gram != text for gram in augment(text, mask_rate=0.0)]) == pytest.approx(0.25, abs=0.06)
    assert set(augment("x y", mask_rate=0.0, ngram_rate=1.0)) == {"x", "y", "x y"}


def test_seeds_and_texts_without_a_word():
    assert augment("a b c d") == augment("a b c d")
    assert augment("a b c d") != augment("a b c d", seed=1)
    assert augment(" \t") == []


def archive(path, files):
    with tarfile.open(path, "w:gz") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return path


def test_unlabelled_files(tmp_path):
    lines = "\ufeffпервый\n\n  第二 \n".encode()
    (tmp_path / "строки").write_bytes(lines)
    (tmp_path / "строки.txt.gz").write_bytes(gzip.compress(lines))
    (tmp_path / "таблица.tsv").write_text("sentence\tlabel\nпервый\t0\n第二\t1\n", encoding="utf-8")
    (tmp_path / "без меток.csv").write_text("id,text\n1,первый\n2,\n3,第二\n", encoding="utf-8")
    (tmp_path / "u.jsonl").write_text('{"text": "первый"}\n{"text": "第二", "label": null}\n', encoding="utf-8")
    (tmp_path / "t.jsonl").write_text(
        '{"text": "первый", "label": 0}\n{"text": "第二", "label": 1}\n', encoding="utf-8"
    )
    files = {"a/unsup/0.txt": "первый<br />".encode(), "a/imdb.vocab": b"no", "b/pos/1.txt": "第二".encode()}
    archive(tmp_path / "unsup.tar.gz", files)
    for path in tmp_path.iterdir():
        assert list(unlabelled_texts(path)) == ["первый", "第二"], path


def test_broken_unlabelled_files_are_named(tmp_path):
    (tmp_path / "f.txt").write_bytes("好\n".encode() + b"\xe5\xa5\n")
    with pytest.raises(InputError, match=r"f\.txt:2: byte 1 of the line is not UTF-8"):
        list(unlabelled_texts(tmp_path / "f.txt"))
    whole = archive(tmp_path / "a.tar.gz", {"1.txt": bytes(range(65, 91)) * 999}).read_bytes()
    (tmp_path / "a.tar.gz").write_bytes(whole[:-9])
    with pytest.raises(InputError, match=r"a\.tar\.gz: "):
        list(unlabelled_texts(tmp_path / "a.tar.gz"))
    with pytest.raises(InputError, match="нет: No such file"):
        list(unlabelled_texts(tmp_path / "нет"))
