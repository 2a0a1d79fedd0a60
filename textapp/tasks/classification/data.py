"""The data of a classifier: reads and splits labelled texts, and makes their rows of tokens."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from textapp.config import ModelConfig
from textapp.data.profile import Profile, sample_numbers, sample_of_stream
from textapp.data.readers import Examples, check_labels, clean_text, iterate_examples, names_of, read_examples
from textapp.data.rows import TargetRows, TokenRows
from textapp.data.splits import count_overlap, drop_duplicates, drop_overlap, overlap_key, split_examples
from textapp.data.tables import is_header
from textapp.data.unlabelled import Augmentation
from textapp.errors import InputError, excerpt, list_names, list_some, quoted
from textapp.files import write_text
from textapp.task import Compared, Files, PathLike, Report
from textapp.tasks.classification.config import ClassificationConfig, StudentConfig
from textapp.text.characters import agreeing, counted, replace_surrogates
from textapp.text.labels import ExclusiveLabels, Labels
from textapp.text.tokenizer import Tokenizer
from textapp.text.vocabulary import Vocabulary

LabelsType = TypeVar("LabelsType", bound=Labels)


def text_tokenizer(config: ModelConfig) -> Tokenizer:
    """The tokenizer of texts. It lower-cases texts if the model reads only words."""
    if config.data.tokenizer == "bert":
        return Tokenizer("bert", lowercase=True, normalization="none")
    lowercase = config.words.lowercase and not config.words.read_characters
    # The readers clean texts so; on a device the tokenizer does.
    return Tokenizer(config.data.tokenizer, lowercase, config.data.normalization, line_breaks=True)


def read_labelled(
    path: PathLike,
    config: ClassificationConfig | None = None,
    text_column: str | None = None,
    label_column: str | None = None,
    several: bool = False,
) -> Examples:
    """Reads labelled texts. Missing columns default to those of the training, or are guessed if a file has others.

    Args:
        path: The file or folder.
        config: The settings of the training, if known.
        text_column: Column of the texts.
        label_column: Column of the labels.
        several: Whether a text may have several labels or none.

    Raises:
        InputError: The file breaks a rule.
    """
    given = text_column, label_column
    trained = (None, None) if config is None else (config.text_column, config.label_column)
    columns = tuple(one if one is not None else other for one, other in zip(given, trained, strict=True))
    try:
        return read_examples(path, columns[0], columns[1], several=several)
    except InputError as error:
        if columns == given:
            raise
        try:
            return read_examples(path, text_column, label_column, several=several)
        except InputError:
            raise error from None  # the first error names the columns of the training


def read_splits(
    config: ClassificationConfig, files: Files, seed: int, report: Report, several: bool = False
) -> tuple[Examples, dict[str, Examples]]:
    """See `textapp.task.Task`: held-out texts and duplicates are dropped from the training texts."""
    columns = config.text_column, config.label_column
    held_out = {
        name: read_examples(path, *columns, several=several)
        for name, path in (("valid", files.valid), ("test", files.test))
        if path is not None
    }
    for examples in held_out.values():
        report(f"read {examples.extent}")
        _report_headers(config, examples, report)
    if several and "valid" in held_out and not any(held_out["valid"].labels):
        raise InputError(f"{held_out['valid'].source}: no text has a label, so no threshold can be chosen; give others")
    if len(held_out) == 2 and (shared := count_overlap(held_out["valid"], held_out["test"])):
        report(
            f"warning: {shared:,} of the {counted(len(held_out['test']), 'text')} of test "
            f"{agreeing(shared, 'is a validation text', 'are validation texts')} too; the test score is too high"
        )
    if config.data.stream:
        return Examples([], [], str(files.train)), held_out
    train = read_examples(files.train, *columns, several=several)
    report(f"read {train.extent}")
    _report_headers(config, train, report)
    train, duplicates = drop_duplicates(train)
    report(str(duplicates))
    if held_out:
        train, overlap = drop_overlap(train, *held_out.values())
        report(str(overlap))
        if not len(train):
            raise InputError(f"{train.source}: no text is left to train on; all are held out")
    if "valid" not in held_out:
        train, validation, division = split_examples(train, config.data.valid_fraction, seed)
        held_out = {"valid": validation, **held_out}
        report(str(division))
    return train, held_out


def _report_headers(config: ClassificationConfig, examples: Examples, report: Report) -> None:
    """Warns about rows that look like a header among the examples, as where two files were put together."""
    columns = config.text_column, config.label_column
    pairs = zip(examples.texts, examples.labels, strict=True)
    found = [number for number, (text, label) in enumerate(pairs) if is_header(text, names_of(label), columns)]
    if found:
        report(_header_warning(examples.location(found[0]), examples.texts[found[0]], len(found)))


def _header_warning(location: str, text: str, count: int) -> str:
    """The warning about rows that look like a header; `location` and `text` are those of the first one."""
    more = f", and {counted(count - 1, 'more row')} like it" if count > 1 else ""
    return f"warning: {location}: the text {quoted(text)} looks like a header, but is an example; delete it{more}"


def profile(config: ClassificationConfig, files: Files, train: Examples, held_out: Mapping[str, Examples]) -> Profile:
    """See `textapp.task.Task`."""
    tokenizer = Tokenizer("word", normalization=config.data.normalization)
    labels: Counter[str] = Counter()
    rows: Iterable[list[str]]
    if config.data.stream:

        def streamed() -> Iterator[list[str]]:
            for tokens, label in StreamedTexts(config, files.train, tuple(held_out.values()), tokenizer, _silent):
                labels[label] += 1
                yield tokens

        rows, count = sample_of_stream(streamed())
    else:
        labels.update(name for label in train.labels for name in names_of(label))
        rows = (tokenizer.words(train.texts[number]) for number in sample_numbers(len(train)))
        count = len(train)
    return Profile.measure(
        rows, count=count, targets=labels, per_token=False, spans=False, vectors=files.vectors is not None
    )


def _silent(line: str) -> None:
    """Receives what is reported again later."""


def label_set(
    config: ClassificationConfig,
    train: Examples,
    report: Report,
    kind: type[LabelsType],
    known: Labels | None = None,
) -> LabelsType:
    """The labels of training texts that have a token, as `labels_of`. Raises `InputError` if there are too few."""
    tokenizer = text_tokenizer(config)
    texts: dict[str, list[str]] = {}
    for text, label in zip(train.texts, train.labels, strict=True):
        for name in names_of(label):
            texts.setdefault(name, []).append(text)
    learned = {label for label, some in texts.items() if any(map(tokenizer.words, some))}
    if texts and not learned:
        raise InputError(f"{train.source}: no text has a token")
    _report_unlearned(texts.keys() - learned, report)
    return labels_of(learned, train.source, kind, known)


def _report_unlearned(labels: Iterable[str], report: Report) -> None:
    """Warns about labels whose texts have no token."""
    for label in sorted(labels):
        report(f"warning: no text of the label {quoted(label)} has a token; the model does not learn it")


def labels_of(names: Iterable[str], source: str, kind: type[LabelsType], known: Labels | None = None) -> LabelsType:
    """Makes sorted labels, after those of `known`. Raises `InputError` if there are fewer than two."""
    first = () if known is None else known.names
    found = [*first, *sorted(set(names) - set(first))]
    if len(found) < 2:
        shown = f"only {quoted(found[0])}" if found else "none"
        raise InputError(f"{source}: {kind.too_few}. Found: {shown}")
    return kind(tuple(found))


def text_rows(
    config: ModelConfig, examples: Examples, labels: Labels, tokenizer: Tokenizer, keep_empty: bool = False
) -> TargetRows:
    """Rows of the first tokens of texts. Texts without tokens are left out, or with `keep_empty` become empty rows.

    Raises:
        InputError: No text has a token.
    """
    longest, cut, kept = config.data.max_tokens, 0, []

    def rows() -> Iterator[list[str]]:
        nonlocal cut
        for number, text in enumerate(examples.texts):
            words = tokenizer.words(text)
            if words or keep_empty:
                cut += len(words) > longest
                kept.append(number)
                yield words[:longest]

    tokens = TokenRows.read(rows())
    if not kept:
        raise InputError(f"{examples.source}: no text has a token")
    targets = np.asarray(labels.encode(examples.labels[number] for number in kept), np.int32)
    return TargetRows(tokens, targets, per_token=False, sources=np.asarray(kept, np.int64), cut=cut)


class StreamedTexts:
    """The texts of a file that are not held out and have a token, read again at each iteration.

    The first complete iteration reports which texts and labels were left out.
    """

    def __init__(
        self,
        config: ClassificationConfig,
        path: PathLike,
        held_out: Sequence[Examples],
        tokenizer: Tokenizer,
        report: Report,
    ):
        self.config, self.path, self.held_out, self.tokenizer = config, path, held_out, tokenizer
        self._report: Report | None = report

    def __iter__(self) -> Iterator[tuple[list[str], str]]:
        """Yields tokens and label."""
        held_out = {overlap_key(text) for examples in self.held_out for text in examples.texts}
        labels: set[str] = set()
        learned: set[str] = set()
        skipped = headers = 0
        header = ""
        columns = self.config.text_column, self.config.label_column
        for text, label in iterate_examples(self.path, *columns):
            if self._report is not None and is_header(text, (label,), columns):
                headers, header = headers + 1, header or text
            if held_out and overlap_key(text) in held_out:
                skipped += 1
                continue
            labels.add(label)
            if words := self.tokenizer.words(text):
                learned.add(label)
                yield words, label
        if self._report is not None:
            if headers:
                self._report(_header_warning(str(self.path), header, headers))
            if skipped:
                verb = agreeing(skipped, "is", "are")
                self._report(f"{self.path}: {counted(skipped, 'text')} left out that {verb} held out")
            _report_unlearned(labels - learned, self._report)
            self._report = None


def save_texts(path: Path, examples: Examples) -> None:
    """Writes labelled texts as JSON lines."""
    pairs = zip(examples.texts, examples.labels, strict=True)
    lines = (json.dumps({"text": text, "label": label}, ensure_ascii=False) for text, label in pairs)
    write_text(path, "".join(f"{line}\n" for line in lines))


def augmented_texts(config: StudentConfig, texts: Sequence[str], tokenizer: Tokenizer) -> Iterator[str]:
    """New texts made from labelled ones: with masked words, or cut to n-grams."""
    said = config.distillation
    augmentation = Augmentation(tokenizer, said.augment, said.mask_rate, said.ngram_rate, config.training.seed)
    for number, text in enumerate(texts):
        yield from augmentation.texts(text, number)


def text_from_json(row: Mapping[str, Any], location: str) -> str:
    """The text of a line of soft targets."""
    if not isinstance(row.get("text"), str):
        raise InputError(f'{location}: each line must read {{"text": "...", "probs": {{"LABEL": PROBABILITY, ...}}}}')
    return clean_text(replace_surrogates(row["text"]))


def student_labels(train: Examples, labels: LabelsType, teachers: Sequence[tuple[str, LabelsType]]) -> LabelsType:
    """The labels of a student's texts. Raises `InputError` if a teacher has other labels."""
    for name, known in teachers:
        if set(known.names) != set(labels.names):
            raise InputError(
                f"{name}: knows the labels {list_names(known.names)}, but {train.source} has {list_names(labels.names)}"
            )
    return labels


def compared_texts(examples: Examples, tokenizer: Tokenizer, longest: int) -> Compared:
    """The data to check a classifier's export."""
    return Compared([tokenizer.words(text)[:longest] for text in examples.texts], examples.texts, examples)


def check_known(examples: Examples, labels: Labels, every: bool) -> None:
    """Raises `InputError` if no label, or with `every` not each label, is one that the model has."""
    if every or not any(name in labels.names for label in examples.labels for name in names_of(label)):
        check_labels(examples, labels.names)


def report_unseen(name: str, examples: Examples, labels: Labels, report: Report) -> None:
    """Warns of labels that the model lacks. The texts with them count as wrong."""
    known = set(labels.names)
    counts = Counter(one for label in examples.labels for one in names_of(label) if one not in known)
    if counts:
        shown = list_some([f"{quoted(one)} {count:,}" for one, count in sorted(counts.items())], " labels")
        report(
            f"warning: {name} has labels that the training split lacks, so that the model is wrong about their texts: "
            f"{shown}; correct them, or train on texts with them"
        )


def known_examples(examples: Examples, labels: Labels) -> Examples:
    """The examples of which a model has each label."""
    known = set(labels.names)
    return examples.select(index for index, label in enumerate(examples.labels) if known.issuperset(names_of(label)))


def split_scope(examples: Examples, label: str, labels: Labels) -> tuple[Examples, Examples]:
    """Splits off the examples with a label that is not one of the model's; see `Task.split_scope`."""
    option = f"--out-of-scope {excerpt(label)}"
    if label in labels.names:
        raise InputError(f"{option}: is a label of the model, so its texts are scored without this option")
    numbers: list[list[int]] = [[], []]
    for number, one in enumerate(examples.labels):
        numbers[one == label].append(number)
    inside, outside = numbers
    if not inside or not outside:
        raise InputError(f"{option}: {'all' if outside else 'none'} of the labels in {examples.source} are this one")
    return examples.select(inside), examples.select(outside)


def encode_splits(
    train: Examples,
    *held_out: Examples,
    tokenizer: Tokenizer,
    max_tokens: int,
    vocabulary_size: int = 20_000,
    min_count: int = 2,
) -> tuple[Vocabulary, list[str], list[Any]]:
    """Builds vocabulary and labels from the training split and encodes all splits, for your own `fit`.

    Args:
        train: Training examples.
        *held_out: Validation examples, test examples.
        tokenizer: The tokenizer of texts.
        max_tokens: Longer texts lose their end.
        vocabulary_size: Largest size of the vocabulary, padding and the unknown word included.
        min_count: Rarer words are left out.

    Returns:
        The vocabulary, the labels, and each split as `textapp.data.rows.EncodedRows`, the training split first.

    Raises:
        InputError: Training examples have only one label, or do not have a held-out label.
    """
    from textapp.data.rows import encode_rows
    from textapp.text.token_encoder import TokenEncoder

    labels = labels_of(set(train.labels), train.source, ExclusiveLabels)
    for examples in held_out:
        check_labels(examples, labels.names)
    config = ClassificationConfig().replaced(max_tokens=max_tokens)
    rows = [text_rows(config, examples, labels, tokenizer) for examples in (train, *held_out)]
    vocabulary = Vocabulary.build(rows[0].tokens.counts(), vocabulary_size, min_count)
    return vocabulary, list(labels.names), [encode_rows(part, TokenEncoder(None, vocabulary)) for part in rows]
