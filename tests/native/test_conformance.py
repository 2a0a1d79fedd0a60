"""The core against the golden files of clients/conformance, and that a wrong answer in them is found."""

import re
import subprocess

import pytest

from clients.conformance.make import make


@pytest.fixture(scope="module")
def golden(tmp_path_factory):
    """The files of 200 strings."""
    folder = tmp_path_factory.mktemp("golden") / "files"
    make(folder, 200)
    return folder


def run(check, folder, *features):
    return subprocess.run([check, folder, *features], capture_output=True, text=True, check=False)


@pytest.mark.parametrize("features", [(), ("0",)], ids=["best kernels", "scalar"])
def test_the_core_passes(check, golden, features):
    done = run(check, golden, *features)
    assert (done.returncode, done.stderr) == (0, "")
    index = [line.split("\t") for line in (golden / "index.txt").read_text().splitlines()]
    checked = [f"{file}: {count} lines, 0 different" for kind, file, count, *_ in index if kind != "strings"]
    assert [line.split(";")[0] for line in done.stdout.splitlines()] == checked
    assert len(checked) > 20
    said = done.stdout.split("predictions-tagger.txt: 200 lines, 0 different; ")[1].splitlines()[0]
    unsure, others, logits = re.fullmatch(
        r"(\d+) unsure, of which (\d+) have another answer; logits within (\S+)", said
    ).groups()
    assert int(unsure) > int(others) < 10
    assert 0 < float(logits) < 0.02
    assert {line.split("\t")[1] for line in (golden / "predictions-tagger.txt").read_text().splitlines()} == {"0", "1"}


NUMBER = r"-?\d+(?:\.\d+)?(?:e-\d+)?"
CHANGES = [
    ("tokens-word-nfkc-lower.txt", r"(?m)^\w", "7E."),
    *(("tokens-char-nfc-lower.txt", rf"(?m)^([^ :]+?)((?::\d+){{{unit}}}:)\d+", r"\1\g<2>777") for unit in range(6)),
    ("code-points.txt", r"(?m)^1000 .", "1000 G"),
    ("decoder.txt", r"(?m)^ids \d", "ids 63"),
    ("decoder.txt", r"(?m)^names 4", "names 5"),
    ("decoder.txt", r"(?m)^confidences 0.\d\d", "confidences 0.00"),
    ("decoder.txt", r"(?m)^(spans [^:]*):\d+", r"\1:39"),
    ("decoder.txt", r"(?m)^(spans [^:]*:\d+:\d+:)", r"\g<1>7"),
    ("predictions-classifier.txt", r"\t1\t0\t\w", r"\t1\t0\t7E."),
    ("predictions-classifier.txt", r"\t1\t0\t", r"\t1\t1\t"),
    ("predictions-multilabel.txt", r"\t1\t0\t[^\t]+\t", r"\t1\t0\t\t"),
    ("predictions-ngrams.txt", rf"(\t1\t0\t[^\t]+\t){NUMBER}", r"\g<1>0.9999"),
    ("predictions-table-classifier.txt", rf"(\t1\t0\t[^\t]+\t[^\t]+\t){NUMBER}", r"\g<1>77"),
    ("predictions-classifier.txt", rf"(:){NUMBER}(::)", r"\g<1>0.9\2"),
    ("predictions-tagger.txt", r"(\t1\t0\t\t\t.*?::)4F:", r"\g<1>4E:"),
    ("predictions-tagger.txt", r"(\t1\t0\t\t\t.*?\t)([^\t]+)\t([0-9A-F]+)", r"\1\2\t7E\3"),
    ("predictions-table-tagger-iobes.txt", rf"(\t1\t0\t\t\t.*\t[^:]*:[^\t]*:){NUMBER}\n", r"\g<1>7\n"),
    ("predictions-plain-tags.txt", rf"(\t1\t0\t\t\t.*?::[^:]+:){NUMBER}", r"\g<1>0.01"),
]


@pytest.mark.parametrize("number", range(len(CHANGES)))
def test_a_wrong_answer_is_found(check, golden, tmp_path, number):
    name, pattern, other = CHANGES[number]
    content = (golden / name).read_text()
    changed = re.sub(pattern, other, content, count=1)
    assert changed != content
    for path in golden.iterdir():
        if path.name not in (name, "index.txt"):
            (tmp_path / path.name).symlink_to(path)
    (tmp_path / name).write_text(changed)
    lines = [line for line in (golden / "index.txt").read_text().splitlines() if line.split("\t")[1] == name]
    (tmp_path / "index.txt").write_text("".join(f"{line}\n" for line in lines))
    done = run(check, tmp_path)
    assert done.returncode == 1, done.stderr
    assert re.fullmatch(rf"{re.escape(name)}: \d+ lines, 1 different(;.*)?\n", done.stdout)
    assert done.stderr.startswith(f"{name}:")


def test_the_files_are_the_same_each_time(tmp_path):
    for name in ("one", "two"):
        make(tmp_path / name, 30)
    for path in (tmp_path / "one").rglob("*.*"):
        assert (tmp_path / "two" / path.relative_to(tmp_path / "one")).read_bytes() == path.read_bytes(), path
