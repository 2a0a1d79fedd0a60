"""Runs of classifiers, opened to be trained on with rounded weights."""

import dataclasses
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Self

import keras
import tensorflow as tf

from textapp.compress.config import DistillConfig, QuantizeConfig
from textapp.compress.distillation import compile_student, with_kept
from textapp.compress.quantization_aware import QuantizationAware
from textapp.compress.quantize_tasks import Report, changed_since, going_on, total_steps
from textapp.compress.soft_labels import SoftLabels
from textapp.compress.student_preparation import StudentFiles
from textapp.data.pipeline import evaluation_batches
from textapp.files import replacing
from textapp.tasks.classification.scores import classification_scores
from textapp.training import run, sentiment
from textapp.training.evaluate import predict_logits
from textapp.training.preparation import Prepared, prepare


@dataclasses.dataclass(frozen=True)
class Classifier:
    """A run of `textapp train sentiment`; `Task`."""

    trained: run.Run
    data: Prepared
    validation: tf.data.Dataset

    metric: ClassVar[str] = "accuracy"

    @classmethod
    def open(cls, source: Path, command: Mapping[str, Any], strategy: tf.distribute.Strategy, report: Report) -> Self:
        """See `Task`."""
        with strategy.scope():
            trained = run.Run.load(source)
        config, train = trained.config, command["train"]
        data = prepare(config, train, command.get("valid"), command.get("test"), report, command.get("vectors"))
        _check_classes(data, trained, train)
        encoded = data.held_out["valid"]
        return cls(trained, data, evaluation_batches(encoded, config.batch_size, data.widths, config.static_shapes))

    @property
    def model(self) -> keras.Model:
        """See `Task`."""
        return self.trained.model

    @property
    def callbacks(self) -> list[keras.callbacks.Callback]:
        """None: accuracy is compiled."""
        return []

    def compile(self, aware: QuantizationAware, config: QuantizeConfig) -> None:
        """See `Task`."""
        settings = going_on(self.trained.config, config)
        sentiment.compile_model(aware, settings, total_steps(settings, self.data), core=aware.model)

    def save_text_side(self, folder: Path) -> None:
        """See `Task`."""
        run.save_text_side(folder, self.trained.tokenizer, self.trained.vocabulary, self.trained.labels)
        run.save_sample(folder, self.data.sample)

    def scores(self) -> dict[str, dict[str, Any]]:
        """See `Task`."""
        return {
            name: classification_scores(part.labels, predict_logits(self.model, part))
            for name, part in self.data.held_out.items()
        }

    def metrics(self, scores: Mapping[str, Any]) -> dict[str, Any]:
        """See `Task`."""
        return {"task": "sentiment", "labels": self.trained.labels, **scores}


@dataclasses.dataclass(frozen=True)
class Student(Classifier):
    """A run of `textapp distill`, whose soft labels stand for its teachers; `Task`.

    It trains on with these alone: whatever `attention_weight` and `hidden_weight` were when it was distilled, the
    insides of its teachers are not asked again.
    """

    config: DistillConfig
    soft: SoftLabels

    @classmethod
    def open(cls, source: Path, command: Mapping[str, Any], strategy: tf.distribute.Strategy, report: Report) -> Self:
        """See `Task`."""
        with strategy.scope():
            trained = run.Run.load(source)
        settings = {**command["settings"], **command["distillation"]}
        config = DistillConfig.from_dict(settings, os.fspath(source / run.CONFIG))
        soft = SoftLabels.read(source / run.SOFT_LABELS, trained.labels)
        data, taught_valid = StudentFiles.read(config, command, [soft], report).taught(soft)
        _check_classes(data, trained, command["train"])
        validation = evaluation_batches(taught_valid, config.batch_size, data.widths, config.static_shapes)
        return cls(trained, data, validation, config, soft)

    def compile(self, aware: QuantizationAware, config: QuantizeConfig) -> None:
        """See `Task`."""
        settings = going_on(self.config, config)
        compile_student(aware, settings, total_steps(settings, self.data), core=aware.model)

    def save_text_side(self, folder: Path) -> None:
        """See `Task`. The soft labels are copied: they may still teach others, and let this run go on as well."""
        super().save_text_side(folder)
        with replacing(folder / run.SOFT_LABELS) as temporary:
            shutil.copyfile(self.soft.name, temporary)

    def metrics(self, scores: Mapping[str, Any]) -> dict[str, Any]:
        """See `Task`."""
        teaching = with_kept(self.trained.metrics["distillation"], scores["valid"]["accuracy"])
        return {**super().metrics(scores), "distillation": teaching}


def _check_classes(data: Prepared, trained: run.Run, path: str) -> None:
    """Raises `InputError` where the run's files are not those any more that it was trained on."""
    if data.vocabulary.tokens != trained.vocabulary.tokens or data.labels != trained.labels:
        raise changed_since(path, "labels")
