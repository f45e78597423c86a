"""The days' folders: `cxr-YYYY-MM-DD`, side by side."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from edge_infer.store.day_store import (
    STORE_NAME,
    StoredFile,
    connect_day,
    converted,
    read_files,
    read_is_open,
)

_DAY_NAME = re.compile(r"cxr-\d{4}-\d\d-\d\d")


@dataclass(frozen=True, kw_only=True)
class EarlierDay:
    """What another day's folder holds, as of now; nobody owns it meanwhile."""

    folder: Path
    is_open: bool
    """Whether its last run ended before every film had its final row."""
    files: tuple[StoredFile, ...]

    def shares_input(self, places: set[bytes]) -> bool:
        return any(file.found.given.place in places for file in self.files)


def name_day(day: date) -> str:
    return f"cxr-{day:%Y-%m-%d}"


def read_earlier_days(beside: Path) -> list[EarlierDay]:
    """Return the days before that of the folder `beside`, oldest first; ReportError if damaged."""
    if not _DAY_NAME.fullmatch(beside.name) or not beside.parent.is_dir():
        return []
    names = sorted(
        path.name
        for path in beside.parent.iterdir()
        if _DAY_NAME.fullmatch(path.name) and path.name < beside.name
    )
    folders = [beside.parent / name for name in names]
    return [read_day(folder) for folder in folders if (folder / STORE_NAME).is_file()]


def read_day(folder: Path) -> EarlierDay:
    """Read a day without becoming its owner."""
    with converted(folder):
        connection = connect_day(folder)
        try:
            return EarlierDay(
                folder=folder,
                is_open=read_is_open(connection),
                files=tuple(read_files(connection)),
            )
        finally:
            connection.close()
