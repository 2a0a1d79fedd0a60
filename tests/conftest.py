"""What all tests share: repeatable property tests, a generated corpus of tagged sentences, the base install."""

import gc
import importlib.metadata
import json
import os
import random
import sys
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from textapp.task import names, task

# Programs that tests start find their modules compiled, as a user's do.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

# Models of tests are so small that several threads of TensorFlow wait for one another more than they compute.
os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")
os.environ.setdefault("TF_NUM_INTEROP_THREADS", "1")

# Tracing allocates so much that Python would look for garbage among all objects of TensorFlow again and again.
gc.set_threshold(100_000, 10, 10)

# The same examples each time, however slow the machine; `--hypothesis-profile default` looks for others.
settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.load_profile("repeatable")

_SYLLABLES = ("an", "be", "ço", "da", "ék", "lu", "mi", "nor", "so", "tä")
_TOPICS = {"Preis": ("teuer", "cheap"), "goût": ("salé", "fade"), "地点": ("quai", "nearby")}
_CHINESE = {
    "人名": ("张伟", "王芳", "欧阳修", "李小龙"),
    "地名": ("北京", "上海", "乌鲁木齐", "广州"),
}


# Folders, and files, whose tests share models that take long to make.
_TOGETHER = {"cli": "cli", "native": "native", "runtime": "runtime"}
_TOGETHER |= dict.fromkeys(("compress/test_distill.py", "compress/test_teachers.py"), "teachers")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """With `--dist loadfile`, one worker of pytest-xdist runs all tests of a file, and all that share models."""
    if config.getoption("dist") != "loadfile":
        return None
    from xdist.scheduler import LoadFileScheduling

    class Scheduling(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file = nodeid.partition("::")[0].removeprefix("tests/")
            return _TOGETHER.get(file) or _TOGETHER.get(file.partition("/")[0]) or file

    return Scheduling(config, log)


def _seed() -> None:
    """Seeds what is imported by now: most tests need no Keras, and some must not import it."""
    if "keras" in sys.modules:
        sys.modules["keras"].utils.set_random_seed(0)
    else:
        random.seed(0)


@pytest.fixture(scope="module", autouse=True)
def _seeded_module() -> None:
    """What the fixtures of a module draw does not depend on the tests before."""
    _seed()


@pytest.fixture(autouse=True)
def _seeded(_seeded_module: None) -> None:
    """What a test draws, initial weights above all, is the same each time and in any order."""
    _seed()


@pytest.fixture(scope="module")
def undrawn() -> Iterator[None]:
    """Leaves TensorBoard out of trainings: it takes longer to trace than a small model, and changes nothing of it."""
    with pytest.MonkeyPatch.context() as patches:
        for name in names():
            patches.setattr(type(task(name)), "dashboards", lambda *_, **__: [])
        yield


@pytest.fixture(scope="session")
def beyond_base_install() -> frozenset[str]:
    """Top-level modules that are installed here, but not by the base install.

    Derived from `dependencies` of pyproject.toml and what these require in turn, so that no extra can be forgotten.
    """
    pyproject = Path(__file__).parents[1] / "pyproject.toml"
    queue = list(map(Requirement, tomllib.loads(pyproject.read_text(encoding="utf-8"))["project"]["dependencies"]))
    base: set[str] = set()
    while queue:
        requirement = queue.pop()
        name = canonicalize_name(requirement.name)
        if name not in base:
            base.add(name)
            required = map(Requirement, importlib.metadata.requires(name) or [])
            queue += [one for one in required if one.marker is None or one.marker.evaluate({"extra": ""})]
    brought_by = importlib.metadata.packages_distributions()
    foreign = {module for module, names in brought_by.items() if base.isdisjoint(map(canonicalize_name, names))}
    return frozenset(foreign - set(sys.stdlib_module_names) - {"textapp"})


@pytest.fixture(scope="session")
def base_install(beyond_base_install: frozenset[str]) -> str:
    """Python code after which a process finds no module that the base install lacks."""
    return (
        "import importlib.machinery, sys\n"
        "class BaseInstall(importlib.machinery.PathFinder):\n"
        "    @classmethod\n"
        "    def find_spec(cls, name, path=None, target=None):\n"
        f"        return None if name in {set(beyond_base_install)!r} else super().find_spec(name, path, target)\n"
        "sys.meta_path[sys.meta_path.index(importlib.machinery.PathFinder)] = BaseInstall\n"
    )


@pytest.fixture(scope="session")
def tagged_corpus() -> Callable[[Path, str, int, int], Path]:
    """Writes a corpus: `tagged_corpus(path, "english", 100, seed)`.

    English has persons and places of words that hardly occur twice, told by the words around them and by a capital
    letter; its tags are in IOB2. Chinese is of characters, in BMES.
    """

    def write(path: Path, language: str, count: int, seed: int) -> Path:
        rng = random.Random(seed)
        make = {"english": _english, "chinese": _chinese}[language]
        blocks = ("".join(f"{token} {tag}\n" for token, tag in make(rng)) for _ in range(count))
        path.write_text("\n".join(blocks), encoding="utf-8")
        return path

    return write


@pytest.fixture(scope="session")
def topic_corpus() -> Callable[[Path, int, int], Path]:
    """Writes JSON lines of texts with several labels or none: `topic_corpus(path, 100, seed)`.

    A text has a label for each of three topics that one of its words is about.
    """

    def write(path: Path, count: int, seed: int) -> Path:
        rng = random.Random(seed)
        lines = []
        for _ in range(count):
            labels = [topic for topic in _TOPICS if rng.random() < 0.4]
            words = [rng.choice(_TOPICS[topic]) for topic in labels]
            words += ["".join(rng.choices(_SYLLABLES, k=3)) for _ in range(rng.randint(4, 9))]
            rng.shuffle(words)
            lines.append(json.dumps({"text": " ".join(words), "labels": labels}, ensure_ascii=False))
        path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        return path

    return write


def _english(rng: random.Random) -> list[tuple[str, str]]:
    def name(type_: str) -> list[tuple[str, str]]:
        words = ["".join(rng.choices(_SYLLABLES, k=3)).capitalize() for _ in range(rng.randint(1, 2))]
        return [(word, f"{'I' if index else 'B'}-{type_}") for index, word in enumerate(words)]

    def plain(text: str) -> list[tuple[str, str]]:
        return [(word, "O") for word in text.split()]

    person = plain(rng.choice(("then Mr", "Yesterday Ms"))) + name("PER") + plain(rng.choice(("sang", "slept well")))
    return person + plain(rng.choice(("in", "near"))) + name("LOC") + plain("." if rng.random() < 0.5 else "again .")


def _chinese(rng: random.Random) -> list[tuple[str, str]]:
    tokens: list[tuple[str, str]] = []
    for part in (*rng.choice((("人名", "住在", "地名", "。"), ("昨天", "人名", "到了", "地名"))),):
        if part in _CHINESE:
            word = rng.choice(_CHINESE[part])
            letters = "B" + "M" * (len(word) - 2) + "E"
            tokens += [(character, f"{letter}-{part}") for character, letter in zip(word, letters, strict=True)]
        else:
            tokens += [(character, "O") for character in part]
    return tokens
