"""Against DCMTK, whose DICOM is not ours: its senders and what they say of our answers."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from edge_infer.films.dicom.syntax import TransferSyntax
from edge_infer.net.services import FILM_SYNTAXES
from tests.edge.net.made_nodes import debian_program, film, listening, needs, uid_of

pytestmark = [needs("storescu", "echoscu", "dcmsend"), pytest.mark.slow]
NEW = (TransferSyntax.HTJ2K_LOSSLESS, TransferSyntax.HTJ2K_LOSSLESS_RPCL, TransferSyntax.HTJ2K)
"""DCMTK 3.6.7 does not know them; test_listener.py sends them."""
KNOWN = [one for one in FILM_SYNTAXES if one not in NEW]


def run(program: str, *words: str | Path) -> subprocess.CompletedProcess[str]:
    command = [str(debian_program(program)), *map(str, words)]
    return subprocess.run(command, capture_output=True, encoding="latin-1", timeout=300)


def write_films(folder: Path) -> list[Path]:
    folder.mkdir()
    for number, syntax in enumerate(KNOWN):
        (folder / f"{number}.dcm").write_bytes(film(number, syntax=syntax.uid))
    return sorted(folder.iterdir())


def test_echoscu_is_answered_and_a_wrong_title_rejected(tmp_path: Path) -> None:
    with listening(tmp_path) as node:
        assert run("echoscu", "-aec", "CXREDGE", "127.0.0.1", str(node.port)).returncode == 0
        wrong = run("echoscu", "-aec", "OTHER", "127.0.0.1", str(node.port))
        assert wrong.returncode != 0 and "Called AE Title Not Recognized" in wrong.stderr


def test_dcmsend_sends_every_syntax_that_it_knows(tmp_path: Path) -> None:
    films = write_films(tmp_path / "films")
    with listening(tmp_path) as node:
        ended = run("dcmsend", "-v", "-aec", "CXREDGE", "127.0.0.1", str(node.port), *films)
        assert ended.returncode == 0, ended.stderr
        assert f"with status SUCCESS  : {len(films)}" in ended.stderr
        assert set(node.films) == {
            node.spool.place_of(uid_of(number)) for number in range(len(films))
        }


def test_storescu_sends_films_and_our_statuses_reach_it(tmp_path: Path) -> None:
    films = write_films(tmp_path / "films")[:1]
    own = tmp_path / "own.dcm"
    own.write_bytes(film(50, Manufacturer="cxr-edge"))
    with listening(tmp_path) as node:
        to = ("-v", "-aec", "CXREDGE", "127.0.0.1", str(node.port))
        assert "(Success)" in run("storescu", *to, *films).stderr
        # 3.6.7 has no name for this one.
        assert re.search("0x0?124|uthorized", run("storescu", *to, own).stderr)
        assert len(node.films) == 1
