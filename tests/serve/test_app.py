"""The server's answers, by FastAPI's client in this process."""

import asyncio
import json
import re
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

pytest.importorskip("fastapi", reason="the extra serve is not installed")
pytest.importorskip("httpx", reason="FastAPI's client needs httpx")

from fastapi.testclient import TestClient

from textapp.errors import InputError
from textapp.runtime import load
from textapp.serve.app import create_app
from textapp.serve.guard import Guard
from textapp.serve.limits import Limits
from textapp.serve.metrics import Metrics

SAMPLES = Path(__file__).parents[1] / "samples"
TEXTS = ["很 好 film", "", "Ünïcode 🙂 текст", "\ud800"]


@pytest.fixture(scope="module")
def models():
    return {name: load(SAMPLES / name / "bundle") for name in ("classifier", "tagger")}


@pytest.fixture
def client(models):
    """Makes a client of a server with some of the models."""

    def made(*names, **options):
        limits = Limits(**{name: options.pop(name) for name in list(options) if name in Limits.__annotations__})
        chosen = {name: models[name] for name in names or ["classifier"]}
        return TestClient(create_app(chosen, limits, **options), raise_server_exceptions=False)

    return made


def error(answer):
    """The status and the line of an error."""
    assert answer.headers["content-type"] == "application/json"
    assert list(answer.json()) == ["error"]
    line = answer.json()["error"]
    assert "\n" not in line
    return answer.status_code, line


def test_predictions_are_those_of_the_predictor(client, models):
    for name, options in (("classifier", {"explain": True}), ("tagger", {"confidence": True}), ("classifier", {})):
        content = json.dumps({"texts": TEXTS, **options})
        answer = client(name).post("/predict", content=content, headers={"content-type": "application/json"})
        assert answer.status_code == 200
        assert answer.json() == {"predictions": [one.to_dict() for one in models[name].predict(TEXTS, **options)]}


def test_a_label_may_be_withheld(client):
    body = {"texts": ["x"], "min_confidence": 0.999}
    [prediction] = client().post("/predict", json=body).json()["predictions"]
    assert prediction["label"] is None


def test_several_models_have_addresses_of_their_own(client, models):
    both = client("classifier", "tagger")
    for name in ("classifier", "tagger"):
        answer = both.post(f"/models/{name}/predict", json={"texts": ["很 好"]})
        assert answer.json()["predictions"] == [models[name].predict(["很 好"])[0].to_dict()]
    assert [one["name"] for one in both.get("/models").json()["models"]] == ["classifier", "tagger"]
    line = "several models; use /models/NAME/predict with one of: classifier, tagger"
    assert error(both.post("/predict", json={"texts": []})) == (404, line)
    assert error(both.post("/models/无/predict", json={"texts": []})) == (
        404,
        "no model 无; models are: classifier, tagger",
    )


@pytest.mark.parametrize(
    ("body", "status", "line"),
    [
        ("{", 400, "the body is not JSON: "),
        (b"\xff", 400, "There was an error parsing the body"),
        ("[" * 100_000, 400, "There was an error parsing the body"),
        ("[]", 422, 'the body must be a JSON object such as {"texts": ["..."]}'),
        ("", 422, "the body must be a JSON object"),
        ("{}", 422, "texts: "),
        ('{"texts": "a"}', 422, "texts: "),
        ('{"texts": ["a", 1]}', 422, "texts.1: "),
        ('{"texts": [], "язык": 1}', 422, '"\\u044f'),
        ('{"texts": [], "explain": 1}', 422, "explain: "),
        ('{"texts": [], "min_confidence": NaN}', 422, "min_confidence: "),
        ('{"texts": [], "min_confidence": 1.5}', 422, "min_confidence: "),
        ('{"texts": [], "confidence": true}', 422, "confidence: is no option of a classifier, which always gives"),
    ],
)
def test_a_wrong_body_is_one_line(client, body, status, line):
    answer = client().post("/predict", content=body, headers={"content-type": "application/json"})
    found, message = error(answer)
    assert (found, message[: len(line)]) == (status, line)


def test_a_body_of_another_type_is_refused(client):
    answer = client().post("/predict", content='{"texts": []}', headers={"content-type": "text/plain"})
    assert error(answer)[0] == 415
    assert error(client().get("/predict"))[0] == 405
    assert error(client().get("/нет"))[0] == 404


def test_what_is_too_large_is_refused(client, monkeypatch):
    small = client(body=100, texts=2)
    assert small.post("/predict", json={"texts": ["a", "b"]}).status_code == 200
    assert error(small.post("/predict", json={"texts": ["a"] * 3}))[0] == 413
    assert error(small.post("/predict", json={"texts": ["a" * 100]}))[0] == 413
    parts = iter([b'{"texts": ["', b"a" * 100, b'"]}'])  # without Content-Length
    answer = small.post("/predict", content=parts, headers={"content-type": "application/json"})
    assert error(answer)[0] == 413
    monkeypatch.setenv("TEXTAPP_MAX_TEXT", "5")
    assert client().post("/predict", json={"texts": ["好a"]}).status_code == 200
    assert error(client().post("/predict", json={"texts": ["a", "好好"]})) == (413, "texts.1: has more than 5 bytes")


def test_a_client_that_asks_too_often_waits(client):
    slow = client(rate=0.5)
    assert slow.post("/predict", json={"texts": []}).status_code == 200
    refused = slow.post("/predict", json={"texts": []})
    assert error(refused) == (429, "more than 0.5 requests a second; try again in 2 s")
    assert refused.headers["retry-after"] == "2"
    assert slow.get("/health").status_code == 200  # a monitor is not counted


def test_a_full_queue_is_refused(client, monkeypatch):
    """While the only thread is at work, a second request is refused; the first one is answered."""
    begun, end = threading.Event(), threading.Event()

    def wait(*_):
        begun.set()
        assert end.wait(20)
        return b"{}"

    monkeypatch.setattr("textapp.serve.app._predict", wait)
    with client(queue=0, threads=1) as full, ThreadPoolExecutor(1) as pool:
        first = pool.submit(full.post, "/predict", json={"texts": ["a"]})
        assert begun.wait(20)
        refused = full.post("/predict", json={"texts": ["a"]})
        end.set()
        assert first.result().status_code == 200
    assert error(refused)[0] == 503
    assert refused.headers["retry-after"] == "1"


def test_metrics_count_requests_texts_errors_and_time(client):
    one = client()
    one.post("/predict", json={"texts": ["a", "b"]})
    one.post("/predict", json={"texts": ["a"], "confidence": True})
    one.post("/predict", json={"texts": 1})
    answer = one.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    lines = answer.text.splitlines()
    for line in (
        'textapp_requests_total{model="classifier",status="200"} 1',
        'textapp_requests_total{model="classifier",status="422"} 1',
        'textapp_errors_total{model="classifier"} 1',
        'textapp_errors_total{model=""} 1',
        'textapp_texts_total{model="classifier"} 2',
        'textapp_request_seconds_bucket{model="classifier",le="+Inf"} 1',
        'textapp_request_seconds_count{model="classifier"} 1',
        "textapp_requests_in_progress 1",
    ):
        assert line in lines
    form = re.compile(r'(# (HELP|TYPE) \w+ .+|\w+(\{(\w+="[^"]*",?)+\})? [0-9.e-]+)')
    assert all(form.fullmatch(line) for line in lines)


def test_a_defect_is_no_traceback_for_clients(client, monkeypatch):
    def fail(*_, **__):
        raise ZeroDivisionError("secret")

    monkeypatch.setattr("textapp.serve.app._predict", fail)
    assert error(client().post("/predict", json={"texts": ["a"]})) == (
        500,
        "a defect of textapp (ZeroDivisionError); the server's log has more",
    )


def test_answers_have_security_headers_and_no_cors(client):
    headers = client().get("/health", headers={"origin": "https://example.org"}).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert "default-src 'none'" in headers["content-security-policy"]
    assert "access-control-allow-origin" not in headers
    shared = client(origins=["https://example.org"])
    answer = shared.get("/health", headers={"origin": "https://example.org"})
    assert answer.headers["access-control-allow-origin"] == "https://example.org"
    answer = shared.get("/health", headers={"origin": "https://example.com"})
    assert "access-control-allow-origin" not in answer.headers


def test_the_docs_load_nothing_from_the_network(client):
    answer = client().get("/docs")
    assert answer.status_code == 200
    assert not re.findall(r"(?:src|href)\s*=\s*[\"']?(?:https?:)?//", answer.text)
    assert "connect-src 'self'" in answer.headers["content-security-policy"]
    assert client().get("/openapi.json").json()["paths"]["/predict"]["post"]


def test_the_page_is_that_of_the_bundle_or_the_docs(client, models, monkeypatch):
    monkeypatch.setattr("textapp.serve.app.core_wasm", lambda kind: kind.encode())
    monkeypatch.setattr("textapp.serve.app.single_page", lambda files, core: " ".join([*files, core.decode()]).encode())
    answer = client().get("/")
    assert answer.content == b"bundle.json labels.txt model.tflite vocabulary.txt simd"
    assert client("classifier", "tagger").get("/models/tagger/page").content.endswith(b" simd")

    def fail(kind):
        raise InputError("no compiler")

    monkeypatch.setattr("textapp.serve.app.core_wasm", fail)
    answer = client().get("/", follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (307, "docs")
    assert error(client().get("/models/classifier/page")) == (404, "no compiler")


def test_a_body_that_does_not_come_ends_the_request():
    async def receive():
        await asyncio.sleep(60)

    guard = Guard(None, Limits(seconds=0.01), Metrics(), False)
    with pytest.raises(Exception, match="did not come") as raised:
        asyncio.run(guard._limited(receive)())
    assert raised.value.status_code == 408
