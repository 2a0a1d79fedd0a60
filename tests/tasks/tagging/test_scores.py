"""Scores of tags: by hand, against seqeval, and against spans that a regular expression finds."""

import json
import random
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from seqeval.metrics.v1 import precision_recall_fscore_support
from seqeval.scheme import IOB2, Entities

from textapp.data.tagged import PLAIN, TaggedExamples
from textapp.errors import InputError
from textapp.tasks.tagging.scores import (
    EntityScore,
    check_tags_known,
    describe_scores,
    entity_scores,
    tag_scores,
    token_accuracy,
    unseen_tags,
)
from textapp.text.tag_schemes import convert
from textapp.text.tag_set import TagSet

TRUE = [
    ["B-PER", "I-PER", "O", "B-地", "B-地", "I-地"],
    ["O", "B-ORG", "O"],
    ["B-PER", "O"],
]
PREDICTED = [
    ["B-PER", "I-PER", "O", "B-地", "I-地", "I-地"],  # PER right; one 地 of three instead of two
    ["O", "B-地", "O"],  # the wrong type
    ["B-PER", "B-MISC"],  # PER right; a MISC that is none
]


def test_scores_worked_by_hand():
    scores = entity_scores(TRUE, PREDICTED)
    assert scores.micro == EntityScore(precision=2 / 5, recall=2 / 5, f1=pytest.approx(2 / 5), support=5)
    assert scores.by_type == {
        "MISC": EntityScore(0.0, 0.0, 0.0, 0),
        "ORG": EntityScore(0.0, 0.0, 0.0, 1),
        "PER": EntityScore(1.0, 1.0, 1.0, 2),
        "地": EntityScore(0.0, 0.0, 0.0, 2),
    }
    assert list(scores.by_type) == ["MISC", "ORG", "PER", "地"]
    assert scores.token_accuracy == pytest.approx(8 / 11)


def test_precision_and_recall_are_not_exchanged():
    # Two of three entities are found, and two of five predictions are right.
    true = [["B-é", "O", "B-é", "O", "B-é", "O"]]
    predicted = [["B-é", "B-é", "B-é", "B-é", "O", "B-é"]]
    micro = entity_scores(true, predicted).micro
    assert (micro.precision, micro.recall, micro.support) == (pytest.approx(2 / 5), pytest.approx(2 / 3), 3)
    assert micro.f1 == pytest.approx(2 * 2 / (3 + 5))
    exchanged = entity_scores(predicted, true).micro
    assert (exchanged.precision, exchanged.recall) == (micro.recall, micro.precision)


def test_types_that_differ_in_hyphens_alone_are_two():
    scores = entity_scores([["B--a", "O", "B-a-"], ["B-a", "O", "O"]], [["B-a", "O", "B-a-"], ["B-a", "O", "O"]])
    assert scores.micro.f1 == pytest.approx(2 / 3)
    assert {name: score.support for name, score in scores.by_type.items()} == {"-a": 1, "a": 1, "a-": 1}
    assert [scores.by_type[name].f1 for name in ("-a", "a", "a-")] == [0.0, pytest.approx(2 / 3), 1.0]


def test_entities_without_a_type_are_counted():
    scores = entity_scores([["B", "I", "O", "B"]], [["B", "I", "O", "O"]])
    assert (scores.micro.precision, scores.micro.recall) == (1.0, 0.5)
    assert list(scores.by_type) == ["_"]


@pytest.mark.parametrize(
    ("predicted", "found"),
    [
        (["B-x", "I-x", "I-x", "O"], True),
        (["I-x", "I-x", "I-x", "O"], False),  # no B opens it
        (["B-x", "I-x", "I-y", "O"], False),  # the last token is of another type
        (["B-x", "I-x", "I-x", "I-x"], False),  # too long
        (["B-x", "I-x", "I-x", "I-y"], True),  # what no B opens is no entity and does no harm
    ],
)
def test_predictions_are_read_strictly(predicted, found):
    scores = entity_scores([["B-x", "I-x", "I-x", "O"]], [predicted])
    assert scores.by_type["x"].recall == float(found)
    assert scores.micro.precision == float(found)


def test_equals_a_count_over_sets_of_spans():
    random_ = random.Random(4)
    letters = {"O": "O", "B-PER": "P", "I-PER": "p", "B-地": "L", "I-地": "l"}
    names = {"P": "PER", "L": "地"}
    predicted = [random_.choices(list(letters), k=random_.randint(1, 12)) for _ in range(200)]
    noisy = [[tag if random_.random() < 0.8 else random_.choice(list(letters)) for tag in tags] for tags in predicted]
    true = [convert(tags, "IOB2", "IOB2", repair=True) for tags in noisy]

    def entities(sequences):
        return {
            (index, *match.span(), names[match[0][0]])
            for index, tags in enumerate(sequences)
            for match in re.finditer("Pp*|Ll*", "".join(letters[tag] for tag in tags))
        }

    scores = entity_scores(true, predicted)
    expected, found = entities(true), entities(predicted)
    assert 50 < len(expected & found) < min(len(expected), len(found))
    for name, score in [*scores.by_type.items(), (None, scores.micro)]:
        wanted = {entity for entity in expected if name in (None, entity[3])}
        given = {entity for entity in found if name in (None, entity[3])}
        assert score.precision == pytest.approx(len(wanted & given) / len(given))
        assert score.recall == pytest.approx(len(wanted & given) / len(wanted))
        assert score.f1 == pytest.approx(2 * len(wanted & given) / (len(wanted) + len(given)))
        assert score.support == len(wanted)


def test_no_entities_give_zeros():
    scores = entity_scores([["O", "O"]], [["O", "O"]])
    assert scores.micro == EntityScore(0.0, 0.0, 0.0, 0)
    assert (scores.by_type, scores.token_accuracy) == ({}, 1.0)
    assert entity_scores([["O"]], [["B-é"]]).micro == EntityScore(0.0, 0.0, 0.0, 0)
    assert entity_scores([["B-é"]], [["O"]]).micro == EntityScore(0.0, 0.0, 0.0, 1)


def test_an_entity_in_another_sentence_is_another_entity():
    assert entity_scores([["B-x"], ["O"]], [["O"], ["B-x"]]).micro.f1 == 0.0


def test_entities_without_types():
    assert entity_scores([["B", "I", "O"]], [["B", "I", "O"]]).by_type == {"_": EntityScore(1.0, 1.0, 1.0, 1)}


def test_scores_are_json():
    scores = json.loads(json.dumps(entity_scores([["B-地", "O"]], [["B-地", "B-地"]]).to_dict()))
    by_type = {"entity_f1": pytest.approx(2 / 3), "precision": 0.5, "recall": 1.0, "count": 1}
    assert scores == {**by_type, "token_accuracy": 0.5, "types": {"地": by_type}}


def test_token_accuracy_takes_tags_of_any_kind():
    assert token_accuracy([["NOUN", "VERB"], ["X"]], [("NOUN", "ADJ"), ("X",)]) == pytest.approx(2 / 3)


@pytest.mark.parametrize(
    ("true", "predicted", "error", "message"),
    [
        ([["O"]], [["O"], ["O"]], ValueError, "must be equally long, and so must the sentences in them"),
        ([["O", "O"]], [["O"]], ValueError, "must be equally long, and so must the sentences in them"),
        ([], [], ValueError, "`true` must hold at least one token. Received: none"),
        ([[]], [[]], ValueError, "`true` must hold at least one token. Received: none"),
        ([["O"], ["O", "I-é"]], [["O"], ["O", "O"]], InputError, "true tags, sentence 2: I-é cannot follow O in IOB2"),
        ([["S-é"]], [["O"]], InputError, "'S-é' is no tag of IOB2"),
        ([["O"]], [["S-é"]], ValueError, "`predicted` must hold tags of IOB2. Received: 'S-é'"),
    ],
)
def test_what_cannot_be_scored(true, predicted, error, message):
    with pytest.raises(error, match=message):
        entity_scores(true, predicted)


@st.composite
def tagged_pairs(draw):
    """True tags in valid IOB2 and predicted tags that may break its rules, equally long."""
    types = ["", "PER", "地名", "a-b", "-a", "a-", "a", "--"]
    tags = st.sampled_from(["O", *(letter if not type_ else f"{letter}-{type_}" for letter in "BI" for type_ in types)])
    predicted = draw(st.lists(st.lists(tags, max_size=8), min_size=1, max_size=6).filter(any))
    # Mostly the predicted tags themselves: sequences drawn independently share hardly any entity.
    drawn = [[draw(st.one_of(st.just(tag), st.just(tag), tags)) for tag in sentence] for sentence in predicted]
    return [convert(sentence, "IOB2", "IOB2", repair=True) for sentence in drawn], predicted


@given(tagged_pairs())
def test_equals_seqeval_bit_by_bit(pair):
    """seqeval strips hyphens from the ends of types, so that here it gets numbers for types."""
    types = sorted({tag[2:] for tags in (*pair[0], *pair[1]) for tag in tags if tag != "O"})
    true, predicted = (
        [[tag if tag == "O" else f"{tag[0]}-{types.index(tag[2:])}" for tag in tags] for tags in sentences]
        for sentences in pair
    )
    options = {"scheme": IOB2, "zero_division": 0}
    scores = entity_scores(*pair)
    micro = precision_recall_fscore_support(true, predicted, average="micro", **options)
    assert scores.micro == EntityScore(*micro)
    names = sorted(Entities(true, IOB2).unique_tags | Entities(predicted, IOB2).unique_tags)
    by_type = zip(*precision_recall_fscore_support(true, predicted, average=None, **options), strict=True)
    expected = {types[int(name)] or "_": EntityScore(*row) for name, row in zip(names, by_type, strict=True)}
    assert scores.by_type == expected
    assert list(scores.by_type) == sorted(expected)


def test_a_type_named_as_no_type_shares_its_row():
    scores = entity_scores([["B", "O", "B-_"]], [["B-_", "O", "B-_"]])
    assert (scores.micro.precision, scores.micro.recall) == (0.5, 0.5)
    assert scores.by_type == {"_": scores.micro}


def test_scores_for_json_and_in_words():
    true = [["B-人", "I-人", "O"], ["B-地"]]
    scores = tag_scores(true, [["B-人", "O", "O"], ["B-地"]], TagSet.build([["B-地", "B-人"]], "IOBES"))
    types = scores.pop("types")
    assert scores == {"entity_f1": 0.5, "precision": 0.5, "recall": 0.5, "count": 2, "token_accuracy": 0.75}
    assert types["地"] == {"entity_f1": 1.0, "precision": 1.0, "recall": 1.0, "count": 1}
    assert describe_scores(scores).startswith("entity F1 0.5000 (precision 0.5000, recall 0.5000) on 2 entities")
    scores = tag_scores([["N", "V"], ["N"]], [["N", "N"], ["N"]], TagSet(("N", "V"), None))
    assert scores == {"accuracy": pytest.approx(2 / 3), "count": 3}
    assert describe_scores(scores) == "accuracy 0.6667 on 3 tokens"


SPEECH = TagSet(("ADJ", "NOUN"), None)
SPANS = TagSet(("O", "B-人", "I-人"), "IOB2")


def test_tags_of_another_kind_are_refused():
    entities = TaggedExamples([["Wien"]], [["B-LOC"]], "a.conll", PLAIN)
    with pytest.raises(
        InputError, match=r"a\.conll: the model knows none of the tags B-LOC, but ADJ, NOUN and the like"
    ):
        check_tags_known(entities, SPEECH)
    check_tags_known(TaggedExamples([["a", "b"]], [["X", "NOUN"]], "b", PLAIN), SPEECH)
    check_tags_known(TaggedExamples([["Wien"]], [["B-LOC"]], "c"), SPANS)  # new types of spans give a warning
    with pytest.raises(InputError, match=r"a\.conll: holds plain tags, but the model gives spans"):
        check_tags_known(entities, SPANS)
    with pytest.raises(InputError, match="c: holds spans, but the model gives plain tags"):
        check_tags_known(TaggedExamples([["Wien"]], [["B-LOC"]], "c"), SPEECH)


def test_what_a_model_cannot_give():
    assert unseen_tags(TaggedExamples([["a", "b", "c"]], [["B-地", "B-人", "O"]], "a"), SPANS) == ["地"]
    assert unseen_tags(TaggedExamples([["a", "b"]], [["X", "NOUN"]], "b", PLAIN), SPEECH) == ["X"]
    assert unseen_tags(TaggedExamples([["a"]], [["O"]], "c", PLAIN), SPEECH) == ["O"]  # a plain tag like others
