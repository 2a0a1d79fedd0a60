"""Runs of taggers, opened to be trained on with rounded weights."""

import dataclasses
import functools
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import keras
import tensorflow as tf

from textapp.compress import tagger_distillation
from textapp.compress.config import DistillTaggerConfig, QuantizeConfig
from textapp.compress.quantization_aware import QuantizationAware
from textapp.compress.quantize_tasks import Report, changed_since, going_on, snapped, total_steps
from textapp.compress.soft_tags import read_soft_tags
from textapp.compress.tagger_data import TransferSentences
from textapp.compress.tagger_teachers import TaggerTeacher, main_score
from textapp.data.pipeline import evaluation_batches
from textapp.files import replacing
from textapp.tasks.tagging.scores import tag_scores
from textapp.text.token_encoder import TokenEncoder
from textapp.training import ner, ner_run, run
from textapp.training.tag_predictor import TagPredictor
from textapp.training.tag_preparation import PreparedTags, prepare_tags
from textapp.training.validation_tags import ValidationTags


@dataclasses.dataclass(frozen=True)
class Tagger:
    """A run of `textapp train ner`; `Task`."""

    trained: ner_run.NerRun
    data: PreparedTags
    validation: tf.data.Dataset

    @classmethod
    def open(cls, source: Path, command: Mapping[str, Any], strategy: tf.distribute.Strategy, report: Report) -> Self:
        """See `Task`."""
        with strategy.scope():
            trained = ner_run.NerRun.load(source)
        config, train = trained.config, command["train"]
        data = prepare_tags(config, train, command.get("valid"), command.get("test"), report, command.get("vectors"))
        _check_tagger(data, trained, train)
        encoded = data.held_out["valid"]
        return cls(trained, data, evaluation_batches(encoded, config.batch_size, data.widths, config.static_shapes))

    @property
    def model(self) -> keras.Model:
        """See `Task`."""
        return self.trained.model

    @property
    def metric(self) -> str:
        """See `Task`: `entity_f1`, or `accuracy` of tags that stand for themselves."""
        return "accuracy" if self.data.tag_set.scheme is None else "entity_f1"

    @property
    def callbacks(self) -> list[keras.callbacks.Callback]:
        """What tags the validation split at the end of each epoch."""
        size = self.trained.config.batch_size
        examples, encoded = self.data.examples["valid"], self.data.held_out["valid"]
        return [RoundedValidationTags(examples, encoded, self.validation, size, self.data.tag_set)]

    def compile(self, aware: QuantizationAware, config: QuantizeConfig) -> None:
        """See `Task`."""
        settings = going_on(self.trained.config, config)
        ner.compile_model(aware, settings, total_steps(settings, self.data), core=aware.model)

    def save_text_side(self, folder: Path) -> None:
        """See `Task`."""
        ner_run.save_text_side(folder, self.trained.config, self.trained.encoder, self.trained.tag_set)
        ner_run.save_sample(folder, self.data.examples["valid"])

    def scores(self) -> dict[str, dict[str, Any]]:
        """See `Task`."""
        return {
            name: tag_scores(self.data.examples[name].tags, self._predictor.predict(part), self.data.tag_set)
            for name, part in self.data.held_out.items()
        }

    def metrics(self, scores: Mapping[str, Any]) -> dict[str, Any]:
        """See `Task`."""
        tag_set = self.data.tag_set
        return {"task": ner_run.TASK, "tags": list(tag_set.tags), "scheme": tag_set.scheme, **scores}

    @functools.cached_property
    def _predictor(self) -> TagPredictor:
        """Compiled once."""
        return TagPredictor(self.model, self.data.tag_set)


@dataclasses.dataclass(frozen=True)
class TaggerStudent(Tagger):
    """A run of `textapp distill` of taggers, whose soft tags stand for its teachers; `Task`."""

    config: DistillTaggerConfig
    soft_tags: Path

    @classmethod
    def open(cls, source: Path, command: Mapping[str, Any], strategy: tf.distribute.Strategy, report: Report) -> Self:
        """See `Task`."""
        with strategy.scope():
            trained = ner_run.NerRun.load(source)
        settings = {**command["settings"], **command["distillation"]}
        config = DistillTaggerConfig.from_dict(settings, os.fspath(source / run.CONFIG))
        # Its tags are its teachers', and it cuts texts as they do: it stands for them where its files are read.
        transfer = TransferSentences.read(config, command, [TaggerTeacher(source)], report)
        _check_tagger(transfer.data, trained, command["train"])
        marginals = read_soft_tags(source / run.SOFT_TAGS, transfer.asked, trained.tag_set.tags)
        data, taught_valid = transfer.taught(config, marginals)
        validation = evaluation_batches(taught_valid, config.batch_size, data.widths, config.static_shapes)
        return cls(trained, data, validation, config, source / run.SOFT_TAGS)

    def compile(self, aware: QuantizationAware, config: QuantizeConfig) -> None:
        """See `Task`."""
        settings = going_on(self.config, config)
        tagger_distillation.compile_student(aware, settings, total_steps(settings, self.data), core=aware.model)

    def save_text_side(self, folder: Path) -> None:
        """See `Task`. The soft tags are copied, as a `Student`'s soft labels are."""
        super().save_text_side(folder)
        with replacing(folder / run.SOFT_TAGS) as temporary:
            shutil.copyfile(self.soft_tags, temporary)

    def metrics(self, scores: Mapping[str, Any]) -> dict[str, Any]:
        """See `Task`."""
        teaching = self.trained.metrics["distillation"]
        teaching = tagger_distillation.with_kept(teaching, self.data, main_score(scores["valid"]))
        return {**super().metrics(scores), "distillation": teaching}


class RoundedValidationTags(ValidationTags):
    """`ValidationTags` of a model in training within `QuantizationAware`: those that it gives with rounded weights."""

    def set_model(self, model: QuantizationAware) -> None:
        """Keeps the wrapper, and tags with what it wraps: its last layer, the CRF, decodes."""
        self._aware = model
        super().set_model(model.model)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """See `ValidationTags`."""
        with snapped(self._aware):
            super().on_epoch_end(epoch, logs)


def _check_tagger(data: PreparedTags, trained: ner_run.NerRun, path: str) -> None:
    """Raises `InputError` where the run's files are not those any more that it was trained on."""
    if _known(data.encoder) != _known(trained.encoder) or data.tag_set != trained.tag_set:
        raise changed_since(path, "tags")


def _known(encoder: TokenEncoder) -> list[tuple[str, ...]]:
    """The words and the characters that have an id."""
    return [vocabulary.tokens for vocabulary in (encoder.vocabulary, encoder.characters) if vocabulary is not None]
