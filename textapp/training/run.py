"""The run folder: what a training leaves behind, and how it is found again."""

import dataclasses
import json
import os
from pathlib import Path
from typing import Any

import keras

from textapp.config import SentimentConfig
from textapp.data.readers import Examples, read_examples
from textapp.errors import InputError
from textapp.files import named_errors, read_json, read_text, replacing, write_json, write_text
from textapp.text.tokenizer import Tokenizer
from textapp.text.vocabulary import Vocabulary

MODEL, CONFIG, METRICS = "model.keras", "config.json", "metrics.json"
TOKENIZER, VOCABULARY, LABELS, SAMPLE = "tokenizer.json", "vocabulary.txt", "labels.txt", "sample.jsonl"
SAMPLE_SIZE = 500


@dataclasses.dataclass(frozen=True)
class Run:
    """A finished training, read back from its folder.

    Attributes:
        model: The model with its best weights, float32.
        config: The settings that it was trained with.
        tokenizer: How its texts are cut.
        vocabulary: Its words.
        labels: Its classes, in the order of the logits.
        metrics: What `metrics.json` says.
        sample: Some validation examples.
    """

    model: keras.Model
    config: SentimentConfig
    tokenizer: Tokenizer
    vocabulary: Vocabulary
    labels: list[str]
    metrics: dict[str, Any]
    sample: Examples

    @classmethod
    def load(cls, folder: str | os.PathLike[str]) -> "Run":
        """Reads a run folder.

        Raises:
            InputError: The folder is no finished run, or a file in it is missing or broken.
        """
        folder = Path(folder)
        if not is_run(folder):
            raise InputError(f"{folder}: not a run folder (no {CONFIG} in it)")
        if not (folder / METRICS).exists():
            raise InputError(f"{folder}: this training is not finished; run its train command again to go on")
        metrics = read_json(folder / METRICS)
        labels = read_text(folder / LABELS).splitlines()
        vocabulary = Vocabulary.load(folder / VOCABULARY)
        model = _load_model(folder / MODEL)
        if model.output_shape[-1] != len(labels):
            raise InputError(f"{folder / LABELS}: {len(labels)} labels for a model of {model.output_shape[-1]} classes")
        if not isinstance(metrics, dict):
            raise InputError(f"{folder / METRICS}: must hold a JSON object")
        return cls(
            model=model,
            config=SentimentConfig.from_dict(_object(folder / CONFIG)["settings"], str(folder / CONFIG)),
            tokenizer=Tokenizer.from_dict(_object(folder / TOKENIZER)),
            vocabulary=vocabulary,
            labels=labels,
            metrics=metrics,
            sample=read_examples(folder / SAMPLE),
        )


def is_run(folder: str | os.PathLike[str]) -> bool:
    """Whether a folder looks like a run, finished or not."""
    return (Path(folder) / CONFIG).exists()


def save_text_side(folder: Path, tokenizer: Tokenizer, vocabulary: Vocabulary, labels: list[str]) -> None:
    """Writes what turns text into ids and class numbers into names."""
    write_json(folder / TOKENIZER, tokenizer.to_dict())
    vocabulary.save(folder / VOCABULARY)
    write_text(folder / LABELS, "".join(f"{label}\n" for label in labels))


def save_sample(folder: Path, examples: Examples) -> list[tuple[str, str]]:
    """Keeps some validation texts with their labels, evenly spaced: exports are checked on them."""
    step = -(-len(examples) // SAMPLE_SIZE)
    sample = list(zip(examples.texts[::step], examples.labels[::step], strict=True))
    lines = (json.dumps({"text": text, "label": label}, ensure_ascii=False) for text, label in sample)
    write_text(folder / SAMPLE, "".join(f"{line}\n" for line in lines))
    return sample


def save_model(folder: Path, model: keras.Model) -> None:
    """Writes the model, whole or not at all."""
    with replacing(folder / MODEL) as temporary:
        model.save(temporary)


def _object(path: Path) -> dict[str, Any]:
    """A JSON file that must hold an object."""
    value = read_json(path)
    if not isinstance(value, dict):
        raise InputError(f"{path}: must hold a JSON object")
    return value


def _load_model(path: Path) -> keras.Model:
    """Loads `model.keras`; Keras' errors about a broken file become one line."""
    import textapp.layers  # noqa: F401 - registers our layers with Keras

    with named_errors(path):
        if not path.exists():
            raise InputError(f"{path}: missing; the run is incomplete")
        try:
            return keras.models.load_model(path, compile=False)
        except (ValueError, KeyError, TypeError, OSError) as error:
            reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
            raise InputError(f"{path}: not a Keras model that can be read ({reason[:200]})") from error
