"""Tagging as a `textapp.task.Task`."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from textapp.answers import Baseline
from textapp.task import Compared, Files, PathLike, Report, Save, Task
from textapp.tasks.tagging import config as settings

if TYPE_CHECKING:
    import keras
    import numpy as np

    from textapp.data.near_duplicates import Conflict
    from textapp.data.profile import Profile
    from textapp.data.rows import EncodedRows, TargetRows
    from textapp.data.tagged import TaggedExamples
    from textapp.tasks.examination import Examiner
    from textapp.text.tag_set import TagSet
    from textapp.text.terminal import Screen
    from textapp.text.tokenizer import Tokenizer

TAGS, SCORES = "tags.txt", "crf.json"


class Tagging(Task[settings.TaggingConfig, "TaggedExamples", "TagSet"]):
    """Each token has a tag: spans (entities, slots) or plain tags (parts of speech)."""

    name = "tagging"
    model_noun = "tagger"
    short_name = "ner"
    does = "finds spans or tags tokens"
    target_noun = "tag"
    unit = "token"
    config = settings.TaggingConfig
    student_config = settings.StudentConfig
    presets = settings.PRESETS
    presets_help = settings.PRESETS_HELP
    files_help = (
        "tagged sentences: CoNLL columns, CoNLL-U, a table (Sentence #, Word, Tag), JSON with spans or of an "
        "annotation tool, a folder of slots (seq.in, seq.out, label), each also gzipped"
    )
    files_hold_tokens = True
    read_options = ("token_column", "tag_column", "scheme", "overlapping", "repair", "format")
    inherited_settings = ("lowercase", "zero_digits", "characters", "shapes")
    teacher_settings = ("tokenizer", "normalization", "retokenize", "tag_scheme")
    target_files = ("tags.txt",)
    sample_name = "sample.tsv"
    score_titles: ClassVar = {
        "accuracy": "accuracy",
        "entity_f1": "entity F1",
        "precision": "precision",
        "recall": "recall",
    }

    def tokenizer(self, config: settings.TaggingConfig) -> "Tokenizer":
        """See `Task`."""
        from textapp.tasks.tagging.data import text_tokenizer

        return text_tokenizer(config)

    def cuts_all(self, config: settings.TaggingConfig) -> bool:
        """See `Task`: tokens of files are cut too, unless the settings keep them."""
        return config.retokenize

    def read(
        self,
        path: PathLike,
        config: settings.TaggingConfig | None = None,
        targets: "TagSet | None" = None,
        **options: Any,
    ) -> "TaggedExamples":
        """See `Task`."""
        from textapp.tasks.tagging.data import read_sentences

        plain = None if targets is None else targets.scheme is None
        return read_sentences(path, config, plain_tags=plain, **options)

    def read_splits(
        self, config: settings.TaggingConfig, files: Files, seed: int, report: Report
    ) -> "tuple[TaggedExamples, dict[str, TaggedExamples]]":
        """See `Task`."""
        from textapp.tasks.tagging.data import read_splits

        return read_splits(config, files, seed, report)

    def profile(
        self,
        config: settings.TaggingConfig,
        files: Files,
        train: "TaggedExamples",
        held_out: "Mapping[str, TaggedExamples]",
    ) -> "Profile":
        """See `Task`."""
        from textapp.tasks.tagging.data import profile

        del held_out
        return profile(config, files, train)

    def targets(
        self,
        config: settings.TaggingConfig,
        train: "TaggedExamples",
        report: Report,
        known: "TagSet | None" = None,
    ) -> "TagSet":
        """See `Task`."""
        from textapp.tasks.tagging.data import tag_set

        del report
        return tag_set(config, train, known)

    def known_examples(self, examples: "TaggedExamples", targets: "TagSet") -> "TaggedExamples":
        """See `Task`: the sentences of whose types or plain tags a model has each one."""
        from textapp.tasks.tagging.scores import known_sentences

        return known_sentences(examples, targets)

    def check_installed(self, config: settings.TaggingConfig) -> None:
        """See `Task`: the library of a CRF over features."""
        if config.training.baseline == "crf":
            from textapp.tasks.tagging.feature_crf import check_installed

            check_installed()

    def check(
        self, examples: "TaggedExamples", targets: "TagSet", model: str = "the model", validation: bool = False
    ) -> None:
        """See `Task`: tags must be of the model's kind."""
        from textapp.tasks.tagging.scores import check_tags_known

        del validation
        check_tags_known(examples, targets, model)

    def report_unseen(self, name: str, examples: "TaggedExamples", targets: "TagSet", report: Report) -> None:
        """See `Task`."""
        from textapp.tasks.tagging.data import report_unseen

        report_unseen(name, examples, targets, report)

    def rows(
        self,
        config: settings.TaggingConfig,
        examples: "TaggedExamples",
        targets: "TagSet",
        tokenizer: "Tokenizer",
        training: bool = False,
        keep_empty: bool = False,
    ) -> "TargetRows":
        """See `Task`."""
        from textapp.tasks.tagging.data import sentence_rows

        del keep_empty  # each sentence has a token
        return sentence_rows(config, examples, targets, tokenizer, training)

    def conflicts(self, examples: "TaggedExamples") -> "list[Conflict]":
        """See `Task`: the same tokens with different tags."""
        from textapp.data.near_duplicates import equal_conflicts

        return equal_conflicts(list(map(tuple, examples.sentences)), list(map(tuple, examples.tags)))

    def describe_conflict(self, examples: "TaggedExamples", conflict: "Conflict") -> list[str]:
        """See `Task`: the tokens whose tags differ, `Paris B-LOC, Hilton O`."""
        sentence = examples.sentences[conflict.numbers[0]]
        rows = [examples.tags[number] for number in conflict.numbers]
        places = [place for place, tags in enumerate(zip(*rows, strict=True)) if len(set(tags)) > 1]
        return [", ".join(f"{sentence[place]} {tags[place]}" for place in places) for tags in rows]

    def head(self, config: settings.TaggingConfig, targets: "TagSet") -> Callable[[Any, Any], Any]:
        """See `Task`: tag logits and, with `crf`, a conditional random field."""
        from textapp.tasks.tagging.head import tagging_head

        allowed = targets.allowed() if config.crf else None
        return tagging_head(len(targets), config.encoder.dropout, config.crf, allowed)

    def loss(
        self, config: settings.TaggingConfig, model: "keras.Model", target_counts: "np.ndarray"
    ) -> "keras.losses.Loss":
        """See `Task`."""
        from textapp.tasks.tagging.losses import tag_loss

        del config, target_counts
        return tag_loss(model, reduction="mean_with_sample_weight")

    def soft_distance(self, config: settings.StudentConfig, model: "keras.Model") -> Callable[[Any, Any, Any], Any]:
        """See `Task`: the cross-entropy between the teachers' and the student's marginals."""
        from textapp.tasks.tagging.losses import soft_distance

        del config
        return soft_distance(model)

    def decoded(self, model: "keras.Model") -> Callable[[Any, Any], Any]:
        """See `Task`: the best tags, int32 `(B, T)`, -1 on padding."""
        from textapp.tasks.tagging.decoding import best_tags

        return best_tags(model)

    def probabilities(self, model: "keras.Model") -> Callable[[Any, Any], Any]:
        """See `Task`: marginals over all sequences, or without a CRF a softmax for each token."""
        from textapp.tasks.tagging.decoding import tag_probabilities

        return tag_probabilities(model)

    def decisions(self, rows: "EncodedRows", decoded: "np.ndarray", targets: "TagSet") -> list[list[str]]:
        """See `Task`: the tags of each sentence's original tokens."""
        from textapp.tasks.tagging.data import predicted_tags

        return predicted_tags(decoded, rows, targets)

    def score_decisions(
        self, examples: "TaggedExamples", decisions: Sequence[Any], targets: "TagSet"
    ) -> dict[str, Any]:
        """See `Task`."""
        from textapp.tasks.tagging.scores import tag_scores

        return tag_scores(examples.tags, list(decisions), targets)

    def examiner(self) -> "Examiner":
        """See `Task`."""
        from textapp.tasks.tagging import examination

        return examination

    def baseline(
        self,
        config: settings.TaggingConfig,
        train: "TaggedExamples",
        rows: "EncodedRows",
        targets: "TagSet",
        tokenizer: "Tokenizer",
    ) -> Baseline:
        """See `Task`: the most frequent tag of each token, or on request a CRF over features of the tokens."""
        from textapp.tasks.tagging.baseline import fitted
        from textapp.text.characters import counted

        title, tags = fitted(
            self.items(config, train, tokenizer, training=True), rows.targets, targets, config.training.baseline
        )
        return Baseline(
            title,
            f"{counted(len(rows.index), 'token')} of {counted(len(train), 'sentence')}",
            lambda examples, _: tags(self.items(config, examples, tokenizer, training=False)),
        )

    def score_soft(
        self, examples: "TaggedExamples", rows: "EncodedRows", probs: "np.ndarray", targets: "TagSet"
    ) -> dict[str, Any]:
        """See `Task`: by the most probable tag of each token; broken sequences are repaired as usual."""
        return self.score(examples, rows, probs.argmax(axis=1), targets)

    def main_score(self, targets: "TagSet") -> str:
        """See `Task`."""
        return "accuracy" if targets.scheme is None else "entity_f1"

    def main_score_title(self, targets: "TagSet") -> str:
        """See `Task`."""
        return "token accuracy" if targets.scheme is None else "strict entity F1"

    def counted(self, targets: "TagSet") -> str:
        """See `Task`."""
        return "token" if targets.scheme is None else "entity"

    def describe_scores(self, scores: Mapping[str, Any]) -> str:
        """See `Task`."""
        from textapp.tasks.tagging.scores import describe_scores

        return describe_scores(dict(scores))

    def score_tables(self, scores: Mapping[str, Any]) -> list[tuple[Sequence[str], list[Sequence[str]]]]:
        """See `Task`: the scores of each type of span."""
        if not scores.get("types"):
            return []
        keys = ("precision", "recall", "entity_f1")
        rows: list[Sequence[str]] = [
            (name, *(f"{part[key]:.4f}" for key in keys), f"{part['count']:,}")
            for name, part in scores["types"].items()
        ]
        return [(("type", "precision", "recall", "entity F1", "count"), rows)]

    def questions(self, examples: "TaggedExamples") -> Sequence[list[str]]:
        """See `Task`: the tokens of each sentence."""
        return examples.sentences

    def texts(self, examples: "TaggedExamples", tokenizer: "Tokenizer") -> list[str]:
        """See `Task`: tokens with spaces between them, or none where a token is a character."""
        return [("" if tokenizer.kind == "char" else " ").join(tokens) for tokens in examples.sentences]

    def read_texts(self, path: PathLike, tokenizer: "Tokenizer", count: int, **options: Any) -> list[str]:
        """See `Task`."""
        from textapp.data.tagged import read_tagged

        return self.texts(read_tagged(path, **{"repair": True, **options}, tokenizer=tokenizer), tokenizer)[:count]

    def prediction_lines(
        self, texts: Sequence[str], predictions: Sequence[Any], targets: "TagSet", screen: "Screen"
    ) -> Iterator[str]:
        """See `Task`: the text with its spans marked, or its tokens and their tags."""
        from textapp.tasks.tagging.terminal import prediction_lines

        return prediction_lines(texts, predictions, targets, screen)

    def prediction_legend(self, targets: "TagSet", screen: "Screen", explain: bool) -> str:
        """See `Task`: the colour of each type."""
        from textapp.tasks.tagging.terminal import legend

        del explain
        return legend(targets, screen)

    def listed_targets(self, targets: "TagSet") -> tuple[str, Sequence[str]]:
        """See `Task`: the types of spans, or the plain tags."""
        if targets.scheme is None:
            return "tags", targets.tags
        return "types of spans", sorted(name or "_" for name in targets.types)

    def shown_counts(self, targets: "TagSet", counts: "np.ndarray") -> dict[str, int]:
        """See `Task`: the spans of each type, or how often each plain tag occurs."""
        from textapp.text.tag_schemes import BEGINNING

        by_tag = super().shown_counts(targets, counts)
        if targets.scheme is None:
            return by_tag
        spans = dict.fromkeys(sorted(targets.types), 0)
        for tag, count in by_tag.items():
            if tag[:1] in BEGINNING:
                spans[tag[2:]] += count
        return {type_ or "no type": count for type_, count in spans.items()}

    def describe_targets(self, targets: "TagSet") -> dict[str, Any]:
        """See `Task`."""
        return {"tags": list(targets.tags), "scheme": targets.scheme}

    def files(self, targets: "TagSet") -> dict[str, Save]:
        """See `Task`."""
        from textapp.files import line_file

        return {TAGS: line_file(targets.tags)}

    def read_targets(self, folder: Path, metrics: Mapping[str, Any]) -> "TagSet":
        """See `Task`."""
        from textapp.files import read_line_file
        from textapp.text.tag_set import TagSet

        return TagSet(read_line_file(folder / TAGS, metrics.get("tags")), metrics.get("scheme"))

    def save_sample(self, path: Path, examples: "TaggedExamples") -> None:
        """See `Task`."""
        from textapp.tasks.tagging.data import save_sentences

        save_sentences(path, examples)

    def read_sample(self, path: Path, targets: "TagSet") -> "TaggedExamples":
        """See `Task`."""
        from textapp.tasks.tagging.data import read_saved

        return read_saved(path, targets)

    def dashboards(self, folder: Path, data: Any, scores: Any, validation: Any, probe: Any) -> list[Any]:
        """See `Task`."""
        from textapp.dashboards.projector import row_columns
        from textapp.tasks.tagging.dashboards import EpochTags, tagging_dashboards
        from textapp.text.tag_schemes import OUTSIDE

        tags, vocabulary = data.targets, data.encoder.vocabulary
        types = list(tags.names) if tags.scheme is None else sorted(tags.types)
        shown = [tag if tags.scheme is None or tag == OUTSIDE else tag[2:] for tag in tags.names]
        places = [types.index(name) if name in types else -1 for name in shown]
        columns = row_columns(getattr(data.batches, "rows", None), types, len(vocabulary), places)
        return tagging_dashboards(folder, EpochTags(scores), validation, vocabulary, probe, columns)

    def device_model(self, model: "keras.Model") -> "keras.Model":
        """See `Task`: without the CRF, whose scores are a file of the bundle."""
        from textapp.tasks.tagging.head import without_crf

        return without_crf(model)[0]

    def device_files(self, model: "keras.Model", targets: "TagSet") -> dict[str, Save]:
        """See `Task`: the scores of the CRF."""
        from textapp.files import write_json
        from textapp.tasks.tagging.decoding import crf_scores
        from textapp.tasks.tagging.head import without_crf

        del targets
        crf = without_crf(model)[1]
        return {} if crf is None else {SCORES: lambda path: write_json(path, crf_scores(crf))}

    def device_fields(self, config: settings.TaggingConfig, model: "keras.Model", targets: "TagSet") -> dict[str, Any]:
        """See `Task`."""
        from textapp.tasks.tagging.head import without_crf

        has_crf = without_crf(model)[1] is not None
        return {"retokenize": config.retokenize, "tag_scheme": targets.scheme, "crf": has_crf}

    def compared(
        self, config: settings.TaggingConfig, examples: "TaggedExamples", tokenizer: "Tokenizer", longest: int
    ) -> Compared:
        """See `Task`."""
        from textapp.tasks.tagging.data import compared_sentences

        return compared_sentences(config, examples, tokenizer, longest)

    def items(
        self, config: settings.TaggingConfig, examples: "TaggedExamples", tokenizer: "Tokenizer", training: bool
    ) -> list[list[str]]:
        """See `Task`: the tokens of each row."""
        from textapp.data.tagged_splits import cut_sentences, retokenized

        if config.retokenize:
            examples, _ = retokenized(examples, tokenizer)
        if training:
            return [list(sentence) for sentence in cut_sentences(examples, config.data.max_tokens)[0]]
        return examples.sentences

    def unlabelled_items(
        self, config: settings.TaggingConfig, path: PathLike, tokenizer: "Tokenizer"
    ) -> Iterator[list[str]]:
        """See `Task`: the tokens of each text, long texts in pieces."""
        from textapp.tasks.tagging.data import unlabelled_sentences

        return unlabelled_sentences(config, path, tokenizer)

    def item_tokens(self, item: Any, tokenizer: "Tokenizer", longest: int) -> list[str]:
        """See `Task`: they are tokens already."""
        del tokenizer, longest
        return list(item)

    def item_text(self, item: Any) -> str:
        """See `Task`: tokens with spaces between them."""
        return " ".join(item)

    def item_to_json(self, item: Any) -> dict[str, Any]:
        """See `Task`."""
        from textapp.text.characters import replace_surrogates

        return {"tokens": [replace_surrogates(token) for token in item]}

    def item_from_json(self, row: Mapping[str, Any], location: str) -> list[str]:
        """See `Task`."""
        from textapp.tasks.tagging.data import tokens_from_json

        return tokens_from_json(row, location)

    def teacher_targets(
        self,
        config: settings.StudentConfig,
        train: "TaggedExamples",
        teachers: "Sequence[tuple[str, TagSet]]",
        report: Report,
    ) -> "TagSet":
        """See `Task`."""
        from textapp.tasks.tagging.data import student_tags

        del config
        return student_tags(train, teachers, report)

    def targets_of_names(self, names: Iterable[str], source: str, known: "TagSet | None" = None) -> "TagSet":
        """See `Task`: span tags if the names fit a scheme."""
        from textapp.tasks.tagging.data import check_tag_set, tags_of_names

        tags = tags_of_names(names)
        return check_tag_set(tags if known is None else known.extended(tags.tags), source)


TASK = Tagging()
