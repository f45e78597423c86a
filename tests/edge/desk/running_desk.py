"""A desk that runs in this process, over a day made by hand, and a browser's way to ask it."""

from __future__ import annotations

import http.client
import json
from collections.abc import Generator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

pytest.importorskip("uvicorn", reason='the extra "desk" is not installed')
pytest.importorskip("starlette", reason='the extra "desk" is not installed')

from edge_infer.desk.app import Desk, make_app
from edge_infer.desk.feed import Feed
from edge_infer.desk.html import Surroundings
from edge_infer.desk.live_day import LiveReader
from edge_infer.desk.server import DeskServer, open_socket
from edge_infer.films.find import find_films
from edge_infer.films.view import ReadView, ViewRequest, read_view
from edge_infer.flow.keep_day import DaySettings, KeptDay
from edge_infer.words.catalogue import words_of
from edge_infer.worklist.lists import JSON_NAME


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode("utf-8")

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class RunningDesk:
    url: str
    folder: Path
    films: Path
    settings: DaySettings
    feed: Feed
    shown: list[Path] = field(default_factory=list)
    """What was shown in the file manager."""
    ended: list[bool] = field(default_factory=list)

    def read(self, request: ViewRequest) -> ReadView:
        return read_view(request)

    def show(self, path: Path) -> bool:
        self.shown.append(path)
        return True

    @property
    def origin(self) -> str:
        return "http://" + urlsplit(self.url).netloc

    def ask(
        self,
        path: str,
        *,
        method: str = "GET",
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        is_inside: bool = True,
    ) -> Answer:
        """Ask as written: `path` follows the token where it `is_inside`."""
        where = urlsplit(self.url)
        with closing(http.client.HTTPConnection(where.netloc, timeout=60)) as connection:
            target = where.path + path if is_inside else path
            connection.putrequest(method, target, skip_host=True, skip_accept_encoding=True)
            sent = {"Host": where.netloc, **(headers or {})}
            if body is not None:
                sent["Content-Length"] = str(len(body))
            for name, value in sent.items():
                connection.putheader(name, value)
            connection.endheaders(body)
            answer = connection.getresponse()
            read = answer.read()
            return Answer(answer.status, {k.lower(): v for k, v in answer.getheaders()}, read)

    def post(self, path: str, said: Any) -> Answer:
        """Post as the desk's own page does."""
        headers = {"Origin": self.origin, "Content-Type": "application/json"}
        return self.ask(path, method="POST", body=json.dumps(said).encode(), headers=headers)

    def number(self, path: str) -> int:
        """Return the number of the film that the list calls `path`."""
        for study in self.feed.shown.live.studies:
            for film in study.films:
                if film.row.path == path:
                    return film.number
        raise AssertionError(f"{path} is not in the list")

    def screen(self) -> None:
        """Screen what lies in the folder and write the lists, as the watch would."""
        with KeptDay(self.folder, self.settings) as day:
            day.register(find_films([self.films]), today=date(2026, 11, 26))
            list(day.screen(day.files_to_look_at()))
            day.write()
        self.feed.poke()

    def rows(self) -> dict[str, dict[str, Any]]:
        plain = json.loads((self.folder / JSON_NAME).read_text(encoding="utf-8"))
        return {row["path"]: row for row in plain["rows"]}


@contextmanager
def run_desk(
    films: Path, folder: Path, settings: DaySettings, **changes: Any
) -> Generator[RunningDesk, None, None]:
    """Screen `films` into `folder` and serve its day until the block ends."""
    settings = replace(settings, **changes)
    with KeptDay(folder, settings) as day:
        day.register(find_films([films]), today=date(2026, 11, 26))
        list(day.screen(day.files_to_look_at()))
        day.write()
    around = Surroundings(words=words_of(settings.lang), watched=str(films))
    with closing(Feed(LiveReader(settings), around, folder=lambda: folder, is_whole=False)) as feed:
        running = RunningDesk("", folder, films, settings, feed)
        desk = Desk(
            feed=feed,
            read_view=lambda request: running.read(request),
            get_ready=lambda: None,
            end=lambda: running.ended.append(True),
            is_here=lambda _: True,
            show=running.show,
        )
        with (
            closing(open_socket(None, 0)) as listening,
            closing(DeskServer(make_app(desk), listening, None)) as server,
        ):
            server.start()
            running.url = server.url
            with closing(feed):
                yield running
