"""Classification as a `textapp.task.Task`."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from textapp.task import Compared, Files, PathLike, Report, Save
from textapp.tasks.classification import config as settings
from textapp.tasks.classification.scoring import LabelScoring

if TYPE_CHECKING:
    import keras
    import numpy as np

    from textapp.data.doubts import Doubt
    from textapp.data.near_duplicates import Conflict
    from textapp.data.profile import Profile
    from textapp.data.readers import Examples
    from textapp.data.rows import TargetRows
    from textapp.text.labels import Labels
    from textapp.text.terminal import Screen
    from textapp.text.tokenizer import Tokenizer

LABELS = "labels.txt"
SHOWN_TEXTS = 8  # number of validation texts whose attention TensorBoard shows


class Classification(LabelScoring):
    """Each text has exactly one label: topic, intent, sentiment."""

    name = "classification"
    model_noun = "classifier"
    short_name = "sentiment"
    does = "gives each text one of its labels"
    target_noun = "label"
    unit = "text"
    config: type[settings.ClassificationConfig] = settings.ClassificationConfig
    student_config: type[settings.StudentConfig] = settings.StudentConfig
    presets = settings.PRESETS
    presets_help = settings.PRESETS_HELP
    files_help = (
        "labelled texts: TSV, CSV, JSON lines, `label text` lines, a folder or tar of class folders (PATH#SUBSET), "
        "each also gzipped"
    )
    read_options = ("text_column", "label_column")
    head_sizes = ("attention_units",)
    target_files = ("labels.txt",)
    sample_name = "sample.jsonl"
    score_titles: ClassVar = {"accuracy": "accuracy", "macro_f1": "macro F1"}

    def tokenizer(self, config: settings.ClassificationConfig) -> "Tokenizer":
        """See `Task`."""
        from textapp.tasks.classification.data import text_tokenizer

        return text_tokenizer(config)

    def read(
        self,
        path: PathLike,
        config: settings.ClassificationConfig | None = None,
        targets: "Labels | None" = None,
        **options: Any,
    ) -> "Examples":
        """See `Task`."""
        from textapp.tasks.classification.data import read_labelled

        del targets
        return read_labelled(path, config, **options)

    def read_splits(
        self, config: settings.ClassificationConfig, files: Files, seed: int, report: Report
    ) -> "tuple[Examples, dict[str, Examples]]":
        """See `Task`."""
        from textapp.tasks.classification.data import read_splits

        return read_splits(config, files, seed, report)

    def profile(
        self,
        config: settings.ClassificationConfig,
        files: Files,
        train: "Examples",
        held_out: "Mapping[str, Examples]",
    ) -> "Profile":
        """See `Task`."""
        from textapp.tasks.classification.data import profile

        return profile(config, files, train, held_out)

    def targets(
        self,
        config: settings.ClassificationConfig,
        train: "Examples",
        report: Report,
        known: "Labels | None" = None,
    ) -> "Labels":
        """See `Task`."""
        from textapp.tasks.classification.data import label_set
        from textapp.text.labels import ExclusiveLabels

        return label_set(config, train, report, ExclusiveLabels, known)

    def known_examples(self, examples: "Examples", targets: "Labels") -> "Examples":
        """See `Task`."""
        from textapp.tasks.classification.data import known_examples

        return known_examples(examples, targets)

    def report_targets(
        self,
        config: settings.ClassificationConfig,
        targets: "Labels",
        target_counts: "Mapping[str, np.ndarray]",
        report: Report,
    ) -> None:
        """See `Task`: labels that look the same, labels with hardly an example, skewed classes."""
        from textapp.tasks.classification.balance import report_labels

        monitor = self.monitor(config, targets, target_counts["train"])
        report_labels(config, targets.names, target_counts, monitor, report)

    def check(
        self, examples: "Examples", targets: "Labels", model: str = "the model", validation: bool = False
    ) -> None:
        """See `Task`: a label must be known, of validation examples each."""
        from textapp.tasks.classification.data import check_known

        del model
        check_known(examples, targets, every=validation)

    def report_unseen(self, name: str, examples: "Examples", targets: "Labels", report: Report) -> None:
        """See `Task`."""
        from textapp.tasks.classification.data import report_unseen

        report_unseen(name, examples, targets, report)

    def rows(
        self,
        config: settings.ClassificationConfig,
        examples: "Examples",
        targets: "Labels",
        tokenizer: "Tokenizer",
        training: bool = False,
        keep_empty: bool = False,
    ) -> "TargetRows":
        """See `Task`."""
        from textapp.tasks.classification.data import text_rows

        del training
        return text_rows(config, examples, targets, tokenizer, keep_empty)

    def stream_rows(
        self,
        config: settings.ClassificationConfig,
        path: PathLike,
        held_out: "Sequence[Examples]",
        tokenizer: "Tokenizer",
        report: Report,
    ) -> Iterable[tuple[list[str], Any]]:
        """See `Task`."""
        from textapp.tasks.classification.data import StreamedTexts

        return StreamedTexts(config, path, held_out, tokenizer, report)

    def conflicts(self, examples: "Examples") -> "list[Conflict]":
        """See `Task`: nearly the same texts with different labels."""
        from textapp.data.near_duplicates import text_conflicts

        return text_conflicts(examples.texts, examples.labels)

    def describe_conflict(self, examples: "Examples", conflict: "Conflict") -> list[str]:
        """See `Task`."""
        from textapp.data.readers import names_of
        from textapp.errors import quoted_name

        labels = [names_of(examples.labels[number]) for number in conflict.numbers]
        return [names[0] if self.exclusive else ",".join(map(quoted_name, names)) for names in labels]

    def doubts(self, examples: "Examples", tokenizer: "Tokenizer", predictor: Any, report: Report) -> "list[Doubt]":
        """See `Task`: by a linear model over n-grams."""
        from textapp.tasks.classification.label_check import label_doubts

        return label_doubts(examples, self.exclusive, tokenizer, predictor, report)

    def head(self, config: settings.ClassificationConfig, targets: "Labels") -> Callable[[Any, Any], Any]:
        """See `Task`: attention pooling and class logits."""
        from textapp.tasks.classification.head import classification_head

        return classification_head(len(targets.names), config.attention_units, config.encoder.dropout)

    def loss(
        self, config: settings.ClassificationConfig, model: "keras.Model", target_counts: "np.ndarray"
    ) -> "keras.losses.Loss":
        """See `Task`: a cross-entropy."""
        import keras

        from textapp.tasks.classification.losses import WeightedCrossentropy, label_loss

        del model
        plain = keras.losses.SparseCategoricalCrossentropy
        return label_loss(config.loss, target_counts, plain, WeightedCrossentropy)

    def metrics(self) -> "list[keras.metrics.Metric]":
        """See `Task`."""
        from textapp.tasks.classification.losses import LabelAccuracy

        return [LabelAccuracy("accuracy")]

    def soft_distance(self, config: settings.StudentConfig, model: "keras.Model") -> Callable[[Any, Any, Any], Any]:
        """See `Task`."""
        from textapp.tasks.classification.losses import soft_distance

        del model
        return soft_distance(config.distillation.distillation_loss, config.distillation.temperature)

    def questions(self, examples: "Examples") -> Sequence[str]:
        """See `Task`: the texts."""
        return examples.texts

    def texts(self, examples: "Examples", tokenizer: "Tokenizer") -> list[str]:
        """See `Task`."""
        del tokenizer
        return list(examples.texts)

    def read_texts(self, path: PathLike, tokenizer: "Tokenizer", count: int, **options: Any) -> list[str]:
        """See `Task`."""
        from itertools import islice

        from textapp.data.readers import iterate_examples

        del tokenizer
        return [text for text, _ in islice(iterate_examples(path, **options), count)]

    def prediction_lines(
        self, texts: Sequence[str], predictions: Sequence[Any], targets: "Labels", screen: "Screen"
    ) -> Iterator[str]:
        """See `Task`: label, probability, and the text with its attention."""
        from textapp.tasks.classification.terminal import prediction_lines

        del targets
        return prediction_lines(texts, predictions, screen)

    def prediction_legend(self, targets: "Labels", screen: "Screen", explain: bool) -> str:
        """See `Task`: what the tints of tokens say."""
        from textapp.tasks.classification.terminal import legend

        del targets
        return legend(screen, explain)

    def prediction_notes(self, prediction: Any, number: int, longest: int) -> Iterator[str]:
        """See `Task`: whether the text was cut."""
        if prediction.truncated:
            yield f"text {number} was cut to its first {longest} tokens"

    def describe_targets(self, targets: Any) -> dict[str, Any]:
        """See `Task`."""
        return {"labels": list(targets.names), "temperature": targets.temperature}

    def files(self, targets: "Labels") -> dict[str, Save]:
        """See `Task`."""
        from textapp.files import line_file

        return {LABELS: line_file(targets.names)}

    def read_targets(self, folder: Path, metrics: Mapping[str, Any]) -> "Labels":
        """See `Task`."""
        from textapp.errors import InputError, quoted
        from textapp.files import read_line_file
        from textapp.text.labels import TEMPERATURE_RULE, ExclusiveLabels, is_temperature

        temperature: Any = metrics.get("temperature", 1.0)  # runs of earlier versions have none
        if not is_temperature(temperature):
            path = folder / "metrics.json"
            raise InputError(f'{path}: "temperature" must be {TEMPERATURE_RULE}. Received: {quoted(temperature)}')
        return ExclusiveLabels(read_line_file(folder / LABELS, metrics.get("labels")), float(temperature))

    def save_sample(self, path: Path, examples: "Examples") -> None:
        """See `Task`."""
        from textapp.tasks.classification.data import save_texts

        save_texts(path, examples)

    def read_sample(self, path: Path, targets: "Labels") -> "Examples":
        """See `Task`."""
        from textapp.data.readers import read_examples

        del targets
        return read_examples(path)

    def dashboards(self, folder: Path, data: Any, scores: Any, validation: Any, probe: Any) -> list[Any]:
        """See `Task`."""
        from textapp.dashboards.projector import row_columns
        from textapp.tasks.classification.dashboards import EpochScores, classification_dashboards

        rows, vocabulary = getattr(data.batches, "rows", None), data.encoder.vocabulary
        valid = data.examples["valid"]
        shown = valid.select(evenly_spaced(len(valid)))
        return classification_dashboards(
            folder,
            validation=validation,
            scores=EpochScores(scores, data.targets.names),
            label_names=data.targets.names,
            tokenizer=data.tokenizer,
            encoder=data.encoder,
            texts=shown.texts,
            true_labels=shown.labels,
            validation_texts=[valid.texts[row] for row in data.held_out["valid"].sources.tolist()],
            probe=probe,
            columns=row_columns(rows, data.targets.names, len(vocabulary)),
        )

    def device_fields(
        self, config: settings.ClassificationConfig, model: "keras.Model", targets: Any
    ) -> dict[str, Any]:
        """See `Task`."""
        del config, model
        return {"temperature": targets.temperature}

    def compared(
        self, config: settings.ClassificationConfig, examples: "Examples", tokenizer: "Tokenizer", longest: int
    ) -> Compared:
        """See `Task`."""
        from textapp.tasks.classification.data import compared_texts

        del config
        return compared_texts(examples, tokenizer, longest)

    def items(
        self, config: settings.ClassificationConfig, examples: "Examples", tokenizer: "Tokenizer", training: bool
    ) -> list[str]:
        """See `Task`: the texts."""
        del config, training
        return [text for text in examples.texts if tokenizer.words(text)]

    def unlabelled_items(
        self, config: settings.ClassificationConfig, path: PathLike, tokenizer: "Tokenizer"
    ) -> Iterator[str]:
        """See `Task`."""
        from textapp.data.unlabelled import unlabelled_texts

        del config, tokenizer
        return unlabelled_texts(path)

    def item_tokens(self, item: Any, tokenizer: "Tokenizer", longest: int) -> list[str]:
        """See `Task`."""
        return tokenizer.words(item)[:longest]

    def item_text(self, item: Any) -> str:
        """See `Task`."""
        return str(item)

    def augmented_items(
        self, config: settings.StudentConfig, items: Sequence[Any], tokenizer: "Tokenizer"
    ) -> Iterator[str]:
        """See `Task`."""
        from textapp.tasks.classification.data import augmented_texts

        return augmented_texts(config, items, tokenizer)

    def item_to_json(self, item: Any) -> dict[str, Any]:
        """See `Task`."""
        from textapp.text.characters import replace_surrogates

        return {"text": replace_surrogates(item)}

    def item_from_json(self, row: Mapping[str, Any], location: str) -> str:
        """See `Task`."""
        from textapp.tasks.classification.data import text_from_json

        return text_from_json(row, location)

    def teacher_targets(
        self,
        config: settings.StudentConfig,
        train: "Examples",
        teachers: "Sequence[tuple[str, Labels]]",
        report: Report,
    ) -> "Labels":
        """See `Task`."""
        from textapp.tasks.classification.data import student_labels

        return student_labels(train, self.targets(config, train, report), teachers)

    def targets_of_names(self, names: Iterable[str], source: str, known: "Labels | None" = None) -> "Labels":
        """See `Task`."""
        from textapp.tasks.classification.data import labels_of
        from textapp.text.labels import ExclusiveLabels

        return labels_of(names, source, ExclusiveLabels, known)


def evenly_spaced(count: int) -> range:
    """The positions of evenly spaced texts, of `count`, whose attention TensorBoard shows."""
    return range(0, count, max(1, count // SHOWN_TEXTS))[:SHOWN_TEXTS]


TASK = Classification()
