"""The files of the splits of public data sets. It makes the splits that some data sets lack."""

import csv
import hashlib
import json
from pathlib import Path
from typing import Any

from textapp.data.readers import read_examples
from textapp.files import write_text

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
    splits: dict[str, list[dict[str, str]]] = {part: [] for part in PARTS}
    seen = set()
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            if row["review"].strip() and row["review"] not in seen:
                seen.add(row["review"])
                part = int(hashlib.sha1(row["review"].encode()).hexdigest(), 16) % 10
                splits[{0: "test", 1: "valid"}.get(part, "train")].append(
                    {"text": row["review"], "label": row["label"]}
                )
    for name, rows in splits.items():
        write_text(folder / f"{name}.jsonl", "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
    return {name: str(folder / f"{name}.jsonl") for name in splits}


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


def known_alone(train: str, valid: str, out: Path) -> str:
    """Writes a validation file without labels that training lacks, such as one of ATIS; textapp refuses them."""
    known, examples = set(read_examples(train).labels), read_examples(valid)
    pairs = zip(examples.texts, examples.labels, strict=True)
    lines = [json.dumps({"text": text, "label": label}) + "\n" for text, label in pairs if label in known]
    if len(lines) == len(examples):
        return valid
    write_text(out, "".join(lines))
    return str(out)
