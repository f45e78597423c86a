"""Files that are there whole or not at all, and the patience that Windows asks for.

Windows lets nobody replace a file that another program has open, and virus scanners and the search
index open every new file for a moment. A spreadsheet keeps it open for hours.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import BinaryIO, TypeVar

T = TypeVar("T")

PATIENCE_S = 0.5 if os.name == "nt" else 0.0
"""How long another program may have a file. Elsewhere a refusal means missing rights, and stays."""
_AGAIN_S = 0.05


def patiently(act: Callable[[], T]) -> T:
    """Return what `act()` does, tried again while it raises PermissionError, for PATIENCE_S."""
    until = time.monotonic() + PATIENCE_S
    while True:
        try:
            return act()
        except PermissionError:
            if time.monotonic() >= until:
                raise
        time.sleep(_AGAIN_S)


def require_free(place: Path) -> None:
    """Raise PermissionError where another program has the file at `place` open; changes nothing."""
    place.open("r+b").close()


def beside(place: Path) -> Path:
    """Name the temporary file of `place`: in the same folder, so that replacing it is atomic."""
    return place.with_name(f".{place.name}.{os.getpid()}.part")


def write_synced(path: Path, chunks: Iterable[str]) -> None:
    """Write text, and wait until the disk has it.

    A lone surrogate (from a header that lies about its character set) becomes `\\udc80`, which is
    JSON's own spelling of it and harmless elsewhere.
    """

    def save(file: BinaryIO) -> None:
        for chunk in chunks:
            file.write(chunk.encode("utf-8", "backslashreplace"))

    _save_synced(path, save)


def write_whole(place: Path, save: Callable[[BinaryIO], object]) -> None:
    """Put what `save` writes into an open file at `place`, whole and synced, or nothing.

    Raises OSError; what was there stays as it was then.
    """
    temporary = beside(place)
    try:
        _save_synced(temporary, save)
        put_in_place(temporary, place)
    finally:
        remove([temporary])


def require_writable(folder: Path) -> None:
    """Make `folder` and see that a file can be written there; OSError where not."""
    folder.mkdir(parents=True, exist_ok=True)
    probe = beside(folder / "probe")
    probe.write_bytes(b"")
    probe.unlink()


def put_in_place(temporary: Path, place: Path) -> Path:
    """Replace `place` by the file beside it; PermissionError where another program has it open."""
    return patiently(lambda: temporary.replace(place))


def write_together(
    contents: Mapping[Path, Iterable[str]], *, put: Callable[[Path, Path], Path] = put_in_place
) -> list[Path]:
    """Write files of existing folders whole or not at all; return where they are.

    All are written beside their places and synced before `put` puts the first in its place. Raises
    OSError; until the first is in place, what was there stays as it was.
    """
    waiting = {beside(place): place for place in contents}
    try:
        for temporary, chunks in zip(waiting, contents.values(), strict=True):
            write_synced(temporary, chunks)
        return [put(temporary, place) for temporary, place in waiting.items()]
    finally:
        remove(waiting)


def remove(paths: Iterable[Path]) -> None:
    """Remove what is there: what could not be written may not be removable either."""
    for path in paths:
        with contextlib.suppress(OSError):
            path.unlink()


def sync_folder(folder: Path) -> None:
    """Wait until the disk has the folder's new names."""
    if os.name != "posix":
        return  # Windows opens no folders; NTFS keeps renames in its journal
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _save_synced(path: Path, save: Callable[[BinaryIO], object]) -> None:
    with path.open("wb") as file:
        save(file)
        file.flush()
        os.fsync(file.fileno())
