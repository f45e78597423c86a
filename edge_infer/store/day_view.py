"""A day's store beside its owner: the desk reads it, and says things of films.

Every call opens the store for itself, so any thread may call; a read holds its lock for
milliseconds, and what the owner writes meanwhile waits that long.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge_infer.films.find import GivenInput
from edge_infer.store import marks as store_marks
from edge_infer.store.day_store import (
    StoredFile,
    connect_day,
    converted,
    read_inputs,
    read_outcomes,
)
from edge_infer.store.outcome import FilmOutcome, ReadingMode, read_map
from edge_infer.worklist.marks import MarkKind, Marks


@dataclass(frozen=True, kw_only=True)
class SeenDay:
    """A day as it was at one instant, without its pictures."""

    inputs: tuple[GivenInput, ...]
    films: tuple[tuple[StoredFile, FilmOutcome | None], ...]
    marks: dict[str, Marks]
    """By content."""


class DayView:
    """The day in a folder; it may have an owner, or none."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def read(self, mode: ReadingMode, *, include_patient: bool) -> SeenDay:
        """Return the day as it is now; raises ReportError."""
        with self._reading() as connection:
            films = read_outcomes(
                connection, mode, include_patient=include_patient, with_pictures=False
            )
            return SeenDay(
                inputs=tuple(read_inputs(connection).values()),
                films=tuple(films),
                marks=store_marks.read_marks(connection),
            )

    def thumbnail(self, sha256: str, mode: ReadingMode) -> bytes:
        """Return a content's small picture, a JPEG; empty where there is none."""
        with self._reading() as connection:
            found = connection.execute(
                "SELECT thumbnail FROM film WHERE sha256 = ? AND mode = ?", (sha256, mode.as_text())
            ).fetchone()
        return bytes(found[0]) if found and found[0] else b""

    def map(self, sha256: str, mode: ReadingMode) -> NDArray[np.float32] | None:
        """Return a content's class activation maps [K, h, w], or None."""
        with self._reading() as connection:
            found = connection.execute(
                "SELECT cam, cam_shape FROM film WHERE sha256 = ? AND mode = ?",
                (sha256, mode.as_text()),
            ).fetchone()
        return read_map(*found) if found and found[0] else None

    def modes(self) -> set[str]:
        """Return the models and readings under which the day has films."""
        with self._reading() as connection:
            return {mode for (mode,) in connection.execute("SELECT DISTINCT mode FROM film")}

    def add_mark(
        self, contents: Collection[str], kind: MarkKind, value: str, *, now: datetime
    ) -> int:
        """Say the same of several contents, and wait until the disk has it; return the step.

        Raises ReportError.
        """
        with self._writing() as connection:
            return store_marks.add_mark(connection, contents, kind, value, now=now)

    def undo(self, step: int, *, now: datetime) -> int | None:
        """Take a step back; None where something newer was said since. Raises ReportError."""
        with self._writing() as connection:
            return store_marks.undo_step(connection, step, now=now)

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        with converted(self.folder), closing(connect_day(self.folder)) as connection:
            connection.execute("BEGIN")
            yield connection

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with converted(self.folder), closing(connect_day(self.folder)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            yield connection
            connection.execute("COMMIT")


class Changes:
    """Tells whether anything was written into a day since the last time it was asked.

    Of one thread: it keeps the store open. Raises ReportError.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._seen: int | None = None
        with converted(folder):
            self._connection = connect_day(folder)

    def any(self) -> bool:
        """Return True at the first call, and after any commit of somebody else's."""
        with converted(self.folder):
            (version,) = self._connection.execute("PRAGMA data_version").fetchone()
        before, self._seen = self._seen, int(version)
        return before != self._seen

    def close(self) -> None:
        self._connection.close()
