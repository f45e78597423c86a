"""What a result takes from its film: who, which study, which object; letter for letter.

Values are copied as bytes, with their character set: decoded and encoded again, a name that its
character set does not fit would come out as another one, and the archive would not find the
patient.
"""

from __future__ import annotations

import re
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.tag import Tag

from edge_infer.errors import ImageError
from edge_infer.films.dicom.elements import DicomElements
from edge_infer.films.dicom.file import parse_dicom
from edge_infer.films.dicom.syntax import TransferSyntax

_COPIED: Final = {
    "PatientName": "PN",
    "PatientID": "LO",
    "IssuerOfPatientID": "LO",
    "PatientBirthDate": "DA",
    "PatientSex": "CS",
    "AccessionNumber": "SH",
    "StudyID": "SH",
    "StudyDate": "DA",
    "StudyTime": "TM",
    "StudyDescription": "LO",
    "ReferringPhysicianName": "PN",
}
_FORMS: Final = {
    "DA": re.compile(rb"\d{4}(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01]) ?"),
    "TM": re.compile(rb"([01]\d|2[0-3])([0-5]\d([0-5]\d(\.\d{1,6})?)?)? ?"),
    "CS": re.compile(rb"[MFO] ?"),
}
"""What is no date, time or sex is left out: an object with it would be refused."""
_UID = re.compile(r"[0-9]+(\.[0-9]+)*")
_LOSSY: Final = frozenset(
    {
        TransferSyntax.JPEG_BASELINE,
        TransferSyntax.JPEG_EXTENDED,
        TransferSyntax.JPEG_LS_NEAR_LOSSLESS,
        TransferSyntax.JPEG_2000,
        TransferSyntax.HTJ2K,
    }
)


@dataclass(frozen=True, kw_only=True)
class FilmHeader:
    """A film's header, as far as its results need it."""

    elements: DicomElements
    study_uid: str
    series_uid: str
    sop_class: str
    sop_uid: str
    is_lossy: bool
    """Its pixels were compressed with loss, now or before."""
    has_burned_in_text: bool | None
    """None where it does not say."""
    is_test: bool
    """QualityControlImage (0028,0300) is YES: it is of a phantom, no patient."""

    def copy_to(self, target: Dataset) -> None:
        """Put patient and study into a result, as they stand in the film."""
        character_set = self.elements.raw("SpecificCharacterSet")
        target.pop("SpecificCharacterSet", None)
        if character_set.strip():
            _put(target, "SpecificCharacterSet", "CS", character_set)
        for keyword, vr in _COPIED.items():
            value = self.elements.raw(keyword)
            if vr in _FORMS and not _FORMS[vr].fullmatch(value):
                value = b""
            if value or keyword in target:
                _put(target, keyword, vr, value)

    def stand_in(self) -> Dataset:
        """Return what highdicom wants of a film; `copy_to` puts the true values in afterwards."""
        film = Dataset()
        film.StudyInstanceUID, film.SeriesInstanceUID = self.study_uid, self.series_uid
        film.SOPClassUID, film.SOPInstanceUID = self.sop_class, self.sop_uid
        film.Modality = "CR"
        film.Rows = film.Columns = 1
        for keyword in _COPIED:
            if keyword not in ("IssuerOfPatientID", "StudyDescription"):
                setattr(film, keyword, "")
        return film


def read_film_header(path: Path) -> FilmHeader | None:
    """Read a film's header; None where it is no DICOM, or does not say which object it is.

    Raises OSError.
    """
    with path.open("rb") as stream:
        try:
            film = parse_dicom(stream)
        except ImageError:
            return None
    elements = film.elements
    uids = [
        elements.text(keyword)
        for keyword in ("StudyInstanceUID", "SeriesInstanceUID", "SOPClassUID", "SOPInstanceUID")
    ]
    if not all(_UID.fullmatch(uid) for uid in uids):
        return None
    burned = elements.text("BurnedInAnnotation").upper()
    return FilmHeader(
        elements=elements,
        study_uid=uids[0],
        series_uid=uids[1],
        sop_class=uids[2],
        sop_uid=uids[3],
        is_lossy=film.syntax in _LOSSY or elements.text("LossyImageCompression") == "01",
        has_burned_in_text={"YES": True, "NO": False}.get(burned),
        is_test=elements.text("QualityControlImage").upper() == "YES",
    )


def _put(target: Dataset, keyword: str, vr: str, value: bytes) -> None:
    tag = Tag(keyword)
    value += b" " * (len(value) % 2)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        target[tag] = RawDataElement(tag, vr, len(value), value, 0, False, True)
