"""Texts with spans of characters: which tokens they hold, and spans that hold none."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from textapp.data.conll import TaggedSentence
from textapp.data.span_lines import read_span_lines
from textapp.errors import InputError
from textapp.text.tag_schemes import read_spans
from textapp.text.tokenizer import Tokenizer

TOKENIZER = Tokenizer(lowercase=False)


def read(*rows: Any, tokenizer: Tokenizer = TOKENIZER) -> list[TaggedSentence]:
    rows = tuple(row if isinstance(row, str) else json.dumps(row) for row in rows)
    return list(read_span_lines(iter(f"{row}\n" for row in rows), "a.jsonl", tokenizer))


def span(start: Any, end: Any, type_: Any = "LOC", **more: Any) -> dict[str, Any]:
    return {"start": start, "end": end, "type": type_, **more}


def test_spans_become_tags_of_tokens():
    first, second = read(
        {"text": "Zoë flew to New York.", "spans": [span(12, 20), span(0, 3, "PER")], "id": 7},
        "",
        {"text": "我在北京。", "spans": [span(2, 4, text="北京")]},
    )
    assert first.tokens == ["Zoë", "flew", "to", "New", "York", "."]
    assert first.tags == ["B-PER", "O", "O", "B-LOC", "I-LOC", "O"]
    assert (second.tokens, second.tags) == (list("我在北京。"), ["O", "O", "B-LOC", "I-LOC", "O"])
    assert second.location(3) == "a.jsonl:3"


def test_offsets_count_code_points_of_the_original_text():
    # An emoji beyond the basic plane, letters that normalization composes, and one that it expands.
    text = "😀 Cafe\u0301 Zürich ½ Ｎｅｗ"
    (row,) = read({"text": text, "spans": [span(2, 7, "X"), span(15, 16, "Y"), span(17, 20, "Z")]})
    assert row.tokens == ["😀", "Café", "Zürich", "1", "⁄", "2", "New"]
    assert row.tags == ["O", "B-X", "O", "B-Y", "I-Y", "I-Y", "B-Z"]


def test_white_space_at_the_borders_of_a_span_does_not_count():
    (row,) = read({"text": "in  Paris , oui", "spans": [span(2, 10)]})
    assert row.tags == ["O", "B-LOC", "O", "O"]


def test_the_tokenizer_tells_the_tokens():
    (row,) = read({"text": "Ab é", "spans": [span(1, 2)]}, tokenizer=Tokenizer(kind="char"))
    assert (row.tokens, row.tags) == (["a", "b", "é"], ["O", "B-LOC", "O"])


def test_a_span_may_hold_a_word_and_what_it_shares_a_character_with():
    (row,) = read({"text": "0¼ é", "spans": [span(0, 2)]})
    assert (row.tokens, row.tags) == (["01", "⁄", "4", "é"], ["B-LOC", "I-LOC", "I-LOC", "O"])


def test_a_text_without_tokens_gives_none():
    (row,) = read({"text": " \u3000", "spans": []})
    assert (row.tokens, row.tags, row.location()) == ([], [], "a.jsonl:1")


@given(data=st.data(), text=st.text(st.one_of(st.characters(), st.sampled_from("a9 '.好é\u0301½ｶﾞ😀")), max_size=20))
def test_spans_between_borders_of_tokens_come_back(data, text):
    tokens = TOKENIZER.tokenize(text)
    starts = {0, len(text), *(token.start for token in tokens)}
    # Tokens may overlap: of "0¼", the first is 01, and the others stand for the fraction alone.
    borders = sorted(place for place in starts if not any(token.start < place < token.end for token in tokens))
    chosen = sorted(data.draw(st.sets(st.sampled_from(borders))))
    spans, expected = [], []
    for left, right in zip(chosen[::2], chosen[1::2], strict=False):
        held = [index for index, token in enumerate(tokens) if left <= token.start < right]
        if held:  # not where all is white space
            spans.append(span(left, right, "é"))
            expected.append((held[0], held[-1] + 1, "é"))
    (row,) = read({"text": text, "spans": spans})
    assert read_spans(row.tags, "IOB2") == expected


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("{", "each line must be a JSON object; Expecting property name"),
        ("[" * 100_000, "each line must be a JSON object; it is nested too deeply"),
        ('{"text": "a"\n', "each line must be a JSON object; Expecting ',' delimiter at column 13"),
        ('{"text": ' + "1" * 5000, "each line must be a JSON object; a number in it is too long"),
        ([1], "each row must be a JSON object. Received: [1]"),
        ({"text": "é"}, "each row must be a JSON object with a string `text` and a list of its spans"),
        ({"text": 3, "spans": []}, "each row must be a JSON object with a string `text` and a list of its spans"),
        ({"text": "é", "spans": [[0, "x"]]}, 'a span must be {"start": NUMBER, "end": NUMBER, "type": NAME} or [START'),
        ({"text": "é", "spans": [{"start": 0, "end": 1}]}, "a span must be"),
        ({"text": "é", "spans": [span(0, True)]}, "a span must be"),
        ({"text": "é", "spans": [span(0.0, 1)]}, "a span must be"),
        ({"text": "é", "spans": [span(0, 1, None)]}, "a span must be"),
        (
            {"text": "é", "spans": [span(0, 1, " ")]},
            "the type of a span must be a name of one line, without tabs and without space around it. Received: ' '",
        ),
        *(
            ({"text": "é", "spans": [span(0, 1, kind)]}, "the type of a span must be a name of one line")
            for kind in ("", "a\u2028b", "a\n", "\u2029a", "a\tb", " a", "a\u3000", "a\x1c")
        ),
        (
            {"text": "été", "spans": [span(0, 4)]},
            "a span must hold characters from 0 to 3 (exclusive). Received: 0 to 4",
        ),
        ({"text": "été", "spans": [span(-1, 2)]}, "a span must hold characters from 0 to 3 (exclusive). Rec"),
        ({"text": "été", "spans": [span(2, 2)]}, "a span must hold characters from 0 to 3 (exclusive). Rec"),
        ({"text": "à Montréal", "spans": [span(1, 2)]}, "the span 1 to 2 (LOC ' ') has no token, only white space"),
        (
            {"text": "北京市", "spans": [span(1, 3), span(0, 2, "ORG")]},
            "spans must not overlap. Received: 0 to 2 (ORG '北京'), 1 to 3 (LOC '京市')",
        ),
        ({"text": "北京", "spans": [span(0, 2), span(0, 2, "ORG")]}, "spans must not overlap"),
        ({"tokens": ["é", "b"], "ner_tags": [1, 0]}, "`ner_tags` are numbers, as Hugging Face's datasets write them"),
        ({"tokens": ["é", "b"], "ner_tags": ["O"]}, "each of the `tokens` must have a tag, a string. Received: 2 tok"),
        ({"tokens": ["é"]}, "`tokens` need the tag of each in a list `ner_tags`. Received: the keys 'tokens'"),
    ],
)
def test_broken_lines(row, message):
    with pytest.raises(InputError) as caught:
        read({"text": "ok", "spans": []}, row)
    assert str(caught.value).startswith(f"a.jsonl:2: {message}")
    assert len(str(caught.value).splitlines()) == 1


def test_half_a_surrogate_pair_does_not_reach_the_tags():
    (row,) = read('{"text": "a\\ud800", "spans": [{"start": 0, "end": 1, "type": "\\udfff"}]}')
    assert row.tokens == ["a", "\ufffd"]
    assert row.tags == ["B-\ufffd", "O"]


def noted(*rows, **options):
    notes = []
    lines = iter(f"{json.dumps(row)}\n" for row in rows)
    [sentence] = read_span_lines(
        lines, "a.jsonl", Tokenizer(lowercase=False), **options, note=lambda *note: notes.append(note)
    )
    return sentence.tags, notes


@pytest.mark.parametrize(
    ("spans", "tags", "done"),
    [
        ([span(2, 6)], ["O", "B-LOC"], ["widened to whole tokens"]),
        ([span(4, 10)], ["O", "B-LOC"], ["widened to whole tokens"]),
        ([span(0, 4)], ["B-LOC", "I-LOC"], ["widened to whole tokens"]),
        (
            [span(2, 6), span(6, 10, "ORG")],
            ["O", "B-LOC"],
            ["widened to whole tokens", "left out, as another is in the same token"],
        ),
        ([span(2, 10), span(2, 10)], ["O", "B-LOC"], ["left out"]),
    ],
)
def test_a_span_that_ends_inside_a_token_is_widened_and_noted(spans, tags, done):
    found, notes = noted({"text": "à Montréal", "spans": spans})
    assert found == tags
    assert [note[1] for note in notes] == done
    assert {note[2] for note in notes} == {"a.jsonl:1"}


@pytest.mark.parametrize(
    ("overlapping", "tags"),
    [("longest", ["B-ORG", "I-ORG", "I-ORG", "O"]), ("innermost", ["O", "O", "B-LOC", "O"])],
)
def test_of_overlapping_spans_the_longest_or_innermost_are_kept(overlapping, tags):
    row = {"text": "Université de Montréal .", "spans": [span(0, 22, "ORG"), span(14, 22)]}
    found, notes = noted(row, overlapping=overlapping)
    assert (found, notes) == (tags, [("overlapping span", "left out", "a.jsonl:1")])


@pytest.mark.parametrize(
    "row",
    [
        {
            "text": "Zoë à Oslo",
            "spans": [{"start": 0, "end": 3, "label": "PER"}, {"start": 6, "end": 10, "label": "LOC"}],
        },
        {"text": "Zoë à Oslo", "label": [[0, 3, "PER"], [6, 10, "LOC"]]},
        {"text": "Zoë à Oslo", "labels": [[6, 10, "LOC"], [0, 3, "PER"]]},
        {
            "text": "Zoë à Oslo",
            "entities": [
                {"id": 1, "label": "PER", "start_offset": 0, "end_offset": 3},
                {"id": 2, "label": "LOC", "start_offset": 6, "end_offset": 10},
            ],
            "relations": [],
        },
        ["Zoë à Oslo", {"entities": [[0, 3, "PER"], [6, 10, "LOC"]]}],
        {
            "id": 3,
            "data": {"text": "Zoë à Oslo"},
            "annotations": [
                {
                    "result": [
                        {"value": {"start": 0, "end": 3, "text": "Zoë", "labels": ["PER"]}, "type": "labels"},
                        {"value": {"start": 6, "end": 10, "text": "Oslo", "labels": ["LOC"]}, "type": "labels"},
                        {"value": {"choices": ["good"]}, "type": "choices"},
                    ]
                }
            ],
        },
        {
            "text": "Zoë à Oslo",
            "label": [{"start": 0, "end": 3, "labels": ["PER"]}, {"start": 6, "end": 10, "labels": ["LOC"]}],
        },
        {"tokens": ["Zoë", "à", "Oslo"], "ner_tags": ["B-PER", "O", "B-LOC"]},
    ],
)
@pytest.mark.parametrize("whole", [False, True])
def test_rows_of_annotation_tools(row, whole):
    text = json.dumps([row, row], indent=1) if whole else f"{json.dumps(row)}\n" * 2
    sentences = list(read_span_lines(iter(text.splitlines(keepends=True)), "a.json", Tokenizer(lowercase=False)))
    assert [sentence.tags for sentence in sentences] == [["B-PER", "O", "B-LOC"]] * 2
    assert sentences[1].tokens == ["Zoë", "à", "Oslo"]


def test_tasks_without_an_annotation_are_left_out_and_counted():
    data = {"text": "Zoë lit"}
    done = {"was_cancelled": False, "result": [{"value": {"start": 0, "end": 3, "labels": ["PER"]}}]}
    rows = [
        {"data": data, "annotations": []},
        {"data": data, "annotations": [done | {"was_cancelled": True}]},
        {"data": data, "annotations": [done | {"was_cancelled": True}, done]},
        {"data": data, "annotations": [{"result": []}]},
    ]
    noted = []
    lines = (json.dumps(row) for row in rows)
    found = list(read_span_lines(lines, "a.jsonl", TOKENIZER, note=lambda *what: noted.append(what)))
    assert [one.tags for one in found] == [["B-PER", "O"], ["O", "O"]]
    assert noted == [("task", "left out, as nobody annotated it", f"a.jsonl:{line}") for line in (1, 2)]


def test_an_empty_list_of_spans_does_not_hide_another():
    [found] = read({"text": "Zoë lit", "spans": [], "entities": [[0, 3, "PER"]]})
    assert found.tags == ["B-PER", "O"]


def test_a_fault_in_a_list_is_at_its_line():
    with pytest.raises(InputError, match=r"^a\.jsonl:3: the file must be one JSON list"):
        read("[", "", '{"text" "Zoë"}', "]")


def test_strings_as_tokens_may_stand_beside_a_text_and_its_spans():
    row = {"text": "Zoë à Oslo", "tokens": ["Zoë", "à Oslo"]}
    for spans in ({"spans": [span(6, 10)]}, {"labels": [[6, 10, "LOC"]]}):
        (found,) = read({**row, **spans})
        assert (found.tokens, found.tags) == (["Zoë", "à", "Oslo"], ["O", "O", "B-LOC"])
    (found,) = read({**row, "spans": [], "labels": []})
    assert found.tags == ["O", "O", "O"]
    (found,) = read({**row, "spans": [], "ner_tags": ["B-PER", "O"]})
    assert found.tokens == ["Zoë", "à Oslo"]
