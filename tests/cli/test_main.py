"""How commands begin and end: exit codes, streams, start-up time. Mostly in processes of their own."""

import json
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

COMMAND = [sys.executable, "-c", "from textapp.cli.main import main; main()"]


def run(*arguments, command=None, **options):
    command = [*(command or COMMAND), *map(str, arguments)]
    return subprocess.run(command, **{"capture_output": True, "timeout": 120, "check": False, **options})


def seconds(*arguments):
    """Processor time of a command from its process' start, which the clock shows on a free machine; the best of 5."""
    times = []
    for _ in range(5):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([*COMMAND, *map(str, arguments)], check=True, capture_output=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        times.append(after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime)
    return min(times)


def test_help_answers_at_once():
    assert seconds("--help") < 0.3


def test_a_prediction_takes_little_longer(bundle_folder):
    assert seconds("predict", bundle_folder, "很 好 film") < 0.6


@pytest.mark.parametrize("arguments", [[], ["train"], ["predict"], ["чепуха"], ["bench", "x", "--count", "null"]])
def test_a_wrong_use_is_told_on_stderr(textapp, arguments):
    outcome = textapp(*arguments)
    assert (outcome.code, outcome.out) == (2, "")
    assert "Usage: " in outcome.err
    assert "Traceback" not in outcome.err


def test_the_version_is_printed(textapp):
    import textapp as package

    assert textapp("--version") == (0, f"{package.__version__}\n", "")


VECTORS = [f"vectors {name}" for name in ("train", "evaluate", "neighbors", "analogy", "plot", "project", "align")]


@pytest.mark.parametrize(
    "command", ["demo", "train sentiment", "train ner", "evaluate", "export", "predict", "bench", *VECTORS]
)
def test_each_command_has_its_help(textapp, command):
    outcome = textapp(*command.split(), "--help")
    assert outcome.code == 0
    assert "--json" in outcome.out


def test_a_bundle_needs_the_base_install_alone(base_install, bundle_folder, corpus):
    for arguments in (
        ["predict", bundle_folder, "好 film"],
        ["evaluate", bundle_folder, "--data", corpus["test"]],
        ["bench", bundle_folder, "--data", corpus["test"], "--count", "5"],
    ):
        result = run(*arguments, "--json", command=[sys.executable, "-c", base_install + COMMAND[-1]])
        assert result.returncode == 0, result.stderr.decode()
        assert json.loads(result.stdout)


def test_what_needs_tensorflow_says_how_to_get_it(base_install, run_folder, corpus, tmp_path):
    for arguments in (
        ["predict", run_folder, "好"],
        ["export", run_folder, "--out", tmp_path / "包"],
        ["train", "sentiment", "--train", corpus["train"], "--out", tmp_path / "прогон"],
    ):
        result = run(*arguments, command=[sys.executable, "-c", base_install + COMMAND[-1]])
        assert result.returncode == 2
        lines = result.stderr.decode().splitlines()
        assert len(lines) == 1
        assert lines[0].endswith("is not installed; this command needs: pip install 'textapp[train]'")
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize("settings", [{"PYTHONIOENCODING": "ascii"}, {"PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}])
def test_the_locale_changes_no_result(bundle_folder, settings):
    expected = run("predict", bundle_folder, "很 好 film").stdout
    environment = {**os.environ, "LC_ALL": "C", **settings}
    assert run("predict", bundle_folder, "很 好 film", env=environment).stdout == expected
    assert run("predict", bundle_folder, input="很 好 film".encode(), env=environment).stdout == expected
    refused = run("predict", "无", "很", env=environment)
    assert refused.returncode == 2
    assert refused.stderr.startswith(b"textapp: \\u")
    assert len(refused.stderr.splitlines()) == 1


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_a_full_disk_behind_stdout_is_one_line(bundle_folder):
    for arguments in (["predict", bundle_folder, "很"], ["predict", bundle_folder, "很", "--json"], ["--version"]):
        with open("/dev/full", "wb") as full:  # noqa: PTH123
            result = run(*arguments, capture_output=False, stdout=full, stderr=subprocess.PIPE)
        assert (result.returncode, result.stderr) == (2, b"textapp: output: No space left on device\n")


def test_a_reader_that_leaves_early_sees_no_traceback(bundle_folder):
    texts = "".join(f"好 film {number}\n" for number in range(5000)).encode()
    for flag in ([], ["--json"]):
        process = subprocess.Popen(
            [*COMMAND, "predict", str(bundle_folder), *flag],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        process.stdin.write(texts)
        process.stdin.close()
        process.stdout.read(10)
        process.stdout.close()
        assert process.stderr.read() == b""
        process.stderr.close()
        process.wait()


def test_closed_streams_do_no_harm(bundle_folder):
    def shell(redirections, *arguments):
        return run("-c", f'"$@" {redirections}', "sh", *COMMAND, *arguments, command=["sh"])

    assert shell("2>&-", "predict", bundle_folder, "很").stdout.endswith("很\n".encode())
    assert shell(">&-", "predict", bundle_folder, "很").returncode == 0
    assert shell(">&- 2>&- <&-", "predict", bundle_folder, "很").returncode == 0
    assert shell(">&- 2>&- <&-", "predict", "无", "很").returncode == 2
    no_input = shell("<&-", "predict", bundle_folder)
    assert (no_input.returncode, no_input.stderr) == (2, b"textapp: standard input: no text in it\n")


def test_an_unexpected_error_keeps_its_traceback(textapp, bundle_folder, monkeypatch):
    def fail(*_):
        raise ZeroDivisionError

    monkeypatch.setattr("textapp.runtime.load", fail)
    with pytest.raises(ZeroDivisionError):
        textapp("predict", bundle_folder, "很")


@pytest.mark.parametrize("name", ["MemoryError", "ResourceExhaustedError"])
def test_too_little_memory_is_one_line(textapp, bundle_folder, monkeypatch, name):
    def fail(*_):
        raise MemoryError if name == "MemoryError" else type(name, (Exception,), {})

    monkeypatch.setattr("textapp.runtime.load", fail)
    assert "this needs more memory than there is" in textapp("predict", bundle_folder, "很").refusal
