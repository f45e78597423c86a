"""Searching an archive: every film of a day, however few the archive gives at a time."""

from __future__ import annotations

import json
import os
import threading
import urllib.parse
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import date
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from edge_infer.errors import NetError
from edge_infer.net.dicomweb import Archive, open_archive
from edge_infer.net.services import FILM_CLASSES

DAY = date(2026, 11, 23)
FILMS = 23


@contextmanager
def archive(*, page: int, warns: bool = False, knows_offset: bool = True) -> Iterator[Archive]:
    """An archive of one CR film a study, which gives `page` at a time."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            url = urllib.parse.urlsplit(self.path)
            query = dict(urllib.parse.parse_qsl(url.query))
            start = int(query.get("offset", 0))
            found = _found(url.path.strip("/").split("/"), query)
            given = found[start : start + page] if knows_offset or not start else []
            body = json.dumps(given).encode()
            self.send_response(200 if given else 204)
            if warns and len(found) > start + page:
                self.send_header("Warning", "299 here: There are additional results")
            self.send_header("Content-Length", str(len(body) if given else 0))
            self.end_headers()
            self.wfile.write(body if given else b"")

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Stay silent."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        url = f"http://127.0.0.1:{server.server_address[1]}"
        yield open_archive(url, None, None, environment={})
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _found(path: list[str], query: dict[str, str]) -> list[dict[str, object]]:
    if "CR" not in (query.get("ModalitiesInStudy"), query.get("Modality"), "CR" * (len(path) > 3)):
        return []
    if len(path) == 1:
        return [_tags("0020000D", f"1.{number}") for number in range(FILMS)]
    if len(path) == 3:
        return [{**_tags("0020000E", f"{path[1]}.1"), **_tags("00080060", "CR")}]
    film_class = next(iter(FILM_CLASSES))
    return [{**_tags("00080018", f"{path[1]}.1.1"), **_tags("00080016", film_class)}]


def _tags(tag: str, value: str) -> dict[str, object]:
    return {tag: {"vr": "UI", "Value": [value]}}


@pytest.mark.parametrize("page", [5, FILMS, 1000])
def test_every_film_is_found_once_whatever_a_page_holds(page: int) -> None:
    with archive(page=page, warns=True) as there:
        found = [one.sop_uid for one in there.find_films(DAY)]
    assert found == [f"1.{number}.1.1" for number in range(FILMS)]


def test_an_archive_that_keeps_films_back_is_told_of() -> None:
    with (
        archive(page=10, warns=True, knows_offset=False) as there,
        pytest.raises(NetError, match="more than the 10 studies"),
    ):
        list(there.find_films(DAY))


def test_credentials_come_from_a_file_that_nobody_else_can_read(tmp_path: Path) -> None:
    file = tmp_path / "credentials.toml"

    def headers() -> Mapping[str, str]:
        return open_archive("http://pacs/dicom-web", file, None, environment={}).headers

    file.write_text('user = "cxr"\npassword = "secret"\n', encoding="utf-8")
    file.chmod(0o600)
    assert headers() == {"Authorization": "Basic Y3hyOnNlY3JldA=="}
    if os.name == "posix":
        file.chmod(0o640)
        with pytest.raises(NetError, match="Others can read"):
            headers()
    file.chmod(0o600)
    file.write_text('user = "cxr"\nsecret\n', encoding="utf-8")
    with pytest.raises(NetError, match="cannot be read as TOML") as told:
        headers()
    assert "secret" not in str(told.value)
