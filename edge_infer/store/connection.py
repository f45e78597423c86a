"""Open the day's database as a clinic's folder needs it, and say in a sentence why it cannot be."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from edge_infer.errors import ReasonCode, ReportError
from edge_infer.store import owner as store_owner
from edge_infer.store.day_files import GivenInput, SeenFile, StoredFile

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
_DAMAGED = ("SQLITE_CORRUPT", "SQLITE_NOTADB")


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
            f"The day cannot be kept in {folder} ({error}): allow writing there, or name another "
            "folder with --out."
        )
    return (
        f"The folder {folder} does not lock its files as a day's record needs ({error}), as some "
        "network drives do not: name a folder on this PC's own disk with --out."
    )


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
            seen=SeenFile(
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


def read_is_open(connection: sqlite3.Connection) -> bool:
    """Tell whether the day's last run ended before every row was final."""
    (is_open,) = connection.execute("SELECT is_open FROM day").fetchone()
    return bool(is_open)
