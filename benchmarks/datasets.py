"""The files of the splits of public data sets. It makes the splits that some data sets lack."""

import csv
import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from textapp.data.readers import Examples, read_examples
from textapp.data.splits import drop_duplicates
from textapp.files import read_json, write_text

Row = tuple[str, str]
"""A text and its label."""

PARTS = ("train", "valid", "test")
FILES = {
    "sst2": ("stsa.binary.train", "stsa.binary.dev", "stsa.binary.test"),
    "conll2003": ("eng.train", "eng.testa", "eng.testb"),
    "resume_ner": ("train.char.bmes", "dev.char.bmes", "test.char.bmes"),
    "ncbi_disease": ("train.tsv", "devel.tsv", "test.tsv"),
    "ud_english_ewt": ("en_ewt-ud-train.conllu", "en_ewt-ud-dev.conllu", "en_ewt-ud-test.conllu"),
    "snips": PARTS,  # folders of slots are the splits themselves
    "atis": PARTS,
}
PHRASES = "sst2/glue_phrases_train.tsv"


def files(name: str, data: Path, work: Path) -> dict[str, Any]:
    """The splits of a data set by name; without `valid`, training takes a share of `train`.

    `clinc150` also has `outside_valid` and `outside_test`: texts that no label fits.

    Args:
        name: A folder of the data sets; `sst2_phrases` for SST-2 with the phrases of its training sentences; with
            `_intents` at the end, the sentences of slot-filling folders and their intents.
        data: Folder of the data sets.
        work: Folder for new splits.
    """
    if name == "imdb":
        archive = data / "imdb/aclImdb_labelled.tar.gz"
        return {"train": f"{archive}#train", "valid": None, "test": f"{archive}#test"}
    if name == "online_shopping":
        return split_online_shopping(
            data / "online_shopping_10_cats/online_shopping_10_cats.csv", work / name / "splits"
        )
    if name == "ag_news":
        return {"train": str(data / name / "train.csv"), "valid": None, "test": str(data / name / "test.csv")}
    if name == "trec":
        parts = tenths(read_examples(data / name / "train.txt"), {1: "valid"})
        return {**write_splits(parts, work / name / "splits"), "test": str(data / name / "test.txt")}
    if name == "customer_reviews":
        examples, _ = drop_duplicates(read_examples(data / name / "custrev.all"))
        return write_splits(tenths(examples, {0: "test", 1: "valid"}), work / name / "splits")
    if name == "chnsenticorp":
        files_of = zip(PARTS, ("train", "dev", "test"), strict=True)
        read = {part: read_examples(data / name / f"{file}.tsv", "text_a") for part, file in files_of}
        return write_splits({part: examples_rows(of_part) for part, of_part in read.items()}, work / name / "splits")
    if name == "clinc150":
        return write_splits(clinc150_parts(data / name / "data_full.json"), work / name / "splits")
    if name == "msra_ner":
        train, test = (data / name / f"{part}.txt" for part in ("train", "test"))
        return {**hold_out_every_20th(train, work / "msra"), "test": str(test)}
    if name == "sst2_phrases":
        return {**files("sst2", data, work), "train": str(data / PHRASES)}
    folder = name.removesuffix("_intents")
    splits = {part: str(data / folder / file) for part, file in zip(PARTS, FILES[folder], strict=True)}
    if folder != name:
        splits["valid"] = known_alone(splits["train"], splits["valid"], work / name / "valid.jsonl")
    return splits


def split_online_shopping(path: Path, folder: Path) -> dict[str, str]:
    """Splits by the SHA-1 of the raw review, without duplicates and empty reviews: the rule of the data's README."""
    texts: dict[str, str] = {}
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            if row["review"].strip():
                texts.setdefault(row["review"], row["label"])
    examples = Examples(list(texts), list(texts.values()), str(path))
    return write_splits(tenths(examples, {0: "test", 1: "valid"}), folder)


def tenths(examples: Examples, part_of: dict[int, str]) -> dict[str, list[Row]]:
    """Splits examples by the SHA-1 of the text, modulo 10; a tenth that is not in `part_of` is for training."""
    parts: dict[str, list[Row]] = {"train": [], **{part: [] for part in part_of.values()}}
    for text, label in examples_rows(examples):
        tenth = int(hashlib.sha1(text.encode()).hexdigest(), 16) % 10
        parts[part_of.get(tenth, "train")].append((text, label))
    return parts


def clinc150_parts(path: Path) -> dict[str, list[Row]]:
    """The parts of CLINC150; the out-of-scope texts for training are left out, because no label fits them."""
    names = {
        "train": "train",
        "valid": "val",
        "test": "test",
        "outside_valid": "oos_val",
        "outside_test": "oos_test",
    }
    content = read_json(path)
    return {part: [(text, label) for text, label in content[name]] for part, name in names.items()}


def examples_rows(examples: Examples) -> list[Row]:
    """The texts of examples with their labels."""
    return list(zip(examples.texts, examples.labels, strict=True))


def write_splits(parts: dict[str, list[Row]], folder: Path) -> dict[str, str]:
    """Writes each part as JSON lines, and returns the files."""
    return {name: write_rows(rows, folder / f"{name}.jsonl") for name, rows in parts.items()}


def write_rows(rows: Iterable[Row], path: Path) -> str:
    """Writes texts and labels as JSON lines, and returns the file."""
    lines = (json.dumps({"text": text, "label": label}, ensure_ascii=False) + "\n" for text, label in rows)
    write_text(path, "".join(lines))
    return str(path)


def hold_out_every_20th(path: Path, work: Path) -> dict[str, str]:
    """MSRA has no validation split: every 20th piece of the training split, as the data's README says."""
    pieces = path.read_text(encoding="utf-8").strip("\n").split("\n\n")
    parts = {
        "train": [piece for number, piece in enumerate(pieces, 1) if number % 20],
        "valid": pieces[19::20],
    }
    for name, of_part in parts.items():
        write_text(work / f"{name}.txt", "\n\n".join(of_part) + "\n")
    return {name: str(work / f"{name}.txt") for name in parts}


def known_alone(train: str, held_out: str, out: Path) -> str:
    """Writes a held-out file without labels that training lacks, such as those of ATIS; textapp refuses them.

    Returns:
        The new file; `held_out` itself if it has no such label.
    """
    known, examples = set(read_examples(train).labels), read_examples(held_out)
    rows = [(text, label) for text, label in examples_rows(examples) if label in known]
    return held_out if len(rows) == len(examples) else write_rows(rows, out)
