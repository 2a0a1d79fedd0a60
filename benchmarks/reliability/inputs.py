"""Changes what textapp reads: models, bundles, runs, checkpoints, data files; and compressed bombs.

Each change is read in a child process, so that a crash is counted and not ours.
"""

import gzip
import hashlib
import io
import json
import os
import random
import shutil
import signal
import tarfile
import time
import zipfile
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from benchmarks.reliability.children import Child, forked
from benchmarks.reliability.mutations import changed_bytes, mutated
from textapp.errors import InputError

TEXTS = ["good film", "", "a b c", "Mr Abcde lives in Edcba . " * 30, "㍿½ﷺ\0\ud800"]
SLOWEST = 20.0  # seconds; longer is a hang
MEMORY = 500  # MB that reading may take
HOSTILE = (
    b"\0",
    b"\xff\xfe",
    b"\xed\xa0\x80",
    b"\r",
    b"\xef\xbb\xbf",
    b'"',
    b"\t",
    b"[" * 3000,
    b"9" * 5000,
    b"NaN",
    b"-1",
)

Trial = Callable[[int, random.Random], Counter[str]]


def in_children(trial: Callable[[random.Random], str], count: int, seed: float, log: Path) -> Counter[str]:
    """Tries a thing many times in child processes; a new child goes on where one has crashed or hangs.

    Args:
        trial: Gets a generator of its own, returns how the trial ended: `refused`, or another word for a result.
        count: The number of trials.
        seed: Decides all trials.
        log: File of the children's output.
    """
    found: Counter[str] = Counter()
    while found["tried"] < count:
        begin = found["tried"]

        def trials(begin: int = begin) -> None:
            for number in range(begin, min(count, begin + 200)):  # some at a time: memory that leaks is not one trial's
                print(f"\n@{_ended(trial, random.Random(f'{seed} {number}'))}", flush=True)

        with log.open("wb") as file:
            pid = forked(trials, file.fileno())
        status, words, moved = None, 0, time.monotonic()
        while status is None:
            ended, code = os.waitpid(pid, os.WNOHANG)
            status = os.waitstatus_to_exitcode(code) if ended else None
            now = log.read_bytes().count(b"\n@")
            if now != words:
                words, moved = now, time.monotonic()
            elif time.monotonic() - moved > SLOWEST and status is None:
                os.kill(pid, signal.SIGKILL)
            time.sleep(0.01)
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
        results = [line.removeprefix("@") for line in lines if line.startswith("@")]
        found.update(results)
        found["tried"] += len(results)
        if status:
            found[f"WRONG {'hang' if status == -signal.SIGKILL else f'exit {status}'}"] += 1
            found["tried"] += 1
    found["ended"] = found.pop("result", 0)
    return found


def _ended(trial: Callable[[random.Random], str], rng: random.Random) -> str:
    """How one trial ended."""
    before = _resident()
    try:
        word = trial(rng)
    except InputError as error:
        word = "refused" if len(str(error).splitlines()) == 1 and len(str(error)) < 1000 else "WRONG message"
    except Exception as error:
        return f"WRONG traceback: {type(error).__name__}"
    return word if _resident() - before < MEMORY else f"WRONG more than {MEMORY} MB"


def _resident() -> float:
    """Resident memory, MB."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def models(folder: Path) -> Mapping[str, Trial]:
    """Changed model files in bundles whose hash fits."""
    return {name: _of_bundle(bundle, folder / "trial", change_model) for name, bundle in _bundles(folder).items()}


def bundles(folder: Path) -> Mapping[str, Trial]:
    """Changed text files of bundles, with and without a hash that fits."""
    return {name: _of_bundle(bundle, folder / "trial", change_texts) for name, bundle in _bundles(folder).items()}


def _bundles(folder: Path) -> dict[str, Path]:
    """The bundles of a classifier and a tagger."""
    made = {"classifier": folder / "bundle", "tagger": folder / "tagger bundle"}
    if not made["tagger"].exists():
        ended = Child(["export", str(folder / "tagger"), "--out", str(made["tagger"])], folder / "log").wait()
        if ended.code:
            raise SystemExit(ended.log)
    return made


def _of_bundle(bundle: Path, copy: Path, change: Callable[[Path, random.Random], None]) -> Trial:
    """Loads changed copies of a bundle and predicts with them."""

    def trial(rng: random.Random) -> str:
        predict_changed(bundle, copy, change, rng)
        return "result"

    return lambda count, rng: in_children(trial, count, rng.random(), copy.with_name("log"))


def predict_changed(
    bundle: Path, copy: Path, change: Callable[[Path, random.Random], None], rng: random.Random
) -> None:
    """Loads a changed copy of a bundle and predicts with it. Raises `InputError` if the copy is refused."""
    from textapp.runtime import load

    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(bundle, copy)
    change(copy, rng)
    load(copy).predict(TEXTS)


def change_model(bundle: Path, rng: random.Random) -> None:
    """Changes the model and makes its hash fit."""
    _replace(bundle, "model.tflite", mutated((bundle / "model.tflite").read_bytes(), rng)[0])


def change_texts(bundle: Path, rng: random.Random) -> None:
    """Changes another file; its hash fits, as bundle.json itself has none."""
    name = rng.choice(sorted(path.name for path in bundle.iterdir() if path.name != "model.tflite"))
    _replace(bundle, name, changed_text((bundle / name).read_bytes(), rng))


def _replace(bundle: Path, name: str, content: bytes) -> None:
    """Writes a file of a bundle, and its hash into bundle.json."""
    path, description = bundle / name, bundle / "bundle.json"
    before = hashlib.sha256(path.read_bytes()).hexdigest()
    path.write_bytes(content)
    if path != description:
        text = description.read_text(encoding="utf-8")
        description.write_text(text.replace(before, hashlib.sha256(content).hexdigest()), encoding="utf-8")


def changed_text(content: bytes, rng: random.Random) -> bytes:
    """A changed copy of a text file: bytes, something hostile put in, a JSON value replaced, or lines moved."""
    way = rng.randrange(4)
    if way == 0:
        return changed_bytes(content, rng)[0]
    if way == 1:
        at = rng.randrange(len(content) + 1)
        return content[:at] + rng.choice(HOSTILE) + content[at:]
    if way == 2 and (values := _json_values(content)):
        return _changed_json(values, rng)
    lines = content.splitlines(keepends=True)
    for _ in range(rng.choice((1, 2, 10))):
        lines.insert(rng.randrange(len(lines) + 1), rng.choice(lines))
        if rng.random() < 0.5:
            del lines[rng.randrange(len(lines))]
    return b"".join(lines)


def _json_values(content: bytes) -> list[Any]:
    """The value of JSON, or the values of JSON lines; none of another text."""
    for parts in ([content], content.splitlines()):
        try:
            return [json.loads(part) for part in parts]
        except ValueError:
            continue
    return []


def _changed_json(values: list[Any], rng: random.Random) -> bytes:
    """JSON lines with one value inside of them replaced."""
    holder = rng.choice([holder for value in values for holder in _holders(value) if holder])
    key = rng.choice(list(holder) if isinstance(holder, dict) else range(len(holder)))
    holder[key] = rng.choice((None, True, -1, 0, 2**70, 1e308, "", "x" * 5000, [], {}, [[]], {"a": 1}))
    return b"\n".join(json.dumps(value).encode() for value in values)


def _holders(value: Any) -> list[Any]:
    """All objects and lists of a JSON value."""
    if not isinstance(value, dict | list):
        return []
    below = value.values() if isinstance(value, dict) else value
    return [value, *(holder for one in below for holder in _holders(one))]


def runs(folder: Path) -> Mapping[str, Trial]:
    """Changed files of run folders, which then predict."""
    return {name: _of_run(folder / name, folder / "trial") for name in ("classifier", "tagger")}


def _of_run(run: Path, copy: Path) -> Trial:
    from textapp.training.predictor import run_predictor
    from textapp.training.run import Run

    def trial(rng: random.Random) -> str:
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(run, copy, ignore=shutil.ignore_patterns("logs"))
        name = rng.choice(sorted(path.name for path in copy.iterdir()))
        content, change = (copy / name).read_bytes(), changed_text
        if name.endswith(".keras"):
            (copy / name).write_bytes(changed_bytes(content, rng)[0])
        else:
            (copy / name).write_bytes(change(content, rng))
        run_predictor(Run.load(copy)).predict(TEXTS)
        return "result"

    return lambda count, rng: in_children(trial, count, rng.random(), copy.with_name("log"))


def checkpoints(folder: Path) -> Mapping[str, Trial]:
    """Changed checkpoints, from which a training resumes."""
    from benchmarks.reliability.commands import prepare

    command = prepare(folder)[0]

    def trials(count: int, rng: random.Random) -> Counter[str]:
        found: Counter[str] = Counter()
        stopped, output = folder / "stopped", folder / "resumed"
        child, began = Child(command.to(stopped), folder / "log"), time.monotonic()
        while not (stopped / "checkpoint.npz").exists() and time.monotonic() - began < 100:
            time.sleep(0.01)
        child.wait(after=0)
        while found["tried"] < count:
            shutil.rmtree(output, ignore_errors=True)
            shutil.copytree(stopped, output)
            path = output / "checkpoint.npz"
            path.write_bytes(_changed_archive(path.read_bytes(), rng))
            ended = Child(command.to(output), folder / "log").wait()
            found["tried"] += 1
            found["refused" if ended.is_refusal else f"WRONG {ended.failure}" if ended.failure else "ended"] += 1
        return found

    return {command.name: trials}


def _changed_archive(content: bytes, rng: random.Random) -> bytes:
    """A changed zip archive: its bytes, or the bytes of a member in an archive that is whole."""
    if rng.random() < 0.5:
        return changed_bytes(content, rng)[0]
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    name = rng.choice(sorted(members))
    if rng.random() < 0.2:
        del members[name]
    else:
        members[name] = changed_bytes(members[name], rng)[0]
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for member, data in members.items():
            archive.writestr(member, data)
    return packed.getvalue()


def data_files(folder: Path) -> Mapping[str, Trial]:
    """Changed data files of each format."""

    def of(suffix: str, content: bytes, read: Callable[[Path], Any]) -> Trial:
        path = folder / f"changed{suffix}"

        def trial(rng: random.Random) -> str:
            path.write_bytes(changed_data(content, suffix, rng))
            read(path)
            return "result"

        return lambda count, rng: in_children(trial, count, rng.random(), folder / "log")

    return {suffix.strip(): of(suffix, *kind) for suffix, kind in data_kinds().items()}


def data_kinds() -> dict[str, tuple[bytes, Callable[[Path], Any]]]:
    """The end of a file's name -> a small file of that format, and its reader."""
    from textapp.data.readers import read_examples
    from textapp.data.tagged import read_tagged
    from textapp.vectors.formats import read_vectors

    rows = [("good film", "positive"), ('schlecht, "sehr"', "negative"), ("还不错 看", "positive")] * 5
    tokens = [("Ann", "B-PER"), ("lives", "O"), ("in", "O"), ("New", "B-LOC"), ("York", "I-LOC")]
    tsv = "text\tlabel\n" + "".join(f"{text}\t{label}\n" for text, label in rows)
    csv = "text,label\n" + '"good, ""film""",positive\nschlecht,negative\n' * 6
    conll = ("".join(f"{word} {tag}\n" for word, tag in tokens) + "\n") * 4
    six = "\t_" * 6
    columns = "".join(f"{number}\t{word}\t_\tX{six}\n" for number, (word, _) in enumerate(tokens, 1))
    spans = [{"text": "Ann in York", "spans": [{"start": 0, "end": 3, "type": "PER"}]}] * 4
    vectors = "3 2\nann 0.5 -1\nvon 1.5 2\n好 0 1e-3\n"
    return {
        ".tsv": (tsv.encode(), read_examples),
        ".csv": (csv.encode(), read_examples),
        ".jsonl": (_json_lines([{"text": text, "label": label} for text, label in rows]), read_examples),
        ".tsv.gz": (gzip.compress(tsv.encode()), read_examples),
        ".conll": (conll.encode(), read_tagged),
        ".conllu": (f"# text = x\n{columns}\n".encode(), read_tagged),
        " spans.jsonl": (_json_lines(spans), read_tagged),
        ".vec": (vectors.encode(), read_vectors),
        ".vec.gz": (gzip.compress(vectors.encode()), read_vectors),
    }


def changed_data(content: bytes, suffix: str, rng: random.Random) -> bytes:
    """A changed copy of a data file; of a packed one the packed bytes or the text in it."""
    if not suffix.endswith(".gz"):
        return changed_text(content, rng)
    if rng.random() < 0.5:
        return changed_bytes(content, rng)[0]
    return gzip.compress(changed_text(gzip.decompress(content), rng))


def _json_lines(objects: list[Any]) -> bytes:
    return "".join(f"{json.dumps(one, ensure_ascii=False)}\n" for one in objects).encode()


def bombs(folder: Path) -> Mapping[str, Trial]:
    """Small files that become gigabytes when they are read."""
    makers = {"line.tsv.gz": _long_line, "member.tar.gz": _long_member, "sparse.tar": _sparse_member}

    def of(name: str) -> Trial:
        def trials(count: int, rng: random.Random) -> Counter[str]:
            del count, rng  # each of them is one thing
            path = folder / name
            makers[name](path)
            arguments = [
                "train",
                "classifier",
                "--train",
                str(path),
                "--out",
                str(folder / "bombed"),
                "--preset",
                "tiny",
            ]
            idle = Child(["--version"], folder / "log").wait().megabytes
            ended = Child(arguments, folder / "log").wait()
            path.unlink()
            word = "refused" if ended.is_refusal else f"WRONG {ended.failure or 'accepted'}"
            if ended.megabytes - idle > MEMORY:
                word = f"WRONG {ended.megabytes - idle:.0f} MB"
            return Counter({"tried": 1, word: 1})

        return trials

    return {name: of(name) for name in makers}


def _long_line(path: Path) -> None:
    """10 MB of gzip, 10 GB of text."""
    block = gzip.compress(b"a" * 2**26, 9)  # members of gzip may follow one another
    with path.open("wb") as file:
        file.write(gzip.compress(b"text\tlabel\n"))
        for _ in range(160):
            file.write(block)


def _long_member(path: Path) -> None:
    """A tar archive, packed by gzip, with a text of 4 GB."""
    info = tarfile.TarInfo("data/positive/1.txt")
    info.size = 2**32
    with path.open("wb") as file:
        file.write(gzip.compress(info.tobuf()))
        for _ in range(64):
            file.write(gzip.compress(b"a" * 2**26, 9))
        file.write(gzip.compress(bytes(1024)))


def _sparse_member(path: Path) -> None:
    """A tar archive with a sparse member that claims a terabyte."""
    info = tarfile.TarInfo("data/positive/1.txt")
    info.pax_headers = {
        "GNU.sparse.major": "0",
        "GNU.sparse.minor": "1",
        "GNU.sparse.map": "0,1",
        "GNU.sparse.name": "data/positive/1.txt",
        "GNU.sparse.size": str(2**40),
    }
    info.size = 1
    with path.open("wb") as file:
        file.write(info.tobuf(format=tarfile.PAX_FORMAT) + b"a".ljust(512, b"\0") + bytes(1024))


INPUTS: dict[str, tuple[Callable[[Path], Mapping[str, Trial]], int]] = {
    "changed models": (models, 5000),
    "changed files of bundles": (bundles, 500),
    "changed runs": (runs, 250),
    "changed checkpoints": (checkpoints, 50),
    "changed data": (data_files, 400),
    "bombs": (bombs, 1),
}
