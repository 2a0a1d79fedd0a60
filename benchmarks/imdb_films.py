"""Splits IMDb's training reviews by films: the validation split has no film of the training split.

    python -m benchmarks.imdb_films --data ../shared/data --out saved_models/imdb_films

A random validation split has other reviews of the films of the training split, and the names of films and actors reveal
the label. The test split has other films. So settings of the preset `reviews` are better chosen on this split:

    cd saved_models/imdb_films
    textapp train classifier --train train.jsonl --valid valid.jsonl --preset reviews --set seed=100 --out run

A tenth of the films, by the SHA-1 of their number, and 2,523 of 25,000 reviews are held out.
"""

import argparse
import hashlib
import json
import re
import tarfile
from pathlib import Path

from textapp.files import write_text

REVIEW = re.compile(r"aclImdb/train/(pos|neg)/(\d+)_\d+\.txt")
FILMS = re.compile(r"aclImdb/train/urls_(pos|neg)\.txt")  # line n names the film of review n


def divide(archive: Path, out: Path) -> dict[str, int]:
    """Writes `train.jsonl` and `valid.jsonl`, and counts their reviews."""
    films: dict[str, list[str]] = {}
    reviews: list[tuple[str, int, str]] = []
    with tarfile.open(archive) as members:
        for member in members:
            review, list_of_films = REVIEW.fullmatch(member.name), FILMS.fullmatch(member.name)
            if review is None and list_of_films is None:
                continue
            file = members.extractfile(member)
            assert file is not None
            content = file.read().decode("utf-8")
            if review is not None:
                reviews.append((review[1], int(review[2]), content))
            elif list_of_films is not None:
                films[list_of_films[1]] = re.findall(r"tt\d+", content)
    parts: dict[str, list[str]] = {"train": [], "valid": []}
    for label, number, text in reviews:
        tenth = int(hashlib.sha1(films[label][number].encode()).hexdigest(), 16) % 10
        parts["train" if tenth else "valid"].append(json.dumps({"text": text, "label": label}) + "\n")
    for name, lines in parts.items():
        write_text(out / f"{name}.jsonl", "".join(lines))
    return {name: len(lines) for name, lines in parts.items()}


def main() -> None:
    """Divides the archive of the data sets."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of the data sets")
    parser.add_argument("--out", type=Path, default=Path("saved_models/imdb_films"), help="folder for the two files")
    arguments = parser.parse_args()
    print(divide(arguments.data / "imdb/aclImdb_labelled.tar.gz", arguments.out))


if __name__ == "__main__":
    main()
