"""Client c: the example compiles as it stands, and says what Python says."""

import os
import shutil
import subprocess

import pytest

from clients.conformance.bundles import bundles
from tests.export.clients.samples import SAMPLES
from textapp.export.verb import export
from textapp.runtime import load

COMPILER = os.environ.get("CC") or shutil.which("cc")
TEXTS = ["the food was good", "Angela Merkel in Berlin", "don’t – 北京 ﬁne", "", "x" * 3000]

pytestmark = pytest.mark.skipif(COMPILER is None, reason="there is no C compiler here")


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    """The example, compiled in the exported folder as its README says."""
    folder = tmp_path_factory.mktemp("приложение") / "c"
    export(SAMPLES["classifier"], folder, clients=["c"])
    # Without -O2, as in the README, it compiles in a third of the time.
    subprocess.run([COMPILER, "main.c", "textapp.c", "-o", "example"], cwd=folder, check=True)
    return folder


def run(program, *arguments, texts):
    lines = "".join(f"{text}\n" for text in texts).encode()
    return subprocess.run(["./example", *arguments], cwd=program, input=lines, capture_output=True, check=False)


def test_it_prints_the_label_of_each_line(program):
    predictions = load(SAMPLES["classifier"], engine="litert").predict(TEXTS)
    done = run(program, texts=TEXTS)
    assert (done.returncode, done.stderr) == (0, b"")
    for line, expected in zip(done.stdout.decode().splitlines(), predictions, strict=True):
        label, probability = line.rsplit(" ", 1)
        assert label == expected.label
        assert float(probability) == pytest.approx(expected.probs[label], abs=0.02)


def test_it_prints_the_spans_of_each_line(program):
    predictions = load(SAMPLES["tagger"], engine="litert").predict(TEXTS)
    done = run(program, SAMPLES["tagger"], texts=TEXTS)
    assert (done.returncode, done.stderr) == (0, b"")
    wanted = ["".join(f"{span.type}: {span.text}  " for span in found.spans) for found in predictions]
    assert done.stdout.decode().split("\n")[:-1] == wanted
    assert any(wanted)


def test_it_prints_the_plain_tags_of_each_line(program, tmp_path):
    [made] = [made for made in bundles() if made.name == "plain-tags"]
    bundle = made.write(tmp_path / "bundle")
    predictions = load(bundle, engine="litert").predict(TEXTS)
    done = run(program, bundle, texts=TEXTS)
    assert (done.returncode, done.stderr) == (0, b"")
    wanted = []
    for text, found in zip(TEXTS, predictions, strict=True):
        wanted.append("".join(f"{token.tag}: {text[token.start : token.end]}  " for token in found.tokens))
    assert done.stdout.decode().split("\n")[:-1] == wanted
    assert any(wanted)


def test_what_is_no_utf8_counts_as_a_replacement_character(program):
    """Bytes that would be lone surrogates, a cut character, and bytes that are in no character."""
    lines = [b"good \xed\xa0\x80 film", b"\xed\xbf\xbfgood\xf0\x9f\x91", b"\xff\xfe \xc0\x80", b"\xe2\x80\x8b \xc2\xad"]
    texts = [line.decode(errors="replace") for line in lines]
    done = subprocess.run(["./example"], cwd=program, input=b"\n".join(lines), capture_output=True, check=True)
    for line, found in zip(done.stdout.decode().splitlines(), load(SAMPLES["classifier"]).predict(texts), strict=True):
        label, probability = line.rsplit(" ", 1)
        assert (label, float(probability)) == (found.label, pytest.approx(found.probs[found.label], abs=0.02))


def test_it_refuses_a_changed_bundle_and_a_long_line(program, tmp_path):
    broken = shutil.copytree(SAMPLES["classifier"], tmp_path / "bündel")
    (broken / "labels.txt").write_text("a\nb\n")
    done = run(program, broken, texts=["good"])
    assert done.returncode == 2
    assert b"labels.txt" in done.stderr
    assert done.stderr.count(b"\n") == 1
    done = run(program, texts=["x" * 70_000])
    assert done.returncode == 2
    assert done.stdout == b""


def test_a_file_that_cannot_be_read_is_named(program, tmp_path):
    broken = shutil.copytree(SAMPLES["classifier"], tmp_path / "bundle")
    (broken / "labels.txt").unlink()
    (broken / "labels.txt").mkdir()
    done = run(program, broken, texts=["good"])
    assert (done.returncode, done.stderr) == (2, f"{broken}/labels.txt: cannot be read\n".encode())


def test_a_missing_bundle_is_named(program, tmp_path):
    done = run(program, tmp_path / "нет", texts=["good"])
    assert done.returncode == 2
    assert b"bundle.json" in done.stderr
