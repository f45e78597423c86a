"""When the film was taken, and the patient's sex: what is odd is unknown, never wrong."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import pytest

from edge_infer.films.dicom.elements import DicomElements
from edge_infer.films.dicom.file import parse_dicom
from edge_infer.films.dicom.taken import find_sex, find_taken_at
from tests.edge.films.dicom.dicom_factory import bands, make_dicom

NO_TIMES: dict[str, Any] = dict.fromkeys(
    ("StudyDate", "StudyTime", "AcquisitionDate", "AcquisitionTime", "ContentDate", "ContentTime")
)


def elements(**values: str) -> DicomElements:
    pixels = bands([10, 60, 130, 250], "u1")
    return parse_dicom(BytesIO(make_dicom(pixels, **(NO_TIMES | values)))).elements


@pytest.mark.parametrize(
    ("header", "taken"),
    [
        ({"AcquisitionDate": "20261123", "AcquisitionTime": "094210.5"}, "2026-11-23T09:42:10"),
        ({"AcquisitionDateTime": "20261123094210.12+0900"}, "2026-11-23T09:42:10"),
        ({"AcquisitionTime": "0942", "StudyDate": "20261123"}, "T09:42:00"),
        ({"StudyDate": "20261123", "StudyTime": "081500"}, "2026-11-23T08:15:00"),
        (
            {"AcquisitionTime": "000000", "StudyDate": "20261123", "StudyTime": "081500"},
            "2026-11-23T08:15:00",
        ),
        ({"AcquisitionTime": "000000"}, ""),
        ({"StudyDate": "20261123"}, ""),
        ({}, ""),
    ],
)
def test_the_film_s_own_time_comes_first(header: dict[str, str], taken: str) -> None:
    assert find_taken_at(elements(**header)) == taken


@pytest.mark.parametrize(
    ("value", "sex"), [("M", "M"), ("f ", "F"), ("O", "O"), ("", ""), ("Male", "M"), ("X", "")]
)
def test_a_sex_that_is_not_clear_is_none(value: str, sex: str) -> None:
    assert find_sex(elements(PatientSex=value)) == sex
