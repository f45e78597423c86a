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
- `mark`: what people at the desk said of a content; see `marks.py`. Not there until one is said.
"""

from __future__ import annotations

import dataclasses
import json
import sqlite3
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

from edge_infer.errors import ImageError, ReasonCode, ReportError
from edge_infer.films.find import FoundFilm, FoundFilms, GivenInput
from edge_infer.films.look import Look
from edge_infer.films.study import Identity
from edge_infer.store import marks as store_marks
from edge_infer.store import owner as store_owner
from edge_infer.store.outcome import (
    FilmOutcome,
    ReadingMode,
    ScoredFilm,
    from_columns,
    to_columns,
)
from edge_infer.worklist.marks import Marks

STORE_NAME: Final = "day.sqlite"
_VERSION: Final = 1
_BUSY_S: Final = 20.0
_SCHEMA = """
CREATE TABLE IF NOT EXISTS day (one INTEGER PRIMARY KEY CHECK (one = 1), is_open INTEGER NOT NULL);
INSERT OR IGNORE INTO day VALUES (1, 0);
CREATE TABLE IF NOT EXISTS input (
  id INTEGER PRIMARY KEY, place BLOB NOT NULL UNIQUE, name TEXT NOT NULL, is_file INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS path (
  row INTEGER PRIMARY KEY AUTOINCREMENT, place BLOB NOT NULL UNIQUE, opened TEXT NOT NULL,
  input INTEGER NOT NULL REFERENCES input, tail TEXT NOT NULL, first_seen TEXT NOT NULL,
  size INTEGER, mtime_ns INTEGER, changed_at REAL, checked_at REAL, sha256 TEXT,
  refusal TEXT, reason_code TEXT, reason TEXT, audited TEXT NOT NULL DEFAULT ''
);
CREATE TABLE IF NOT EXISTS film (
  sha256 TEXT NOT NULL, mode TEXT NOT NULL, package TEXT NOT NULL,
  logits BLOB, cam BLOB, cam_shape TEXT, thumbnail BLOB,
  refusal TEXT, reason_code TEXT, reason TEXT, study TEXT,
  PRIMARY KEY (sha256, mode)
);
CREATE TABLE IF NOT EXISTS patient (sha256 TEXT PRIMARY KEY, identity TEXT NOT NULL);
"""
_FULL = ("SQLITE_FULL", "SQLITE_IOERR_WRITE", "SQLITE_IOERR_FSYNC", "SQLITE_IOERR_TRUNCATE")
_GONE = ("SQLITE_IOERR", "SQLITE_READONLY")
"""What is said of an open database whose file is no longer there."""
_DAMAGED = ("SQLITE_CORRUPT", "SQLITE_NOTADB")
TRANSIENT: Final = frozenset(
    {
        ReasonCode.ARRIVING,
        ReasonCode.CANNOT_OPEN,
        ReasonCode.DECODER_CRASHED,
        ReasonCode.DECODER_TIMEOUT,
    }
)
"""Reasons that lie in the PC or the moment as much as in the file: every run tries again."""


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredFile:
    """One row of the day: a place, and what was found there last."""

    row: int
    found: FoundFilm
    first_seen: str
    """Local date, YYYY-MM-DD."""
    size: int | None
    mtime_ns: int | None
    changed_at: float | None
    """When a change was last found, in seconds of `time.time`; None before the first look."""
    checked_at: float | None
    """When the content was last hashed."""
    sha256: str | None
    reason_code: ReasonCode | None
    """Of a refusal that is the place's own and not its content's."""
    audited: str
    """What the audit trail says of it last."""


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

    def register(self, found: FoundFilms, *, today: str) -> None:
        """Give each new place its row, in this order; `today` is the local date, YYYY-MM-DD.

        A single input whose files all have their rows already is no new input of the day.
        """
        with self._writing() as connection:
            known = {place for (place,) in connection.execute("SELECT place FROM path")}
            new = [file for file in found.films if file.place not in known]
            connection.executemany(
                "INSERT OR IGNORE INTO input (place, name, is_file) VALUES (?, ?, ?)",
                [
                    (given.place, given.name, given.is_file)
                    for given in found.inputs
                    if new or len(found.inputs) > 1
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
        looks: Sequence[Look[ScoredFilm]],
        mode: ReadingMode,
        *,
        package: str,
        include_patient: bool,
    ) -> None:
        """Keep what was found, all of it or (where the disk is full) none: ReportError."""
        with self._writing() as connection:
            for look in looks:
                _update_path(connection, look)
                if look.sha256 is None or look.outcome is None:
                    continue
                columns = to_columns(look.outcome)
                columns |= {"sha256": look.sha256, "mode": mode.as_text(), "package": package}
                _replace(connection, "film", columns)
                if include_patient:
                    identity = look.outcome.study.identity if look.outcome.study else Identity()
                    text = json.dumps(dataclasses.asdict(identity))
                    _replace(connection, "patient", {"sha256": look.sha256, "identity": text})

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
    ) -> Generator[tuple[StoredFile, FilmOutcome | None], None, None]:
        """Yield every row with its outcome, None where it has none; identity only if asked for."""
        with converted(self.folder):
            yield from read_outcomes(self._connection, mode, include_patient=include_patient)

    def marks(self) -> dict[str, Marks]:
        """Return what people said of the films, by content."""
        with converted(self.folder):
            return store_marks.read_marks(self._connection)

    def last_mark(self) -> int:
        """Return a number that grows with everything said."""
        with converted(self.folder):
            return store_marks.last_number(self._connection)

    def unaudited_marks(self) -> list[store_marks.LoggedMark]:
        """Return what was said and is not in the audit trail yet, oldest first."""
        with converted(self.folder):
            return store_marks.read_unaudited(self._connection)

    def mark_marks_audited(self, last: int) -> None:
        """Remember that the audit trail has all that was said, up to this number."""
        with self._writing() as connection:
            store_marks.mark_audited(connection, last)

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
SELECT row, study, identity, {pictures},
  CASE WHEN is_own THEN NULL ELSE logits END AS logits,
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
_PICTURES = """
  cam_shape, CASE WHEN is_own THEN NULL ELSE cam END AS cam,
  CASE WHEN is_own THEN NULL ELSE thumbnail END AS thumbnail
"""
_NO_PICTURES = """
  NULL AS cam_shape, NULL AS cam,
  CASE WHEN is_own OR thumbnail IS NULL THEN NULL ELSE x'ff' END AS thumbnail
"""


def _update_path(connection: sqlite3.Connection, look: Look[ScoredFilm]) -> None:
    own = look.arriving or (look.outcome if look.sha256 is None else None)
    assert own is None or isinstance(own, ImageError), "a score has content"
    refusal = to_columns(own) if own is not None else {}
    size, mtime_ns, sha256, changed_at, checked_at = connection.execute(
        "SELECT size, mtime_ns, sha256, changed_at, checked_at FROM path WHERE place = ?",
        (look.place,),
    ).fetchone()
    now = (look.size, look.mtime_ns, look.sha256)
    if look.sha256 is None and look.size in (None, size) and look.mtime_ns in (None, mtime_ns):
        # It has vanished, or another program holds it: what was found there still stands.
        now = (size, mtime_ns, sha256)
    is_same = changed_at is not None and now == (size, mtime_ns, sha256)
    connection.execute(
        "UPDATE path SET size = ?, mtime_ns = ?, sha256 = ?, changed_at = ?, checked_at = ?, "
        "refusal = ?, reason_code = ?, reason = ? WHERE place = ?",
        (
            *(*now, changed_at if is_same else look.at),
            checked_at if look.sha256 is None else look.at,
            *(refusal.get(name) for name in ("refusal", "reason_code", "reason")),
            look.place,
        ),
    )


def _replace(connection: sqlite3.Connection, table: str, columns: dict[str, Any]) -> None:
    marks = ", ".join("?" for _ in columns)
    connection.execute(
        f"INSERT OR REPLACE INTO {table} ({', '.join(columns)}) VALUES ({marks})",
        tuple(columns.values()),
    )


def connect_day(
    folder: Path, connect: Callable[..., sqlite3.Connection] = sqlite3.connect
) -> sqlite3.Connection:
    """Open `folder`'s database, begun where there is none; raises sqlite3.Error and ReportError."""
    connection = connect(folder / STORE_NAME, timeout=_BUSY_S, isolation_level=None)
    try:
        # No WAL: its shared memory does not work on a network drive. FULL: what is committed
        # survives the plug being pulled.
        connection.execute("PRAGMA journal_mode = DELETE")
        connection.execute("PRAGMA synchronous = FULL")
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if version > _VERSION:
            raise ReportError(
                f"The day in {folder} was kept by a newer cxr-edge: install that version, or name "
                "another folder with --out."
            )
        if version < _VERSION:
            connection.executescript(
                f"BEGIN IMMEDIATE; {store_owner.SCHEMA} {_SCHEMA} "
                f"PRAGMA user_version = {_VERSION}; COMMIT;"
            )
    except BaseException:
        connection.close()
        raise
    return connection


@contextmanager
def converted(folder: Path) -> Iterator[None]:
    """Turn SQLite's errors into a ReportError with the remedy; the only place that does."""
    try:
        yield
    except sqlite3.Error as error:
        name = getattr(error, "sqlite_errorname", None) or ""
        raise ReportError(_explain(folder, error, name)) from error


def _explain(folder: Path, error: sqlite3.Error, name: str) -> str:
    if not _is_there(folder) or (name.startswith(_GONE) and not _is_there(folder / STORE_NAME)):
        return (
            f"The day cannot be kept in {folder} ({error}): if it lies on a stick or a network "
            "drive that is gone, connect it again and run again, or name another folder with --out."
        )
    if name.startswith(_DAMAGED):
        return (
            f"{STORE_NAME} in {folder} is damaged ({error}): move it away and run again; its films "
            "are screened anew, the lists stay until then."
        )
    if name.startswith(_FULL):
        return (
            f"The day cannot be kept in {folder} ({error}): free the disk and run again, what was "
            "kept so far is whole; or name another folder with --out."
        )
    if name.startswith(("SQLITE_CANTOPEN", "SQLITE_READONLY", "SQLITE_PERM")):
        return (
            f"The day cannot be kept in {folder} ({error}): allow writing there, free the disk, or "
            "name another folder with --out."
        )
    return (
        f"The folder {folder} does not lock its files as a day's record needs ({error}), as some "
        "network drives do not: name a folder on this PC's own disk with --out."
    )


def _is_there(place: Path) -> bool:
    """Say whether the system still finds it: of a drive pulled out it may say EIO."""
    try:
        place.stat()
    except OSError:
        return False
    return True


def read_inputs(connection: sqlite3.Connection) -> dict[int, GivenInput]:
    """Return the inputs of an open database by number, in order of first use."""
    return {
        number: GivenInput(place=place, name=name, is_file=bool(is_file))
        for number, place, name, is_file in connection.execute(
            "SELECT id, place, name, is_file FROM input ORDER BY id"
        )
    }


def read_files(connection: sqlite3.Connection) -> list[StoredFile]:
    """Return the rows of an open database."""
    inputs = read_inputs(connection)
    return [
        StoredFile(
            row=row,
            found=FoundFilm(
                place=place, path=Path(json.loads(opened)), given=inputs[given], tail=tail
            ),
            first_seen=first_seen,
            size=size,
            mtime_ns=mtime_ns,
            changed_at=changed_at,
            checked_at=checked_at,
            sha256=sha256,
            reason_code=ReasonCode(code) if code else None,
            audited=audited,
        )
        for (
            row, place, opened, given, tail, first_seen,
            size, mtime_ns, changed_at, checked_at, sha256, code, audited,
        ) in connection.execute(
            "SELECT row, place, opened, input, tail, first_seen, size, mtime_ns, changed_at, "
            "checked_at, sha256, reason_code, audited FROM path ORDER BY row"
        )
    ]  # fmt: skip


def read_outcomes(
    connection: sqlite3.Connection,
    mode: ReadingMode,
    *,
    include_patient: bool,
    with_pictures: bool = True,
) -> Iterator[tuple[StoredFile, FilmOutcome | None]]:
    """Yield every row of an open database with its outcome, or None.

    Without pictures no map is read, and of a thumbnail only whether there is one: then one byte.
    """
    query = _OUTCOMES.format(pictures=_PICTURES if with_pictures else _NO_PICTURES)
    with closing(connection.cursor()) as cursor:
        cursor.row_factory = sqlite3.Row
        # Film by film: a day's thumbnails are not held twice.
        films = cursor.execute(query, (include_patient, mode.as_text()))
        for file, film in zip(read_files(connection), films, strict=True):
            columns = dict(film)
            known = columns["identity"]
            identity = Identity(**json.loads(known)) if known else None
            yield file, from_columns(columns, identity)


def read_is_open(connection: sqlite3.Connection) -> bool:
    """Tell whether the day's last run ended before every row was final."""
    (is_open,) = connection.execute("SELECT is_open FROM day").fetchone()
    return bool(is_open)
