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
    place = f"{name}:{line}: byte 5 of the line is not UTF-8; files must be UTF-8"
    assert error_of(path) == f"{place}; convert it: iconv -f latin1 -t utf-8 FILE > NEW"


@pytest.mark.parametrize("cut", [-4, -12, 12])
def test_a_truncated_gzip_file_is_an_error(tmp_path, cut):
    content = gzip.compress(b"text\tlabel\n" + "très bien\t1\n".encode() * 50)
    assert "cut off or damaged" in error_of(write(tmp_path, "a.tsv.gz", content[:cut]))


def test_a_gzip_file_with_a_wrong_checksum_is_an_error(tmp_path):
    content = bytearray(gzip.compress("text\tlabel\ntrès bien\t1\n".encode()))
    content[-6] ^= 1
    assert "cut off or damaged" in error_of(write(tmp_path, "a.tsv.gz", bytes(content)))


# files of the ways in which people and programs write tables


def test_columns_by_number_where_there_is_no_header(tmp_path):
    path = write(tmp_path, "a.csv", '"1","Titre","très, très bien"\n"2","é","bof"\n')
    assert "or, if this line is no header, the number of each column, from 0" in error_of(path)
    for text, label in (("2", "0"), ("-1", "-3")):
        found = read_examples(path, text_column=text, label_column=label)
        assert (found.texts, found.labels) == (["très, très bien", "bof"], ["1", "2"])
    assert "give both columns by number" in error_of(path, text_column="2")
    assert "`text_column` must be from -3 to 2 here. Received: 3" in error_of(path, text_column="3", label_column="0")
    assert "text and label must be two columns" in error_of(path, text_column="0", label_column="-3")


def test_a_header_is_known_where_columns_are_given_by_number(tmp_path):
    path = write(tmp_path, "a.txt", "label\ttext\nham\tété\nspam\tbof\n")
    assert read_examples(path, text_column="1", label_column="0").texts == ["été", "bof"]


@pytest.mark.parametrize("quoting", [csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC])
def test_quoted_tsv_is_read_as_it_was_written(tmp_path, quoting):
    texts = ['Il dit "stop" et part', '"Très bien."', "avec\ttab", "deux\nlignes", "à l'été", 'un " seul']
    with (tmp_path / "a.tsv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, delimiter="\t", quoting=quoting, lineterminator="\n")
        writer.writerows([["text", "label"], *([text, "pos"] for text in texts)])
    assert read_examples(tmp_path / "a.tsv").texts == texts


def test_quotation_marks_of_raw_tsv_stay(tmp_path):
    texts = ['"stop" , dit - il', 'il dit " stop "', '"', '""', '"tout"', '"un ""', 'a "" b']
    path = write(tmp_path, "a.tsv", "text\tlabel\n" + "".join(f"{text}\t1\n" for text in texts))
    assert read_examples(path).texts == texts


@pytest.mark.parametrize("mark", [";", "\t"])
def test_csv_with_another_mark_between_fields(tmp_path, mark):
    path = write(tmp_path, "a.csv", f'text{mark}label\n"très{mark}, bien"{mark}pos\n')
    assert read_examples(path).texts == [f"très{mark}, bien"]


def test_one_json_list_is_read_row_by_row(tmp_path):
    rows = [{"text": "été", "label": "a"}, {"text": "bof", "label": 2}]
    for indent in (None, 2):
        found = read_examples(write(tmp_path, "a.json", json.dumps(rows, indent=indent)))
        assert (found.texts, found.labels) == (["été", "bof"], ["a", "2"])
        assert found.location(1).endswith("a.json: row 2")
    assert "a.json: row 1: each row must be a JSON object" in error_of(write(tmp_path, "a.json", "[[1], 2]"))
    assert "the file must be one JSON list" in error_of(write(tmp_path, "a.json", '[{"text": "a"},\n{]'))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv.zip", b"PK\x03\x04abc", "this is a zip archive, not text in UTF-8; unpack it"),
        ("a.xlsx", b"PK\x03\x04abc", "this is a spreadsheet, not text in UTF-8; save it as CSV in UTF-8"),
        ("train", b"PAR1\x15", "this is a parquet file"),
        ("a.tsv", "été\tpos\n".encode("utf-16"), "this is text in UTF-16, not text in UTF-8; convert it: iconv"),
        ("a.tsv", "bon\tpos\n".encode("utf-16-le"), "this is text in UTF-16"),
        ("a.csv", b"text,label\rbon,pos\rnon,neg", ":1: lines end in a carriage return alone"),
        ("a.csv", b"text,label\nbon\rou,pos\n", ":2: a carriage return is inside a field without quotation marks"),
        ("a.csv.bz2", b"BZh91AY", "this is bzip2 data"),
    ],
)
def test_another_kind_of_file_is_named_with_the_way_on(tmp_path, name, content, message):
    assert message in error_of(write(tmp_path, name, content))


@pytest.mark.parametrize(
    ("content", "labels"),
    [
        ("humeur,avis\n1,été\n0,bof\n", ["1", "0"]),
        ("id,humeur,avis\n1,joie,été\n2,peur,bof\n", ["joie", "peur"]),
        ("x,joie,été\ny,peur,bof\n", ["joie", "peur"]),
        ("7,joie,été\n8,peur,bof\n", ["joie", "peur"]),
        (",joie,été\n8,peur,bof\n8,peur,bon\n", ["joie", "peur", "peur"]),
    ],
)
def test_a_header_of_unknown_names_is_known_by_the_numbers_below_it(tmp_path, content, labels):
    path = write(tmp_path, "a.csv", content)
    assert read_examples(path, text_column="-1", label_column="-2").labels == labels


@pytest.mark.parametrize(
    ("content", "text", "line"),
    [
        ("Très bien, vraiment;pos\nbof;neg\n", "Très bien, vraiment", 1),
        ("\n \ntext;label\nbof, non;neg\n", "bof, non", 4),
        ("sep=;\ntext;label\nbof, non;neg\n", "bof, non", 3),
        ("sep=,\r\nlabel,text\r\nneg,bof; non\r\n", "bof; non", 3),
        ('sep=|\ntext|label\n"bof\nnon"|neg\nbon|pos\n', "bof\nnon", 3),
        ("text;label\nbof;neg\nbon, beau;pos\n", "bof", 2),
        ("text,label\nbof;neg\n", None, 2),
    ],
)
def test_rows_show_what_separates_fields_of_csv(tmp_path, content, text, line):
    path = write(tmp_path, "a.csv", content)
    if text is None:
        assert error_of(path).startswith(f"a.csv:{line}: each row must have 2 columns")
    else:
        found = read_examples(path)
        assert (found.texts[0], found.locations[0]) == (text, line)


def test_the_number_of_a_line_after_the_line_that_names_the_mark(tmp_path):
    path = write(tmp_path, "a.csv", 'sep=;\ntext;label\n"deux\nlignes";neg\nbof\n')
    assert error_of(path).startswith("a.csv:5: each row must have 2 columns")


@pytest.mark.parametrize("quoting", [csv.QUOTE_MINIMAL, csv.QUOTE_NONNUMERIC])
def test_a_line_break_in_the_last_field_of_tsv(tmp_path, quoting):
    texts = ["deux\nlignes", 'trois\n\n"lignes"', "une", '"à" la\nfin', "été"]
    with (tmp_path / "a.tsv").open("w", newline="", encoding="utf-8") as file:
        file.write("label\ttext\n")
        writer = csv.writer(file, delimiter="\t", quoting=quoting, lineterminator="\n")
        writer.writerows(["pos", text] for text in texts)
    found = read_examples(tmp_path / "a.tsv")
    assert [text.strip('"') for text in found.texts] == [text.strip('"') for text in texts]
    assert list(found.locations) == [2, 4, 7, 8, 10]


def test_a_mark_at_the_start_of_a_last_raw_field_does_not_take_the_next_rows(tmp_path):
    texts = ['" très', '"bof', 'à "', '" fin'] * 3000
    path = write(tmp_path, "a.tsv", "label\ttext\n" + "".join(f"1\t{text}\n\n" for text in texts))
    found = read_examples(path)
    assert found.texts == [text.strip() for text in texts]
    assert found.locations[-1] == 2 * len(texts)


@pytest.mark.parametrize("indent", [None, 2])
def test_a_json_list_is_known_without_its_suffix(tmp_path, indent):
    rows = [{"text": "été", "label": "a"}, {"text": "bof", "label": "b"}]
    assert read_examples(write(tmp_path, "reviews", json.dumps(rows, indent=indent))).labels == ["a", "b"]
