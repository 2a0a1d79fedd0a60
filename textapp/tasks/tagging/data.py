"""The data of a tagger: reads and splits tagged sentences, and makes their rows of tokens."""

import itertools
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from textapp.data.profile import Profile, sample_numbers
from textapp.data.rows import TargetRows, TokenRows
from textapp.data.tagged import PLAIN, ReadOptions, TaggedExamples, read_tagged
from textapp.data.tagged_splits import count_shared, cut_sentences, retokenized, split_tagged
from textapp.data.unlabelled import unlabelled_texts
from textapp.errors import InputError, list_names, quoted
from textapp.files import write_text
from textapp.task import Compared, Files, PathLike, Report
from textapp.tasks.tagging.config import TaggingConfig
from textapp.tasks.tagging.scores import check_tags_known, unseen_tags
from textapp.text.characters import agreeing, counted
from textapp.text.tag_schemes import OUTSIDE, is_tag, read_spans
from textapp.text.tag_set import FILE_SCHEME, TagSet
from textapp.text.tokenizer import Kind, Tokenizer

MANY_TAGS = 200
"""More different tags are only plausible in a large corpus: otherwise the tag column is wrong."""


def text_tokenizer(config: TaggingConfig) -> Tokenizer:
    """The tokenizer of texts that are not tokens already. It keeps capitals, because they help to find names."""
    return _tokenizer(config, config.data.tokenizer)


def _tokenizer(config: TaggingConfig, kind: Kind) -> Tokenizer:
    splits = config.split_apostrophes and kind == "word"
    return Tokenizer(kind, lowercase=False, normalization=config.data.normalization, split_apostrophes=splits)


def read_sentences(
    path: PathLike,
    config: TaggingConfig | None = None,
    plain_tags: bool | None = None,
    token_column: str | None = None,
    tag_column: str | None = None,
    scheme: str | None = None,
    repair: bool = False,
    format: str | None = None,
    overlapping: Any = None,
) -> TaggedExamples:
    """Reads tagged sentences.

    Missing columns and scheme default to those of the training, if the file's format has them.

    Args:
        path: The file or folder.
        config: The settings of the training; None if unknown.
        plain_tags: Whether the model's tags are plain, such as parts of speech; None if unknown.
        token_column: Column of the tokens.
        tag_column: Column of the tags.
        scheme: Scheme of the file's tags.
        repair: Whether broken tag sequences are repaired rather than refused.
        format: Format of the file.
        overlapping: Which of overlapping spans are kept.

    Raises:
        InputError: The file breaks a rule.
    """
    config = config or TaggingConfig()
    known_scheme = PLAIN if plain_tags else config.scheme
    return read_tagged(
        path,
        token_column=token_column,
        tag_column=tag_column,
        scheme=scheme,
        format=format or config.format,
        repair=repair or config.repair,
        tokenizer=text_tokenizer(config),
        defaults=ReadOptions(config.token_column, config.tag_column, known_scheme),
        overlapping=overlapping or config.overlapping,
    )


def read_training(config: TaggingConfig, path: PathLike) -> TaggedExamples:
    """Reads training sentences with the options of the settings."""
    return read_tagged(
        path,
        token_column=config.token_column,
        tag_column=config.tag_column,
        scheme=config.scheme,
        format=config.format,
        repair=config.repair,
        tokenizer=text_tokenizer(config),
        overlapping=config.overlapping,
    )


def read_splits(
    config: TaggingConfig, files: Files, seed: int, report: Report
) -> tuple[TaggedExamples, dict[str, TaggedExamples]]:
    """See `textapp.task.Task`: sentences in several splits are counted but kept, as in published results.

    Raises:
        InputError: A file breaks a rule, or splits have tags of different kinds.
    """
    train = read_training(config, files.train)
    report(f"read {train.extent}")
    held_out = {
        name: read_sentences(path, config, plain_tags=train.scheme == PLAIN)
        for name, path in (("valid", files.valid), ("test", files.test))
        if path is not None
    }
    known = TagSet.build(train.tags, None if train.scheme == PLAIN else FILE_SCHEME)
    for part in held_out.values():
        check_tags_known(part, known)
        report(f"read {part.extent}")
        if part.source_scheme and train.source_scheme and part.source_scheme != train.source_scheme:
            report(
                f"note: the tags of {part.source} look like {part.source_scheme}, those of {train.source} like "
                f"{train.source_scheme}; --set scheme={train.source_scheme} reads both with that scheme"
            )
    if "valid" not in held_out:
        train, validation = split_tagged(train, config.data.valid_fraction, seed)
        held_out = {"valid": validation, **held_out}
        report(f"{train.source}: {counted(len(train), 'sentence')} to train on, {len(validation):,} held out")
    for name, part in held_out.items():
        if shared := count_shared(train, part):
            kind = "warning" if shared == len(part) else "note"  # published corpora have some
            report(f"{kind}: {_shared(shared, part, name, 'training')}")
    if "test" in held_out and (shared := count_shared(held_out["valid"], held_out["test"])):
        report(f"warning: {_shared(shared, held_out['test'], 'test', 'validation')}; the test score is too high")
    return train, held_out


def _shared(count: int, part: TaggedExamples, name: str, other: str) -> str:
    """How many sentences of a split are in another one too."""
    verb = agreeing(count, f"is a {other} sentence", f"are {other} sentences")
    return f"{count:,} of the {counted(len(part), 'sentence')} of {name} {verb} too"


def profile(config: TaggingConfig, files: Files, train: TaggedExamples) -> Profile:
    """See `textapp.task.Task`. Tokens are those of the files, or with `retokenize` those of the tokenizer `word`."""
    sample = train.select(sample_numbers(len(train)))
    if config.retokenize:
        sample, _ = retokenized(sample, _tokenizer(config, "word"))
    spans = train.scheme != PLAIN
    tags = Counter(itertools.chain.from_iterable(train.tags))
    if spans:
        tags = Counter({tag[2:]: number for tag, number in tags.items() if tag.startswith("B")})
    return Profile.measure(
        sample.sentences,
        count=len(train),
        targets=tags,
        per_token=True,
        spans=spans,
        vectors=files.vectors is not None,
    )


def tag_set(config: TaggingConfig, train: TaggedExamples, known: TagSet | None = None) -> TagSet:
    """The tags of training sentences, in the model's scheme, after those of the run that the training starts from."""
    if known is not None:
        check_tags_known(train, known, "the run of --init")
    if config.retokenize:
        train, _ = retokenized(train, text_tokenizer(config))
    counts = Counter(itertools.chain.from_iterable(train.tags))
    tags = TagSet.build(train.tags, _model_scheme(config, train.scheme))
    return check_tag_set(tags if known is None else known.extended(tags.tags), train.source, counts.total())


def check_tag_set(tags: TagSet, source: str, tokens: int = 0) -> TagSet:
    """Returns the tags. Raises `InputError` if they are not plausible for a corpus of `tokens` tokens (0: unknown)."""
    if len(tags) < 2:
        what = "tag but " if tags.scheme is None else "span, every tag is "
        raise InputError(
            f"{source}: there must be two different tags; there is no {what}{quoted(tags.tags[0])}; "
            "are they in another column (--set tag_column=...)?"
        )
    if tokens and len(tags) > max(MANY_TAGS, tokens / 20):  # a step would take minutes, and nothing would be learned
        raise InputError(
            f"{source}: {len(tags):,} different tags on {tokens:,} tokens, such as "
            f"{list_names(tags.tags[1:4])}; are the tags in another column (--set tag_column=...)?"
        )
    return tags


def sentence_rows(
    config: TaggingConfig, examples: TaggedExamples, tags: TagSet, tokenizer: Tokenizer, training: bool
) -> TargetRows:
    """Rows of tokens, cut like texts by the tokenizer; long training sentences become several rows."""
    starts: Sequence[Sequence[int]] | None = None
    if config.retokenize:
        examples, starts = retokenized(examples, tokenizer)
    sentences: Sequence[Sequence[str]] = examples.sentences
    names: Sequence[Sequence[str]] = examples.tags
    sources = np.arange(len(examples))
    if training:
        sentences, names = cut_sentences(examples, config.data.max_tokens)
        sources = np.arange(len(sentences))
        starts = None
    return TargetRows(
        tokens=TokenRows.read(sentences),
        targets=np.fromiter(itertools.chain.from_iterable(map(tags.encode, names)), np.int32),
        per_token=True,
        sources=sources,
        cut=len(sentences) - len(examples),
        word_starts=starts,
    )


def predicted_tags(decoded: np.ndarray, rows: Any, tags: TagSet) -> list[list[str]]:
    """Converts tag ids `(sum of lengths,)` to the tags of each row; if corpus tokens were cut, to one tag for each."""
    offsets = itertools.pairwise(rows.offsets.tolist())
    found = [tags.decode(decoded[start:end].tolist()) for start, end in offsets]
    if rows.word_starts is None:
        return found
    return [tags.of_tokens(*pieces) for pieces in zip(found, rows.word_starts, strict=True)]


def save_sentences(path: Path, examples: TaggedExamples) -> None:
    """Writes tagged sentences as tab-separated columns."""
    pairs = zip(examples.sentences, examples.tags, strict=True)
    blocks = ("".join(f"{token}\t{tag}\n" for token, tag in zip(*pair, strict=True)) for pair in pairs)
    write_text(path, "\n".join(blocks))


def read_saved(path: Path, tags: TagSet) -> TaggedExamples:
    """Reads a file of `save_sentences`."""
    return read_tagged(path, 0, 1, scheme=PLAIN if tags.scheme is None else FILE_SCHEME, format="columns")


def report_unseen(name: str, examples: TaggedExamples, tags: TagSet, report: Report) -> None:
    """Warns about tags or types of a held-out split that the model lacks: they count as missed."""
    if unseen := unseen_tags(examples, tags):
        shown = list_names(unseen)
        report(f"warning: {name} has tags that the training split lacks; the model never predicts them: {shown}")


def student_tags(train: TaggedExamples, teachers: Sequence[tuple[str, TagSet]], report: Report) -> TagSet:
    """The tags of the teachers, which are also the student's.

    Raises:
        InputError: Teachers have different tags, or examples have tags that the teachers lack.
    """
    first_name, first = teachers[0]
    for name, known in teachers:
        if set(known.tags) != set(first.tags) or known.scheme != first.scheme:
            raise InputError(
                f"{name}: knows the tags {list_names(known.tags)}, but {first_name} {list_names(first.tags)}; teachers "
                "must have the same"
            )
    check_tags_known(train, first, first_name)
    if unseen := unseen_tags(train, first):
        raise InputError(f"{train.source}: has {list_names(unseen)}, which the teacher {first_name} does not know")
    if first.scheme is None:
        return first
    if lost := sum(len(read_spans(names, FILE_SCHEME)) - len(first.known_spans(names)) for names in train.tags):
        verb, pronoun = agreeing(lost, "needs", "need"), agreeing(lost, "it is", "they are")
        report(
            f"warning: {counted(lost, 'span')} of {train.source} {verb} tags that the teachers lack; {pronoun} learned "
            "as O"
        )
    return first


def unlabelled_sentences(config: TaggingConfig, path: PathLike, tokenizer: Tokenizer) -> Iterator[list[str]]:
    """Yields the tokens of each text of a file; long texts are cut into pieces."""
    for text in unlabelled_texts(path):
        tokens = tokenizer.words(text)
        for start in range(0, len(tokens), config.data.max_tokens):
            yield tokens[start : start + config.data.max_tokens]


def tokens_from_json(row: Mapping[str, Any], location: str) -> list[str]:
    """The tokens of a line of soft targets."""
    tokens = row.get("tokens")
    if not isinstance(tokens, list) or not tokens or not all(isinstance(token, str) and token for token in tokens):
        raise InputError(
            f'{location}: each line must read {{"tokens": ["...", ...], "probs": [{{"TAG": PROBABILITY, ...}}, ...]}}'
        )
    return tokens


def compared_sentences(config: TaggingConfig, examples: TaggedExamples, tokenizer: Tokenizer, longest: int) -> Compared:
    """The data to check a tagger's export: sentences cut to the longest signature, if possible between spans."""
    pieces = retokenized(examples, tokenizer)[0] if config.retokenize else examples
    sentences, _ = cut_sentences(pieces, longest)
    return Compared([list(sentence) for sentence in sentences], examples.sentences, examples)


def _model_scheme(config: TaggingConfig, scheme: str) -> str | None:
    """The scheme that the model learns; None for plain tags."""
    return None if scheme == PLAIN else config.tag_scheme


def tags_of_names(names: Iterable[str]) -> TagSet:
    """The tags with these names: span tags if all fit a scheme that a model can learn, otherwise plain tags."""
    found = set(names)
    for scheme in ("IOB2", "IOBES"):  # tags of IOBES have E- or S- at the end of each span, those of IOB2 never
        if OUTSIDE in found and all(is_tag(name, scheme) for name in found):
            return TagSet((OUTSIDE, *sorted(found - {OUTSIDE}, key=lambda tag: (tag[2:], tag[0]))), scheme)
    return TagSet(tuple(sorted(found)), None)
