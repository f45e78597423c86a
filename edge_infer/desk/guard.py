"""Who may ask the desk anything: checked before any of it runs.

The desk listens on this PC alone, but every program and every web page open on the PC can reach
that. So a request must name the desk as it is (Host: no other site's name may point here), come
from the desk's own page (Origin), carry the token of this start in its address, and, from a second
PC, the password. Whatever lacks one of these gets the same few words.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hmac
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

Scope: TypeAlias = MutableMapping[str, Any]
Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
App: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]

_POLICY = (
    # The bars of the scores state their length as a property of their own, `style="--score: 12"`.
    "default-src 'none'; script-src 'self'; style-src 'self'; style-src-attr 'unsafe-inline'; "
    "img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
HEADERS: Final = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": _POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
"""Of every answer. `no-store`: the browser keeps nothing on the disk."""
_WRONG_PASSWORD_S = 1.0
"""One wrong password a second, whoever asks."""
_NOT_HERE = b"There is nothing here. Open the address that cxr-desk has printed.\n"


@dataclass(frozen=True, kw_only=True)
class Door:
    """What a request must bring."""

    hosts: frozenset[str]
    """Values of the Host header, with the port."""
    scheme: str
    token: str = field(repr=False)
    password: str | None = field(default=None, repr=False)
    """Asked for where a second PC may connect."""

    @property
    def origins(self) -> frozenset[str]:
        return frozenset(f"{self.scheme}://{host}" for host in self.hosts)


class Guard:
    """The desk's application behind its door."""

    def __init__(self, app: App, door: Door) -> None:
        self._app, self._door = app, door
        self._turn = asyncio.Lock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return

        async def send_safely(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), *_encoded(HEADERS.items())]
            await send(message)

        headers = _read_headers(scope)
        status = _refuse(scope, headers, self._door)
        if status is not None:
            await _answer(send_safely, status)
        elif self._door.password is not None and not await self._knows_password(headers):
            challenge = {"WWW-Authenticate": 'Basic realm="cxr-desk", charset="UTF-8"'}
            await _answer(send_safely, 401, challenge)
        elif (path := self._inner_path(scope["path"])) is not None:
            await self._app(
                {**scope, "path": path, "raw_path": path.encode()}, receive, send_safely
            )
        elif self._door.password is not None and scope["path"] == "/":
            # Who has the password need not type the token on the second PC.
            await _answer(send_safely, 303, {"Location": f"/{self._door.token}/"})
        else:
            await _answer(send_safely, 404)

    def _inner_path(self, path: str) -> str | None:
        """Return what follows the token, or None where it is not ours."""
        token, slash, rest = path.removeprefix("/").partition("/")
        is_ours = hmac.compare_digest(
            token.encode("utf-8", "surrogateescape"), self._door.token.encode()
        )
        return f"/{rest}" if is_ours and slash else None

    async def _knows_password(self, headers: dict[str, str]) -> bool:
        assert self._door.password is not None
        if "authorization" not in headers:
            return False
        given = _read_password(headers["authorization"])
        if hmac.compare_digest(given, self._door.password.encode()):
            return True
        async with self._turn:
            await asyncio.sleep(_WRONG_PASSWORD_S)
        return False


def _refuse(scope: Scope, headers: dict[str, str], door: Door) -> int | None:
    """Return the status of a request that is not from the desk's own page, else None."""
    if headers.get("host", "").lower() not in door.hosts:
        return 421
    if "origin" in headers and headers["origin"].lower() not in door.origins:
        return 403
    if headers.get("sec-fetch-site", "none") not in ("none", "same-origin"):
        return 403
    if scope["method"] in ("GET", "HEAD"):
        return None
    is_json = headers.get("content-type", "").partition(";")[0].strip() == "application/json"
    return None if scope["method"] == "POST" and "origin" in headers and is_json else 403


def _read_headers(scope: Scope) -> dict[str, str]:
    """Return the headers; one that comes twice has both values, and so none that is allowed."""
    headers: dict[str, str] = {}
    for name, value in scope["headers"]:
        key, text = name.decode("latin-1").lower(), value.decode("latin-1")
        headers[key] = f"{headers[key]}, {text}" if key in headers else text
    return headers


def _read_password(authorization: str) -> bytes:
    kind, _, encoded = authorization.partition(" ")
    if kind.lower() != "basic":
        return b""
    try:
        return base64.b64decode(encoded, validate=True).partition(b":")[2]
    except (binascii.Error, ValueError):
        return b""


async def _answer(send: Send, status: int, headers: dict[str, str] | None = None) -> None:
    plain = {"Content-Type": "text/plain; charset=utf-8", "Content-Length": str(len(_NOT_HERE))}
    all_headers = _encoded([*plain.items(), *(headers or {}).items()])
    await send({"type": "http.response.start", "status": status, "headers": all_headers})
    await send({"type": "http.response.body", "body": _NOT_HERE})


def _encoded(headers: Iterable[tuple[str, str]]) -> list[tuple[bytes, bytes]]:
    return [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers]
