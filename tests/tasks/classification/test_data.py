"""Labelled texts as rows of tokens, in memory and streamed."""

import numpy as np
import pytest

from textapp.data.readers import Examples
from textapp.data.rows import encode_rows
from textapp.errors import InputError
from textapp.tasks.classification.config import ClassificationConfig
from textapp.tasks.classification.data import StreamedTexts, encode_splits, text_rows, text_tokenizer
from textapp.text.labels import Labels
from textapp.text.token_encoder import TokenEncoder
from textapp.text.tokenizer import Tokenizer
from textapp.text.vocabulary import Vocabulary

LABELS = Labels(("a", "b"))
EXAMPLES = Examples(["Das ist gut, sehr gut!", "\u200b", "好吃 好吃", "Café"], ["a", "b", "a", "b"], "Beispiele")
CONFIG = ClassificationConfig().override(["max_tokens=4"])


def test_the_tokenizer_of_mediapipe_has_its_own_rules():
    config = CONFIG.override(["tokenizer=bert"])
    assert text_tokenizer(config) == Tokenizer("bert", lowercase=True, normalization="none")
    counts = text_rows(config, EXAMPLES, LABELS, text_tokenizer(config)).tokens.counts()
    assert counts == dict.fromkeys(["das", "ist", "gut", ",", "\u200b", "café"], 1) | {"好": 2, "吃": 2}


def test_encoding_equals_a_text_at_a_time():
    tokenizer = Tokenizer()
    rows = text_rows(CONFIG, EXAMPLES, LABELS, tokenizer)
    vocabulary = Vocabulary.build(rows.tokens.counts(), min_count=2)
    encoded = encode_rows(rows, TokenEncoder(None, vocabulary))
    expected = [vocabulary.encode(tokenizer.words(text)[:4]) for text in EXAMPLES.texts if tokenizer.words(text)]
    assert [ids.tolist() for ids in np.split(encoded.token_ids(), encoded.offsets[1:-1])] == expected
    assert encoded.targets.tolist() == [0, 0, 1]
    assert encoded.sources.tolist() == [0, 2, 3]  # the second text has no token
    assert encoded.cut == 1
    assert rows.tokens.counts()["好"] == 2


def test_a_text_without_a_token_is_kept_where_it_is_asked_for():
    rows = text_rows(CONFIG, EXAMPLES, LABELS, Tokenizer(), keep_empty=True)
    assert rows.sources.tolist() == [0, 1, 2, 3]
    assert rows.tokens.row(1) == []


def test_no_text_with_a_token_is_an_error():
    with pytest.raises(InputError, match="leer: no text has a token"):
        text_rows(CONFIG, Examples([" ", "\u200b"], ["a", "b"], "leer"), LABELS, Tokenizer())


def test_splits_for_a_fit_of_your_own_share_vocabulary_and_labels():
    other = Examples(["sehr fremd"], ["b"], "Prüfung")
    vocabulary, names, (train, valid) = encode_splits(EXAMPLES, other, tokenizer=Tokenizer(), max_tokens=9, min_count=1)
    assert names == ["a", "b"]
    assert len(train) == 3
    assert valid.token_ids().tolist() == vocabulary.encode(["sehr", "fremd"])
    assert valid.targets.tolist() == [1]
    with pytest.raises(InputError, match="Prüfung"):
        encode_splits(EXAMPLES, Examples(["x"], ["c"], "Prüfung"), tokenizer=Tokenizer(), max_tokens=9)


def test_streamed_texts_leave_out_what_is_held_out(tmp_path):
    texts = [f"Satz {number} 好" for number in range(30)]
    path = tmp_path / "Sätze.tsv"
    lines = [f"{text}\t{'ab'[number % 2]}\n" for number, text in enumerate([*texts, "\u200b"])]
    path.write_text("text\tlabel\n" + "".join(lines), encoding="utf-8")
    held_out = Examples([f"{text.upper()}!" for text in texts[:20]], ["a"] * 20, "Prüfung")
    said: list[str] = []
    tokenizer = text_tokenizer(CONFIG)
    rows = StreamedTexts(CONFIG, path, [held_out], tokenizer, said.append)
    expected = [(tokenizer.words(text), "ab"[number % 2]) for number, text in enumerate(texts)][20:]
    assert list(rows) == expected
    assert said == [f"{path}: 20 texts left out that are held out"]
    assert list(rows) == expected
    assert len(said) == 1, "each epoch reads the file, the first one reports"
