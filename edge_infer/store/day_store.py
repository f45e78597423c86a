"""The durable day: one SQLite file beside the lists that says what was seen and what was found.

`day.sqlite` is the truth and the lists are written from it, so a PC switched off at any instant
loses at most the films of the last half second, which the next run screens again. A rollback
journal and `synchronous=FULL`; no WAL, for a clinic's folder may be a network drive, where WAL's
shared memory does not work. `store_owner` lets one writer in.

- `film`: what the network or the reader said, once per content and reading mode (SHA-256 of the
  file + SHA-256 of the model + preprocessing version + decode mode), whatever the file's name.
- `path`: one row per place in the inputs, first seen on `first_seen`, with the content found there
  last. Its own refusal stands where there is no content to speak of (it cannot be opened, it
  crashes the decoder), and while the file is arriving. Of a file that has vanished since, the row
  stays with what was found; only one that vanished while it was arriving (a copier's name for the
  unfinished file) goes.
- `input`: the folders and files given on the command line. A place belongs to the input under
  which it was first seen, whoever names it later, so no spelling and no folder above doubles it.
- `patient`: who the film is of, by content; empty unless `--include-patient` filled it.
"""

from __future__ import annotations

import dataclasses
import json
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Final, Self

from edge_infer.errors import ImageError, ReasonCode, ReportError
from edge_infer.films.study import Identity
from edge_infer.store import owner as store_owner
from edge_infer.store.connection import (
    STORE_NAME,
    connect_day,
    converted,
    read_files,
    read_inputs,
)
from edge_infer.store.day_files import CheckedFile, GivenInput, SeenFiles, StoredFile
from edge_infer.store.film_record import FilmOutcome, ReadingMode, from_columns, to_columns

TRANSIENT: Final = frozenset(
    {
        ReasonCode.ARRIVING,
        ReasonCode.CANNOT_OPEN,
        ReasonCode.DECODER_CRASHED,
        ReasonCode.DECODER_TIMEOUT,
    }
)
"""Reasons that lie in the PC or the moment as much as in the file: every run tries again."""


class DayStore:
    """An open store with its owner record; `close` it, or the next run waits for its death."""

    def __init__(self, folder: Path, connection: sqlite3.Connection, token: str) -> None:
        self.folder = folder
        self._connection, self._token = connection, token
        self._heartbeat = store_owner.Heartbeat(folder / STORE_NAME, token)

    @classmethod
    def open(
        cls,
        folder: Path,
        *,
        connect: Callable[..., sqlite3.Connection] = sqlite3.connect,
        wait: Callable[[float], None] = time.sleep,
    ) -> DayStore:
        """Open or begin the day in `folder`, which exists, and become its one writer.

        Raises ReportError where another writer lives, where the folder cannot lock or be written,
        and where the store is damaged or of another version.
        """
        with converted(folder):
            connection = connect_day(folder, connect)
            try:
                token = store_owner.claim(connection, folder, wait=wait)
                connection.execute("UPDATE day SET is_open = 1")
            except BaseException:
                connection.close()
                raise
        return cls(folder, connection, token)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop the heartbeat and let the next writer in."""
        self._heartbeat.stop()
        with closing(self._connection), converted(self.folder):
            store_owner.release(self._connection, self._token)

    def mark_finished(self) -> None:
        """Say that every row of the day has its final outcome."""
        with self._writing() as connection:
            connection.execute("UPDATE day SET is_open = 0")

    def register(self, seen: SeenFiles, *, today: str) -> None:
        """Give each new place its row, in this order; `today` is the local date, YYYY-MM-DD.

        A single input whose files all have their rows already is no new input of the day.
        """
        with self._writing() as connection:
            known = {place for (place,) in connection.execute("SELECT place FROM path")}
            new = [file for file in seen.files if file.place not in known]
            connection.executemany(
                "INSERT OR IGNORE INTO input (place, name, is_file) VALUES (?, ?, ?)",
                [
                    (given.place, given.name, given.is_file)
                    for given in seen.inputs
                    if new or len(seen.inputs) > 1
                ],
            )
            connection.executemany(
                "INSERT INTO path (place, opened, input, tail, first_seen) "
                "SELECT ?, ?, id, ?, ? FROM input WHERE place = ?",
                [
                    (file.place, json.dumps(str(file.path)), file.tail, today, file.given.place)
                    for file in new
                ],
            )

    def forget(self, places: Sequence[bytes]) -> None:
        """Take back the rows of files that vanished before they had arrived, as a copier's do."""
        with self._writing() as connection:
            connection.executemany(
                "DELETE FROM path WHERE place = ? "
                "AND (sha256 IS NULL OR coalesce(reason_code, '') = 'arriving')",
                [(place,) for place in places],
            )

    def final_hashes(
        self, mode: ReadingMode, *, package: str, include_patient: bool
    ) -> frozenset[str]:
        """Return the contents that need no further look: scored, or refused by this package."""
        query = (
            "SELECT sha256, reason_code FROM film WHERE mode = ? "
            "AND (logits IS NOT NULL OR package = ?)"
        )
        if include_patient:
            query += " AND sha256 IN (SELECT sha256 FROM patient)"
        with converted(self.folder):
            found = self._connection.execute(query, (mode.as_text(), package))
            return frozenset(sha256 for sha256, code in found if code not in TRANSIENT)

    def record(
        self,
        checked: Sequence[CheckedFile],
        mode: ReadingMode,
        *,
        package: str,
        include_patient: bool,
    ) -> None:
        """Keep what was found, all of it or (where the disk is full) none: ReportError."""
        with self._writing() as connection:
            for file in checked:
                _update_path(connection, file)
                if file.sha256 is None or file.outcome is None:
                    continue
                columns = to_columns(file.outcome)
                columns |= {"sha256": file.sha256, "mode": mode.as_text(), "package": package}
                _replace(connection, "film", columns)
                if include_patient:
                    identity = file.outcome.study.identity if file.outcome.study else Identity()
                    text = json.dumps(dataclasses.asdict(identity))
                    _replace(connection, "patient", {"sha256": file.sha256, "identity": text})

    def inputs(self) -> list[GivenInput]:
        """Return the inputs of the day, in order of first use."""
        with converted(self.folder):
            return list(read_inputs(self._connection).values())

    def files(self) -> list[StoredFile]:
        """Return every row of the day, in order of row numbers."""
        with converted(self.folder):
            return read_files(self._connection)

    def outcomes(
        self, mode: ReadingMode, *, include_patient: bool
    ) -> Iterator[tuple[StoredFile, FilmOutcome | None]]:
        """Yield every row with its outcome, None where it has none; identity only if asked for."""
        cursor = self._connection.cursor()
        cursor.row_factory = sqlite3.Row
        # Film by film: a day's thumbnails are not held twice.
        with converted(self.folder), closing(cursor):
            films = cursor.execute(_OUTCOMES, (include_patient, mode.as_text()))
            for file, film in zip(self.files(), films, strict=True):
                columns = dict(film)
                known = columns["identity"]
                identity = Identity(**json.loads(known)) if known else None
                yield file, from_columns(columns, identity)

    def mark_audited(self, lines: dict[int, str]) -> None:
        """Remember what the audit trail says of each row."""
        with self._writing() as connection:
            connection.executemany(
                "UPDATE path SET audited = ? WHERE row = ?",
                [(line, row) for row, line in lines.items()],
            )

    def require_ownership(self) -> None:
        """Raise ReportError where another run took the day over meanwhile."""
        with converted(self.folder):
            if not store_owner.is_owner(self._connection, self._token):
                raise ReportError(
                    f"Another cxr-infer took over {self.folder} while this PC stood still, and "
                    "goes on with it: look there, nothing is lost."
                )

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with converted(self.folder):
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                self.require_ownership()
                yield self._connection
                self._connection.execute("COMMIT")
            except BaseException:
                # SQLite has rolled back by itself where the disk is full.
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise


# A place's own refusal stands while the file is arriving, and where its content has no outcome
# under this mode.
_OUTCOMES = """
SELECT row, cam_shape, thumbnail, study, identity,
  CASE WHEN is_own THEN NULL ELSE logits END AS logits,
  CASE WHEN is_own THEN NULL ELSE cam END AS cam,
  CASE WHEN is_own THEN own_refusal ELSE refusal END AS refusal,
  CASE WHEN is_own THEN own_code ELSE reason_code END AS reason_code,
  CASE WHEN is_own THEN own_reason ELSE reason END AS reason
FROM (
  SELECT path.row, film.*, patient.identity, path.refusal AS own_refusal,
    path.reason_code AS own_code, path.reason AS own_reason,
    path.refusal IS NOT NULL AND (path.reason_code = 'arriving' OR film.sha256 IS NULL) AS is_own
  FROM path LEFT JOIN patient ON ? AND patient.sha256 = path.sha256
  LEFT JOIN film ON film.sha256 = path.sha256 AND film.mode = ?
) ORDER BY row
"""


def _update_path(connection: sqlite3.Connection, file: CheckedFile) -> None:
    own = file.arriving or (file.outcome if file.sha256 is None else None)
    assert own is None or isinstance(own, ImageError), "a score has content"
    refusal = to_columns(own) if own is not None else {}
    size, mtime_ns, sha256, changed_at, checked_at = connection.execute(
        "SELECT size, mtime_ns, sha256, changed_at, checked_at FROM path WHERE place = ?",
        (file.place,),
    ).fetchone()
    now = (file.size, file.mtime_ns, file.sha256)
    if file.sha256 is None and file.size in (None, size) and file.mtime_ns in (None, mtime_ns):
        # It has vanished, or another program holds it: what was found there still stands.
        now = (size, mtime_ns, sha256)
    is_same = changed_at is not None and now == (size, mtime_ns, sha256)
    connection.execute(
        "UPDATE path SET size = ?, mtime_ns = ?, sha256 = ?, changed_at = ?, checked_at = ?, "
        "refusal = ?, reason_code = ?, reason = ? WHERE place = ?",
        (
            *(*now, changed_at if is_same else file.checked_at),
            checked_at if file.sha256 is None else file.checked_at,
            *(refusal.get(name) for name in ("refusal", "reason_code", "reason")),
            file.place,
        ),
    )


def _replace(connection: sqlite3.Connection, table: str, columns: dict[str, Any]) -> None:
    marks = ", ".join("?" for _ in columns)
    connection.execute(
        f"INSERT OR REPLACE INTO {table} ({', '.join(columns)}) VALUES ({marks})",
        tuple(columns.values()),
    )
