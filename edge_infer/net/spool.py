"""Where films that came over the wire are kept: whole, on the disk, each under one name.

An object grows in `incoming` and moves into `films` when it is whole and synced, so whoever looks
through `films` sees no half of one, and a kill leaves nothing there. Its name is a hash of its SOP
instance UID: nothing of the patient is in it, and an object sent again takes its own place.
"""

from __future__ import annotations

import contextlib
import filecmp
import hashlib
import os
import shutil
import time
import uuid
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO, Final

from edge_infer.errors import ReportError
from edge_infer.pc.whole_files import put_in_place, remove, require_writable, sync_folder
from edge_infer.store.owner import is_running

_FILMS, _INCOMING = "films", "incoming"
_DAY_S: Final = 86_400
_LONGEST_PAUSE_S: Final = 600.0
"""Between two pieces of an object; both ways of receiving give up long before."""


class Spool:
    """A folder of films received; `films` is what is to be screened."""

    def __init__(self, folder: Path) -> None:
        """Make the folders, for their owner only; ReportError where they cannot be written.

        What a killed run had half received goes: nobody was told that it had arrived. What another
        process is receiving stays: a cxr-fetch may begin before the last one has ended.
        """
        self.films, self._incoming = folder / _FILMS, folder / _INCOMING
        try:
            for one in (folder, self.films, self._incoming):
                one.mkdir(mode=0o700, parents=True, exist_ok=True)
                one.chmod(0o700)
            require_writable(self._incoming)
        except OSError as error:
            raise ReportError(
                f"Films cannot be kept in {folder} ({error.strerror}): free the disk or name "
                "another folder with --out."
            ) from error
        remove(one for one in self._incoming.iterdir() if not _is_received_now(one))

    def begin(self) -> tuple[Path, BinaryIO]:
        """Open a file for an object that begins to arrive; raises OSError."""
        path = self._incoming / f"{os.getpid()}-{uuid.uuid4().hex}.part"
        return path, path.open("xb")

    def keep(self, path: Path, file: BinaryIO, sop_instance_uid: str) -> Path:
        """Close an object that has arrived and return its place among the films, all of it synced.

        One that is there already stays if it is the same, and is replaced if it is not. Raises
        OSError; nothing is kept then.
        """
        place = self.place_of(sop_instance_uid)
        with file:
            file.flush()
            os.fsync(file.fileno())
        if place.exists() and filecmp.cmp(path, place, shallow=False):
            remove([path])
        else:
            put_in_place(path, place)
        # Also where it was there: a run killed in between may not have come so far.
        sync_folder(self.films)
        return place

    def place_of(self, sop_instance_uid: str) -> Path:
        """Return where the object with this UID is, or would be."""
        return self.films / f"{hash_uid(sop_instance_uid)}.dcm"

    def free_bytes(self) -> int:
        return shutil.disk_usage(self._incoming).free

    def remove_older(self, days: int, *, now: float | None = None) -> int:
        """Remove films that came more than `days` days ago, and return how many."""
        return remove_older(self.films.iterdir(), days, now=now)


def remove_older(paths: Iterable[Path], days: int, *, now: float | None = None) -> int:
    """Remove files that are more than `days` days old, and return how many."""
    before = (time.time() if now is None else now) - days * _DAY_S
    removed = 0
    for path in paths:
        with contextlib.suppress(OSError):
            if path.stat().st_mtime < before:
                path.unlink()
                removed += 1
    return removed


def remove_older_spools(folder: Path, days: int, *, but: Path, now: float | None = None) -> int:
    """Remove films that came more than `days` days ago from the spools in `folder`.

    The spool in `but` stays as it is, and one that is empty then goes. Returns how many were
    removed. Another process may fill one of them meanwhile.
    """
    removed = 0
    for one in folder.iterdir():
        if one != but and (films := one / _FILMS).is_dir():
            removed += remove_older(films.iterdir(), days, now=now)
            with contextlib.suppress(OSError):  # it is not empty
                films.rmdir()
                (one / _INCOMING).rmdir()
                one.rmdir()
    return removed


def discard(path: Path, file: BinaryIO) -> None:
    """Close and remove an object that will not be kept."""
    with contextlib.suppress(OSError):
        file.close()  # what is buffered may not fit on the disk any more
    remove([path])


def _is_received_now(path: Path) -> bool:
    """Tell whether another process of this PC is receiving this object."""
    pid = path.name.partition("-")[0]
    if not pid.isdecimal() or int(pid) == os.getpid() or not is_running(int(pid)):
        return False
    try:
        # Its number may be another program's by now.
        return time.time() - path.stat().st_mtime < _LONGEST_PAUSE_S
    except OSError:
        return False


def hash_uid(uid: str) -> str:
    """Return 32 letters that stand for a UID in names and logs."""
    return hashlib.sha256(uid.encode("utf-8", "surrogatepass")).hexdigest()[:32]
