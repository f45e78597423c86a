"""CSV tables that lie beside films: masks, boxes."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

from cxr_train.errors import DataError

MASK_COLUMNS = ("film", "mask")
BOX_COLUMNS = ("film", "x0", "y0", "x1", "y1")
"""Corners of a box as shares of the film's width and height."""


def read_rows(path: Path, columns: Sequence[str]) -> list[dict[str, str]]:
    """Return the rows of a CSV in UTF-8.

    Raises DataError where it cannot be read, has no row or lacks one of `columns`.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path} cannot be read: {error}.") from error
    missing = [column for column in columns if not rows or column not in rows[0]]
    if missing:
        raise DataError(f"{path} lacks the column {', '.join(missing)}.")
    return rows
