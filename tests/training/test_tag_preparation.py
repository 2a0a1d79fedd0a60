"""Files to batches: what becomes known, what is counted, what is refused."""

import pytest

from textapp.config import NerConfig
from textapp.errors import InputError
from textapp.text.tokenizer import Tokenizer
from textapp.training.tag_preparation import prepare_tags, text_tokenizer

TRAIN = "Wien B-LOC\nschläft O\n\nAnna B-PER\nLin I-PER\nschläft O\n\nwien B-LOC\n7 O\n\n"
VALID = "Anna B-PER\nsah O\nRom B-ORT\n\nWien B-LOC\nschläft O\n\n"


@pytest.fixture
def prepared(tmp_path):
    def prepare(*settings, train=TRAIN, valid=VALID, test=None, vectors=None):
        lines: list[str] = []
        paths = {"train": train, "valid": valid, "test": test, "vectors": vectors}
        for name, content in paths.items():
            paths[name] = None if content is None else tmp_path / f"{name} 名.txt"
            if content is not None:
                paths[name].write_text(content, encoding="utf-8")
        config = NerConfig().override(settings)
        data = prepare_tags(
            config, paths["train"], paths["valid"], paths["test"], lines.append, vectors=paths["vectors"]
        )
        return data, lines

    return prepare


def refusal(prepared, *settings, **files) -> str:
    with pytest.raises(InputError) as raised:
        prepared(*settings, **files)
    assert "\n" not in str(raised.value)
    return str(raised.value)


def test_words_characters_and_tags_are_the_training_splits(prepared):
    data, lines = prepared()
    assert data.encoder.vocabulary.tokens[2:] == ("schläft", "wien")  # what comes twice, in lower case
    assert set(data.encoder.characters.tokens[2:]) == set("schläftien")  # `W` and `A` come once
    assert data.tag_set.tags == ("O", "S-LOC", "B-PER", "E-PER")
    assert data.batches.steps_per_epoch == 1
    assert data.tokens == 7
    assert data.counts == {
        "train": {"count": 3, "tokens": 7, "oov_rate": 3 / 7, "pieces": 3},
        "valid": {"count": 2, "tokens": 5, "oov_rate": 3 / 5},
    }
    assert any(line.startswith("note: 1 of the 2 sentences of valid are training sentences too") for line in lines)
    assert any(line.startswith("warning: valid has what the training split lacks") and "ORT" in line for line in lines)


def test_case_digits_and_characters_follow_the_settings(prepared):
    data, _ = prepared("lowercase=false", "min_count=1", "zero_digits=true", "characters=false", "tag_scheme=IOB2")
    assert set(data.encoder.vocabulary.tokens[2:]) == {"Wien", "wien", "schläft", "Anna", "Lin", "0"}
    assert data.encoder.characters is None
    assert data.tag_set.tags == ("O", "B-LOC", "B-PER", "I-PER")


def test_long_sentences_are_cut_for_training_alone(prepared):
    data, lines = prepared("max_tokens=2", "static_shapes=true")
    assert data.counts["train"]["pieces"] == 4
    assert data.batches.examples.lengths.tolist() == [2, 2, 1, 2]
    assert data.held_out["valid"].lengths.tolist() == [3, 2]
    assert data.widths == [2, 3]
    assert "train: 3 sentences, 1 more by cutting long ones, 42.9% of tokens unknown" in lines


def test_a_share_is_held_out_where_no_file_is(prepared):
    data, _ = prepared("valid_fraction=0.4", valid=None)
    assert data.counts["train"]["count"] == 2
    assert data.counts["valid"]["count"] == 1
    again, _ = prepared("valid_fraction=0.4", valid=None)
    assert again.fingerprint == data.fingerprint


@pytest.mark.parametrize(
    "change",
    [
        {"train": TRAIN.replace("7 O", "8 O\n9 O")},
        {"train": TRAIN.replace("B-PER", "B-ORG").replace("I-PER", "I-ORG")},
        {"valid": VALID.replace("sah O", "sah B-LOC")},
        {"test": VALID},
        {"vectors": "2 2\nwien 1 2\nrom 3 4\n"},
    ],
)
def test_the_fingerprint_tells_data_apart(prepared, change):
    settings = ["embedding_dim=none"]
    assert prepared(*settings)[0].fingerprint == prepared(*settings)[0].fingerprint
    assert prepared(*settings)[0].fingerprint != prepared(*settings, **change)[0].fingerprint


def test_vectors_bring_rows_and_words(prepared):
    words = "Wien 9 9\nwien 1 2\nu.s. 9 9\nrom 3 4\nsah 5 6\n"  # no token has the word Wien or u.s.
    data, _ = prepared("embedding_dim=none", "extra_words=5", vectors=f"5 2\n{words}")
    assert data.encoder.vocabulary.tokens[2:] == ("schläft", "wien", "rom", "sah")
    assert data.pretrained.table[3:].tolist() == [[1, 2], [3, 4], [5, 6]]
    assert data.counts["valid"]["oov_rate"] == pytest.approx(1 / 5)
    assert data.counts["valid"]["oov_rate_without_extra"] == pytest.approx(3 / 5)


def test_broken_tags_are_refused_with_their_line_or_mended(prepared):
    broken = TRAIN.replace("B-PER", "O")
    message = refusal(prepared, "scheme=IOB2", train=broken)
    assert "train 名.txt:5: I-PER cannot follow O in IOB2" in message
    data, lines = prepared("scheme=IOB2", "repair=true", train=broken)
    assert "S-PER" in data.tag_set.tags
    assert "1 broken tag repaired" in lines[0]


def test_splits_must_be_of_one_kind(prepared):
    message = refusal(prepared, valid="Anna NOM\nsah VERB\n")
    assert message.endswith("holds plain tags, but the model gives spans; choose another tag column")
    spans = '{"text": "北京", "spans": [{"start": 0, "end": 2, "type": "PER"}]}\n'
    speech = "Anna NOM\nsah VERB\n"
    assert "holds spans, but the model gives plain tags" in refusal(prepared, train=speech, valid=spans)
    assert "knows none of the tags B-PER, O, but NOM, VERB" in refusal(
        prepared, train=speech, valid="Anna B-PER\nx O\n"
    )


def test_settings_reach_the_files_that_have_what_they_say(prepared):
    """Columns and a scheme are those of the training file; a validation file of JSON lines has none."""
    train = "".join(f"{line} x\n" if line else "\n" for line in TRAIN.split("\n"))
    spans = '{"text": "Anna 北京", "spans": [{"start": 0, "end": 4, "type": "PER"}]}\n'
    data, _ = prepared("scheme=IOB2", "token_column=0", "tag_column=1", train=train, valid=spans)
    assert data.examples["valid"].tags[0][0] == "B-PER"


def test_tokens_taken_for_tags_are_refused(prepared):
    train = "".join(f"x {number}\n\n" for number in range(300))
    assert "300 different tags on 300 tokens, such as 1, 10, 100; are the tags" in refusal(
        prepared, train=train, valid="x 1\n"
    )


def test_schemes_that_look_unlike_are_told(prepared):
    _, lines = prepared(valid="Anna I-PER\nsah O\n")  # sound in IOB1 alone
    assert [line.partition("tags in ")[2] for line in lines[:2]] == ["IOB2", "IOB1"]
    assert lines[2].startswith("note: the tags of ")
    assert lines[2].endswith("; --set scheme=IOB2 reads both as that")
    _, lines = prepared(valid="Anna B-PER\nsah O\n")
    assert not any("look like" in line for line in lines)
    _, lines = prepared("scheme=IOB1", train=TRAIN.replace("B-", "I-"), valid="Anna O\nsah O\n")
    assert not any("look like" in line for line in lines)  # what has no span looks like nothing


@pytest.mark.parametrize(("content", "rule"), [("Anna O\nsah O\n", "no span, every tag is 'O'"), ("a X\nb X\n", "'X'")])
def test_there_must_be_something_to_learn(prepared, content, rule):
    message = refusal(prepared, train=content, valid=content)
    assert "there must be two different tags" in message
    assert rule in message


def test_parts_of_speech_are_taken_as_they_are(prepared):
    data, lines = prepared(train="Anna NOM\nsah VERB\n", valid="Rom ADJ\nsah VERB\n")
    assert data.tag_set.tags == ("NOM", "VERB")
    assert data.tag_set.scheme is None
    assert any(line.startswith("warning: valid has") and line.endswith(": ADJ") for line in lines)


def test_texts_are_cut_with_their_capitals():
    assert text_tokenizer(NerConfig()) == Tokenizer("word", lowercase=False)
    assert text_tokenizer(NerConfig().override(["tokenizer=char", "normalization=nfc"])).kind == "char"
