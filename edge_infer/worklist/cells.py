"""Cells of a CSV that no spreadsheet, in no locale, takes for a formula or a row of its own."""

from __future__ import annotations

import re

_BREAKS = str.maketrans({"\r": "␍", "\n": "␊"})
"""Where the separator is another, a quote does not hold a line together: a new row would begin."""
_BEGIN = r"(^|[;\t|])"
"""Of a cell; behind what separates cells where a comma does not."""
_FORMULA = "(?=[\\s\u200b-\u200f\ufeff␍␊]*[=+\\-@＝＋－＠])"
"""Spaces and breaks before it are passed over, and full-width signs are taken for the others."""
_ARMED, _DISARMED = re.compile(_BEGIN + _FORMULA), re.compile(f"{_BEGIN}'{_FORMULA}")


def disarm(cell: str) -> str:
    """Return the cell with an apostrophe wherever a formula could begin, and in one line."""
    return _ARMED.sub(r"\1'", cell.translate(_BREAKS))


def rearm(cell: str) -> str:
    """Return what `disarm` was given, be it disarmed still or not."""
    while (before := _DISARMED.sub(r"\1", cell)) != cell:
        cell = before
    return cell.replace("␍", "\r").replace("␊", "\n")
