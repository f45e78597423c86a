"""Read a table a person may have saved from a spreadsheet: any usual encoding and separator."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from edge_infer.errors import SiteError

_LARGEST = 64 << 20
_SEPARATORS = (",", ";", "\t")


@dataclass(frozen=True, kw_only=True)
class Table:
    """The rows of a file under their headings."""

    rows: tuple[tuple[int, dict[str, str]], ...]
    """(line in the file, cells by heading in lower case); lines of empty cells are left out."""
    headings: frozenset[str]


def read_bytes(path: Path) -> bytes:
    """Return a file's bytes; SiteError where it cannot be read or is no list of films."""
    try:
        if path.stat().st_size > _LARGEST:
            raise SiteError(f"{path} is larger than 64 MiB: it is not a list of films.")
        return path.read_bytes()
    except OSError as error:
        why = error.strerror or type(error).__name__
        raise SiteError(f"{path} cannot be read ({why}): check the spelling.") from error


def parse_table(data: bytes, path: Path, needed: Collection[str]) -> Table:
    """Read UTF-8 (with or without BOM), UTF-16 with BOM or CP949; comma, semicolon or tab.

    Headings are compared without case and blanks. Raises SiteError where no separator gives every
    heading in `needed`, and where a quotation mark is never closed.
    """
    text, skipped = _decode(data, path), 0
    first, _, rest = text.partition("\n")
    if re.fullmatch(r'"?sep=.+?"?\r?', first):  # Excel's own line that names the separator
        text, skipped = rest, 1
    for separator in _SEPARATORS:
        headings = _headings(text, separator)
        if set(needed) <= set(headings):
            rows = tuple(_rows(text, separator, headings, skipped, path))
            return Table(rows=rows, headings=frozenset(headings))
    raise SiteError(
        f"{path} lacks a column: its first line must name {' and '.join(sorted(needed))}, "
        "separated by commas, semicolons or tabs."
    )


def _decode(data: bytes, path: Path) -> str:
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        encodings: tuple[str, ...] = ("utf-16",)  # Excel's "Unicode text"
    else:
        # Korean in CP949 is no UTF-8, but for chance: pairs of its bytes break UTF-8's rules.
        encodings = ("utf-8-sig", "cp949")
    for encoding in encodings:
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise SiteError(f"{path} is neither UTF-8 nor CP949 text: save it as 'CSV UTF-8'.")


def _headings(text: str, separator: str) -> list[str]:
    try:
        first = next(csv.reader(io.StringIO(text, newline=""), delimiter=separator), [])
    except csv.Error:
        return []
    return [heading.strip().lower() for heading in first]


def _rows(
    text: str, separator: str, headings: list[str], skipped: int, path: Path
) -> Iterator[tuple[int, dict[str, str]]]:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    try:
        next(reader)
        for cells in reader:
            if any(cell.strip() for cell in cells):
                padded = [*cells, *[""] * (len(headings) - len(cells))]
                yield reader.line_num + skipped, dict(zip(headings, padded, strict=False))
    except csv.Error as error:
        raise SiteError(
            f"{path}, line {reader.line_num + skipped}: {error}: save it again as CSV."
        ) from error
