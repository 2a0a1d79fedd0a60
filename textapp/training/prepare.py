"""From files to batches, for any task: read, split, count, encode."""

import dataclasses
import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from textapp.config import ModelConfig
from textapp.data.batches import TrainingBatches, bucket_widths
from textapp.data.rows import EncodedRows, encode_rows
from textapp.data.stream import Scan, StreamedBatches
from textapp.errors import InputError
from textapp.runtime.ngram_model import NgramModel
from textapp.task import Files, Report, Task
from textapp.text.characters import counted
from textapp.text.token_encoder import TokenEncoder
from textapp.text.tokenizer import Tokenizer
from textapp.text.vocabulary import UNKNOWN_ID, Vocabulary
from textapp.text.word_form import WordForm
from textapp.training.pretrained import Pretrained, read_pretrained

OOV_WARNING = 0.05  # share of unknown tokens above which there is a warning


@dataclasses.dataclass(frozen=True)
class Prepared:
    """Everything that a training needs from its files.

    Attributes:
        tokenizer: The tokenizer of texts.
        encoder: Converts tokens to ids; built from the training split only, plus the vectors' extra words.
        targets: The targets of the model, from the training split only.
        batches: The training batches.
        num_tokens: Real tokens (no padding) per epoch.
        examples: The examples of `valid`, and of `test` if given.
        held_out: The same examples, encoded, with their true targets.
        widths: Static lengths of the batches, or None.
        counts: For each split `count`, `tokens`, `cut` and `oov_rate`, and with extra words `oov_rate_without_extra`;
            ready for JSON.
        fingerprint: Identifies the data of all splits and the file of vectors, hexadecimal.
        pretrained: The vectors to start from, or None.
        train: The training examples, if the settings ask for a baseline and the examples are in memory; otherwise None.
        baseline: The scores of the baseline, the entry of `metrics.json`; None without a baseline.
        ngrams: The linear model beside the encoder, or None.
    """

    tokenizer: Tokenizer
    encoder: TokenEncoder
    targets: Any
    batches: TrainingBatches | StreamedBatches
    num_tokens: int
    examples: Mapping[str, Any]
    held_out: dict[str, EncodedRows]
    widths: list[int] | None
    counts: dict[str, dict[str, float]]
    fingerprint: str
    pretrained: Pretrained | None = None
    train: Any = None
    baseline: Mapping[str, Any] | None = None
    ngrams: NgramModel | None = None


def prepare(task: Task[Any, Any, Any], config: ModelConfig, files: Files, report: Report) -> Prepared:
    """Reads the files of a training.

    Args:
        task: The task.
        config: The settings.
        files: The files.
        report: Receives each line of progress.

    Raises:
        InputError: A file breaks a rule, or `stream` is set without a validation file.
    """
    return prepare_splits(task, config, files, *read_splits(task, config, files, report), report)


def read_splits(
    task: Task[Any, Any, Any], config: ModelConfig, files: Files, report: Report
) -> tuple[Any, dict[str, Any]]:
    """Reads training and held-out examples, see `Task.read_splits`. Raises `InputError` as `prepare` does."""
    if config.data.stream and files.valid is None:
        raise InputError("setting stream: needs a validation file (--valid)")
    return task.read_splits(config, files, config.training.seed, report)


def prepare_splits(
    task: Task[Any, Any, Any],
    config: ModelConfig,
    files: Files,
    train: Any,
    held_out: dict[str, Any],
    report: Report,
) -> Prepared:
    """Prepares examples that were read already: the second half of `prepare`.

    Args:
        task: The task.
        config: The settings. Those for reading files must be the same as in `read_splits`.
        files: The files.
        train: The training examples.
        held_out: The held-out examples by name.
        report: Receives each line of progress.

    Raises:
        InputError: There is nothing to learn from the examples, or the word vectors cannot be used.
    """
    tokenizer = task.tokenizer(config)
    if config.data.stream:
        return _stream(task, config, files, held_out, tokenizer, report)
    targets = task.targets(config, train, report)
    rows = task.rows(config, train, targets, tokenizer, training=True)
    encoder, pretrained = build_encoder(task, config, rows.tokens.counts(), files.vectors, report)
    data = with_held_out(
        task,
        config,
        train=encode_rows(rows, encoder),
        held_out=held_out,
        tokenizer=tokenizer,
        encoder=encoder,
        targets=targets,
        pretrained=pretrained,
        report=report,
    )
    return dataclasses.replace(data, train=train) if config.training.baseline else data


def with_held_out(
    task: Task[Any, Any, Any],
    config: ModelConfig,
    *,
    train: EncodedRows,
    held_out: Mapping[str, Any],
    tokenizer: Tokenizer,
    encoder: TokenEncoder,
    targets: Any,
    report: Report,
    pretrained: Pretrained | None = None,
) -> Prepared:
    """Encodes the held-out splits, counts tokens, and makes the batches.

    Args:
        task: The task.
        config: The settings.
        train: The rows to train on.
        held_out: Held-out examples by name: `valid`, and perhaps `test`.
        tokenizer: The tokenizer of texts.
        encoder: Converts tokens to ids.
        targets: The targets of the model.
        report: Receives each line of progress.
        pretrained: The vectors to start from, or None.

    Raises:
        InputError: Held-out examples cannot be scored with the targets.
    """
    encoded = encode_held_out(task, config, held_out, tokenizer, encoder, targets)
    parts = {"train": train, **encoded}
    counts = {name: _counts(part, pretrained) for name, part in parts.items()}
    report_counts(task, counts, encoder, pretrained, report)
    for name, examples in held_out.items():
        task.report_unseen(name, examples, targets, report)
    widths = None
    if config.training.static_shapes:
        longest = max(int(part.lengths.max()) for part in parts.values())
        widths = bucket_widths(config.data.max_tokens)
        widths += [longest] if longest > widths[-1] else []
    return Prepared(
        tokenizer=tokenizer,
        encoder=encoder,
        targets=targets,
        batches=training_batches(config, train, widths),
        num_tokens=len(train.index),
        examples=held_out,
        held_out=encoded,
        widths=widths,
        counts=counts,
        fingerprint=fingerprint(targets, pretrained, *(part.digest() for part in parts.values())),
        pretrained=pretrained,
    )


def training_batches(config: ModelConfig, rows: EncodedRows, widths: list[int] | None) -> TrainingBatches:
    """Makes the training batches of the settings."""
    training = config.training
    return TrainingBatches(rows, training.batch_size, training.seed, widths, training.static_shapes)


def encode_held_out(
    task: Task[Any, Any, Any],
    config: ModelConfig,
    held_out: Mapping[str, Any],
    tokenizer: Tokenizer,
    encoder: TokenEncoder,
    targets: Any,
) -> dict[str, EncodedRows]:
    """Encodes held-out examples. Raises `InputError` if they cannot be scored with the targets."""
    encoded = {}
    for name, examples in held_out.items():
        task.check(examples, targets)
        encoded[name] = encode_rows(task.rows(config, examples, targets, tokenizer), encoder)
    return encoded


def word_form(task: Task[Any, Any, Any], config: ModelConfig) -> WordForm | None:
    """How tokens are normalized for the look-up; None if the tokenizer already returns normalized words."""
    words = config.words
    if not task.files_hold_tokens and not words.zero_digits and not words.read_characters:
        return None
    return WordForm(words.lowercase, words.zero_digits, config.data.normalization)


def build_encoder(
    task: Task[Any, Any, Any], config: ModelConfig, counts: Mapping[str, int], vectors: Any, report: Report
) -> tuple[TokenEncoder, Pretrained | None]:
    """Builds the vocabularies from the training split, and adds extra words from a file of vectors if given.

    Args:
        task: The task.
        config: The settings.
        counts: Count of each token in the training split.
        vectors: File of word vectors to start from, or None.
        report: Receives each line of progress.
    """
    words = config.words
    form = word_form(task, config)
    word_counts = dict(counts) if form is None else count_words(counts, form)
    vocabulary = Vocabulary.build(word_counts, words.vocabulary_size, words.min_count)
    pretrained = None
    if vectors is not None:
        pretrained = read_pretrained(
            vectors,
            vocabulary,
            word_counts,
            report=report,
            tokenizer=task.tokenizer(config) if task.cuts_all(config) else None,
            form=form,
            extra_words=words.extra_words,
            embedding_dim=words.embedding_dim,
            seed=config.training.seed,
        )
        vocabulary = pretrained.vocabulary
    characters = None
    if words.characters:
        assert form is not None  # a model that reads characters has one
        spelled = count_characters(counts, form)
        characters = Vocabulary.build(spelled, words.character_vocabulary_size, words.min_count)
    return TokenEncoder(form, vocabulary, characters, words.max_characters, words.shapes), pretrained


def count_words(counts: Mapping[str, int], form: WordForm) -> dict[str, int]:
    """Counts words from the counts of tokens."""
    words: dict[str, int] = {}
    for token, count in counts.items():
        word = form.word(token)
        if word:  # normalization may leave nothing of a token
            words[word] = words.get(word, 0) + count
    return words


def count_characters(counts: Mapping[str, int], form: WordForm) -> dict[str, int]:
    """Counts characters from the counts of tokens, without line breaks."""
    characters: dict[str, int] = {}
    for token, count in counts.items():
        for character in form.spelling(token):
            if character not in "\n\r":
                characters[character] = characters.get(character, 0) + count
    return characters


def fingerprint(targets: Any, pretrained: Pretrained | None, *digests: bytes) -> str:
    """Identifies the data of a training, hexadecimal."""
    total = hashlib.sha256(pretrained.sha256.encode() if pretrained else b"")
    total.update("\n".join(targets.names).encode("utf-8", "surrogatepass"))
    for digest in digests:
        total.update(digest)
    return total.hexdigest()


def _stream(
    task: Task[Any, Any, Any],
    config: ModelConfig,
    files: Files,
    held_out: Mapping[str, Any],
    tokenizer: Tokenizer,
    report: Report,
) -> Prepared:
    """Prepares a training split that is read again each epoch. Duplicates stay: finding them would need memory."""
    source = str(files.train)
    rows = task.stream_rows(config, files.train, tuple(held_out.values()), tokenizer, report)
    scan = Scan.read(rows, config.data.max_tokens)
    if not scan.names:
        raise InputError(f"{source}: no text is left to train on; all texts are held out or have no token")
    targets = task.targets_of_names(scan.names, source)
    report(f"scanned {source}: {counted(int(scan.lengths.sum()), 'example')}, read again each epoch")
    encoder, pretrained = build_encoder(task, config, scan.tokens, files.vectors, report)
    widths = bucket_widths(config.data.max_tokens)
    batches = StreamedBatches(
        rows,
        scan,
        encoder,
        targets.names,
        per_token=task.unit == "token",
        max_tokens=config.data.max_tokens,
        batch_size=config.training.batch_size,
        widths=widths,
        seed=config.training.seed,
        static_shapes=config.training.static_shapes,
    )
    if not batches.steps_per_epoch:
        raise InputError(
            f"setting batch_size: with static_shapes a bucket of similar lengths must hold "
            f"{config.training.batch_size} texts, and none of {source} does; lower it, or set static_shapes=false"
        )
    encoded = encode_held_out(task, config, held_out, tokenizer, encoder, targets)
    ids = np.asarray(encoder.encode(list(scan.tokens))["token_ids"], np.int32)
    counts = {
        "train": {
            "count": int(scan.lengths.sum()),
            "tokens": sum(scan.tokens.values()),
            "cut": scan.cut,
            **_unknown(ids, pretrained, np.fromiter(scan.tokens.values(), np.int64)),
        },
        **{name: _counts(part, pretrained) for name, part in encoded.items()},
    }
    report_counts(task, counts, encoder, pretrained, report)
    for name, examples in held_out.items():
        task.report_unseen(name, examples, targets, report)
    return Prepared(
        tokenizer=tokenizer,
        encoder=encoder,
        targets=targets,
        batches=batches,
        num_tokens=sum(scan.tokens.values()),
        examples=held_out,
        held_out=encoded,
        widths=widths if config.training.static_shapes else None,
        counts=counts,
        fingerprint=fingerprint(
            targets, pretrained, scan.fingerprint.encode(), *(part.digest() for part in encoded.values())
        ),
        pretrained=pretrained,
    )


def _counts(part: EncodedRows, pretrained: Pretrained | None) -> dict[str, float]:
    """The counts of one split. Sentences that were cut into several rows count once."""
    count = len(part) - (part.cut if part.per_token else 0)
    return {"count": count, "tokens": len(part.index), "cut": part.cut, **_unknown(part.token_ids(), pretrained)}


def _unknown(ids: np.ndarray, pretrained: Pretrained | None, times: np.ndarray | None = None) -> dict[str, float]:
    """The share of unknown tokens, and with extra words also the share without them."""
    rates = {"oov_rate": float(np.average(ids == UNKNOWN_ID, weights=times))}
    if pretrained is not None:
        unknown = (ids == UNKNOWN_ID) | (ids >= pretrained.num_train_words)
        rates["oov_rate_without_extra"] = float(np.average(unknown, weights=times))
    return rates


def report_counts(
    task: Task[Any, Any, Any],
    counts: dict[str, dict[str, float]],
    encoder: TokenEncoder,
    pretrained: Pretrained | None,
    report: Report,
) -> None:
    """Reports the size of the vocabulary, the share of unknown tokens and the number of cut texts."""
    total = len(encoder.vocabulary)
    known = total if pretrained is None else pretrained.num_train_words
    characters = "" if encoder.characters is None else f", {counted(len(encoder.characters), 'character')}"
    extra = f", {counted(total - known, 'extra word')} from the vectors" if total > known else ""
    report(f"vocabulary: {counted(known, 'word')} of the training split{characters}{extra}")
    noun, how = ("sentence", "more by cutting long ones") if task.unit == "token" else ("text", "cut")
    for name, part in counts.items():
        without = part.get("oov_rate_without_extra", part["oov_rate"])
        compared = f" ({without:.1%} without the extra words)" if without != part["oov_rate"] else ""
        cut = f", {part['cut']:,} {how}" if part["cut"] else ""
        report(f"{name}: {counted(int(part['count']), noun)}{cut}, {part['oov_rate']:.1%} of tokens unknown{compared}")
        if part["oov_rate"] > OOV_WARNING and not encoder.characters:
            report(
                f"warning: more than {OOV_WARNING:.0%} of the tokens of {name} are unknown; remedies: a larger "
                "vocabulary_size, a smaller min_count, characters=true, tokenizer=char, or more training text"
            )
