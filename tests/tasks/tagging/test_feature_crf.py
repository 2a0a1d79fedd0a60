"""The CRF over features: its features, its best tags by a sum over all sequences, and a missing library."""

import itertools
import sys

import pytest

from textapp.errors import InputError
from textapp.task import task
from textapp.tasks.tagging.feature_crf import FeatureCRF, by_character, character_features, word_features

WORDS = [["Ada", "sah", "Rom"], ["Rom", "sah", "Ada"], ["In", "Rom", "war", "Eva"], ["Eva", "mag", "Bonn"]]
TAGS = [["S-PER", "O", "S-LOC"], ["S-LOC", "O", "S-PER"], ["O", "S-LOC", "O", "S-PER"], ["S-PER", "O", "S-LOC"]]
CHARACTERS = [list("张伟在北京"), list("北京有王芳"), list("王芳在上海")]
OF_CHARACTERS = [["B", "E", "O", "B", "E"], ["B", "E", "O", "B", "E"], ["B", "E", "O", "B", "E"]]


def test_features_of_characters_are_the_n_grams_around():
    row = character_features(list("我在北京"))[0]
    assert (row["+0:1"], row["+0:2"], row["-2:1"], row["+0:3"]) == ("我", "我 在", "<edge>", "我 在 北")
    assert sum(":" in name for name in row) == 5 + 4 + 3


def test_features_of_words_are_their_letters_and_their_neighbours():
    first, last = word_features(["Zürich", "ABB"])
    assert (first["lower"], first["suffix3"], first["prefix3"]) == ("zürich", "ich", "Zür")
    assert (first["title"], first["upper"], last["upper"]) == (True, False, True)
    assert (first["+1:lower"], first["+1:upper"], last["-1:lower"]) == ("abb", True, "zürich")
    assert first["-1:edge"]
    assert last["+1:edge"]


@pytest.mark.parametrize(
    ("sentences", "tags", "features", "others"),
    [
        (WORDS, TAGS, word_features, [["Bonn", "sah", "Eva"], ["\ud800", "Rom"]]),
        (CHARACTERS, OF_CHARACTERS, character_features, [list("李芳在上京")]),
    ],
)
def test_the_tags_of_a_sentence_have_the_highest_score_of_all_sequences(sentences, tags, features, others):
    """The scores are those of the library's description of the model, the features those of this module."""
    model = FeatureCRF(sentences, tags)
    known = model._tagger.info()
    assert model.parameters == len(known.state_features) + len(known.transitions) > 20
    names = sorted({tag for row in tags for tag in row})
    for sentence in [*sentences, *others]:
        rows = features([token.replace("\ud800", "\ufffd") for token in sentence])
        weights = [
            {f"{name}:{value}" if isinstance(value, str) else name: 1.0 if isinstance(value, str) else float(value)
             for name, value in row.items()}
            for row in rows
        ]  # fmt: skip

        def score(sequence, weights=weights):
            states = sum(
                known.state_features.get((name, tag), 0.0) * value
                for row, tag in zip(weights, sequence, strict=True)
                for name, value in row.items()
            )
            return states + sum(known.transitions.get(pair, 0.0) for pair in itertools.pairwise(sequence))

        (found,) = model([sentence])
        best = max(itertools.product(names, repeat=len(sentence)), key=score)
        assert score(found) == pytest.approx(score(best), abs=1e-4)
    assert list(model(sentences)) == tags


def test_characters_are_told_from_words():
    assert by_character([list("我在北京"), ["2024", "年"]])
    assert not by_character(WORDS)


def test_a_missing_library_is_named_with_its_extra(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "pycrfsuite", None)
    found = task("tagging")
    found.check_installed(found.config())
    message = 'setting baseline: crf needs the library python-crfsuite; pip install "textapp-keras[crf]"'
    with pytest.raises(InputError) as caught:
        found.check_installed(found.config().override(["baseline=crf"]))
    assert str(caught.value) == message


@pytest.mark.parametrize("name", ["classification", "multilabel"])
def test_a_model_of_texts_has_no_such_baseline(name):
    with pytest.raises(InputError, match="baseline: must be true or false, as only a tagger has crf; received crf"):
        task(name).config().override(["baseline=crf"])
