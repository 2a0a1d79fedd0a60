"""Formats recognized, texts cleaned, labels checked, real files counted."""

import tracemalloc
from pathlib import Path

import pytest

from textapp.data.readers import Examples, check_labels, clean_text, iterate_examples, read_examples
from textapp.data.tables import label_names
from textapp.errors import InputError, quoted_name

DATA = Path(__file__).parents[2] / "../shared/data"


def write(folder: Path, name: str, content: str) -> Path:
    path = folder / name
    path.write_text(content, encoding="utf-8", newline="")
    return path


@pytest.mark.parametrize(
    ("content", "count"),
    [
        ('\n{"text": "ça", "label": "oui"}\n', 1),
        ("ça\t1\nnon\t0\n", 2),
        ("__label__oui ça va\n__label__non ça ne va pas\n", 2),
        ("positive ça va\nnegative ça ne va pas\n\n", 2),
    ],
)
def test_the_first_line_tells_the_format_where_the_suffix_does_not(tmp_path, content, count):
    assert len(read_examples(write(tmp_path, "reviews.data", content))) == count


def test_a_format_can_be_named(tmp_path):
    path = write(tmp_path, "reviews.txt", "schlecht das Gerät hält nichts aus\n")
    with pytest.raises(InputError, match=r"reviews\.txt: neither the suffix nor the first line shows"):
        read_examples(path)
    assert read_examples(path, format="label_text").labels == ["schlecht"]
    with pytest.raises(InputError, match=r"`format` must be one of tsv, .*'xml'"):
        read_examples(path, format="xml")


@pytest.mark.parametrize("name", ["é.tsv", "é.csv", "é.jsonl", "é.txt", "é.tar", "é.tar.gz"])
def test_a_missing_file_and_an_empty_file_are_named(tmp_path, name):
    path = tmp_path / name
    with pytest.raises(InputError) as caught:
        read_examples(path)
    assert str(caught.value) == f"{path}: No such file or directory"
    path.touch()
    with pytest.raises(InputError) as caught:
        read_examples(path)
    assert str(caught.value).startswith(f"{path}: ")


@pytest.mark.parametrize("content", ["text\tlabel\n", "text\tlabel\n \t1\n\ufeff\t0\n"])
def test_a_file_without_any_example_is_an_error(tmp_path, content):
    with pytest.raises(InputError, match=r"ä\.tsv: there is no example to read; (the file|the texts of all 2 rows)"):
        read_examples(write(tmp_path, "ä.tsv", content))


def test_options_that_do_not_fit_the_format_are_errors(tmp_path):
    path = write(tmp_path, "a.tsv", "text\tlabel\né\t1\n")
    with pytest.raises(InputError, match="only class folders and tar archives have subsets"):
        read_examples(f"{path}#train")
    with pytest.raises(InputError, match="only TSV, CSV, JSON lines and parquet have columns"):
        read_examples(path, format="label_text", text_column="text")


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("\ufeff做父母", "做父母"),
        (" \ufeff 做\ufeff父母\u3000\n", "做\ufeff父母"),
        ("Bon.<br /><br>Très<BR/>bon <b>", "Bon.  Très bon <b>"),
        ("\ufeff<br />", ""),
        ("1 < 2 и 3", "1 < 2 и 3"),
    ],
)
def test_texts_are_cleaned(text, cleaned):
    assert clean_text(text) == cleaned


def test_reading_in_a_stream_gives_the_same_and_reports_empty_texts(tmp_path):
    path = write(tmp_path, "a.csv", "text,label\nà,1\n ,0\nè,0\n")
    examples = read_examples(path)
    places: list[str] = []
    assert list(iterate_examples(path, on_empty=places.append)) == [("à", "1"), ("è", "0")]
    assert list(zip(examples.texts, examples.labels, strict=True)) == list(iterate_examples(path))
    assert places == [f"{path}:3"]
    assert str(examples) == f"{path}: 2 examples (0 1, 1 1); rows left out because their text is empty: 1"


def test_a_stream_holds_one_row_at_a_time(tmp_path):
    path = write(tmp_path, "a.tsv", "text\tlabel\n" + f"{'naïve ' * 50}\t1\n" * 20_000)
    tracemalloc.start()
    try:
        count = sum(1 for _ in iterate_examples(path))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert count == 20_000
    assert peak < path.stat().st_size / 10


def test_a_stream_gives_the_rows_before_an_error(tmp_path):
    rows = iterate_examples(write(tmp_path, "a.tsv", "text\tlabel\nà\t1\nè\t\n"))
    assert next(rows) == ("à", "1")
    with pytest.raises(InputError, match=r"a\.tsv:3: the label is missing; .* `textapp train multilabel-classifier`$"):
        next(rows)


def test_examples_know_their_locations():
    examples = Examples(["à", "è", "ì"], ["x", "y", "x"], "reviews.tsv", [2, 3, 9], empty=4)
    chosen = examples.select([2, 0])
    assert (chosen.texts, chosen.labels) == (["ì", "à"], ["x", "x"])
    assert chosen.location(0) == "reviews.tsv:9"
    assert str(chosen) == "reviews.tsv: 2 examples (x 2)"
    assert Examples(["é"], ["x"], "list").location(0) == "list: example 1"
    with pytest.raises(ValueError, match=r"must be equally long. Received: 2, 1, 0"):
        Examples(["à", "è"], ["x"], "reviews.tsv")


def test_a_label_unseen_in_training_names_its_row(tmp_path):
    path = write(tmp_path, "valid.tsv", "text\tlabel\nà\toui\n\nè\tpeut-être\n")
    examples = read_examples(path)
    check_labels(examples, ["oui", "peut-être"])
    with pytest.raises(InputError) as caught:
        check_labels(examples, ["non", "oui"])
    message = "the label 'peut-être' does not occur in the training data. Known: 'non', 'oui'"
    assert str(caught.value) == f"{path}:4: {message}"


@pytest.mark.skipif(not DATA.is_dir(), reason="needs the research data beside the project")
@pytest.mark.parametrize(
    ("name", "counts", "empty"),
    [
        ("sst2/stsa.binary.train", {"0": 3310, "1": 3610}, 0),
        ("sst2/stsa.binary.dev", {"0": 428, "1": 444}, 0),
        ("sst2/stsa.binary.test", {"0": 912, "1": 909}, 0),
        ("sst2/glue_phrases_train.tsv", {"0": 29780, "1": 37569}, 0),
        ("online_shopping_10_cats/online_shopping_10_cats.csv", {"0": 31046, "1": 31727}, 1),
        ("imdb/aclImdb_labelled.tar.gz#train", {"neg": 12500, "pos": 12500}, 0),
        ("imdb/aclImdb_labelled.tar.gz#test", {"neg": 12500, "pos": 12500}, 0),
    ],
)
def test_real_files_are_read_whole(name, counts, empty):
    examples = read_examples(DATA / name)
    assert {label: examples.labels.count(label) for label in set(examples.labels)} == counts
    assert examples.empty == empty
    assert not any(text.startswith("\ufeff") or "<br />" in text for text in examples.texts)


SEVERAL = {
    "a.tsv": "text\tlabels\ncafé\tprix, goût ,prix\n好\t\n",
    "quoted.tsv": 'text\tlabels\ncafé\t"prix", "goût"\n好\t""\n',
    "list.tsv": 'text\tlabels\ncafé\t["prix", "goût"]\n好\t[]\n',
    "list.csv": 'labels,text\n"[""prix"", ""goût""]",café\n[],好\n',
    "headerless.tsv": "un bon café\tprix,goût\n好\t\n",
    "a.csv": 'labels,text\n"prix,goût",café\n,好\n',
    "a.jsonl": '{"text": "café", "labels": ["prix", " goût "]}\n{"text": "好", "labels": []}\n',
}


@pytest.mark.parametrize("name", SEVERAL)
def test_a_text_may_have_several_labels_or_none(tmp_path, name):
    (tmp_path / name).write_text(SEVERAL[name], encoding="utf-8")
    examples = read_examples(tmp_path / name, several=True)
    assert examples.labels == [("prix", "goût"), ()]
    assert str(examples).endswith("2 examples (goût 1, prix 1)")


@pytest.mark.parametrize("names", [['5" écran'], ["a, b", 'dit "oui"', "好"], ['"x"'], ["[x]", "["], []])
def test_shown_labels_are_read_back(names):
    assert label_names(", ".join(map(quoted_name, names)), "é.tsv:1") == names


@pytest.mark.parametrize("cell", ['"a" b', '"a', "['a', 'b']", "[a]", "[" * 200_000, f"[{'9' * 5000}]"])
def test_a_cell_that_is_no_list_of_labels_is_refused(tmp_path, cell):
    path = tmp_path / "é.tsv"
    path.write_text(f"text\tlabels\n好\t{cell}\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"é\.tsv:2: labels must be names with commas between them, .* JSON list"):
        read_examples(path, several=True)


@pytest.mark.parametrize("first", ["便宜,好吃\t食品", "a,b\tc,d", "un bon café\tprix"])
def test_a_first_row_without_a_plain_list_of_labels_is_a_header(tmp_path, first):
    path = tmp_path / "é.tsv"
    path.write_text(f"{first}\nun thé\tprix\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"é\.tsv:1: no column has a known name for the text"):
        read_examples(path, several=True)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.jsonl", '{"text": "é", "labels": [["food"]]}\n'),
        ("a.jsonl", '{"text": "é", "labels": {"a": 1}}\n'),
        ("a.tsv", "text\tlabels\né\t[0.5]\n"),
    ],
)
def test_what_a_label_may_be_is_named(tmp_path, name, content):
    path = tmp_path / name
    path.write_text(content, encoding="utf-8")
    with pytest.raises(InputError, match=r"must be a name \(a string or a whole number\) or a list of names"):
        read_examples(path, several=True)


def test_several_labels_are_refused_where_a_text_has_one(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text('{"text": "a", "label": "x"}\n{"text": "b", "label": ["x", "y"]}\n', encoding="utf-8")
    with pytest.raises(InputError, match=r"a\.jsonl:2: a text must have one label\..*multilabel"):
        read_examples(path)


def test_each_unknown_label_of_several_is_named():
    examples = Examples(["a", "b"], [("x",), ("x", "z")], "a.tsv", [2, 3])
    with pytest.raises(InputError, match=r"a\.tsv:3: the label 'z' does not occur"):
        check_labels(examples, ["x", "y"])


def test_a_comma_between_a_label_of_fasttext_and_its_text_is_left_out(tmp_path):
    path = tmp_path / "dbpedia.txt"
    path.write_text("__label__a , one , two\n__label__b three\n", encoding="utf-8")
    assert read_examples(path).texts == ["one , two", "three"]
    path.write_text("1 , one\n0 two\n", encoding="utf-8")
    assert read_examples(path).texts == [", one", "two"]


@pytest.mark.parametrize("line", ["__label__a __label__b text", "1 __label__b text"])
def test_a_line_of_label_and_text_has_one_label(tmp_path, line):
    path = tmp_path / "ярлыки.txt"
    path.write_text(f"__label__a très bon\n{line}\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"ярлыки\.txt:2: a line of this format has one label"):
        read_examples(path)


def test_several_labels_are_not_read_from_lines_of_label_and_text(tmp_path):
    path = tmp_path / "ярлыки.txt"
    path.write_text("1, 2 très bon\n", encoding="utf-8")
    with pytest.raises(InputError, match="texts with several labels are read from TSV, CSV, JSON lines and parquet"):
        read_examples(path, format="label_text", several=True)


def test_labels_of_which_none_is_known_are_all_named():
    examples = Examples(["a", "b"], ["да", "нет"], "à.tsv")
    rule = r"^à\.tsv: none of its labels occurs in the training data\. Its labels: 'да', 'нет'\. Known: 'oui'$"
    with pytest.raises(InputError, match=rule):
        check_labels(examples, ["oui"])
