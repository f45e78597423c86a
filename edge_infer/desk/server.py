"""The desk's server: a socket on this PC, and a thread that answers."""

from __future__ import annotations

import contextlib
import logging
import secrets
import socket
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import uvicorn

from edge_infer.desk.guard import App, Door, Guard
from edge_infer.errors import ReportError

LOOPBACK: Final = "127.0.0.1"
PORT: Final = 48720
"""Tried first, always the same: the browser remembers what this address may (notifications)."""
_START_S = 20.0
_MOST_AT_ONCE = 100
_KEEP_ALIVE_S = 30


@dataclass(frozen=True, kw_only=True)
class Entrance:
    """Where the desk can be reached from a second PC."""

    address: str
    """Of this PC."""
    password: str = field(repr=False)
    certificate: Path
    key: Path


def open_socket(entrance: Entrance | None, port: int | None) -> socket.socket:
    """Listen on loopback, or on the entrance's address; ReportError where that is impossible.

    Without a port the usual one, or any that is free.
    """
    address = entrance.address if entrance is not None else LOOPBACK
    for wanted in (port,) if port is not None else (PORT, 0):
        try:
            return _listen(address, wanted)
        except OSError as error:
            failure = error
    raise ReportError(
        f"The desk cannot listen on {address}:{port if port is not None else PORT} "
        f"({failure.strerror or failure}): name this PC's own address and a free port."
    )


def _listen(address: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    one = socket.socket(family, socket.SOCK_STREAM)
    try:
        if sys.platform == "win32":
            # There, reusing an address would let another program take the port from us.
            one.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
        else:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        one.bind((address, port))
        one.listen(128)
    except BaseException:
        one.close()
        raise
    return one


class DeskServer:
    """Answers in a thread of its own, from `start` to `close`."""

    def __init__(self, app: App, listening: socket.socket, entrance: Entrance | None) -> None:
        self._socket = listening
        address, port = listening.getsockname()[:2]
        scheme = "https" if entrance is not None else "http"
        self._door = Door(
            hosts=frozenset(_names(address, port, is_remote=entrance is not None)),
            scheme=scheme,
            token=secrets.token_urlsafe(32),
            password=entrance.password if entrance is not None else None,
        )
        shown = f"[{address}]" if ":" in address else address
        self.root = f"{scheme}://{shown}:{port}/"
        self.url = f"{self.root}{self._door.token}/"
        # Its access log would hold the token, and its own words are not for a nurse.
        logging.getLogger("uvicorn").setLevel(logging.ERROR)
        self._server = uvicorn.Server(
            uvicorn.Config(
                Guard(app, self._door),
                http="h11",
                ws="none",
                loop="asyncio",
                lifespan="off",
                interface="asgi3",
                log_config=None,
                access_log=False,
                proxy_headers=False,
                server_header=False,
                date_header=False,
                limit_concurrency=_MOST_AT_ONCE,
                timeout_keep_alive=_KEEP_ALIVE_S,
                timeout_graceful_shutdown=1,
                ssl_certfile=entrance.certificate if entrance is not None else None,
                ssl_keyfile=entrance.key if entrance is not None else None,
            )
        )
        self._thread = threading.Thread(target=self._run, name="desk-server", daemon=True)

    def start(self) -> None:
        """Return once it answers; ReportError where it does not begin (a wrong key file)."""
        self._thread.start()
        until = time.monotonic() + _START_S
        while not self._server.started and self._thread.is_alive() and time.monotonic() < until:
            time.sleep(0.01)
        if not self._server.started:
            raise ReportError("The desk cannot start its server; check the TLS files.")

    def close(self) -> None:
        self._server.should_exit = True
        if self._thread.ident is not None:
            self._thread.join(5.0)

    def _run(self) -> None:
        with contextlib.suppress(SystemExit):  # uvicorn's way to say that it did not begin
            self._server.run(sockets=[self._socket])


def _names(address: str, port: int, *, is_remote: bool) -> list[str]:
    """Return how a browser may name the desk; any other name is another site's trick."""
    shown = f"[{address}]" if ":" in address else address
    names = [shown, *([socket.gethostname().lower()] if is_remote else ["localhost"])]
    return [f"{name}:{port}" for name in names]
