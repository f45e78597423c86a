"""How old the patient was: from PatientAge, else from PatientBirthDate and the study's date.

Both are often written otherwise than the standard asks (PS3.5 6.2: `nnnD`, `W`, `M`, `Y`, and
YYYYMMDD). What can only mean one thing is read; what stays unknown of a date makes a span of days.
"""

from __future__ import annotations

import re
from calendar import monthrange
from dataclasses import dataclass
from datetime import date

from edge_infer.films.dicom.elements import DicomElements
from edge_infer.films.dicom.words import fold

_DAYS_PER_YEAR = 365.25
_UNITS = (
    (1.0, "y yr yrs year years yo y/o j jahr jahre a an ans ano anos anni anno г год года лет т"),
    (1.0, "세 살 岁 歲 歳 才"),
    (12.0, "m mo mon mos month months monat monate mois mes meses mese mesi мес месяц месяца"),
    (12.0, "месяцев 개월 个月 個月 月 ヶ月 か月 カ月 ケ月"),
    (_DAYS_PER_YEAR / 7, "w wk wks week weeks woche wochen semaine semaines semana semanas"),
    (_DAYS_PER_YEAR / 7, "settimana settimane неделя недели недель 주 周 週"),
    (_DAYS_PER_YEAR, "d day days tag tage jour jours dia dias giorno giorni день дня дней"),
    (_DAYS_PER_YEAR, "일 天 日"),
)
_PER_YEAR = {fold(word): number for number, words in _UNITS for word in words.split()}
_NUMBER, _UNIT = r"(\d{1,5}(?:[.,]\d{1,3})?)", r"([^\W\d_]+(?:/[^\W\d_]+)?)"
_AGE_PART = re.compile(rf"\s*{_NUMBER}\s*{_UNIT}?\.?")
_UNIT_FIRST = re.compile(rf"{_UNIT}\s*{_NUMBER}")
_OLDEST = 120
"""Years; above it a date or age was mistyped (RSNA has patients of 150)."""

_STUDY_DATES = (
    *("StudyDate", "AcquisitionDate", "AcquisitionDateTime", "ContentDate", "SeriesDate"),
    *("PerformedProcedureStepStartDate", "InstanceCreationDate"),
)
_COMPACT = re.compile(
    r"(\d{4})(\d{2})?(\d{2})?(?:\d{2,6}(?:\.\d*)?(?:[+-]\d{4})?|[?x_*\-\s]*)", re.I
)
_DAY_FIRST = re.compile(r"([0-3]\d)([0-3]\d)((?:19|20)\d{2})")
"""Of eight digits, where the fifth and sixth are no month."""
_YEAR_FIRST = re.compile(
    r"(\d{4})\s*[-./:년年 ]\s*(\d{1,2})(?:\s*[-./:월月 ]\s*(\d{1,2}))?\s*[월月일日]?(?:[t\s].*)?",
    re.I,
)
_YEAR_LAST = re.compile(r"(\d{1,2})\s*[-./ ]\s*(\d{1,2})\s*[-./ ]\s*(\d{4})(?:\s.*)?")
_NAMED_MONTH = re.compile(
    r"(?:(\d{1,2})[\s.,-]*)?([^\W\d_]{3,})[\s.,-]*(?:(\d{1,2})[\s.,-]+)?(\d{4})(?:\s.*)?"
)
_MONTHS = (
    *("jan ene gen янв", "feb fev fév фев", "mar mär mrz мар", "apr abr avr апр"),
    *("may mai mag май мая", "jun giu июн juin", "jul lug июл juil", "aug ago aoû aou авг"),
    *("sep set сен", "oct okt ott out окт", "nov ноя", "dec dez dic déc дек"),
)
_BUDDHIST_YEARS, _BUDDHIST_OFFSET = range(2400, 2700), 543
"""What Thai systems count in."""


@dataclass(frozen=True)
class _Days:
    """The days that a date, perhaps partly known, may stand for."""

    first: date
    last: date


def find_age(elements: DicomElements) -> float | None:
    """Return the age in years at the study, or None where the header does not tell.

    An age without unit is years (RSNA writes `33`); 000 is a placeholder, not a newborn. Where
    dates are partly known it is the highest age that they leave possible.
    """
    stated = find_stated_age(elements)
    return stated if stated is not None else _age_from_dates(elements)


def find_stated_age(elements: DicomElements) -> float | None:
    """Return the years of PatientAge, None if unknown."""
    ages = (parse_age(text) for text in elements.spellings("PatientAge"))
    return next((age for age in ages if age is not None), None)


def parse_age(text: str) -> float | None:
    """Return the years of an age such as `008Y`, `8 years`, `8.5`, `Y008` or `1Y 3M`, or None."""
    text = fold(text).strip().lstrip("~<≈ ")
    if first := _UNIT_FIRST.fullmatch(text):
        text = first[2] + first[1]
    years, at = 0.0, 0
    while at < len(text):
        part = _AGE_PART.match(text, at)
        per_year = part and (_PER_YEAR.get(part[2]) if part[2] else 1.0)
        if part is None or per_year is None or (at and not part[2]):
            return None
        years += float(part[1].replace(",", ".")) / per_year
        at = part.end()
    return years if 0 < years <= _OLDEST else None


def _age_from_dates(elements: DicomElements) -> float | None:
    born = _parse_date(elements.text("PatientBirthDate"))
    taken = next(filter(None, (_parse_date(elements.text(name)) for name in _STUDY_DATES)), None)
    if born is None or taken is None:
        return None
    first, last = born.first, taken.last
    # By the calendar, so that the fifteenth birthday is 15 and not 14.998.
    is_before_birthday = (last.month, last.day) < (first.month, first.day)
    years = last.year - first.year - is_before_birthday
    return float(years) if first < last and years <= _OLDEST else None


def _parse_date(text: str) -> _Days | None:
    """Parse YYYYMMDD, its beginnings, YYYY-MM-DD, DD.MM.YYYY, 15 Mar 2017 and the like."""
    text = text.strip()
    if (match := _DAY_FIRST.fullmatch(text)) and not 0 <= int(text[4:6]) <= 12:
        return _day_or_month_first(match[1], match[2], match[3])
    if match := _COMPACT.fullmatch(text):
        return _days(match[1], match[2], match[3])
    if match := _YEAR_FIRST.fullmatch(text):
        return _days(match[1], match[2], match[3])
    if match := _YEAR_LAST.fullmatch(text):
        return _day_or_month_first(match[1], match[2], match[3])
    if match := _NAMED_MONTH.fullmatch(text):
        name = match[2].casefold()
        month = next((n for n, all_ in enumerate(_MONTHS, 1) if _begins(name, all_)), 0)
        return _days(match[4], str(month), match[1] or match[3])
    return None


def _begins(name: str, beginnings: str) -> bool:
    return name.startswith(tuple(beginnings.split()))


def _day_or_month_first(one: str, other: str, year: str) -> _Days | None:
    """Take 15.03. and 03/15 for what they are; 03/04 may be either."""
    readings = [_days(year, other, one), _days(year, one, other)]
    sure = [
        days
        for month, days in ((int(other), readings[0]), (int(one), readings[1]))
        if days is not None and 1 <= month <= 12 and days.first == days.last
    ]
    if not sure:
        return _days(year, None, None)
    return _Days(min(days.first for days in sure), max(days.last for days in sure))


def _days(year_text: str, month_text: str | None, day_text: str | None) -> _Days | None:
    """Return the days of a date; a month or day that is missing or impossible is unknown."""
    year, month, day = int(year_text), int(month_text or 0), int(day_text or 0)
    if year in _BUDDHIST_YEARS:
        year -= _BUDDHIST_OFFSET
    if not 1850 <= year <= 2200:
        return None
    if not 1 <= month <= 12:
        return _Days(date(year, 1, 1), date(year, 12, 31))
    length = monthrange(year, month)[1]
    if not 1 <= day <= length:
        return _Days(date(year, month, 1), date(year, month, length))
    return _Days(date(year, month, day), date(year, month, day))
