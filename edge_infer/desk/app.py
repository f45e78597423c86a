"""The desk's addresses: the page, its news, films, and what is said of them.

Behind the guard; a path never comes from outside, only a row's number.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any, Final

import numpy as np
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from edge_infer.desk.feed import Feed, Shown
from edge_infer.desk.html import Surroundings, describe_film, hides_picture, render_desk
from edge_infer.desk.live_day import LiveFilm, LiveStudy
from edge_infer.desk.show_in_folder import show_in_folder
from edge_infer.errors import ImageError, ReportError
from edge_infer.films.view import ReadView, ViewRequest
from edge_infer.flow.pass_gate import as_in_file
from edge_infer.model.heatmap import enlarge_heat, heat_class, spread_heat
from edge_infer.model.model_card import REFERRAL
from edge_infer.page.html import read_style, read_tables_script
from edge_infer.pc.long_paths import reachable
from edge_infer.words.sentences import translate
from edge_infer.worklist.marks import MarkKind, clean_value
from edge_infer.worklist.rows import Decision

_QUIET_S = 15.0
"""After which the stream says that it lives: else nobody would notice a page that is gone."""
_LONGEST_BODY = 4096
_HEAT_TIMES = 16
_FILES: Final = {
    "desk.css": "text/css; charset=utf-8",
    "desk.js": "text/javascript; charset=utf-8",
    "rows.js": "text/javascript; charset=utf-8",
    "viewer.js": "text/javascript; charset=utf-8",
}


@dataclass(frozen=True, kw_only=True)
class Desk:
    """What the addresses work with."""

    feed: Feed
    read_view: Callable[[ViewRequest], ReadView]
    get_ready: Callable[[], None]
    """Called when somebody may soon open a film."""
    end: Callable[[], None]
    is_here: Callable[[Request], bool]
    """Whether a request comes from this PC."""
    show: Callable[[Path], bool] = show_in_folder


def make_app(desk: Desk) -> Starlette:
    """Return the application that the guard protects."""
    answers = _Answers(desk)
    routes = [
        Route("/", answers.page),
        Route("/report.css", answers.style),
        Route("/tables.js", answers.tables),
        *(Route(f"/{name}", answers.file) for name in _FILES),
        Route("/news", answers.news),
        Route("/ready", answers.ready),
        Route("/thumbnail/{number:int}", answers.thumbnail),
        Route("/about/{number:int}", answers.about),
        Route("/film/{number:int}", answers.film),
        Route("/heat/{number:int}", answers.heat),
        Route("/mark", answers.mark, methods=["POST"]),
        Route("/undo", answers.undo, methods=["POST"]),
        Route("/folder", answers.folder, methods=["POST"]),
        Route("/end", answers.end, methods=["POST"]),
    ]
    return Starlette(routes=routes)


@dataclass(frozen=True, kw_only=True)
class _Ahead:
    """The film that was read last at half its size."""

    path: Path
    state: tuple[int, int] | None
    """Size and time of change before it was read."""
    read: ReadView


class _Answers:
    def __init__(self, desk: Desk) -> None:
        self._desk, self._feed = desk, desk.feed
        self._turn = asyncio.Lock()
        """One film at a time is read: there is one reader, and each film is 10 MB."""
        self._ahead: _Ahead | None = None

    async def page(self, request: Request) -> Response:
        shown, around = self._feed.shown, self._feed.around
        around = around if self._desk.is_here(request) else _from_afar(around)
        version, lines = shown.version, shown.lines
        return _html(
            await run_in_threadpool(render_desk, shown.live, around, version=version, lines=lines)
        )

    async def style(self, _: Request) -> Response:
        return Response(read_style(), media_type="text/css; charset=utf-8")

    async def tables(self, _: Request) -> Response:
        return Response(read_tables_script(), media_type=_FILES["rows.js"])

    async def file(self, request: Request) -> Response:
        name = request.url.path.rpartition("/")[2]
        return Response(_read(name), media_type=_FILES[name])

    async def ready(self, request: Request) -> Response:
        """Have the reader there, and a film that may soon be opened read already."""
        await run_in_threadpool(self._desk.get_ready)
        number = request.query_params.get("film", "")
        found = self._find(int(number)) if number.isdecimal() and len(number) < 10 else None
        if found is not None and not self._turn.locked():
            with contextlib.suppress(ImageError):  # said when it is opened
                await self._read_quickly(found[2])
        return _nothing(204)

    async def news(self, request: Request) -> Response:
        heard = request.headers.get("last-event-id")
        last = heard or request.query_params.get("since", "0")
        version = int(last) if last.isdecimal() and len(last) < 10 else 0
        has_few = heard is None and "rest" in request.query_params
        return StreamingResponse(
            self._stream(version, has_few=has_few), media_type="text/event-stream"
        )

    async def _stream(self, version: int, *, has_few: bool) -> AsyncIterator[str]:
        """Yield the news; first, to a page that came with a few rows, the other ones."""
        yield ": here\n\n"
        if has_few:
            shown = self._feed.shown
            yield _piece(shown, {**shown.since(version), "rest": shown.rest(version)})
            version = shown.version
        while not self._feed.has_ended:
            newer = await self._feed.wait_beyond(version, patience_s=_QUIET_S)
            if newer is None or newer.version <= version:
                yield ": here\n\n"
                continue
            yield _piece(newer, newer.since(version))
            version = newer.version

    async def thumbnail(self, request: Request) -> Response:
        found = self._find(request.path_params["number"])
        if found is None or hides_picture(found[2], found[0].live):
            return _nothing()
        shown, _, film = found
        jpeg = await run_in_threadpool(
            shown.view.thumbnail, film.file.sha256 or "", self._feed.reader.mode
        )
        return Response(jpeg, media_type="image/jpeg") if jpeg else _nothing()

    async def about(self, request: Request) -> Response:
        found = self._find(request.path_params["number"])
        if found is None:
            return _nothing()
        shown, study, film = found
        around = self._feed.around
        around = around if self._desk.is_here(request) else _from_afar(around)
        return JSONResponse(describe_film(study, film, shown.live, around))

    async def film(self, request: Request) -> Response:
        """Send the pixels as they lie in memory; what they are stands in a header."""
        found = self._find(request.path_params["number"])
        if found is None:
            return _nothing()
        film = found[2]
        try:
            if "quick" in request.query_params:
                read = await self._read_quickly(film, request)
            else:
                read = await self._read(ViewRequest(path=film.file.found.path), request)
        except ImageError as error:
            why = self._feed.around.words.page.reasons.get(error.code)
            reason = translate(str(error), self._feed.reader.settings.lang) or str(error)
            says = {"reason": reason, "why": why.why if why else ""}
            return JSONResponse(says, status_code=422)
        if read is None:
            return _nothing(499)
        return _pixels(read, is_changed=read.sha256 != film.file.sha256)

    async def _read(self, wanted: ViewRequest, request: Request | None) -> ReadView | None:
        """Return a film; None where who asked looks at another one by now."""
        async with self._turn:
            if request is not None and await request.is_disconnected():
                return None
            return await run_in_threadpool(self._desk.read_view, wanted)

    async def _read_quickly(
        self, film: LiveFilm, request: Request | None = None
    ) -> ReadView | None:
        """Return a film at half its size, and keep it for whoever opens it next."""
        path = film.file.found.path
        async with self._turn:
            state = await run_in_threadpool(_state, path)
            ahead = self._ahead
            if (
                ahead is not None
                and state is not None
                and (ahead.path, ahead.state)
                == (
                    path,
                    state,
                )
            ):
                return ahead.read
            if request is not None and await request.is_disconnected():
                return None
            wanted = ViewRequest(path=path, is_quick=True)
            read = await run_in_threadpool(self._desk.read_view, wanted)
            self._ahead = _Ahead(path=path, state=state, read=read)
            return read

    async def heat(self, request: Request) -> Response:
        """Send where the score comes from as [h, w] strengths, 0..255."""
        found = self._find(request.path_params["number"])
        if found is None or (finding := found[2].row.finding) is None:
            return _nothing()
        shown, _, film = found
        cam = await run_in_threadpool(
            shown.view.map, film.file.sha256 or "", self._feed.reader.mode
        )
        is_referred = film.row.decision is Decision.REFER_TB
        name = heat_class(finding, is_referred=is_referred, referral=shown.live.day.card.referral)
        strength = np.zeros((1, 1), np.uint8)
        if cam is not None:
            strength = enlarge_heat(spread_heat(cam, name), _HEAT_TIMES)
            strength = as_in_file(strength, film.row.reason)
        page = self._feed.around.words.page
        shown_name = page.small_score if name == REFERRAL else page.classes[name]
        described = {
            "rows": strength.shape[0],
            "columns": strength.shape[1],
            "isEmpty": not strength.any(),
            "says": f"{page.heat_caption.format(name=shown_name)} {page.heat_scale}",
        }
        return _binary(strength.tobytes(), described)

    async def mark(self, request: Request) -> Response:
        said = await _read_body(request)
        found = self._find(said.get("film"))
        try:
            kind = MarkKind(str(said.get("kind")))
            value = clean_value(kind, str(said.get("value", "")))
        except ValueError:
            return _nothing(400)
        if found is None or not found[1].contents:
            return _nothing()
        shown, study, _ = found
        now = datetime.now().astimezone()
        return await self._keep(lambda: shown.view.add_mark(study.contents, kind, value, now=now))

    async def undo(self, request: Request) -> Response:
        step = (await _read_body(request)).get("step")
        if not _is_number(step):
            return _nothing(400)
        view, now, number = self._feed.shown.view, datetime.now().astimezone(), int(step or 0)
        return await self._keep(lambda: view.undo(number, now=now))

    async def folder(self, request: Request) -> Response:
        found = self._find((await _read_body(request)).get("film"))
        if found is None or not self._desk.is_here(request):
            return _nothing()
        is_shown = await run_in_threadpool(self._desk.show, found[2].file.found.path)
        return JSONResponse({}, status_code=200 if is_shown else 500)

    async def end(self, request: Request) -> Response:
        await _read_body(request)
        if not self._desk.is_here(request):
            return _nothing()
        self._desk.end()
        return JSONResponse({})

    async def _keep(self, write: Callable[[], int | None]) -> Response:
        """Answer once the disk has it: with the step's number, by which it can be undone."""
        try:
            step = await run_in_threadpool(write)
        except ReportError as error:
            return JSONResponse({"reason": str(error)}, status_code=503)
        self._feed.poke()
        return JSONResponse({"step": step}) if step is not None else _nothing(409)

    def _find(self, number: Any) -> tuple[Shown, LiveStudy, LiveFilm] | None:
        shown = self._feed.shown
        found = shown.live.find(number) if _is_number(number) else None
        return None if found is None else (shown, *found)


def _piece(shown: Shown, said: dict[str, Any]) -> str:
    return f"id: {shown.version}\ndata: {json.dumps(said, ensure_ascii=True)}\n\n"


def _state(path: Path) -> tuple[int, int] | None:
    try:
        status = reachable(path).stat()
    except OSError:
        return None
    return status.st_size, status.st_mtime_ns


def _is_number(value: Any) -> bool:
    return type(value) is int and 0 < value < 2**53


async def _read_body(request: Request) -> dict[str, Any]:
    """Return a small JSON object; empty where it is none."""
    body = b""
    try:
        async for piece in request.stream():
            body += piece
            if len(body) > _LONGEST_BODY:
                return {}
        said = json.loads(body)
    except (ValueError, RecursionError, ClientDisconnect):
        return {}
    return said if isinstance(said, dict) else {}


def _pixels(read: ReadView, *, is_changed: bool) -> Response:
    view = read.view
    bits = 8 * view.pixels.dtype.itemsize
    little = view.pixels.astype(f"<u{bits // 8}", copy=False)
    described = {
        "rows": view.pixels.shape[0],
        "columns": view.pixels.shape[1],
        "bits": bits,
        "low": view.low,
        "high": view.high,
        "aspect": view.pixel_aspect,
        "scale": view.scale,
        "full": view.full_shape,
        "isChanged": is_changed,
    }
    return _binary(np.ascontiguousarray(little).data.cast("B"), described)


def _binary(content: bytes | memoryview, described: dict[str, Any]) -> Response:
    # ASCII, whatever the language: a header has no other letters.
    headers = {"X-Described": json.dumps(described, ensure_ascii=True)}
    return Response(content, media_type="application/octet-stream", headers=headers)


def _html(text: str) -> Response:
    # A lone surrogate, out of a header that lies about its character set, is no UTF-8.
    return Response(text.encode("utf-8", "backslashreplace"), media_type="text/html; charset=utf-8")


def _nothing(status: int = 404) -> Response:
    return PlainTextResponse("", status_code=status)


def _from_afar(around: Surroundings) -> Surroundings:
    return replace(around, can_end=False)


@cache
def _read(name: str) -> bytes:
    return Path(__file__).with_name(name).read_bytes()
