"""The command textapp-native, and the core as one file."""

import ctypes
import json
import os
import subprocess
from pathlib import Path

import pytest

import textapp
from native import library

SAMPLES = Path(__file__).parents[1] / "samples"
CLASSIFIER, TAGGER = SAMPLES / "classifier/bundle", SAMPLES / "tagger/bundle"
TEXTS = [
    "the café is cold 👎 , truly bad",
    "",
    'a "quoted" \\ text\twith\x7f controls \x01',
    "Ms Beçoso sang in 上海。",
    "ﷺ ½㍿",
]
TOLERANCE = 0.06


@pytest.fixture(scope="module")
def command(internals, compiler, tmp_path_factory):
    """The command, linked with the library."""
    program, built = tmp_path_factory.mktemp("command") / "textapp-native", Path(internals._name)
    subprocess.run(
        [*compiler, "-std=c99", "-Os", *library.WARNINGS, "-Werror", f"-I{library.NATIVE}/include",
         f"-I{library.NATIVE}/src", *map(str, library.COMMAND), str(built), f"-Wl,-rpath,{built.parent}",
         "-o", str(program)],
        check=True,
    )  # fmt: skip
    return program


def run(command, *arguments, texts=b"x\n"):
    done = subprocess.run([command, *map(str, arguments)], input=texts, capture_output=True, check=False)
    return done.returncode, [json.loads(line) for line in done.stdout.splitlines()], done.stderr.decode()


def close(found, wanted):
    """Whether JSON values are equal but for numbers with a point."""
    if isinstance(wanted, float):
        return found == pytest.approx(wanted, abs=TOLERANCE)
    if isinstance(wanted, dict):
        return list(found) == list(wanted) and all(close(found[key], wanted[key]) for key in wanted)
    if isinstance(wanted, (list, tuple)):
        return len(found) == len(wanted) and all(map(close, found, wanted))
    return type(found) is type(wanted) and found == wanted


@pytest.mark.parametrize(("bundle", "options"), [(CLASSIFIER, {}), (TAGGER, {}), (TAGGER, {"confidence": True})])
def test_a_line_is_what_python_prints(command, bundle, options):
    lines = "\ufeff" + "".join(f"{text}\r\n" for text in TEXTS) + TEXTS[0]
    code, found, said = run(command, bundle, *(["--confidence"] if options else []), texts=lines.encode())
    assert (code, said) == (0, "")
    predictor = textapp.load(bundle, engine="litert")
    wanted = [prediction.to_dict() for prediction in predictor.predict([*TEXTS, TEXTS[0]], **options)]
    for one, other in zip(found, wanted, strict=True):
        assert close(one, other)


def test_a_number_is_read_back_as_the_same(command):
    done = subprocess.run([command, CLASSIFIER], input=TEXTS[0].encode(), capture_output=True, check=True)
    row = json.loads(done.stdout)
    assert json.dumps(row, ensure_ascii=False).encode() + b"\n" == done.stdout
    assert sum(row["probs"].values()) == pytest.approx(1, abs=1e-15)


def test_offsets_count_what_is_asked_for(command):
    ends = {}
    for unit in ("code-points", "utf16", "bytes"):
        _, [row], _ = run(command, TAGGER, "--offsets", unit, texts="👎 Ms\n".encode())
        ends[unit] = [token["end"] for token in row["tokens"]]
    assert ends == {"code-points": [1, 4], "utf16": [2, 5], "bytes": [4, 7]}


def test_each_line_is_answered_before_the_next_is_there(command):
    with subprocess.Popen([command, TAGGER], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        for text in ("one", "two " * 2000):
            process.stdin.write(f"{text}\n".encode())
            process.stdin.flush()
            assert len(json.loads(process.stdout.readline())["tokens"]) == len(text.split())
        process.stdin.close()
        assert process.stdout.read() == b""
        assert process.wait() == 0


def test_other_kernels_give_nearly_the_same(command):
    text = TEXTS[0].encode()
    [row], [other] = (run(command, CLASSIFIER, *more, texts=text)[1] for more in ([], ["--features", "scalar"]))
    assert close(row, other)


@pytest.mark.parametrize(
    ("arguments", "texts", "message"),
    [
        ([CLASSIFIER], b"", "standard input: no text in it\n"),
        ([CLASSIFIER], b"good\nb\xff\n", "standard input:2: byte 2 of the line is not UTF-8; files must be UTF-8\n"),
        ([CLASSIFIER, "--confidence"], b"x", "--confidence: is for taggers"),
        ([SAMPLES], b"x", f"{SAMPLES}/bundle.json: missing"),
        ([], b"x", "BUNDLE: missing"),
        ([CLASSIFIER, "--more"], b"x", "--more: unknown option"),
        ([CLASSIFIER, "--offsets", "words"], b"x", "--offsets: must be"),
        ([CLASSIFIER, "--features", "mmx"], b"x", "--features: unknown"),
        ([CLASSIFIER, TAGGER], b"x", f"{TAGGER}: one bundle only"),
    ],
)
def test_wrong_input_gives_one_line_and_code_2(command, arguments, texts, message):
    code, rows, said = run(command, *arguments, texts=texts)
    assert code == 2
    assert said.startswith(message)
    assert said.count("\n") == 1
    assert len(rows) == texts.startswith(b"good")


@pytest.mark.skipif("TEXTAPP_SANITIZE" in os.environ, reason="it is for the compiler alone")
def test_the_core_is_also_one_file(compiler, internals, tmp_path):
    from native.tools import amalgamate

    (tmp_path / "textapp.c").write_text(amalgamate.amalgamation(), encoding="utf-8")
    (tmp_path / "textapp.h").write_bytes((library.NATIVE / "include/textapp.h").read_bytes())
    (tmp_path / "main.c").write_text(
        '#include <stdio.h>\n#include "textapp.h"\nint main(void) { return printf("%u", textapp_features()) < 1; }\n'
    )
    program = tmp_path / "main"
    subprocess.run(
        [*compiler, "-std=c99", "-O0", "-Wall", "-Werror", "main.c", "textapp.c", "-o", "main"],
        cwd=tmp_path,
        check=True,
    )
    features = int(subprocess.run([program], stdout=subprocess.PIPE, check=True).stdout)
    if library.machine() == "x86_64":  # where one file holds the kernels of all processors
        internals.textapp_features.restype = ctypes.c_uint32
        assert features == internals.textapp_features()
