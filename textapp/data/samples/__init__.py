"""Built-in labelled reviews in English and Chinese, for trials without a file.

All labels are right, but for over a fifth of the reviews the words without their order do not determine the label. Such
reviews praise one thing and criticize another (`the soup is cold, but the waiters are quick`), negate (`not awful at
all`), quote somebody who was wrong, or compare an old thing with a new one. The same templates give reviews of both
labels, with good and bad words exchanged. A bag of words can only guess these labels; a model that reads words in order
can learn all of them.

The words and templates of a language are in a TOML file beside this one.
"""

import functools
import os
import random
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from textapp.data.readers import Examples
from textapp.errors import InputError
from textapp.files import read_bytes
from textapp.output_files import check_output, write_output

MAX_COUNT = 100_000

_LANGUAGES = {"both": ("english", "chinese"), "en": ("english",), "zh": ("chinese",)}
_SHARE_BY_ORDER = 0.22
_OPENING_SHARE = 0.3
_CLOSING_SHARE = 0.2


def sample_reviews(count: int = 6000, seed: int = 0, language: str = "both") -> Examples:
    """Makes reviews of phones, hotels, films, novels, restaurants and jackets.

    Args:
        count: Number of reviews, from 2 to 100,000. All differ, so that no text is in two splits.
        seed: Seed of every choice; the same seed gives the same reviews.
        language: `en`, `zh`, or `both` in equal parts.

    Returns:
        Reviews of 5 to 40 tokens in random order, half of them labelled `negative`, half `positive`.

    Raises:
        InputError: `count` or `language` has another value.

    Example:
        >>> print(sample_reviews(count=1000, seed=7))
        built-in reviews: 1,000 examples (negative 500, positive 500)
    """
    if not 2 <= count <= MAX_COUNT:
        raise InputError(f"`count` must be from 2 to {MAX_COUNT:,}. Received: count={count}")
    if language not in _LANGUAGES:
        raise InputError(f"`language` must be one of {', '.join(_LANGUAGES)}. Received: language={language!r}")
    grammars = [read_grammar(name) for name in _LANGUAGES[language]]
    generator = random.Random(seed)
    label_of: dict[str, str] = {}
    while len(label_of) < count:
        number = len(label_of)
        positive = number % 2 == 1
        grammar = grammars[number // 2 % len(grammars)]
        text = grammar.write(generator, positive, by_order=generator.random() < _SHARE_BY_ORDER)
        label_of.setdefault(text, "positive" if positive else "negative")
    texts = list(label_of)
    generator.shuffle(texts)
    return Examples(texts, [label_of[text] for text in texts], "built-in reviews")


def write_samples(folder: str | os.PathLike[str], counts: Mapping[str, int], seed: int = 0) -> dict[str, str]:
    """Writes reviews as TSV files that have no text in common.

    Args:
        folder: Folder of the files.
        counts: Number of reviews of each split, such as `{"train": 6000, "test": 800}`.
        seed: As in `sample_reviews`.

    Returns:
        The path of each split's file, `FOLDER/SPLIT.tsv`.

    Raises:
        InputError: There is a file with other content.
    """
    reviews = sample_reviews(sum(counts.values()), seed)
    rows = iter([f"{text}\t{label}\n" for text, label in zip(reviews.texts, reviews.labels, strict=True)])
    texts = {
        os.fspath(Path(folder) / f"{split}.tsv"): "text\tlabel\n" + "".join(next(rows) for _ in range(count))
        for split, count in counts.items()
    }
    for path, text in texts.items():  # all before the first is written
        check_output(path, functools.partial(_has_content, text.encode()))
    for path, text in texts.items():
        write_output(path, text, lambda _: False)
    return dict(zip(counts, texts, strict=True))


def _has_content(content: bytes, path: Path) -> bool:
    """Whether a file has this content."""
    return read_bytes(path) == content


@functools.cache
def read_grammar(name: str) -> "Grammar":
    """Reads the words and templates of a language: `english` or `chinese`."""
    return Grammar(**tomllib.loads(resources.files(__name__).joinpath(f"{name}.toml").read_text(encoding="utf-8")))


@dataclass(frozen=True)
class Grammar:
    """Makes reviews of one language.

    A template gives reviews of both labels. In a review with label L, its slots mean:

    - `{P}`, `{Q}`: two adjectives of L; `{N}`: one of the other label.
    - `{p}`, `{q}`: two clauses of L about the thing; `{n}`: one of the other label. Each is about another aspect.
    - `{thing}`: the thing under review; `{the_thing}`: the same with its article.
    - `{wished}`: what the author did before if L came true (hoped, feared); `{dreaded}`: if the other label did.

    If a template has only slots of L, its words determine the label. If it has slots of both labels, or only of the
    other label, they do not: the same words in another order, or a negation of other words, have the other label.

    Args:
        good: Adjectives that fit every thing.
        bad: Their opposites.
        wished: The verbs for good and bad expectations.
        the_thing: `{thing}` with its article.
        things: Things under review, each with its aspects: `good` clauses, which praise it, and `bad` clauses.
        by_words: Templates whose words determine the label.
        by_order: Templates whose words do not determine the label.
        openings: Neutral beginnings.
        closings: Neutral sentences for the end.
        stop: The full stop.
    """

    good: Sequence[str]
    bad: Sequence[str]
    wished: Sequence[str]
    the_thing: str
    things: Mapping[str, Sequence[Mapping[str, Sequence[str]]]]
    by_words: Sequence[str]
    by_order: Sequence[str]
    openings: Sequence[str]
    closings: Sequence[str]
    stop: str

    def write(self, generator: random.Random, positive: bool, by_order: bool) -> str:
        """Makes one review.

        Args:
            generator: Makes every choice.
            positive: The label.
            by_order: Whether only the order of the words determines the label.
        """
        adjectives, opposites = (self.good, self.bad) if positive else (self.bad, self.good)
        label, other_label = ("good", "bad") if positive else ("bad", "good")
        wished, dreaded = self.wished if positive else self.wished[::-1]
        thing = generator.choice(list(self.things))
        aspects = generator.sample(self.things[thing], 3)
        first, second = generator.sample(adjectives, 2)
        sentence = generator.choice(self.by_order if by_order else self.by_words).format(
            P=first,
            Q=second,
            N=generator.choice(opposites),
            p=generator.choice(aspects[0][label]),
            q=generator.choice(aspects[1][label]),
            n=generator.choice(aspects[2][other_label]),
            thing=thing,
            the_thing=self.the_thing.format(thing=thing),
            wished=wished,
            dreaded=dreaded,
        )
        frame = generator.random()
        opening = generator.choice(self.openings) if frame < _OPENING_SHARE else ""
        closing = generator.choice(self.closings) if frame > 1 - _CLOSING_SHARE else ""
        if not opening or opening.endswith(". "):
            sentence = sentence[0].upper() + sentence[1:]
        return opening + sentence + self.stop + closing
