"""Rows of line-based files, and the errors of broken ones."""

import csv
import gzip
import json
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from textapp.data.readers import read_examples
from textapp.errors import InputError


def write(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def error_of(path: Path, **options: str) -> str:
    """Returns the message that reading ends in, less the folder; it must be one line."""
    with pytest.raises(InputError) as caught:
        read_examples(path, **options)
    message = str(caught.value)
    assert len(message.splitlines()) == 1
    assert message.startswith(f"{path}")
    return message.removeprefix(f"{path.parent}/")


# TSV


def test_tsv_finds_its_columns_by_name_and_keeps_quotation_marks(tmp_path):
    path = write(tmp_path, "glue.tsv", 'idx\tSentence\tLabel\n7\t" très " drôle \t1\n8\t很"差\t0\n')
    examples = read_examples(path)
    assert examples.texts == ['" très " drôle', '很"差']
    assert examples.labels == ["1", "0"]
    assert list(examples.locations) == [2, 3]


def test_columns_can_be_named(tmp_path):
    path = write(tmp_path, "a.tsv", "text\ttitre\tétoiles\nx\tété\t5\n")
    examples = read_examples(path, text_column="titre", label_column="étoiles")
    assert (examples.texts, examples.labels) == (["été"], ["5"])


def test_the_preferred_name_wins_whatever_the_order_of_the_columns(tmp_path):
    # online_shopping_10_cats has a category as well as a label.
    path = write(tmp_path, "a.csv", "category,label,review\n书籍,1,很好看\n")
    assert read_examples(path).labels == ["1"]


@pytest.mark.parametrize(
    ("content", "label"), [("0\t太差\n1\t好\n", "0"), ("太差\tNegative\n好\tPositive\n", "Negative")]
)
def test_two_columns_need_no_header_if_one_can_only_be_a_label(tmp_path, content, label):
    examples = read_examples(write(tmp_path, "a.tsv", content))
    assert examples.texts == ["太差", "好"]
    assert examples.labels[0] == label


@pytest.mark.parametrize("content", ["太差\tschlecht\n", "1\t0\n", "3\t太差\t0\n"])
def test_any_other_file_without_header_is_an_error_that_lists_the_columns(tmp_path, content):
    first = content.split()[0]
    assert f"columns found: '{first}', " in error_of(write(tmp_path, "a.tsv", content))


def test_blank_lines_are_skipped_and_counted_in_line_numbers(tmp_path):
    path = write(tmp_path, "a.tsv", "\n  \ntext\tlabel\r\n\r\nça va\t1\r\n\t\nnon\t0\textra\n")
    assert error_of(path) == "a.tsv:7: each row must have 2 columns, as the first row has. Received: 3"


def test_a_wrong_column_is_an_error_that_lists_the_columns(tmp_path):
    path = write(tmp_path, "a.tsv", "sentence\tlabel\nété\t1\n")
    message = "a.tsv:1: no column 'texte' for the text; columns found: 'sentence', 'label'"
    assert error_of(path, text_column="texte") == message


def test_a_message_shortens_a_long_header(tmp_path):
    path = write(tmp_path, "a.tsv", "\t".join(f"spalte_{i}_" + "ü" * 1000 for i in range(1000)) + "\n")
    assert len(error_of(path).removeprefix(str(path))) < 1200


def test_a_column_that_occurs_twice_is_an_error(tmp_path):
    message = error_of(write(tmp_path, "a.csv", "text,label,Text\né,1,b\n"))
    assert message.startswith("a.csv:1: more than one column has the name 'text'")


def test_text_and_label_must_be_two_columns(tmp_path):
    path = write(tmp_path, "a.csv", "text,label\né,1\n")
    assert "must be two columns" in error_of(path, text_column="label")


def test_a_missing_label_names_its_line(tmp_path):
    error = error_of(write(tmp_path, "a.tsv", "text\tlabel\nà\t1\nè\t \n"))
    assert error.startswith("a.tsv:3: the label is missing; ")


# CSV


def test_csv_fields_may_span_lines_and_the_next_error_names_the_right_line(tmp_path):
    path = write(tmp_path, "a.csv", 'review,label\n"prix, ""bas""\nmais\n\nbon",1\nok,1\n"x\ny",\n')
    assert error_of(path).startswith("a.csv:7: the label is missing; ")
    path = write(tmp_path, "b.csv", 'review,label\n"prix, ""bas""\nmais\n\nbon",1\nok,0\n')
    examples = read_examples(path)
    assert examples.texts == ['prix, "bas"\nmais\n\nbon', "ok"]
    assert list(examples.locations) == [2, 6]


def test_a_quotation_that_never_ends_names_the_line_where_it_starts(tmp_path):
    message = error_of(write(tmp_path, "a.csv", 'text,label\nà,1\n"è,0\nì,1\n'))
    assert message.startswith("a.csv:3: the record that starts here is not CSV")


def test_a_label_of_two_lines_is_an_error(tmp_path):
    assert error_of(write(tmp_path, "a.csv", 'text,label\né,"1\n2"\n')).startswith("a.csv:2: a label must be one line")


@pytest.mark.parametrize(("name", "tab"), [("a.csv", ","), ("a.tsv", "\t")])
def test_long_lines_and_nul_are_texts_like_any_other(tmp_path, name, tab):
    long = "长" * 700_000  # 2 MB
    path = write(tmp_path, name, f"text{tab}label\n{long}{tab}1\nné\0e{tab}0\n")
    assert read_examples(path).texts == [long, "né\0e"]


cells = st.text(alphabet=st.characters(exclude_categories=["Cs"]) | st.sampled_from(',"\n\r\t\0 '), max_size=20)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(cells, cells), min_size=1, max_size=5))
def test_what_the_standard_library_writes_as_csv_is_read_back(rows):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.csv"
        with path.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([["id", "text", "label"]] + [[name, f"·{text}·", "是"] for name, text in rows])
        assert read_examples(path).texts == [f"·{text}·" for _, text in rows]


# JSON lines


def test_json_lines(tmp_path):
    rows = [
        {"review": "très bien", "stars": 5, "label": 1},
        {"label": 0, "review": "半个\ud800字"},
        {"review": "\U0001f600", "label": True},
        {"review": None, "label": 1},
    ]
    examples = read_examples(write(tmp_path, "a.jsonl", "\n\n".join(map(json.dumps, rows))))
    assert examples.texts == ["très bien", "半个\ufffd字", "\U0001f600"]
    assert examples.labels == ["1", "0", "true"]
    assert (list(examples.locations), examples.empty) == ([1, 3, 5], 1)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "each line must be a JSON object; Expecting property name"),
        ("[1, 2]", "each line must be a JSON object. Received: '[1, 2]'"),
        ("[" * 200_000, "each line must be a JSON object; it is nested too deeply"),
        ('{"text": "é"}', "no column 'label'; columns found: 'text'"),
        ('{"text": 5, "label": 1}', "'text' must be a string. Received: 5"),
        (
            '{"text": "é", "label": 0.5}',
            "'label' must be a name (a string or a whole number) or a list of names. Received: 0.5",
        ),
        ('{"text": "é", "label": null}', "the label is missing"),
    ],
)
def test_broken_json_lines_are_named(tmp_path, line, message):
    path = write(tmp_path, "a.jsonl", '{"text": "çà", "label": 1}\n' + line + "\n")
    assert error_of(path).startswith(f"a.jsonl:2: {message}")


# `label text` lines


def test_label_text_lines(tmp_path):
    path = write(tmp_path, "stsa.binary.train", "1 a rancid crème brûlée .\n0 \n\n0 très laid\n")
    examples = read_examples(path)
    assert examples.texts == ["a rancid crème brûlée .", "très laid"]
    assert (examples.labels, list(examples.locations), examples.empty) == (["1", "0"], [1, 4], 1)


def test_a_line_that_holds_a_label_only_is_an_error(tmp_path):
    path = write(tmp_path, "a.txt", "1 été\n0\n")
    assert error_of(path) == "a.txt:2: each line must be LABEL TEXT. Received: '0'"


# Compression and encoding, whatever the format

CONTENTS = {
    "a.tsv": "text\tlabel\ncafé 好\t1\n",
    "a.csv": "text,label\ncafé 好,1\n",
    "a.jsonl": '{"text": "café 好", "label": 1}\n',
    "a.train": "1 café 好\n",
}


@pytest.mark.parametrize("name", CONTENTS)
def test_gzip_and_byte_order_marks_change_nothing(tmp_path, name):
    plain = read_examples(write(tmp_path, name, CONTENTS[name]))
    marked = write(tmp_path, f"{name}.gz", gzip.compress(("\ufeff" + CONTENTS[name]).encode()))
    packed = read_examples(marked)
    assert plain.texts == packed.texts == ["café 好"]
    assert plain.labels == packed.labels == ["1"]


@pytest.mark.parametrize("name", CONTENTS)
def test_broken_utf8_names_its_line(tmp_path, name):
    path = write(tmp_path, name, CONTENTS[name].encode() + b"1\tab\xff\n")
    line = CONTENTS[name].count("\n") + 1
    assert error_of(path) == f"{name}:{line}: byte 5 of the line is not UTF-8; files must be UTF-8"


@pytest.mark.parametrize("cut", [-4, -12, 12])
def test_a_truncated_gzip_file_is_an_error(tmp_path, cut):
    content = gzip.compress(b"text\tlabel\n" + "très bien\t1\n".encode() * 50)
    assert "cut off or damaged" in error_of(write(tmp_path, "a.tsv.gz", content[:cut]))


def test_a_gzip_file_with_a_wrong_checksum_is_an_error(tmp_path):
    content = bytearray(gzip.compress("text\tlabel\ntrès bien\t1\n".encode()))
    content[-6] ^= 1
    assert "cut off or damaged" in error_of(write(tmp_path, "a.tsv.gz", bytes(content)))
