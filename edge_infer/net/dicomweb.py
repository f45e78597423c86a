"""A DICOMweb archive: what films it has of a day (QIDO-RS), films out (WADO-RS), results in (STOW).

Spoken with Python's own HTTP, films straight to the disk. Searched level by level, studies, series,
instances: searching instances of a whole day at once is an option that archives need not have.
"""

from __future__ import annotations

import base64
import contextlib
import http.client
import json
import os
import re
import ssl
import time
import tomllib
import urllib.parse
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any, BinaryIO, Final

from edge_infer.errors import NetError
from edge_infer.net.services import FILM_CLASSES
from edge_infer.net.targets import Answer, Sending
from edge_infer.net.tls import client_context

USER_VARIABLE: Final = "CXR_DICOMWEB_USER"
PASSWORD_VARIABLE: Final = "CXR_DICOMWEB_PASSWORD"
TOKEN_VARIABLE: Final = "CXR_DICOMWEB_TOKEN"
FILM_MODALITIES: Final = ("CR", "DX")
_TIMEOUT_S: Final = 60.0
_TRIES: Final = 4
_LARGEST_ANSWER: Final = 2**26
_CHUNK: Final = 2**16
_UID = re.compile(r"[0-9.]{1,64}")
_BOUNDARY: Final = "cxr-edge-7b0a9c5d1f3e"


@dataclass(frozen=True, kw_only=True)
class Film:
    """An object that an archive says it has."""

    study_uid: str
    series_uid: str
    sop_uid: str


@dataclass(frozen=True, kw_only=True)
class Archive:
    """Where an archive is, and what opens it."""

    url: urllib.parse.SplitResult
    headers: Mapping[str, str] = field(repr=False)
    """Those that hold credentials."""
    tls: ssl.SSLContext | None = field(repr=False)
    wait: Callable[[float], object] = time.sleep

    def __str__(self) -> str:
        return self.url.geturl()

    def find_films(self, day: date) -> Iterator[Film]:
        """Yield the films of the studies of a day, each once; raises NetError."""
        studies: dict[str, None] = {}
        for modality in FILM_MODALITIES:
            query = {"StudyDate": f"{day:%Y%m%d}", "ModalitiesInStudy": modality}
            for study in self._search("studies", query, "0020000D"):
                studies[_value(study, "0020000D")] = None
        for study_uid in studies:
            yield from self._find_in_study(study_uid)

    def fetch(self, film: Film, file: BinaryIO, *, most_bytes: int) -> bool:
        """Write a film into an open file; False where the archive does not give it.

        Raises NetError where the archive does not answer, OSError where the disk is full.
        """
        path = f"studies/{film.study_uid}/series/{film.series_uid}/instances/{film.sop_uid}"
        accept = 'multipart/related; type="application/dicom"; transfer-syntax=*'
        with self._asked("GET", path, {"Accept": accept}) as answer:
            if answer.status != http.client.OK:
                return False
            kind = answer.headers.get("Content-Type", "")
            for piece in _first_part(answer, kind):
                if file.tell() + len(piece) > most_bytes:
                    return False
                file.write(piece)
        return True

    def store(self, content: bytes) -> tuple[int, Any]:
        """Send one object; return the HTTP status and the answer's JSON, None where it has none."""
        head = f"--{_BOUNDARY}\r\nContent-Type: application/dicom\r\n\r\n".encode()
        body = head + content + f"\r\n--{_BOUNDARY}--\r\n".encode()
        kind = f'multipart/related; type="application/dicom"; boundary={_BOUNDARY}'
        headers = {"Content-Type": kind, "Accept": "application/dicom+json"}
        with self._asked("POST", "studies", headers, body=body, tries=1) as answer:
            text = answer.read(_LARGEST_ANSWER)
        with contextlib.suppress(ValueError):
            return answer.status, json.loads(text)
        return answer.status, None

    def _find_in_study(self, study_uid: str) -> Iterator[Film]:
        for modality in FILM_MODALITIES:
            path = f"studies/{study_uid}/series"
            for series in self._search(path, {"Modality": modality}, "0020000E"):
                if _value(series, "00080060") not in ("", modality):
                    continue  # it does not know how to filter
                series_uid = _value(series, "0020000E")
                for one in self._search(f"{path}/{series_uid}/instances", {}, "00080018"):
                    if _value(one, "00080016") in ("", *FILM_CLASSES):
                        yield Film(
                            study_uid=study_uid,
                            series_uid=series_uid,
                            sop_uid=_value(one, "00080018"),
                        )

    def _search(self, path: str, query: Mapping[str, str], key: str) -> Iterator[dict[str, Any]]:
        """Yield what matches, page by page, until a page brings nothing new under `key`.

        How long a page is the archive says: Orthanc's plug-in 1.7, asked for 100 after the first
        100, passes over 200. Raises NetError, also where the archive says that there is more and
        gives no more (PS3.18 8.3.4.4).
        """
        seen: set[str] = set()
        there_is_more = False
        while True:
            before = len(seen)
            page = {**query, "offset": str(before)} if before else query
            found, said_more = self._read_json(f"{path}?{urllib.parse.urlencode(page)}")
            for one in found:
                uid = _value(one, key)
                if uid not in seen and _UID.fullmatch(uid):
                    seen.add(uid)
                    yield one
            if len(seen) == before:
                break
            there_is_more = said_more
        if there_is_more:
            raise NetError(
                f"{self} has more than the {before} {path.rpartition('/')[2]} that it gives: ask "
                "its owner to raise its limit of search results."
            )

    def _read_json(self, path: str) -> tuple[list[dict[str, Any]], bool]:
        """Return what was found, and whether the archive says that there is more of it."""
        with self._asked("GET", path, {"Accept": "application/dicom+json"}) as answer:
            if answer.status == http.client.NO_CONTENT:
                return [], False
            text = answer.read(_LARGEST_ANSWER)
            if answer.status != http.client.OK:
                raise NetError(f"{self} refuses a search (HTTP {answer.status}): ask its owner.")
        try:
            found = json.loads(text)
        except ValueError as error:
            raise NetError(f"{self} does not answer as DICOMweb does: check the URL.") from error
        said_more = "additional results" in answer.headers.get("Warning", "")
        found = found if isinstance(found, list) else []
        return [one for one in found if isinstance(one, dict)], said_more

    @contextlib.contextmanager
    def _asked(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str],
        *,
        body: bytes | None = None,
        tries: int = _TRIES,
    ) -> Iterator[http.client.HTTPResponse]:
        """Ask, again after a while where the archive is busy or breaks off; raises NetError."""
        for attempt in range(1, tries + 1):
            connection = self._connect()
            try:
                target = f"{self.url.path.rstrip('/')}/{path}"
                connection.request(method, target, body, {**self.headers, **headers})
                answer = connection.getresponse()
                self._require_allowed(answer.status)
                is_busy = answer.status >= 500 or answer.status == http.client.TOO_MANY_REQUESTS
                if not is_busy or attempt == tries:
                    yield answer
                    return
            except (OSError, http.client.HTTPException) as error:
                if attempt == tries:
                    raise NetError(_explain(self, error)) from error
            finally:
                connection.close()
            self.wait(2.0 ** (attempt - 1))

    def _connect(self) -> http.client.HTTPConnection:
        host, port = self.url.hostname or "", self.url.port
        if self.tls is not None:
            return http.client.HTTPSConnection(host, port, timeout=_TIMEOUT_S, context=self.tls)
        return http.client.HTTPConnection(host, port, timeout=_TIMEOUT_S)

    def _require_allowed(self, status: int) -> None:
        if status in (http.client.UNAUTHORIZED, http.client.FORBIDDEN):
            raise NetError(
                f"{self} does not let us in (HTTP {status}): set {USER_VARIABLE} and "
                f"{PASSWORD_VARIABLE}, or {TOKEN_VARIABLE}, or name a file with --credentials."
            )


@dataclass(frozen=True, kw_only=True)
class ArchiveTarget:
    """An archive that results are sent to by STOW-RS."""

    archive: Archive

    @property
    def name(self) -> str:
        return str(self.archive)

    def send(self, files: Sequence[Path]) -> Iterator[Sending]:
        for file in files:
            try:
                status, told = self.archive.store(file.read_bytes())
            except (NetError, OSError) as error:
                yield Sending(name=file.name, answer=Answer.NOT_NOW, said=str(error)[:200])
                continue
            yield Sending(name=file.name, answer=_judge(status, told), said=f"HTTP {status}")


def open_archive(
    url: str,
    credentials: Path | None,
    authority: Path | None,
    *,
    environment: Mapping[str, str] = os.environ,
) -> Archive:
    """Read a URL and what opens it; NetError where one is not as needed."""
    parts = urllib.parse.urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query:
        raise NetError(f"'{url}' is no DICOMweb URL: http:// or https://, host, port and path.")
    if parts.username is not None:
        raise NetError("Credentials in a URL are seen by everybody: use --credentials FILE.")
    return Archive(
        url=parts,
        headers=_authorise(_read_credentials(credentials, environment)),
        tls=client_context(authority) if parts.scheme == "https" else None,
    )


def _read_credentials(file: Path | None, environment: Mapping[str, str]) -> dict[str, str]:
    """Return user and password, or token, of the file, else of the environment."""
    if file is None:
        named = {"user": USER_VARIABLE, "password": PASSWORD_VARIABLE, "token": TOKEN_VARIABLE}
        return {key: environment[name] for key, name in named.items() if environment.get(name)}
    try:
        is_open = os.name == "posix" and bool(file.stat().st_mode & 0o077)
        plain = tomllib.loads(file.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError) as error:
        # Not the error's own text, which may quote the file.
        raise NetError(f"The credentials file {file} cannot be read as TOML.") from error
    if is_open:
        raise NetError(f"Others can read the credentials file {file}: chmod 600 it.")
    if set(plain) not in ({"user", "password"}, {"token"}):
        raise NetError(f"The credentials file {file} must hold user and password, or token.")
    return {key: str(value) for key, value in plain.items()}


def _authorise(known: Mapping[str, str]) -> dict[str, str]:
    if "token" in known:
        return {"Authorization": f"Bearer {known['token']}"}
    if "user" in known:
        pair = f"{known['user']}:{known.get('password', '')}".encode()
        return {"Authorization": f"Basic {base64.b64encode(pair).decode()}"}
    return {}


def _judge(status: int, told: Any) -> Answer:
    failed = told.get("00081198", {}).get("Value") if isinstance(told, dict) else None
    if status in (http.client.OK, http.client.ACCEPTED) and not failed:
        return Answer.TAKEN
    is_busy = status >= 500 or status == http.client.TOO_MANY_REQUESTS
    return Answer.NOT_NOW if is_busy else Answer.REFUSED


def _explain(archive: Archive, error: Exception) -> str:
    if isinstance(error, ssl.SSLError):
        return f"{archive} has a certificate that is not trusted here: name its --tls-ca ({error})."
    return f"{archive} does not answer ({error or type(error).__name__}): check URL and network."


def _value(plain: Mapping[str, Any], tag: str) -> str:
    """Return the first value of an attribute in DICOM JSON; empty where it has none."""
    element = plain.get(tag)
    values = element.get("Value") if isinstance(element, dict) else None
    return str(values[0]).strip() if isinstance(values, list) and values else ""


def _first_part(answer: http.client.HTTPResponse, kind: str) -> Iterator[bytes]:
    """Yield the content of the first part of a multipart answer, or of one that is no multipart."""
    match = re.search(r'boundary="?([^";]+)"?', kind)
    if not kind.lower().startswith("multipart/") or match is None:
        while piece := answer.read(_CHUNK):
            yield piece
        return
    end = b"\r\n--" + match[1].encode("latin-1")
    waiting = b"\r\n"
    # Up to the empty line after the part's headers.
    while b"\r\n\r\n" not in waiting and (piece := answer.read(_CHUNK)):
        waiting += piece
        if len(waiting) > _LARGEST_ANSWER:
            return
    _, _, waiting = waiting.partition(b"\r\n\r\n")
    while (at := waiting.find(end)) < 0:
        # The boundary may lie across two pieces.
        ready, waiting = waiting[: -len(end)], waiting[-len(end) :]
        yield ready
        piece = answer.read(_CHUNK)
        if not piece:
            raise http.client.IncompleteRead(b"")
        waiting += piece
    yield waiting[:at]
