"""What is said of tags, and of tags of another kind."""

import pytest

from textapp.data.tag_scores import check_tags_known, unseen_tags
from textapp.data.tagged import NO_SCHEME, TaggedExamples
from textapp.errors import InputError
from textapp.text.tag_set import TagSet

SPEECH = TagSet(("ADJ", "NOUN"), None)
SPANS = TagSet(("O", "B-人", "I-人"), "IOB2")


def test_tags_of_another_kind_are_refused():
    entities = TaggedExamples([["Wien"]], [["B-LOC"]], "a.conll", NO_SCHEME)
    with pytest.raises(
        InputError, match=r"a\.conll: the model knows none of the tags B-LOC, but ADJ, NOUN and the like"
    ):
        check_tags_known(entities, SPEECH)
    check_tags_known(TaggedExamples([["a", "b"]], [["X", "NOUN"]], "b", NO_SCHEME), SPEECH)
    check_tags_known(TaggedExamples([["Wien"]], [["B-LOC"]], "c"), SPANS)  # of spans new types are warned of
    with pytest.raises(InputError, match=r"a\.conll: holds tags that stand for themselves, but the model gives spans"):
        check_tags_known(entities, SPANS)
    with pytest.raises(InputError, match="c: holds spans, but the model gives tags that stand for themselves"):
        check_tags_known(TaggedExamples([["Wien"]], [["B-LOC"]], "c"), SPEECH)


def test_what_a_model_cannot_give():
    assert unseen_tags(TaggedExamples([["a", "b"]], [["B-地", "B-人"]], "a"), SPANS) == ["地"]
    assert unseen_tags(TaggedExamples([["a", "b"]], [["X", "NOUN"]], "b", NO_SCHEME), SPEECH) == ["X"]
