"""The tagger over models that are made up, so that what it should say is known."""

import itertools
import json
import threading

import numpy as np
import pytest

from tests.runtime.lexicon import IOBES, WORDS, by_lexicon, decoder_of, tagger_of
from textapp.runtime import TaggedSpan, TaggedToken, Tagger, Tagging
from textapp.runtime.decoding import FORBIDDEN, TagDecoder
from textapp.runtime.predictor import Outputs
from textapp.text.tag_schemes import allowed_transitions, read_spans
from textapp.text.tag_set import TagSet
from textapp.text.token_encoder import TokenEncoder
from textapp.text.tokenizer import Tokenizer
from textapp.text.vocabulary import Vocabulary
from textapp.text.word_form import WordForm


@pytest.mark.parametrize(
    ("text", "spans"),
    [
        ("", []),
        ("\0 \x1b", []),
        ("Angela Merkel besuchte 北京.", [("人", "Angela Merkel", 0, 13), ("lieu", "北京", 23, 25)]),
        ("😀😀Zoe\u0308!", [("lieu", "😀", 0, 1), ("lieu", "😀", 1, 2), ("人", "Zoe\u0308", 2, 6)]),
        ("Ｓão\u3000Pau\u00adlo\u200b!", [("lieu", "São\u3000Pau\u00adlo".replace("S", "Ｓ"), 0, 10)]),
        ("a\ufeff北\ufeff京b", [("lieu", "北\ufeff京", 2, 5)]),
        ("㍿ Zoë", [("人", "㍿", 0, 1), ("人", "Zoë", 2, 5)]),
        ("\ud800 Zoë \udfff", [("lieu", "\ud800", 0, 1), ("人", "Zoë", 2, 5), ("lieu", "\udfff", 6, 7)]),
    ],
)
def test_spans_worked_by_hand(text, spans):
    (tagging,) = tagger_of().predict([text])
    assert [tuple(span) for span in tagging.spans] == [(*span, None) for span in spans]


def test_tokens_of_a_corpus_are_known_by_their_pieces():
    tagger = tagger_of()
    assert list(tagger.decide([["北京", "von", "São-Paulo"]])) == [["O", "O", "O"]]
    tagger.retokenize = True
    assert tagger.tokens(["北京", "von"]) == ["北", "京", "von"]
    (tags,) = tagger.decide([["北京", "1/2", "Angela", "Merkel"]])
    assert tags == ["B-lieu", "B-lieu", "B-人", "I-人"]
    assert list(tagger.decide([["北京"], ["\N{SOFT HYPHEN}", "Zoë"]])) == [["B-lieu"], ["O", "B-人"]]


def test_a_character_that_becomes_several_tokens_belongs_to_the_first_span():
    """½ is 1, ⁄ and 2 for the tokenizer: two spans of one character."""
    assert [token[:3] for token in tagger_of().predict(["½"])[0].tokens] == [("1", 0, 1), ("⁄", 0, 1), ("2", 0, 1)]
    assert tagger_of().predict(["½"])[0].spans == (TaggedSpan("lieu", "½", 0, 1),)
    # Of `2` and `京` only the second is left to the second span.
    tags = TagSet(("O", "B-x", "I-x"), "IOB2")
    scored = {"1": 1, "⁄": 2, "2": 1, "京": 2}
    vocabulary = Vocabulary(["[PAD]", "[UNK]", *scored])

    def score(ids):
        wanted = [scored.get(vocabulary.tokens[index], 0) for index in ids["token_ids"]]
        return Outputs(9.0 * np.eye(3)[wanted])

    encoder = TokenEncoder(WordForm(), vocabulary, None, 0)
    tagger = Tagger(Tokenizer(lowercase=False), encoder, tags, 16, score, decoder_of(tags))
    (tagging,) = tagger.predict(["x ½ 京"])
    assert [token.tag for token in tagging.tokens] == ["O", "B-x", "I-x", "B-x", "I-x"]
    assert tagging.spans == (TaggedSpan("x", "½", 2, 3), TaggedSpan("x", "京", 4, 5))


def test_tokens_carry_their_tags_in_iob2():
    (tagging,) = tagger_of().predict(["Angela\tMerkel, Ｚoe\u0308"])
    assert tagging.tokens == (
        TaggedToken("Angela", 0, 6, "B-人"),
        TaggedToken("Merkel", 7, 13, "I-人"),
        TaggedToken(",", 13, 14, "O"),
        TaggedToken("Zoë", 15, 19, "B-人"),
    )


def test_plain_tags_make_no_spans():
    tags = TagSet(("ADJ", "NOUN", "名詞"), None)
    logits = np.log(np.array([[0.2, 0.7, 0.1], [0.1, 0.1, 0.8]]))
    tagger = tagger_of(lambda ids: logits[: len(ids["token_ids"])], tags, decoder=None)
    assert tagger.predict(["schöner Ort"])[0] == Tagging(
        (TaggedToken("schöner", 0, 7, "NOUN"), TaggedToken("Ort", 8, 11, "名詞")), ()
    )
    (sure,) = tagger.predict(["schöner Ort"], confidence=True)
    assert [token.confidence for token in sure.tokens] == pytest.approx([0.7, 0.8])
    assert tagger.predict([""], confidence=True) == [Tagging((), ())]


def test_sentences_of_tokens_are_tagged_alike():
    sentences = [["Angela", "Merkel"], [], ["in", "São", "Paulo", "."], ["", "\0", "a b", "Zoë"]]
    expected = [["B-人", "I-人"], [], ["O", "B-lieu", "I-lieu", "O"], ["O", "O", "O", "B-人"]]
    assert list(tagger_of().decide(sentences)) == expected
    with pytest.raises(TypeError, match="Received: one string; cut it into tokens"):
        list(tagger_of().decide(["Angela Merkel"]))


def test_a_broken_sequence_of_a_model_without_a_crf_is_read_as_the_scorer_does():
    """`von` says I-人, which nothing opens and nothing ends."""
    (tagging,) = tagger_of(decoder=None).predict(["von Angela von 北 1"])
    assert [token.tag for token in tagging.tokens] == ["B-人", "B-人", "I-人", "B-lieu", "B-lieu"]
    assert [span.text for span in tagging.spans] == ["von", "Angela von", "北", "1"]
    (tagging,) = tagger_of().predict(["von Angela von 北 1"])
    assert [span.text for span in tagging.spans] != ["von", "Angela von", "北", "1"]


def random_logits(ids):
    """Other scores for each sentence."""
    rng = np.random.default_rng([int(index) for index in ids["token_ids"]])
    return rng.normal(scale=2.0, size=(len(ids["token_ids"]), len(IOBES))).astype(np.float32)


@pytest.mark.parametrize("crf", [True, False])
@pytest.mark.parametrize(
    "tag_set",
    [
        TagSet(("O", "B-a", "I-a", "B-b", "I-b"), "IOB2"),
        TagSet(("O", "B-a", "I-a", "I-b"), "IOB1"),
        TagSet(("O", "S-人", "B-人", "I-人", "E-人", "S-b"), "IOBES"),
        TagSet(("O", "B", "I"), "IOB2"),
    ],
    ids=lambda tag_set: tag_set.scheme,
)
def test_confidence_is_the_share_of_all_sequences_that_hold_the_span(tag_set, crf):
    """Those that have its tags and in which it is read as that very span: neither longer nor joined to another."""
    found = 0
    for seed in range(6):
        rng = np.random.default_rng(seed)
        logits = rng.normal(scale=1.5, size=(4, len(tag_set)))
        allowed = allowed_transitions(tag_set.tags, tag_set.scheme)
        parts = [np.where(np.array(part), rng.normal(size=np.shape(part)), FORBIDDEN) for part in allowed]
        transitions, start, end = parts if crf else [np.zeros_like(part) for part in parts]
        powers = {
            path: np.exp(
                start[path[0]]
                + end[path[-1]]
                + logits[range(4), path].sum()
                + sum(transitions[pair] for pair in itertools.pairwise(path))
            )
            for path in itertools.product(range(len(tag_set)), repeat=4)
        }
        best = max(powers, key=powers.get)
        tagger = tagger_of(lambda _, logits=logits: logits, tag_set, TagDecoder(*parts) if crf else None)
        (tagging,) = tagger.predict(["einä zwei 三 fo\u0301ur"], confidence=True)
        spans = read_spans([tag_set.tags[tag] for tag in best], tag_set.scheme, repair=True)
        assert len(spans) == len(tagging.spans)
        for expected, span in zip(spans, tagging.spans, strict=True):
            part = slice(expected.start, expected.end)
            holding = sum(
                power
                for path, power in powers.items()
                if path[part] == best[part]
                and expected in read_spans([tag_set.tags[tag] for tag in path], tag_set.scheme, repair=True)
            )
            assert span.confidence == pytest.approx(holding / sum(powers.values()), rel=1e-6)
            found += 1
    assert found > 5


def test_without_asking_there_is_no_confidence():
    text = "Angela Merkel"
    (plain,), (sure,) = tagger_of().predict([text]), tagger_of().predict([text], confidence=True)
    assert sure.spans[0]._replace(confidence=None) == plain.spans[0]
    assert "confidence" not in plain.to_dict()["spans"][0]
    assert 0.9 < sure.to_dict()["spans"][0]["confidence"] < 1
    assert "confidence" not in sure.to_dict()["tokens"][0]


def test_to_dict_survives_json():
    (tagging,) = tagger_of().predict(["Angela Merkel in 北京 😀"], confidence=True)
    values = json.loads(json.dumps(tagging.to_dict()))
    assert list(values) == ["spans", "tokens"]
    spans = tuple(TaggedSpan(**span) for span in values["spans"])
    assert Tagging(tuple(TaggedToken(**token) for token in values["tokens"]), spans) == tagging


class TestLongTexts:
    def test_no_span_breaks_at_a_border(self):
        """An entity of 100 tokens over windows of 16."""
        words = ["Angela", *["von"] * 98, "Merkel"]
        (tagging,) = tagger_of().predict([" ".join(["ja", *words, "nein", *["o"] * 50, "北", "京"])])
        assert [span.text for span in tagging.spans] == [" ".join(words), "北 京"]

    @pytest.mark.parametrize("count", [16, 17, 40, 1000])
    def test_every_token_is_scored_where_it_stands_further_from_the_border(self, count):
        """A model that says of a token only how far from the border of its window it stands."""
        calls = []

        def score(ids):
            size = len(ids["token_ids"])
            calls.append(size)
            return np.minimum(np.arange(size), np.arange(size)[::-1])[:, None].repeat(len(IOBES), 1)

        logits = tagger_of(score).logits(["x"] * count)
        assert logits.shape == (count, len(IOBES))
        assert set(calls) == {16}
        assert len(calls) == 1 + -(-(count - 16) // 12)  # as few as overlap by 4
        assert logits[8 : count - 8, 0].min(initial=1) >= 1  # of 4 in common, the outer ones of each are not taken

    def test_windows_give_what_one_look_would_where_the_model_looks_no_further(self):
        """A model that sees one token to each side: windows that overlap by four hide nothing from it."""

        def score(ids):
            near = np.pad(ids["token_ids"].astype(float), 1)
            rows = np.stack([near[shift : shift + len(ids["token_ids"])] for shift in range(3)], axis=1)
            return rows @ np.random.default_rng(0).normal(size=(3, len(IOBES)))

        tokens = np.random.default_rng(1).choice([*WORDS[2:], ".", "x"], 300).tolist()
        np.testing.assert_allclose(
            tagger_of(score).logits(tokens), tagger_of(score, max_tokens=300).logits(tokens), atol=1e-9
        )

    def test_a_megabyte_takes_windows_in_proportion(self):
        read = 0

        def score(ids):
            nonlocal read
            read += len(ids["token_ids"])
            return by_lexicon(ids)

        text = "Angela\tMerkel 京 😀 " * 40_000
        (tagging,) = tagger_of(score, max_tokens=128).predict([text])
        assert len(tagging.tokens) == 160_000
        assert len(tagging.spans) == 80_000
        assert read < 160_000 * 4 / 3 + 256
        assert all(span.text == text[span.start : span.end] for span in tagging.spans[::1000])


def test_threads_may_share_a_tagger():
    tagger = tagger_of(random_logits)
    texts = [" ".join(np.random.default_rng(seed).choice(WORDS[2:], 40)) for seed in range(8)]
    expected = tagger_of(random_logits).predict(texts, confidence=True)
    received = {}

    def work(index):
        received[index] = tagger.predict([texts[index]], confidence=True)[0]

    workers = [threading.Thread(target=work, args=(index,)) for index in range(len(texts))]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [received[index] for index in range(len(texts))] == expected


def test_what_is_no_list_of_strings_is_refused():
    with pytest.raises(TypeError, match=r"`texts` must be a list of strings\. Received: one string"):
        tagger_of().predict("Zoë")
    with pytest.raises(TypeError, match=r"`texts` must hold strings\. Received: NoneType at index 1"):
        tagger_of().predict(["Zoë", None])
