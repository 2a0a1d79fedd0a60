"""Built-in labelled reviews in English and Chinese, to try everything without a file.

The labels are free of noise, yet over a fifth of the reviews cannot be told by their words: they praise one thing and
blame another (`the soup is cold, but the waiters are quick`), deny (`not awful at all`), quote somebody who was wrong,
or set an old thing against a new one. The same templates serve both labels with the good and the bad words exchanged,
so that a bag of words guesses there, while a model that reads in order can learn them all.
"""

import os
import random
from collections.abc import Mapping
from pathlib import Path

from textapp.data.readers import Examples
from textapp.data.samples_chinese import CHINESE
from textapp.data.samples_english import ENGLISH
from textapp.errors import InputError
from textapp.files import write_text

MAX_COUNT = 100_000

_GRAMMARS = {"both": (ENGLISH, CHINESE), "en": (ENGLISH,), "zh": (CHINESE,)}
_SHARE_IN_ORDER = 0.22


def sample_reviews(count: int = 6000, seed: int = 0, language: str = "both") -> Examples:
    """Writes reviews of phones, hotels, films, novels, restaurants and jackets.

    Args:
        count: Number of reviews, from 2 to 100,000. All differ, so that a split has no text on both sides.
        seed: Seed of every choice; the same seed gives the same reviews.
        language: `en`, `zh`, or `both` in equal parts.

    Returns:
        Reviews of 5 to 40 tokens in random order, half of them labelled `negative`, half `positive`.

    Raises:
        InputError: `count` or `language` is not one of those.

    Example:
        >>> print(sample_reviews(count=1000, seed=7))
        built-in reviews: 1,000 examples (negative 500, positive 500)
    """
    if not 2 <= count <= MAX_COUNT:
        raise InputError(f"`count` must be from 2 to {MAX_COUNT:,}. Received: count={count}")
    if language not in _GRAMMARS:
        raise InputError(f"`language` must be one of {', '.join(_GRAMMARS)}. Received: language={language!r}")
    grammars = _GRAMMARS[language]
    generator = random.Random(seed)
    label_of: dict[str, str] = {}
    while len(label_of) < count:
        number = len(label_of)
        positive = number % 2 == 1
        grammar = grammars[number // 2 % len(grammars)]
        text = grammar.write(generator, positive, in_order=generator.random() < _SHARE_IN_ORDER)
        label_of.setdefault(text, "positive" if positive else "negative")
    texts = list(label_of)
    generator.shuffle(texts)
    return Examples(texts, [label_of[text] for text in texts], "built-in reviews")


def write_samples(folder: str | os.PathLike[str], counts: Mapping[str, int], seed: int = 0) -> dict[str, str]:
    """Writes reviews as TSV files without a text in common.

    Args:
        folder: Where the files go.
        counts: Number of reviews by split, such as `{"train": 6000, "test": 800}`.
        seed: As in `sample_reviews`.

    Returns:
        The path of each split's file, `FOLDER/SPLIT.tsv`.
    """
    reviews = sample_reviews(sum(counts.values()), seed)
    rows = iter([f"{text}\t{label}\n" for text, label in zip(reviews.texts, reviews.labels, strict=True)])
    paths = {}
    for split, count in counts.items():
        paths[split] = os.fspath(Path(folder) / f"{split}.tsv")
        write_text(paths[split], "text\tlabel\n" + "".join(next(rows) for _ in range(count)))
    return paths
