"""Cells of a CSV that no spreadsheet, in no locale, takes for a formula or a row of its own."""

from __future__ import annotations

import re

_BREAKS = str.maketrans({"\r": "␍", "\n": "␊"})
"""Where the separator is another, a quote does not hold a line together: a new row would begin."""
_BEGIN = r"(?:^|(?<=[;\t|]))"
"""Of a cell; behind what separates cells where a comma does not."""
_FORMULA = "(?=[\\s\u200b-\u200f\ufeff␍␊]*[=+\\-@＝＋－＠])"
"""Spaces and breaks before it are passed over, and full-width signs are taken for the others."""
_PLACE = rf"(?:^(?=\t)|{_BEGIN}{_FORMULA})"
"""A tab at the very beginning is taken for a sign too: spreadsheets drop it."""
_ARMED = re.compile(_PLACE)
_DISARMED = re.compile(rf"(?:^'(?=\t)|{_BEGIN}'{_FORMULA})")


def disarm(cell: str) -> str:
    """Return the cell with an apostrophe wherever a formula could begin, and in one line."""
    return _ARMED.sub("'", cell.translate(_BREAKS))


def rearm(cell: str) -> str:
    """Return what `disarm` was given, be it disarmed still or not."""
    while (before := _DISARMED.sub("", cell)) != cell:
        cell = before
    return cell.replace("␍", "\r").replace("␊", "\n")
