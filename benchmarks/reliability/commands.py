"""The commands that write, each with small inputs that this file makes."""

import dataclasses
import json
import random
from collections.abc import Sequence
from pathlib import Path

from benchmarks.reliability.children import Child
from textapp.data.samples import write_samples

TINY = ("--preset", "tiny", "--set", "epochs=3", "--set", "units=8", "--set", "encoder=convolution")
TOPICS = {"price": ("cheap", "teuer"), "taste": ("salty", "fade"), "place": ("quiet", "loud")}
FILLERS = [f"word{number}" for number in range(60)]


@dataclasses.dataclass(frozen=True)
class Command:
    """A command that writes one output.

    Attributes:
        name: Its row of the table.
        arguments: Those without its output; the command comes first.
        suffix: The suffix of its output file; empty for a folder.
        replaces: Whether it replaces an earlier output without `--force`, so that of two at once both may end.
    """

    name: str
    arguments: Sequence[str]
    suffix: str = ""
    replaces: bool = False

    def to(self, output: Path, force: bool = False) -> list[str]:
        """The arguments of the command that writes to a place."""
        return [*self.arguments, "--out", str(output), *(["--force"] if force and not self.replaces else [])]

    def row(self, force: bool) -> str:
        """The name of its row of the table where a finished output is replaced, or where there is none."""
        return f"{self.name}{' over an earlier one' if self.replaces else ' --force'}" if force else self.name


def prepare(folder: Path) -> list[Command]:
    """Makes the inputs of all commands in a folder, if they are not there. Returns the commands."""
    files = _reviews(folder / "reviews") | _topics(folder / "topics") | _sentences(folder / "sentences")

    def of(kind: str) -> list[str]:
        return [part for split in ("train", "valid", "test") for part in (f"--{split}", files[f"{kind} {split}"])]

    classifier = Command("train classifier", ["train", "classifier", *of("reviews"), *TINY])
    tagger = Command("train tagger", ["train", "tagger", *of("sentences"), *TINY])
    several = Command("train multilabel-classifier", ["train", "multilabel-classifier", *of("topics"), *TINY])
    runs = {"classifier": classifier, "tagger": tagger}
    for name, command in runs.items():
        if not (folder / name / "metrics.json").exists():
            _made(command, folder / name)
    bundle = folder / "bundle"
    export = Command("export", ["export", str(folder / "classifier")])
    if not bundle.exists():
        _made(export, bundle)
    small = ("--set", "epochs=2")
    student = ("--set", "units=4", "--set", "encoder=convolution", "--unlabelled", files["reviews test"])
    corpus = files["reviews train"]
    return [
        classifier,
        tagger,
        several,
        Command("distill", ["distill", str(folder / "classifier"), *small, *student]),
        Command("quantize", ["quantize", str(folder / "classifier"), *small]),
        export,
        Command("export of a tagger", ["export", str(folder / "tagger")]),
        Command("report", ["report", str(bundle), "--data", files["reviews test"]], ".html", replaces=True),
        Command(
            "vectors train",
            ["vectors", "train", corpus, *("--dim", "16"), *("--epochs", "2"), *("--set", "threads=1")],
            ".npz",
        ),
    ]


def _made(command: Command, output: Path) -> None:
    ended = Child(command.to(output), output.with_suffix(".log")).wait()
    if ended.code:
        raise SystemExit(f"{' '.join(command.to(output))}: exit {ended.code}\n{ended.log}")


def _reviews(folder: Path) -> dict[str, str]:
    return {
        f"reviews {split}": path
        for split, path in write_samples(folder, {"train": 400, "valid": 60, "test": 60}, seed=1).items()
    }


def _topics(folder: Path) -> dict[str, str]:
    rng = random.Random(2)
    files = {}
    folder.mkdir(parents=True, exist_ok=True)
    for split, count in {"train": 300, "valid": 60, "test": 60}.items():
        lines = []
        for _ in range(count):
            labels = [topic for topic in TOPICS if rng.random() < 0.4]
            words = [*rng.choices(FILLERS, k=5), *(rng.choice(TOPICS[topic]) for topic in labels)]
            lines.append(json.dumps({"text": " ".join(words), "labels": labels}))
        files[f"topics {split}"] = str(folder / f"{split}.jsonl")
        Path(files[f"topics {split}"]).write_text("\n".join(lines) + "\n", encoding="utf-8")
    return files


def _sentences(folder: Path) -> dict[str, str]:
    rng = random.Random(3)
    files = {}
    folder.mkdir(parents=True, exist_ok=True)
    for split, count in {"train": 200, "valid": 50, "test": 50}.items():
        blocks = []
        for _ in range(count):
            name = "".join(rng.choices("abcdefgh", k=5)).capitalize()
            words = [("Mr", "O"), (name, "B-PER"), ("lives", "O"), ("in", "O"), (name[::-1].capitalize(), "B-LOC")]
            blocks.append("".join(f"{word} {tag}\n" for word, tag in words))
        files[f"sentences {split}"] = str(folder / f"{split}.conll")
        Path(files[f"sentences {split}"]).write_text("\n".join(blocks), encoding="utf-8")
    return files
