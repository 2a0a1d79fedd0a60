"""Tagging on the device: from text to spans and tags."""

import contextlib
import itertools
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from textapp.errors import InputError, quoted
from textapp.files import parse_json
from textapp.runtime.bundle_format import Fields, parse_names, require
from textapp.runtime.decoding import Booleans, TagDecoder, TagsOfSpan
from textapp.runtime.native import BeyondCoreError, NativeModel
from textapp.runtime.predictor import ColumnType, Inputs, Predictor, Score, check_texts
from textapp.runtime.windows import Window, windows
from textapp.text.retokenization import retokenize
from textapp.text.tag_schemes import OUTSIDE, SCHEMES, Span, is_tag, read_spans
from textapp.text.tag_set import FILE_SCHEME, TagSet
from textapp.text.token_encoder import TokenEncoder
from textapp.text.tokenizer import Token, Tokenizer

TAGS, CRF = "tags.txt", "crf.json"
FIELDS: Fields = {
    "tag_scheme": (
        lambda value: value is None or value in SCHEMES,
        f"one of {', '.join(SCHEMES)}, or null for plain tags",
    ),
    "crf": (lambda value: type(value) is bool, "true or false"),
    "retokenize": (lambda value: type(value) is bool, "true or false"),
}
"""The rules of the fields that only this task has in bundle.json."""

_LARGEST = 1e9  # largest score: far more than a model learns, far less than a decoder's score for "never"
_ENCODED = 1 << 14  # tokens of a long text that are encoded together: some megabytes
_NUMBERS = f"numbers from {-_LARGEST:,.0f} to {_LARGEST:,.0f}"


class TaggedToken(NamedTuple):
    """A token of a text and its tag.

    Attributes:
        text: the token as the tokenizer gives it: normalized, with its capitals.
        start: position of its first code point in the original text.
        end: position after its last code point.
        tag: the tag in IOB2, or plain.
        confidence: the probability of a plain tag, from 0 to 1; None without `confidence=True`.
    """

    text: str
    start: int
    end: int
    tag: str
    confidence: float | None = None


class TaggedSpan(NamedTuple):
    """An entity or a slot: neighbouring tokens and their type.

    Offsets count code points of the original text, as Python's `len` does: `text == original[start:end]`. Languages
    with UTF-16 strings (JavaScript, Java, Swift's NSString) count an emoji as two.

    Attributes:
        type: the type (PER); empty if tags have no types.
        text: the original text of the span, not normalized.
        start: position of its first code point in the original text.
        end: position after its last code point.
        confidence: the probability that exactly this span is right, with all its tags and both ends, from 0 to 1; None
            without `confidence=True`.
    """

    type: str
    text: str
    start: int
    end: int
    confidence: float | None = None


@dataclass(frozen=True, slots=True)
class Tagging:
    """The prediction of a model for one text.

    Attributes:
        tokens: all tokens of the text.
        spans: its spans from left to right, without overlap; empty if tags are plain.
        types: all types of the tagger, which give spans their colours in a notebook.
    """

    tokens: tuple[TaggedToken, ...]
    spans: tuple[TaggedSpan, ...]
    types: tuple[str, ...] = field(default=(), compare=False, repr=False)

    def to_dict(self) -> dict[str, Any]:
        """The tagging as JSON values; without `confidence` where it is None."""
        return {
            "spans": [_known(span._asdict()) for span in self.spans],
            "tokens": [_known(token._asdict()) for token in self.tokens],
        }

    def _repr_html_(self) -> str:
        """The tagging in a notebook: the text with its spans, or its tokens with their tags."""
        from textapp.runtime.notebook import spans_html  # only notebooks need it

        return spans_html(self.tokens, self.spans, self.types or sorted({span.type for span in self.spans}))


def _known(fields: dict[str, Any]) -> dict[str, Any]:
    """The fields that are not None."""
    return {name: value for name, value in fields.items() if value is not None}


class Tagger(Predictor):
    """Finds spans (entities, slots) in texts, or gives each token its tag (parts of speech).

    The time grows linearly with the text. A text of more tokens than the model reads at once is read in overlapping
    windows. Their logits are joined before the best sequence of tags is decoded, so that no span breaks at a border and
    no token is left out.

    Args:
        tokenizer: cuts texts into tokens, keeping capitals.
        encoder: turns tokens into ids.
        targets: the model's tags.
        max_tokens: largest number of tokens that `score` reads.
        score: the model.
        decoder: finds the best sequence; None to take the best tag of each token.
        retokenize: whether `tokenizer` cuts the tokens of corpora into the pieces that the model reads.
    """

    task = "tagging"
    predict_options = ("confidence",)
    targets: TagSet

    def __init__(
        self,
        tokenizer: Tokenizer,
        encoder: TokenEncoder,
        targets: TagSet,
        max_tokens: int,
        score: Score,
        decoder: TagDecoder | None = None,
        retokenize: bool = False,
    ):
        super().__init__(tokenizer, encoder, targets, max_tokens, score)
        self.decoder = decoder
        self.retokenize = retokenize
        self._borders: dict[tuple[int, bool], Booleans] = {}
        self._types = tuple(sorted(targets.types))

    @property
    def result(self) -> str:
        """The word for what is predicted for a text."""
        return result(self.targets)

    @property
    def tag_set(self) -> TagSet:
        """The model's tags."""
        return self.targets

    def predict(self, texts: Iterable[str], confidence: bool = False) -> list[Tagging]:
        """Tags each text.

        Args:
            texts: strings, of any length and content.
            confidence: whether to compute the probability of each span or plain tag; decoding takes about five times as
                long.

        Returns:
            One tagging per text, in their order.

        Example:
            tagger = load("export/bundles/entities")
            for span in tagger.predict(["Angela Merkel visited İstanbul."])[0].spans:
                print(span.type, span.text, span.start, span.end)
        """
        return [self._predict(text, confidence) for text in check_texts(texts)]

    def columns(self, texts: Iterable[str], **options: Any) -> dict[str, list[Any]]:
        """See `Predictor`: the spans of each text, or where tags are plain its tokens with their tags."""
        taggings = self.predict(texts, **options)
        if self.tag_set.scheme is None:
            return {"predicted_tokens": [[_known(token._asdict()) for token in one.tokens] for one in taggings]}
        return {"predicted_spans": [[_known(span._asdict()) for span in one.spans] for one in taggings]}

    def column_types(self, **options: Any) -> dict[str, ColumnType]:
        """See `Predictor`."""
        chance = {"confidence": "double"} if options.get("confidence") else {}
        if self.tag_set.scheme is None:
            return {"predicted_tokens": [{"text": "string", "start": "long", "end": "long", "tag": "string", **chance}]}
        return {"predicted_spans": [{"type": "string", "text": "string", "start": "long", "end": "long", **chance}]}

    def decide(self, items: Iterable[Sequence[str]]) -> Iterator[list[str]]:
        """Yields the tags of sentences that come as tokens, in IOB2 or plain."""
        return map(self._tag, items)

    def quick(self, text: str) -> Tagging:
        """The spans and tags of one text, without confidence."""
        return self._predict(text, confidence=False)

    def recorded(self, text: str) -> tuple[Sequence[Token], NDArray[np.float32], dict[str, Any]]:
        """See `Predictor`."""
        tokens = self.tokenizer.tokenize(text)
        [tagging] = self.predict([text])
        fields = {
            "tags": [token.tag for token in tagging.tokens],
            "spans": [[span.type, span.start, span.end] for span in tagging.spans],
        }
        return tokens, self.logits([token.text for token in tokens]), fields

    def pieces(self, text: str) -> list[Inputs]:
        """The inputs of the model for a text, one item for each window."""
        return [inputs for _, inputs in self.windows(self.tokenizer.words(text))]

    def probabilities(self, items: Sequence[Sequence[str]]) -> NDArray[np.float64]:
        """The probability of each tag at each token of sentences that come as tokens, `(tokens of all, K)`."""
        decoder = self.decoder or TagDecoder.of_single_tags(len(self.targets))
        parts = [decoder.marginals(self.logits(tokens)) for tokens in items]
        return np.concatenate(parts) if parts else np.zeros((0, len(self.targets)))

    def logits(self, tokens: Sequence[str]) -> NDArray[np.float32]:
        """The score of each tag for each of any number of tokens, float32 `(n, K)`."""
        parts = list(self._logits(tokens))
        return np.concatenate(parts) if parts else np.zeros((0, len(self.tag_set)), np.float32)

    def windows(self, tokens: Sequence[str]) -> Iterator[tuple[Window, Inputs]]:
        """Yields the windows over tokens with the model's inputs for each.

        The tokens of a long text are encoded in parts: at once, their ids would take more memory than all else.
        """
        found = windows(tokens, self.max_tokens)
        for part in iter(lambda: list(itertools.islice(found, _ENCODED // self.max_tokens + 1)), []):
            start = part[0].start
            inputs = self.encode(tokens[start : part[-1].end])
            for window in part:
                yield window, {name: ids[window.start - start : window.end - start] for name, ids in inputs.items()}

    def tokens(self, item: Sequence[str]) -> Sequence[str]:
        """The tokens of a corpus as the model reads them."""
        return retokenize(item, self.tokenizer).tokens if self.retokenize else item

    def _logits(self, tokens: Sequence[str]) -> Iterator[NDArray[np.float32]]:
        """Yields the logits of tokens window by window, float32 `(tokens that are kept, K)`."""
        for window, inputs in self.windows(tokens):
            yield self.score(inputs).logits[window.first - window.start : window.stop - window.start]

    def _tag(self, tokens: Sequence[str]) -> list[str]:
        """The tags of one sentence."""
        if self.core is not None:
            with contextlib.suppress(BeyondCoreError):
                return [self.core.names[tag] for tag in self.core.tag_tokens(tokens)]
        tags = self.tag_set.decode(self._best(self._logits(self.tokens(tokens))))
        return self.tag_set.of_tokens(tags, retokenize(tokens, self.tokenizer).word_starts) if self.retokenize else tags

    def _predict(self, text: str, confidence: bool) -> Tagging:
        """The tagging of one text."""
        if self.core is not None:
            with contextlib.suppress(BeyondCoreError):
                return self._predict_by_core(self.core, text, confidence)
        return self._predict_in_parts(text, confidence)

    def _predict_by_core(self, core: NativeModel, text: str, confidence: bool) -> Tagging:
        """The tagging of one text, by the core."""
        read, found = core.tag(text, confidence)
        confidences: Iterable[float | None] = itertools.repeat(None)
        if confidence and self.tag_set.scheme is None:
            confidences = read.confidences
        tags = map(core.names.__getitem__, read.tags)
        return Tagging(
            tuple(map(TaggedToken, read.texts, read.starts, read.ends, tags, confidences)),
            tuple(
                TaggedSpan(name, text[start:end], start, end, chance if confidence else None)
                for name, start, end, chance in found
            ),
            self._types,
        )

    def _predict_in_parts(self, text: str, confidence: bool) -> Tagging:
        """The tagging of one text, by Python's tokenizer, `score` and the decoder."""
        tokens = _Tokens.of(self.tokenizer.blocks(text))
        decoder = self.decoder or TagDecoder.of_single_tags(len(self.tag_set))
        logits = self.logits(tokens.texts) if confidence else None
        ids = self._best(self._logits(tokens.texts) if logits is None else [logits])
        tags = self.tag_set.decode(ids)
        confidences: Iterable[float | None] = itertools.repeat(None)
        if self.tag_set.scheme is None:
            if logits is not None:
                confidences = decoder.marginals(logits)[range(len(ids)), ids].tolist()
            return Tagging(tuple(map(TaggedToken, *tokens, tags, confidences)), ())
        found: Iterable[tuple[Span, int, int]] = _in_characters(read_spans(tags, FILE_SCHEME), tokens)
        if logits is not None:
            found = list(found)
            confidences = decoder.span_probabilities(logits, [self._tags_of(ids, span) for span, _, _ in found])
        spans = tuple(
            TaggedSpan(span.type, text[start:end], start, end, chance)
            for (span, start, end), chance in zip(found, confidences, strict=False)
        )
        return Tagging(tuple(map(TaggedToken, *tokens, tags)), spans, self._types)

    def _best(self, parts: Iterable[NDArray[np.float32]]) -> list[int]:
        """The ids of the best tags for logits that come in parts, `(n, K)`."""
        if self.decoder is None:
            return [tag for logits in parts for tag in logits.argmax(axis=1).tolist()]
        return self.decoder.viterbi_of_parts(parts)

    def _tags_of(self, ids: list[int], span: Span) -> TagsOfSpan:
        """The tags of a span that begins at its first token and ends at its last."""
        tags = ids[span.start : span.end]
        return TagsOfSpan(span.start, tags, self._border(tags[0], left=True), self._border(tags[-1], left=False))

    def _border(self, tag: int, left: bool) -> Booleans:
        """Whether there is a border between each tag `(K,)`, on the left or right of a tag, and that tag."""
        if (tag, left) not in self._borders:
            edge, scheme = self.tag_set.tags[tag], self.tag_set.scheme or FILE_SCHEME
            pairs = ([other, edge] if left else [edge, other] for other in self.tag_set.tags)
            self._borders[tag, left] = np.array(
                [all(span.end - span.start == 1 for span in read_spans(pair, scheme, repair=True)) for pair in pairs]
            )
        return self._borders[tag, left]


class _Tokens(NamedTuple):
    """The tokens of a text, in less memory than a list of `Token`."""

    texts: list[str]
    starts: "array[int]"
    ends: "array[int]"

    @classmethod
    def of(cls, blocks: Iterable[Sequence[Token]]) -> "_Tokens":
        """The tokens of all blocks."""
        tokens = cls([], array("q"), array("q"))
        for block in blocks:
            tokens.texts.extend(token.text for token in block)
            tokens.starts.extend(token.start for token in block)
            tokens.ends.extend(token.end for token in block)
        return tokens


def _in_characters(spans: Iterable[Span], tokens: _Tokens) -> Iterator[tuple[Span, int, int]]:
    """Yields spans of tokens with the position of their first character and the position after their last.

    Normalization may make several tokens from one character (㍿ is 株式会社, ½ is 1⁄2), and a model may put them into
    several spans. The first of these spans gets the character. The next span begins after it, and is left out if no
    character remains.
    """
    done = 0
    for span in spans:
        first = span.start
        while first < span.end and tokens.ends[first] <= done:
            first += 1
        if first < span.end:
            start, end = max(done, tokens.starts[first]), tokens.ends[span.end - 1]
            yield span, start, end
            done = end


def result(targets: TagSet) -> str:
    """The word for what is predicted for a text."""
    return "tags" if targets.scheme is None else "spans"


def file_names(description: Mapping[str, Any]) -> tuple[str, ...]:
    """The files that only bundles of this task have."""
    return (TAGS, CRF) if description["crf"] else (TAGS,)


def logits_shape(targets: TagSet) -> Callable[[int], tuple[int, ...]]:
    """A function from the number of tokens to the shape of the model's logits."""
    return lambda length: (1, length, len(targets))


def read_targets(description: Mapping[str, Any], files: Mapping[str, bytes], folder: Path) -> TagSet:
    """Reads the tags that the model chooses from."""
    tags, scheme, path = parse_names(files[TAGS], folder / TAGS, "tag"), description["tag_scheme"], folder / TAGS
    if scheme is not None:
        for number, tag in enumerate(tags, start=1):
            if not is_tag(tag, scheme):
                raise InputError(f"{path}:{number}: {quoted(tag)} is no tag of {scheme}, which bundle.json names")
        if tags[0] != OUTSIDE:
            raise InputError(
                f"{path}:1: must be {OUTSIDE}, the tag of tokens outside of all spans. Received: {quoted(tags[0])}"
            )
    return TagSet(tags, scheme)


def predictor(
    tokenizer: Tokenizer,
    encoder: TokenEncoder,
    targets: TagSet,
    description: Mapping[str, Any],
    files: Mapping[str, bytes],
    folder: Path,
    max_tokens: int,
    score: Score,
) -> Tagger:
    """Makes a predictor from a model, bundle.json and the bundle's files."""
    decoder = _read_decoder(files[CRF], folder / CRF, len(targets)) if description["crf"] else None
    return Tagger(tokenizer, encoder, targets, max_tokens, score, decoder, description["retokenize"])


def _read_decoder(content: bytes, path: Path, tags: int) -> TagDecoder:
    """Reads a CRF's scores: `transitions` (K, K), `start` (K,) and `end` (K,)."""
    scores = parse_json(content, path)
    names = ("transitions", "start", "end")
    require(isinstance(scores, dict) and set(scores) == set(names), path, f"must hold {', '.join(names)}", scores)
    for name in ("start", "end"):
        require(_are_numbers(scores[name], tags), path, f'"{name}" must be {tags} {_NUMBERS}, one a tag')
    rows = scores["transitions"]
    are_rows = isinstance(rows, list) and len(rows) == tags and all(_are_numbers(row, tags) for row in rows)
    require(are_rows, path, f'"transitions" must be {tags} lists of {tags} {_NUMBERS}')
    try:
        return TagDecoder(*(scores[name] for name in names))
    except ValueError as error:
        raise InputError(f"{path}: {error}") from error


def _are_numbers(value: object, count: int) -> bool:
    """Whether a JSON value is a list of `count` numbers, none NaN or out of range."""
    if not isinstance(value, list) or len(value) != count:
        return False
    return all(type(number) in (int, float) and abs(number) <= _LARGEST for number in value)
