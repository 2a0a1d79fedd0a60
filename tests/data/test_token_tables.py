import pytest

from textapp.data.tagged import read_tagged
from textapp.errors import InputError

TABLE = '''Sentence #,Word,POS,Tag
Sentence: 1,Zoë,NNP,B-PER
,lit,VB,O
,"le ""Monde""",NNP,B-ORG
,；,；,O
Sentence: 2,Oslo,NNP,B-LOC
'''
TAGS = [["B-PER", "O", "B-ORG", "O"], ["B-LOC"]]


@pytest.mark.parametrize("mark", [",", ";", "\t"])
@pytest.mark.parametrize("name", ["ner.csv", "ner.txt"])
def test_a_new_value_opens_a_sentence(tmp_path, mark, name):
    path = tmp_path / name
    path.write_text(TABLE.replace(",", mark), "utf-8")
    found = read_tagged(path)
    assert (found.sentences, found.tags) == ([["Zoë", "lit", 'le "Monde"', "；"], ["Oslo"]], TAGS)


def test_columns_by_name_and_by_number(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text(TABLE, "utf-8")
    assert read_tagged(path, token_column="Word", tag_column="pos").tags[1] == ["NNP"]
    assert read_tagged(path, tag_column=2).tags[1] == ["NNP"]


def test_an_empty_row_ends_a_sentence_where_no_column_numbers_them(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("token,ner\nZoë,B-PER\n,\nOslo,B-LOC\n", "utf-8")
    assert read_tagged(path).sentences == [["Zoë"], ["Oslo"]]


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        ("Word,Tag\na,O,x\n", {}, "a.csv:2: each row must have 2 columns, as the header has. Received: 3"),
        ("Word,Tag\na,\n", {}, "a.csv:2: the tag is empty; give the token 'a' a tag"),
        ("Wort,Etikett\na,O\n", {}, "a.csv:1: no column has a known name for the tokens of a tagged sentence; give"),
        ("Word,Tag\na,O\n", {"tag_column": "ner"}, "a.csv:1: no column 'ner' for the tags; columns found: 'Word'"),
        ("Word,Tag\na,O\n", {"tag_column": 0}, "a.csv:1: tokens and tags must be two columns"),
        ("text,label\na,O\n", {}, "a.csv: a table of texts with labels; a tagger needs"),
    ],
)
def test_what_cannot_be_read(tmp_path, monkeypatch, text, options, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.csv").write_text(text, "utf-8")
    with pytest.raises(InputError) as caught:
        read_tagged("a.csv", **options)
    assert str(caught.value).startswith(message)
