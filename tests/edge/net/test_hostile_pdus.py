"""Malformed PDUs: the listener lives, keeps no half of a film, and takes the next."""

from __future__ import annotations

import random
import sys
import threading
from pathlib import Path

import pytest

from edge_infer.net.limits import Limits
from tests.edge.net.made_nodes import (
    associated,
    association_request,
    command_pdu,
    connect,
    data_pdu,
    film,
    listening,
    send,
)

WHOLE = film(1)
DATA_SET = WHOLE[WHOLE.index(b"\x08\0\x16\0") :][:3000]
MOST_THREADS = 60


def mutant(draw: random.Random) -> bytes:
    """Return a whole conversation in which something is wrong."""
    parts = [
        association_request(),
        command_pdu(),
        data_pdu(DATA_SET, control=draw.choice([0, 2])),
        b"\x05\0\0\0\0\x04\0\0\0\0",
    ]
    content = bytearray(b"".join(parts))
    for _ in range(draw.randint(1, 6)):
        at = draw.randrange(len(content))
        kind = draw.randrange(4)
        if kind == 0:
            content[at] = draw.randrange(256)
        elif kind == 1:  # a length, most often
            content[at : at + 4] = draw.choice([b"\xff\xff\xff\xff", b"\0\0\0\0", b"\x7f\0\0\0"])
        elif kind == 2:
            del content[at : at + draw.randint(1, 40)]
        else:
            content[at:at] = draw.randbytes(draw.randint(1, 40))
    return bytes(content[: draw.randrange(len(content))] if draw.random() < 0.2 else content)


def bombard(port: int, count: int, seed: int) -> None:
    """Send `count` mutants, each in a connection of its own that is closed after a moment."""
    draw = random.Random(seed)
    for _ in range(count):
        with connect(port) as client:
            client.settimeout(0.05)
            try:
                client.sendall(mutant(draw))
                client.recv(2000)
                client.recv(2000)
            except OSError:
                continue


def attack(tmp_path: Path, count: int) -> tuple[int, int]:
    """Bombard a listener; return how much memory it took and how many threads were left."""
    if sys.platform == "win32":
        pytest.skip("asks POSIX for its memory")
    import resource

    limits = Limits(silence_s=1.0, associations=50)
    with listening(tmp_path, limits=limits) as node:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        bombard(node.port, count, seed=count)
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
        with associated(node.port) as association:
            assert send(association, film(7), tmp_path) == 0, "it takes the next film"
        threads = threading.active_count()
    # A mutant whose object came whole may have been kept; no half of one may.
    assert not node.unfinished
    return grown, threads


def test_malformed_pdus_harm_nobody(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    grown, threads = attack(tmp_path, 60)
    assert grown < 100_000 and threads < MOST_THREADS  # kB
    assert "Traceback" not in capfd.readouterr().err


@pytest.mark.slow
def test_2000_malformed_pdus_harm_nobody(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    grown, threads = attack(tmp_path, 2000)
    assert grown < 100_000 and threads < MOST_THREADS
    assert "Traceback" not in capfd.readouterr().err
