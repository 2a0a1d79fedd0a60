"""The lines of the golden files, computed by the Python runtime. README.md describes them to the byte."""

import itertools
import random
import zlib
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clients.conformance.bundles import SAMPLES, crf_scores
from clients.conformance.strings import strings
from textapp.runtime.classification import TextPredictor
from textapp.runtime.decoding import TagDecoder
from textapp.runtime.multilabel import MultilabelClassifier
from textapp.runtime.predictor import Outputs, Predictor
from textapp.runtime.tagging import Tagger
from textapp.text.characters import CLASSES, parse_lower, parse_ranges
from textapp.text.normalization import ROLES
from textapp.text.tag_schemes import SCHEMES
from textapp.text.tag_set import TagSet
from textapp.text.token_encoder import TokenEncoder
from textapp.text.tokenizer import Tokenizer
from textapp.text.vocabulary import SPECIALS, Vocabulary

BLOCK = 0x1000
"""Code points that have one checksum."""

_LETTERS = {"IOB2": "BI", "IOB1": "BI", "IOBES": "BIES", "BILOU": "BILU", "BMES": "BMES"}


def points(text: str, between: str) -> str:
    """The code points of a text in hexadecimal."""
    return between.join(f"{ord(character):X}" for character in text)


def places(text: str) -> list[str]:
    """The place of each code point of a text and of its end, in code points, UTF-16 units and bytes of UTF-8."""
    found, utf16, utf8 = ["0:0:0"], 0, 0
    for number, character in enumerate(text, start=1):
        point = ord(character)
        utf16 += 1 + (point > 0xFFFF)
        utf8 += 1 + (point > 0x7F) + (point > 0x7FF) + (point > 0xFFFF)
        found.append(f"{number}:{utf16}:{utf8}")
    return found


def token_lines(tokenizer: Tokenizer, texts: Iterable[str]) -> Iterator[str]:
    """Yields the tokens of each text."""
    for text in texts:
        at = places(text)
        yield " ".join(f"{points(one.text, '.')}:{at[one.start]}:{at[one.end]}" for one in tokenizer.tokenize(text))


def code_point_lines() -> Iterator[str]:
    """Yields the first code point of each block, and the checksum of the block."""
    rows = np.zeros(0x110000, np.dtype([("class", "S1"), ("role", "S1"), ("lower", "<u4")]))
    rows["class"], rows["role"], rows["lower"] = b"O", b".", np.arange(len(rows))
    for name, tables in (("class", CLASSES), ("role", ROLES)):
        for letter, table in tables.items():
            for first, last in parse_ranges(table):
                rows[name][first : last + 1] = letter.encode()
    for capitals, difference in parse_lower():
        rows["lower"][capitals] += np.array(difference).astype(np.uint32)
    for first in range(0, len(rows), BLOCK):
        yield f"{first:X} {zlib.crc32(rows[first : first + BLOCK].tobytes()):08X}"


def decoder_lines() -> Iterator[str]:
    """Yields the scores of random CRFs and of models without one, random logits, and what they decode to."""
    rng = np.random.default_rng(11)
    for scheme, has_crf, size in itertools.product((None, *SCHEMES), (False, True), (1.0, 8.0, 120.0)):
        tags = _random_tags(rng, scheme)
        yield f"tags {scheme or 'none'} {' '.join(points(tag, '.') for tag in tags.tags)}"
        decoder = None
        if has_crf:
            scores = crf_scores(tags, rng)
            decoder = TagDecoder(*scores)
            for name, array in zip(("transitions", "start", "end"), scores, strict=True):
                yield f"{name} {_numbers(array)}"
        for length in (0, 1, 2, 5, 40):
            logits = rng.normal(size=(length, len(tags)), scale=size).astype(np.float32)
            yield f"logits {' '.join([str(length), *(f'{one:.9g}' for one in logits.ravel().tolist())])}"
            yield from _decoded(tags, decoder, logits)


def texts(count: int) -> list[str]:
    """Texts of the samples, long ones, and generated strings: `count` in all, but at least the first two kinds."""
    seeded = random.Random(13)
    lines = (SAMPLES / "classifier/test.tsv").read_text("utf-8").splitlines()[1:]
    found = [line.split("\t")[0] for line in lines]
    for block in (SAMPLES / "tagger/test.txt").read_text("utf-8").split("\n\n"):
        found.append(" ".join(line.split(" ")[0] for line in block.splitlines()))
    found += [" ".join(seeded.choices(found, k=seeded.randint(3, 30))) for _ in range(20)]
    found += ["word " * 600, "½㍿ﷺ㌖ " * 20, "a" * 3000, "! " * 700, "👍🏽" * 200, "上海。" * 200]
    return found + list(strings(max(0, count - len(found)), seed=17))


def prediction_lines(predictor: Predictor, texts: Iterable[str], tolerance: float) -> Iterator[str]:
    """Yields the prediction of each text, and whether it is sure: not at the border between two answers.

    Args:
        predictor: a bundle's predictor.
        texts: the texts.
        tolerance: how much a logit may differ between implementations.
    """
    for text in texts:
        if isinstance(predictor, Tagger):
            logits = predictor.logits(predictor.tokenizer.words(text))
            fields = _tagging(predictor, text)
        else:
            assert isinstance(predictor, TextPredictor)
            logits = predictor.outputs(predictor.tokens(text)).logits
            fields = _labels(predictor, text)
        truncated, labels, probs, tokens, spans = fields
        sure = str(int(is_sure(predictor, logits, tolerance)))
        scores = " ".join(f"{one:.9g}" for one in logits.ravel().tolist())
        yield "\t".join([points(text, " "), sure, truncated, labels, probs, scores, tokens, spans])


def is_sure(predictor: Predictor, logits: NDArray[np.float32], tolerance: float) -> bool:
    """Whether the answer stays the same if each logit changes by at most `tolerance`."""
    if isinstance(predictor, Tagger):
        rows = np.asarray(logits, np.float64)
        ids = best_tags(predictor.decoder, rows)
        others = rows + 2 * tolerance
        others[range(len(ids)), ids] -= 2 * tolerance
        return best_tags(predictor.decoder, others) == ids
    if isinstance(predictor, MultilabelClassifier):
        low, high = (predictor.decision(predictor.probs(logits + change)) for change in (-tolerance, tolerance))
        return low == high
    first, second = np.sort(logits)[-1], np.sort(logits)[-2]
    return bool(first - second > 2 * tolerance)


def best_tags(decoder: TagDecoder | None, logits: NDArray[Any]) -> list[int]:
    """The ids of the best tags of tokens with logits `(n, K)`."""
    best: list[int] = logits.argmax(axis=1).tolist() if decoder is None else decoder.viterbi(logits)
    return best


def _labels(predictor: TextPredictor[Any], text: str) -> tuple[str, str, str, str, str]:
    """Fields of a prediction of labels."""
    [prediction] = predictor.predict([text])
    at = places(text)
    labels = prediction.labels if isinstance(predictor, MultilabelClassifier) else [prediction.label]
    tokens = (
        f"{points(one.text, '.')}:{at[one.start]}:{at[one.end]}:{_optional(one.weight)}::" for one in prediction.tokens
    )
    probs = " ".join(f"{prob:.9g}" for prob in prediction.probs.values())
    return str(int(prediction.truncated)), _names(labels), probs, " ".join(tokens), ""


def _tagging(predictor: Tagger, text: str) -> tuple[str, str, str, str, str]:
    """Fields of a prediction of tags and spans."""
    [tagging] = predictor.predict([text], confidence=True)
    at = places(text)
    tokens = (
        f"{points(one.text, '.')}:{at[one.start]}:{at[one.end]}::{points(one.tag, '.')}:{_optional(one.confidence)}"
        for one in tagging.tokens
    )
    spans = (
        f"{points(one.type, '.')}:{at[one.start]}:{at[one.end]}:{_optional(one.confidence)}" for one in tagging.spans
    )
    return "0", "", "", " ".join(tokens), " ".join(spans)


def _decoded(tags: TagSet, decoder: TagDecoder | None, logits: NDArray[np.float32]) -> Iterator[str]:
    """Yields what logits decode to."""
    count = len(logits)
    vocabulary = Vocabulary([*SPECIALS, "x"])
    encoder = TokenEncoder(form=None, vocabulary=vocabulary, characters=None, max_characters=0, shapes=False)
    tagger = Tagger(Tokenizer(), encoder, tags, max(1, count), lambda _: Outputs(logits), decoder)
    [tagging] = tagger.predict([" ".join("x" * count)], confidence=True)
    ids = best_tags(decoder, logits)
    marginals = (decoder or TagDecoder.of_single_tags(len(tags))).marginals(logits)
    yield f"ids {' '.join(map(str, ids))}".rstrip()
    yield f"names {_names(token.tag for token in tagging.tokens)}".rstrip()
    yield f"confidences {_numbers(marginals[range(count), ids])}".rstrip()
    spans = (
        f"{points(one.type, '.')}:{one.start // 2}:{(one.end + 1) // 2}:{one.confidence:.17g}" for one in tagging.spans
    )
    yield f"spans {' '.join(spans)}".rstrip()


def _random_tags(rng: np.random.Generator, scheme: str | None) -> TagSet:
    """A set of tags; some types lack some letters."""
    if scheme is None:
        return TagSet(tuple("ABCDEFG"[: rng.integers(2, 8)]), None)
    types = ["", "-PER", "-地名", "-a-b"][rng.integers(2) :: rng.integers(1, 3)]
    tags = [f"{letter}{one}" for one in types for letter in _LETTERS[scheme] if letter in "BSU" or rng.random() < 0.8]
    return TagSet(("O", *tags), scheme)


def _names(names: Iterable[str]) -> str:
    """Names with spaces between."""
    return " ".join(points(name, ".") for name in names)


def _numbers(array: NDArray[Any]) -> str:
    """Numbers of which each gives the same double again."""
    return " ".join(f"{one:.17g}" for one in array.ravel().tolist())


def _optional(number: float | None) -> str:
    """A number, or nothing."""
    return "" if number is None else f"{number:.9g}"
