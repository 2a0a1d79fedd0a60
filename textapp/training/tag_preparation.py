"""Tagged files to batches: read, split, counted, encoded."""

import dataclasses
import hashlib
import os
from collections.abc import Callable, Iterable, Sequence

import numpy as np

from textapp.config import NerConfig
from textapp.data.pipeline import TrainingBatches
from textapp.data.tagged import PLAIN, ReadOptions, TaggedExamples, list_some, read_tagged
from textapp.data.tagged_batches import (
    EncodedSentences,
    count_characters,
    count_words,
    encode_sentences,
)
from textapp.data.tagged_splits import count_shared, cut_sentences, retokenized, split_tagged
from textapp.errors import InputError
from textapp.tasks.tagging.scores import check_tags_known, unseen_tags
from textapp.text.tag_set import FILE_SCHEME, TagSet
from textapp.text.token_encoder import TokenEncoder
from textapp.text.tokenizer import Tokenizer
from textapp.text.vocabulary import UNKNOWN_ID, Vocabulary
from textapp.text.word_form import WordForm
from textapp.training.preparation import bucket_widths
from textapp.training.pretrained import Pretrained, read_pretrained

Report = Callable[[str], None]
Path = str | os.PathLike[str]

MANY_TAGS = 200
"""More are only believed where a corpus is large: otherwise they are the tokens of a wrong column."""


@dataclasses.dataclass(frozen=True)
class PreparedTags:
    """All that the training of a tagger needs of its files.

    Attributes:
        encoder: Tokens to ids; of the training split alone, and the vectors' extra words.
        tag_set: The tags, from the training split too.
        batches: What `fit` trains on.
        tokens: Real tokens of an epoch.
        examples: `valid`, and `test` where it was given, as they were read.
        held_out: The same, encoded.
        widths: Static lengths of the batches, or None.
        counts: For each split `count` and `tokens`, the share of unknown tokens and more; ready for JSON.
        fingerprint: Identifies the data of all splits and the file of vectors, hexadecimal.
        pretrained: The vectors to start from, or None.
    """

    encoder: TokenEncoder
    tag_set: TagSet
    batches: TrainingBatches
    tokens: int
    examples: dict[str, TaggedExamples]
    held_out: dict[str, EncodedSentences]
    widths: list[int] | None
    counts: dict[str, dict[str, float]]
    fingerprint: str
    pretrained: Pretrained | None


def text_tokenizer(config: NerConfig) -> Tokenizer:
    """What cuts texts that do not come as tokens; words are lower-cased later, as their characters are not."""
    return Tokenizer(config.tokenizer, lowercase=False, normalization=config.normalization)


def word_form(config: NerConfig) -> WordForm:
    """What tokens are looked up by."""
    return WordForm(config.lowercase, config.zero_digits, config.normalization)


def prepare_tags(
    config: NerConfig,
    train: Path,
    valid: Path | None,
    test: Path | None,
    report: Report,
    vectors: Path | None = None,
) -> PreparedTags:
    """Reads the files. Sentences that are in several of them stay, as in published figures, and are counted.

    Args:
        config: The settings.
        train: Training sentences.
        valid: Validation sentences; by default a share of `train`.
        test: Test sentences, or None.
        report: Is given each line of progress.
        vectors: File of word vectors to start from, or None.

    Raises:
        InputError: A file breaks a rule, or splits have tags of different kinds.
    """
    examples, held_out = read_tag_splits(config, train, valid, test, config.seed, report)
    if config.retokenize:
        examples, _ = retokenized(examples, text_tokenizer(config))
    tag_set = TagSet.build(examples.tags, None if examples.scheme == PLAIN else config.tag_scheme)
    if len(tag_set) < 2:
        what = "tag but " if tag_set.scheme is None else "span, every tag is "
        raise InputError(
            f"{examples.source}: there must be two different tags; there is no {what}{tag_set.tags[0]!r}; "
            "are they in another column (--set tag_column=...)?"
        )
    tokens = sum(map(len, examples.tags))
    if len(tag_set) > max(MANY_TAGS, tokens / 20):  # minutes a step, and nothing learned
        raise InputError(
            f"{examples.source}: {len(tag_set):,} different tags on {tokens:,} tokens, such as "
            f"{', '.join(tag_set.tags[1:4])}; are the tags in another column (--set tag_column=...)?"
        )
    pieces, piece_tags = cut_sentences(examples, config.max_tokens)
    encoder, pretrained = build_encoder(config, examples.sentences, report, vectors)
    encoded = encode_sentences(pieces, map(tag_set.encode, piece_tags), encoder)
    return with_held_out(config, len(examples), encoded, held_out, encoder, tag_set, report, pretrained)


def read_tag_splits(
    config: NerConfig, train: Path, valid: Path | None, test: Path | None, seed: int, report: Report
) -> tuple[TaggedExamples, dict[str, TaggedExamples]]:
    """Reads training sentences and held-out ones, as `prepare_tags` does; `seed` chooses a share to hold out."""
    examples = read_split(config, train)
    report(f"read {examples}")
    held_out = {
        name: read_held_out(config, path, of_spans=examples.scheme != PLAIN)
        for name, path in (("valid", valid), ("test", test))
        if path is not None
    }
    known = TagSet.build(examples.tags, None if examples.scheme == PLAIN else FILE_SCHEME)
    for part in held_out.values():
        check_tags_known(part, known)
        report(f"read {part}")
        if part.source_scheme and examples.source_scheme and part.source_scheme != examples.source_scheme:
            report(
                f"note: the tags of {part.source} look like {part.source_scheme}, those of {examples.source} like "
                f"{examples.source_scheme}; --set scheme={examples.source_scheme} reads both as that"
            )
    if "valid" not in held_out:
        examples, validation = split_tagged(examples, config.valid_fraction, seed)
        held_out = {"valid": validation, **held_out}
        report(f"{examples.source}: {len(examples):,} sentences to train on, {len(validation):,} held out")
    for name, part in held_out.items():
        if shared := count_shared(examples, part):
            report(f"note: {shared:,} of the {len(part):,} sentences of {name} are training sentences too")
    return examples, held_out


def with_held_out(
    config: NerConfig,
    count: int,
    encoded: EncodedSentences,
    held_out: dict[str, TaggedExamples],
    encoder: TokenEncoder,
    tag_set: TagSet,
    report: Report,
    pretrained: Pretrained | None = None,
) -> PreparedTags:
    """Encodes the held-out splits, and counts all.

    Args:
        config: The settings.
        count: Sentences to train on, before long ones were cut.
        encoded: The same, encoded.
        held_out: `valid`, and perhaps `test`.
        encoder: Tokens to ids.
        tag_set: The tags.
        report: Is given each line of progress.
        pretrained: The vectors to start from, or None.
    """
    encoded_held_out = {name: encode_held_out(config, part, tag_set, encoder) for name, part in held_out.items()}
    parts = {"train": encoded, **encoded_held_out}
    own = None if pretrained is None else pretrained.own
    counts = {
        name: {"count": len(part), "tokens": len(part.rows), **_unknown(part.word_ids(), own)}
        for name, part in parts.items()
    }
    counts["train"] |= {"count": count, "pieces": len(encoded)}
    _report_counts(counts, encoder, tag_set, report)
    for name, part in held_out.items():
        report_unseen(name, part, tag_set, report)
    widths = None
    if config.static_shapes:
        longest = max(int(part.lengths.max()) for part in parts.values())
        widths = bucket_widths(config.max_tokens)
        widths += [longest] if longest > widths[-1] else []
    return PreparedTags(
        encoder=encoder,
        tag_set=tag_set,
        batches=TrainingBatches(encoded, config.batch_size, config.seed, widths, config.static_shapes),
        tokens=len(encoded.rows),
        examples=held_out,
        held_out=encoded_held_out,
        widths=widths,
        counts=counts,
        fingerprint=_fingerprint(pretrained, tag_set, parts.values()),
        pretrained=pretrained,
    )


def encode_held_out(
    config: NerConfig, examples: TaggedExamples, tag_set: TagSet, encoder: TokenEncoder
) -> EncodedSentences:
    """Encodes sentences for a model; where it knows tokens by their pieces, these, and where each token's first is."""
    firsts = None
    if config.retokenize:
        examples, firsts = retokenized(examples, text_tokenizer(config))
    return encode_sentences(examples.sentences, map(tag_set.encode, examples.tags), encoder, firsts)


def read_split(config: NerConfig, path: Path) -> TaggedExamples:
    """Reads tagged sentences as the settings say."""
    return read_tagged(
        path,
        token_column=config.token_column,
        tag_column=config.tag_column,
        scheme=config.scheme,
        format=config.format,
        repair=config.repair,
        tokenizer=text_tokenizer(config),
    )


def read_held_out(
    config: NerConfig,
    path: Path,
    of_spans: bool,
    token_column: str | None = None,
    tag_column: str | None = None,
    scheme: str | None = None,
) -> TaggedExamples:
    """Reads sentences for a model whose training sentences had spans, or had tags that stand for themselves.

    Columns and scheme that are not given are those of the training, as far as the file's format has them.

    Raises:
        InputError: The file breaks a rule.
    """
    return read_tagged(
        path,
        token_column=token_column,
        tag_column=tag_column,
        scheme=scheme,
        format=config.format,
        repair=config.repair,
        tokenizer=text_tokenizer(config),
        defaults=ReadOptions(config.token_column, config.tag_column, config.scheme if of_spans else PLAIN),
    )


def build_encoder(
    config: NerConfig, sentences: Sequence[Sequence[str]], report: Report, vectors: Path | None = None
) -> tuple[TokenEncoder, Pretrained | None]:
    """The vocabularies of sentences to train on, and what the file of vectors adds if there is one."""
    form = word_form(config)
    words = count_words(sentences, form)
    vocabulary = Vocabulary.build(words, config.vocabulary_size, config.min_count)
    pretrained = None
    if vectors is not None:
        pretrained = read_pretrained(
            vectors,
            vocabulary,
            words,
            report=report,
            tokenizer=text_tokenizer(config) if config.retokenize else None,
            form=form,
            extra_words=config.extra_words,
            embedding_dim=config.embedding_dim,
            seed=config.seed,
        )
        vocabulary = pretrained.vocabulary
    characters = None
    if config.characters:
        spelled = count_characters(sentences, form)
        characters = Vocabulary.build(spelled, config.character_vocabulary_size, config.min_count)
    return TokenEncoder(form, vocabulary, characters, config.max_characters, config.shapes), pretrained


def _unknown(ids: np.ndarray, own: int | None) -> dict[str, float]:
    """The share of unknown tokens, with the extra words and, where there may be some, without."""
    rates = {"oov_rate": float(np.mean(ids == UNKNOWN_ID))}
    if own is not None:
        rates["oov_rate_without_extra"] = float(np.mean((ids == UNKNOWN_ID) | (ids >= own)))
    return rates


def _report_counts(counts: dict[str, dict[str, float]], encoder: TokenEncoder, tag_set: TagSet, report: Report) -> None:
    """Says what the model is to know, and what it will not."""
    letters = "" if encoder.characters is None else f", {len(encoder.characters):,} characters"
    scheme = "" if tag_set.scheme is None else f" in {tag_set.scheme}"
    report(f"vocabulary: {len(encoder.vocabulary):,} words{letters}; {len(tag_set)} tags{scheme}")
    for name, part in counts.items():
        cut = part.get("pieces", part["count"]) - part["count"]
        more = f", {cut:,} more by cutting long ones" if cut else ""
        report(f"{name}: {part['count']:,} sentences{more}, {part['oov_rate']:.1%} of tokens unknown")


def report_unseen(name: str, examples: TaggedExamples, tag_set: TagSet, report: Report) -> None:
    """Warns of what a held-out split has and the model cannot say: it counts as missed."""
    if unseen := unseen_tags(examples, tag_set):
        report(f"warning: {name} has what the training split lacks and what will be missed: {list_some(unseen)}")


def _fingerprint(pretrained: Pretrained | None, tag_set: TagSet, parts: Iterable[EncodedSentences]) -> str:
    """Identifies encoded sentences and the vectors that they start from, hexadecimal."""
    digest = hashlib.sha256(pretrained.sha256.encode() if pretrained else b"")
    digest.update("\n".join(tag_set.tags).encode())
    for part in parts:
        for array in part.arrays():
            digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()
