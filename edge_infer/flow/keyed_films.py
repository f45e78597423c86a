"""Look at a file for the day's store: what is its content, and if that is new, what does it show.

The content's SHA-256 is computed by the worker that reads the film, just before and from the same
bytes. A content whose outcome the store has is hashed and not decoded. Two copies of a new film in
one run may both be decoded, side by side; their one key has one outcome.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Generic, TypeVar

from edge_infer.errors import ImageError, ReasonCode, UnreadableImage
from edge_infer.films.file import FilmFile, open_film_file, take

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
    path: Path, *, read: Callable[[FilmFile], Film], known: frozenset[str]
) -> KeyedFilm[Film]:
    """Hash the file and, unless its content is known, read it; runs in a worker.

    Raises ImageError where there is no content to hash: the file cannot be opened, is larger than
    1 GiB, or changes while it is read.
    """
    for _ in range(_ATTEMPTS):
        keyed = _read_once(path, read, known)
        if keyed is not None:
            return keyed
    raise UnreadableImage(
        "The file is still being written, so it is not screened yet; run again when it is there.",
        ReasonCode.ARRIVING,
    )


def _read_once(
    path: Path, read: Callable[[FilmFile], Film], known: frozenset[str]
) -> KeyedFilm[Film] | None:
    """Return what the file holds, or None where it changed meanwhile: a copier may be at work."""
    film: Film | ImageError | None = None
    with open_film_file(path) as file:
        sha256 = _hash(file.stream)
        if sha256 not in known:
            try:
                film = read(file)
            except ImageError as error:
                # Its traceback would keep the file's bytes alive, in a cycle with this very frame.
                film = type(error)(str(error), error.code, error.study)
    # A file in memory is what was hashed, whatever happens to it; a larger one only if unchanged.
    if not file.is_unchanged():
        return None
    return KeyedFilm(sha256=sha256, size=file.size, mtime_ns=file.mtime_ns, film=film)


def _hash(stream: BinaryIO) -> str:
    """Return the SHA-256 of what follows, and go back to the start."""
    digest = hashlib.sha256()
    while chunk := take(stream, _CHUNK):
        digest.update(chunk)
    stream.seek(0)
    return digest.hexdigest()
