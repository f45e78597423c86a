"""The spool: whole films under names that tell nothing, and nothing half of a killed run."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

import pytest

from edge_infer.errors import ReportError
from edge_infer.net.spool import Spool, discard, hash_uid, remove_older_spools

DAY_S = 86_400


def keep(spool: Spool, content: bytes, uid: str) -> Path:
    path, file = spool.begin()
    file.write(content)
    return spool.keep(path, file, uid)


def test_a_film_is_kept_under_a_hash_of_its_uid(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool")
    place = keep(spool, b"film", "1.2.3")
    assert place == spool.place_of("1.2.3") and place.read_bytes() == b"film"
    assert place.name == f"{hash_uid('1.2.3')}.dcm" and "1.2.3" not in place.name


def test_what_a_killed_run_left_goes_and_films_stay(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    kept = keep(spool, b"film", "1.2.3")
    half, file = spool.begin()
    file.close()
    assert half.exists()
    again = Spool(tmp_path)
    assert not half.exists() and kept.exists() and again.films == spool.films


def test_what_another_process_receives_stays(tmp_path: Path) -> None:
    half, file = Spool(tmp_path).begin()
    file.close()
    own = f"{os.getpid()}-"
    theirs = half.rename(half.with_name(half.name.replace(own, f"{os.getppid()}-", 1)))
    Spool(tmp_path)
    assert theirs.exists()
    os.utime(theirs, (0, 0))  # the number is another program's by now
    Spool(tmp_path)
    assert not theirs.exists()


def test_what_is_discarded_is_gone(tmp_path: Path) -> None:
    path, file = Spool(tmp_path).begin()
    discard(path, file)
    assert not path.exists() and file.closed


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX permissions")
def test_nobody_else_may_look(tmp_path: Path) -> None:
    Spool(tmp_path / "spool")
    for folder in (tmp_path / "spool").rglob("*"):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / "spool").stat().st_mode) == 0o700


def test_films_are_removed_by_the_day_they_came(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    old, new = keep(spool, b"old", "1"), keep(spool, b"new", "2")
    now = new.stat().st_mtime
    os.utime(old, (now - 31 * DAY_S, now - 31 * DAY_S))
    os.utime(new, (now - 29 * DAY_S, now - 29 * DAY_S))
    assert spool.remove_older(30, now=now) == 1
    assert not old.exists() and new.exists()


def test_old_films_of_other_days_are_removed_and_empty_folders_with_them(tmp_path: Path) -> None:
    spools = {name: Spool(tmp_path / name) for name in ("old", "mixed", "wanted")}
    now = tmp_path.stat().st_mtime
    for name, uid, age in (
        ("old", "1", 31),
        ("mixed", "2", 31),
        ("mixed", "3", 1),
        ("wanted", "4", 31),
    ):
        os.utime(keep(spools[name], b"film", uid), (now - age * DAY_S, now - age * DAY_S))
    assert remove_older_spools(tmp_path, 30, but=tmp_path / "wanted", now=now) == 2
    assert {path.name for path in tmp_path.iterdir()} == {"mixed", "wanted"}
    assert list(spools["mixed"].films.iterdir()) == [spools["mixed"].place_of("3")]
    assert spools["wanted"].place_of("4").exists(), "it would be fetched again"


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(ReportError, match="--out"):
        Spool(tmp_path / "file" / "spool")
