"""What TensorBoard shows of a tagger, as callbacks for any Keras `fit`."""

import os
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Protocol

import keras
import numpy as np
import tensorflow as tf

from textapp.dashboards import Dashboard, EmbeddingProjector, EventLog, GradientNorms, Histograms, Scalars
from textapp.dashboards.entities import Sentence, draw_entities
from textapp.dashboards.figures import draw_confusion_matrix, draw_scores, escape_markdown, write_figure
from textapp.dashboards.gradients import probe_batch
from textapp.dashboards.log import Run
from textapp.data.tagged import TaggedExamples
from textapp.tasks.tagging.data import predicted_tags
from textapp.tasks.tagging.examination import type_confusion
from textapp.text.tag_schemes import read_spans
from textapp.text.tag_set import FILE_SCHEME, TagSet
from textapp.text.vocabulary import Vocabulary

_PROBE = 32  # sentences: enough for a stable gradient, and as fast as one or two training steps
_SENTENCES = 10  # on the page of sample sentences
_DRAWN = 6  # of them, in the picture
_F1 = "Strict F1 of the validation split's entities of this type: first token, last token and type are right."
_PAGE = "Sentences of the validation split: the true entities, and below them the predicted ones where they differ."


class TaggedValidation(Protocol):
    """The validation split, which a callback tags again at the end of each epoch, before the dashboards.

    Attributes:
        examples: The sentences and their true tags.
        targets: The tags.
    """

    examples: TaggedExamples
    targets: TagSet

    @property
    def predicted(self) -> list[list[str]]:
        """The last predicted tags of each sentence."""

    @property
    def scores(self) -> dict[str, Any]:
        """The scores of `predicted`, from `textapp.tasks.tagging.scores.tag_scores`."""


def tagging_dashboards(
    log_dir: str | os.PathLike[str],
    scores: TaggedValidation,
    validation: tf.data.Dataset,
    vocabulary: Vocabulary,
    probe: tuple[Any, Any] | None = None,
    columns: Mapping[str, Sequence[object]] | None = None,
) -> list[keras.callbacks.Callback]:
    """Makes the callbacks that write TensorBoard's pages, all to one log.

    Args:
        log_dir: Folder of the log, local or remote. Show it with `tensorboard --logdir LOG_DIR`.
        scores: Tags the validation split. It must be before these in the list of callbacks.
        validation: Batches of the validation split, for gradient norms.
        vocabulary: The words of the embedding's rows.
        probe: Inputs and targets for gradient norms; by default some of `validation`.
        columns: More columns of the words on the projector's page, from `word_columns`.

    Returns:
        `Scalars`, `GradientNorms`, `Histograms`, `EmbeddingProjector` and `TypeConfusion`; for tags of spans
        `TypeScores` and `EntityPages` too.
    """
    log = EventLog(log_dir)
    callbacks: list[keras.callbacks.Callback] = [
        Scalars(log),
        GradientNorms(log, probe or probe_batch(validation, _PROBE)),
        Histograms(log),
        EmbeddingProjector(log, vocabulary.tokens, layer="embedding", columns=columns),
        TypeConfusion(log, scores),
    ]
    if scores.targets.scheme is not None:
        callbacks += [TypeScores(log, scores), EntityPages(log, scores)]
    return callbacks


class TagDashboard(Dashboard):
    """A dashboard of the tags that the model predicts for the validation split.

    Args:
        log: An `EventLog`, or the path of a folder.
        scores: Tags the validation split. It must be before this in the list of callbacks.
    """

    run: ClassVar[Run] = "validation"

    def __init__(self, log: EventLog | str | os.PathLike[str], scores: TaggedValidation):
        super().__init__(log)
        self.scores = scores


class TypeConfusion(TagDashboard):
    """Draws the confusion matrix of the validation split's tokens (`validation/type_confusion`).

    A token inside an entity counts as the entity's type, any other as `O`. Where an entity begins and ends does not
    count here; entity F1 counts it. Plain tags, such as parts of speech, are drawn as they are.
    """

    def write(self) -> None:
        """Draws the matrix."""
        names, counts = self.counts()
        legend = "; ".join(f"{index} = {name}" for index, name in enumerate(names))
        write_figure(
            "validation/type_confusion",
            draw_confusion_matrix(counts, names, "tokens"),
            f"Validation tokens by true and predicted type. {legend}",
        )

    def counts(self) -> tuple[list[str], np.ndarray]:
        """The types that occur, and the counts of tokens by true type (row) and predicted type, int64 `(C, C)`."""
        return type_confusion(self.scores.examples.tags, self.scores.predicted, self.scores.targets.scheme is not None)


class TypeScores(TagDashboard):
    """Writes the F1 of each type of entity as a curve (`validation/entity_f1/TYPE`), and all as bars.

    The bars (`validation/f1_by_type`) show at a glance which type is the worst.
    """

    def write(self) -> None:
        """Writes one point per type, and the picture."""
        scores = {name: score["entity_f1"] for name, score in self.scores.scores["types"].items()}
        for name, score in scores.items():
            tf.summary.scalar(f"validation/entity_f1/{name}", score, description=_F1)
        if scores:
            legend = "; ".join(f"{number} = {name}" for number, name in enumerate(scores))
            write_figure("validation/f1_by_type", draw_scores(scores, "strict F1 by type"), f"{_F1} {legend}")


class EntityPages(TagDashboard):
    """Writes some validation sentences with their entities (page "Text", `sample_sentences`), and draws them.

    The picture (`validation/entities`) has the colours of a terminal.

    Args:
        log: An `EventLog`, or the path of a folder.
        scores: Tags the validation split. It must be before this in the list of callbacks.
    """

    def __init__(self, log: EventLog | str | os.PathLike[str], scores: TaggedValidation):
        super().__init__(log, scores)
        tags = scores.examples.tags
        with_entities = [index for index in range(len(tags)) if set(tags[index]) != {"O"}] or list(range(len(tags)))
        self.chosen = with_entities[:: max(1, len(with_entities) // _SENTENCES)][:_SENTENCES]

    def write(self) -> None:
        """Writes one page."""
        tf.summary.text("sample_sentences", self.markdown(), description=_PAGE)
        write_figure("validation/entities", draw_entities(self.sentences(), sorted(self.scores.targets.types)), _PAGE)

    def sentences(self) -> list[Sentence]:
        """The sentences to draw."""
        examples = self.scores.examples
        return [
            Sentence(
                examples.sentences[index],
                read_spans(examples.tags[index], FILE_SCHEME),
                read_spans(self.scores.predicted[index], FILE_SCHEME),
            )
            for index in self.chosen[:_DRAWN]
        ]

    def markdown(self) -> str:
        """The page."""
        parts = []
        for index in self.chosen:
            tokens, true = self.scores.examples.sentences[index], self.scores.examples.tags[index]
            predicted = self.scores.predicted[index]
            parts.append(mark_entities(tokens, true))
            parts.append("✓" if predicted == true else f"✗ {mark_entities(tokens, predicted)}")
        return "\n\n".join(parts)


def mark_entities(tokens: Sequence[str], tags: Sequence[str]) -> str:
    """A sentence as markdown: its entities in bold, each followed by its type.

    Args:
        tokens: The tokens. Spaces separate them, unless all are of one character, as in Chinese.
        tags: Their tags in IOB2, a valid sequence.
    """
    space = "" if all(len(token) == 1 for token in tokens) else " "
    parts: list[str] = []
    end = 0
    for span in read_spans(tags, FILE_SCHEME):
        parts += map(escape_markdown, tokens[end : span.start])
        entity = space.join(tokens[span.start : span.end])
        parts.append(f"**{escape_markdown(entity)}** ({escape_markdown(span.type or '_')})")
        end = span.end
    return space.join([*parts, *map(escape_markdown, tokens[end:])])


class EpochTags:
    """`TaggedValidation` from a `textapp.training.validation.ValidationScores`.

    Args:
        validation: That callback. It must be before the dashboards in the list of callbacks.
    """

    def __init__(self, validation: Any):
        self.validation = validation
        self.examples: TaggedExamples = validation.examples
        self.targets: TagSet = validation.targets

    @property
    def predicted(self) -> list[list[str]]:
        """The last predicted tags of each sentence."""
        return predicted_tags(self.validation.decoded, self.validation.rows, self.targets)

    @property
    def scores(self) -> dict[str, Any]:
        """The scores of `predicted`."""
        scores: dict[str, Any] = self.validation.scores
        return scores
