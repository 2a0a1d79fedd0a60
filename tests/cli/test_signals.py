"""A signal stops a command, wherever it arrives; a second one stops it at once; both leave no temporary file."""

import logging
import signal
import subprocess
import sys

import pytest

from textapp.errors import InputError

STOPS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]
PRELUDE = """
import os, signal, sys, time
from textapp.cli.signals import StopSignals
from textapp.files import replacing, temporary_folder
from textapp.output_files import replacing_folder
number, folder = int(sys.argv[1]), sys.argv[2]
os.environ["TMPDIR"] = folder
class Lost:
    def __del__(self):
        os.kill(os.getpid(), number)
        time.sleep(0.1)  # the handler's exception ends only this destructor
"""


def run(script, number, folder):
    """The exit code and all output of a script that has run in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", PRELUDE + script, str(int(number)), str(folder)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=30,
        check=False,
    )
    return done.returncode, done.stdout.decode()


@pytest.mark.parametrize("number", STOPS)
def test_a_signal_whose_exception_is_lost_still_stops(tmp_path, number):
    script = "with StopSignals(), replacing(f'{folder}/файл') as path:\n    Lost()\n    time.sleep(20)"
    assert run(script, number, tmp_path) == (128 + number, "")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("number", STOPS)
def test_what_ends_before_its_lost_signal_is_noticed_has_not_succeeded(tmp_path, number):
    assert run("with StopSignals():\n    Lost()", number, tmp_path) == (128 + number, "")


@pytest.mark.parametrize("number", STOPS)
def test_a_second_signal_stops_at_once(tmp_path, number):
    script = """
with StopSignals(), temporary_folder(), replacing_folder(f"{folder}/папка", lambda _: ()), replacing(f"{folder}/файл"):
    try:
        os.kill(os.getpid(), number)
        time.sleep(20)
    finally:
        os.kill(os.getpid(), number)
        time.sleep(20)
"""
    assert run(script, number, tmp_path) == (128 + number, "")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("number", STOPS)
def test_an_ignored_signal_stays_ignored(tmp_path, number):
    script = """
signal.signal(number, signal.SIG_IGN)
with StopSignals():
    os.kill(os.getpid(), number)
    time.sleep(0.1)
print("finished")
"""
    assert run(script, number, tmp_path) == (0, "finished\n")


def test_without_a_signal_all_is_as_before(textapp):
    handlers = [signal.getsignal(number) for number in (*STOPS, signal.SIGALRM)]
    assert textapp("--version").code == 0
    assert [signal.getsignal(number) for number in (*STOPS, signal.SIGALRM)] == handlers


def test_an_error_that_a_signal_causes_is_not_told(textapp, classifier, monkeypatch):
    def fail(*_):
        try:
            signal.raise_signal(signal.SIGTERM)
        except SystemExit as error:
            raise InputError("LiteRT cannot run this file") from error

    monkeypatch.setattr("textapp.runtime.load", fail)
    handlers = {number: signal.getsignal(number) for number in STOPS}
    try:
        outcome = textapp("predict", classifier.bundle, "很")
    finally:
        logging.disable(logging.NOTSET)
        for number, handler in handlers.items():
            signal.signal(number, handler)
    assert outcome == (143, "", "")
