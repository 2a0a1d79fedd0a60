"""How a model was made: a few fields for its run and its bundle, also as text."""

import math
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from textapp.errors import InputError
from textapp.files import read_object

FLOAT_BITS = 32


@dataclass(frozen=True)
class Quantized:
    """How the weights of a model were quantized.

    Attributes:
        bits: Bits of matrices.
        embedding_bits: Bits of embedding rows; 32 if files keep the table in float because it is small.
        trained: Whether the training was quantization-aware; otherwise weights were rounded after training.
    """

    bits: int
    embedding_bits: int
    trained: bool


@dataclass(frozen=True)
class Lineage:
    """How a model was made.

    Attributes:
        parameters: Number of parameters in Keras; None if unknown.
        teachers: The teachers of a student: runs, bundles and files of soft targets. Only the last two names of each
            path, because a bundle on a device should not reveal the rest; empty without distillation.
        embedding_rank: Rank of its factorized embedding table; None for a plain table.
        quantized: How its weights were quantized; None if they were not.
    """

    parameters: int | None = None
    teachers: tuple[str, ...] = ()
    embedding_rank: int | None = None
    quantized: Quantized | None = None

    @classmethod
    def of_run(cls, folder: str | os.PathLike[str]) -> "Lineage":
        """Reads the lineage of a finished run.

        Raises:
            InputError: A file cannot be read, or lacks what a run of textapp has.
        """
        folder = Path(folder)
        command, metrics = (read_object(folder / name) for name in ("config.json", "metrics.json"))
        quantization, distillation = metrics.get("quantization"), metrics.get("distillation")
        try:
            return cls.from_dict(
                {
                    "parameters": metrics.get("parameters"),
                    "teachers": [_end(teacher["path"]) for teacher in distillation["teachers"]] if distillation else [],
                    "embedding_rank": command["settings"].get("embedding_rank"),
                    "quantized": quantization
                    and {
                        "bits": quantization["bits"],
                        "embedding_bits": _embedding_bits(quantization),
                        "trained": quantization["kept"] == "quantization_aware",
                    },
                }
            )
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise InputError(f"{folder}: config.json and metrics.json are not those of a run of textapp") from error

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> "Lineage":
        """The inverse of `to_dict`. Raises `ValueError` if a field has a wrong type."""
        try:
            quantized = value["quantized"]
            lineage = cls(
                parameters=value["parameters"],
                teachers=tuple(value["teachers"]),
                embedding_rank=value["embedding_rank"],
                quantized=None if quantized is None else Quantized(**quantized),
            )
        except (KeyError, TypeError) as error:
            raise ValueError(f"not a lineage: {error}") from error
        numbers, rounding = [lineage.parameters, lineage.embedding_rank], lineage.quantized
        if rounding is not None:
            numbers += [rounding.bits, rounding.embedding_bits]
        if (
            any(number is not None and type(number) is not int for number in numbers)
            or not isinstance(value["teachers"], list | tuple)
            or not all(isinstance(path, str) for path in lineage.teachers)
            or (rounding is not None and type(rounding.trained) is not bool)
        ):
            raise ValueError("not a lineage: a field has a wrong type")
        return lineage

    def to_dict(self) -> dict[str, Any]:
        """The fields, ready for JSON."""
        return {**asdict(self), "teachers": list(self.teachers)}

    def steps(self) -> list[str]:
        """The steps as text, one line each; none for a model that was only trained on labels."""
        steps = []
        if self.teachers:
            steps.append(f"distilled from {', '.join(self.teachers)}")
        if self.embedding_rank is not None:
            steps.append(f"embedding table factorized, rank {self.embedding_rank}")
        if self.quantized is not None:
            how = "trained quantization-aware" if self.quantized.trained else "rounded after training"
            bits, rows = self.quantized.bits, self.quantized.embedding_bits
            stored = "float" if rows == FLOAT_BITS else f"{rows}-bit"
            steps.append(f"{how}: {stored} embedding rows, {bits}-bit matrices")
        return steps


def _embedding_bits(quantization: Mapping[str, Any]) -> int:
    """Bits of the rows of the largest table; the setting if there is no table."""
    tables = [weight for weight in quantization["weights"] if weight["weight"] == "embeddings"]
    largest = max(
        tables, key=lambda weight: math.prod(weight["shape"]), default={"bits": quantization["embedding_bits"]}
    )
    bits: int = largest["bits"]
    return bits


def _end(path: str) -> str:
    """The last two names of a path."""
    place = Path(path)
    return "/".join(place.relative_to(place.anchor).parts[-2:])
