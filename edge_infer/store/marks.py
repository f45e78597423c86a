"""Marks in the day's store: a log, never changed, whose last entry of each kind holds.

The desk writes them beside the day's owner, each in a transaction of its own: once the answer is
sent, a pulled plug loses nothing. The owner reads them for the lists and enters them in the audit
trail. The table is made by the first mark, so that a store nobody marked is the one it always was,
for older versions too.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from edge_infer.worklist.marks import Mark, MarkKind, Marks

_SCHEMA = """
CREATE TABLE IF NOT EXISTS mark (
  id INTEGER PRIMARY KEY AUTOINCREMENT, step INTEGER NOT NULL, sha256 TEXT NOT NULL,
  kind TEXT NOT NULL, value TEXT NOT NULL, since TEXT NOT NULL, at TEXT NOT NULL,
  is_audited INTEGER NOT NULL DEFAULT 0
)
"""
_INSERT = "INSERT INTO mark (step, sha256, kind, value, since, at) VALUES (?, ?, ?, ?, ?, ?)"


@dataclass(frozen=True, kw_only=True)
class LoggedMark:
    """One entry of the log."""

    number: int
    sha256: str
    kind: MarkKind
    value: str
    """Empty where it was taken back."""
    at: str
    """When it was said."""


def add_mark(
    connection: sqlite3.Connection,
    contents: Collection[str],
    kind: MarkKind,
    value: str,
    *,
    now: datetime,
) -> int:
    """Say the same of several contents (the films of one examination); return the step's number.

    An empty value takes back what was said. The caller's transaction; raises sqlite3.Error.
    """
    at, step = _to_text(now), _begin_step(connection)
    for sha256 in contents:
        connection.execute(_INSERT, (step, sha256, kind.value, value, at if value else "", at))
    return step


def undo_step(connection: sqlite3.Connection, step: int, *, now: datetime) -> int | None:
    """Say again what held before a step, with its old time; return the new step's number.

    None, and nothing is changed, where there is no such step or something newer was said since.
    The caller's transaction; raises sqlite3.Error.
    """
    new_step = _begin_step(connection)
    undone = connection.execute(
        "SELECT id, sha256, kind FROM mark WHERE step = ? ORDER BY id", (step,)
    ).fetchall()
    if not undone or any(_last_of(connection, *what) != number for number, *what in undone):
        return None
    for number, sha256, kind in undone:
        before = connection.execute(
            "SELECT value, since FROM mark WHERE sha256 = ? AND kind = ? AND id < ? "
            "ORDER BY id DESC LIMIT 1",
            (sha256, kind, number),
        ).fetchone()
        said = (new_step, sha256, kind, *(before or ("", "")), _to_text(now))
        connection.execute(_INSERT, said)
    return new_step


def mark_audited(connection: sqlite3.Connection, last: int) -> None:
    """Remember that the audit trail has every entry up to the number `last`."""
    connection.execute("UPDATE mark SET is_audited = 1 WHERE id <= ? AND NOT is_audited", (last,))


def read_marks(connection: sqlite3.Connection) -> dict[str, Marks]:
    """Return what holds, by content."""
    marks: dict[str, dict[MarkKind, Mark]] = {}
    if not has_marks(connection):
        return {}
    for sha256, kind, value, since in connection.execute(
        "SELECT sha256, kind, value, since FROM mark "
        "WHERE id IN (SELECT max(id) FROM mark GROUP BY sha256, kind) AND value <> ''"
    ):
        marks.setdefault(sha256, {})[MarkKind(kind)] = Mark(value=value, since=since)
    return dict(marks)


def read_unaudited(connection: sqlite3.Connection) -> list[LoggedMark]:
    """Return the entries that the audit trail does not have yet, oldest first."""
    if not has_marks(connection):
        return []
    return [
        LoggedMark(number=number, sha256=sha256, kind=MarkKind(kind), value=value, at=at)
        for number, sha256, kind, value, at in connection.execute(
            "SELECT id, sha256, kind, value, at FROM mark WHERE NOT is_audited ORDER BY id"
        )
    ]


def last_number(connection: sqlite3.Connection) -> int:
    """Return the number of the last entry, 0 where there is none: it tells whether any is new."""
    if not has_marks(connection):
        return 0
    (number,) = connection.execute("SELECT coalesce(max(id), 0) FROM mark").fetchone()
    return int(number)


def has_marks(connection: sqlite3.Connection) -> bool:
    """Tell whether anything was ever said."""
    query = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'mark'"
    return connection.execute(query).fetchone() is not None


def _begin_step(connection: sqlite3.Connection) -> int:
    connection.execute(_SCHEMA)
    (last,) = connection.execute("SELECT coalesce(max(step), 0) FROM mark").fetchone()
    return int(last) + 1


def _last_of(connection: sqlite3.Connection, sha256: str, kind: str) -> int:
    query = "SELECT max(id) FROM mark WHERE sha256 = ? AND kind = ?"
    (number,) = connection.execute(query, (sha256, kind)).fetchone()
    return int(number)


def _to_text(now: datetime) -> str:
    return now.isoformat(timespec="seconds")
