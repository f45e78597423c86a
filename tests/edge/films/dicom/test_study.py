"""What a header says of the study: ages, identity, names in any script, pixel shape."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import pytest

from edge_infer.errors import UnsupportedImage
from edge_infer.films.dicom.age import parse_age
from edge_infer.films.read import read_radiograph
from tests.edge.films.dicom import dicom_factory as made
from tests.edge.films.dicom.dicom_factory import IDENTITY, bands, write_dicom

PIXELS = bands([10, 60, 130, 250], "u1")


@pytest.mark.parametrize(
    ("text", "years"),
    [
        *(("033Y", 33.0), ("33", 33.0), (" 7 ", 7.0), ("006M", 0.5), ("18m", 1.5), ("120", 120.0)),
        *(("000Y", None), ("0", None), ("", None), ("Y", None), ("150", None), ("1234", None)),
        *(("33 years", 33.0), ("008 Years", 8.0), ("8.5", 8.5), ("8,5 Jahre", 8.5), ("Y008", 8.0)),
        *(
            ("8세", 8.0),
            ("8岁", 8.0),
            ("8 лет", 8.0),
            ("18 мес.", 1.5),
            ("8 años", 8.0),
            ("8 ans", 8.0),
        ),
        *(("1Y 3M", 1.25), ("~8 y", 8.0), ("18 months", 1.5), ("365.25 D", 1.0), ("8 y/o", 8.0)),
        *(("-5", None), ("8 elephants", None), ("adult", None), ("8-9", None), ("8 8", None)),
    ],
)
def test_ages(text: str, years: float | None) -> None:
    assert parse_age(text) == years


def test_ages_in_weeks_and_days() -> None:
    assert parse_age("052W") == pytest.approx(0.997, abs=0.001)
    assert parse_age("010D") == pytest.approx(0.0274, abs=0.0001)


def test_the_study_travels_with_film_and_error(tmp_path: Path) -> None:
    study = read_radiograph(write_dicom(tmp_path, PIXELS, **IDENTITY)).study
    assert (study.modality, study.view_position, study.age_years) == ("CR", "PA", 42.0)
    assert (study.study_instance_uid, study.sop_instance_uid) == ("1.2.3", "1.2.3.4")
    assert study.identity.accession_number == "ACC-77001"
    assert study.identity.patient_name == "MUSTERFRAU^ERIKA"
    assert study.identity.patient_id == "ID-990011"
    assert study.identity.patient_birth_date == "20100704"
    with pytest.raises(UnsupportedImage) as caught:
        read_radiograph(write_dicom(tmp_path, PIXELS, **IDENTITY, NumberOfFrames=3))
    assert caught.value.study == study
    assert pickle.loads(pickle.dumps(caught.value)).study == study


@pytest.mark.parametrize(
    ("charset", "name", "shown"),
    [
        ("ISO_IR 100", "Müller^Jörg".encode("latin-1"), "Müller^Jörg"),
        ("ISO_IR 192", "김^희중".encode(), "김^희중"),
        (None, "김^희중".encode(), "김^희중"),
        ("ISO 2022 IR 6\\ISO 2022 IR 149", b"\x1b$)C\xb1\xe8^\x1b$)C\xc8\xf1\xc1\xdf", "김^희중"),
        ("ISO_IR 999", b"M\xfcller^J", "Müller^J"),
        ("ISO_IR 192", b"M\xfcller\x07^J", "M\ufffdller ^J"),
    ],
)
def test_names_in_any_character_set(
    charset: str | None, name: bytes, shown: str, tmp_path: Path
) -> None:
    content = made.make_dicom(PIXELS, PatientName="@" * len(name), SpecificCharacterSet=charset)
    path = tmp_path / "film.dcm"
    path.write_bytes(content.replace(b"@" * len(name), name))
    assert read_radiograph(path).study.identity.patient_name == shown


def test_long_values_are_cut_and_control_characters_dropped(tmp_path: Path) -> None:
    content = made.make_dicom(PIXELS, StudyInstanceUID="1." * 300 + "1", ViewPosition="P@A")
    path = tmp_path / "film.dcm"
    path.write_bytes(content.replace(b"P@A", b"P\x1bA"))
    study = read_radiograph(path).study
    assert study.study_instance_uid == "1." * 32
    assert study.view_position == "P A"


@pytest.mark.parametrize(
    ("elements", "aspect"),
    [
        ({}, 1.0),
        ({"PixelAspectRatio": [3, 4]}, 0.75),
        ({"PixelSpacing": [0.2, 0.1]}, 2.0),
        ({"ImagerPixelSpacing": [0.1, 0.2], "PixelSpacing": [0.2, 0.1]}, 0.5),
        ({"ImagerPixelSpacing": [0, 0], "PixelSpacing": [0.2, 0.2]}, 1.0),
        ({"PixelAspectRatio": [1, 100]}, 1.0),
        ({"PixelSpacing": [0.1]}, 1.0),
    ],
)
def test_pixel_aspect(elements: dict[str, Any], aspect: float, tmp_path: Path) -> None:
    assert read_radiograph(write_dicom(tmp_path, PIXELS, **elements)).pixel_aspect == aspect


@pytest.mark.parametrize(
    ("value", "expected"),
    [("YES", True), ("yes ", True), ("NO", False), ("", False), (None, False)],
)
def test_burned_in_text_is_told(tmp_path: Path, value: str | None, expected: bool) -> None:
    elements = {} if value is None else {"BurnedInAnnotation": value}
    study = read_radiograph(write_dicom(tmp_path, PIXELS, **elements)).study
    assert study.has_burned_in_text is expected
