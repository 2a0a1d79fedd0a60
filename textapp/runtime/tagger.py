"""From text to spans: the tagger over any model that scores tags."""

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from textapp.runtime.decoding import Booleans, Posterior, TagDecoder
from textapp.runtime.tagging import TaggedSpan, TaggedToken, Tagging
from textapp.runtime.texts import strings
from textapp.runtime.windows import Window, windows
from textapp.text.retokenization import retokenize
from textapp.text.tag_schemes import Span, read_spans
from textapp.text.tag_set import FILE_SCHEME, TagSet
from textapp.text.token_encoder import TokenEncoder
from textapp.text.tokenizer import Token, Tokenizer

Inputs = Mapping[str, NDArray[np.int32]]
"""Tokens as a model reads them, by the name of its inputs: `token_ids` `(n,)` and what `TokenEncoder.inputs` names."""

Score = Callable[[Inputs], NDArray[np.float32]]
"""From `n` tokens, at least one and at most `max_tokens`, to the logits of their tags, float32 `(n, K)`."""


class Tagger:
    """Finds spans (entities, slots) in texts, or gives each token its tag (parts of speech).

    Any string can be tagged: an empty one, one of NULs or lone surrogates, one of a megabyte, whose time is a thousand
    times that of a kilobyte. A text of more tokens than the model reads at once is read in overlapping windows; their
    logits are put together before the best sequence of tags is sought, so that no span breaks at a border and no token
    is left out.

    A tagger may be shared by threads as far as `score` may.

    Args:
        tokenizer: cuts texts into tokens, keeping capitals.
        encoder: turns tokens into ids.
        tag_set: the model's tags.
        decoder: finds the best sequence; None where each token's best tag is taken for itself.
        max_tokens: how many tokens `score` reads at most.
        score: the model.
        retokenize: whether the model knows the tokens of corpora by the pieces that `tokenizer` cuts them into.
    """

    def __init__(
        self,
        tokenizer: Tokenizer,
        encoder: TokenEncoder,
        tag_set: TagSet,
        decoder: TagDecoder | None,
        max_tokens: int,
        score: Score,
        retokenize: bool = False,
    ):
        self.tokenizer = tokenizer
        self.encoder = encoder
        self.tag_set = tag_set
        self.decoder = decoder
        self.max_tokens = max_tokens
        self.score = score
        self.retokenize = retokenize
        self._borders: dict[tuple[int, bool], Booleans] = {}

    def predict(self, texts: Iterable[str], confidence: bool = False) -> list[Tagging]:
        """Tags each text.

        Args:
            texts: strings, of any length and content.
            confidence: whether to say how sure the model is, for about five times the time of decoding.

        Returns:
            One tagging per text, in their order.

        Example:
            tagger = load("export/bundles/entities")
            for span in tagger.predict(["Angela Merkel visited İstanbul."])[0].spans:
                print(span.type, span.text, span.start, span.end)
        """
        return [self._predict(text, confidence) for text in strings(texts)]

    def tag(self, sentences: Iterable[Sequence[str]]) -> Iterator[list[str]]:
        """Yields the tags of sentences that come as tokens, for evaluation: in IOB2, or standing for themselves."""
        return map(self._tag, sentences)

    def logits(self, tokens: Sequence[str]) -> NDArray[np.float32]:
        """The score of each tag for each of any number of tokens, float32 `(n, K)`."""
        parts = [
            self.score(inputs)[window.first - window.start : window.behind - window.start]
            for window, inputs in self.pieces(tokens)
        ]
        return np.concatenate(parts) if parts else np.zeros((0, len(self.tag_set)), np.float32)

    def pieces(self, tokens: Sequence[str]) -> Iterator[tuple[Window, Inputs]]:
        """Yields the windows over tokens with what the model reads of each."""
        inputs = self.encode(tokens)
        for window in windows(tokens, self.max_tokens):
            yield window, {name: ids[window.start : window.end] for name, ids in inputs.items()}

    def encode(self, tokens: Sequence[str]) -> Inputs:
        """Tokens as the model reads them."""
        if isinstance(tokens, str):
            raise TypeError("`tokens` must be a list of strings. Received: one string; cut it into tokens first")
        return {name: np.array(ids, np.int32) for name, ids in self.encoder.encode(tokens).items()}

    def known(self, tokens: Sequence[str]) -> Sequence[str]:
        """The tokens of a corpus as the model knows them."""
        return retokenize(tokens, self.tokenizer).tokens if self.retokenize else tokens

    def _tag(self, tokens: Sequence[str]) -> list[str]:
        """The tags of one sentence."""
        tags = self.tag_set.decode(self._best(self.logits(self.known(tokens))))
        return self.tag_set.of_tokens(tags, retokenize(tokens, self.tokenizer).firsts) if self.retokenize else tags

    def _predict(self, text: str, confidence: bool) -> Tagging:
        """The tagging of one text."""
        tokens = self.tokenizer.tokenize(text)
        logits = self.logits([token.text for token in tokens])
        ids = self._best(logits)
        tags = self.tag_set.decode(ids)
        posterior = None
        if confidence and tokens:
            posterior = (self.decoder or TagDecoder.of_single_tags(len(self.tag_set))).posterior(logits)
        if self.tag_set.scheme is None:
            chances = posterior.marginals()[range(len(ids)), ids].tolist() if posterior else itertools.repeat(None)
            tagged = (
                TaggedToken(*token, tag, chance) for token, tag, chance in zip(tokens, tags, chances, strict=False)
            )
            return Tagging(tuple(tagged), ())
        spans = tuple(
            TaggedSpan(
                type=span.type,
                text=text[start:end],
                start=start,
                end=end,
                confidence=self._span_confidence(posterior, ids, span) if posterior else None,
            )
            for span, start, end in _in_characters(read_spans(tags, FILE_SCHEME), tokens)
        )
        return Tagging(tuple(TaggedToken(*token, tag) for token, tag in zip(tokens, tags, strict=True)), spans)

    def _best(self, logits: NDArray[np.float32]) -> list[int]:
        """The ids of the best tags for logits `(n, K)`."""
        if self.decoder is None:
            return list(map(int, logits.argmax(axis=1)))
        return self.decoder.viterbi(logits)

    def _span_confidence(self, posterior: Posterior, ids: list[int], span: Span) -> float:
        """The probability of a span's tags, of none before it that it continues, and of none behind that goes on."""
        tags = ids[span.start : span.end]
        before, behind = self._border(tags[0], left=True), self._border(tags[-1], left=False)
        return posterior.span_probability(span.start, tags, before, behind)

    def _border(self, tag: int, left: bool) -> Booleans:
        """Which tags, `(K,)`, part from a tag if they stand on the left of it, or on the right of it."""
        if (tag, left) not in self._borders:
            edge, scheme = self.tag_set.tags[tag], self.tag_set.scheme or FILE_SCHEME
            pairs = ([other, edge] if left else [edge, other] for other in self.tag_set.tags)
            self._borders[tag, left] = np.array(
                [all(span.end - span.start == 1 for span in read_spans(pair, scheme, repair=True)) for pair in pairs]
            )
        return self._borders[tag, left]


def _in_characters(spans: Iterable[Span], tokens: Sequence[Token]) -> Iterator[tuple[Span, int, int]]:
    """Yields spans of tokens with their first character and the one behind their last.

    Normalization may make several tokens of one character (㍿ is 株式会社, ½ is 1⁄2), and a model may put them into
    several spans. The character is the first one's; the next begins behind it, or is none if nothing is left.
    """
    done = 0
    for span in spans:
        first = span.start
        while first < span.end and tokens[first].end <= done:
            first += 1
        if first < span.end:
            start, end = max(done, tokens[first].start), tokens[span.end - 1].end
            yield span, start, end
            done = end
