"""The desk from its start to its end: the server in threads, the day's work in the main one."""

from __future__ import annotations

import _thread
import contextlib
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from starlette.requests import Request

from edge_infer.desk.app import Desk, make_app
from edge_infer.desk.feed import Feed
from edge_infer.desk.html import Surroundings
from edge_infer.desk.live_day import LiveReader
from edge_infer.desk.server import LOOPBACK, DeskServer, Entrance, open_socket
from edge_infer.errors import DayInUse
from edge_infer.films.view import load_readers, read_view
from edge_infer.flow.keep_day import DaySettings
from edge_infer.flow.open_list import OpenedList, keep_list, read_beside
from edge_infer.flow.watch import Clock, Watch
from edge_infer.pc.native_code import return_large_blocks
from edge_infer.store.day_folders import name_day
from edge_infer.store.day_store import STORE_NAME
from edge_infer.words.catalogue import words_of
from edge_infer.workers.pool import Crew, StandingWorker, start_workers
from edge_infer.worklist.lists import JSON_NAME


@dataclass(frozen=True, kw_only=True)
class Front:
    """How the desk meets people."""

    entrance: Entrance | None
    port: int | None
    welcome: Callable[[str, str], None]
    """Called with the page's address, and the one without the token, once the desk answers."""
    warn: Callable[[str], None]


def watch_at_desk(
    watched: Path,
    folder: Path,
    settings: DaySettings,
    front: Front,
    *,
    is_dated: bool,
    crew: Crew,
) -> None:
    """Watch a folder and show its day until KeyboardInterrupt.

    Where another run keeps that day already, only show it. Raises ReportError and ModelError.
    """
    around = Surroundings(words=words_of(settings.lang), watched=str(watched))
    todays = _Today(folder, is_dated=is_dated)
    with _open_desk(settings, around, front, todays, is_whole=False) as feed:
        watch = Watch(
            [watched],
            folder,
            settings,
            is_dated=is_dated,
            say=lambda _: None,
            warn=front.warn,
            tell_trouble=feed.tell_trouble,
            tell_found=feed.tell_found,
            clock=Clock(),
            crew=crew,
            start_crew=start_workers,
        )
        try:
            watch.run()
        except DayInUse as error:
            front.warn(str(error))
            _wait(feed, todays)


def show_list(opened: OpenedList, front: Front) -> None:
    """Show a kept list until KeyboardInterrupt, and write it with what is said of it."""
    settings = opened.settings
    around = Surroundings(words=words_of(settings.lang), watched=None)
    with _open_desk(settings, around, front, lambda: opened.folder, is_whole=True) as feed:
        feed.tell_found(opened.found)
        try:
            keep_list(opened, tell_trouble=feed.tell_trouble)
        except DayInUse:
            _wait(feed, lambda: opened.folder)


class _Today:
    """Where today's store lies: yesterday's is shown until today has a film."""

    def __init__(self, folder: Path, *, is_dated: bool) -> None:
        self._folder, self._is_dated = folder, is_dated

    def __call__(self) -> Path:
        if self._is_dated:
            todays = self._folder.with_name(name_day(date.today()))
            if (todays / STORE_NAME).is_file():
                self._folder = todays
        return self._folder


@contextmanager
def _open_desk(
    settings: DaySettings,
    around: Surroundings,
    front: Front,
    folder: Callable[[], Path],
    *,
    is_whole: bool,
) -> Generator[Feed, None, None]:
    return_large_blocks()  # a film that was sent on is 10 MB
    with (
        closing(open_socket(front.entrance, front.port)) as listening,
        closing(
            StandingWorker(read_view, set_up=load_readers, timeout_s=settings.file_timeout_s)
        ) as worker,
        closing(Feed(LiveReader(settings), around, folder=folder, is_whole=is_whole)) as feed,
    ):
        here = {LOOPBACK, listening.getsockname()[0]}

        def is_here(request: Request) -> bool:
            return request.client is not None and request.client.host in here

        desk = Desk(
            feed=feed,
            read_view=worker.apply,
            get_ready=worker.begin,
            end=_thread.interrupt_main,
            is_here=is_here,
        )
        with closing(DeskServer(make_app(desk), listening, front.entrance)) as server:
            server.start()
            front.welcome(server.url, server.root)
            with closing(feed):  # first: whoever waits for news would keep the server
                yield feed


def _wait(feed: Feed, folder: Callable[[], Path]) -> None:
    """Wait for KeyboardInterrupt; the list of who keeps the day tells what lies beside films."""
    known: tuple[Path, int] | None = None
    with contextlib.suppress(KeyboardInterrupt):
        while True:
            place = folder() / JSON_NAME
            with contextlib.suppress(OSError):
                state = place, place.stat().st_mtime_ns
                if state != known:
                    feed.tell_found(read_beside(place.parent))
                known = state
            time.sleep(0.5)


def find_list(folder: Path) -> Path | None:
    """Return the newest kept list in `folder`, by its date, or None."""
    lists: Sequence[Path] = sorted(
        path for path in folder.glob("cxr-????-??-??") if (path / STORE_NAME).is_file()
    )
    return lists[-1] if lists else None
