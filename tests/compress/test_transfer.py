"""The transfer set: its order, what it leaves out, and what of it counts for the vocabulary."""

import json
from types import SimpleNamespace

import numpy as np
import pytest

from textapp.compress.soft_targets import SoftTargets
from textapp.compress.transfer import Transfer
from textapp.data.readers import Examples
from textapp.data.rows import UNLABELLED
from textapp.data.tagged import TaggedExamples
from textapp.data.unlabelled import MASK
from textapp.errors import InputError
from textapp.task import task
from textapp.text.labels import ExclusiveLabels
from textapp.text.tag_set import TagSet

TEXTS = ["très bon café !", "很 хорошо", "not good at all"]
VALID = "Ein Film, den man sieht"


class Everything(SimpleNamespace):
    """A teacher that has an answer for whatever stands not in `unknown`."""

    name, unknown = "учитель", ()

    def __contains__(self, item):
        return item not in self.unknown


KNOWS_ALL = Everything()


def labelled(texts, labels=("1", "1", "0"), name="train.tsv"):
    return Examples(list(texts), list(labels), name)


def tagged(sentences, name="train.txt"):
    return TaggedExamples(sentences, [["O"] * len(tokens) for tokens in sentences], name, "IOB2", "IOB2")


KINDS = {
    "classification": SimpleNamespace(
        train=labelled(TEXTS),
        valid=labelled([VALID], ["0"], "valid.tsv"),
        targets=ExclusiveLabels(("0", "1")),
        cut=lambda texts: list(texts),
        settings={"augment": 3, "mask_rate": 0.5},
    ),
    "tagging": SimpleNamespace(
        train=tagged([text.split() for text in TEXTS]),
        valid=tagged([["Ein", "Film", ",", "den", "man", "sieht"]], "valid.txt"),
        targets=TagSet(("O", "S-LOC"), "IOBES"),
        cut=lambda texts: [text.split() for text in texts],
        settings={},
    ),
}


@pytest.fixture(name="kind", params=KINDS)
def _kind(request, tmp_path):
    """Reads the transfer set of a task, of files with the given lines."""
    kind, found = KINDS[request.param], task(request.param)

    def read(*files, teachers=(KNOWS_ALL,), **settings):
        paths = []
        for number, lines in enumerate(files):
            paths.append(tmp_path / f"ещё {number}.txt")
            paths[-1].write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        config = found.student_preset(None).replaced(**{**kind.settings, **settings})
        tokenizer = found.tokenizer(config)
        return Transfer.read(found, config, kind.train, [kind.valid], kind.targets, tokenizer, paths, teachers)

    return SimpleNamespace(**vars(kind), task=found, read=read)


def texts_of(kind, transfer):
    return [kind.task.item_text(item) for item in transfer.items]


def test_the_order_is_labelled_unlabelled_made_and_doubles_are_left_out(kind):
    files = (["neu", "ein film , den man sieht!", "Not good -- at all", "NEU."], ["neu", "и ещё", " "])
    transfer = kind.read(*files)
    texts = texts_of(kind, transfer)
    assert texts[:5] == [*(" ".join(t.split()) for t in TEXTS), "neu", "и ещё"]
    assert len({text.casefold() for text in texts}) == len(texts)
    kinds = transfer.kinds()
    assert [kinds[name] for name in ("labelled", "unlabelled", "without_soft_targets")] == [3, 2, 0]
    assert kinds["augmented"] == len(texts) - 5
    assert (kinds["augmented"] > 0) == bool(kind.settings)
    again = kind.read(*files)
    assert again.items == transfer.items  # repeatable
    np.testing.assert_array_equal(again.rows.tokens.index, transfer.rows.tokens.index)


def test_rows_are_the_tokens_of_the_items_and_those_without_labels_have_no_target(kind):
    transfer = kind.read(["neu hier"])
    rows = transfer.rows
    assert len(rows.tokens) == len(transfer.items) == len(transfer.has_soft_targets)
    unlabelled = rows.targets[3:] if kind.task.unit == "text" else rows.targets[rows.tokens.offsets[3] :]
    labelled_part = rows.targets[: len(rows.targets) - len(unlabelled)]
    assert set(unlabelled) == {UNLABELLED}
    assert (labelled_part >= 0).all()
    assert len(labelled_part) == (3 if kind.task.unit == "text" else sum(map(len, kind.cut(TEXTS))))
    assert rows.tokens.row(3) == ["neu", "hier"]


def test_long_unlabelled_texts_are_cut_as_the_task_cuts_texts(kind):
    transfer = kind.read(["a b c d e"], max_tokens=4, **dict.fromkeys(kind.settings, 0))
    rows = [transfer.rows.tokens.row(number) for number in range(transfer.labelled, len(transfer.items))]
    assert rows == ([["a", "b", "c", "d"]] if kind.task.unit == "text" else [["a", "b", "c", "d"], ["e"]])


def test_words_of_made_texts_do_not_count(kind):
    transfer = kind.read(["bon café"])
    counts = transfer.rows.tokens.counts(transfer.originals)
    assert [counts[word] for word in ("bon", "café", "!", MASK)] == [2, 2, 1, 0]
    assert transfer.originals == 4


def test_a_text_that_no_teacher_knows_is_labelled_but_not_asked_and_else_left_out(kind):
    train = kind.cut(TEXTS)
    teachers = [KNOWS_ALL, Everything(unknown=[train[1], kind.cut(["neu"])[0]])]
    transfer = kind.read(["neu", "alt"], teachers=teachers)
    assert transfer.has_soft_targets.tolist()[:4] == [True, False, True, True]
    assert texts_of(kind, transfer)[3] == "alt"
    assert transfer.kinds()["without_soft_targets"] == 1
    with pytest.raises(InputError, match=r"учитель, учитель: knows none of the texts of train\.t"):
        kind.read(teachers=[KNOWS_ALL, Everything(unknown=train)])


def test_a_file_of_soft_targets_brings_its_items(kind, tmp_path):
    unit = dict(zip(kind.targets.names, (1, 0), strict=True))
    with (tmp_path / "мягкие").open("w", encoding="utf-8") as file:
        for item in kind.cut([*TEXTS, "noch ein", VALID.upper()]):
            probs = unit if kind.task.unit == "text" else [unit] * len(item)
            file.write(json.dumps({**kind.task.item_to_json(item), "probs": probs}) + "\n")
    soft = SoftTargets.read(tmp_path / "мягкие", kind.task)
    transfer = kind.read(["neu"], teachers=[soft], **dict.fromkeys(kind.settings, 0))
    assert texts_of(kind, transfer)[3:] == ["noch ein"]  # no text that it does not know, none that is held out


def test_a_held_out_text_is_never_made():
    found = task("classification")
    config = found.student_preset(None).replaced(augment=300, mask_rate=0.5)
    train, valid = labelled(["gut gut", "x"], ["0", "1"]), labelled(["Gut!", MASK], ["0", "1"])
    transfer = Transfer.read(
        found, config, train, [valid], ExclusiveLabels(("0", "1")), found.tokenizer(config), (), [KNOWS_ALL]
    )
    assert set(transfer.items[transfer.originals :]) == {f"gut {MASK}", f"{MASK} gut", f"{MASK} {MASK}"}
