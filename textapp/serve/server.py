"""Listens on a port, and runs the application until a signal comes."""

import contextlib
import errno
import signal
import socket
from collections.abc import Callable, Iterator
from types import FrameType

import uvicorn
from fastapi import FastAPI

from textapp.errors import InputError

_BACKLOG = 1024
_SECONDS = 30  # that requests have to end after a signal


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens.

    Args:
        host: Name or address of this machine.
        port: The port; 0 for any that is free.

    Raises:
        InputError: The port is in use, or the host is none of this machine.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except (OSError, UnicodeError) as error:
        raise InputError(f"--host {host}: no such host: {error}") from error
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # the port of a server that has just ended
        listener.bind(address)
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            raise InputError(f"--port {port}: is in use on {host}; choose another one, or 0 for a free one") from error
        option = f"--port {port}" if error.errno == errno.EACCES else f"--host {host}"
        raise InputError(f"{option}: {error.strerror}") from error
    return listener


def url(listener: socket.socket) -> str:
    """The address of a socket for a browser."""
    host, port = listener.getsockname()[:2]
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


def run(app: FastAPI, listener: socket.socket, ready: Callable[[], None]) -> None:
    """Runs the application until SIGINT, SIGTERM or SIGHUP. Requests that have begun are answered.

    The signal is raised again at the end, for the handler of the caller. A second Ctrl-C ends without answers.

    Args:
        app: The application.
        listener: The socket.
        ready: Called once requests are answered.
    """
    config = uvicorn.Config(
        app,
        log_config=None,
        log_level="warning",
        access_log=False,
        proxy_headers=False,  # the limit of requests is by the address that connects
        server_header=False,
        ws="none",
        timeout_graceful_shutdown=_SECONDS,
    )
    server = _Server(config, ready)
    server.run(sockets=[listener])
    if server.signals:
        signal.raise_signal(server.signals[0])


class _Server(uvicorn.Server):
    """A server that leaves the handlers of signals as it finds them."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]):
        super().__init__(config)
        self._ready = ready
        self.signals: list[int] = []

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._ready()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Handles signals. Nobody is woken by them, because who waits for a second one would end the process."""
        wakeup = signal.set_wakeup_fd(-1)
        numbers = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
        handlers = {one: signal.getsignal(one) for one in numbers if signal.getsignal(one) is not signal.SIG_IGN}
        try:
            for number in handlers:
                signal.signal(number, self.handle_exit)
            yield
        finally:
            for number, handler in handlers.items():
                signal.signal(number, handler)
            signal.set_wakeup_fd(wakeup)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Ends the server."""
        del frame
        self.signals.append(sig)
        self.force_exit = self.should_exit and sig == signal.SIGINT
        self.should_exit = True
