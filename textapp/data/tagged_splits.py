"""Splits tagged sentences, counts overlap across splits, and cuts sentences to a length."""

import dataclasses
import random
from collections import defaultdict
from collections.abc import Sequence

from textapp.data.tagged import PLAIN, TaggedExamples
from textapp.errors import InputError
from textapp.text.retokenization import retokenize
from textapp.text.tokenizer import Tokenizer


def split_tagged(examples: TaggedExamples, fraction: float, seed: int) -> tuple[TaggedExamples, TaggedExamples]:
    """Splits sentences at random into a training set and a held-out set, which have no sentence in common.

    Args:
        examples: The sentences; all copies of one go to the same side.
        fraction: Share of the different sentences to hold out, between 0 and 1 (exclusive).
        seed: Seed of the choice; the same seed gives the same split.

    Returns:
        Training examples and held-out examples, both in the order of `examples`.

    Raises:
        InputError: There are not two different sentences.
    """
    positions: defaultdict[tuple[str, ...], list[int]] = defaultdict(list)
    for index, sentence in enumerate(examples.sentences):
        positions[tuple(sentence)].append(index)
    groups = list(positions.values())
    if len(groups) < 2:
        raise InputError(f"{examples.source}: too few different sentences ({len(groups)}) to hold some out")
    held = min(max(1, round(fraction * len(groups))), len(groups) - 1)
    chosen = {index for group in random.Random(seed).sample(groups, held) for index in group}
    return (
        examples.select(index for index in range(len(examples)) if index not in chosen),
        examples.select(sorted(chosen)),
    )


def count_shared(train: TaggedExamples, held_out: TaggedExamples) -> int:
    """Counts the sentences of a held-out set that are also in the training set."""
    known = set(map(tuple, train.sentences))
    return sum(tuple(sentence) in known for sentence in held_out.sentences)


def retokenized(examples: TaggedExamples, tokenizer: Tokenizer) -> tuple[TaggedExamples, list[list[int]]]:
    """Cuts the tokens of sentences as the tokenizer cuts texts, see `textapp.text.retokenization`.

    Returns:
        The sentences of pieces with their tags, and for each sentence the positions of each token's first piece.
    """
    cuts = [retokenize(sentence, tokenizer) for sentence in examples.sentences]
    of_spans = examples.scheme != PLAIN
    tags = [cut.spread(tags, of_spans) for cut, tags in zip(cuts, examples.tags, strict=True)]
    pieces = dataclasses.replace(examples, sentences=[cut.tokens for cut in cuts], tags=tags)
    return pieces, [cut.word_starts for cut in cuts]


def cut_sentences(examples: TaggedExamples, longest: int) -> tuple[list[Sequence[str]], list[Sequence[str]]]:
    """Cuts sentences of more than `longest` tokens, if possible between spans.

    Args:
        examples: The sentences. If a span must be cut, its rest becomes a new span.
        longest: Most tokens of a piece.

    Returns:
        The sentences and their tags, with long sentences replaced by pieces.

    Example:
        >>> cut_sentences(TaggedExamples([["我", "爱", "北", "京"]], [["O", "O", "B-地", "I-地"]], "例"), 3)
        ([['我', '爱'], ['北', '京']], [['O', 'O'], ['B-地', 'I-地']])
    """
    sentences: list[Sequence[str]] = []
    tags: list[Sequence[str]] = []
    for sentence, names in zip(examples.sentences, examples.tags, strict=True):
        inside = [examples.scheme != PLAIN and name[0] == "I" for name in names]
        start = 0
        while start < len(sentence):
            end = min(start + longest, len(sentence))
            if end < len(sentence):
                end = next((place for place in range(end, start, -1) if not inside[place]), end)
            first = f"B{names[start][1:]}" if inside[start] else names[start]
            sentences.append(sentence[start:end])
            tags.append([first, *names[start + 1 : end]])
            start = end
    return sentences, tags
