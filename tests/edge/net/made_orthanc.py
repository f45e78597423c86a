"""Orthanc on loopback, empty, with its DICOMweb plug-in; ends with the `with` block."""

from __future__ import annotations

import base64
import json
import re
import shutil
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

PLUGIN = Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so")
PROGRAM = shutil.which("Orthanc") or "/usr/sbin/Orthanc"
needs_orthanc = pytest.mark.skipif(
    not (Path(PROGRAM).is_file() and PLUGIN.is_file()), reason="not installed: orthanc-dicomweb"
)
USER, PASSWORD = "clinic", "se:cret"


@dataclass(frozen=True)
class Orthanc:
    """A running Orthanc."""

    folder: Path
    http_port: int
    dicom_port: int

    @property
    def dicomweb(self) -> str:
        return f"http://127.0.0.1:{self.http_port}/dicom-web"

    def ask(self, path: str, body: bytes | None = None) -> Any:
        with urllib.request.urlopen(self._request(path, body), timeout=60) as answer:
            return json.loads(answer.read())

    def put(self, path: str, body: object) -> None:
        """Set something that has no answer."""
        request = self._request(path, json.dumps(body).encode())
        request.method = "PUT"
        urllib.request.urlopen(request, timeout=60).close()

    def requests(self, method: str) -> list[str]:
        """Return the paths that it was asked for by HTTP, in order."""
        log = (self.folder / "orthanc.log").read_text(encoding="utf-8", errors="replace")
        return re.findall(rf"\(http\) {method} (\S+)", log)

    def upload(self, content: bytes) -> None:
        self.ask("instances", content)

    def find(self, level: str, **query: str) -> list[dict[str, Any]]:
        """Return what is there of a level (Instance, Series, ...) with its tags."""
        asked = json.dumps({"Level": level, "Query": query, "Expand": True}).encode()
        found: list[dict[str, Any]] = self.ask("tools/find", asked)
        return found

    def file_of(self, instance: str) -> bytes:
        request = self._request(f"instances/{instance}/file")
        with urllib.request.urlopen(request, timeout=60) as answer:
            content: bytes = answer.read()
            return content

    def _request(self, path: str, body: bytes | None = None) -> urllib.request.Request:
        pair = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        return urllib.request.Request(
            f"http://127.0.0.1:{self.http_port}/{path}",
            data=body,
            headers={"Authorization": f"Basic {pair}"},
        )


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@contextmanager
def orthanc(folder: Path) -> Iterator[Orthanc]:
    running = Orthanc(folder, free_port(), free_port())
    settings = {
        "StorageDirectory": str(folder / "store"),
        "IndexDirectory": str(folder / "store"),
        "HttpPort": running.http_port,
        "DicomPort": running.dicom_port,
        "DicomAet": "ORTHANC",
        "RemoteAccessAllowed": False,
        "AuthenticationEnabled": True,
        "RegisteredUsers": {USER: PASSWORD},
        "DicomAlwaysAllowStore": True,
        "DicomCheckCalledAet": True,
        "OverwriteInstances": False,
        "Plugins": [str(PLUGIN)],
    }
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "orthanc.json").write_text(json.dumps(settings), encoding="utf-8")
    with (folder / "orthanc.log").open("wb") as log:
        process = subprocess.Popen(
            [PROGRAM, "--verbose", str(folder / "orthanc.json")], stdout=log, stderr=log, cwd=folder
        )
    try:
        _wait_until_it_answers(running, process)
        yield running
    finally:
        process.terminate()
        process.wait(60)


def _wait_until_it_answers(running: Orthanc, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + 120
    while time.monotonic() < until and process.poll() is None:
        try:
            running.ask("system")
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise AssertionError("Orthanc does not start")
