"""Soft targets: strict reading, writing that survives being killed, ensembles against hand-worked means."""

import gzip
import json
from types import SimpleNamespace

import numpy as np
import pytest

from textapp.compress import soft_targets
from textapp.compress.soft_targets import SoftTargets, mean_probabilities, units_of, write_soft_targets
from textapp.errors import InputError
from textapp.task import names, task

LABELS, TAGS = ("плохо", "хорошо"), ("O", "S-地")
OF_TEXTS = SimpleNamespace(
    task=task("classification"),
    names=LABELS,
    lines=[
        {"text": "très bon café ☕", "probs": {"хорошо": 0.9, "плохо": 0.1}},
        {"text": "很 差", "probs": {"плохо": 1, "хорошо": 0}},
    ],
    items=["très bon café ☕", "很 差"],
    probs=[[0.1, 0.9], [1, 0]],
    same="  很\t差\n",
    other="很 好",
    many=[f"текст {number} 好" for number in range(10)],
)
OF_TOKENS = SimpleNamespace(
    task=task("tagging"),
    names=TAGS,
    lines=[
        {"tokens": ["Ōsaka", "!"], "probs": [{"S-地": 0.9, "O": 0.1}, {"O": 1}]},
        {"tokens": ["我", "爱", "x\N{NO-BREAK SPACE}y"], "probs": [{"O": 0.5, "S-地": 0.5}] * 3},
    ],
    items=[["Ōsaka", "!"], ["我", "爱", "x\N{NO-BREAK SPACE}y"]],
    probs=[[0.1, 0.9], [1, 0], [0.5, 0.5], [0.5, 0.5], [0.5, 0.5]],
    same=["我", "爱", "x\ty"],
    other=["我爱", "x", "y"],
    many=[[f"{number}", *"好 ö"[: number % 3]] for number in range(10)],
)
OF_SETS = SimpleNamespace(
    task=task("multilabel"),
    names=("дорого", "плохо"),
    lines=[
        {"text": "très bon café ☕", "probs": {"дорого": 0.9, "плохо": 0.4}},
        {"text": "很 差", "probs": {"плохо": 1, "дорого": 0}},
    ],
    items=["très bon café ☕", "很 差"],
    probs=[[0.9, 0.4], [0, 1]],
    same="  很\t差\n",
    other="很 好",
    many=[f"текст {number} 好" for number in range(10)],
)
KINDS = {"texts": OF_TEXTS, "tokens": OF_TOKENS, "texts of several labels": OF_SETS}
assert {kind.task.name for kind in KINDS.values()} == set(names())


@pytest.fixture(name="kind", params=KINDS.values(), ids=KINDS)
def _kind(request):
    return request.param


def written(path, lines, packed=False):
    content = "".join(f"{line if isinstance(line, str) else json.dumps(line)}\n" for line in lines).encode()
    path.write_bytes(gzip.compress(content) if packed else content)
    return path


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("order", [None, 1, -1])
def test_a_file_is_read(tmp_path, kind, packed, order):
    lines = [*kind.lines, "", {**kind.lines[0], "probs": kind.lines[0]["probs"]}]
    path = written(tmp_path / "мягкие é.jsonl", lines, packed)
    targets = None if order is None else SimpleNamespace(names=kind.names[::order])
    soft = SoftTargets.read(path, kind.task, targets)
    assert soft.targets.names == kind.names[:: order or 1]
    assert len(soft) == 2
    assert soft.probs.dtype == np.float32
    np.testing.assert_allclose(soft.probs, np.array(kind.probs)[:, :: order or 1], rtol=1e-6)
    assert list(soft.items())[:2] == kind.items


def test_items_are_known_by_their_words_whatever_the_white_space(tmp_path, kind):
    soft = SoftTargets.read(written(tmp_path / "f", kind.lines), kind.task)
    assert kind.same in soft
    assert kind.other not in soft
    units = 3 if kind is OF_TOKENS else 1
    np.testing.assert_array_equal(soft.probabilities([kind.same]), soft.probs[-units:])
    backwards = soft.probabilities(kind.items[::-1])
    np.testing.assert_array_equal(backwards, np.roll(soft.probs, units, axis=0))
    assert soft.probabilities([]).shape == (0, 2)


def test_the_same_words_cut_into_other_tokens_are_refused(tmp_path):
    soft = SoftTargets.read(written(tmp_path / "м.jsonl", OF_TOKENS.lines), OF_TOKENS.task)
    with pytest.raises(
        InputError, match=r"м\.jsonl: has 3 tokens of a text that has 4: '我 爱 x y'; .* the same tokens"
    ):
        soft.probabilities([OF_TOKENS.items[0], ["我", "爱", "x", "y"]])


def test_of_an_item_that_stands_there_twice_the_first_line_counts(tmp_path, kind):
    changed = json.loads(json.dumps(kind.lines[1]).replace("0.5", "0.2", 1).replace("0.5", "0.8", 1))
    if kind is not OF_TOKENS:
        changed["probs"] = {name: 1 - prob for name, prob in changed["probs"].items()}
    assert changed != kind.lines[1]
    soft = SoftTargets.read(written(tmp_path / "f", [*kind.lines, changed]), kind.task)
    np.testing.assert_allclose(soft.probs, kind.probs, rtol=1e-6)


def test_sums_a_little_off_become_one(tmp_path):
    probs = {"a": 0.3334, "b": 0.3333, "c": 0.3328}
    for name, line in (("classification", {"text": "好"}), ("tagging", {"tokens": ["好", "x"]})):
        unit = probs if name == "classification" else [probs, probs]
        soft = SoftTargets.read(written(tmp_path / "f", [{**line, "probs": unit}]), task(name))
        np.testing.assert_allclose(soft.probs.sum(axis=1), 1, rtol=1e-6)


def test_the_targets_are_those_that_the_lines_name(tmp_path):
    lines = [{"tokens": ["a", "b"], "probs": [{"B-Ö": 0.5, "O": 0.5}, {"I-Ö": 1}]}]
    for outside, scheme in (("O", "IOB2"), ("X", None)):  # plain tags, where one is of no scheme
        text = json.dumps(lines[0]).replace('"O"', f'"{outside}"')
        soft = SoftTargets.read(written(tmp_path / "f", [text]), task("tagging"))
        assert (soft.targets.scheme, set(soft.targets.names)) == (scheme, {outside, "B-Ö", "I-Ö"})


SUMS = "must sum to 1, within 0.001. Received: 1.002"


@pytest.mark.parametrize(
    ("kind", "line", "rule"),
    [
        (OF_TEXTS, "{", "each line must be a JSON object"),
        (OF_TEXTS, "[1]", "each line must be a JSON object"),
        (OF_TEXTS, '{"probs": {"плохо": 1, "хорошо": 0}}', 'each line must read {"text": '),
        (OF_TEXTS, '{"text": 3, "probs": {"плохо": 1, "хорошо": 0}}', 'each line must read {"text": '),
        (OF_TEXTS, '{"text": "好", "probs": [1, 0]}', '"probs" must be {"NAME": PROBABILITY'),
        (OF_TEXTS, '{"text": "好", "probs": {"плохо": 1}}', "the names must be плохо, хорошо. Received: плохо"),
        (OF_TEXTS, '{"text": "好", "probs": {"плохо": 1, "хорошо": 0, "x": 0}}', "the names must be"),
        (OF_TEXTS, '{"text": "好", "probs": {}}', "Received: none"),
        (OF_TEXTS, '{"text": "好", "probs": {"плохо": 0.5, "хорошо": 0.502}}', SUMS),
        (OF_TEXTS, '{"text": "好", "probs": {"плохо": -0.5, "хорошо": 1.5}}', "from 0 to 1. Received: -0.5 for плохо"),
        (OF_TEXTS, '{"text": "好", "probs": {"плохо": NaN, "хорошо": 1}}', "from 0 to 1. Received: NaN"),
        (OF_TEXTS, '{"text": "好", "probs": {"плохо": true, "хорошо": 0}}', "from 0 to 1. Received: true"),
        (OF_TEXTS, '{"text": "好", "probs": {"плохо": "1", "хорошо": 0}}', 'from 0 to 1. Received: "1"'),
        (OF_TOKENS, "[" * 9999, "each line must be a JSON object"),
        (OF_TOKENS, '{"probs": [{"O": 1}]}', 'each line must read {"tokens": '),
        (OF_TOKENS, '{"tokens": "a", "probs": [{"O": 1}]}', 'each line must read {"tokens": '),
        (OF_TOKENS, '{"tokens": [], "probs": []}', 'each line must read {"tokens": '),
        (OF_TOKENS, '{"tokens": ["a", ""], "probs": [{"O": 1}, {"O": 1}]}', 'each line must read {"tokens": '),
        (OF_TOKENS, '{"tokens": ["a", "b"], "probs": [{"O": 1}]}', '"probs" must be a list of such objects, one for'),
        (OF_TOKENS, '{"tokens": ["a"], "probs": {"O": 1}}', '"probs" must be a list of such objects, one for'),
        (OF_TOKENS, '{"tokens": ["a"], "probs": [1]}', '"probs" must be a list of such objects, one for'),
        (OF_TOKENS, '{"tokens": ["a"], "probs": [{"O": 0.5, "S-地": 0.502}]}', SUMS),
        (OF_TOKENS, '{"tokens": ["a"], "probs": [{}]}', "must sum to 1"),
    ],
)
def test_a_broken_line_is_named(tmp_path, kind, line, rule):
    path = written(tmp_path / "мягкие.jsonl", [kind.lines[0], "", line])
    for targets in (SimpleNamespace(names=kind.names), None):  # given, and taken from the lines
        with pytest.raises(InputError) as error:
            SoftTargets.read(path, kind.task, targets)
        assert str(error.value).startswith(f"{path}:3: ")
        assert rule in str(error.value)


def test_a_tag_that_the_model_lacks_is_named(tmp_path):
    path = written(tmp_path / "f", OF_TOKENS.lines)
    with pytest.raises(InputError, match=r"f:1: the names must be O, S-人. Received: S-地, O"):
        SoftTargets.read(path, OF_TOKENS.task, SimpleNamespace(names=("O", "S-人")))


@pytest.mark.parametrize("content", [b"", b"\n\n"])
def test_an_empty_file_is_refused(tmp_path, kind, content):
    (tmp_path / "f").write_bytes(content)
    with pytest.raises(InputError, match="no soft target in the file"):
        SoftTargets.read(tmp_path / "f", kind.task)


def test_a_file_that_is_not_there_is_named(tmp_path, kind):
    with pytest.raises(InputError, match="нет: No such file"):
        SoftTargets.read(tmp_path / "нет", kind.task)


def teacher(probs, names=LABELS):
    return SimpleNamespace(targets=SimpleNamespace(names=names), probabilities=lambda items: np.array(probs))


def test_teachers_are_averaged_by_name():
    first, second = teacher([[0.9, 0.1], [0.2, 0.8]]), teacher([[0.5, 0.5], [1.0, 0.0]], LABELS[::-1])
    mean = mean_probabilities([first, second], ["a", "б"], LABELS)
    np.testing.assert_allclose(mean, [[0.7, 0.3], [0.1, 0.9]])


class Killed(BaseException):
    """Stands for `kill -9`."""


class Asked:
    """A teacher whose answers depend on the items that it is given together, and that is killed at one of them."""

    def __init__(self, kind, dies_at=None):
        self.kind, self.chunks, self.dies_at = kind, [], dies_at

    def __call__(self, items):
        if self.dies_at in items:
            raise Killed
        self.chunks.append(items)
        numbers = [
            self.kind.many.index(item) + unit for item in items for unit in range(units_of(self.kind.task, item))
        ]
        first = len(items) / 7 / (1 + np.array(numbers))
        return np.stack([first, 1 - first], axis=1)


@pytest.fixture(name="write")
def _write(tmp_path, monkeypatch, kind):
    monkeypatch.setattr(soft_targets, "CHUNK", 4)

    def write(asked, items=None, name="мягкие"):
        path, part = tmp_path / f"{name}.jsonl.gz", tmp_path / f"{name}.part"
        items = kind.many if items is None else items
        reported = []
        write_soft_targets(path, part, kind.task, items, asked, kind.names, reported.append)
        assert reported == [done for done in (4, 8, 10) if done > len(items) - sum(map(len, asked.chunks))]
        return path

    return write


def test_what_is_written_is_read(write, kind):
    asked = Asked(kind)
    soft = SoftTargets.read(write(asked), kind.task, SimpleNamespace(names=kind.names))
    np.testing.assert_allclose(soft.probabilities(kind.many[:4]), Asked(kind)(kind.many[:4]), rtol=1e-4)
    assert [len(chunk) for chunk in asked.chunks] == [4, 4, 2]
    assert list(soft.items()) == kind.many


def test_improbable_tags_are_not_written_down(tmp_path):
    path, probs = tmp_path / "f.gz", np.array([[1 - 1e-9, 1e-9]])
    names, item = OF_TOKENS.names, ["好"]
    write_soft_targets(path, tmp_path / "p", OF_TOKENS.task, [item], lambda _: probs, names, lambda _: None)
    assert json.loads(gzip.decompress(path.read_bytes())) == {"tokens": ["好"], "probs": [{"O": 1.0}]}


@pytest.mark.parametrize("dies_at", [0, 5, 9])
@pytest.mark.parametrize("torn", ["", '{"text": "\N{CYRILLIC SMALL LETTER ER}', '{"text": "h", "tokens": ["h"]}\n'])
def test_a_killed_call_resumes_to_the_same_bytes(write, kind, tmp_path, dies_at, torn):
    whole = write(Asked(kind), name="весь").read_bytes()
    with pytest.raises(Killed):
        write(Asked(kind, kind.many[dies_at]))
    assert not (tmp_path / "мягкие.jsonl.gz").exists()
    with (tmp_path / "мягкие.part").open("ab") as file:
        file.write(torn.encode()[:-1] if torn and not torn.endswith("\n") else torn.encode())
    asked = Asked(kind)
    assert write(asked).read_bytes() == whole
    asked_for = [item for chunk in asked.chunks for item in chunk]
    assert asked_for == kind.many[dies_at // 4 * 4 :]  # whole chunks are kept, and not asked for again
    assert sorted(path.name for path in tmp_path.iterdir()) == ["весь.jsonl.gz", "мягкие.jsonl.gz"]


@pytest.mark.parametrize("change", ["first", "fewer", "shifted"])
def test_other_items_than_before_are_refused(write, kind, tmp_path, change):
    many, other = kind.many, kind.other
    items = {"first": [other, *many[1:]], "fewer": many[:3], "shifted": [*many[1:], other]}[change]
    with pytest.raises(Killed):
        write(Asked(kind, many[5]))
    before = (tmp_path / "мягкие.part").read_bytes()
    with pytest.raises(InputError, match=r"мягкие.part:[1-4]: not the text of the transfer set; .*--force"):
        write(Asked(kind), items)
    assert (tmp_path / "мягкие.part").read_bytes() == before
