"""Look at a file for the day's store: what is its content, and if that is new, what does it show.

The content's SHA-256 is computed by the worker that reads the film, just before. A content whose
outcome the store has is hashed and not decoded. Two copies of a new film in one run may both be
decoded, side by side; their one key has one outcome.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, TypeVar

from edge_infer.errors import ImageError, ReasonCode, UnreadableImage
from edge_infer.films.radiograph import MAX_FILE_BYTES

Film = TypeVar("Film")
_CHUNK = 1 << 20
_ATTEMPTS = 3


@dataclass(frozen=True, kw_only=True)
class KeyedFilm(Generic[Film]):
    """What a look at one file found."""

    sha256: str
    size: int
    mtime_ns: int
    film: Film | ImageError | None = field(repr=False)
    """None where the content was known."""


def read_keyed(
    path: Path, *, read: Callable[[Path], Film], known: frozenset[str]
) -> KeyedFilm[Film]:
    """Hash the file and, unless its content is known, read it; runs in a worker.

    Raises ImageError where there is no content to hash: the file cannot be opened, is larger than
    1 GiB, or changes while it is read.
    """
    for _ in range(_ATTEMPTS):
        before = _stat(path)
        if before is None or not stat.S_ISREG(before.st_mode) or before.st_size > MAX_FILE_BYTES:
            read(path)  # says why
        sha256 = _hash(path)
        film: Film | ImageError | None = None
        if sha256 not in known:
            try:
                film = read(path)
            except ImageError as error:
                film = error
        after = _stat(path)
        # What was read must be what was hashed; a copier may be at work.
        if before is not None and after is not None and _state(before) == _state(after):
            return KeyedFilm(
                sha256=sha256, size=after.st_size, mtime_ns=after.st_mtime_ns, film=film
            )
    raise UnreadableImage(
        "The file is still being written, so it is not screened yet; run again when it is there.",
        ReasonCode.ARRIVING,
    )


def _hash(path: Path) -> str:
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK):
                digest.update(chunk)
    except OSError as error:
        raise UnreadableImage(
            f"The file cannot be opened: {error.strerror or type(error).__name__}.",
            ReasonCode.CANNOT_OPEN,
        ) from error
    return digest.hexdigest()


def _stat(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except OSError:
        return None


def _state(status: os.stat_result) -> tuple[int, int]:
    return status.st_size, status.st_mtime_ns
