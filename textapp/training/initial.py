"""Where a training starts: at random weights, or at a finished run.

From a run it takes its weights, words, characters and targets, with new examples. A run of a year ago meets new texts,
new words and new labels. To train on from it keeps what it has learned, needs the new texts alone, and shows what it
forgets: the run and the new model are scored on the same held-out texts.

Reference: Howard and Ruder 2018, Universal Language Model Fine-tuning.
"""

import dataclasses
import os
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np

from textapp.config import ModelConfig
from textapp.errors import InputError, list_some
from textapp.settings import MOST, as_text
from textapp.task import Files, Report, Task
from textapp.text.characters import agreeing, counted
from textapp.text.vocabulary import UNKNOWN_ID
from textapp.training.baseline import is_better
from textapp.training.optimizer import WORD_TABLE
from textapp.training.predictor import run_scores
from textapp.training.prepare import Prepared
from textapp.training.pretrained import check_settings
from textapp.training.run import Run, content_hash
from textapp.training.run_folder import CONFIG, MODEL
from textapp.training.vocabularies import Known

TABLES = (WORD_TABLE, "characters")
"""Layers whose first weight has a row for each word or character."""

FREE_SETTINGS = frozenset(
    {
        *("valid_fraction", "max_tokens", "stream", "vocabulary_size", "character_vocabulary_size", "min_count"),
        *("word_dropout", "embedding_dropout", "character_dropout", "bigram_dropout", "dropout"),
        *("class_weights", "focal_gamma", "label_smoothing", "monitor"),
        *("ngram_rows", "ngram_order", "ngram_characters"),  # if they change, the n-grams of the run are left out
        "ngram_valid",
    }
)
"""Settings that may differ from the run's, besides those of the training and of reading files.

All others decide the shapes of weights, or which tokens a text has.
"""

OTHER_SEED = 15_485_863
"""Added to the seed: with that of the run, dropout would repeat masks to which its weights are fitted."""

SAME_SCORE = 1e-3  # another processor may round the score of a text to the other side


class Before(NamedTuple):
    """The run's scores on a held-out split.

    Attributes:
        examples: The examples of whose targets the run has each one.
        left_out: The number of other examples.
        scores: The scores on `examples`.
    """

    examples: Any
    left_out: int
    scores: Mapping[str, Any]


class Start:
    """The start at random weights, or at given word vectors."""

    @property
    def fingerprint(self) -> str:
        """Identifies the weights; empty for random ones."""
        return ""

    @property
    def known(self) -> Run | None:
        """The run whose words, characters, targets and n-grams stay; None if there is none."""
        return None

    @property
    def entry(self) -> dict[str, Any]:
        """What it adds to `config.json`."""
        return {}

    def default(self, task: Task[Any, Any, Any], vectors: Any) -> tuple[ModelConfig, Collection[str] | None]:
        """The settings of a training that gives none, and the names of those that stay; None if all stay."""
        return task.preset(None, vectors=vectors is not None), ()

    def seed(self, config: ModelConfig) -> int:
        """The seed of new weights and of dropout."""
        return config.training.seed

    def check(self, config: ModelConfig, folder: Path, vectors: Any) -> None:
        """Raises `InputError` if a training with these settings cannot start here, or would write into a run."""
        del config, folder, vectors

    def check_vectors(self, config: ModelConfig, vectors: Any) -> None:
        """Raises `InputError` if settings and word vectors do not fit. A finished run is refused before."""
        check_settings(config, vectors)

    def with_test(self, files: Files, config: ModelConfig, report: Report) -> Files:
        """The files with a default test file; by default there is none."""
        del config, report
        return files

    def set_weights(self, model: keras.Model, data: Prepared) -> None:
        """Gives a new model the first weights; by default those that it has."""

    def before(self, data: Prepared, files: Files, report: Report) -> Mapping[str, "Before"]:
        """The scores on held-out splits before the training; none by default."""
        del data, files, report
        return {}

    def compare(
        self, new: Callable[[], Run], data: Prepared, before: Mapping[str, "Before"], report: Report
    ) -> dict[str, Any]:
        """What a comparison with the result of `before` adds to `metrics.json`; by default nothing."""
        del new, data, before, report
        return {}


@dataclasses.dataclass(frozen=True)
class InitialRun(Start):
    """The run that a training starts from.

    Attributes:
        run: The run.
        sha256: Identifies its model and its text side, hexadecimal.
    """

    run: Run
    sha256: str

    @classmethod
    def open(cls, task: Task[Any, Any, Any], folder: str | os.PathLike[str]) -> "InitialRun":
        """Reads a run. Raises `InputError` if it is not a finished run of the task."""
        opened = Run.load(folder)
        if opened.task is not task:
            raise InputError(
                f"{opened.folder}: a {opened.task.model_noun}, from which no {task.model_noun} can start; use "
                f"`textapp train {opened.task.model_noun}`"
            )
        return cls(opened, content_hash(opened.folder, task, opened.config))

    @property
    def name(self) -> str:
        """The run folder, for messages."""
        return os.fspath(self.run.folder)

    @property
    def fingerprint(self) -> str:
        """The hash of the run."""
        return self.sha256

    @property
    def known(self) -> Run:
        """The run."""
        return self.run

    @property
    def entry(self) -> dict[str, Any]:
        """What it adds to `config.json`."""
        return {"init": self._identity}

    @property
    def _identity(self) -> dict[str, str]:
        """The path and the hash of the run."""
        return {"path": self.name, "sha256": self.sha256}

    def config(self) -> ModelConfig:
        """The settings to train with: those of the run. The word vectors are the run's, so no file gives them."""
        width = self.run.config.words.embedding_dim or self.run.model.get_layer(WORD_TABLE).output_dim
        return self.run.config.replaced(embedding_dim=width, extra_words=0, freeze_epochs=0)

    def seed(self, config: ModelConfig) -> int:
        """The seed of new weights and of dropout."""
        return (config.training.seed + OTHER_SEED) % MOST

    def default(self, task: Task[Any, Any, Any], vectors: Any) -> tuple[ModelConfig, Collection[str] | None]:
        """The settings of the run, all of which stay."""
        del task, vectors
        return self.config(), None

    def check_vectors(self, config: ModelConfig, vectors: Any) -> None:
        """Nothing: `check` refuses word vectors, and the settings of the run fit."""
        del config, vectors

    def check(self, config: ModelConfig, folder: Path, vectors: Any) -> None:
        """Raises `InputError` if a training with these settings cannot start from the run, or would write into it."""
        place = self.run.folder.resolve()
        if folder.resolve() in (place, *place.parents):
            raise InputError(f"{folder}: holds {self.name}, the run to start from; choose another --out")
        if vectors is not None:
            raise InputError(f"--vectors: the word vectors are those of {self.name}; leave out --vectors or --init")
        free = FREE_SETTINGS | set(self.run.task.reading_settings)
        expected = self.config()
        for name, setting in config.settings().items():
            if setting.section != "training" and name not in free and config.get(name) != expected.get(name):
                raise InputError(
                    f"setting {name}: must stay {as_text(expected.get(name))} to start from {self.name}, whose weights "
                    "or tokens depend on it; leave it out, or train without --init"
                )

    def with_test(self, files: Files, config: ModelConfig, report: Report) -> Files:
        """Adds the run's own test file if none is given, the file is still there, and it gives the run's score."""
        path, task = self.run.command.get("test"), self.run.task
        if files.test is not None or path is None or "test" not in self.run.metrics:
            return files
        way_on = f"so the test score of {self.name} is not compared; --test chooses a test file"
        changed = [name for name in task.reading_settings if config.get(name) != self.run.config.get(name)]
        if changed:
            report(f"note: {path} was read with another {changed[0]}, {way_on}")
            return files
        try:
            examples = task.read(path, self.run.config, self.run.targets)
            task.check(examples, self.run.targets, self.name)
            scores = run_scores(self.run, examples)
        except InputError as error:
            report(f"note: {error}; {way_on}")
            return files
        key, before = task.main_score(self.run.targets), self.run.metrics["test"]
        if scores["count"] != before["count"] or abs(scores[key] - before[key]) > SAME_SCORE:
            report(f"note: {path} has changed since the training of {self.name}, {way_on}")
            return files
        return files._replace(test=path)

    def set_weights(self, model: keras.Model, data: Prepared) -> None:
        """Gives a new model the run's weights.

        The run's words, characters and targets come first in the new model, so each weight of the run is the first part
        of a new one, on all axes. A new word or character starts as the unknown one, as which the run reads it: so the
        new model begins with the scores of the run. A new target starts as in any new model.

        Raises:
            InputError: The run has other layers or larger weights.
        """
        old, new = ({layer.name: layer for layer in one.layers if layer.weights} for one in (self.run.model, model))
        sizes = set(zip(_sizes(self.run), _sizes(data), strict=True))
        for name in dict.fromkeys((*new, *old)):
            known, fresh = ([] if name not in one else one[name].get_weights() for one in (old, new))
            pairs = list(zip(known, fresh, strict=False))
            if len(known) != len(fresh) or any(not _fits(*pair, sizes) for pair in pairs):
                raise InputError(
                    f"{self.run.folder / MODEL}: its layer {name} is not the one of the settings in {CONFIG}; one of "
                    "the two files was changed or is of another run"
                )
            tables = [name in TABLES and not number for number in range(len(pairs))]
            new[name].set_weights([_grown(*pair, is_table) for pair, is_table in zip(pairs, tables, strict=True)])

    def before(self, data: Prepared, files: Files, report: Report) -> dict[str, Before]:
        """Scores the run on each held-out file, as far as it has the targets; reports what is new, and what lacks.

        A validation split that was taken from the training file is not scored: the run may have learned from its texts.
        """
        new = data.targets.names[len(self.run.targets.names) :]
        report(f"starting from {self.name}" + (f"; new: {list_some(new)}" if new else ""))
        if "quantization" in self.run.metrics:
            report(f"note: {self.name} is quantized, the new run is not; `textapp quantize` does so again")
        if data.untrained:
            report(
                f"warning: the training split has no example of {list_some(data.untrained)}; the new model may forget "
                f"what {self.name} knows of it; add some examples to --train"
            )
        found = {}
        for name in ("valid", "test"):
            if getattr(files, name) is None:
                continue
            examples = data.examples[name]
            known = self.run.task.known_examples(examples, self.run.targets)
            if len(known):
                if left_out := len(examples) - len(known):
                    having, verb = counted(left_out, "example"), agreeing(left_out, "has", "have")
                    report(
                        f"warning: {having} of {name} {verb} targets that {self.name} lacks; the two are compared "
                        f"without {agreeing(left_out, 'it', 'them')}, and the new model alone is scored on all"
                    )
                scored = self.run.unbiased(getattr(files, name))
                found[name] = Before(known, len(examples) - len(known), run_scores(scored, known))
            else:
                report(f"{name}: not compared, because each example has a target that {self.name} lacks")
        return found

    def compare(
        self, new: Callable[[], Run], data: Prepared, before: Mapping[str, Before], report: Report
    ) -> dict[str, Any]:
        """Compares the new model with the run, on the same examples.

        Args:
            new: Gives the new run; its metrics have the scores of whole splits.
            data: The data of its training.
            before: The result of `before`.
            report: Receives a line for each split.

        Returns:
            The entry of `metrics.json`; see `textapp.training.train.train`.
        """
        task, made, scores = self.run.task, new(), {}
        key, title = task.main_score(made.targets), task.main_score_title(made.targets)
        for name, (examples, left_out, old) in before.items():
            after = made.metrics[name]
            if left_out:
                after = run_scores(made.unbiased(made.command.get(name)), examples)
            without = f", without {counted(left_out, 'example')} of targets that it lacks" if left_out else ""
            report(f"{name}: {title} {after[key]:.4f}, before {old[key]:.4f} ({self.name}){without}")
            if is_better(old[key], after[key], old["count"]):
                report(
                    f"warning: on {name} the new model is worse than {self.name}; add examples that {self.name} "
                    "learned from to --train, or set a lower learning_rate"
                )
            scores[name] = {"before": old, "after": after, "left_out": left_out}
        entry = {
            **self._identity,
            "new_words": len(made.encoder.vocabulary) - len(self.run.encoder.vocabulary),
            "new_targets": list(made.targets.names[len(self.run.targets.names) :]),
            "without_examples": list(data.untrained),
            "scores": scores,
        }
        return {"init": entry}


def _sizes(known: Known) -> tuple[int, ...]:
    """The sizes that may grow: words, characters, targets."""
    encoder = known.encoder
    return (
        len(encoder.vocabulary),
        0 if encoder.characters is None else len(encoder.characters),
        len(known.targets.names),
    )


def _fits(known: np.ndarray, fresh: np.ndarray, sizes: Collection[tuple[int, int]]) -> bool:
    """Whether a weight has the shape of another one, except for axes that grow, from the first to the second size."""
    pairs = list(zip(known.shape, fresh.shape, strict=False))
    return known.ndim == fresh.ndim and all(one == other or (one, other) in sizes for one, other in pairs)


def _grown(known: np.ndarray, fresh: np.ndarray, is_table: bool) -> np.ndarray:
    """A new weight whose first part on all axes is a known one. New rows of a table are that of the unknown entry."""
    values = np.empty_like(fresh)
    values[:] = known[UNKNOWN_ID] if is_table else fresh
    values[tuple(map(slice, known.shape))] = known
    return values
