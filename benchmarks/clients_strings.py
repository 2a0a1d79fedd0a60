"""The golden files of `clients/conformance` through each binding; `benchmarks.clients` is the caller."""

import functools
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from benchmarks.record import Record, Row
from clients.android.tests.kotlin import compile_kotlin, kotlin_output
from clients.conformance import golden, make
from clients.tools import kotlin_compiler
from native import library
from native.check import Skipped, needed
from textapp.export.verb import export
from textapp.runtime import load

ROOT = Path(__file__).parents[1]
COUNT = 100_000
BATCH = 1000  # texts of a call in Python
LINE = re.compile(r"(\S+\.txt): (\d+) (?:lines, (\d+) differen\w+|strings|texts)")
CHECKED = {"rust": "Rust", "ios": "Swift"}
"""Way of clients/check.py that prints a line for each golden file -> name of the client."""


def measure_strings(record: Record, folder: Path) -> None:
    """The golden files through each binding."""
    clients: dict[str, Callable[[Path], Iterator[Row]]] = {
        "Python, core": python_strings,
        "Kotlin on the JVM": kotlin_strings,
        **{name: functools.partial(checked_strings, way) for way, name in CHECKED.items()},
    }
    for client, measure in clients.items():
        if record.has(part="strings", client=client, skipped=None):
            continue
        record.drop(functools.partial(_is_of, client))
        if not folder.exists():
            make.make(folder, COUNT)
        print(f"strings, {client}", file=sys.stderr, flush=True)
        try:
            rows = [{"part": "strings", "client": client, "skipped": None, **row} for row in measure(folder)]
        except Skipped as reason:
            rows = [{"part": "strings", "client": client, "skipped": str(reason)}]
        record.add(*rows)


def _is_of(client: str, row: Row) -> bool:
    """Whether a row is of a client's strings."""
    return (row["part"], row.get("client")) == ("strings", client)


def python_strings(folder: Path) -> Iterator[Row]:
    """Python with the core against golden files."""
    strings = [_text(line) for line in _lines(folder / "strings.txt")]
    for kind, file, _, *fields in (line.split("\t") for line in _lines(folder / "index.txt")):
        if kind not in ("tokens", "predictions"):
            continue
        predictor, wanted = load(folder / fields[0], engine="native"), _lines(folder / file)
        different = 0
        if kind == "tokens":
            for first in range(0, len(strings), BATCH):
                found = predictor.predict(strings[first : first + BATCH])
                lines = wanted[first : first + BATCH]
                different += sum(_places(one.tokens) != _wanted(line) for one, line in zip(found, lines, strict=True))
        else:
            rows = [line.split("\t") for line in wanted]
            options = {"confidence": True} if predictor.task == "tagging" else {}
            found = predictor.predict([_text(row[0]) for row in rows], **options)
            different = sum(not is_same(one, row, float(fields[3])) for one, row in zip(found, rows, strict=True))
        yield {"file": file, "lines": len(wanted), "different": different}


def is_same(found: Any, row: Sequence[str], tolerance: float) -> bool:
    """Whether a prediction of Python is that of a line of a golden file."""
    _, sure, truncated, labels, probs, _, tokens, spans = row
    if _places(found.tokens) != _wanted(tokens):
        return False
    parts = [one.split(":") for one in tokens.split()]
    if hasattr(found, "spans"):
        if sure == "0":
            return True
        wanted = [one.split(":") for one in spans.split()]
        answer = [(golden.points(span.type, "."), span.start, span.end) for span in found.spans]
        confidences = [one.confidence for one in (*found.spans, *found.tokens) if one.confidence is not None]
        numbers = [*(part[7] for part in wanted), *(part[9] for part in parts if part[9])]
        return (
            answer == [(part[0], int(part[1]), int(part[4])) for part in wanted]
            and [golden.points(token.tag, ".") for token in found.tokens] == [part[8] for part in parts]
            and _close(confidences, numbers, tolerance)
        )
    weights = [token.weight for token in found.tokens]
    chosen_labels = found.labels if hasattr(found, "labels") else [found.label]
    return (
        found.truncated == (truncated == "1")
        and _close(list(found.probs.values()), probs.split(), tolerance)
        and _close([one for one in weights if one is not None], [part[7] for part in parts if part[7]], tolerance)
        and (sure == "0" or [golden.points(label, ".") for label in chosen_labels] == labels.split())
    )


def _close(found: Sequence[float], wanted: Sequence[str], tolerance: float) -> bool:
    """Whether numbers are those of a golden file."""
    return len(found) == len(wanted) and all(
        abs(one - float(other)) <= tolerance * max(1.0, abs(float(other)))
        for one, other in zip(found, wanted, strict=True)
    )


def _places(tokens: Sequence[Any]) -> list[tuple[str, int, int]]:
    return [(golden.points(token.text, "."), token.start, token.end) for token in tokens]


def _wanted(tokens: str) -> list[tuple[str, int, int]]:
    """Tokens of a golden file with their places in code points."""
    parts = [one.split(":") for one in tokens.split()]
    return [(part[0], int(part[1]), int(part[4])) for part in parts]


def _lines(path: Path) -> list[str]:
    return path.read_text(encoding="ascii").split("\n")[:-1]


def _text(points: str) -> str:
    return "".join(chr(int(point, 16)) for point in points.split())


def kotlin_strings(folder: Path) -> Iterator[Row]:
    """Client android on this machine's Java. A line that differs ends it with an error."""
    needed("java")
    samples = ROOT / "tests/samples"
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        compiler = kotlin_compiler()
        export(samples / "classifier/bundle", work / "project", clients=["android"])
        libraries = work / "project/textapp/src/main/jniLibs" / library.machine()
        if not libraries.is_dir():
            raise Skipped((work / "project/README.md").read_text(encoding="utf-8").splitlines()[-1])
        classes = compile_kotlin(compiler, work / "project", work / "all.jar")
        yield from _rows(kotlin_output(classes, libraries, folder.resolve(), samples))


def checked_strings(way: str, folder: Path) -> Iterator[Row]:
    """A client whose tests clients/check.py runs."""
    environment = {**os.environ, "TEXTAPP_CONFORMANCE": str(folder.resolve()), "RUST_TEST_NOCAPTURE": "1"}
    command = [sys.executable, "clients/check.py", way]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    if skipped := re.search(rf"^{way}: skipped: (.*)$", done.stdout, re.MULTILINE):
        raise Skipped(skipped[1])
    rows = list(_rows(done.stdout))
    if not rows or (done.returncode and not any(row["different"] for row in rows)):
        raise RuntimeError(f"clients/check.py {way}: {done.stdout[-1000:]}{done.stderr[-1000:]}")
    yield from rows


def _rows(output: str) -> Iterator[Row]:
    """The golden files that a test has printed, with their lines and the differences between."""
    for file, lines, different in LINE.findall(output):
        yield {"file": file, "lines": int(lines), "different": int(different or 0)}
