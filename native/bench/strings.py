"""Counts the texts on which the core's tokenizer and Python's differ, in all settings.

    python native/bench/strings.py [COUNT]

Tokens and their places in bytes are compared, on ordinary and hostile texts (`tests/native/core_text.py`), 100,000 by
default in each setting. It exits with 1 if one differs.
"""

import ctypes
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "native")]

from core_text import CoreTokenizer, contents, decoded  # noqa: E402

from native import library  # noqa: E402
from textapp.text.tokenizer import TOKENIZERS, Tokenizer  # noqa: E402


def differences(core: CoreTokenizer, tokenizer: Tokenizer, count: int) -> int:
    """The number of different texts; prints the first of them."""
    different = 0
    for content in contents(count, seed=20):
        text, places = decoded(content)
        right = [(token.text, places[token.start], places[token.end]) for token in tokenizer.tokenize(text)]
        if core(content) != right:
            different += 1
            if different < 4:
                print(content, core(content), right, sep="\n")
    return different


def main() -> None:
    """Compares in each setting."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, library.name())
        library.build(path, library.compiler(), options=[*library.COMPILE, "-fvisibility=default"])
        core = ctypes.CDLL(str(path))
    total = 0
    for tokenizer in TOKENIZERS:
        different = differences(CoreTokenizer(core, **tokenizer.to_dict()), tokenizer, count)
        settings = f"{tokenizer.kind:4} {tokenizer.normalization:4} lowercase={tokenizer.lowercase!s:5}"
        settings += "".join(f" {name}" for name in list(tokenizer.to_dict())[3:])
        print(f"{settings}  {count:,} texts, {different:,} different", flush=True)
        total += different
    sys.exit(total > 0)


if __name__ == "__main__":
    main()
