"""Trains fastText's classifier within a budget of bytes. Its autotune chooses the settings and quantizes the tables."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from textapp.data.readers import Examples, read_examples
from textapp.files import replacing
from textapp.text.tokenizer import Tokenizer

TUNING_SECONDS = 300  # five minutes, fastText's own default
CUT = Tokenizer("word")


def train_fasttext(
    train: str, valid: str, test: str, work: Path, budget: int, seed: int, more: Sequence[str] = ()
) -> dict[str, Any]:
    """Trains and quantizes a model of at most `budget` bytes; `more` are labelled texts besides those of `train`.

    textapp's tokenizer cuts and lower-cases the words (Chinese into characters), as for the students. Autotune reads
    only the validation texts; its settings include n-grams of words and of characters.
    """
    import fasttext  # here, as the tables of finished rows do not need it

    examples = {"train": [read_examples(path) for path in (train, *more)], "valid": [read_examples(valid)]}
    files = {name: write_lines(parts, work / f"fasttext_{name}.txt") for name, parts in examples.items()}
    began = time.monotonic()
    model = fasttext.train_supervised(
        str(files["train"]),
        autotuneValidationFile=str(files["valid"]),
        autotuneModelSize=f"{budget // 1000}K",
        autotuneDuration=TUNING_SECONDS,
        seed=seed,
        thread=1,
        verbose=0,
    )
    out = work / f"fasttext_{budget}_{seed}.ftz"
    with replacing(out) as temporary:
        model.save_model(str(temporary))
    scores = {"test": model.test(str(write_lines([read_examples(test)], work / "fasttext_test.txt")))}
    scores["valid"] = model.test(str(files["valid"]))
    return {
        **{name: precision for name, (_, precision, _) in scores.items()},
        "bytes": out.stat().st_size,
        "settings": {name: getattr(model.f.getArgs(), name) for name in ("dim", "epoch", "lr", "wordNgrams", "minn")},
        "minutes": (time.monotonic() - began) / 60,
    }


def write_lines(parts: Sequence[Examples], path: Path) -> Path:
    """Writes `__label__L word word ...`, one text a line."""
    with replacing(path) as temporary, temporary.open("w", encoding="utf-8") as file:
        for part in parts:
            for text, label in zip(part.texts, part.labels, strict=True):
                words = [word for word in CUT.words(text) if not word.startswith("__label__")]
                file.write(f"__label__{label} {' '.join(words)}\n")
    return path
