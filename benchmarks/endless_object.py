"""Send `cxr-listen` objects that are far too large or lie about their size; watch its memory.

    python -m benchmarks.endless_object [GIB]

Everything is made as it is sent, in PDUs of 127 KiB: a stream of 5 GiB, by one peer and by four at
once; an object of 1 GiB; one whose Pixel Data announces 4 GiB and ends after a megabyte; a PDU that
announces 4 GiB. Printed: what was answered after how many bytes, the largest memory that the
listener's process ever had, and what is left on the disk of what was not taken. Linux only.
"""

from __future__ import annotations

import re
import socket
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.edge.net.made_nodes import (
    associated,
    association_request,
    command_pdu,
    connect,
    data_pdu,
    film,
    receive,
    send,
)
from tests.edge.net.running_listener import listener

PIECE = 127 * 2**10
GIB = 2**30
ABORT = 7


def main() -> None:
    """Measure and print."""
    size = round(float(sys.argv[1]) * GIB) if len(sys.argv) > 1 else 5 * GIB
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with listener(folder / "out", "--quiet", "--max-associations", "4") as (process, port):
            _send_film(port, folder, 1)
            print(f"memory after one film: {_peak_mb(process.pid)} MB")

            def tell(what: str, *answers: str) -> None:
                left = sum(one.stat().st_size for one in (folder / "out/spool/incoming").iterdir())
                print(f"{what}: {'; '.join(answers)}; peak {_peak_mb(process.pid)} MB, {left} left")

            tell(f"{size / GIB:g} GiB", _store(port, _stream(size)))
            with ThreadPoolExecutor(4) as pool:
                answers = pool.map(lambda _: _store(port, _stream(size)), range(4))
                tell("four of them at once", *answers)
            tell("1 GiB and its end", _store(port, _stream(GIB)))
            tell("Pixel Data of 4 GiB that ends after 1 MB", _store(port, [_lying()]))
            tell("a PDU of 4 GiB", _announce(port))
            _send_film(port, folder, 2)
            process.terminate()
            process.wait()


def _send_film(port: int, folder: Path, number: int) -> None:
    with associated(port) as association:
        print(f"a film: status {send(association, film(number), folder):04X}")


def _stream(size: int) -> Iterator[bytes]:
    yield _header() + b"\xff\xff\xff\xff"
    for _ in range(size // PIECE):
        yield b"\0" * PIECE


def _lying() -> bytes:
    return _header() + b"\xfe\xff\xff\xff" + b"\0" * 10**6


def _header() -> bytes:
    """Return a film's data set up to the length of its Pixel Data."""
    content = film(1)
    return content[content.index(b"\x08\0\x16\0") : content.index(b"\xe0\x7f\x10\0OB\0\0") + 8]


def _store(port: int, pieces: Iterable[bytes]) -> str:
    """Send an object in pieces, until there is an answer; return it."""
    began, sent = time.monotonic(), 0
    with connect(port) as client:
        client.sendall(association_request())
        receive(client)
        try:
            client.sendall(command_pdu())
            for piece in pieces:
                for start in range(0, len(piece), PIECE):
                    client.sendall(data_pdu(piece[start : start + PIECE], control=0))
                sent += len(piece)
            client.sendall(data_pdu(b"", control=2))
        except OSError:  # it hung up; what it said before that may be there
            pass
        said = _answer(client)
    return f"{said} after {sent / GIB:.2f} GiB, {time.monotonic() - began:.0f} s"


def _announce(port: int) -> str:
    with connect(port) as client:
        client.sendall(association_request())
        receive(client)
        client.sendall(b"\x04\0\xff\xff\xff\xff")
        return _answer(client)


def _answer(client: socket.socket) -> str:
    """Return the status of a C-STORE-RSP, or how the peer ended."""
    client.settimeout(60)
    try:
        data = client.recv(4096)
    except ConnectionResetError:
        return "connection reset"
    if data[:1] == bytes([ABORT]):
        return "abort"
    status = data.find(b"\0\0\0\x09\x02\0\0\0")  # (0000,0900) with two bytes
    if status < 0:
        return "hung up" if not data else f"PDU of type {data[0]}"
    return f"status {int.from_bytes(data[status + 8 : status + 10], 'little'):04X}"


def _peak_mb(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    match = re.search(r"VmHWM:\s+(\d+) kB", status)
    assert match is not None, "Linux has it"
    return int(match[1]) // 1000


if __name__ == "__main__":
    main()
