"""A grammar that writes labelled sentences: words, clauses and templates of one language."""

import random
from collections.abc import Mapping
from dataclasses import dataclass

Words = tuple[str, ...]

_OPENING_SHARE = 0.3
_CLOSING_SHARE = 0.2


@dataclass(frozen=True)
class Grammar:
    """Writes reviews of one language.

    A template serves both labels. For a review whose label is L, its slots stand for:

    - `{P}`, `{Q}`: two adjectives of L; `{N}`: one of the other label.
    - `{p}`, `{q}`: two clauses of L about the thing; `{n}`: one of the other label. Each is about another aspect.
    - `{thing}`: the thing under review; `{it}`: the same with its article.
    - `{wished}`: what the author did before if L came true (hoped, feared); `{dreaded}`: if the other label did.

    A template with slots of L alone can be told by its words. One with slots of both, or of the other label alone,
    cannot: the same words in other places, or the same denial of another word, belong to the other label.

    Args:
        good: Adjectives that fit every thing.
        bad: Their opposites.
        wished: What one does about something good to come, and about something bad.
        it: How to speak of `{thing}`.
        things: Things under review, each with its aspects: clauses that praise and clauses that blame it.
        by_words: Templates that the words give away.
        by_order: Templates that they do not.
        openings: Neutral beginnings.
        closings: Neutral sentences for the end.
        stop: The full stop.
    """

    good: Words
    bad: Words
    wished: tuple[str, str]
    it: str
    things: Mapping[str, tuple[tuple[Words, Words], ...]]
    by_words: Words
    by_order: Words
    openings: Words
    closings: Words
    stop: str

    def write(self, generator: random.Random, positive: bool, in_order: bool) -> str:
        """Writes one review.

        Args:
            generator: Where every choice comes from.
            positive: Its label.
            in_order: Whether the label must depend on the order of the words.
        """
        own, other = (self.good, self.bad) if positive else (self.bad, self.good)
        wished, dreaded = self.wished if positive else self.wished[::-1]
        thing = generator.choice(list(self.things))
        aspects = generator.sample(self.things[thing], 3)
        first, second = generator.sample(own, 2)
        sentence = generator.choice(self.by_order if in_order else self.by_words).format(
            P=first,
            Q=second,
            N=generator.choice(other),
            p=generator.choice(aspects[0][not positive]),
            q=generator.choice(aspects[1][not positive]),
            n=generator.choice(aspects[2][positive]),
            thing=thing,
            it=self.it.format(thing=thing),
            wished=wished,
            dreaded=dreaded,
        )
        frame = generator.random()
        opening = generator.choice(self.openings) if frame < _OPENING_SHARE else ""
        closing = generator.choice(self.closings) if frame > 1 - _CLOSING_SHARE else ""
        if not opening or opening.endswith(". "):
            sentence = sentence[0].upper() + sentence[1:]
        return opening + sentence + self.stop + closing
