"""The result as a picture: the film with its heat map, and what was found in words, burned in.

The words stand above and below the film, never on it. They are set by OpenCV's stroke font, which
has ASCII only. A Secondary Capture, RGB, uncompressed: every viewer shows it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import cv2
import numpy as np
from highdicom.enum import CoordinateSystemNames, PhotometricInterpretationValues
from highdicom.sc import SCImage
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.sr.codedict import codes

from edge_infer.films.dicom.own_results import MANUFACTURER
from edge_infer.films.radiograph import Radiograph
from edge_infer.films.read import read_radiograph
from edge_infer.model.heatmap import blend_heat, spread_heat
from edge_infer.net.results.film_header import FilmHeader
from edge_infer.net.results.job import MEANINGS, NOT_A_DIAGNOSIS, ResultJob, plain

LONGEST_SIDE: Final = 1536
"""Of the film in the picture; the full film is in the archive anyway."""
_NARROWEST: Final = 640
"""Pixels; below, the words could not be read."""
_SERIES_NUMBER = 9902
_FONT, _LINE, _MARGIN = cv2.FONT_HERSHEY_SIMPLEX, 40, 12


def make_capture(path: Path, header: FilmHeader, job: ResultJob) -> Dataset:
    """Return the picture of a film's result, ready to be written; raises ImageError."""
    film = read_radiograph(path)
    picture = draw_result(film, job)
    capture = SCImage(
        pixel_array=picture,
        photometric_interpretation=PhotometricInterpretationValues.RGB,
        bits_allocated=8,
        coordinate_system=CoordinateSystemNames.PATIENT,
        patient_orientation=("L", "F"),
        study_instance_uid=header.study_uid,
        series_instance_uid=job.uid(_kind("capture series", job), header.sop_uid),
        series_number=_SERIES_NUMBER,
        series_description="cxr-edge picture (research use only)",
        sop_instance_uid=job.uid(_kind("capture", job), header.sop_uid),
        instance_number=1,
        manufacturer=MANUFACTURER,
        manufacturer_model_name=plain(job.card.name)[:64],
        software_versions=plain(f"{job.package_version} {job.card.version}")[:64],
        content_date=job.found_at.date(),
        content_time=job.found_at.time(),
    )
    capture[
        "PatientOrientation"
    ].value = ""  # the film's own is often wrong, and no measurement is made
    capture.ConversionType = "WSD"
    capture.SecondaryCaptureDeviceManufacturer = MANUFACTURER
    capture.InstanceCreationDate = capture.DateOfSecondaryCapture = capture.ContentDate
    capture.InstanceCreationTime = capture.TimeOfSecondaryCapture = capture.ContentTime
    capture.BodyPartExamined = "CHEST"
    capture.DerivationDescription = f"Class activation map over the film. {NOT_A_DIAGNOSIS}"
    _refer_to(header, capture)
    _say_what_is_burned_in(header, capture)
    _say_whether_lossy(path, film, header, capture)
    header.copy_to(capture)
    return capture


def draw_result(film: Radiograph, job: ResultJob) -> NDArray[np.uint8]:
    """Return [H, W, 3] RGB: the film, its heat map, and words above and below it."""
    grey = _shrink(film)
    heat = np.zeros((1, 1), np.float32)
    if job.with_heat and job.cam is not None:
        heat = spread_heat(job.cam, job.heat_class)
    picture = blend_heat(grey, heat) if heat.any() else cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR)
    width = max(_NARROWEST, picture.shape[1])
    side = width - picture.shape[1]
    picture = cv2.copyMakeBorder(
        picture, 0, 0, side // 2, side - side // 2, cv2.BORDER_CONSTANT, value=(0, 0, 0)
    )
    decision = f"{job.decision.value.upper()}: {MEANINGS[job.decision]}"
    shown = f"Heat map: {job.heat_class}" if heat.any() else "No heat map"
    above = [f"{decision}. TB score {job.finding.tb_score}", NOT_A_DIAGNOSIS.upper()]
    below = [
        f"{shown}. {plain(job.card.name)} {plain(job.card.version)}, "
        f"cxr-edge {plain(job.package_version)}",
        NOT_A_DIAGNOSIS.upper(),
    ]
    stacked = np.vstack([_write(above, width), picture, _write(below, width)])
    return np.ascontiguousarray(stacked[:, :, ::-1])


def _shrink(film: Radiograph) -> NDArray[np.uint8]:
    """Return the film in 8 bits and its true proportions, its longer side LONGEST_SIDE at most."""
    height, width = film.pixels.shape[0] * film.pixel_aspect, float(film.pixels.shape[1])
    scale = min(1.0, LONGEST_SIDE / max(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    grey = (film.pixels >> 8).astype(np.uint8)
    return np.asarray(cv2.resize(grey, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)


def _write(lines: list[str], width: int) -> NDArray[np.uint8]:
    """Return a black band with lines of white text, as large as fits, blue, green, red."""
    band = np.zeros((_LINE * len(lines) + _MARGIN, width, 3), np.uint8)
    for number, line in enumerate(lines):
        (full, _), _ = cv2.getTextSize(line, _FONT, 1.0, 2)
        scale = min(1.0, (width - 2 * _MARGIN) / full)
        place = _MARGIN, _LINE * (number + 1) - _MARGIN // 2
        cv2.putText(band, line, place, _FONT, scale, (255, 255, 255), 2, cv2.LINE_AA)
    return band


def _kind(kind: str, job: ResultJob) -> str:
    return kind if job.with_heat else f"{kind} without heat map"


def _refer_to(header: FilmHeader, capture: Dataset) -> None:
    """Name the film that the picture was made of (PS3.3 C.7.6.1, C.7.6.1.1.4)."""
    source, purpose = Dataset(), Dataset()
    code = codes.DCM.SourceImageForImageProcessingOperation
    purpose.CodeValue, purpose.CodeMeaning = code.value, code.meaning
    purpose.CodingSchemeDesignator = code.scheme_designator
    source.ReferencedSOPClassUID, source.ReferencedSOPInstanceUID = (
        header.sop_class,
        header.sop_uid,
    )
    source.PurposeOfReferenceCodeSequence = Sequence([purpose])
    capture.SourceImageSequence = Sequence([source])


def _say_what_is_burned_in(header: FilmHeader, capture: Dataset) -> None:
    """Say of the picture what its film says of itself.

    (0028,0301) asks whether what is burned in tells the patient and the date (PS3.3 C.7.6.1): our
    words do not, the film's own may, and a film that is silent leaves it open.
    """
    if header.has_burned_in_text is not None:
        capture.BurnedInAnnotation = "YES" if header.has_burned_in_text else "NO"


def _say_whether_lossy(path: Path, film: Radiograph, header: FilmHeader, capture: Dataset) -> None:
    """Say that the film was compressed with loss, which no copy takes back (C.7.6.1.1.5)."""
    if not header.is_lossy:
        return
    ratios = header.elements.numbers("LossyImageCompressionRatio")
    rows, columns = film.full_shape
    packed = 2 * rows * columns / max(1, path.stat().st_size)
    capture.LossyImageCompression = "01"
    capture.LossyImageCompressionRatio = f"{ratios[0] if ratios else max(1.0, packed):.4g}"
