"""`textapp serve`: the process, its port and its end."""

import json
import signal
import subprocess
import threading
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.cli.commands import COMMAND

pytest.importorskip("fastapi", reason="the extra serve is not installed")
pytest.importorskip("uvicorn", reason="the extra serve is not installed")

BUNDLES = [Path(__file__).parents[1] / "samples" / name / "bundle" for name in ("classifier", "tagger")]


def post(url, body):
    """The answer of a server."""
    request = urllib.request.Request(url, json.dumps(body).encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)


@pytest.fixture
def server():
    command = [*COMMAND, "serve", str(BUNDLES[0]), f"tags={BUNDLES[1]}", "--port", "0", "--json"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    watchdog = threading.Timer(120, process.kill)
    watchdog.start()
    yield process
    watchdog.cancel()
    process.kill()
    process.wait()
    process.stdout.close()
    process.stderr.close()


@pytest.mark.parametrize(("stop", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_server_answers_what_has_begun_and_ends_at_a_signal(server, stop, code):
    ready = json.loads(server.stdout.readline())
    assert ready["models"] == ["bundle", "tags"]
    assert "label" in post(f"{ready['url']}/models/bundle/predict", {"texts": ["很 好 film"]})["predictions"][0]
    texts = ["很 好 film " * 200] * 256  # some hundredths of a second
    with ThreadPoolExecutor(1) as pool:
        pending = pool.submit(post, f"{ready['url']}/models/bundle/predict", {"texts": texts, "explain": True})
        while "textapp_requests_in_progress 2" not in metrics(ready["url"]) and not pending.done():
            pass
        server.send_signal(stop)
        assert len(pending.result()["predictions"]) == 256
    assert server.wait(60) == code
    lines = server.stderr.read().decode().splitlines()
    assert lines == [f"serving bundle, tags at {ready['url']}; Ctrl-C ends"]


def metrics(url):
    with urllib.request.urlopen(f"{url}/metrics", timeout=60) as answer:
        return answer.read().decode()


def test_a_port_in_use_is_one_line(textapp):
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        refusal = textapp("serve", BUNDLES[0], "--port", port).refusal
    assert refusal == f"--port {port}: is in use on 127.0.0.1; choose another one, or 0 for a free one"


def test_what_is_no_bundle_is_refused(textapp, tmp_path):
    assert textapp("serve", tmp_path / "нет").refusal == f"{tmp_path / 'нет'}: no such folder"
    assert textapp("serve", tmp_path).refusal == f"{tmp_path}: no bundle (there is no bundle.json in it)"
    run = BUNDLES[0].with_name("run")
    assert (
        textapp("serve", run).refusal
        == f"{run}: is a run, and the server takes bundles: textapp export RUN --out BUNDLE"
    )
    assert textapp("serve", *BUNDLES).refusal == (
        f"{BUNDLES[1]}: another model is called bundle too; name it: NAME={BUNDLES[1]}"
    )
    assert textapp("serve", BUNDLES[0], "--rate", "0").refusal.startswith("--rate 0: must be a positive number")
