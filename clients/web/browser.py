"""Drives Chromium through chromedriver's own protocol, W3C WebDriver over HTTP, without any package."""

import base64
import contextlib
import functools
import http.client
import http.server
import json
import shutil
import socket
import subprocess
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

_ARGUMENTS = (
    "--headless",
    "--no-sandbox",  # Chromium does not start as root with it
    "--disable-dev-shm-usage",  # in containers it is too small for a page
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--lang=en-US",
)
_ELEMENT = "element-6066-11e4-a52e-4f735466cecf"  # of the W3C's protocol
# Seconds. They are long: a test that waits for a busy machine does not fail.
_STARTED = 120.0
_SCRIPT = 280.0
_ANSWERED = 300.0
_STARTS = 3
"""How often Chromium is started: a busy machine, or a port that another program took, may make it fail once."""


class BrowserError(RuntimeError):
    """The browser refused a command, does not start, or is gone."""


class Browser:
    """A session of Chromium.

    Args:
        address: Of the session, at chromedriver.
    """

    def __init__(self, address: str):
        self.address = address
        self._gone = ""  # why no later command can be answered

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """Sends a command of the protocol.

        Raises:
            BrowserError: The command fails; the message is the browser's. Or the browser gives no answer: then all
                later commands fail at once.
        """
        if self._gone:
            raise BrowserError(self._gone)
        try:
            return _answer(method, self.address + path, body)
        except urllib.error.HTTPError as error:
            raise BrowserError(json.load(error)["value"]["message"]) from error
        except (OSError, http.client.HTTPException) as error:
            self._gone = f"the browser gives no answer to {method} {path}: {error!r}"
            raise BrowserError(self._gone) from error

    def go(self, url: str) -> None:
        """Opens a page."""
        self.call("POST", "/url", {"url": url})

    def run(self, script: str, *arguments: Any) -> Any:
        """The result of the body of a function."""
        return self.call("POST", "/execute/sync", {"script": script, "args": arguments})

    def run_later(self, script: str, *arguments: Any) -> Any:
        """The result of the body of an asynchronous function, whose arguments are `given`."""
        script = (
            "const given = [...arguments], done = given.pop();\n"
            f"(async () => {{\n{script}\n}})()"
            ".then(result => done({result}), error => done({error: String(error)}));"
        )
        found = self.call("POST", "/execute/async", {"script": script, "args": arguments})
        if "error" in found:
            raise BrowserError(found["error"])
        return found["result"]

    def wait(self, script: str, *arguments: Any, seconds: float = 120.0) -> Any:
        """The first true result of the body of a function. Raises `BrowserError` if there is none in time."""
        end = time.monotonic() + seconds
        while not (found := self.run(script, *arguments)):
            if time.monotonic() > end:
                raise BrowserError(f"not true within {seconds:g} s: {script}; the page is {self.run(_BODY)!r:.2000}")
            time.sleep(0.02)
        return found

    def devtools(self, command: str, **parameters: Any) -> Any:
        """The result of a command of Chrome's DevTools."""
        return self.call("POST", "/goog/cdp/execute", {"cmd": command, "params": parameters})

    def choose(self, selector: str, *paths: Path) -> None:
        """Puts files, or a folder, into an input."""
        found = self.call("POST", "/element", {"using": "css selector", "value": selector})
        text = "\n".join(map(str, paths))
        self.call("POST", f"/element/{found[_ELEMENT]}/value", {"text": text})

    def messages(self) -> list[str]:
        """What the console has got since the last call: errors, warnings, and refusals of the page's policy."""
        return [entry["message"] for entry in self.call("POST", "/se/log", {"type": "browser"})]

    def picture(self) -> bytes:
        """A PNG of the window."""
        return base64.b64decode(self.call("GET", "/screenshot"))


_BODY = "return document.body.innerText"


def _answer(method: str, url: str, body: Any) -> Any:
    """What chromedriver answers to a command."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"}, method=method)
    with urllib.request.urlopen(request, timeout=_ANSWERED) as response:
        return json.load(response)["value"]


@contextlib.contextmanager
def browser(chromedriver: str, *arguments: str) -> Iterator[Browser]:
    """Starts Chromium with a profile of its own.

    Args:
        chromedriver: The path of chromedriver.
        arguments: More arguments of Chromium.

    Raises:
        BrowserError: It does not start, also not when it is tried again.
    """
    with contextlib.ExitStack() as stack:
        for number in range(1, _STARTS + 1):
            try:
                started = stack.enter_context(_session(chromedriver, *arguments))
                break
            except BrowserError:
                if number == _STARTS:
                    raise
        yield started


@contextlib.contextmanager
def _session(chromedriver: str, *arguments: str) -> Iterator[Browser]:
    """A chromedriver and a Chromium that end with the context."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    profile = tempfile.mkdtemp()
    process = subprocess.Popen([chromedriver, f"--port={port}", "--log-level=SEVERE"], stdout=subprocess.DEVNULL)
    root = Browser(f"http://127.0.0.1:{port}")
    try:
        _wait_for(root, process)
        options = {"args": [*_ARGUMENTS, f"--user-data-dir={profile}", *arguments]}
        wanted = {"browserName": "chrome", "goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL"}}
        wanted["timeouts"] = {"script": int(1000 * _SCRIPT), "pageLoad": int(1000 * _SCRIPT)}  # milliseconds
        session = root.call("POST", "/session", {"capabilities": {"alwaysMatch": wanted}})
        started = Browser(f"{root.address}/session/{session['sessionId']}")
        try:
            yield started
        finally:
            with contextlib.suppress(BrowserError):  # it is gone already
                started.call("DELETE", "")
    finally:
        process.terminate()
        try:
            process.wait(timeout=_STARTED)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        shutil.rmtree(profile, ignore_errors=True)


@contextlib.contextmanager
def served(folder: Path, headers: Mapping[str, str] | None = None) -> Iterator[str]:
    """The address of a server of a folder, which adds headers to each answer."""

    class Handler(http.server.SimpleHTTPRequestHandler):
        def end_headers(self) -> None:
            for name, value in (headers or {}).items():
                self.send_header(name, value)
            super().end_headers()

        def log_message(self, *arguments: Any) -> None:
            del arguments

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, directory=folder))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _wait_for(root: Browser, process: subprocess.Popen[bytes]) -> None:
    """Waits until chromedriver answers."""
    end = time.monotonic() + _STARTED
    while time.monotonic() < end and process.poll() is None:
        with contextlib.suppress(OSError, http.client.HTTPException):
            if _answer("GET", f"{root.address}/status", None)["ready"]:
                return
        time.sleep(0.05)
    raise BrowserError("chromedriver does not start")
