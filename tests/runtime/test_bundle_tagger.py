"""Bundles of taggers: read, checked, run."""

import json
import threading
import tracemalloc

import numpy as np
import pytest

from tests.runtime.conftest import MAX_CHARACTERS, TAG_CHARACTERS, TAG_TOKENS, TAGS, lines_of, load_error
from tests.runtime.test_bundle import change
from textapp.runtime import load
from textapp.runtime.decoding import TagDecoder
from textapp.runtime.windows import windows
from textapp.text.tag_schemes import convert, find_breaks

TEXTS = ("Angela Merkel besuchte 北京.", "Café 2026", "北", "", "\0", "\ud800 Zwölf naïve 😀 !", "М А")


def test_tags_words_and_characters_are_read(tagger):
    assert tagger.tag_set.tags == TAGS
    assert tagger.tag_set.scheme == "IOBES"
    assert tagger.encoder.form.zero_digits is True
    assert tagger.encoder.encode(["Merkel", "7", "?"])["token_ids"] == [3, 9, 1]
    assert tagger.encoder.encode(["AMxyzA"])["char_ids"] == [[2, 3, 1, 1, 1]]


@pytest.mark.parametrize("count", range(1, 9))
def test_logits_equal_numpy_at_every_length(tagger, tiny_tagger, count):
    tokens = ["Angela", "Merkel", "Äther", "7", "A", "北京", ".", "e"][:count]
    as_known = [token if token != "7" else "0" for token in tokens]
    np.testing.assert_allclose(tagger.logits(tokens), tiny_tagger.reference(as_known), atol=1e-5)


def test_the_tags_are_the_best_of_the_scores(tagger, tiny_tagger):
    decoder = TagDecoder(tiny_tagger.transitions, tiny_tagger.start, tiny_tagger.end)
    for text, tagging in zip(TEXTS, tagger.predict(TEXTS), strict=True):
        tokens = [token.text for token in tagging.tokens]
        known = ["0" * len(token) if token.isdigit() else token for token in tokens]
        expected = decoder.viterbi(tiny_tagger.reference(known))
        assert [token.tag for token in tagging.tokens] == tagger.tag_set.decode(expected)
        assert all(span.text == text[span.start : span.end] for span in tagging.spans)
    assert sum(len(tagging.spans) for tagging in tagger.predict(TEXTS)) > 3


def test_long_texts_are_read_in_windows(tagger, tiny_tagger):
    """The model sees one token to the left: only the first of a window that is kept could miss something."""
    tokens = np.random.default_rng(8).choice(["Angela", "Merkel", "北", "e", "A"], 100).tolist()
    expected = tiny_tagger.reference(tokens)
    assert all(window.first > window.start for window in list(windows(tokens, 8))[1:])
    np.testing.assert_allclose(tagger.logits(tokens), expected, atol=1e-5)
    best = [TAGS[index] for index in tagger.decoder.viterbi(tagger.logits(tokens))]
    assert not find_breaks(best, "IOBES")  # across the borders of windows too
    assert list(tagger.decide([tokens])) == [convert(best, "IOBES", "IOB2")]


def test_a_bundle_without_characters(write_tagger_bundle, tiny_tagger):
    files = {"model.tflite": tiny_tagger.convert(characters=False), "characters.txt": None}
    tagger = load(write_tagger_bundle(files, max_characters=None))
    tokens = ["Angela", "Merkel", "北"]
    np.testing.assert_allclose(tagger.logits(tokens), tiny_tagger.reference(tokens, characters=False), atol=1e-5)


def test_a_bundle_without_a_crf(write_tagger_bundle, tiny_tagger):
    tagger = load(write_tagger_bundle({"crf.json": None}, crf=False))
    assert tagger.decoder is None
    tokens = ["Angela", "Merkel", "e", "北", "A"]
    best = tiny_tagger.reference(tokens).argmax(axis=1)
    assert list(tagger.decide([tokens])) == [tagger.tag_set.decode(best)]


def test_a_bundle_of_plain_tags(write_tagger_bundle):
    tags = ("ADJ", "NOUN", "名詞", "VERB", "X", "Y/Z", "a b", "PUNCT", "O")
    tagger = load(write_tagger_bundle({"tags.txt": lines_of(tags)}, tag_scheme=None))
    (tagging,) = tagger.predict(["Angela besuchte 北京"], confidence=True)
    assert tagging.spans == ()
    assert {token.tag for token in tagging.tokens} <= set(tags)
    assert all(0 < token.confidence < 1 for token in tagging.tokens)
    [tokens] = tagger.columns(["Angela besuchte 北京"], confidence=True)["predicted_tokens"]
    assert tokens == [token._asdict() for token in tagging.tokens]
    [kind] = tagger.column_types(confidence=True)["predicted_tokens"]
    assert list(kind) == list(tokens[0])


def test_threads_may_share_a_tagger(tagger):
    texts = [" ".join(np.random.default_rng(seed).choice(["Angela", "e", "北", "."], 50)) for seed in range(6)]
    expected, received = tagger.predict(texts), {}

    def work(index):
        received[index] = tagger.predict([texts[index]])[0]

    workers = [threading.Thread(target=work, args=(index,)) for index in range(len(texts))]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [received[index] for index in range(len(texts))] == expected


@pytest.mark.parametrize(
    ("field", "value", "rule"),
    [
        ("word_form", None, '"word_form" must not be null for a model that reads characters or shapes'),
        ("tag_scheme", "IOB3", '"tag_scheme" must be one of IOB2, IOB1, IOBES, BILOU, BMES, or null'),
        ("tag_scheme", [], '"tag_scheme" must be one of'),
        ("crf", 1, '"crf" must be true or false. Received: 1'),
        (
            "crf",
            False,
            '"sha256" must be an object from each of model.tflite, vocabulary.txt, characters.txt, tags.txt to',
        ),
        ("crf", None, '"crf" is missing; it must be true or false'),
        ("retokenize", None, '"retokenize" is missing; it must be true or false'),
    ],
)
def test_each_field_of_a_tagger_is_checked(tagger_folder, field, value, rule):
    change(tagger_folder, **{field: value})
    message = load_error(tagger_folder)
    assert message.startswith(f"{tagger_folder / 'bundle.json'}: ")
    assert rule in message


K = len(TAGS)
ZEROS = {"transitions": [[0] * K] * K, "start": [0] * K, "end": [0.0] * K}


@pytest.mark.parametrize(
    ("name", "content", "rule"),
    [
        (
            "tags.txt",
            lines_of((*TAGS[1:], "O")),
            ":1: must be O, the tag of tokens outside of all spans. Received: 'S-人'",
        ),
        ("tags.txt", lines_of((*TAGS[:-1], "L-lieu")), ":9: 'L-lieu' is no tag of IOBES, which bundle.json names"),
        ("tags.txt", lines_of((*TAGS[:-1], "O")), ":9: 'O' is also on line 1; tags must differ"),
        ("tags.txt", b"O\n", "only one tag; a model chooses between two or more"),
        ("tags.txt", "O\n\nB-人\n".encode(), ":2: empty; each line must be a tag"),
        ("characters.txt", lines_of((*TAG_CHARACTERS[:-1], "A")), ":8: the token 'A' is already on line 3"),
        ("characters.txt", lines_of((*TAG_CHARACTERS, "ж")), "has 9 entries for char_ids, but model.tflite"),
        ("characters.txt", lines_of(TAG_CHARACTERS[:-1]), "has 7 entries for char_ids, but model.tflite"),
        ("vocabulary.txt", lines_of((*TAG_TOKENS, "mehr")), "has 11 entries for token_ids, but model.tflite"),
        ("vocabulary.txt", lines_of(TAG_TOKENS[:-1]), "has 9 entries for token_ids, but model.tflite"),
        ("crf.json", b"{", ":1: not JSON"),
        ("crf.json", b"[]", "must hold transitions, start, end. Received: []"),
        ("crf.json", json.dumps({**ZEROS, "ende": 1}).encode(), "must hold transitions, start, end. Received: "),
        ("crf.json", json.dumps({**ZEROS, "end": [0] * 8}).encode(), '"end" must be 9 numbers from -1,000,000,000 to'),
        ("crf.json", json.dumps({**ZEROS, "end": [*[0] * 8, "1"]}).encode(), '"end" must be 9 numbers'),
        ("crf.json", json.dumps({**ZEROS, "end": [*[0] * 8, True]}).encode(), '"end" must be 9 numbers'),
        ("crf.json", json.dumps({**ZEROS, "end": [*[0] * 8, float("nan")]}).encode(), '"end" must be 9 numbers'),
        ("crf.json", json.dumps({**ZEROS, "start": [*[0] * 8, -float("inf")]}).encode(), '"start" must be 9 numbers'),
        ("crf.json", json.dumps({**ZEROS, "start": [*[0] * 8, 10**400]}).encode(), '"start" must be 9 numbers'),
        ("crf.json", json.dumps({**ZEROS, "transitions": [[0] * K] * 8}).encode(), "must be 9 lists of 9 numbers"),
        (
            "crf.json",
            json.dumps({**ZEROS, "transitions": [[0] * K] * 8 + [7]}).encode(),
            "must be 9 lists of 9 numbers",
        ),
        ("crf.json", json.dumps({**ZEROS, "start": [-1e4] * K}).encode(), "no tag may start a sequence, follow itself"),
    ],
)
def test_each_file_is_checked(write_tagger_bundle, name, content, rule):
    folder = write_tagger_bundle({name: content})
    message = load_error(folder)
    assert message.startswith(f"{folder / name}:")
    assert rule in message


class TestLoadingAForeignModel:
    def test_without_characters(self, write_tagger_bundle, tiny_tagger):
        folder = write_tagger_bundle({"model.tflite": tiny_tagger.convert(characters=False)})
        assert load_error(folder) == (
            f'{folder / "model.tflite"}: signature "tokens_4" must have the inputs "token_ids" and "char_ids" and the '
            'output "logits". Received: token_ids; logits'
        )

    def test_with_characters(self, write_tagger_bundle):
        message = load_error(write_tagger_bundle({"characters.txt": None}, max_characters=None))
        assert 'signature "tokens_4" must have the input "token_ids" and the output "logits"' in message

    def test_without_shapes(self, write_tagger_bundle):
        message = load_error(write_tagger_bundle(shapes=True))
        assert 'must have the inputs "token_ids" and "char_ids" and "shape_ids" and the output "logits"' in message

    def test_of_longer_words(self, write_tagger_bundle):
        message = load_error(write_tagger_bundle(max_characters=MAX_CHARACTERS + 1))
        assert '"char_ids" of signature "tokens_4" must be int32 (1, 4, 6). Received: int32 (1, 4, 5)' in message

    @pytest.mark.parametrize(("tags", "count"), [(TAGS[:-1], 8), ((*TAGS, "S-Ж"), 10)])
    def test_of_another_number_of_tags(self, write_tagger_bundle, tags, count):
        message = load_error(write_tagger_bundle({"tags.txt": lines_of(tags)}))
        rule = f'"logits" of signature "tokens_4" must be float32 (1, 4, {count}). Received: float32 (1, 4, 9)'
        assert rule in message

    def test_of_labels(self, write_tagger_bundle, model_content):
        files = {"model.tflite": model_content, "characters.txt": None}
        message = load_error(write_tagger_bundle(files, max_characters=None))
        assert '"logits" of signature "tokens_4" must be float32 (1, 4, 9). Received: float32 (1, 3)' in message


def test_a_long_text_takes_little_memory_beside_its_result(tagger, monkeypatch):
    text = "㍿½ﷺ Angela Merkel, 北京. " * 400
    expected = tagger.predict([text])
    monkeypatch.setattr("textapp.runtime.tagging._ENCODED", 500)  # as if the text were 30 times as long
    monkeypatch.setattr("textapp.text.tokenizer._PART", 2000)
    monkeypatch.setattr("textapp.runtime.decoding._BLOCK", 50)
    tracemalloc.start()
    try:
        result = tagger.predict([text])
        kept, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert result == expected
    assert (most - kept) / len(result[0].tokens) < 60  # bytes a token
