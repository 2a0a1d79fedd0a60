"""Small bundles of every task, made from the samples of `tests/samples` and from models that look their scores up."""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from clients.conformance.strings import WORDS
from clients.conformance.table_model import signature_name, table_model
from textapp.runtime.decoding import FORBIDDEN
from textapp.runtime.ngram_model import NgramModel
from textapp.text.ngrams import NgramHash
from textapp.text.tag_set import TagSet
from textapp.text.tokenizer import TOKENIZERS, Tokenizer
from textapp.text.vocabulary import SPECIALS

SAMPLES = Path(__file__).parents[2] / "tests/samples"
FLOAT, INT8 = (1e-5, 1e-5), (0.02, 0.06)
"""Tolerances of logits, and of probabilities, weights and confidences, for models with weights in float32 and in int8.
Int8: kernels round the activations, and a span's confidence is a product over its tokens."""


class Made(NamedTuple):
    """A bundle: its name, its files except bundle.json, the fields of bundle.json, and its two tolerances."""

    name: str
    files: Mapping[str, bytes]
    fields: Mapping[str, Any]
    tolerance: tuple[float, float]

    def write(self, folder: Path) -> Path:
        """Writes the bundle to a new folder."""
        folder.mkdir(parents=True)
        for name, content in self.files.items():
            (folder / name).write_bytes(content)
        hashes = {name: hashlib.sha256(content).hexdigest() for name, content in self.files.items()}
        text = json.dumps({**self.fields, "sha256": hashes}, ensure_ascii=False, indent=1)
        (folder / "bundle.json").write_text(text + "\n", encoding="utf-8")
        return folder


def settings() -> Iterator[tuple[str, dict[str, Any]]]:
    """Yields the name and the settings of every tokenizer."""
    for tokenizer in TOKENIZERS:
        case = "lower" if tokenizer.lowercase else "cased"
        case += ("-breaks" if tokenizer.line_breaks else "") + ("-split" if tokenizer.split_apostrophes else "")
        yield f"{tokenizer.kind}-{tokenizer.normalization}-{case}", tokenizer.to_dict()


def tokenizer_bundles() -> Iterator[Made]:
    """Yields a tagger with two plain tags for each tokenizer. It gives all tokens of a text."""
    tags = {"tags.txt": b"A\nB\n"}
    for name, tokenizer in settings():
        fields = {"tokenizer": tokenizer, **_TAGGER, "tag_scheme": None, "crf": False}
        yield _of_table(f"tokens-{name}", tags, fields, 2, per_token=True)


def bundles() -> Iterator[Made]:
    """Yields bundles of every task, with what their files can have."""
    many = {"task": "multilabel", "thresholds": [0.45, 0.6]}
    char = {"tokenizer": {"kind": "char", "lowercase": True, "normalization": "nfkc"}}
    cased = {"tokenizer": {"kind": "word", "lowercase": False, "normalization": "none"}}
    form = {"word_form": {"lowercase": True, "zero_digits": True, "normalization": "nfc"}}
    ngrams = {"ngrams": True, "temperature": 1.7}
    free = {"crf": False, "retokenize": False}
    yield _sample("classifier", "classifier")
    yield _sample("ngrams", "classifier", ngram_files(2, projected=False), **ngrams, **form)
    yield _sample("multilabel", "classifier", ngram_files(2, projected=True), ngrams=True, **many, **char)
    yield _sample("tagger", "tagger")
    yield _sample("tagger-without-crf", "tagger", remove="crf.json", **free)
    yield _sample("plain-tags", "tagger", remove="crf.json", tag_scheme=None, **free, **cased, **form)
    labels = ["no", "ja ☕", "ſtraße", "好", "5"]
    yield _of_table(
        "table-classifier",
        {"labels.txt": lines_file(labels)},
        {"temperature": 0.7, "task": "classification"},
        len(labels),
    )
    thresholds = [0.2, 0.5, 0.8, 0.99, 0.0]
    fields = {"task": "multilabel", "thresholds": thresholds}
    yield _of_table("table-multilabel", {"labels.txt": lines_file(labels)}, fields, len(labels))
    for scheme in ("IOB2", "IOBES"):
        tags = TagSet.build([["B-PER", "I-PER", "I-PER", "B-地名", "B-地名", "I-地名", "O", "B-a-b"]], scheme)
        files = {"tags.txt": lines_file(tags.tags), "crf.json": crf_file(tags)}
        fields = {**_TAGGER, "tag_scheme": scheme, "crf": True}
        yield _of_table(f"table-tagger-{scheme.lower()}", files, fields, len(tags), per_token=True)


_TAGGER = {"task": "tagging", "retokenize": False}
DESCRIPTION = {
    "format": "textapp-bundle",
    "format_version": 1,
    "textapp_version": "0.1.0",
    "tokenizer": {"kind": "word", "lowercase": True, "normalization": "nfkc"},
    "temperature": 1.0,
    "lowering": "fused",
    "recipe": "float32",
    "metrics": None,
    "checks": None,
    "versions": {},
}


def _of_table(
    name: str, files: Mapping[str, bytes], fields: Mapping[str, Any], classes: int, per_token: bool = False
) -> Made:
    """A bundle of random scores. Its words are tokens of `WORDS` and letters."""
    words = {token: None for word in WORDS for token in Tokenizer(normalization="nfkc").words(word)}
    entries = [*SPECIALS, *words, *map(chr, range(ord("A"), ord("Z") + 1)), "中", "é"]
    seed = int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "big")
    table = np.random.default_rng(seed).normal(size=(len(entries), classes)).astype(np.float32)
    table[0] = 0
    lengths = [6, 24]
    content = {
        "model.tflite": table_model(table, lengths, per_token),
        "vocabulary.txt": lines_file(entries),
        **files,
    }
    named = {"lengths": lengths, "signatures": {str(length): signature_name(length) for length in lengths}}
    return Made(name, content, {**DESCRIPTION, **named, **fields}, FLOAT)


def _sample(name: str, sample: str, files: Mapping[str, bytes] = {}, remove: str = "", **fields: Any) -> Made:
    """A bundle with the model of a sample."""
    folder = SAMPLES / sample / "bundle"
    content = {path.name: path.read_bytes() for path in sorted(folder.iterdir()) if path.name != remove}
    description = json.loads(content.pop("bundle.json"))
    del description["sha256"]
    return Made(name, {**content, **files}, {**description, **fields}, INT8)


def lines_file(lines: Sequence[str]) -> bytes:
    """The content of a file of names."""
    return "".join(f"{line}\n" for line in lines).encode()


def ngram_files(labels: int, projected: bool) -> dict[str, bytes]:
    """The files of a random model of n-grams, of whose rows half are zeros."""
    rng = np.random.default_rng(5)
    columns = 3 if projected else labels
    table = rng.integers(-128, 128, (384, columns), np.int8)
    table[::2] = 0
    return NgramModel(
        hashed=NgramHash(order=3, rows=256, characters=4, character_rows=128),
        table=table,
        scales=rng.normal(size=(2, columns)).astype(np.float32) / 100,
        bias=rng.normal(size=labels).astype(np.float32),
        projection=rng.normal(size=(columns, labels)).astype(np.float32) if projected else None,
        weights=(0.8, 0.35),
    ).files()


def crf_file(tags: TagSet, size: float = 1.0) -> bytes:
    """The content of crf.json: random scores of a CRF, about as large as `size`."""
    scores = dict(zip(("transitions", "start", "end"), crf_scores(tags, np.random.default_rng(3)), strict=True))
    sized = {name: np.where(array == FORBIDDEN, array, size * array) for name, array in scores.items()}
    return json.dumps({name: array.tolist() for name, array in sized.items()}).encode()


def crf_scores(tags: TagSet, rng: np.random.Generator) -> list[Any]:
    """Random scores of a CRF: transitions `(K, K)`, start `(K,)` and end `(K,)`; -10,000 where a tag is forbidden."""
    count, allowed = len(tags), tags.allowed()
    scores = [rng.normal(size=(count, count)), rng.normal(size=count), rng.normal(size=count)]
    if allowed is not None:
        for array, rule in zip(scores, (allowed.matrix, allowed.start, allowed.end), strict=True):
            array[~np.array(rule)] = FORBIDDEN
    return scores
