"""How old the patient was: from PatientAge, else from PatientBirthDate and the study's date."""

from __future__ import annotations

import re
from datetime import date, datetime

from edge_infer.films.dicom.elements import DicomElements

_AGE = re.compile(r"(\d{1,3})\s*([YMWD]?)")
_DAYS_PER_YEAR = 365.25
_UNITS_PER_YEAR = {"": 1.0, "Y": 1.0, "M": 12.0, "W": _DAYS_PER_YEAR / 7, "D": _DAYS_PER_YEAR}
_OLDEST = 120
"""Years; above it a date or age was mistyped (RSNA has patients of 150)."""
_STUDY_DATES = ("StudyDate", "AcquisitionDate", "ContentDate", "SeriesDate")


def find_age(elements: DicomElements) -> float | None:
    """Return the age in years at the study, or None where the header does not tell.

    An age without unit is years (RSNA writes `33`); 000 is a placeholder, not a newborn.
    """
    stated = parse_age(elements.text("PatientAge"))
    return stated if stated is not None else _age_from_dates(elements)


def parse_age(text: str) -> float | None:
    """Return the years of an Age String (PS3.5 6.2, `nnnD`, `W`, `M`, `Y`), None if unknown."""
    match = _AGE.fullmatch(text.strip().upper())
    if match is None or int(match[1]) == 0:
        return None
    years = int(match[1]) / _UNITS_PER_YEAR[match[2]]
    return years if years <= _OLDEST else None


def _age_from_dates(elements: DicomElements) -> float | None:
    born = _parse_date(elements.text("PatientBirthDate"))
    taken = next(filter(None, (_parse_date(elements.text(name)) for name in _STUDY_DATES)), None)
    if born is None or taken is None:
        return None
    # By the calendar, so that the fifteenth birthday is 15 and not 14.998.
    is_before_birthday = (taken.month, taken.day) < (born.month, born.day)
    years = taken.year - born.year - is_before_birthday
    return float(years) if born < taken and years <= _OLDEST else None


def _parse_date(text: str) -> date | None:
    """Parse YYYYMMDD, and YYYY.MM.DD of ACR-NEMA."""
    try:
        return datetime.strptime(text.replace(".", "").strip(), "%Y%m%d").date()
    except ValueError:
        return None
