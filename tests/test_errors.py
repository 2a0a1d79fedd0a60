"""A message quotes little of the input, whichever reader writes it."""

import pytest

from textapp.compress.soft_targets import parse_line
from textapp.data.readers import Examples, check_labels, read_examples
from textapp.data.tagged import read_tagged
from textapp.errors import EXCERPT, InputError, list_some, quoted
from textapp.task import task
from textapp.text.vocabulary import Vocabulary
from textapp.vectors.analogies import read_analogies
from textapp.vectors.formats import read_vectors
from textapp.vectors.similarity import read_similarity_set

LONG = "ü" * 1_000_000
DIGITS = "1" * 5_000  # `int` refuses more than 4,300
SPAN = '{"text": "a b", "spans": [{"start": 0, "end": 1, "type": "%s"}]}\n'


def soft_targets(path):
    for number, line in enumerate(path.read_text(encoding="utf-8").split("\n"), start=1):
        parse_line(line, task("classification"), f"{path}:{number}", ["gut", "böse"])


@pytest.mark.parametrize(
    ("read", "name", "content"),
    [
        (read_tagged, "a.conllu", f"{DIGITS}\tThe\t_\tDET\t_\t_\t_\t_\t_\t_\n"),
        (read_tagged, "a.conllu", f"{LONG}\tThe\t_\tDET\t_\t_\t_\t_\t_\t_\n"),
        (read_tagged, "a.txt", f"a O\nb {LONG}\n"),
        (read_tagged, "a.txt", f"a B-X\nb I-{LONG}\n\nc E-X\nd L-X\n"),
        (read_tagged, "a.txt", f"a O\nb I-{LONG}\nc I-X\nd B-{LONG}\ne E-{LONG}\nf E-{LONG}\n"),
        (read_tagged, "a.jsonl", SPAN % f"\\t{LONG}"),
        (read_tagged, "a.jsonl", SPAN.replace("1,", "9" * 4_000 + ",") % "X"),
        (read_tagged, "a.jsonl", SPAN.replace("1,", DIGITS + ",") % "X"),
        (read_examples, "a.tsv", f"{LONG}\tlabel\n"),
        (read_examples, "a.csv", f'text,label\na,"{LONG}\n{LONG}"\n'),
        (read_examples, "a.jsonl", f'"{LONG}"\n'),
        (read_examples, "a.jsonl", f'{{"text": ["{LONG}"], "label": "x"}}\n'),
        (read_examples, "a.jsonl", f'{{"text": "a", "label": {DIGITS}}}\n'),
        (read_examples, "a.jsonl", f'{{"text": "a", "label": {{"{LONG}": 1}}}}\n'),
        (read_examples, "a.txt", f"1 a\n{LONG}\n"),
        (read_vectors, "a.vec", f"2 3\n{LONG} nan 1 2\n"),
        (read_vectors, "a.vec", f"2 3\nx {LONG} 1 2\n"),
        (read_vectors, "a.vec", f"{DIGITS} {DIGITS}\nx 1 2\n"),
        (read_vectors, "a.txt", f"{LONG}\n"),
        (read_similarity_set, "a.txt", f"a b 1\na b {LONG}\n"),
        (read_similarity_set, "a.txt", f"a b 1\na b {DIGITS}\n"),
        (read_analogies, "a.txt", f": {LONG}\na b c d\n: {LONG}\n"),
        (Vocabulary.load, "a.txt", f"[PAD]\n[UNK]\n{LONG}\n{LONG}\n"),
        (soft_targets, "a.jsonl", f'{{"text": "a", "probs": {{"{LONG}": 1.0}}}}'),
        (soft_targets, "a.jsonl", f'{{"text": "a", "probs": {{"gut": "{LONG}", "böse": 0}}}}'),
        (soft_targets, "a.jsonl", f'{{"text": "a", "probs": {{"gut": {DIGITS}, "böse": 0}}}}'),
    ],
)
def test_a_message_names_the_place_and_quotes_little(tmp_path, read, name, content):
    path = tmp_path / name
    path.write_text(content, encoding="utf-8")
    with pytest.raises(InputError) as caught:
        read(path)
    message = str(caught.value)
    assert message.startswith(f"{path}:")
    assert len(message.removeprefix(str(path))) < 600
    assert "ü" * (EXCERPT + 1) not in message
    assert "\n" not in message


def test_names_that_are_not_in_a_file_are_quoted_alike():
    known = [f"{number} {LONG}" for number in range(1000)]
    with pytest.raises(InputError, match=r"the label 'ü{80}'… does not occur in the training data") as caught:
        check_labels(Examples(["a"], [LONG], "a.tsv", [2]), known)
    assert len(str(caught.value)) < 2_000
    with pytest.raises(InputError, match=r"unknown setting ü{80}…") as caught:
        task("classification").config().override([f"{LONG}=1"])
    assert len(str(caught.value)) < 2_000


def test_a_quotation_is_cut_after_80_characters():
    assert quoted("ü" * EXCERPT) == repr("ü" * EXCERPT)
    assert quoted("ü" * 81) == quoted(("ü" * 81).encode()) == repr("ü" * EXCERPT) + "…"
    assert quoted(b"\xff") == repr("\N{REPLACEMENT CHARACTER}")
    assert len(quoted([LONG])) == EXCERPT + 1


def test_a_list_of_many_names_ends_in_their_number():
    assert list_some(["a", "b"]) == "a, b"
    assert list_some(list("abcdefghijk")) == "a, b, c, d, e, f, g, h, 3 more"
