"""Makes the golden files that the core and every client must pass. README.md describes them to the byte.

    python clients/conformance/make.py OUT [--count 100000]

All answers come from the Python runtime: NumPy, LiteRT and Python's own text code. The same version and count give the
same files.
"""

import argparse
import sys
from collections.abc import Iterable
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[2])]

from clients.conformance import golden  # noqa: E402
from clients.conformance.bundles import Made, bundles, tokenizer_bundles  # noqa: E402
from clients.conformance.strings import strings  # noqa: E402
from textapp.errors import InputError  # noqa: E402
from textapp.output_files import replacing_folder  # noqa: E402
from textapp.runtime import load  # noqa: E402

MOST_TEXTS = 2000
"""Texts that are predicted by each bundle at most."""


def make(out: Path, count: int = 100_000) -> None:
    """Writes the files of `count` strings to a new folder.

    Raises:
        InputError: The folder exists, or cannot be written.
    """
    with replacing_folder(out, lambda _: ()) as folder:
        index = [_index("strings", "strings.txt", count)]
        _write(folder / "strings.txt", (golden.points(text, " ") for text in strings(count)))
        for made in tokenizer_bundles():
            tokenizer = load(_bundle(folder, made), engine="litert").tokenizer
            file = f"{made.name}.txt"
            _write(folder / file, golden.token_lines(tokenizer, strings(count)))
            index.append(_index("tokens", file, count, f"bundles/{made.name}"))
        lines = _write(folder / "code-points.txt", golden.code_point_lines())
        index.append(_index("code-points", "code-points.txt", lines))
        lines = _write(folder / "decoder.txt", golden.decoder_lines())
        index.append(_index("decoder", "decoder.txt", lines))
        texts = golden.texts(min(count, MOST_TEXTS))
        for made in bundles():
            predictor = load(_bundle(folder, made), engine="litert")
            file = f"predictions-{made.name}.txt"
            lines = _write(folder / file, golden.prediction_lines(predictor, texts, made.tolerance[0]))
            tolerances = map("{:g}".format, made.tolerance)
            index.append(_index("predictions", file, lines, f"bundles/{made.name}", predictor.task, *tolerances))
        _write(folder / "index.txt", index)


def _bundle(folder: Path, made: Made) -> Path:
    """Writes a bundle."""
    return made.write(folder / "bundles" / made.name)


def _index(*fields: object) -> str:
    """A line of index.txt."""
    return "\t".join(map(str, fields))


def _write(path: Path, lines: Iterable[str]) -> int:
    """Writes lines; returns their number."""
    count = 0
    with path.open("w", encoding="ascii", newline="\n") as file:
        for line in lines:
            file.write(f"{line}\n")
            count += 1
    return count


def main() -> int:
    """Makes the files."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, help="a new folder")
    parser.add_argument("--count", type=int, default=100_000, help="strings; by default 100,000")
    arguments = parser.parse_args()
    try:
        make(arguments.out, arguments.count)
    except InputError as error:
        print(f"make.py: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
