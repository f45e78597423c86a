"""One writer per day: who owns the store, whether that one still lives, and the heartbeat.

The owner is one record in the database: host, process and a heartbeat that a thread renews every
5 s. The file system's locks cannot say this, for they are held for milliseconds and some network
drives only pretend. A dead owner loses:

- on this PC at once where its process is gone, and after 60 s without a heartbeat where its number
  now belongs to another program;
- on another PC after 15 s in which its heartbeat did not move. Its clock is never compared with
  ours: clocks of clinic PCs differ by hours.

Whoever lost (a PC that slept for an hour) finds it out at its next write, which carries a token.
"""

from __future__ import annotations

import contextlib
import os
import platform
import sqlite3
import sys
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from edge_infer.errors import DayInUse

HEARTBEAT_S = 5.0
_STALE_S = 60.0
_WATCHED_S = 15.0
SCHEMA = """
CREATE TABLE IF NOT EXISTS owner (
  one INTEGER PRIMARY KEY CHECK (one = 1), token TEXT NOT NULL, host TEXT NOT NULL,
  pid INTEGER NOT NULL, beat INTEGER NOT NULL, beat_at REAL NOT NULL
);
"""
_our_tokens: set[str] = set()
"""Of the stores that this process holds: its number alone may be that of a dead owner."""


@dataclass(frozen=True, kw_only=True)
class Owner:
    """Who writes into a day."""

    token: str
    host: str
    pid: int
    beat: int
    beat_at: float
    """When, by the owner's own clock, in seconds of `time.time`."""


def claim(
    connection: sqlite3.Connection,
    folder: Path,
    *,
    wait: Callable[[float], None] = time.sleep,
    watched_s: float = _WATCHED_S,
) -> str:
    """Become the owner and return the token; DayInUse where another one lives.

    Waits up to `watched_s` seconds, and only where the owner is on another PC.
    """
    token = uuid.uuid4().hex
    other = _take_unless(connection, token, _is_alive)
    if other is not None and other.host != platform.node():
        other = _take_unless(connection, token, _watch(connection, other, wait, watched_s))
    if other is not None:
        raise DayInUse(
            f"Another cxr-infer (process {other.pid} on the PC {other.host}) is working in "
            f"{folder}: let it finish or end it and try again after a minute, or name another "
            "folder with --out."
        )
    _our_tokens.add(token)
    return token


def release(connection: sqlite3.Connection, token: str) -> None:
    _our_tokens.discard(token)
    connection.execute("DELETE FROM owner WHERE token = ?", (token,))


def is_owner(connection: sqlite3.Connection, token: str) -> bool:
    owner = read_owner(connection)
    return owner is not None and owner.token == token


def read_owner(connection: sqlite3.Connection) -> Owner | None:
    row = connection.execute("SELECT token, host, pid, beat, beat_at FROM owner").fetchone()
    if row is None:
        return None
    return Owner(token=row[0], host=row[1], pid=row[2], beat=row[3], beat_at=row[4])


class Heartbeat:
    """The thread that says every 5 s that its owner lives, however long one film takes."""

    def __init__(self, database: Path, token: str, *, every_s: float = HEARTBEAT_S) -> None:
        self._database, self._token, self._every_s = database, token, every_s
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._ended.wait(self._every_s):
            # A full disk or a drive gone for a moment shows at the next write of a result.
            with contextlib.suppress(sqlite3.Error), contextlib.closing(self._connect()) as one:
                one.execute(
                    "UPDATE owner SET beat = beat + 1, beat_at = ? WHERE token = ?",
                    (time.time(), self._token),
                )

    def _connect(self) -> sqlite3.Connection:
        return sqlite3.connect(self._database, timeout=self._every_s, isolation_level=None)


def is_running(pid: int) -> bool:
    """Tell whether a process of this PC has this number."""
    if sys.platform == "win32":
        return _is_running_on_windows(pid)
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True  # somebody else's
    return True


def _is_running_on_windows(pid: int) -> bool:
    # os.kill(pid, 0) would send the process Control-C there.
    import ctypes

    query_limited_information, access_denied, still_active = 0x1000, 5, 259
    kernel = ctypes.WinDLL("kernel32", use_last_error=True)  # type: ignore[attr-defined,unused-ignore]
    handle = kernel.OpenProcess(query_limited_information, False, pid)
    if not handle:
        error: int = ctypes.get_last_error()  # type: ignore[attr-defined,unused-ignore]
        return error == access_denied
    code = ctypes.c_ulong()
    kernel.GetExitCodeProcess(handle, ctypes.byref(code))
    kernel.CloseHandle(handle)
    return code.value == still_active


def _take_unless(
    connection: sqlite3.Connection, token: str, lives: Callable[[Owner], bool]
) -> Owner | None:
    """Enter ourselves as the owner, in one step; return the owner instead where it lives."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        owner = read_owner(connection)
        if owner is None or not lives(owner):
            connection.execute(
                "INSERT OR REPLACE INTO owner VALUES (1, ?, ?, ?, 0, ?)",
                (token, platform.node(), os.getpid(), time.time()),
            )
            owner = None
    except BaseException:
        # SQLite has rolled back by itself where the disk is full.
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")
    return owner


def _is_alive(owner: Owner) -> bool:
    if owner.host != platform.node():
        return True  # not to be told by looking once
    if owner.pid == os.getpid():
        return owner.token in _our_tokens
    return is_running(owner.pid) and time.time() - owner.beat_at < _STALE_S


def _watch(
    connection: sqlite3.Connection,
    owner: Owner,
    wait: Callable[[float], None],
    watched_s: float,
) -> Callable[[Owner], bool]:
    """Look at another PC's heartbeat for a while; return what tells whether it moved."""
    left = watched_s
    while left > 0 and read_owner(connection) == owner:
        wait(min(1.0, left))
        left -= 1.0
    return lambda now: now != owner
