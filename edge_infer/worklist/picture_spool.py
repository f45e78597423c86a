"""Thumbnails wait on the disk until the page is written: 10,000 of them would be 60 MB of memory.

The file has no name where the system allows that, and is gone when it is closed, also after a
crash. It lies in the results' folder, which will hold the same pictures in the page.
"""

from __future__ import annotations

import contextlib
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Self

from edge_infer.errors import ReportError
from edge_infer.pc.whole_files import remove


@dataclass(frozen=True, kw_only=True, slots=True)
class SpooledPicture:
    """A picture's place; `bytes()` of it reads the picture while its spool is open."""

    file: IO[bytes] = field(repr=False, compare=False)
    start: int
    size: int

    def __bytes__(self) -> bytes:
        self.file.seek(self.start)
        return self.file.read(self.size)

    def __bool__(self) -> bool:
        return self.size > 0


_PREFIX = ".pictures."


def remove_old_spools(folder: Path) -> None:
    """Remove what a power cut left: on Windows the file has a name as long as its process lives."""
    remove(folder.glob(f"{_PREFIX}*"))


class PictureSpool:
    """A temporary file of pictures; to be closed after the page is written."""

    def __init__(self, folder: Path) -> None:
        """Open the file in `folder`, which exists; ReportError where that is impossible."""
        self._end = 0
        try:
            file = tempfile.TemporaryFile(dir=folder, prefix=_PREFIX)  # noqa: SIM115 - __exit__
        except OSError as error:
            raise _cannot_keep(error) from error
        self._file: IO[bytes] = file

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let the pictures go."""
        with contextlib.suppress(OSError):  # a full disk, which `keep` has told of
            self._file.close()

    def keep(self, picture: bytes) -> SpooledPicture:
        """Write a picture to the disk and return its place; ReportError where the disk is full."""
        place = SpooledPicture(file=self._file, start=self._end, size=len(picture))
        try:
            self._file.seek(self._end)
            self._file.write(picture)
        except OSError as error:
            raise _cannot_keep(error) from error
        self._end += len(picture)
        return place


def _cannot_keep(error: OSError) -> ReportError:
    why = error.strerror or type(error).__name__
    return ReportError(
        f"The films' small pictures cannot be kept ({why}): free the disk or name another folder "
        "with --out."
    )
