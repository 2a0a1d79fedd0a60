"""The application: what the server answers to each address."""

import asyncio
import base64
import functools
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Annotated, Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import JSONResponse

from textapp import __version__
from textapp.data.limits import max_text
from textapp.errors import InputError, excerpt, list_names
from textapp.export.clients.files import core_wasm
from textapp.export.clients.page import single_page
from textapp.files import json_bytes
from textapp.runtime.predictor import PREDICT_OPTIONS, Predictor
from textapp.serve.guard import Guard, error_response
from textapp.serve.limits import Limits
from textapp.serve.metrics import MEDIA_TYPE, Metrics
from textapp.task import task

_PAGE_POLICY = "frame-ancestors 'none'"  # the page has the policy of its scripts inside
_DOCS = Path(__file__).with_name("docs.html")


class PredictBody(BaseModel):
    """The body of a request for predictions."""

    model_config = ConfigDict(extra="forbid", strict=True)

    texts: Annotated[list[str], Field(description="The texts.", examples=[["Not bad at all", "很好"]])]
    confidence: Annotated[bool, Field(description="Also give the probability of each span; for taggers.")] = False
    min_confidence: Annotated[
        float | None,
        Field(
            ge=0,
            le=1,
            allow_inf_nan=False,
            description="Give no label where the most probable one has a probability below this; for classifiers.",
        ),
    ] = None
    explain: Annotated[
        bool, Field(description="Also give what each token contributes; for models that label whole texts.")
    ] = False

    def options(self) -> dict[str, Any]:
        """The options of `Predictor.predict` that are asked for."""
        return {name: value for name in PREDICT_OPTIONS if (value := getattr(self, name)) not in (None, False)}


class Service:
    """The models of a server, and the threads that run them.

    Args:
        models: Name -> predictor of a bundle, at least one.
        limits: The limits.
        threads: Threads that predict at the same time. The core in C runs in all of them.
    """

    def __init__(self, models: Mapping[str, Predictor], limits: Limits, threads: int):
        self.models, self.limits, self.threads = dict(models), limits, threads
        self._pool = ThreadPoolExecutor(threads, "predict")
        self._pages = ThreadPoolExecutor(1, "page")  # a page takes seconds to pack; predictions do not wait for it
        self._begun = 0
        self._longest = max_text()

    def model(self, name: str) -> Predictor:
        """The predictor of a name. Raises `HTTPException` if there is none."""
        if name not in self.models:
            raise HTTPException(404, f"no model {excerpt(name)}; models are: {list_names(list(self.models))}")
        return self.models[name]

    async def predict(self, name: str, body: PredictBody) -> bytes:
        """The answer to a request, as JSON.

        Raises:
            HTTPException: The request is beyond the limits, or its options are none of the model.
        """
        predictor, options = self.model(name), body.options()
        for option in options:
            if option not in predictor.predict_options:
                noun = task(predictor.task).model_noun
                raise HTTPException(422, f"{option}: is no option of a {noun}, {PREDICT_OPTIONS[option]}")
        if len(body.texts) > self.limits.texts:
            raise HTTPException(413, f"texts: more than {self.limits.texts:,}; send them in several requests")
        for number, text in enumerate(body.texts):
            if 4 * len(text) > self._longest and len(text.encode("utf-8", "surrogatepass")) > self._longest:
                raise HTTPException(413, f"texts.{number}: has more than {self._longest:,} bytes")
        if self._begun >= self.threads + self.limits.queue:
            raise HTTPException(503, "too many requests wait; try again in 1 s", {"retry-after": "1"})
        self._begun += 1
        try:
            work = functools.partial(_predict, predictor, body.texts, options)
            return await asyncio.get_running_loop().run_in_executor(self._pool, work)
        except InputError as error:
            raise HTTPException(500, str(error)) from error
        finally:
            self._begun -= 1

    async def page(self, name: str) -> bytes:
        """The browser page of a model. Raises `InputError` if nothing here compiles the core."""
        return await asyncio.get_running_loop().run_in_executor(self._pages, self._page, name)

    def described(self) -> list[dict[str, Any]]:
        """What clients may want to know of each model."""
        return [
            {
                "name": name,
                "task": one.task,
                "result": one.result,
                "options": [option for option in PREDICT_OPTIONS if option in one.predict_options],
                "max_tokens": one.max_tokens,
                "labels": list(task(one.task).listed_targets(one.targets)[1]),
            }
            for name, one in self.models.items()
        ]

    @functools.cache  # noqa: B019 (a server has one service)
    def _page(self, name: str) -> bytes:
        bundle = self.models[name].bundle
        assert bundle is not None  # the server opens bundles alone
        files = {**bundle.files, "bundle.json": json_bytes(bundle.description)}
        return single_page(dict(sorted(files.items())), core_wasm("simd"))


def _predict(predictor: Predictor, texts: Sequence[str], options: Mapping[str, Any]) -> bytes:
    """The predictions of texts as `textapp predict --json` prints them."""
    return json_bytes({"predictions": [one.to_dict() for one in predictor.predict(texts, **options)]})


def create_app(
    models: Mapping[str, Predictor], limits: Limits | None = None, *, threads: int = 1, origins: Sequence[str] = ()
) -> FastAPI:
    """The server of some bundles, as an ASGI application.

    Args:
        models: Name -> predictor of a bundle, at least one.
        limits: The limits; by default those of `Limits`.
        threads: Threads that predict at the same time.
        origins: Origins whose pages may read the answers, such as `https://example.org`; `*` for all.

    Example:
        app = create_app({"reviews": textapp.load("export/bundles/reviews")})
    """
    limits, metrics = limits or Limits(), Metrics()
    service = Service(models, limits, threads)
    app = FastAPI(title="textapp", version=__version__, docs_url=None, redoc_url=None)
    if origins:
        app.add_middleware(
            CORSMiddleware, allow_origins=list(origins), allow_methods=["GET", "POST"], allow_headers=["*"]
        )
    app.add_middleware(Guard, limits=limits, metrics=metrics, is_shared=bool(origins))  # added last, called first
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(RequestValidationError, _body_error)
    app.add_exception_handler(Exception, _defect)
    only = next(iter(models)) if len(models) == 1 else None

    async def predict(name: str, body: PredictBody, request: Request) -> Response:
        service.model(name)
        request.state.model, request.state.texts = name, len(body.texts)
        return Response(await service.predict(name, body), media_type="application/json")

    @app.post("/predict")
    async def predict_by_the_model(body: PredictBody, request: Request) -> Response:
        """Predictions of the only model, as `textapp predict --json` prints them."""
        if only is None:
            raise HTTPException(
                404, f"several models; use /models/NAME/predict with one of: {list_names(list(models))}"
            )
        return await predict(only, body, request)

    @app.post("/models/{name}/predict")
    async def predict_by_a_model(name: str, body: PredictBody, request: Request) -> Response:
        """Predictions of a model, as `textapp predict --json` prints them."""
        return await predict(name, body, request)

    @app.get("/models")
    async def list_models() -> Response:
        """The models with their tasks, labels and options."""
        return Response(json_bytes({"models": service.described()}), media_type="application/json")

    @app.get("/health")
    async def health() -> dict[str, str]:
        """Answers while the server accepts requests."""
        return {"status": "ok"}

    @app.get("/metrics")
    async def show_metrics() -> Response:
        """The metrics in the text format of Prometheus."""
        return Response(metrics.text(), media_type=MEDIA_TYPE)

    @app.get("/docs", include_in_schema=False)
    async def docs() -> Response:
        return HTMLResponse(_docs()[0], headers={"content-security-policy": _docs()[1]})

    @app.get("/", include_in_schema=False)
    async def root() -> Response:
        if only is not None:
            try:
                return _page(await service.page(only))
            except InputError:  # the other page does without WebAssembly
                pass
        return RedirectResponse("docs")

    @app.get("/models/{name}/page", include_in_schema=False)
    async def page(name: str) -> Response:
        service.model(name)
        try:
            return _page(await service.page(name))
        except InputError as error:
            raise HTTPException(404, str(error)) from error

    return app


def _page(content: bytes) -> Response:
    """The browser page."""
    headers = {"content-type": "text/html; charset=utf-16le", "content-security-policy": _PAGE_POLICY}
    return Response(content, headers=headers)


@functools.cache
def _docs() -> tuple[str, str]:
    """The page about the server, and its policy: its own script and style, and this server."""
    html = _DOCS.read_text(encoding="utf-8")
    hashes = {
        tag: base64.b64encode(hashlib.sha256(found.encode()).digest()).decode()
        for tag, found in re.findall(r"(?s)<(script|style)>(.*?)</\1>", html)
    }
    policy = (
        f"default-src 'none'; script-src 'sha256-{hashes['script']}'; style-src 'sha256-{hashes['style']}'; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    return html, policy


async def _http_error(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    return error_response(error.status_code, str(error.detail), error.headers)


async def _defect(_: Request, error: Exception) -> JSONResponse:
    """The server logs the error with its traceback; the client gets its kind alone."""
    return error_response(500, f"a defect of textapp ({type(error).__name__}); the server's log has more")


async def _body_error(request: Request, error: Exception) -> JSONResponse:
    """The first error of a body in one line. A body that is no JSON has status 400, or 415 where it is another type."""
    assert isinstance(error, RequestValidationError)
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if not re.fullmatch(r"application/(.+\+)?json", kind):
        return error_response(415, "the header Content-Type must be application/json, and the body JSON")
    first = error.errors()[0]
    place = ".".join(str(part) for part in first["loc"][1:])
    if first["type"] == "json_invalid":
        return error_response(400, f"the body is not JSON: {first['ctx']['error']} at character {place}")
    if first["type"] == "extra_forbidden":
        fields = ", ".join(PredictBody.model_fields)
        return error_response(422, f"{json.dumps(excerpt(place))}: unknown field; fields are {fields}")
    if not place:
        return error_response(422, 'the body must be a JSON object such as {"texts": ["..."]}')
    more = f"; {len(error.errors()) - 1} more" if len(error.errors()) > 1 else ""
    return error_response(422, f"{place}: {first['msg']}{more}")
