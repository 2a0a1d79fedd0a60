"""How commands begin and end: exit codes, streams, start-up time. Mostly in processes of their own."""

import json
import os
import re
import resource
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from tests.cli.commands import COMMAND
from textapp.cli.main import app
from textapp.task import names, task

ROOT = typer.main.get_command(app)
GROUPS = [([], ROOT), *(([name], one) for name, one in ROOT.commands.items() if hasattr(one, "commands"))]
COMMANDS = [
    [*above, name] for above, group in GROUPS for name, one in group.commands.items() if not hasattr(one, "commands")
]


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
    assert seconds("--help") < 0.5  # 0.25 to 0.3 on a fast machine


def test_a_prediction_takes_little_longer(classifier):
    assert seconds("predict", classifier.bundle, "很 好 film") < 1.0  # 0.6; TensorFlow alone takes 3


@pytest.mark.parametrize("arguments", [[], ["train"], ["vectors"]])
def test_without_a_command_all_are_listed(textapp, arguments):
    outcome = textapp(*arguments)
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err.startswith("Usage: ")
    assert "Commands:" in outcome.err


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["чепуха"], "no such command 'чепуха'; see textapp --help"),
        (["predit"], "no such command 'predit'; did you mean 'predict'? See textapp --help"),
        (["train", "tager"], "no such command 'tager'; did you mean 'tagger'? See textapp train --help"),
        (["train", "tagger", "--train", "x"], "missing option '--out'; see textapp train tagger --help"),
        (["predict"], "missing argument 'RUN_OR_BUNDLE'; see textapp predict --help"),
        (["bench", "x", "--coun", "2"], "no such option: --coun; did you mean --count? See textapp bench --help"),
    ],
)
def test_a_wrong_use_is_told_in_one_line(textapp, arguments, line):
    assert textapp(*arguments) == (2, "", f"textapp: {line}\n")


def test_a_wrong_value_is_told_with_its_option(textapp):
    assert re.fullmatch(
        r"invalid value for '--count': .* integer.*; see textapp bench --help",
        textapp("bench", "x", "--count", "null").refusal,
    )
    assert len(textapp("bench", "x", "--count", "9" * 5000 + "x").refusal) < 300


def test_the_version_is_printed(textapp):
    import textapp as package

    assert textapp("--version") == (0, f"{package.__version__}\n", "")


def test_all_commands_are_there():
    assert len(COMMANDS) == 11 + 3 * len(names()) + 10 + 1  # and those of train, of tune, of vectors and of data


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_each_command_has_its_help(textapp, command):
    outcome = textapp(*command, "--help")
    assert outcome.code == 0
    assert "--json" in outcome.out


def test_short_names_of_train_are_the_same_commands_and_hidden(textapp):
    shown = textapp("train", "--help").out
    for found in map(task, names()):
        assert re.search(rf"^ *{found.model_noun} ", shown, re.M)
        assert f" {found.short_name} " not in shown
        long, short = (
            textapp("train", name, "--help").out.splitlines() for name in (found.model_noun, found.short_name)
        )
        options = next(index for index, line in enumerate(long) if line.startswith("Options"))
        assert long[options:] == short[short.index(long[options]) :]


def test_a_bundle_needs_the_base_install_alone(base_install, model):
    for arguments in (
        ["predict", model.bundle, "好 film"],
        ["evaluate", model.bundle, "--data", model.files["test"]],
        ["bench", model.bundle, "--data", model.files["test"], "--count", "5"],
    ):
        result = run(*arguments, "--json", command=[sys.executable, "-c", base_install + COMMAND[-1]])
        assert result.returncode == 0, result.stderr.decode()
        assert json.loads(result.stdout)


def test_what_needs_tensorflow_says_how_to_get_it(base_install, classifier, tmp_path):
    for arguments in (
        ["predict", classifier.run, "好"],
        ["export", classifier.run, "--out", tmp_path / "包"],
        ["train", "classifier", "--train", classifier.files["train"], "--out", tmp_path / "прогон"],
    ):
        result = run(*arguments, command=[sys.executable, "-c", base_install + COMMAND[-1]])
        assert result.returncode == 2
        lines = result.stderr.decode().splitlines()
        assert len(lines) == 1
        assert lines[0].endswith('is not installed; this command needs: pip install "textapp-keras[train]"')
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize("settings", [{"PYTHONIOENCODING": "ascii"}, {"PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}])
def test_the_locale_changes_no_result(classifier, settings):
    expected = run("predict", classifier.bundle, "很 好 film").stdout
    environment = {**os.environ, "LC_ALL": "C", **settings}
    assert run("predict", classifier.bundle, "很 好 film", env=environment).stdout == expected
    assert run("predict", classifier.bundle, input="很 好 film".encode(), env=environment).stdout == expected
    refused = run("predict", "无", "很", env=environment)
    assert refused.returncode == 2
    assert refused.stderr.startswith(b"textapp: \\u")
    assert len(refused.stderr.splitlines()) == 1


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_a_full_disk_behind_stdout_is_one_line(classifier):
    for arguments in (
        ["predict", classifier.bundle, "很"],
        ["predict", classifier.bundle, "很", "--json"],
        ["--version"],
    ):
        with open("/dev/full", "wb") as full:  # noqa: PTH123
            result = run(*arguments, capture_output=False, stdout=full, stderr=subprocess.PIPE)
        assert (result.returncode, result.stderr) == (2, b"textapp: output: No space left on device\n")


def test_a_reader_that_leaves_early_sees_no_traceback(classifier):
    texts = "".join(f"好 film {number}\n" for number in range(5000)).encode()
    for flag in ([], ["--json"]):
        process = subprocess.Popen(
            [*COMMAND, "predict", str(classifier.bundle), *flag],
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


def test_closed_streams_do_no_harm(classifier):
    def shell(redirections, *arguments):
        return run("-c", f'"$@" {redirections}', "sh", *COMMAND, *arguments, command=["sh"])

    assert shell("2>&-", "predict", classifier.bundle, "很").stdout.endswith("很\n".encode())
    assert shell(">&-", "predict", classifier.bundle, "很").returncode == 0
    assert shell(">&- 2>&- <&-", "predict", classifier.bundle, "很").returncode == 0
    assert shell(">&- 2>&- <&-", "predict", "无", "很").returncode == 2
    no_input = shell("<&-", "predict", classifier.bundle)
    assert (no_input.returncode, no_input.stderr) == (2, b"textapp: standard input: no text in it\n")


def test_an_unexpected_error_keeps_its_traceback(textapp, classifier, monkeypatch):
    def fail(*_):
        raise ZeroDivisionError

    monkeypatch.setattr("textapp.runtime.load", fail)
    with pytest.raises(ZeroDivisionError):
        textapp("predict", classifier.bundle, "很")


@pytest.mark.parametrize("name", ["MemoryError", "ResourceExhaustedError"])
def test_too_little_memory_is_one_line(textapp, classifier, monkeypatch, name):
    def fail(*_):
        raise MemoryError if name == "MemoryError" else type(name, (Exception,), {})

    monkeypatch.setattr("textapp.runtime.load", fail)
    assert "this needs more memory than there is" in textapp("predict", classifier.bundle, "很").refusal
