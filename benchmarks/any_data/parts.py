"""The parts of a data set that every model gets: samples with few labels, and folds of the training part."""

import random
from collections import Counter
from pathlib import Path
from typing import NamedTuple

from benchmarks.datasets import examples_rows, files, known_alone, write_rows
from textapp.data.readers import Examples, read_examples
from textapp.data.splits import drop_duplicates, drop_overlap, split_examples

ALL = "all"
SIZES = ("200", "1000", ALL)
FOLDS = 5
VALID_SHARE = 0.1  # of the training part, where a set has no validation part
VALID_OF_SIZE = 0.25  # most validation texts, as a share of the training texts of a sample


class Parts(NamedTuple):
    """The files of the parts, as JSON lines.

    Attributes:
        train: Texts to learn from.
        valid: Texts to stop or to tune on; all their labels are in `train`.
        test: Texts to score. Their labels may be missing in `train`: then no model is right.
        outside_valid: Texts that no label fits, to choose a threshold on; None without such texts.
        outside_test: Texts that no label fits, to score.
    """

    train: str
    valid: str
    test: str
    outside_valid: str | None = None
    outside_test: str | None = None

    @property
    def held_out(self) -> dict[str, str]:
        """The files of all parts but `train`, by name."""
        return {name: path for name, path in self._asdict().items() if name != "train" and path is not None}


def whole_parts(name: str, data: Path, work: Path) -> Parts:
    """All labels of a classification set, written once.

    The test part is as published. Texts that equal a test text are dropped from the other parts, and texts of the
    validation part and duplicates from the training part, as `textapp train` would do. A set without a validation part
    gets a tenth of the training part, drawn by seed 0.
    """
    folder = work / name / ALL
    if not (folder / "test.jsonl").exists():  # written last
        paths = files(name, data, work)
        train, test = (read_examples(paths[part]) for part in ("train", "test"))
        for part in ("outside_valid", "outside_test"):
            if part in paths:
                write_rows(examples_rows(read_examples(paths[part])), folder / f"{part}.jsonl")
        if paths["valid"] is None:
            train, _ = drop_duplicates(train)
            train, valid, _ = split_examples(train, VALID_SHARE, seed=0)
        else:
            valid = read_examples(paths["valid"])
        write_parts(train, valid, test, folder)
    return parts_in(folder)


def sample_parts(whole: Parts, size: int, seed: int, folder: Path) -> Parts:
    """A sample of `size` training texts, of each class at least one, and a quarter as many validation texts.

    A user with few labels has no large validation part either. No model gets a label beyond these.

    Args:
        whole: All labels of the set.
        size: Number of training texts.
        seed: Seed of the choice. The sample of a larger size includes that of a smaller one.
        folder: Folder for the files.
    """
    train, valid = read_examples(whole.train), read_examples(whole.valid)
    train = train.select(stratified(train.labels, size, seed, each=True))
    valid = valid.select(stratified(valid.labels, round(size * VALID_OF_SIZE), seed))
    parts = {"train": train, "valid": valid}
    paths = {name: write_rows(examples_rows(part), folder / f"{name}.jsonl") for name, part in parts.items()}
    valid_path = known_alone(paths["train"], paths["valid"], folder / "valid_known.jsonl")
    return Parts(paths["train"], valid_path, whole.test)


def fold_parts(whole: Parts, fold: int, seed: int, folder: Path) -> Parts:
    """One of five folds: a fifth of the training part is the test part, the rest and the validation part are kept.

    Args:
        whole: All labels of the set.
        fold: Number of the fold, from 1 to 5.
        seed: Seed of the division, which has the same share of each class in each fold.
        folder: Folder for the files.
    """
    train = read_examples(whole.train)
    order = list(range(len(train)))
    random.Random(seed).shuffle(order)
    order.sort(key=train.labels.__getitem__)
    held_out = set(order[fold - 1 :: FOLDS])
    rest = train.select(index for index in range(len(train)) if index not in held_out)
    write_parts(rest, read_examples(whole.valid), train.select(sorted(held_out)), folder)
    return parts_in(folder)


def stratified(labels: list[str], size: int, seed: int, each: bool = False) -> list[int]:
    """Positions of a random sample with the shares of the classes, in rising order.

    Args:
        labels: The label of each text.
        size: Number of texts to choose; all if there are fewer.
        seed: Seed of the choice.
        each: Whether each class has a text, however rare it is, as far as `size` allows.
    """
    order = list(range(len(labels)))
    random.Random(seed).shuffle(order)
    counts, seen = Counter(labels), Counter[str]()
    keys: dict[int, tuple[bool, float]] = {}
    for position in order:
        label = labels[position]
        # The texts of a class are evenly spaced from 0 to 1, so that each start of the order has all shares.
        keys[position] = (each and seen[label] > 0, (seen[label] + 0.5) / counts[label])
        seen[label] += 1
    return sorted(sorted(order, key=keys.__getitem__)[:size])


def write_parts(train: Examples, valid: Examples, test: Examples, folder: Path) -> None:
    """Drops duplicates and leaks, and writes the parts; the test part last."""
    valid, _ = drop_overlap(valid, test)
    train, _ = drop_duplicates(train)
    train, _ = drop_overlap(train, valid, test)
    known = set(train.labels)
    valid = valid.select(index for index, label in enumerate(valid.labels) if label in known)
    for name, part in (("train", train), ("valid", valid), ("test", test)):
        write_rows(examples_rows(part), folder / f"{name}.jsonl")


def parts_in(folder: Path) -> Parts:
    """The files of the parts that a folder has."""
    found = {name: folder / f"{name}.jsonl" for name in Parts._fields}
    return Parts(**{name: str(path) for name, path in found.items() if path.exists()})
