"""A disk that is really full: a small one of its own, mounted for the test."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom import dcmread

from edge_infer.errors import ReportError
from edge_infer.flow.keep_day import DaySettings
from edge_infer.net.delivery import Delivery
from edge_infer.net.limits import Limits
from edge_infer.net.services import StoreStatus
from tests.edge.films.dicom.dicom_factory import make_dicom
from tests.edge.net.made_nodes import associated, film, listening, send, uid_of
from tests.edge.net.made_results import WHOLE_HEADER
from tests.edge.net.running_listener import listed, listener, screened, wait_for
from tests.edge.net.test_delivery import MadeTarget, delivery_of, keep_day
from tests.edge.pool_here import PoolHere

DISK_MB = 8
FULL = StoreStatus.OUT_OF_RESOURCES.code


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """Return the folder where a disk of 8 MB is mounted."""
    if sys.platform != "linux" or os.geteuid() != 0:
        pytest.skip("mounting a disk needs Linux and root")
    folder = tmp_path / "disk"
    folder.mkdir()
    words = ["mount", "-t", "tmpfs", "-o", f"size={DISK_MB}m", "cxr-test", str(folder)]
    if (ended := subprocess.run(words, capture_output=True, text=True)).returncode:
        pytest.skip(f"mounting a disk is not allowed here: {ended.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def large_film(number: int) -> bytes:
    """Return a film of 1 MB that cannot be packed."""
    noise = np.random.default_rng(number).integers(0, 256, (1000, 1000)).astype(np.uint8)
    own: dict[str, Any] = {"SOPInstanceUID": uid_of(number), "StudyInstanceUID": f"1.2.3.{number}"}
    return make_dicom(noise, **{**WHOLE_HEADER, **own})


def test_what_does_not_fit_is_refused_and_what_fits_is_whole(disk: Path, tmp_path: Path) -> None:
    taken: list[int] = []
    with (
        listening(disk, limits=Limits(free_bytes=0)) as node,
        associated(node.port) as association,
    ):
        for number in range(DISK_MB + 2):
            status = send(association, large_film(number), tmp_path)
            assert status in (0, FULL)
            taken += [number] if status == 0 else []
        assert 0 < len(taken) < DISK_MB + 2 and not node.unfinished
        assert set(node.films) == {node.spool.place_of(uid_of(number)) for number in taken}
        assert all(len(dcmread(path).PixelData) == 1000 * 1000 for path in node.films)
        node.spool.place_of(uid_of(taken[0])).unlink()
        assert send(association, large_film(99), tmp_path) == 0, "there is room again"


def fill(disk: Path, *, leave: int) -> Path:
    """Fill the disk up to so many bytes."""
    ballast = disk / "ballast"
    free = os.statvfs(disk).f_bavail * os.statvfs(disk).f_frsize
    ballast.write_bytes(b"\1" * (free - leave))
    return ballast


def test_results_that_do_not_fit_are_made_and_sent_when_there_is_room(
    disk: Path, tmp_path: Path, settings: DaySettings, pool: PoolHere
) -> None:
    day, target = keep_day(tmp_path, settings, films=3), MadeTarget()
    ballast = fill(disk, leave=1_200_000)  # for one picture of 0.9 MB
    with closing(delivery_of(disk, pool, target)) as delivery:
        for _ in range(2):
            with pytest.raises(ReportError, match=r"\(No space left on device\): free the disk"):
                delivery.step([day])
        assert len(target.taken) == 2, "the results of one film went out"
        assert set(target.taken) <= set(results_in(disk))
        ballast.unlink()
        delivery.step([day])
    assert len(target.taken) == 6 and sorted(target.taken) == results_in(disk)


def results_in(disk: Path) -> list[str]:
    """Return the names in the folder of results, and assert that each object is whole."""
    paths = sorted((disk / "results").glob("*.dcm"))
    assert all("PixelData" in dcmread(one) for one in paths if "picture" in one.name)
    assert not list((disk / "results").glob("*.part")) + list((disk / "results").glob(".*.part"))
    return [one.name for one in paths]


@pytest.mark.slow
def test_a_listener_goes_on_where_the_lists_do_not_fit_and_writes_them_later(
    disk: Path, tmp_path: Path
) -> None:
    out = disk / "out"
    with listener(out, "--min-free-mb", "1", "--quiet") as (process, port):
        with associated(port) as association:
            assert send(association, large_film(1), tmp_path) == 0
            ballast = fill(disk, leave=0)  # before it looks for films the next time
            assert process.stderr is not None
            assert "Trying again until there is room" in process.stderr.readline()
            assert send(association, film(2), tmp_path) == FULL, "it listens"
            ballast.unlink()
            assert send(association, film(2), tmp_path) == 0
        wait_for(lambda: len(screened(out)) == 2)
        process.terminate()
        assert process.wait() == 0
    assert len(listed(out)) == 2


def test_results_leave_room_for_the_lists(
    tmp_path: Path, settings: DaySettings, pool: PoolHere
) -> None:
    day, made = keep_day(tmp_path, settings, films=1), delivery_of(tmp_path, pool)
    made.close()
    greedy = replace(made._settings, free_bytes=10**18)
    with closing(Delivery(tmp_path / "results", greedy, [])) as delivery:
        with pytest.raises(ReportError, match="MB are free"):
            delivery.step([day])
        assert not list((tmp_path / "results").glob("*.dcm"))
