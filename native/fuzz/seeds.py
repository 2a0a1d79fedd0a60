"""Writes bundles as inputs of the fuzz target bundle.c.

python native/fuzz/seeds.py OUT BUNDLE...
"""

import sys
from pathlib import Path

NAMES = (
    *("bundle.json", "model.tflite", "vocabulary.txt", "characters.txt", "labels.txt"),
    *("tags.txt", "crf.json", "ngrams.json", "ngrams.bin", "selftest.json"),
)
TEXT = "Don’t miss Ms Beçoso in 上海! ½㍿ ".encode() + b"\xff"


def seed(folder: Path) -> bytes:
    """A bundle and a text as one input."""
    contents = {number: folder / name for number, name in enumerate(NAMES) if (folder / name).exists()}
    parts = [(number, path.read_bytes()) for number, path in contents.items()]
    return b"".join(bytes([number]) + len(part).to_bytes(4, "little") + part for number, part in parts) + TEXT


def main() -> None:
    """Writes an input for each bundle."""
    out, *folders = map(Path, sys.argv[1:])
    out.mkdir(parents=True, exist_ok=True)
    for number, folder in enumerate(folders):
        (out / f"bundle-{number}").write_bytes(seed(folder))


if __name__ == "__main__":
    main()
