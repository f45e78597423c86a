"""Results as DICOM: what they say, of whom, and that others find nothing wrong with them."""

from __future__ import annotations

import subprocess
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from highdicom.sr import Comprehensive3DSR
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.sr.coding import Code

from edge_infer.errors import ImageError, UnsupportedImage
from edge_infer.films.read import read_radiograph
from edge_infer.model.model_card import CLASSES
from edge_infer.net.results.make import make_results
from edge_infer.net.results.report import DECISION, PROBABILITIES, SCORE, THRESHOLD
from tests.edge.films.dicom import dicom_factory as made
from tests.edge.net.made_nodes import film, needs, uid_of
from tests.edge.net.made_results import WHOLE_HEADER, job_of, make


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "film.dcm").write_bytes(film(1, **WHOLE_HEADER))
    return tmp_path / "film.dcm"


def write(path: Path, **elements: Any) -> Path:
    path.write_bytes(film(1, **{**WHOLE_HEADER, **elements}))
    return path


def content_of(report: Dataset) -> Any:
    """Return a report's content, as highdicom reads it."""
    return Comprehensive3DSR.from_dataset(report).content


def numbers_in(report: Dataset) -> dict[str, Decimal]:
    """Return the report's measurements by code, read by highdicom."""
    (group,) = content_of(report).get_image_measurement_groups()
    return {one.name.value: Decimal(str(one.value)) for one in group.get_measurements()}


def test_highdicom_reads_the_numbers_back(path: Path, tmp_path: Path) -> None:
    _, objects = make(path, tmp_path / "out")
    job, numbers = job_of(path), numbers_in(objects["report"])
    assert numbers.pop(SCORE.value) == job.finding.tb_score == Decimal("87.3")
    assert numbers.pop(THRESHOLD.value) == Decimal("40")
    probabilities = {PROBABILITIES[name].value for name in CLASSES}
    assert set(numbers) == probabilities and sum(numbers.values()) == 1
    assert numbers["p_tuberculosis"] == job.finding.probabilities[3]
    (group,) = content_of(objects["report"]).get_image_measurement_groups()
    (decision,) = group.get_qualitative_evaluations(Code(*DECISION))
    assert decision.value.value == "refer_tb"
    content = b"".join(one.read_bytes() for one in (tmp_path / "out").glob("*report.dcm"))
    assert b"model SHA-256: " + b"ab" * 32 in content
    assert b"intended use: Research use only. Not a diagnosis." in content
    assert b"Device Observer Name" in content
    assert objects["report"].VerificationFlag == "UNVERIFIED"


def test_results_belong_to_the_film_s_patient_and_study_letter_for_letter(tmp_path: Path) -> None:
    korean = {
        "SpecificCharacterSet": "ISO_IR 149",
        "PatientName": "Hong^Gildong  x=洪^吉洞=홍^길동",
    }
    korean["SpecificCharacterSet"] = "\\ISO 2022 IR 149"
    path = write(tmp_path / "film.dcm", PatientID=" ID  7", **korean)
    _, objects = make(path, tmp_path / "out")
    for one in objects.values():
        sent = dcmread(path)
        assert one.get_item("PatientName").value == sent.get_item("PatientName").value
        assert one.get_item("PatientID").value == sent.get_item("PatientID").value
        assert one.PatientName == sent.PatientName and one.StudyInstanceUID == "1.2.3.1"
        assert one.SeriesInstanceUID not in ("1.2.3.9", None)
    assert objects["report"].SeriesInstanceUID != objects["picture"].SeriesInstanceUID
    source = objects["picture"].SourceImageSequence[0]
    assert source.ReferencedSOPInstanceUID == uid_of(1)


def test_made_again_they_are_the_same_bytes_and_another_model_gives_others(
    path: Path, tmp_path: Path
) -> None:
    first, _ = make(path, tmp_path / "a")
    again, _ = make(path, tmp_path / "b")
    other, _ = make(path, tmp_path / "c", model_sha256="cd" * 32)
    assert first.names == again.names and not set(first.names) & set(other.names)
    for name in first.names:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_the_picture_shows_film_and_words_and_no_heat_where_none_is_wanted(
    path: Path, tmp_path: Path
) -> None:
    _, with_heat = make(path, tmp_path / "a")
    _, without = make(path, tmp_path / "b", with_heat=False)
    one, other = with_heat["picture"], without["picture"]
    assert one.ConversionType == "WSD" and one.BurnedInAnnotation == "NO"
    assert one.SOPInstanceUID != other.SOPInstanceUID
    coloured, grey = one.pixel_array.astype(int), other.pixel_array.astype(int)
    assert np.ptp(grey, axis=2).max() == 0 < np.ptp(coloured, axis=2).max()
    height = read_radiograph(path).pixels.shape[0]
    bands = (grey.shape[0] - height) // 2
    shown = grey[bands : bands + height, :, 0]
    inside = shown[:, (shown.shape[1] - 160) // 2 :][:, :160]
    expected = read_radiograph(path).pixels >> 8
    np.testing.assert_array_equal(inside, expected)
    assert grey[:bands].max() > 200 and grey[-bands:].max() > 200, "words above and below"


def test_a_film_that_names_its_patient_has_no_picture(tmp_path: Path) -> None:
    path = write(tmp_path / "film.dcm", BurnedInAnnotation="YES")
    said, objects = make(path, tmp_path / "out")
    assert set(objects) == {"report"} and "BurnedInAnnotation" in said.left_out


@pytest.mark.parametrize(
    "elements",
    [{"QualityControlImage": "YES"}, {"StudyInstanceUID": None}, {"SeriesInstanceUID": "x"}],
)
def test_a_film_of_no_patient_or_no_study_has_no_result(
    tmp_path: Path, elements: dict[str, Any]
) -> None:
    path = write(tmp_path / "film.dcm", **elements)
    with pytest.raises(UnsupportedImage):
        make(path, tmp_path / "out")
    assert not list((tmp_path / "out").iterdir())


def test_a_film_that_was_changed_since_has_no_result(path: Path, tmp_path: Path) -> None:
    job = job_of(path)
    write(path, PatientID="ANOTHER")
    with pytest.raises(UnsupportedImage, match="changed"):
        make_results(path, jobs={str(path): job}, folder=tmp_path)


def test_a_result_is_no_film(path: Path, tmp_path: Path) -> None:
    said, _ = make(path, tmp_path / "out")
    for name in said.names:
        with pytest.raises(ImageError):
            read_radiograph(tmp_path / "out" / name)


@needs("dciodvfy", "dsrdump")
@pytest.mark.parametrize(
    "elements",
    [
        {},
        {"PatientAge": "33", "PatientBirthDate": "unknown", "StudyTime": "25", "PatientSex": "?"},
        {"SpecificCharacterSet": "ISO_IR 100", "PatientName": "MÜLLER^JÜRGEN"},
        dict.fromkeys([*WHOLE_HEADER, "PatientID"]) | {"SeriesInstanceUID": "1.2.3.9"},
    ],
)
def test_dciodvfy_and_dsrdump_find_nothing_wrong(tmp_path: Path, elements: dict[str, Any]) -> None:
    path = write(tmp_path / "film.dcm", **elements)
    said, _ = make(path, tmp_path / "out")
    for name in said.names:
        judged = subprocess.run(
            ["dciodvfy", str(tmp_path / "out" / name)], capture_output=True, encoding="latin-1"
        )
        errors = [one for one in judged.stderr.splitlines() if one.startswith("Error")]
        assert not errors, errors
    report = next(name for name in said.names if "report" in name)
    dumped = subprocess.run(
        ["dsrdump", str(tmp_path / "out" / report)], capture_output=True, encoding="latin-1"
    )
    assert dumped.returncode == 0 and "87.3" in dumped.stdout and not dumped.stderr


@needs("dciodvfy")
def test_a_film_compressed_with_loss_says_so_in_its_picture(tmp_path: Path) -> None:
    path = tmp_path / "film.dcm"
    path.write_bytes(film(1, syntax=made.JPEG_BASELINE, **WHOLE_HEADER))
    said, objects = make(path, tmp_path / "out")
    assert objects["picture"].LossyImageCompression == "01"
    judged = subprocess.run(
        ["dciodvfy", str(tmp_path / "out" / said.names[1])], capture_output=True, encoding="latin-1"
    )
    assert "Error" not in judged.stderr
