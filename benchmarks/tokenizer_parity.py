"""Compares the tokenizers in Python and in the TensorFlow graph on generated strings and on real reviews.

    python -m benchmarks.tokenizer_parity --strings 100000 --data ../shared/data

Every setting of the tokenizers cuts every generated string; the default settings cut every review. It prints one JSON
object on standard output and exits with code 1 if the ids of a text differ.
"""

import argparse
import csv
import itertools
import json
import random
import sys
import tarfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import tensorflow as tf

from textapp.data.graph_tokenizer import GraphTokenizer
from textapp.text import bert
from textapp.text.characters import CLASSES, parse_ranges, replace_surrogates
from textapp.text.normalization import ROLES
from textapp.text.tokenizer import TOKENIZERS, Tokenizer
from textapp.text.vocabulary import Vocabulary

BATCH = 512

ALPHABETS = {
    "ASCII": "20-7E",
    "controls": "0-1F 7F-9F 2028 2029 FEFF FFF9-FFFF",
    "joints": "27 2C 2E 30-31 61-62 B4 2018-2019 300-301 66B 200D",
    "Latin": "41-5A 61-7A C0-24F 300-310 1E00-1EFF",
    "Greek, Cyrillic": "370-52F 300-308",
    "Hebrew, Arabic": "591-5F4 600-6FF FB1D-FB4F FDF0-FDFD",
    "Devanagari, Tamil, Telugu": "900-97F B80-BFF C00-C7F 200C-200D",
    "Thai, Khmer, Tibetan": "E01-E5B 1780-17F9 F00-FDA 200B",
    "Hangul": "AC00-D7A3 1100-11FF 3131-318E FFA0-FFDC",
    "Han, kana": "4E00-4E80 3005-3007 3041-30FF FF01-FF9F 3000-3002 31350 F900-F920 2F800-2F820",
    "emoji": "1F300-1F6FF 1F900-1F9FF 1F1E6-1F1FF 1F3FB-1F3FF 200D FE0F 20E3 23 2A 30-39 E0061-E007F",
    "letter-like": "2100-218F 2460-24FF 1D400-1D7FF FB00-FB06 B2-BE 3300-33FF",
    "surrogates": "D800-DFFF 61 20",
    "newer than the tables": "1E030-1E06D 1CCD6-1CCF9 16D40-16D7F 11F00-11F59 1FAE8 378-379 300-302",
    "any": "0-10FFFF",
    **{f"class {letter}": table for letter, table in CLASSES.items()},
    **{f"role {letter}": table for letter, table in ROLES.items()},
    **{f"BERT's class {letter}": table for letter, table in bert.CLASSES.items()},
}
"""The code points of the strings: scripts, code points named in the rules, and code points unknown to the rules."""


def generate_texts(count: int, seed: int) -> Iterator[str]:
    """Yields random strings of 0 to 60 code points (few of 300) from one to four of the `ALPHABETS`."""
    generator = random.Random(seed)
    alphabets = [parse_ranges(table) for table in ALPHABETS.values()]
    for _ in range(count):
        chosen = generator.choices(alphabets, k=generator.randint(1, 4))
        length = generator.choices([generator.randint(0, 8), generator.randint(9, 60), 300], [60, 39, 1])[0]
        ranges = (generator.choice(generator.choice(chosen)) for _ in range(length))
        yield "".join(chr(generator.randint(first, last)) for first, last in ranges)


def read_reviews(data: Path) -> dict[str, Iterator[str]]:
    """Returns every review of the archives and tables in the data folder, unchanged."""
    imdb = [data / "imdb" / name for name in ("aclImdb_labelled.tar.gz", "aclImdb_unsup.tar.gz")]
    return {
        "imdb": itertools.chain.from_iterable(map(_archived_texts, imdb)),
        "online_shopping": _shopping_reviews(data / "online_shopping_10_cats" / "online_shopping_10_cats.csv"),
    }


def compare(texts: list[str], tokenizer: Tokenizer) -> dict[str, Any]:
    """Tokenizes the texts both ways and reports the differences and the times."""
    start = time.perf_counter()
    words = [tokenizer.words(text) for text in texts]
    python_s = time.perf_counter() - start
    # Every token is known, so that two different tokens never have the same id.
    vocabulary = Vocabulary.build(Counter(itertools.chain.from_iterable(words)), max_size=sys.maxsize, min_count=1)
    expected = [vocabulary.encode(tokens) for tokens in words]

    encoded = [replace_surrogates(text).encode() for text in texts]
    batches = tf.data.Dataset.from_generator(
        lambda: (encoded[start : start + BATCH] for start in range(0, len(encoded), BATCH)),
        output_signature=tf.TensorSpec([None], tf.string),
    ).map(GraphTokenizer(tokenizer, vocabulary))
    start = time.perf_counter()
    ids = [row.tolist() for batch in batches for row in batch.numpy()]
    graph_s = time.perf_counter() - start

    different = [text for text, want, got in zip(texts, expected, ids, strict=True) if want != got]
    return {
        "texts": len(texts),
        "characters": sum(map(len, texts)),
        "tokens": sum(map(len, words)),
        "differences": len(different),
        "first_difference": ascii(different[0]) if different else None,
        "python_s": round(python_s, 2),
        "graph_s": round(graph_s, 2),
    }


def main() -> int:
    """Runs the comparisons of the command line; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--strings", type=int, default=100_000, help="number of generated strings")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--data", type=Path, help="folder with imdb/ and online_shopping_10_cats/")
    arguments = parser.parse_args()

    generated = list(generate_texts(arguments.strings, arguments.seed))
    results: dict[str, dict[str, Any]] = {}
    for tokenizer in TOKENIZERS:
        kind, lowercase, form, *added = tokenizer.to_dict().items()
        name = " ".join([*(str(value) for _, value in (kind, lowercase, form)), *(name for name, _ in added)])
        results[name] = compare(generated, tokenizer)
    for name, reviews in (read_reviews(arguments.data) if arguments.data else {}).items():
        texts = list(reviews)
        for tokenizer in (Tokenizer("word"), Tokenizer("char"), TOKENIZERS[-1]):
            results[f"{name} {tokenizer.kind}"] = compare(texts, tokenizer)
    for name, result in results.items():
        print(f"{name:24}", *(f"{key} {value}" for key, value in result.items()), sep="  ", file=sys.stderr)
    differences = sum(result["differences"] for result in results.values())
    print(json.dumps({"differences": differences, "comparisons": results}))
    return 1 if differences else 0


def _archived_texts(path: Path) -> Iterator[str]:
    """Yields the texts of the `.txt` files with a rating in their names, `NUMBER_RATING.txt`."""
    with tarfile.open(path) as archive:
        for member in archive:
            if member.isfile() and Path(member.name).match("[0-9]*_[0-9]*.txt"):
                file = archive.extractfile(member)
                assert file is not None
                yield file.read().decode("utf-8")


def _shopping_reviews(path: Path) -> Iterator[str]:
    """Yields the reviews of the table."""
    with path.open(encoding="utf-8", newline="") as file:
        yield from (row["review"] for row in csv.DictReader(file))


if __name__ == "__main__":
    sys.exit(main())
