"""Formats and schemes are recognized, tags converted and repaired, real sets counted."""

import gzip
import re
from pathlib import Path

import pytest

from textapp.data.tagged import PLAIN, TaggedExamples, read_tagged
from textapp.errors import InputError
from textapp.text.tag_schemes import find_breaks
from textapp.text.tokenizer import Tokenizer

DATA = Path(__file__).parents[2] / "../shared/data"

CONLL = "-DOCSTART- -X- O O\n\nThe DT I-NP O\nÉlysée NNP I-NP I-LOC\nParis NNP I-NP B-LOC\n\nOui UH I-INTJ O\n"
CONLLU = "1\tÇa\tça\tPRON\tDT\t_\t_\t_\t_\t_\n2\tva\taller\tVERB\tVB\t_\t_\t_\t_\t_\n"
JSONL = '{"text": "Ça va, Zoë?", "spans": [{"start": 7, "end": 10, "type": "PER"}]}\n'


def write(folder: Path, name: str, content: str) -> Path:
    path = folder / name
    data = content.encode()
    path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    return path


def error_of(path: Path, **options: object) -> str:
    """Returns the message that reading ends in, less the folder; it must be one line."""
    with pytest.raises(InputError) as caught:
        read_tagged(path, **options)
    message = str(caught.value)
    assert len(message.splitlines()) == 1
    return message.removeprefix(f"{path.parent}/")


@pytest.mark.parametrize(
    ("name", "content", "sentence", "tags"),
    [
        ("eng.train", CONLL, ["The", "Élysée", "Paris"], ["O", "B-LOC", "B-LOC"]),
        ("a.bmes", "吴 B-人\n重 M-人\n阳 E-人\n", ["吴", "重", "阳"], ["B-人", "I-人", "I-人"]),
        ("a.tsv", "吴\tU-人\n，\tO\n", ["吴", "，"], ["B-人", "O"]),
        ("a.conllu", CONLLU, ["Ça", "va"], ["PRON", "VERB"]),
        ("a.jsonl", JSONL, ["Ça", "va", ",", "Zoë", "?"], ["O", "O", "O", "B-PER", "O"]),
        ("a.txt", JSONL, ["Ça", "va", ",", "Zoë", "?"], ["O", "O", "O", "B-PER", "O"]),
        ("a.txt", "{ B-x\n} I-x\n", ["{", "}"], ["B-x", "I-x"]),
    ],
)
@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_formats_are_recognized(tmp_path, name, content, suffix, sentence, tags):
    examples = read_tagged(write(tmp_path, name + suffix, content))
    assert (examples.sentences[0], examples.tags[0]) == (sentence, tags)
    assert examples.repairs == []


def test_a_folder_holds_slots(tmp_path):
    for name, content in (("seq.in", "à york\n\n"), ("seq.out", "O B-city\n\n"), ("label", "Weather\n\n")):
        write(tmp_path, name, content)
    examples = read_tagged(tmp_path)
    assert (examples.sentences, examples.tags) == ([["à", "york"]], [["O", "B-city"]])
    assert examples.empty == 1
    assert str(examples) == (
        f"{tmp_path}: 1 sentence, 2 tokens, 1 span (city 1), tags in IOB2; rows left out because their text is empty: 1"
    )
    assert examples.location(0) == f"{tmp_path / 'seq.out'}:1"


def test_formats_and_columns_can_be_named(tmp_path):
    path = write(tmp_path, "data.txt", CONLLU)
    examples = read_tagged(path, format="conllu", token_column="lemma", tag_column="xpos")
    assert (examples.sentences, examples.tags) == ([["ça", "aller"]], [["DT", "VB"]])
    path = write(tmp_path, "eng.train", CONLL)
    for column in (1, "1", -3):
        parts_of_speech = read_tagged(path, tag_column=column)
        assert parts_of_speech.tags == [["DT", "NNP", "NNP"], ["UH"]]
        assert parts_of_speech.scheme == PLAIN
    chunks = read_tagged(path, tag_column=2)
    assert (chunks.tags, chunks.scheme) == ([["B-NP", "I-NP", "I-NP"], ["B-INTJ"]], "IOB2")


def test_locations_and_documents_are_kept(tmp_path):
    path = write(tmp_path, "eng.train", CONLL + CONLL)
    examples = read_tagged(path)
    assert len(examples) == 4
    assert list(examples.documents) == [0, 2]
    assert [examples.location(index) for index in range(4)] == [f"{path}:{line}" for line in (3, 7, 10, 14)]
    chosen = examples.select([3, 0])
    assert chosen.sentences == [["Oui"], ["The", "Élysée", "Paris"]]
    assert (chosen.tags[0], chosen.location(0), list(chosen.documents)) == (["O"], f"{path}:14", [])


def test_a_scheme_can_be_named(tmp_path):
    # One token a span and a document of such: IOB2 by default, and both of the others possible.
    path = write(tmp_path, "a.txt", "我 B-x\n你 B-x\n")
    assert read_tagged(path, scheme="IOB2").tags == [["B-x", "B-x"]]
    assert error_of(path, scheme="IOBES") == (
        "a.txt:2: B-x cannot follow B-x in IOBES; correct the tags, or have them repaired (--set repair=true, --repair)"
    )
    assert read_tagged(path, scheme="none").tags == [["B-x", "B-x"]]
    assert read_tagged(path, scheme="none").scheme == PLAIN
    assert error_of(path, scheme="IOB").startswith("`scheme` must be one of IOB2, IOB1, ")
    # A treebank with entities in its last column.
    path = write(tmp_path, "a.conllu", CONLLU.replace("_\n", "B-x\n", 1).replace("_\n", "I-x\n", 1))
    assert read_tagged(path, tag_column="misc").scheme == "IOB2"
    assert read_tagged(path, tag_column="misc", scheme="none").scheme == PLAIN


def test_parts_of_speech_that_look_like_letters_of_a_scheme(tmp_path):
    # M is a measure word in the Chinese Treebank.
    path = write(tmp_path, "a.txt", "三 CD\n本 M\n书 NN\n")
    assert read_tagged(path).tags == [["CD", "M", "NN"]]


BROKEN = "我 I-地\n\n在 O\n北 B-地\n京 E-地\n市 I-地\n"


def test_broken_tags_name_their_line_and_are_repaired_only_on_request(tmp_path):
    path = write(tmp_path, "a.txt", BROKEN)
    assert error_of(path).startswith("a.txt:1: I-地 cannot start a sequence in IOBES; correct the tags, or have them")
    examples = read_tagged(path, repair=True)
    assert examples.tags == [["B-地"], ["O", "B-地", "I-地", "B-地"]]
    assert [note.removeprefix(f"{path}:") for note in examples.repairs] == [
        "1: I-地 cannot start a sequence in IOBES",
        "1: I-地 cannot end a sequence in IOBES",
        "6: I-地 cannot follow E-地 in IOBES",
        "6: I-地 cannot end a sequence in IOBES",
    ]
    assert str(examples).endswith(
        f"; 4 broken tags repaired, the first at {path}:1: I-地 cannot start a sequence in IOBES"
    )


def test_tags_that_are_in_iob2_already_are_repaired_too(tmp_path):
    path = write(tmp_path, "a.txt", "北 B-地\n京 I-地\n\n市 I-地\n")
    assert error_of(path).startswith("a.txt:4: I-地 cannot start a sequence in IOB2")
    assert read_tagged(path, repair=True).tags == [["B-地", "I-地"], ["B-地"]]


def test_nothing_is_repaired_in_a_valid_file(tmp_path):
    path = write(tmp_path, "eng.train", CONLL)
    assert read_tagged(path, repair=True) == read_tagged(path)


@pytest.mark.parametrize(
    ("name", "content", "options", "message"),
    [
        ("a.txt", "", {}, "a.txt: there is no sentence to read; the file has no token"),
        ("a.txt", "\n-DOCSTART- O\n\n", {}, "a.txt: there is no sentence to read; the file has no token"),
        ("a.jsonl", '{"text": " ", "spans": []}', {}, "a.jsonl: there is no sentence to read"),
        ("a.txt", "a O\n\né B_x\nb B-x", {}, "a.txt:3: 'B_x' is no tag of a span, but others are, such as 'B-x'; corr"),
        (
            "a.txt",
            "a O\né M-x\n",
            {"scheme": "IOB2"},
            "a.txt:2: 'M-x' is no tag of IOB2; correct it, or give another s",
        ),
        (
            "a.txt",
            "a B-x\né E-x\n\nb B-x\nc I-x\nd E-x\n\ne L-x\n",
            {},
            "a.txt:8: no tag scheme has all of the letters B, E, I, L; known: IOB2, IOB1, IOBES, BILOU, BMES; the "
            "first L is the 'L-x' of this line; correct it, or give the scheme, so that a message names the first tag "
            "that is not of it",
        ),
        ("a.txt", "a I-x\rb O\n", {}, "a.txt:1: a carriage return is inside the line; lines must end in LF or CRLF"),
        ("a.txt", "a O\n", {"format": "xml"}, "`format` must be one of columns, conllu, jsonl, parquet, slots, table"),
        ("a.txt", "a O\n", {"format": "slots"}, "a.txt: only the format `slots` is a folder (seq.in, seq.out"),
        ("a.txt", "a O\n", {"tag_column": "ner"}, "a.txt: tag_column must be a number, from 0, or from the end such"),
        (
            "a.jsonl",
            JSONL,
            {"tag_column": 1},
            "a.jsonl: only the formats `columns`, `conllu` and `table` have columns to choose",
        ),
        ("a.jsonl", JSONL, {"scheme": "IOB2"}, "a.jsonl: texts with spans of characters have no scheme of tags. Rec"),
    ],
)
def test_what_cannot_be_read(tmp_path, name, content, options, message):
    assert error_of(write(tmp_path, name, content), **options).startswith(message)


def test_a_folder_is_no_file(tmp_path):
    with pytest.raises(InputError, match=re.escape(f"{tmp_path}: only the format `slots` is a folder")):
        read_tagged(tmp_path, format="columns")
    with pytest.raises(InputError, match=re.escape(f"{tmp_path / 'é.txt'}: No such file or directory")):
        read_tagged(tmp_path / "é.txt")
    assert error_of(tmp_path, format="slots").endswith("must hold the files seq.in, seq.out and label")


def test_the_tokenizer_of_texts_can_be_chosen(tmp_path):
    path = write(tmp_path, "a.jsonl", JSONL)
    examples = read_tagged(path, tokenizer=Tokenizer(kind="char"))
    assert examples.sentences == [list("çava,zoë?")]
    assert examples.tags == [["O", "O", "O", "O", "O", "B-PER", "I-PER", "I-PER", "O"]]


def test_examples_count_themselves():
    many = [f"B-t{index:02}" for index in range(10)]
    assert str(TaggedExamples([["é"] * 10], [many], "a")).endswith(
        "10 tokens, 10 spans (t00 1, t01 1, t02 1, t03 1, t04 1, t05 1, t06 1, t07 1, 2 more types)"
    )
    assert str(TaggedExamples([["é", "è"]], [["O", "O"]], "a")) == "a: 1 sentence, 2 tokens, 0 spans"
    plain = TaggedExamples([["é", "è"]], [["X", "X"]], "a", PLAIN)
    assert str(plain) == "a: 1 sentence, 2 tokens, 1 different tag"
    assert plain.location(0) == "a: sentence 1"
    assert plain.select([0, 0]).scheme == PLAIN
    with pytest.raises(ValueError, match="must be equally long, and so must the lists in them"):
        TaggedExamples([["é", "è"]], [["O"]], "a")


# Sentences, tokens, spans, types, documents, repaired tags. Published: 23,499, 5,942 and 5,648 entities in 946, 216 and
# 231 articles of CoNLL-2003; 6,181 in the test set of MSRA, where 11 more are the rest of names cut between two pieces.
REAL = {
    "conll2003/eng.train": (14_041, 203_621, 23_499, 4, 946, 2),
    "conll2003/eng.testa": (3_250, 51_362, 5_942, 4, 216, 0),
    "conll2003/eng.testb": (3_453, 46_435, 5_648, 4, 231, 0),
    "resume_ner/train.char.bmes": (3_821, 124_099, 13_440, 8, 0, 4),
    "resume_ner/dev.char.bmes": (463, 13_890, 1_497, 8, 0, 0),
    "resume_ner/test.char.bmes": (477, 15_100, 1_630, 8, 0, 0),
    "msra_ner/train.txt": (50_658, 2_169_879, 74_703 + 6, 3, 0, 6),
    "msra_ner/test.txt": (4_631, 172_601, 6_181 + 11, 3, 0, 11),
    "ncbi_disease/train.tsv": (5_424, 135_701, 5_134, 1, 0, 0),
    "ncbi_disease/devel.tsv": (923, 23_969, 787, 1, 0, 0),
    "ncbi_disease/test.tsv": (940, 24_497, 960, 1, 0, 0),
    "snips/train": (13_084, 117_700, 33_958, 39, 0, 0),
    "snips/valid": (700, 6_384, 1_794, 39, 0, 0),
    "snips/test": (700, 6_354, 1_790, 39, 0, 0),
    "atis/train": (4_478, 50_497, 14_851, 79, 0, 0),
    "atis/valid": (500, 5_703, 1_709, 67, 0, 0),
    "atis/test": (893, 9_164, 2_837, 69, 0, 0),
}


@pytest.mark.skipif(not DATA.is_dir(), reason="needs the research data beside the project")
@pytest.mark.parametrize("name", REAL)
def test_real_sets_of_spans_are_read_whole(name):
    sentences, tokens, spans, types, documents, repaired = REAL[name]
    examples = read_tagged(DATA / name, repair=True)
    tags = [tag for tags in examples.tags for tag in tags]
    begun = [tag for tag in tags if tag.startswith("B-")]
    assert (len(examples), len(tags), len(begun), len(set(begun))) == (sentences, tokens, spans, types)
    assert (len(examples.documents), len(examples.repairs), examples.empty) == (documents, repaired, 0)
    assert not any(find_breaks(tags, "IOB2") for tags in examples.tags)


@pytest.mark.skipif(not DATA.is_dir(), reason="needs the research data beside the project")
@pytest.mark.parametrize(
    ("part", "sentences", "words", "documents"),
    [("train", 12_544, 204_577, 540), ("dev", 2_001, 25_147, 318), ("test", 2_077, 25_094, 316)],
)
def test_a_real_treebank_is_read_whole(part, sentences, words, documents):
    examples = read_tagged(DATA / f"ud_english_ewt/en_ewt-ud-{part}.conllu")
    tags = [tag for tags in examples.tags for tag in tags]
    assert (len(examples), len(tags), len(examples.documents)) == (sentences, words, documents)
    assert len(set(tags)) == 17  # all of the universal parts of speech
    assert examples.scheme == PLAIN


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.tsv", "text\tlabel\n好\tpos\n差\tneg\n"),
        ("a.csv", "Label,Sentence\npos,gut und schön\n"),
        ("a.txt", "gut und schön\tpos\nnicht gut\tneg\n"),
        ("a.txt", "这家店的东西很好吃，服务也不错，下次还会再来，推荐给大家，真的非常喜欢\t好评\n" * 2),
    ],
)
def test_a_table_of_texts_is_no_file_of_tokens(tmp_path, name, content):
    path = tmp_path / name
    path.write_text(content, encoding="utf-8")
    with pytest.raises(InputError) as raised:
        read_tagged(path)
    assert str(raised.value).startswith(
        f"{path}: a table of texts with labels; a tagger needs a token and its tag a line"
    )


def test_types_alone_are_read_with_the_scheme_io(tmp_path):
    path = write(tmp_path, "a.txt", "Zoë PER\nÅs PER\nlit O\nOslo LOC\n")
    assert "give the scheme IO if all tags are O or types alone" in error_of(path)
    found = read_tagged(path, scheme="IO")
    assert found.tags == [["B-PER", "I-PER", "O", "B-LOC"]]
    assert str(found).endswith("2 spans (LOC 1, PER 1), tags in IO")


@pytest.mark.parametrize("tags", [("b-per", "i-per", "o"), ("B_PER", "I_PER", "O"), ("b_PER", "i_PER", "o")])
def test_tags_in_lower_case_or_with_another_mark_are_tags_of_spans(tmp_path, tags):
    found = read_tagged(write(tmp_path, "a.txt", "\n".join(f"é {tag}" for tag in tags)))
    assert [tag.upper() for tag in found.tags[0]] == ["B-PER", "I-PER", "O"]
    assert "such as b-per or B_PER read as B-PER" in str(found)


def test_swapped_columns_are_refused(tmp_path):
    path = write(tmp_path, "a.txt", "B-PER\tZoë\nO\tlit\n\nB-LOC\tOslo\n")
    assert "the tokens are tags, such as 'B-LOC', 'B-PER', 'O'; choose the columns" in error_of(path)
    assert read_tagged(path, token_column=1, tag_column=0).sentences[0] == ["Zoë", "lit"]


def test_comments_spaces_and_marks_are_no_tokens(tmp_path):
    comments = "## id-1\tZoë à l'Isère\n#\tsource\tx\n"
    text = comments + "Zoë\tB-PER\n \tI-PER\nÅs\tI-PER\n#\tO\n\n#rain\tO\n\tO\n\ufeff\n#\tO\n\u200b"
    found = read_tagged(write(tmp_path, "a.txt", text))
    assert found.sentences == [["Zoë", "Ås", "#"], ["#rain"], ["#"]]
    assert found.tags == [["B-PER", "I-PER", "O"], ["O"], ["O"]]
    assert "2 tokens left out, as no text shows such" in str(found)


def test_a_span_that_begins_in_a_space_begins_after_it(tmp_path):
    found = read_tagged(write(tmp_path, "a.txt", " \tB-PER\né\tI-PER\n"))
    assert found.tags == [["B-PER"]]


def test_conllu_is_known_without_its_suffix(tmp_path):
    rows = "".join(f"{number}\t{word}\t_\tX\t_\t_\t_\t_\t_\t_\n" for number, word in enumerate("éa", start=1))
    assert read_tagged(write(tmp_path, "a.txt", f"# text = é a\n{rows}")).tags == [["X", "X"]]
