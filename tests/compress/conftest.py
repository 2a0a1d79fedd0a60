"""A corpus and teachers of each task; what a converted file holds, in the shapes of Keras' weights."""

import contextlib
import dataclasses
import random
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from tests.compress.runs import QUIET, untrained
from textapp.compress.distill import distill
from textapp.compress.soft_targets import SoftTargets
from textapp.compress.teachers import RunTeacher
from textapp.export import convert, flatbuffer, lower
from textapp.task import Files, Task, names, task
from textapp.training.run_folder import SOFT_TARGETS
from textapp.training.train import train

Builtin = schema.BuiltinOperator
FILLERS = [f"{word}{number}" for word in ("film", "café", "день") for number in range(20)]


class Stored(NamedTuple):
    """One constant of the file: integers with the scale of each group along the first axis, or float with None."""

    values: np.ndarray
    scales: np.ndarray | None

    @property
    def floats(self) -> np.ndarray:
        """float32(integer * scale), what the device computes with."""
        if self.scales is None:
            return self.values
        return self.values.astype("f4") * self.scales.reshape(-1, *[1] * (self.values.ndim - 1))

    @property
    def size(self) -> int:
        """Bytes of the numbers and the scales."""
        return self.values.nbytes + (0 if self.scales is None else self.scales.nbytes)


class File:
    """The operators of a file's first signature, in order, with their constants."""

    def __init__(self, content: bytes):
        self.file = flatbuffer.read(content)
        self.graph = self.file.subgraphs[0]

    def operators(self, name: str) -> list:
        code = getattr(Builtin, name)
        return [o for o in self.graph.operators if flatbuffer.operator_code(self.file, o) == code]

    def constant(self, index: int) -> Stored | None:
        tensor = self.graph.tensors[index]
        data = self.file.buffers[tensor.buffer].data
        if index < 0 or data is None:
            return None
        kinds = {schema.TensorType.INT8: np.int8, schema.TensorType.FLOAT32: np.float32}
        values = data.view(kinds[tensor.type]).reshape(tensor.shape)
        quantized = tensor.quantization is not None and tensor.quantization.scale is not None
        return Stored(values, tensor.quantization.scale if quantized else None)

    def tables(self) -> list[Stored]:
        """Embedding tables: integers or float, with the row scales from the table beside them."""
        found = [self.constant(operator.inputs[1]) for operator in self.operators("EMBEDDING_LOOKUP")]
        result = []
        for table in found:
            if table.values.dtype == np.int8:
                result.append(table)
            elif table.values.shape[1] == 1 and result:  # the scales of the table before
                result[-1] = Stored(result[-1].values, table.values[:, 0])
            else:
                result.append(table)
        return result

    def lstms(self) -> list[tuple[list[Stored], list[Stored]]]:
        """For each fused LSTM the four gates of its kernel and of its recurrent kernel, transposed to Keras' shape."""
        return [
            ([self.constant(i) for i in o.inputs[1:5]], [self.constant(i) for i in o.inputs[5:9]])
            for o in self.operators("UNIDIRECTIONAL_SEQUENCE_LSTM")
        ]

    def matrices(self) -> list[Stored]:
        """The constant weights of FULLY_CONNECTED and CONV_2D, each once, output channels first."""
        indices = dict.fromkeys(int(o.inputs[1]) for o in self.operators("FULLY_CONNECTED") + self.operators("CONV_2D"))
        constants = [self.constant(index) for index in indices]
        return [constant for constant in constants if constant is not None]


@pytest.fixture(scope="session")
def converted() -> Callable[..., File]:
    """The int8 file of a model, for texts of four tokens."""

    def content(model: keras.Model, lowering: str, max_characters: int | None = None) -> File:
        return File(convert(lower(model, lowering), [4], "dynamic_wi8_afp32", max_characters))

    return content


@pytest.fixture(scope="session")
def randomized() -> Callable[[keras.Model], keras.Model]:
    """Gives all weights of a model random values, groups of which differ in size."""

    def changed(model: keras.Model, seed: int = 3) -> keras.Model:
        rng = np.random.default_rng(seed)
        for variable in model.weights:
            if variable.dtype == "float32":
                sizes = rng.uniform(0.2, 2.0, variable.shape[-1:])
                variable.assign(rng.normal(scale=0.5, size=variable.shape) * sizes)
        return model

    return changed


@dataclasses.dataclass(frozen=True)
class Case:
    """A task with a small corpus.

    Attributes:
        task: The task.
        files: Paths of `train`, `valid` and `test`, and of `unlabelled` texts, among them the validation texts in
            capitals.
        settings: Those of every model.
        student_settings: Those of students.
        words: The size of a student's vocabulary.
    """

    task: Task[Any, Any, Any]
    files: dict[str, str]
    settings: Sequence[str]
    student_settings: Sequence[str]
    words: int

    @property
    def split(self) -> Files:
        """Training and validation file."""
        return Files(self.files["train"], self.files["valid"])

    def config(self, *settings: str) -> Any:
        """Settings of a small model."""
        return self.task.preset("tiny").override(["baseline=false", *self.settings]).override(settings)

    def student_config(self, *settings: str) -> Any:
        """Settings of a smaller one."""
        common = self.task.student_preset(None).override(self.settings)
        return common.override([*self.student_settings, *settings])

    def train(self, out: Path, *settings: str, **files: Any) -> dict[str, Any]:
        """Trains a model."""
        split = {"train": self.files["train"], "valid": self.files["valid"]}
        with _undrawn():
            return train(self.task.name, self.config(*settings), out, **{**split, **QUIET, **files})

    def distill(self, out: Path, teachers: Any, *settings: str, **options: Any) -> dict[str, Any]:
        """Trains a student."""
        files = {"train": self.files["train"], "valid": self.files["valid"], "unlabelled": [self.files["unlabelled"]]}
        config = self.student_config(*settings)
        with _undrawn():
            return distill(self.task.name, config, out, teachers=teachers, **{**files, **QUIET, **options})

    def items(self, name: str) -> list[Any]:
        """What teachers are asked about the examples of a file."""
        config = self.student_config()
        examples = self.task.read(self.files[name], config)
        return self.task.items(config, examples, self.task.tokenizer(config), training=False)

    def texts(self, name: str) -> list[str]:
        """The same as texts."""
        return [self.task.item_text(item) for item in self.items(name)]

    def asked(self, folder: Path) -> list[Any]:
        """The items that the teachers of a student were asked about."""
        return list(SoftTargets.read(folder / SOFT_TARGETS, self.task).items())


@contextlib.contextmanager
def _undrawn() -> Iterator[None]:
    """As the fixture `undrawn` of all tests, for runs that many tests share."""
    with pytest.MonkeyPatch.context() as patches:
        for name in names():
            patches.setattr(type(task(name)), "dashboards", lambda *_, **__: [])
        yield


@pytest.fixture(scope="session", params=names())
def case(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, tagged_corpus: Any, topic_corpus: Any
) -> Case:
    """Each task in turn."""
    corpora = {"tagging": tagged_corpus, "multilabel": topic_corpus}
    cases = {"classification": _reviews, "tagging": _sentences, "multilabel": _topics}
    return cases[request.param](tmp_path_factory, corpora.get(request.param))


def _reviews(tmp_path_factory: Any, _: Any) -> Case:
    """Texts of which one word tells the label."""
    folder, rng = tmp_path_factory.mktemp("Отзывы 评论"), random.Random(3)
    telling = {"positive": ("bon", "好"), "negative": ("плохо", "坏")}
    files, texts = {}, []
    for name, count in {"train": 120, "valid": 40, "test": 20, "more": 80}.items():
        labels = list(telling) * (count // 2)
        texts = [[rng.choice(telling[label]), *rng.choices(FILLERS, k=rng.randint(4, 14))] for label in labels]
        for words in texts:
            rng.shuffle(words)
        rows = (f"{' '.join(words)}\t{label}\n" for words, label in zip(texts, labels, strict=True))
        files[name] = str(folder / f"{name}.tsv")
        Path(files[name]).write_text("text\tlabel\n" + "".join(rows), encoding="utf-8")
    sizes = [
        "max_tokens=12",
        "encoder=convolution",
        "learning_rate=0.02",
        "batch_size=16",
        "units=8",
        "embedding_dim=16",
    ]
    small = ["vocabulary_size=40", "embedding_dim=6", "units=4", "attention_units=4", "epochs=4"]
    case = Case(task("classification"), files, [*sizes, "epochs=4"], small, 40)
    return _with_unlabelled(case, folder, [" ".join(words) for words in texts])


def _topics(tmp_path_factory: Any, topic_corpus: Any) -> Case:
    folder = tmp_path_factory.mktemp("Темы 题目")
    counts = {"train": 120, "valid": 40, "test": 20, "more": 80}
    files = {
        name: str(topic_corpus(folder / f"{name}.jsonl", count, seed))
        for seed, (name, count) in enumerate(counts.items())
    }
    sizes = [
        "max_tokens=12",
        "encoder=convolution",
        "learning_rate=0.05",
        "batch_size=16",
        "units=8",
        "embedding_dim=16",
    ]
    sizes += ["dropout=0", "embedding_dropout=0"]
    small = ["vocabulary_size=40", "embedding_dim=6", "units=4", "attention_units=4", "epochs=6"]
    case = Case(task("multilabel"), files, [*sizes, "epochs=8"], small, 40)
    return _with_unlabelled(case, folder, case.texts("more"))


def _sentences(tmp_path_factory: Any, tagged_corpus: Any) -> Case:
    folder = tmp_path_factory.mktemp("Körper 语料")
    counts = {"train": 80, "valid": 20, "test": 20, "more": 60}
    files = {
        name: str(tagged_corpus(folder / f"{name}.txt", "english", count, seed))
        for seed, (name, count) in enumerate(counts.items())
    }
    sizes = ["max_tokens=16", "encoder=convolution", "learning_rate=0.02", "batch_size=8", "character_dim=8"]
    sizes += ["character_filters=8", "units=12", "embedding_dim=8", "epochs=6"]
    small = ["characters=false", "units=6", "vocabulary_size=20", "epochs=4"]
    case = Case(task("tagging"), files, sizes, small, 20)
    return _with_unlabelled(case, folder, case.texts("more"))


def _with_unlabelled(case: Case, folder: Path, more: list[str]) -> Case:
    """Adds new texts, one of them twice, and the validation texts in capitals."""
    path = folder / "ещё.txt"
    lines = [*more, more[0], *map(str.upper, case.texts("valid"))]
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return dataclasses.replace(case, files={**case.files, "unlabelled": str(path)})


@pytest.fixture(scope="session")
def teachers(case: Case, tmp_path_factory: pytest.TempPathFactory) -> list[RunTeacher]:
    """A teacher that has learned, and one with the weights that it began with, which looks up words in another case."""
    folder = tmp_path_factory.mktemp("Учителя")
    case.train(folder / "знает")
    with untrained():
        case.train(folder / "不知", "seed=1", "lowercase=false", *(["crf=false"] if case.task.unit == "token" else []))
    return [RunTeacher(folder / "знает"), RunTeacher(folder / "不知")]  # traced once for all tests
