"""What a bundle computes for a dozen texts, so that a reader in another language or on another device can test itself.

`selftest.json` holds a `tolerance` of logits, and `texts`. Each has

| field | content |
|---|---|
| `text` | the text, at most 1,024 bytes of UTF-8 |
| `tokens` | `[text, start, end]` of each token that the model reads, offsets in code points |
| `ids` | the inputs of the model: name -> a number or a list of numbers for each token |
| `logits` | of the labels, or of all tags of the first token, then of the second, ...; null where they are infinite |
| `label`, or `labels`, or `tags` and `spans` | the prediction; a span is `[type, start, end]` |

Tokens and ids are the same everywhere. Logits may differ by the tolerance, as devices add in different orders. The
prediction is the one that follows from the logits in the file.

The texts come from the vocabulary and from a list, so that none of the examples gets into the bundle.
"""

import json
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from textapp.runtime.predictor import Predictor

TEXTS = (
    "",
    " \N{ZERO WIDTH SPACE}\N{SOFT HYPHEN}\t",
    "Don’t miss ３．５ stars: U.S. e-mail, 1,000.50 à 80s!",
    "Cafe\N{COMBINING ACUTE ACCENT} ½ ﬁne 👍🏽 好吃！ ㍿ﷺ",
    "안녕하세요 สวัสดี नमस्ते ｶﾞｷﾞ İSTANBUL ΣΊΣΥΦΟΣ مرحبا",
)
_OF_VOCABULARY = (1, 3, 6, 9, 12, 15, 40)
"""The number of words of each text that is made from the vocabulary."""

_MOST_BYTES = 1024
_WEIGHTS_IN_FLOATS = ("float32", "float16")


def selftest(predictor: Predictor, recipe: str) -> bytes:
    """The content of selftest.json.

    Args:
        predictor: A predictor of the bundle, which runs its model.
        recipe: How the model's weights are stored.
    """
    rows = [_recorded(predictor, text) for text in (*TEXTS, *_texts(predictor.encoder.vocabulary.tokens[2:]))]
    largest = max((abs(number) for row in rows for number in row["logits"] or ()), default=0.0)
    tolerance = 1e-5 * max(1.0, largest) if recipe in _WEIGHTS_IN_FLOATS else 0.02
    lines = ",\n".join(json.dumps(row, ensure_ascii=False, allow_nan=False) for row in rows)
    return f'{{"tolerance": {tolerance:.3g}, "texts": [\n{lines}\n]}}\n'.encode()


def _texts(words: Sequence[str]) -> Iterator[str]:
    """Texts of words that lie far apart in the vocabulary, some with a capital."""
    for number, count in enumerate(_OF_VOCABULARY):
        places = [(number * 7 + place * place * 5 + place) % max(1, len(words)) for place in range(count)]
        chosen = [words[place] for place in places if place < len(words)]
        text = " ".join(word.title() if place % 5 == 0 else word for place, word in enumerate(chosen))
        yield text.encode()[:_MOST_BYTES].decode("utf-8", "ignore") + ("." if number % 2 else "")


def _recorded(predictor: Predictor, text: str) -> dict[str, Any]:
    """A text and what the predictor makes of it."""
    text = text.encode()[:_MOST_BYTES].decode("utf-8", "ignore")
    tokens, logits, result = predictor.recorded(text)
    inputs = predictor.encode([token.text for token in tokens])
    return {
        "text": text,
        "tokens": [list(token) for token in tokens],
        "ids": {name: ids.tolist() for name, ids in inputs.items()},
        # Nine digits tell all float32 apart.
        "logits": [float(f"{one:.9g}") for one in logits.ravel().tolist()] if np.isfinite(logits).all() else None,
        **result,
    }
