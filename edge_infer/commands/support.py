"""`cxr-infer --support FILE`: what somebody who helps needs to know, and nothing that names anyone.

Versions, processor, self-test, decoders, speed; of the day in the results' folder only counts: no
file name, no path, no patient. Sentences of errors are left out, for they quote paths and headers;
their codes are not.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Final

from edge_infer.errors import ReportError
from edge_infer.store.day_store import STORE_NAME

_FAILED: Final = "Self-test: FAILED"
_NAMELESS: Final = ("largest difference", "DLL load failed", "No module named")
"""Of a failed self-test, what quotes no path."""
_KEPT: Final = (
    ("rows", "SELECT count(*) FROM path"),
    (
        "waiting for a look",
        "SELECT count(*) FROM path WHERE checked_at IS NULL AND refusal IS NULL",
    ),
    ("contents scored", "SELECT count(*) FROM film WHERE logits IS NOT NULL"),
)
_REFUSED: Final = """
SELECT coalesce(path.reason_code, film.reason_code) AS code, count(*) FROM path
LEFT JOIN film ON film.sha256 = path.sha256
WHERE coalesce(path.reason_code, film.reason_code) IS NOT NULL GROUP BY code ORDER BY code
"""


def write_support(
    place: Path, folder: Path | None, *, check: Callable[[Callable[[str], object]], object]
) -> None:
    """Write the report to `place`; `check` says its lines, `folder` is that of a day, or None.

    Raises ReportError where it cannot be written.
    """
    lines = [f"cxr-edge support report, {datetime.now().astimezone():%Y-%m-%d %H:%M %z}", ""]
    check(lambda line: lines.append(without_paths(str(line))))
    lines += ["", *describe_day(folder)]
    try:
        place.write_text("\n".join(lines) + "\n", encoding="utf-8")
    except OSError as error:
        raise ReportError(
            f"{place} cannot be written ({error.strerror or type(error).__name__}): free the disk "
            "or name another place with --support."
        ) from error


def without_paths(line: str) -> str:
    """Return a line of the check; the error that a model cannot be read loses its text."""
    if line.startswith(_FAILED) and not any(text in line for text in _NAMELESS):
        return f"{_FAILED}: the model cannot be used"
    return line


def describe_day(folder: Path | None) -> Iterator[str]:
    """Yield what happened in the day kept in `folder`, in numbers; nothing is written there."""
    store = folder / STORE_NAME if folder is not None else None
    if store is None or not store.is_file():
        yield "Day: none in this folder"
        return
    yield f"Day: {STORE_NAME}, {store.stat().st_size >> 10} KiB"
    try:
        uri = f"{store.resolve().as_uri()}?mode=ro"
        with closing(sqlite3.connect(uri, uri=True, timeout=5)) as connection:
            for name, query in _KEPT:
                yield f"  {name}: {connection.execute(query).fetchone()[0]}"
            for code, number in connection.execute(_REFUSED):
                yield f"  not screened, {code}: {number}"
            yield from _timing(connection)
    except sqlite3.Error as error:
        yield f"  cannot be read: {getattr(error, 'sqlite_errorname', type(error).__name__)}"


def _timing(connection: sqlite3.Connection) -> Iterator[str]:
    """Yield how far apart the looks at films were: it tells a slow PC from an idle one."""
    looks = [at for (at,) in connection.execute("SELECT checked_at FROM path ORDER BY checked_at")]
    times = [at for at in looks if at is not None]
    gaps = sorted(later - earlier for earlier, later in pairwise(times))
    if gaps:
        yield (
            f"  seconds between looks: median {gaps[len(gaps) // 2]:.2f}, longest {gaps[-1]:.2f}, "
            f"of {len(times)}"
        )
