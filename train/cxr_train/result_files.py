"""What a command leaves behind: each file whole or not at all, one error where it cannot be."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from io import StringIO
from pathlib import Path
from typing import Any, BinaryIO

from edge_infer.errors import ReportError
from edge_infer.pc import whole_files


def write_file(place: Path, save: Callable[[BinaryIO], object]) -> None:
    """Put what `save` writes into an open file at `place`, and make its folder.

    A kill leaves the old file or the new one. Raises ReportError, as all functions here.
    """
    with unwritable(place):
        place.parent.mkdir(parents=True, exist_ok=True)
        whole_files.write_whole(place, save)


def write_bytes(data: bytes, place: Path) -> None:
    """Write bytes as they are."""
    write_file(place, lambda file: file.write(data))


def write_text(text: Iterable[str], place: Path) -> None:
    """Write pieces of text, in UTF-8."""
    write_file(place, lambda file: file.writelines(map(_encode, text)))


def write_json(value: Any, place: Path) -> None:
    """Write readable JSON."""
    write_text([json.dumps(value, indent=1, ensure_ascii=False), "\n"], place)


def write_csv(columns: Sequence[str], rows: Iterable[Mapping[str, object]], place: Path) -> None:
    """Write rows as CSV; a column that a row lacks stays empty."""
    write_bytes(csv_table(columns, rows), place)


def csv_table(columns: Sequence[str], rows: Iterable[Mapping[str, object]]) -> bytes:
    """Return rows as a CSV in UTF-8; a column that a row lacks stays empty."""
    table = StringIO(newline="")
    writer = csv.DictWriter(table, fieldnames=columns, restval="")
    writer.writeheader()
    writer.writerows(rows)
    return _encode(table.getvalue())


def require_writable(folder: Path) -> None:
    """Make `folder`, or refuse one that cannot be written now, not after hours of work."""
    with unwritable(folder):
        whole_files.require_writable(folder)


def _encode(text: str) -> bytes:
    # A file name that is no text; in JSON the replacement is that name again when it is read.
    return text.encode("utf-8", "backslashreplace")


@contextmanager
def unwritable(place: Path) -> Iterator[None]:
    """Say by a ReportError that `place` cannot be written, instead of an OSError."""
    try:
        yield
    except OSError as error:
        raise ReportError(f"{place} cannot be written: {error.strerror or error}.") from error
