"""What the listener answers: success for what is on the disk, for the rest the right refusal."""

from __future__ import annotations

import contextlib
import ipaddress
import os
import socket
import sys
import threading
import time
from pathlib import Path

import pytest
from pydicom import dcmread

from edge_infer.films.dicom.own_results import MANUFACTURER
from edge_infer.films.dicom.syntax import TransferSyntax
from edge_infer.films.read import read_radiograph
from edge_infer.net.limits import Limits
from edge_infer.net.peers import Peer
from edge_infer.net.services import FILM_SYNTAXES, StoreStatus
from edge_infer.net.spool import Spool
from tests.edge.films.dicom import dicom_factory as made
from tests.edge.net.made_nodes import (
    PEER,
    associated,
    association_request,
    command_pdu,
    connect,
    data_pdu,
    film,
    listening,
    receive,
    send,
    uid_of,
)

ABORT, ACCEPT = 7, 2


def wait_until(holds: object, *, seconds: float = 20.0) -> None:
    """Wait for something that another thread does; tests assert it afterwards."""
    until = time.monotonic() + seconds
    while not holds() and time.monotonic() < until:  # type: ignore[operator]
        time.sleep(0.01)


def test_every_syntax_that_is_read_is_taken() -> None:
    assert set(FILM_SYNTAXES) == set(TransferSyntax) - {TransferSyntax.UNKNOWN}
    assert len(FILM_SYNTAXES) == len(set(FILM_SYNTAXES))


def test_films_of_every_syntax_are_kept_and_can_be_read(tmp_path: Path) -> None:
    with listening(tmp_path) as node, associated(node.port) as association:
        for number, syntax in enumerate(FILM_SYNTAXES):
            content = film(number, syntax=syntax.uid)
            assert send(association, content, tmp_path) == 0
            kept = node.spool.place_of(uid_of(number))
            assert dcmread(kept).file_meta.TransferSyntaxUID == syntax.uid
            (tmp_path / "sent.dcm").write_bytes(content)
            sent = read_radiograph(tmp_path / "sent.dcm")
            assert (read_radiograph(kept).pixels == sent.pixels).all(), syntax
    assert len(node.films) == len(FILM_SYNTAXES) and not node.unfinished


@pytest.mark.skipif(sys.platform == "win32", reason="Windows syncs no folders")
def test_success_is_answered_when_film_and_folder_are_on_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[int] = []
    sync = os.fsync

    def sync_slowly(handle: int) -> None:
        time.sleep(0.2)
        sync(handle)
        synced.append(os.fstat(handle).st_ino)

    monkeypatch.setattr(os, "fsync", sync_slowly)
    with listening(tmp_path) as node, associated(node.port) as association:
        assert send(association, film(1), tmp_path) == 0
        assert synced == [node.films[0].stat().st_ino, node.spool.films.stat().st_ino]


def test_a_film_sent_again_takes_its_own_place(tmp_path: Path) -> None:
    with listening(tmp_path) as node, associated(node.port) as association:
        assert send(association, film(1), tmp_path) == 0
        first = node.films[0].stat()
        assert send(association, film(1), tmp_path) == 0
        assert node.films[0].stat().st_mtime_ns == first.st_mtime_ns
        assert send(association, film(1, PatientID="CORRECTED"), tmp_path) == 0
    assert len(node.films) == 1
    assert dcmread(node.films[0]).PatientID == "CORRECTED"


def test_the_log_names_no_patient_and_no_uid(tmp_path: Path) -> None:
    with listening(tmp_path) as node, associated(node.port) as association:
        send(association, film(1, **made.IDENTITY), tmp_path)
    text = str(node.log)
    events = [one["event"] for one in node.log]
    assert events == ["listening", "requested", "store", "released", "ended"]
    assert PEER in text and node.films[0].stem in text
    assert not any(word in text for word in (*made.IDENTITY.values(), uid_of(1)))


def test_a_result_of_our_own_is_refused(tmp_path: Path) -> None:
    with listening(tmp_path) as node, associated(node.port) as association:
        for mark in ("Manufacturer", "SecondaryCaptureDeviceManufacturer"):
            status = send(association, film(1, **{mark: MANUFACTURER}), tmp_path)
            assert status == StoreStatus.OWN_RESULT.code
    assert not node.films and not node.unfinished


def test_an_object_that_is_not_what_was_announced_is_refused(tmp_path: Path) -> None:
    with listening(tmp_path) as node, connect(node.port) as client:
        client.sendall(association_request())
        assert receive(client) == ACCEPT
        content = film(1)
        dataset = content[content.index(b"\x08\0\x16\0") :]
        client.sendall(command_pdu(uid_of(2)) + data_pdu(dataset, control=2))
        receive(client)
        client.sendall(command_pdu(uid_of(1)) + data_pdu(dataset[:205], control=2))
        receive(client)
        client.sendall(command_pdu(uid_of(1)) + data_pdu(b"no data set at all", control=2))
        receive(client)
        client.sendall(command_pdu(uid_of(1)) + data_pdu(dataset, control=2))
        receive(client)
        said = [one["status"] for one in node.log if one["event"] == "store"]
    assert said == ["A900", "C000", "C000", "0000"]
    assert len(node.films) == 1 and not node.unfinished


def test_a_film_is_kept_as_it_was_sent_however_it_is_cut_into_pieces(tmp_path: Path) -> None:
    dataset = film(1)[film(1).index(b"\x08\0\x16\0") :]
    pieces = [dataset[:1], b"", dataset[1:300], dataset[300:301], dataset[301:5000], dataset[5000:]]
    with listening(tmp_path) as node, connect(node.port) as client:
        client.sendall(association_request())
        assert receive(client) == ACCEPT
        pdus = [data_pdu(piece, control=2 * (piece is pieces[-1])) for piece in pieces]
        for number, sent in enumerate((b"".join(pdus), join_items(pdus), b"".join(pdus)), 1):
            client.sendall(command_pdu(uid_of(1)) + sent)
            receive(client)
            (kept,) = node.films
            assert kept.read_bytes().endswith(dataset) and not node.unfinished
            kept.unlink()
            assert len([one for one in node.log if one["event"] == "store"]) == number


def join_items(pdus: list[bytes]) -> bytes:
    """Return one P-DATA-TF with the items of all."""
    items = b"".join(one[6:] for one in pdus)
    return b"\x04\0" + len(items).to_bytes(4, "big") + items


def test_an_object_beyond_the_limit_is_out_of_resources_and_the_next_is_taken(
    tmp_path: Path,
) -> None:
    size = len(film(1))
    with (
        listening(tmp_path, limits=Limits(object_bytes=size + 1000)) as node,
        associated(node.port) as association,
    ):
        large = film(2, ImageComments="x" * 3000)
        assert send(association, large, tmp_path) == StoreStatus.OUT_OF_RESOURCES.code
        assert send(association, film(1), tmp_path) == 0
    assert len(node.films) == 1 and not node.unfinished


def test_an_object_without_end_is_aborted(tmp_path: Path) -> None:
    with (
        listening(tmp_path, limits=Limits(object_bytes=50_000)) as node,
        connect(node.port) as client,
    ):
        client.sendall(association_request())
        assert receive(client) == ACCEPT
        client.sendall(command_pdu())
        with contextlib.suppress(OSError):  # it may hang up before all is sent
            for _ in range(20):  # 320 kB; what is beyond four times the limit is not waited for
                client.sendall(data_pdu(b"\0" * 16_000, control=0))
        assert receive(client) in (ABORT, None)
        wait_until(lambda: not node.unfinished)
    assert not node.films and not node.unfinished


class FullSpool(Spool):
    """A spool on a disk that is nearly full."""

    def free_bytes(self) -> int:
        return 5 * 2**20


def test_too_little_free_disk_is_out_of_resources(tmp_path: Path) -> None:
    with (
        listening(tmp_path, spool=FullSpool(tmp_path / "spool")) as node,
        associated(node.port) as association,
    ):
        assert send(association, film(1), tmp_path) == StoreStatus.OUT_OF_RESOURCES.code
    assert not node.films and not node.unfinished


class BrokenSpool(Spool):
    """A spool whose disk is full at the last moment."""

    def keep(self, *_: object) -> Path:
        raise OSError(28, "No space left on device")


def test_a_disk_full_at_the_end_is_out_of_resources(tmp_path: Path) -> None:
    with (
        listening(tmp_path, spool=BrokenSpool(tmp_path / "spool")) as node,
        associated(node.port) as association,
    ):
        assert send(association, film(1), tmp_path) == StoreStatus.OUT_OF_RESOURCES.code
    assert not node.films and not node.unfinished


def test_titles_and_addresses_are_checked(tmp_path: Path) -> None:
    def rejection(port: int, calling: str, called: str) -> tuple[bool, int | None]:
        with associated(port, calling=calling, called=called) as association:
            primitive = association.acceptor.primitive
            reason = primitive.diagnostic if primitive is not None else None
            return association.is_rejected, reason

    here, elsewhere = ipaddress.ip_network("127.0.0.0/8"), ipaddress.ip_network("10.0.0.0/8")
    peers = [Peer(ae_title=PEER, network=here), Peer(ae_title="FAR", network=elsewhere)]
    with listening(tmp_path, peers=peers) as node:
        assert rejection(node.port, PEER, "CXREDGE")[0] is False
        assert rejection(node.port, PEER, "OTHER") == (True, 7)
        assert rejection(node.port, "STRANGER", "CXREDGE") == (True, 3)
        assert rejection(node.port, "FAR", "CXREDGE") == (True, 3)
    reasons = [one["reason"] for one in node.log if one["event"] == "rejected"]
    assert len(reasons) == 3 and reasons[0].startswith("Called") and "Calling" in reasons[1]


def test_one_association_too_many_is_rejected_for_now(tmp_path: Path) -> None:
    with (
        listening(tmp_path, limits=Limits(associations=1)) as node,
        associated(node.port) as first,
    ):
        with associated(node.port, calling="SECOND") as second:
            assert second.is_rejected and second.acceptor.primitive is not None
            assert second.acceptor.primitive.diagnostic == 2
        assert send(first, film(1), tmp_path) == 0


def test_an_unknown_sop_class_has_no_context(tmp_path: Path) -> None:
    with listening(tmp_path) as node, connect(node.port) as client:
        client.sendall(association_request("1.2.840.10008.5.1.4.1.1.2"))  # CT
        head = client.recv(6)
        body = client.recv(int.from_bytes(head[2:], "big"))
    context = body[body.index(b"\x21\0") :]
    assert head[0] == ACCEPT and context[6] == 3, "abstract syntax not supported"


@pytest.mark.parametrize("begin", [b"", association_request(), association_request()[:30]])
def test_a_peer_that_falls_silent_is_cut_off(tmp_path: Path, begin: bytes) -> None:
    with listening(tmp_path, limits=Limits(silence_s=0.5)) as node:
        with connect(node.port) as client:
            client.sendall(begin)
            while receive(client) is not None:
                pass
        with associated(node.port) as association:
            assert send(association, film(1), tmp_path) == 0


@pytest.mark.parametrize("begin", [b"", b"\x16\x03\x01", b"GET / HTTP/1.1\r\n\r\n"])
def test_peers_that_hang_up_before_they_ask_take_nobody_s_place(
    tmp_path: Path, begin: bytes
) -> None:
    """Whoever watches a network does so every few seconds."""
    with listening(tmp_path, limits=Limits(associations=1)) as node:
        for _ in range(12):
            with connect(node.port) as client:
                client.sendall(begin)
                client.shutdown(socket.SHUT_WR)
                while receive(client) is not None:
                    pass
        wait_until(lambda: count_acceptors() == 0, seconds=5)
        assert count_acceptors() == 0
        with associated(node.port) as association:
            assert send(association, film(1), tmp_path) == 0


def count_acceptors() -> int:
    return sum("AcceptorThread" in one.name for one in threading.enumerate())


def test_an_abort_in_the_middle_of_a_film_leaves_nothing(tmp_path: Path) -> None:
    with listening(tmp_path) as node:
        with connect(node.port) as client:
            client.sendall(association_request())
            assert receive(client) == ACCEPT
            client.sendall(command_pdu() + data_pdu(film(1)[132:5000], control=0))
            wait_until(lambda: node.unfinished)
            assert node.unfinished
            client.sendall(b"\x07\0\0\0\0\x04\0\0\0\0")
            assert receive(client) is None
        wait_until(lambda: not node.unfinished)
        assert not node.unfinished and not node.films


def test_a_pdu_of_4_gib_is_aborted_before_it_is_read(tmp_path: Path) -> None:
    with listening(tmp_path) as node, connect(node.port) as client:
        client.sendall(association_request())
        assert receive(client) == ACCEPT
        client.sendall(b"\x04\0\xff\xff\xff\xff" + b"\0" * 100)
        assert receive(client) in (ABORT, None)


def test_four_associations_at_once_lose_nothing(tmp_path: Path) -> None:
    failures: list[object] = []

    def send_some(node_port: int, first: int) -> None:
        folder = tmp_path / str(first)
        folder.mkdir()
        with associated(node_port, calling=f"XRAY{first}") as association:
            for number in range(first, first + 5):
                if (status := send(association, film(number), folder)) != 0:
                    failures.append(status)

    with listening(tmp_path) as node:
        threads = [
            threading.Thread(target=send_some, args=(node.port, first))
            for first in (100, 200, 300, 400)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert not failures and len(node.films) == 20 and not node.unfinished
