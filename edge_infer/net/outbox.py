"""What has been made of which film, and what still has to be sent where; it survives a kill.

SQLite with a rollback journal and `synchronous=FULL`, as a day's record. An object is entered once
its file is on the disk, and leaves the list of what waits once the other side has said that it has
it; sent twice after a kill in between, it is the same object by its UID.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from edge_infer.errors import ReportError

OUTBOX_NAME: Final = "outbox.sqlite"
FIRST_WAIT_S, LONGEST_WAIT_S = 5.0, 600.0
MOST_REFUSALS: Final = 5
"""So often an object that is refused for itself is sent again; a busy or silent node is not
counted."""
_SCHEMA = """
CREATE TABLE IF NOT EXISTS made (
  sha256 TEXT NOT NULL, settings TEXT NOT NULL, names TEXT NOT NULL, note TEXT NOT NULL,
  PRIMARY KEY (sha256, settings)
);
CREATE TABLE IF NOT EXISTS sent (
  name TEXT NOT NULL, target TEXT NOT NULL, state TEXT NOT NULL, tries INTEGER NOT NULL,
  refusals INTEGER NOT NULL, next_at REAL NOT NULL, said TEXT NOT NULL, PRIMARY KEY (name, target)
);
"""


@dataclass(frozen=True, kw_only=True)
class Counts:
    """How far one target is."""

    sent: int
    waiting: int
    refused: int


class Outbox:
    """The record in a folder of results; `close` it."""

    def __init__(self, folder: Path) -> None:
        """Open or begin it; ReportError where that is impossible."""
        self._folder = folder
        with self._converted():
            self._connection = sqlite3.connect(
                folder / OUTBOX_NAME, timeout=20.0, isolation_level=None
            )
            self._connection.execute("PRAGMA journal_mode = DELETE")
            self._connection.execute("PRAGMA synchronous = FULL")
            self._connection.executescript(_SCHEMA)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def made(self, settings: str) -> dict[str, tuple[str, ...]]:
        """Return names of files by content, of all that was made, or found impossible, so."""
        with self._converted():
            rows = self._connection.execute(
                "SELECT sha256, names FROM made WHERE settings = ?", (settings,)
            )
            return {sha256: tuple(json.loads(names)) for sha256, names in rows}

    def note_made(
        self,
        sha256: str,
        settings: str,
        names: Sequence[str],
        *,
        note: str,
        targets: Collection[str],
    ) -> None:
        """Enter what was made of a content, and that it is to be sent to `targets`."""
        with self._converted():
            self._connection.execute("BEGIN IMMEDIATE")
            self._connection.execute(
                "INSERT OR REPLACE INTO made VALUES (?, ?, ?, ?)",
                (sha256, settings, json.dumps(list(names)), note),
            )
            self._enqueue(names, targets)
            self._connection.execute("COMMIT")

    def enqueue(self, names: Collection[str], targets: Collection[str]) -> None:
        """Enter what is to be sent to `targets`; what was entered before stays as it is."""
        with self._converted():
            self._connection.execute("BEGIN IMMEDIATE")
            self._enqueue(names, targets)
            self._connection.execute("COMMIT")

    def due(self, target: str, *, now: float) -> list[str]:
        """Return what is to be sent to this target by now, the longest waiting first."""
        with self._converted():
            rows = self._connection.execute(
                "SELECT name FROM sent WHERE target = ? AND state = 'waiting' AND next_at <= ? "
                "ORDER BY rowid",
                (target, now),
            )
            return [name for (name,) in rows]

    def waiting(self) -> set[str]:
        """Return what is still to be sent to any target."""
        with self._converted():
            rows = self._connection.execute("SELECT name FROM sent WHERE state = 'waiting'")
            return {name for (name,) in rows}

    def note_sent(self, name: str, target: str, said: str) -> None:
        """Enter that the other side has an object."""
        with self._converted():
            self._connection.execute(
                "UPDATE sent SET state = 'sent', tries = tries + 1, said = ? "
                "WHERE name = ? AND target = ?",
                (said, name, target),
            )

    def note_failure(
        self, names: Sequence[str], target: str, said: str, *, now: float, is_refusal: bool
    ) -> None:
        """Enter that objects are to be sent again later; after some refusals they are not."""
        with self._converted():
            self._connection.execute("BEGIN IMMEDIATE")
            for name in names:
                (tries, refusals) = self._connection.execute(
                    "SELECT tries, refusals FROM sent WHERE name = ? AND target = ?", (name, target)
                ).fetchone()
                refusals += is_refusal
                state = "refused" if refusals >= MOST_REFUSALS else "waiting"
                wait = min(LONGEST_WAIT_S, FIRST_WAIT_S * 2 ** min(tries, 10))
                self._connection.execute(
                    "UPDATE sent SET tries = ?, refusals = ?, state = ?, next_at = ?, said = ? "
                    "WHERE name = ? AND target = ?",
                    (tries + 1, refusals, state, now + wait, said, name, target),
                )
            self._connection.execute("COMMIT")

    def count(self, target: str) -> Counts:
        with self._converted():
            rows = dict(
                self._connection.execute(
                    "SELECT state, count(*) FROM sent WHERE target = ? GROUP BY state", (target,)
                ).fetchall()
            )
        return Counts(
            sent=rows.get("sent", 0),
            waiting=rows.get("waiting", 0),
            refused=rows.get("refused", 0),
        )

    def _enqueue(self, names: Collection[str], targets: Collection[str]) -> None:
        self._connection.executemany(
            "INSERT OR IGNORE INTO sent VALUES (?, ?, 'waiting', 0, 0, 0, '')",
            [(name, target) for target in targets for name in names],
        )

    @contextmanager
    def _converted(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            if getattr(self, "_connection", None) is not None and self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise ReportError(
                f"The outbox in {self._folder} cannot be kept ({error}): free the disk, or move "
                f"{OUTBOX_NAME} away and run again; what was made is found again by its UID."
            ) from error
