"""Stands before the application: limits, security headers and metrics of each request."""

import asyncio
import math
import time
from collections.abc import Mapping
from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from textapp.serve.limits import Limits, RateLimit
from textapp.serve.metrics import Metrics

UNLIMITED = ("/health", "/metrics")  # a monitor must see a server that is busy

_HEADERS = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
}
"""Headers of an answer that does not set its own."""


class Guard:
    """ASGI middleware: refuses what is beyond the limits, before the application reads it.

    Args:
        app: The application.
        limits: The limits.
        metrics: Gets each request. The application names the model and the number of texts in `request.state`.
        is_shared: Whether pages of other origins may read the answers.
    """

    def __init__(self, app: ASGIApp, limits: Limits, metrics: Metrics, is_shared: bool):
        self._app, self._limits, self._metrics = app, limits, metrics
        self._rate = None if limits.rate is None else RateLimit(limits.rate)
        origin = "cross-origin" if is_shared else "same-origin"
        self._headers = {**_HEADERS, "cross-origin-resource-policy": origin}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()
        state: dict[str, Any] = scope.setdefault("state", {})
        status = 500

        async def send_with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                for name, value in self._headers.items():
                    headers.setdefault(name, value)
            await send(message)

        self._metrics.in_progress += 1
        try:
            refusal = self._refusal(scope)
            app = self._app if refusal is None else refusal
            await app(scope, self._limited(receive), send_with_headers)
        finally:
            self._metrics.in_progress -= 1
            self._metrics.count(state.get("model", ""), status, state.get("texts", 0), time.perf_counter() - began)

    def _refusal(self, scope: Scope) -> ASGIApp | None:
        """The answer to a request that is refused by its head alone."""
        if self._rate is not None and scope["path"] not in UNLIMITED:
            client = scope["client"][0] if scope.get("client") else ""
            if wait := self._rate.wait(client):
                seconds = max(1, math.ceil(wait))
                line = f"more than {self._limits.rate:g} requests a second; try again in {seconds} s"
                return error_response(429, line, {"retry-after": str(seconds)})
        length = Headers(scope=scope).get("content-length", "")
        if length.isascii() and length.isdigit() and int(length[:19]) > self._limits.body:
            return error_response(413, self._too_large(), {"connection": "close"})
        return None

    def _limited(self, receive: Receive) -> Receive:
        """Reads a body whose length the head may not tell."""
        read = 0
        is_whole = False

        async def limited() -> Message:
            nonlocal read, is_whole
            if is_whole:  # what comes is the end of the connection, at any time
                return await receive()
            try:
                message = await asyncio.wait_for(receive(), self._limits.seconds)
            except TimeoutError as error:
                line = f"the body did not come within {self._limits.seconds:g} s"
                raise HTTPException(408, line, {"connection": "close"}) from error
            is_whole = not message.get("more_body", False)
            read += len(message.get("body", b""))
            if read > self._limits.body:
                raise HTTPException(413, self._too_large(), {"connection": "close"})
            return message

        return limited

    def _too_large(self) -> str:
        return f"the body has more than {self._limits.body:,} bytes; send fewer texts, or start with --max-body"


def error_response(status: int, line: str, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """An error as each answer has it: `{"error": LINE}`."""
    return JSONResponse({"error": " ".join(line.split())}, status, headers)
