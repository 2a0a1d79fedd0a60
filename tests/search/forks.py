"""Copies of the test process, which work at one search and write down what they do."""

import json
import os
import time

from textapp.errors import InputError

PATIENCE = 30  # seconds, for a machine with much else to do


def write_line(path, value):
    handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(handle, (json.dumps(value) + "\n").encode())
    os.close(handle)


def lines_of(path):
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def forked(function):
    """Runs a function in a copy of this process. Gives the process's number."""
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        function()
        code = 0
    except InputError as error:
        os.write(2, f"{error}\n".encode())
        code = 2
    finally:
        os._exit(code)


def wait_until(is_true):
    until = time.monotonic() + PATIENCE
    while not is_true():
        assert time.monotonic() < until
        time.sleep(0.01)
