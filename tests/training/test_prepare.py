"""Files to batches: what becomes known, what is counted, what overlaps, what is refused."""

import numpy as np
import pytest

from textapp.errors import InputError
from textapp.task import Files, names, task
from textapp.text.tokenizer import Tokenizer
from textapp.text.word_form import WordForm
from textapp.training.prepare import prepare
from textapp.training.scores import score_decoded
from textapp.training.vocabularies import count_characters, count_words

TEXTS = "text\tlabel\nWien schläft\tgut\nAnna Lin schläft\tböse\nwien 7\tgut\nWien schläft nie\tgut\n"
OTHER_TEXTS = "text\tlabel\nAnna sah Rom\tböse\nWIEN schläft\tgut\n"  # the second one is a training text
SENTENCES = "Wien B-LOC\nschläft O\n\nAnna B-PER\nLin I-PER\nschläft O\n\nwien B-LOC\n7 O\n\n"
OTHER_SENTENCES = "Anna B-PER\nsah O\nRom B-ORT\n\nWien B-LOC\nschläft O\n\n"
FILES = {
    "classification": (TEXTS, OTHER_TEXTS),
    "multilabel": (TEXTS, OTHER_TEXTS),
    "tagging": (SENTENCES, OTHER_SENTENCES),
}

each_task = pytest.mark.parametrize("name", names())


@pytest.fixture(name="prepared")
def _prepared(tmp_path):
    """Prepares a training of a task from contents of files; without any, those of `FILES`."""

    def run(name, *settings, test=None, vectors=None, **given):
        lines: list[str] = []
        contents = {**dict(zip(("train", "valid"), FILES[name], strict=True)), **given, "test": test}
        contents["vectors"] = vectors
        paths = {}
        for part, content in contents.items():
            paths[part] = None if content is None else tmp_path / f"{part} 名.txt"
            if content is not None:
                paths[part].write_text(content, encoding="utf-8")
        config = task(name).config().override(settings)
        return prepare(task(name), config, Files(**paths), lines.append), lines

    return run


def refusal(prepared, name, *settings, **files) -> str:
    with pytest.raises(InputError) as raised:
        prepared(name, *settings, **files)
    assert "\n" not in str(raised.value)
    return str(raised.value)


def test_words_are_counted_by_their_form():
    form = WordForm(zero_digits=True)
    counts = {"Wien": 1, "WIEN": 1, "b\r": 1, "1996": 2, "\N{SOFT HYPHEN}": 3}
    words = count_words(counts, form)
    assert (words["wien"], words["0000"]) == (2, 2)
    assert "" not in words
    letters = count_characters(counts, form)
    assert (letters["W"], letters["i"], letters["I"], letters["9"]) == (2, 1, 1, 4)
    assert "\r" not in letters


@each_task
def test_words_characters_and_targets_are_the_training_splits(prepared, name):
    data, _ = prepared(name, "characters=true")
    assert data.encoder.vocabulary.tokens[2:] == ("schläft", "wien")  # what comes twice, in lower case
    tags = ("O", "S-LOC", "B-PER", "E-PER")
    assert data.targets.names == (tags if name == "tagging" else ("böse", "gut"))
    assert data.batches.steps_per_epoch == 1
    assert data.counts["valid"]["count"] == 2
    assert data.counts["valid"]["tokens"] == 5
    assert data.num_tokens == data.counts["train"]["tokens"]


def test_counts_of_sentences_by_hand(prepared):
    data, lines = prepared("tagging")
    assert set(data.encoder.characters.tokens[2:]) == set("schläftien")  # `W` and `A` come once
    assert data.counts == {
        "train": {"count": 3, "tokens": 7, "oov_rate": 3 / 7, "cut": 0},
        "valid": {"count": 2, "tokens": 5, "oov_rate": 3 / 5, "cut": 0},
    }
    assert any(
        line.startswith("warning: valid has tags that the training split lacks") and "ORT" in line for line in lines
    )


@each_task
def test_case_digits_and_characters_follow_the_settings(prepared, name):
    data, _ = prepared(name, "lowercase=false", "min_count=1", "zero_digits=true", "characters=false")
    words = set(data.encoder.vocabulary.tokens[2:])
    assert words == {"Wien", "wien", "schläft", "Anna", "Lin", "0"} | ({"nie"} if name != "tagging" else set())
    assert data.encoder.characters is None


def test_the_model_learns_tags_of_the_scheme_of_the_settings(prepared):
    data, _ = prepared("tagging", "tag_scheme=IOB2")
    assert data.targets.tags == ("O", "B-LOC", "B-PER", "I-PER")


def test_long_sentences_are_cut_for_training_alone(prepared):
    data, lines = prepared("tagging", "max_tokens=2", "static_shapes=true")
    assert (data.counts["train"]["count"], data.counts["train"]["cut"]) == (3, 1)
    assert data.batches.rows.lengths.tolist() == [2, 2, 1, 2]
    assert data.held_out["valid"].lengths.tolist() == [3, 2]
    assert data.widths == [2, 3]
    assert "train          3    2    1    1    42.9%" in "\n".join(lines).splitlines()


def test_long_texts_are_cut(prepared):
    data, lines = prepared("classification", "max_tokens=2", "static_shapes=true")
    assert data.batches.rows.lengths.tolist() == [2, 2, 2]
    assert data.held_out["valid"].lengths.tolist() == [2, 2]
    assert data.widths == [2]
    assert any(line.split()[:2] + line.split()[-2:-1] == ["train", "3", "2"] for line in "\n".join(lines).splitlines())


@each_task
def test_a_share_is_held_out_where_no_file_is(prepared, name):
    given = {} if name == "tagging" else {"train": f"{TEXTS}gut 1\tgut\nschlecht 2\tböse\n"}
    total = 3 if name == "tagging" else 6
    data, _ = prepared(name, "valid_fraction=0.4", valid=None, **given)
    assert data.counts["train"]["count"] + data.counts["valid"]["count"] == total
    assert data.counts["train"]["count"] == total - round(0.4 * total)
    again, _ = prepared(name, "valid_fraction=0.4", valid=None, **given)
    assert again.fingerprint == data.fingerprint


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("classification", {"train": TEXTS.replace("wien 7", "wien 8 9")}),
        (
            "classification",
            {"train": TEXTS.replace("böse", "schlimm"), "valid": OTHER_TEXTS.replace("böse", "schlimm")},
        ),
        ("classification", {"valid": OTHER_TEXTS.replace("sah Rom\tböse", "sah Rom\tgut")}),
        ("classification", {"test": OTHER_TEXTS}),
        ("classification", {"vectors": "2 2\nwien 1 2\nrom 3 4\n"}),
        ("tagging", {"train": SENTENCES.replace("7 O", "8 O\n9 O")}),
        ("tagging", {"train": SENTENCES.replace("B-PER", "B-ORG").replace("I-PER", "I-ORG")}),
        ("tagging", {"valid": OTHER_SENTENCES.replace("sah O", "sah B-LOC")}),
        ("tagging", {"test": OTHER_SENTENCES}),
        ("tagging", {"vectors": "2 2\nwien 1 2\nrom 3 4\n"}),
    ],
)
def test_the_fingerprint_tells_data_apart(prepared, name, change):
    settings = ["embedding_dim=none", "min_count=1"]
    assert prepared(name, *settings)[0].fingerprint == prepared(name, *settings)[0].fingerprint
    assert prepared(name, *settings)[0].fingerprint != prepared(name, *settings, **change)[0].fingerprint


@each_task
def test_vectors_bring_rows_and_words(prepared, name):
    words = "Wien 9 9\nwien 1 2\nu.s. 9 9\nrom 3 4\nsah 5 6\n"  # no token has the word Wien or u.s.
    given = {"valid": OTHER_TEXTS.replace("WIEN", "Bern")} if name != "tagging" else {}
    data, _ = prepared(name, "embedding_dim=none", "extra_words=5", vectors=f"5 2\n{words}", **given)
    assert data.encoder.vocabulary.tokens[2:] == ("schläft", "wien", "rom", "sah")
    assert data.pretrained.table[3:].tolist() == [[1, 2], [3, 4], [5, 6]]
    unknown = 2 if name != "tagging" else 1  # Bern too
    assert data.counts["valid"]["oov_rate"] == pytest.approx(unknown / 5)
    assert data.counts["valid"]["oov_rate_without_extra"] == pytest.approx((unknown + 2) / 5)


STREAM = pytest.mark.parametrize(
    ("name", "stream"), [*((name, "false") for name in names()), ("classification", "true")]
)


def test_words_that_are_tokens_of_files_are_extra_words(prepared):
    vectors = "3 2\nwien 1 2\nu.s. 9 9\nrom 3 4\n"
    data, _ = prepared("tagging", "embedding_dim=none", "extra_words=5", "retokenize=false", vectors=vectors)
    assert data.encoder.vocabulary.tokens[2:] == ("schläft", "wien", "u.s.", "rom")


@STREAM
def test_test_examples_that_are_validation_examples_too_are_warned_of(prepared, name, stream):
    given = {"train": FILES[name][0].replace("schläft", "wacht"), "test": FILES[name][1]}
    _, lines = prepared(name, f"stream={stream}", **given)
    what = "texts" if name != "tagging" else "sentences"
    [line] = [line for line in lines if " are validation " in line]
    assert line == f"warning: 2 of the 2 {what} of test are validation {what} too; the test score is too high"


@STREAM
def test_held_out_examples_that_are_training_examples_too_are_counted(prepared, name, stream):
    data, lines = prepared(name, f"stream={stream}")
    if name != "tagging":  # the text goes from the training split
        [line] = [line for line in lines if "held out" in line]
        assert ("1 text left out that is" if stream == "true" else "1 dropped that is") in line
        assert data.counts["train"]["count"] == 3
    else:  # the sentence stays, as in published figures
        assert "note: 1 of the 2 sentences of valid is a training sentence too" in lines
        assert data.counts["train"]["count"] == 3


@STREAM
def test_the_same_file_for_all_splits(prepared, name, stream):
    train = FILES[name][0]
    if name != "tagging":
        message = refusal(prepared, name, f"stream={stream}", valid=train, test=train)
        assert "train 名.txt: no text is left to train on; all" in message
    else:
        _, lines = prepared(name, valid=train, test=train)
        found = [line for line in lines if line.startswith("warning: 3 of the 3 sentences of ")]
        assert [line.split(" of ")[2].split()[0] for line in found] == ["valid", "test", "test"]


def test_streamed_texts_have_the_classes_of_texts_in_memory(prepared):
    """Where no text of a label has a token, the model does not learn it."""
    train = f"{TEXTS}\N{ZERO WIDTH SPACE}\tleer\n"
    warning = "warning: no text of the label 'leer' has a token; the model does not learn it"
    for stream in ("false", "true"):
        data, lines = prepared("classification", f"stream={stream}", train=train)
        assert data.targets.names == ("böse", "gut")
        assert lines.count(warning) == 1
        next(iter(data.batches.dataset))  # an epoch meets no label that it does not know
        assert lines.count(warning) == 1


def test_streamed_texts_give_the_words_and_counts_of_texts_in_memory(prepared):
    memory, streamed = (prepared("classification", f"stream={stream}")[0] for stream in ("false", "true"))
    assert streamed.encoder == memory.encoder
    assert streamed.counts == memory.counts
    assert streamed.num_tokens == memory.num_tokens
    assert streamed.target_counts.tolist() == memory.target_counts.tolist() == [1, 2]
    assert "needs a validation file" in refusal(prepared, "classification", "stream=true", valid=None)


@pytest.mark.parametrize("name", ["tagging", "multilabel"])
def test_only_a_classifier_is_trained_from_a_stream(name):
    rule = f"^setting stream: a {task(name).model_noun} is trained from memory; leave it false$"
    with pytest.raises(InputError, match=rule):
        task(name).config().override(["stream=true"])


def test_broken_tags_are_refused_with_their_line_or_repaired(prepared):
    broken = SENTENCES.replace("B-PER", "O")
    message = refusal(prepared, "tagging", "scheme=IOB2", train=broken)
    assert "train 名.txt:5: I-PER cannot follow O in IOB2" in message
    data, lines = prepared("tagging", "scheme=IOB2", "repair=true", train=broken)
    assert "S-PER" in data.targets.tags
    assert "1 broken tag repaired" in lines[0]


def test_splits_must_be_of_one_kind(prepared):
    message = refusal(prepared, "tagging", valid="Anna NOM\nsah VERB\n")
    assert message.endswith("holds plain tags, but the model gives spans; choose another tag column")
    spans = '{"text": "北京", "spans": [{"start": 0, "end": 2, "type": "PER"}]}\n'
    speech = "Anna NOM\nsah VERB\n"
    assert "holds spans, but the model gives plain tags" in refusal(prepared, "tagging", train=speech, valid=spans)
    assert "knows none of the tags B-PER, O, but NOM, VERB" in refusal(
        prepared, "tagging", train=speech, valid="Anna B-PER\nx O\n"
    )


def test_settings_reach_the_files_that_have_what_they_say(prepared):
    """Columns and a scheme are those of the training file; a validation file of JSON lines has none."""
    train = "".join(f"{line} x\n" if line else "\n" for line in SENTENCES.split("\n"))
    spans = '{"text": "Anna 北京", "spans": [{"start": 0, "end": 4, "type": "PER"}]}\n'
    data, _ = prepared("tagging", "scheme=IOB2", "token_column=0", "tag_column=1", train=train, valid=spans)
    assert data.examples["valid"].tags[0][0] == "B-PER"


def test_tokens_taken_for_tags_are_refused(prepared):
    train = "".join(f"x {number}\n\n" for number in range(300))
    assert "300 different tags on 300 tokens, such as 1, 10, 100; are the tags" in refusal(
        prepared, "tagging", train=train, valid="x 1\n"
    )


def test_schemes_that_look_unlike_are_told(prepared):
    _, lines = prepared("tagging", valid="Anna I-PER\nsah O\n")  # sound in IOB1 alone
    assert [line.partition("tags in ")[2] for line in lines[:2]] == ["IOB2", "IOB1"]
    assert lines[2].startswith("note: the tags of ")
    assert lines[2].endswith("; --set scheme=IOB2 reads both with that scheme")
    _, lines = prepared("tagging", valid="Anna B-PER\nsah O\n")
    assert not any("look like" in line for line in lines)
    _, lines = prepared("tagging", "scheme=IOB1", train=SENTENCES.replace("B-", "I-"), valid="Anna O\nsah O\n")
    assert not any("look like" in line for line in lines)  # what has no span looks like nothing


@pytest.mark.parametrize(("content", "rule"), [("Anna O\nsah O\n", "no span, every tag is 'O'"), ("a X\nb X\n", "'X'")])
def test_there_must_be_something_to_learn(prepared, content, rule):
    message = refusal(prepared, "tagging", train=content, valid=content)
    assert "there must be two different tags" in message
    assert rule in message


def test_parts_of_speech_are_taken_as_they_are(prepared):
    data, lines = prepared("tagging", train="Anna NOM\nsah VERB\n", valid="Rom ADJ\nsah VERB\n")
    assert data.targets.tags == ("NOM", "VERB")
    assert data.targets.scheme is None
    assert any(line.startswith("warning: valid has") and line.endswith(": ADJ") for line in lines)


def test_texts_are_cut_with_their_capitals_where_a_model_sees_them():
    tagger, classifier = task("tagging"), task("classification")
    assert tagger.tokenizer(tagger.config()) == Tokenizer("word", lowercase=False, split_apostrophes=True)
    assert tagger.tokenizer(tagger.config().override(["tokenizer=char", "normalization=nfc"])).kind == "char"
    assert classifier.tokenizer(classifier.config()) == Tokenizer("word", lowercase=True, line_breaks=True)
    for setting in ("lowercase=false", "characters=true", "shapes=true"):
        assert not classifier.tokenizer(classifier.config().override([setting])).lowercase


def test_validation_texts_without_a_label_choose_no_threshold(prepared):
    message = refusal(prepared, "multilabel", valid="text\tlabel\nAnna sah Rom\t\n")
    assert message.endswith("no text has a label, so no threshold can be chosen; give others")


def test_too_few_of_several_labels_are_refused_with_the_way_on(prepared):
    message = refusal(prepared, "multilabel", train="text\tlabel\nà Rome\tmusée\nà Bonn\tmusée\n")
    assert "a multilabel-classifier needs two labels or more that texts have; for one label use" in message
    assert message.endswith("Found: only 'musée'")


def test_remedies_for_unknown_tokens_are_named_once(prepared):
    _, lines = prepared("classification", "min_count=2")
    warnings = [line for line in lines if "are unknown" in line]
    assert len(warnings) == 1
    assert warnings[0] == (
        "warning: more than 5% of the tokens of train and valid are unknown; try --set min_count=1, "
        "--set characters=true, --set tokenizer=char, or more training text"
    )
    _, lines = prepared("classification", "min_count=1", "tokenizer=char", "vocabulary_size=4")
    [warning] = [line for line in lines if "are unknown" in line]
    assert warning.endswith("; try --set vocabulary_size=8, --set characters=true, or more training text")


@pytest.mark.parametrize("one_label", [True, False])
def test_several_labels_that_no_text_has_are_noted(prepared, one_label):
    train = TEXTS if one_label else TEXTS.replace("7\tgut", "7\tgut,böse")
    _, lines = prepared("multilabel", train=train)
    notes = [line for line in lines if "`textapp train classifier`" in line]
    assert len(notes) == one_label
    assert all("has exactly one label" in note for note in notes)


@pytest.mark.parametrize("stream", ["false", "true"])
def test_labels_that_may_be_mistakes_are_warned_of(prepared, stream):
    """Two files put together, a label in several spellings, classes of one text, one that valid lacks."""
    rows = [f"Satz {number} 好\tgut" for number in range(9)]
    rows += ["text\tlabel", "ein Wort\tGUT", "zwei Wörter\tGUT", "drei\tsehr_gut", "vier\tsehr gut ", "fünf\tsehr gut"]
    data, lines = prepared(
        "classification", f"stream={stream}", train="text\tlabel\n" + "\n".join(rows), valid="text\tlabel\nx\tgut\n"
    )
    assert data.target_counts.tolist() == [2, 9, 1, 2, 1]
    warnings = [line for line in lines if line.startswith("warning: ") and "are unknown" not in line]
    header, similar, single, unseen, skewed = warnings
    place = "train 名.txt" if stream == "true" else "train 名.txt:11"
    assert f"{place}: the text 'text' looks like a header, but is an example; delete it" in header
    assert "texts: 'GUT' 2 and 'gut' 9, 'sehr gut' 2 and 'sehr_gut' 1; if they mean the same" in similar
    assert "each of the 2 labels 'label', 'sehr_gut' has only one training text" in single
    assert "each of the 2 labels 'GUT', 'sehr gut' has no text in valid" in unseen
    assert "'gut' has 9 training texts, 'label' has 1; the best epoch is the one with the best macro F1" in skewed
    assert "try --set class_weights=balanced" in skewed


def test_settings_that_say_what_is_done_about_skewed_classes_are_enough(prepared):
    settings = ["monitor=accuracy", "class_weights=effective"]
    train = TEXTS + "Wien\tgut\nWien bleibt Wien\tgut\n"
    assert not any("skewed" in line for line in prepared("classification", *settings, train=train)[1])
    assert any("skewed" in line for line in prepared("classification", settings[0], train=train)[1])


def test_a_header_among_texts_with_several_labels_and_in_other_formats_is_found(prepared):
    header, rows = '{"text": "text", "labels": ["labels"]}\n', '{"text": "Wien", "labels": ["a", "b"]}\n'
    lines = prepared("multilabel", "min_count=1", train=2 * header + rows, valid=rows.replace("Wien", "Rom"))[1]
    assert any("train 名.txt:1: the text 'text' looks like a header" in line for line in lines)
    assert any("delete it, and 1 more row like it" in line for line in lines)
    lines = prepared("classification", train="1 Wien schläft\nlabel text\n0 Wien wacht\n", valid="1 Wien\n")[1]
    assert any("train 名.txt:2: the text 'text' looks like a header" in line for line in lines)
    named = "Satz\tUrteil\nWien schläft\tgut\nSatz\tUrteil\nWien wacht\tböse\n"
    columns = ["text_column=Satz", "label_column=Urteil"]
    lines = prepared("classification", *columns, train=named, valid="Satz\tUrteil\nRom\tgut\n")[1]
    assert any("train 名.txt:3: the text 'Satz' looks like a header" in line for line in lines)


@pytest.mark.parametrize("name", ["classification", "multilabel"])
def test_test_texts_may_have_labels_that_the_training_lacks(prepared, name):
    test = "text\tlabel\nWien wacht\tgut\nRom wacht\tfremd\n"
    data, lines = prepared(name, test=test)
    assert any("test has labels that the training split lacks" in line and "'fremd' 1" in line for line in lines)
    decoded = {part: np.zeros((len(rows), 2)) for part, rows in data.held_out.items()}
    scores = score_decoded(task(name), data, decoded).splits["test"]
    assert scores["count"] == 2
    assert scores.get("accuracy", scores.get("exact_match")) < 1
    assert "'fremd' does not occur" in refusal(prepared, name, valid=test)
