"""Look at a file: what is its content, and if that is new, what does it show.

The content's SHA-256 is computed by the worker that reads the film, just before and from the same
bytes. A content whose outcome the store has is hashed and not decoded. Two copies of a new film in
one run may both be decoded, side by side; their one key has one outcome.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Generic, TypeVar

from edge_infer.errors import ImageError, ReasonCode, UnreadableImage
from edge_infer.films.file import FilmFile, open_film_file, take
from edge_infer.pc.long_paths import reachable

Film = TypeVar("Film")
_CHUNK = 1 << 20
_ATTEMPTS = 3


@dataclass(frozen=True, kw_only=True)
class Look(Generic[Film]):
    """What a look at one file found."""

    size: int | None
    mtime_ns: int | None
    """None, as `size`, where the file system does not say."""
    sha256: str | None
    """None where there was no content to hash; the outcome is then the place's own refusal."""
    outcome: Film | ImageError | None = field(repr=False)
    """None where the content was known."""
    place: bytes = b""
    """Which file of the day it was; a worker need not know."""
    at: float = 0.0
    """When it was finished, in seconds of `time.time`; 0.0 from a worker."""
    arriving: ImageError | None = None
    """Stands in the list instead of the outcome while the file may still be growing."""


def look_at(path: Path, *, read: Callable[[FilmFile], Film], known: frozenset[str]) -> Look[Film]:
    """Hash the file and, unless its content is known, read it; runs in a worker.

    Raises ImageError where there is no content to hash: the file cannot be opened, is larger than
    1 GiB, or changes while it is read.
    """
    for _ in range(_ATTEMPTS):
        look = _look_once(path, read, known)
        if look is not None:
            return look
    raise UnreadableImage(
        "The file is still being written, so it is not screened yet; run again when it is there.",
        ReasonCode.ARRIVING,
    )


def without_content(path: Path, refusal: ImageError) -> Look[Film]:
    """Return the look at a file whose content nobody could read."""
    status = None
    with contextlib.suppress(OSError):
        status = reachable(path).stat()
    return Look(
        size=status.st_size if status else None,
        mtime_ns=status.st_mtime_ns if status else None,
        sha256=None,
        outcome=refusal,
    )


def _look_once(
    path: Path, read: Callable[[FilmFile], Film], known: frozenset[str]
) -> Look[Film] | None:
    """Return what the file holds, or None where it changed meanwhile: a copier may be at work."""
    outcome: Film | ImageError | None = None
    with open_film_file(path) as file:
        sha256 = _hash(file.stream)
        if sha256 not in known:
            try:
                outcome = read(file)
            except ImageError as error:
                # Its traceback would keep the file's bytes alive, in a cycle with this very frame.
                outcome = type(error)(str(error), error.code, error.study, error.thumbnail)
    # A file in memory is what was hashed, whatever happens to it; a larger one only if unchanged.
    if not file.is_unchanged():
        return None
    return Look(size=file.size, mtime_ns=file.mtime_ns, sha256=sha256, outcome=outcome)


def hash_file(path: Path) -> str:
    """Return the SHA-256 that a look at the file would give; raises ImageError."""
    with open_film_file(path) as file:
        return _hash(file.stream)


def _hash(stream: BinaryIO) -> str:
    """Return the SHA-256 of what follows, and go back to the start."""
    digest = hashlib.sha256()
    while chunk := take(stream, _CHUNK):
        digest.update(chunk)
    stream.seek(0)
    return digest.hexdigest()
