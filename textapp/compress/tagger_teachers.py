"""Finished runs of taggers as teachers."""

import dataclasses
import functools
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from textapp.compress.config import DistillTaggerConfig
from textapp.compress.soft_labels import mean_of
from textapp.compress.soft_tags import Sentences
from textapp.compress.teachers import TeachingRun
from textapp.config import NerConfig
from textapp.data.tagged import TaggedExamples
from textapp.data.tagged_batches import encode_sentences
from textapp.errors import InputError
from textapp.tasks.tagging.scores import tag_scores
from textapp.text.tag_set import TagSet
from textapp.training import run
from textapp.training.ner_run import TASK, NerRun
from textapp.training.tag_predictor import TagMarginals, TagPredictor
from textapp.training.tag_preparation import encode_held_out

CUTTING = ("tokenizer", "normalization", "retokenize")
"""The settings that say what the tokens of a text are."""

WORDS = ("lowercase", "zero_digits", "characters", "shapes")
"""Those by which the words are looked up, and what else of them is seen."""

READING = ("format", "token_column", "tag_column", "scheme", "repair", "valid_fraction")
"""Those with which files are read and divided."""


class TaggerTeacher(TeachingRun[NerConfig]):
    """The model of a run of `textapp train ner` or `textapp distill`, loaded when it is first asked.

    Args:
        folder: The run folder.

    Attributes:
        command: What the run's `config.json` says, `train`, `valid` and `test` among it.
        config: Its settings.
        tag_set: Its tags.

    Raises:
        InputError: It is no finished run of a tagger.
    """

    def __init__(self, folder: str | os.PathLike[str]):
        path, name = Path(folder), os.fspath(folder)
        if (path / "bundle.json").exists():
            raise InputError(f"{name}: a bundle; taggers teach as runs")
        command, metrics = run.read_finished(path)
        if metrics.get("task") != TASK:
            raise InputError(f"{name}: not a run of a tagger; its task is {metrics.get('task')}")
        config = NerConfig.from_dict(command["settings"], str(path / run.CONFIG))
        self.tag_set = TagSet(tuple(run.read_names(path / run.TAGS, metrics.get("tags"))), metrics.get("scheme"))
        # The settings say by what words are looked up.
        files = [run.MODEL, run.CONFIG, run.TOKENIZER, run.VOCABULARY, run.TAGS]
        files += [run.CHARACTERS] if config.characters else []
        super().__init__(folder, command, config, metrics.get("parameters"), files)

    def instruct(self, config: DistillTaggerConfig, *, words: bool, files: bool) -> DistillTaggerConfig:
        """The settings of a student with those of this teacher that the student must share, or had better.

        Args:
            config: The student's.
            words: Whether words are looked up as here, too.
            files: Whether the teacher's files are the student's: they are then read and divided as they were for it.
        """
        keys = [*CUTTING, "tag_scheme", *(WORDS if words else ()), *(READING if files else ())]
        config = dataclasses.replace(config, **{key: getattr(self.config, key) for key in keys})
        return dataclasses.replace(config, split_seed=self.split_seed) if files else config

    def open(self) -> None:
        """See `TeachingRun`."""
        _ = self._run

    def marginals(self, sentences: Sentences) -> np.ndarray:
        """The probability of each tag at each token, of all sentences one after the other: float32 `(tokens, K)`."""
        untagged = ([0] * len(tokens) for tokens in sentences)
        return self._marginals.predict(encode_sentences(sentences, untagged, self._run.encoder))

    def score(self, examples: TaggedExamples) -> float:
        """Its entity F1 on sentences, or its accuracy where tags stand for themselves."""
        encoded = encode_held_out(self.config, examples, self.tag_set, self._run.encoder)
        return main_score(tag_scores(examples.tags, self._predictor.predict(encoded), self.tag_set))

    @functools.cached_property
    def _run(self) -> NerRun:
        return NerRun.load(self.name)

    @functools.cached_property
    def _predictor(self) -> TagPredictor:
        return TagPredictor(self._run.model, self.tag_set)

    @functools.cached_property
    def _marginals(self) -> TagMarginals:
        return TagMarginals(self._run.model)


def mean_marginals(teachers: Sequence[TaggerTeacher], sentences: Sentences, tags: Sequence[str]) -> np.ndarray:
    """What several teachers say together: the mean of their marginals, float64 `(tokens, K)`; see `mean_probabilities`.

    The marginals of a mixture of models are the mean of theirs.
    """
    return mean_of([(teacher.tag_set.tags, teacher.marginals(sentences)) for teacher in teachers], tags)


def main_score(scores: dict[str, Any]) -> float:
    """That of `tag_scores` by which taggers are compared."""
    score: float = scores["accuracy" if "accuracy" in scores else "entity_f1"]
    return score


def check_alike(config: NerConfig, teachers: Sequence[TaggerTeacher]) -> TagSet:
    """The tags of all teachers, which are the student's too.

    Raises:
        InputError: Teachers have different tags, or cut texts otherwise than the student.
    """
    first = teachers[0]
    for teacher in teachers:
        if set(teacher.tag_set.tags) != set(first.tag_set.tags) or teacher.tag_set.scheme != first.tag_set.scheme:
            raise InputError(
                f"{teacher.name}: knows the tags {', '.join(teacher.tag_set.tags)}, but {first.name} "
                f"{', '.join(first.tag_set.tags)}; teachers must have the same"
            )
        for key in (*CUTTING, *(() if first.tag_set.scheme is None else ("tag_scheme",))):
            own, taught = getattr(config, key), getattr(teacher.config, key)
            if own != taught:
                what = "learn tags of one scheme" if key == "tag_scheme" else "cut texts alike"
                raise InputError(
                    f"setting {key}: {_said(taught)} for {teacher.name}, but {_said(own)} for the student; they must "
                    f"{what}"
                )
    return first.tag_set


def _said(value: object) -> str:
    """A setting as `--set` takes it."""
    return str(value).lower() if isinstance(value, bool) else str(value)
