"""Files of one token per line: columns and CoNLL-U, the ends of their sentences and their errors."""

import io
from collections.abc import Iterator

import pytest

from textapp.data.conll import TaggedSentence, read_columns, read_conllu, split_at_spaces
from textapp.errors import InputError


def lines(text: str) -> Iterator[str]:
    """The lines of a text with their ends, as `read_lines` yields them."""
    return io.StringIO(text, newline="\n")


def columns(text: str, **options: int) -> list[TaggedSentence]:
    return list(read_columns(lines(text), "a.txt", **options))


def conllu(text: str, **options: str) -> list[TaggedSentence]:
    return list(read_conllu(lines(text), "a.conllu", **options))


def word(id_: str, form: str, upos: str, xpos: str = "_") -> str:
    return "\t".join([id_, form, form.lower(), upos, xpos, *"_____"]) + "\n"


def test_columns_between_spaces():
    found = columns("EU NNP I-NP I-ORG\nrejects VBZ I-VP O\n\n\n\nÉire NNP I-NP I-LOC\n")
    assert found == [
        TaggedSentence(["EU", "rejects"], ["I-ORG", "O"], "a.txt", [1, 2]),
        TaggedSentence(["Éire"], ["I-LOC"], "a.txt", [6]),
    ]
    assert found[0].location() == found[0].location(0) == "a.txt:1"
    assert found[0].location(1) == found[0].location(2) == "a.txt:2"


def test_columns_between_tabs_may_hold_spaces():
    found = columns("20 000\tO\n北京 \tB-LOC\r\n \t\r\n吴\tO")
    assert [sentence.tokens for sentence in found] == [["20 000", "北京"], ["吴"]]
    assert [sentence.tags for sentence in found] == [["O", "B-LOC"], ["O"]]


def test_any_column_can_be_chosen():
    text = "1 EU NNP I-ORG\n2 é VBZ O\n"
    assert columns(text, token_column=1, tag_column=2)[0][:2] == (["EU", "é"], ["NNP", "VBZ"])
    assert columns(text, token_column=-3, tag_column=-1)[0][:2] == (["EU", "é"], ["I-ORG", "O"])


def test_document_lines_are_borders_and_no_tokens():
    text = "-DOCSTART- -X- O O\n\nEU N N O\n\né N N O\n-DOCSTART-\nx N N O\n\ny N N O\n-DOCSTART- -X- O O\n"
    assert [(sentence.tokens, sentence.opens_document) for sentence in columns(text)] == [
        (["EU"], True),
        (["é"], False),
        (["x"], True),
        (["y"], False),
    ]
    # the separator is that of the first token, not of the border
    assert columns("-DOCSTART- O\n\n20 000\tO\n")[0].tokens == ["20 000"]


def test_only_ascii_white_space_parts_and_blanks():
    found = columns("\u3000 O\n\u00a0 O\n\u0085 O\n \n我 B-x")
    assert [sentence.tokens for sentence in found] == [["\u3000", "\u00a0", "\u0085"], ["我"]]
    assert split_at_spaces(" a\u3000b \t\u00a0 c\r\n") == ["a\u3000b", "\u00a0", "c"]


def test_equal_strings_are_held_once():
    first, second = columns("国 B-GPE\n\n国 B-GPE\n")
    assert first.tokens[0] is second.tokens[0]
    assert first.tags[0] is second.tags[0]


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        (
            "a O\nb\n",
            {},
            "a.txt:2: each line must have 2 columns, as the first token's line has, separated by spaces. Received: 1",
        ),
        (
            "a\tO\nb O\n",
            {},
            "a.txt:2: each line must have 2 columns, as the first token's line has, separated by tabs. Received: 1",
        ),
        (
            "a\tO\n\nb\tO\t\n",
            {},
            "a.txt:3: each line must have 2 columns, as the first token's line has, separated by tabs. Received: 3",
        ),
        ("a\tO\né\t \n", {}, "a.txt:2: the tag is empty; give the token 'é' a tag, such as O"),
        ("a\n", {}, "a.txt:1: tokens and tags must be two different columns. Received: columns 0 and -1 of 1"),
        ("\na b c\n", {"tag_column": 3}, "a.txt:2: `tag_column` must be from -3 to 2 here. Received: 3"),
        ("a b c\n", {"token_column": -4}, "a.txt:1: `token_column` must be from -3 to 2 here. Received: -4"),
        (
            "a b c\n",
            {"token_column": 2},
            "a.txt:1: tokens and tags must be two different columns. Received: columns 2 and -1 of 3",
        ),
    ],
)
def test_broken_columns(text, options, message):
    with pytest.raises(InputError) as caught:
        columns(text, **options)
    assert str(caught.value) == message


def test_conllu_words_are_read_without_multiword_tokens_and_empty_nodes():
    text = (
        "# newdoc id = é\n# text = I don't\n"
        + word("1", "I", "PRON", "PRP")
        + word("2-3", "don't", "_")
        + word("2", "do", "AUX", "VBP")
        + word("3", "n't", "PART", "RB")
        + word("3.1", "go", "VERB")
        + "\n# sent_id = 2\n"
        + word("1", "été", "NOUN", "NN")
        + "\n# newdocument is no border\n"
        + word("1", "_", "PUNCT", ":")
        + "\n#newdoc\n"
        + word("1", "20 000", "NUM", "CD")
    )
    found = conllu(text)
    assert found[0] == TaggedSentence(["I", "do", "n't"], ["PRON", "AUX", "PART"], "a.conllu", [3, 5, 6], True)
    assert [sentence.tokens for sentence in found[1:]] == [["été"], ["_"], ["20 000"]]
    assert [sentence.opens_document for sentence in found] == [True, False, False, True]
    by_name = conllu(text, token_column="LEMMA", tag_column="XPOS")
    assert by_name[0][:2] == (["i", "do", "n't"], ["PRP", "VBP", "RB"])


NUMBERED = "the words of a sentence must have the ids 1, 2, 3 and so on, with a blank line after the last. "


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        ("# é\n1\ta\tb\n", {}, "a.conllu:2: a CoNLL-U line must have ten columns, separated by tabs. Received: 3"),
        (word("1", "a", "X") + word("3", "b", "X"), {}, f"a.conllu:2: {NUMBERED}Expected: 2. Received: '3'"),
        (word("1", "a", "X") + word("1", "b", "X"), {}, f"a.conllu:2: {NUMBERED}Expected: 2. Received: '1'"),
        (word("é", "a", "X"), {}, f"a.conllu:1: {NUMBERED}Expected: 1. Received: 'é'"),
        (word("1", "a", "_"), {}, "a.conllu:1: the column upos has '_' in place of a tag; choose another tag_column"),
        (
            word("1", "a", "X"),
            {"tag_column": "ner"},
            "a.conllu: a column of CoNLL-U must be one of id, form, lemma, upos, xpos, feats, head, deprel, deps, "
            "misc. Received: 'ner'",
        ),
    ],
)
def test_broken_conllu(text, options, message):
    with pytest.raises(InputError) as caught:
        conllu(text, **options)
    assert str(caught.value) == message
