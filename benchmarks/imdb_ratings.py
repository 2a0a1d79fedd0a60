r"""Writes reviews of IMDb with their ratings, 1 to 10, for a regressor.

    python -m benchmarks.imdb_ratings --data ../shared/data --out saved_models/imdb_ratings
    cd saved_models/imdb_ratings
    textapp train regressor --train train.jsonl --valid valid.jsonl --test test.jsonl --preset reviews --out run \
        --set encoder=convolution --set max_tokens=256 --set epochs=5

The ratings stand in the names of the files: `test/pos/4715_9.txt` has 9 of 10. No review has 5 or 6. 5,000 reviews of
the training split are for training and 1,000 others for validation, and 5,000 of the test split for the test, chosen by
the SHA-1 of their names. The training prints the scores of its baseline, ridge regression over TF-IDF n-grams of the
same reviews, too; `metrics.json` of the run has all of them.
"""

import argparse
import hashlib
import json
import re
import tarfile
from pathlib import Path

from textapp.files import write_text

REVIEW = re.compile(r"aclImdb/(train|test)/(?:pos|neg)/\d+_(\d+)\.txt")
SIZES = {"train": 5_000, "valid": 1_000, "test": 5_000}


def write_ratings(archive: Path, out: Path) -> dict[str, int]:
    """Writes `train.jsonl`, `valid.jsonl` and `test.jsonl`, and counts their reviews."""
    splits: dict[str, list[tuple[str, str]]] = {"train": [], "test": []}
    with tarfile.open(archive) as members:
        for member in members:
            found = REVIEW.fullmatch(member.name)
            file = members.extractfile(member) if found else None
            if found is None or file is None:
                continue
            line = json.dumps({"text": file.read().decode("utf-8"), "label": int(found[2])}) + "\n"
            splits[found[1]].append((hashlib.sha1(member.name.encode()).hexdigest(), line))
    lines = [line for _, line in sorted(splits["train"])]
    parts = {"train": lines[: SIZES["train"]], "valid": lines[SIZES["train"] :][: SIZES["valid"]]}
    parts["test"] = [line for _, line in sorted(splits["test"])][: SIZES["test"]]
    for name, part in parts.items():
        write_text(out / f"{name}.jsonl", "".join(part))
    return {name: len(part) for name, part in parts.items()}


def main() -> None:
    """Reads the archive of the data sets."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of the data sets")
    parser.add_argument("--out", type=Path, default=Path("saved_models/imdb_ratings"), help="folder for the files")
    arguments = parser.parse_args()
    print(write_ratings(arguments.data / "imdb/aclImdb_labelled.tar.gz", arguments.out))


if __name__ == "__main__":
    main()
