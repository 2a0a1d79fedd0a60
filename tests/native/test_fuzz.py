"""A few seconds of each fuzz target, with addresses and undefined behaviour checked."""

import subprocess

import pytest

from native import library

from .core_text import contents

TEXT = "base numbers hashes utf8 normalize tokenize words windows ngrams vocabulary tables"
TARGETS = {"text": TEXT, "json": "json json_check decimal base numbers hashes"}
"""Name of the target -> the files of native/src that it needs."""


JSON = (
    '[1, 2.5e-3, -0, 1e400, 9007199254740993.0000000000000000000001, "a\\u00e9\\ud83d\\ude00\\n", true]',
    '{"a": [{"b": null}], "b": "上海", "a": 123456789012345678901234567890e-300}',
    # Found by libFuzzer: the digits of such a number are moved by fewer bytes than a block of a copy has.
    "[-2.5556650313166666666666666666666666666666666666666666666666666666666666664181]",
)

CHECKS = ["-std=c99", "-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]


@pytest.fixture(scope="module")
def sanitizing(tmp_path_factory, compiler):
    """The compiler with its sanitizers."""
    folder = tmp_path_factory.mktemp("sanitizers")
    (folder / "empty.c").write_text("int main(void) { return 0; }\n")
    command = [*compiler, *CHECKS]
    tried = subprocess.run(
        [*command, "empty.c", "-o", "empty"], cwd=folder, capture_output=True, text=True, check=False
    )
    if tried.returncode:
        pytest.skip(f"{compiler[0]} has no sanitizers")
    return command


@pytest.mark.parametrize("target", TARGETS)
def test_no_input_does_harm(tmp_path, sanitizing, target):
    program = tmp_path / "fuzz"
    files = [library.NATIVE / "fuzz" / f"{name}.c" for name in (target, "run")]
    files += [library.NATIVE / "src" / f"{name}.c" for name in TARGETS[target].split()]
    command = [*sanitizing, f"-I{library.NATIVE / 'include'}", *map(str, files), "-o", str(program)]
    subprocess.run(command, check=True)
    # Settings of native/fuzz/text.c; the last is the tokenizer bert.
    start = bytes([0, 200]), bytes([9, 3]), bytes([0x72, 200]), bytes([0x3D, 40]), bytes([0x80, 200])
    for number, content in enumerate(contents(200, seed=30)):
        (tmp_path / f"{number}.txt").write_bytes(start[number % len(start)] + content)
    (tmp_path / "vocabulary.txt").write_bytes(start[0] + b"[PAD]\n[UNK]\na\nb\nc\xc3\xa9\n")
    for number, text in enumerate(JSON):
        (tmp_path / f"json{number}.txt").write_text(text, encoding="utf-8")
    inputs = sorted(map(str, tmp_path.glob("*.txt")))
    done = subprocess.run([str(program), "2", *inputs], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-4000:]
    assert f" inputs of {len(inputs)} files" in done.stdout
