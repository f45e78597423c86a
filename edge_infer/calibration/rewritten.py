"""Names that a spreadsheet takes for numbers or dates, and what it writes in their place."""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(E[+-]?\d{1,3})?", re.I)
_DATE = re.compile(r"\d{1,4}[-/.]\d{1,2}([-/.]\d{1,4})?")
_MONTHS = "jan feb mar apr may jun jul aug sep oct nov dec"
_MONTH_DATE = re.compile(r"(\d{1,4})[-/ .]([a-z]{3})[a-z]*|([a-z]{3})[a-z]*[-/ .](\d{1,4})", re.I)
_KOREAN_DATE = re.compile(r"(\d{1,2})월 ?(\d{1,2})일")
_EXACT_DIGITS = 15
"""More a spreadsheet does not keep of a number."""


def may_have_become(name: str, cell: str) -> bool:
    """Tell whether a spreadsheet may have written `cell`, another text, where `name` stood."""
    if name == cell:
        return False
    return _is_same_number(name, cell) or _is_same_date(name, cell)


def _is_same_number(name: str, cell: str) -> bool:
    if not (_NUMBER.fullmatch(name) and _NUMBER.fullmatch(cell)):
        return False
    try:
        number, shown = Decimal(name), Decimal(cell)
    except InvalidOperation:
        return False
    if "e" not in cell.lower():
        return _rounded(number, _EXACT_DIGITS) == shown
    digits = len(shown.as_tuple().digits)
    return _rounded(number, digits) == shown


def _rounded(number: Decimal, digits: int) -> Decimal:
    if not number:
        return number
    return Decimal(f"{number:.{max(digits, 1) - 1}e}")


def _is_same_date(name: str, cell: str) -> bool:
    """Compare the numbers of both, of which a spreadsheet may add a year or drop leading zeros."""
    if not _DATE.fullmatch(name):
        return False
    parts = [int(part) for part in re.findall(r"\d+", name)]
    shown = _parts_of_date(cell)
    short = {part % 100 for part in parts}
    return len(shown) >= 2 and short <= {part % 100 for part in shown}


def _parts_of_date(cell: str) -> list[int]:
    cell = cell.strip()
    if match := _MONTH_DATE.fullmatch(cell):
        name, number = (match[2], match[1]) if match[1] else (match[3], match[4])
        months = _MONTHS.split()
        # Nov-03 may be the third of November, or November 2003: a first is not shown.
        return [months.index(name.lower()) + 1, int(number), 1] if name.lower() in months else []
    if match := _KOREAN_DATE.fullmatch(cell):
        return [int(match[1]), int(match[2])]
    is_date = _DATE.fullmatch(cell.split(" ")[0])
    return [int(part) for part in re.findall(r"\d+", cell.split(" ")[0])] if is_date else []
