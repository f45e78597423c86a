"""A film's file, opened once: what is hashed and what is decoded are the same bytes.

Here, and nowhere else, the operating system's errors of opening and reading become ImageErrors.
"""

from __future__ import annotations

import io
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from edge_infer.errors import ReasonCode, UnreadableImage, UnsupportedImage
from edge_infer.pc.long_paths import reachable

MAX_FILE_BYTES = 2**30
"""1 GiB: a 120-megapixel film of 16 bits is 0.22 GiB, so nothing larger is one film."""
WHOLE_BYTES = 2**26
"""64 MiB: up to here a file is read into memory before anything looks at it. Films are smaller (of
16 bits, 2500 x 2048 are 10 MB, 4300 x 4300 are 37 MB), and four workers stay under 1 GB together:
781 MiB with 64 MB each. What is larger (a stray disc image) is hashed and read in pieces, through
the open file."""


@dataclass(frozen=True, kw_only=True)
class FilmFile:
    """A regular file of a sane size, open for reading."""

    path: Path
    size: int
    """Bytes, as the file system gave it before the file was read; so is `mtime_ns`."""
    mtime_ns: int
    stream: BinaryIO = field(repr=False)
    """The content, standing at its start: in memory (io.BytesIO) or, above WHOLE_BYTES, on disk."""

    def is_unchanged(self) -> bool:
        """Tell whether size and time are still those from before reading: a copier may write."""
        try:
            status = reachable(self.path).stat()
        except OSError:
            return False
        return (status.st_size, status.st_mtime_ns) == (self.size, self.mtime_ns)


@contextmanager
def open_film_file(path: Path) -> Iterator[FilmFile]:
    """Open the file at `path`; its stream, and the memory behind it, end with the `with` block.

    Raises UnreadableImage CANNOT_OPEN, also for what is no regular file (opening a FIFO would wait
    for ever), or UnsupportedImage TOO_LARGE; so may later reads from the stream.
    """
    film = _open(path)
    with film.stream:
        yield film


def take(stream: BinaryIO, size: int) -> bytes | memoryview:
    """Read `size` bytes, or all there are; a view where they are in memory already.

    A view keeps the whole file alive: it must not outlive the film's reading.
    """
    if not isinstance(stream, io.BytesIO):
        return stream.read(size)
    start = stream.tell()
    # Unlike `getbuffer`, `getvalue` copies nothing; `read` does: 10 MB took 3 ms of a film's 20.
    part = memoryview(stream.getvalue())[start : start + size]
    stream.seek(start + len(part))
    return part


class _DiskStream(io.BufferedReader):
    """An open file whose reads fail with an ImageError."""

    def read(self, size: int | None = -1, /) -> bytes:
        try:
            return super().read(size)
        except OSError as error:
            raise _cannot_open(error) from error


def _open(path: Path) -> FilmFile:
    try:
        place = reachable(path)
        status = place.stat()
        _require_readable(status.st_mode, status.st_size)
        disk = _DiskStream(place.open("rb", buffering=0))
    except OSError as error:
        raise _cannot_open(error) from error
    stream: BinaryIO = disk
    if status.st_size <= WHOLE_BYTES:
        with disk:
            stream = io.BytesIO(disk.read())
    return FilmFile(path=path, size=status.st_size, mtime_ns=status.st_mtime_ns, stream=stream)


def _require_readable(mode: int, size: int) -> None:
    if not stat.S_ISREG(mode):
        raise UnreadableImage(
            "This cannot be opened: it is not a regular file.", ReasonCode.CANNOT_OPEN
        )
    if size > MAX_FILE_BYTES:
        raise UnsupportedImage(
            f"The file is too large for one film: {size / 2**30:.1f} GiB, the limit is 1 GiB.",
            ReasonCode.TOO_LARGE,
        )


def _cannot_open(error: OSError) -> UnreadableImage:
    return UnreadableImage(
        f"The file cannot be opened: {error.strerror or type(error).__name__}.",
        ReasonCode.CANNOT_OPEN,
    )
