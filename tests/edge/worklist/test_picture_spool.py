"""Thumbnails on the disk come back whole, into the page too, and leave nothing behind."""

from __future__ import annotations

import errno
import io
import os
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest

from edge_infer.errors import ReportError
from edge_infer.flow.write_lists import write_lists
from edge_infer.worklist.picture_spool import PictureSpool
from tests.edge.made_day import make_day, refused, screened


def test_pictures_come_back_in_any_order(tmp_path: Path) -> None:
    pictures = [bytes([number]) * (number * 700) for number in range(5)]
    with PictureSpool(tmp_path) as spool:
        kept = [spool.keep(picture) for picture in pictures]
        assert bytes(kept[3]) == pictures[3]
        kept.append(spool.keep(b"written after something was read"))
        assert [bytes(picture) for picture in kept[:5]] == pictures
        assert bytes(kept[5]) == b"written after something was read"
        assert [bool(picture) for picture in kept] == [False, True, True, True, True, True]
    assert list(tmp_path.iterdir()) == []


def test_the_page_is_the_same_with_pictures_from_the_disk(tmp_path: Path) -> None:
    rows = [screened("a.png"), screened("b.png", tb_tenths=900), refused("c.png")]
    for name in ("memory", "disk"):
        (tmp_path / name).mkdir()
    write_lists(make_day(rows), tmp_path / "memory")
    with PictureSpool(tmp_path / "disk") as spool:
        kept = [replace(row, thumbnail=spool.keep(bytes(row.thumbnail))) for row in rows]
        write_lists(make_day(kept), tmp_path / "disk")
    for path in (tmp_path / "memory").iterdir():
        assert (tmp_path / "disk" / path.name).read_bytes() == path.read_bytes()
    assert sorted(path.name for path in (tmp_path / "disk").iterdir()) == [
        "report.html",
        "worklist.csv",
        "worklist.json",
    ]


def test_no_place_for_pictures_is_an_error_that_can_be_shown(tmp_path: Path) -> None:
    with pytest.raises(ReportError, match="free the disk"):
        PictureSpool(tmp_path / "missing")


class _FullDisk(io.BytesIO):
    def write(self, _data: object, /) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_full_disk_is_said_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What could not be written is tried again when the file is closed."""
    file = io.BufferedRandom(_FullDisk())  # type: ignore[arg-type]
    monkeypatch.setattr(tempfile, "TemporaryFile", lambda **_: file)
    with pytest.raises(ReportError, match="free the disk"):
        _keep_some(tmp_path)


def _keep_some(folder: Path) -> None:
    with PictureSpool(folder) as spool:
        for size in (500, 100_000):
            spool.keep(bytes(size))
