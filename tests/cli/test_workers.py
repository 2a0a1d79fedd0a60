"""`textapp predict` answers while its input arrives, in one process or several."""

import contextlib
import gzip
import itertools
import multiprocessing
import os
import signal
import subprocess
import time

import pytest

from tests.cli.commands import COMMAND
from textapp.cli.line_predictor import Block, Request, read_blocks
from textapp.cli.workers import Workers
from textapp.errors import InputError
from textapp.text.terminal import PLAIN


def request(model):
    return Request(
        model.bundle, "файл", confidence=False, min_confidence=None, as_json=False, screen=PLAIN, skip_bad=False
    )


def test_several_processes_print_what_one_prints(textapp, tagger, tmp_path):
    path = tmp_path / "много 行.txt"
    lines = [f"Mr Lusotä {number} 好\r\n".encode() for number in range(2000)]  # three blocks
    content = b"".join([*lines[:1500], b"x\xff\n", *lines[1500:]])
    for options in ([], ["--json", "--skip-bad", "--confidence"]):
        path.write_bytes(gzip.compress(content) if options else content)
        command = ["predict", tagger.bundle, "--file", path, *options]
        one, two = textapp(*command), textapp(*command, "--workers", 2)
        assert two == one
        assert (one.code, one.out.count('"tokens"' if options else "\n")) == ((0, 2000) if options else (2, 1500))


def test_several_processes_refuse_what_one_refuses(textapp, classifier, tmp_path):
    for command in (
        ["predict", tmp_path, "text"],
        ["predict", classifier.bundle, "--confidence", "text"],
        ["predict", classifier.bundle],
    ):
        assert textapp(*command, "--workers", 2) == textapp(*command)


@pytest.mark.parametrize("workers", ["1", "2"])
def test_each_line_is_answered_at_once_and_an_interrupt_leaves_no_process(classifier, workers):
    process = subprocess.Popen(
        [*COMMAND, "predict", str(classifier.bundle), "--workers", workers],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    with process:
        for text in ("很 好", "zweite"):
            process.stdin.write(f"{text}\n".encode())
            process.stdin.flush()
            assert process.stdout.readline().endswith(f"\t{text}\n".encode())
        os.killpg(process.pid, signal.SIGINT)
        assert process.stdout.read() == process.stderr.read() == b""
    assert process.returncode == 130
    deadline = time.monotonic() + 10
    with contextlib.suppress(ProcessLookupError):
        while time.monotonic() < deadline:
            os.killpg(process.pid, 0)
            time.sleep(0.02)
        pytest.fail("a process of the command is left")


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("has_end", [True, False])
def test_a_line_that_is_too_long_ends_after_the_lines_before_it(textapp, classifier, monkeypatch, workers, has_end):
    monkeypatch.setenv("TEXTAPP_MAX_TEXT", "1000")
    lines = "".join(f"{number} 好\n" for number in range(5000)) + "x" * 50_000 + "\nпотом" * has_end
    outcome = textapp("predict", classifier.bundle, "--workers", workers, stdin=lines.encode())
    assert outcome.code == 2
    assert outcome.err.endswith(
        "standard input:5001: the line has more than 1,000 bytes; a larger limit is set by the "
        "environment variable TEXTAPP_MAX_TEXT\n"
    )
    assert outcome.out.count("\n") == 5000


def test_a_worker_that_dies_ends_the_command(classifier):
    others = set(multiprocessing.active_children())
    with Workers(2, request(classifier)) as workers:
        answers = workers.answers(Block([number], ["好".encode()]) for number in itertools.count(1))
        assert next(answers).output.endswith("\t好\n".encode())
        os.kill((set(multiprocessing.active_children()) - others).pop().pid, signal.SIGKILL)
        with pytest.raises(InputError, match=r"^--workers 2: a worker process was killed by signal 9; "):
            list(answers)
    assert set(multiprocessing.active_children()) == others


def test_a_block_is_what_one_read_gives():
    class Pieces:
        def __init__(self, *pieces):
            self.pieces = list(pieces)

        def read1(self, _):
            return self.pieces.pop(0) if self.pieces else b""

    blocks = list(read_blocks(Pieces(b"\xef\xbb", b"\xbfa", b"b\r\nc\n\nd", b"e", b"\nf"), "name"))
    assert [(list(block.numbers), block.lines, block.offsets) for block in blocks if block.lines] == [
        ([1, 2, 3], [b"ab", b"c", b""], [0, 7, 9]),
        ([4], [b"de"], [10]),
        ([5], [b"f"], [13]),
    ]
