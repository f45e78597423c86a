"""When the film was taken, and the patient's sex: they help to find a film, and name nobody.

A time of 000000 is what systems write that know none.
"""

from __future__ import annotations

import re

from edge_infer.films.dicom.elements import DicomElements
from edge_infer.films.dicom.words import fold

_TIMES = (
    ("AcquisitionDate", "AcquisitionTime"),
    ("ContentDate", "ContentTime"),
    ("SeriesDate", "SeriesTime"),
    ("StudyDate", "StudyTime"),
)
"""The film's own before the examination's."""
_DATE = re.compile(r"(\d{4})[-.]?(\d{2})[-.]?(\d{2})")
_TIME = re.compile(r"([01]\d|2[0-3]):?([0-5]\d):?([0-5]\d)?(?:[.,]\d*)?")
_DATE_TIME = re.compile(r"(\d{8})(\d{4,6})(?:\.\d*)?(?:[+-]\d{4})?")
_SEXES = {"m": "M", "male": "M", "f": "F", "female": "F", "o": "O"}


def find_taken_at(elements: DicomElements) -> str:
    """Return `2026-11-23T09:42:10`, `T09:42:10` without a date, or nothing without a time.

    The PC's or the machine's own clock, as it stands in the header; PS3.5 6.2 DA, TM, DT.
    """
    both = _DATE_TIME.fullmatch(elements.text("AcquisitionDateTime"))
    pairs = [(both[1], both[2])] if both else []
    pairs += [(elements.text(day), elements.text(time)) for day, time in _TIMES]
    for day, time in pairs:
        if clock := _clock(time):
            date = _DATE.fullmatch(day)
            return f"{'-'.join(date.groups()) if date else ''}T{clock}"
    return ""


def find_sex(elements: DicomElements) -> str:
    """Return M, F or O (PatientSex), or nothing where the header does not say."""
    said = (fold(text).strip() for text in elements.spellings("PatientSex"))
    return next((_SEXES[text] for text in said if text in _SEXES), "")


def _clock(text: str) -> str:
    match = _TIME.fullmatch(text)
    if match is None:
        return ""
    clock = f"{match[1]}:{match[2]}:{match[3] or '00'}"
    return "" if clock == "00:00:00" else clock
