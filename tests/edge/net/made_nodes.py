"""A listener to talk to, films to send, and what it told its log."""

from __future__ import annotations

import json
import os
import shutil
import socket
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from pydicom import dcmread
from pydicom.uid import UID
from pynetdicom.ae import ApplicationEntity
from pynetdicom.association import Association

from edge_infer.net.limits import Limits
from edge_infer.net.listener import Listener
from edge_infer.net.peers import Peer
from edge_infer.net.services import FILM_CLASSES, FILM_SYNTAXES
from edge_infer.net.sockets import close_sockets_for_sure
from edge_infer.net.spool import Spool
from edge_infer.net.support_log import LOG_NAME, SupportLog
from tests.edge.films.dicom.dicom_factory import EXPLICIT, bands, make_dicom

PEER = "XRAY1"


def debian_program(name: str) -> str | None:
    """Return the path of a program outside the environment of the running Python, or None.

    pynetdicom brings a `storescu` and an `echoscu` of its own, which an activated environment puts
    before DCMTK's, and which speak otherwise.
    """
    own = Path(sys.executable).parent
    places = os.environ.get("PATH", os.defpath).split(os.pathsep)
    return shutil.which(name, path=os.pathsep.join(one for one in places if Path(one) != own))


def needs(*programs: str) -> pytest.MarkDecorator:
    """Skip aloud where a Debian program is missing; `.ci/run` installs them."""
    missing = [one for one in programs if debian_program(one) is None]
    return pytest.mark.skipif(bool(missing), reason=f"not installed: {', '.join(missing)}")


def film(number: int = 1, *, syntax: str = EXPLICIT, **elements: Any) -> bytes:
    """Return a small film; another number is another film of another study."""
    picture = bands([0, 40 + number % 100, 200, 255], "u1")
    own = {"SOPInstanceUID": f"1.2.3.4.{number}", "StudyInstanceUID": f"1.2.3.{number}"}
    return make_dicom(picture, syntax=syntax, **{**own, **elements})


def uid_of(number: int = 1) -> str:
    return f"1.2.3.4.{number}"


@dataclass(frozen=True)
class Node:
    """A listener that runs, and where it keeps things."""

    folder: Path
    spool: Spool
    port: int

    @property
    def films(self) -> list[Path]:
        return sorted(self.spool.films.iterdir())

    @property
    def unfinished(self) -> list[Path]:
        return sorted((self.folder / "spool" / "incoming").iterdir())

    @property
    def log(self) -> list[dict[str, Any]]:
        text = (self.folder / LOG_NAME).read_text(encoding="utf-8")
        return [json.loads(line) for line in text.splitlines()]


@contextmanager
def listening(
    folder: Path,
    *,
    limits: Limits | None = None,
    peers: Sequence[Peer] | None = None,
    spool: Spool | None = None,
    tls: tuple[Path, Path, Path | None] | None = None,
) -> Iterator[Node]:
    spool = spool or Spool(folder / "spool")
    log = SupportLog(folder)
    try:
        with Listener(
            spool,
            log,
            ae_title="CXREDGE",
            address=("127.0.0.1", 0),
            peers=peers,
            limits=limits,
            tls=tls,
        ) as listener:
            yield Node(folder, spool, listener.port)
    finally:
        log.close()


@contextmanager
def associated(port: int, *, calling: str = PEER, called: str = "CXREDGE") -> Iterator[Association]:
    """Open an association that offers every class and syntax, each in a context of its own."""
    close_sockets_for_sure()  # a listener in another process has not asked for it in this one
    entity = ApplicationEntity(calling)
    for sop_class in FILM_CLASSES:
        for syntax in FILM_SYNTAXES:
            entity.add_requested_context(sop_class, syntax.uid)
    association = entity.associate("127.0.0.1", port, ae_title=called, max_pdu=0)
    try:
        yield association
    finally:
        if association.is_established:
            association.release()
        entity.shutdown()


def send(association: Association, content: bytes, tmp_path: Path, **changes: Any) -> int | None:
    """Send a film; return the status, None where none came."""
    path = tmp_path / "to-send.dcm"
    path.write_bytes(content)
    dataset = dcmread(path)
    for keyword, value in changes.items():
        setattr(dataset, keyword, value)
    status = association.send_c_store(dataset)
    return int(status.Status) if "Status" in status else None


def connect(port: int) -> socket.socket:
    client = socket.create_connection(("127.0.0.1", port), timeout=20)
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return client


def association_request(sop_class: str = "1.2.840.10008.5.1.4.1.1.1") -> bytes:
    """Return the bytes of an A-ASSOCIATE-RQ with one context, number 1, explicit little endian."""
    context = _item(
        0x20, b"\x01\0\0\0" + _item(0x30, UID(sop_class).encode()) + _item(0x40, EXPLICIT.encode())
    )
    user = _item(0x50, _item(0x51, (16384).to_bytes(4, "big")) + _item(0x52, b"1.2.3"))
    body = (
        b"\0\x01\0\0"
        + b"CXREDGE".ljust(16)
        + PEER.encode().ljust(16)
        + b"\0" * 32
        + _item(0x10, b"1.2.840.10008.3.1.1.1")
        + context
        + user
    )
    return b"\x01\0" + len(body).to_bytes(4, "big") + body


def command_pdu(uid: str = "1.2.3.4.1", sop_class: str = "1.2.840.10008.5.1.4.1.1.1") -> bytes:
    """Return the P-DATA-TF of a C-STORE-RQ's command set on context 1."""

    def element(tag: int, value: bytes) -> bytes:
        value += b"\0" * (len(value) % 2)
        return b"\0\0" + tag.to_bytes(2, "little") + len(value).to_bytes(4, "little") + value

    rest = (
        element(0x0002, sop_class.encode())
        + element(0x0100, b"\x01\0")
        + element(0x0110, b"\x01\0")
        + element(0x0700, b"\0\0")
        + element(0x0800, b"\0\0")
        + element(0x1000, uid.encode())
    )
    return data_pdu(element(0x0000, len(rest).to_bytes(4, "little")) + rest, control=3)


def data_pdu(fragment: bytes, *, control: int) -> bytes:
    """Return a P-DATA-TF with one fragment; control 0: data follows, 2: the last of the data."""
    value = bytes([1, control]) + fragment
    value = len(value).to_bytes(4, "big") + value
    return b"\x04\0" + len(value).to_bytes(4, "big") + value


def receive(client: socket.socket) -> int | None:
    """Return the type of the next PDU, read whole; None where the connection was closed."""
    try:
        head = _exactly(client, 6)
        _exactly(client, int.from_bytes(head[2:], "big"))
    except (ConnectionError, EOFError):
        return None
    return head[0]


def _exactly(client: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        piece = client.recv(size - len(data))
        if not piece:
            raise EOFError
        data += piece
    return data


def _item(kind: int, value: bytes) -> bytes:
    return bytes([kind, 0]) + len(value).to_bytes(2, "big") + value
