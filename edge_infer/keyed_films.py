"""Look at files for the day's store: what is their content, and if it is new, what does it show.

The content's SHA-256 is computed by the worker that reads the film, just before. A content whose
outcome the store has is hashed and not decoded. Two copies of a new film in one run may both be
decoded, side by side; their one key has one outcome.
"""

from __future__ import annotations

import hashlib
import os
import stat
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from edge_infer.day.day_files import CheckedFile, SeenFile
from edge_infer.day.film_record import ReadingMode, ScoredFilm
from edge_infer.errors import ImageError, ReasonCode, UnreadableImage
from edge_infer.films.isolation import run_isolated
from edge_infer.films.radiograph import MAX_FILE_BYTES
from edge_infer.model.classifier import Classifier
from edge_infer.model.preprocess import PREPROCESSING_VERSION
from edge_infer.screen import PreparedFilm, prepare_film

_CHUNK = 1 << 20
_ATTEMPTS = 3
DECODE_MODE = "full"


@dataclass(frozen=True, kw_only=True)
class KeyedFilm:
    """What a worker sends back of one file."""

    sha256: str
    size: int
    mtime_ns: int
    film: PreparedFilm | ImageError | None = field(repr=False)
    """None where the content was known."""


def reading_mode(classifier: Classifier) -> ReadingMode:
    """Return what, beside a film's content, its outcome depends on."""
    return ReadingMode(
        model_sha256=classifier.sha256,
        preprocessing=PREPROCESSING_VERSION,
        decode_mode=DECODE_MODE,
    )


def check_films(
    files: Sequence[SeenFile],
    classifier: Classifier,
    *,
    known: frozenset[str],
    workers: int,
    include_patient: bool,
) -> Generator[CheckedFile, None, None]:
    """Yield exactly one look per file, in order of completion.

    Contents in `known` are hashed only. Closing the generator ends the workers. Only an ImageError
    becomes an outcome: a bug of ours is raised.
    """
    read = partial(
        prepare_film,
        height=classifier.card.input.height,
        width=classifier.card.input.width,
        include_patient=include_patient,
    )
    work = partial(read_keyed, read=read, known=known)
    waiting = set(range(len(files)))
    with closing(run_isolated(work, [file.path for file in files], workers=workers)) as results:
        for index, result in results:
            waiting.remove(index)
            yield _to_checked(files[index], result, classifier)
    assert not waiting, "a file was given to a worker and never came back"


def read_keyed(
    path: Path, *, read: Callable[[Path], PreparedFilm], known: frozenset[str]
) -> KeyedFilm:
    """Hash the file and, unless its content is known, read it; runs in a worker.

    Raises ImageError where there is no content to hash: the file cannot be opened, is larger than
    1 GiB, or changes while it is read.
    """
    for _ in range(_ATTEMPTS):
        before = _stat(path)
        if before is None or not stat.S_ISREG(before.st_mode) or before.st_size > MAX_FILE_BYTES:
            read(path)  # says why
        sha256 = _hash(path)
        film: PreparedFilm | ImageError | None = None
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


def _to_checked(
    file: SeenFile, result: KeyedFilm | ImageError, classifier: Classifier
) -> CheckedFile:
    if isinstance(result, ImageError):
        now = _stat(file.path)
        return CheckedFile(
            place=file.place,
            size=now.st_size if now else None,
            mtime_ns=now.st_mtime_ns if now else None,
            sha256=None,
            checked_at=time.time(),
            outcome=result,
        )
    film = result.film
    return CheckedFile(
        place=file.place,
        size=result.size,
        mtime_ns=result.mtime_ns,
        sha256=result.sha256,
        checked_at=time.time(),
        outcome=_run_network(film, classifier) if isinstance(film, PreparedFilm) else film,
    )


def _run_network(film: PreparedFilm, classifier: Classifier) -> ScoredFilm:
    # One film at a time, as in `screen`: a score must not depend on its neighbours.
    output = classifier.run(film.image[None])
    return ScoredFilm(
        logits=output.logits[0], cam=output.cam[0], thumbnail=film.thumbnail, study=film.study
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
