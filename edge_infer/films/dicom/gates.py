"""Which DICOM objects are films the model is for; told from the header, before any pixel is read.

Each gate refuses only what the header clearly says. What is not said passes: many clinics' films
have no BodyPartExamined, no ViewPosition and no age. The exception is Secondary Capture (SC, OT),
which holds anything from referral letters to screenshots and must say that it is a chest.
"""

from __future__ import annotations

from collections.abc import Iterator

from edge_infer.errors import ReasonCode, UnsupportedImage
from edge_infer.films.dicom.age import find_stated_age
from edge_infer.films.dicom.elements import DicomElements, name_tag
from edge_infer.films.dicom.own_results import own_mark
from edge_infer.films.dicom.words import (
    CHEST,
    FRONTAL,
    NOT_FRONTAL,
    NOT_FRONTAL_POSITION,
    OTHER_PART,
    fold,
)

SMALLEST_SIDE = 128
"""Pixels; a smaller picture is an icon, and the network would see only interpolation."""
MAX_PIXELS = 120_000_000
"""The largest flat panels have 20 million pixels; 120 million of 16 bits are 240 MB."""

_FILM_MODALITIES = frozenset({"CR", "DX", "RG"})
_OTHER_MODALITIES = """
    ANN AR ASMT AU BDUS BI BMD CFM CT CTPROTOCOL DG DMS DOC ECG EEG EMG EOG EPS ES FID GM HC HD IO
    IOL IVOCT IVUS KER KO LEN LS M3D MG MR MS NM OAM OCT OP OPM OPT OPTBSV OPTENF OPV OSS PA PLAN
    POS PR PT PX REG RESP RF RTDOSE RTIMAGE RTINTENT RTPLAN RTRAD RTRECORD RTSEGANN RTSTRUCT RWV SEG
    SM SMR SR SRF STAIN TEXTUREMAP TG US VA XA XAPROTOCOL XC
    AS CD CF CP CS DD DF DM DS EC FA FS LP MA OPR ST VF
"""
"""The standard's other modalities (PS3.3 C.7.3.1.1.1), retired ones last."""
_ANYTHING_MODALITIES = frozenset({"SC", "OT"})
_DIRECTORY_CLASS = "1.2.840.10008.1.3.10"
_FILM_CLASSES = (
    "1.2.840.10008.5.1.4.1.1.1",  # CR
    "1.2.840.10008.5.1.4.1.1.1.1",  # DX, for presentation
)
_RAW_CLASS = "1.2.840.10008.5.1.4.1.1.1.1.1"
"""DX, for processing."""
_CAPTURE_CLASS = "1.2.840.10008.5.1.4.1.1.7"
_CHEST_CODES = frozenset(
    {"T-D3000", "51185008", "T-28000", "39607008", "T-D3050", "43799004", "302551006"}
)
"""AnatomicRegionSequence codes of chest, lung, thoracic cavity and entire thorax."""
_UNKNOWN_PARTS = frozenset(
    {"unknown", "undefined", "unspecified", "other", "others", "none", "na", "n/a", "any", "xx"}
)
_FRONTAL_VIEWS = frozenset({"ap", "pa"})
_PART_TEXTS = (
    "StudyDescription",
    "SeriesDescription",
    "ProtocolName",
    "AcquisitionDeviceProcessingDescription",
    "PerformedProcedureStepDescription",
    "RequestedProcedureDescription",
)
_PART_CODES = ("ProcedureCodeSequence", "RequestedProcedureCodeSequence", "ViewCodeSequence")
_VIEW_TEXTS = (
    "SeriesDescription",
    "ProtocolName",
    "AcquisitionDeviceProcessingDescription",
    "PerformedProcedureStepDescription",
    "BodyPartExamined",
)
"""Texts of one series: a StudyDescription 'chest PA and lateral' speaks of two films."""


def check_header(
    elements: DicomElements, *, age_years: float | None, min_age_years: int | None
) -> None:
    """Raise UnsupportedImage, naming keyword, tag and value, for what the model is not for.

    `min_age_years` is the model card's; None: of any age.
    """
    _check_kind(elements)
    _check_body_part(elements)
    _check_view(elements)
    _check_frames(elements)
    _check_age(elements, age_years, min_age_years)


def check_picture(elements: DicomElements) -> None:
    """Raise UnsupportedImage where the header says that there is not one picture of a film's size.

    What may be shown to a person must pass it too.
    """
    _check_frames(elements)
    _check_size(elements)


def _check_kind(elements: DicomElements) -> None:
    if (mark := own_mark(elements)) is not None:
        raise UnsupportedImage(
            f"This is a result of this program, not a film: {_quote(elements, mark)}.",
            ReasonCode.OTHER_MODALITY,
        )
    sop_class = elements.text("SOPClassUID")
    if sop_class == _DIRECTORY_CLASS or elements.has("DirectoryRecordSequence"):
        raise UnsupportedImage(
            "This is a DICOMDIR, the index of a disc, not a film.", ReasonCode.NO_PIXELS
        )
    modality = elements.text("Modality").upper()
    if _is_film(modality, sop_class) or sop_class == _RAW_CLASS:
        _check_finished(elements, sop_class)
        return
    is_capture = sop_class.startswith(_CAPTURE_CLASS)
    if modality in _ANYTHING_MODALITIES or (not modality and is_capture):
        if _tells_chest(elements):
            return
        raise UnsupportedImage(
            f"This is a screen capture or scan that does not say it is a chest film: "
            f"{_quote(elements, 'Modality')} and no {name_tag('BodyPartExamined')} or "
            "description names the chest.",
            ReasonCode.OTHER_MODALITY,
        )
    if modality:
        raise UnsupportedImage(
            f"This is not an X-ray film: {_quote(elements, 'Modality')}.",
            ReasonCode.OTHER_MODALITY,
        )
    if sop_class and sop_class not in _FILM_CLASSES:
        raise UnsupportedImage(
            f"This is not an X-ray film: {_quote(elements, 'SOPClassUID')}.",
            ReasonCode.OTHER_MODALITY,
        )


def _check_finished(elements: DicomElements, sop_class: str) -> None:
    """Refuse what the detector counted, before the processing that makes it a film to look at."""
    is_said = elements.text("PresentationIntentType").upper().startswith("FOR PROCESSING")
    if is_said or sop_class == _RAW_CLASS:
        told = _quote(elements, "PresentationIntentType" if is_said else "SOPClassUID")
        raise UnsupportedImage(
            f"This is the detector's raw picture, not the film: {told}; send the picture FOR "
            "PRESENTATION instead.",
            ReasonCode.RAW,
        )


def _is_film(modality: str, sop_class: str) -> bool:
    """Take CR, DX and RG; of a film's class also RX, DR, XR and the like, which no standard knows.

    Of several values each must be one of these.
    """
    values = [value.strip() for value in modality.split("\\") if value.strip()]
    if sop_class not in _FILM_CLASSES:
        return bool(values) and all(value in _FILM_MODALITIES for value in values)
    known = {*_OTHER_MODALITIES.split(), *_ANYTHING_MODALITIES}
    return bool(values) and known.isdisjoint(values)


def _tells_chest(elements: DicomElements) -> bool:
    body_part = elements.spellings("BodyPartExamined")
    return _is_chest(body_part) or any(CHEST.find(*text) for _, text in _descriptions(elements))


def _check_body_part(elements: DicomElements) -> None:
    body_part = elements.spellings("BodyPartExamined")
    if _is_chest(body_part):
        return
    if body_part and fold(body_part[0]) not in _UNKNOWN_PARTS:
        raise _other_part(_quote(elements, "BodyPartExamined"))
    descriptions = tuple(_descriptions(elements))
    if any(CHEST.find(*text) for _, text in descriptions):
        return
    for keyword, text in descriptions:
        # The word only: a free text may hold a patient's name.
        if word := OTHER_PART.find(*text):
            raise _other_part(f"{name_tag(keyword)} says '{word}'")


def _is_chest(body_part: tuple[str, ...]) -> bool:
    """Take CHEST, CHEST_PA, CHESTABDOMEN, THORAX, Lunge, 胸部; not TSPINE or THORACIC SPINE."""
    words = [word for text in body_part for word in fold(text).split()]
    starts = any(word.startswith(("chest", "thorax", "torax")) for word in words)
    return starts or bool(CHEST.find(*body_part))


def _descriptions(elements: DicomElements) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield keyword and readings of each description; a chest code of the anatomy reads 'chest'."""
    for region in elements.items("AnatomicRegionSequence"):
        is_chest = region.text("CodeValue") in _CHEST_CODES
        yield "AnatomicRegionSequence", ("chest",) if is_chest else region.spellings("CodeMeaning")
    for keyword in _PART_TEXTS:
        yield keyword, elements.spellings(keyword)
    for keyword in _PART_CODES:
        for item in elements.items(keyword):
            yield keyword, item.spellings("CodeMeaning")


def _check_view(elements: DicomElements) -> None:
    view = elements.spellings("ViewPosition")
    if NOT_FRONTAL_POSITION.find(*view) and not FRONTAL.find(*view):
        raise _not_frontal(_quote(elements, "ViewPosition"))
    for keyword, text in _view_texts(elements):
        # The first text that names a view decides; 'PA and lateral' names both.
        if FRONTAL.find(*text):
            break
        if word := NOT_FRONTAL.find(*text):
            raise _not_frontal(f"{name_tag(keyword)} says '{word}'")
    # PS3.3 C.7.6.1.1.1: one side of a lateral film runs to the front or the back of the patient.
    sides = [side.strip()[:1] for side in elements.text("PatientOrientation").upper().split("\\")]
    if len(sides) == 2 and not {"A", "P"}.isdisjoint(sides) and not {"F", "H"}.isdisjoint(sides):
        if view and fold(view[0]) in _FRONTAL_VIEWS:
            return
        raise _not_frontal(_quote(elements, "PatientOrientation"))


def _view_texts(elements: DicomElements) -> Iterator[tuple[str, tuple[str, ...]]]:
    for item in elements.items("ViewCodeSequence"):
        yield "ViewCodeSequence", item.spellings("CodeMeaning")
    for keyword in _VIEW_TEXTS:
        yield keyword, elements.spellings(keyword)


def _check_frames(elements: DicomElements) -> None:
    frames = elements.numbers("NumberOfFrames")
    if frames and frames[0] > 1:
        raise UnsupportedImage(
            f"This is a series of pictures, not one film: {_quote(elements, 'NumberOfFrames')}.",
            ReasonCode.SEVERAL_FRAMES,
        )


def _check_age(elements: DicomElements, age_years: float | None, min_age_years: int | None) -> None:
    if age_years is None or min_age_years is None or age_years >= min_age_years:
        return
    if find_stated_age(elements) is not None:
        told = _quote(elements, "PatientAge")
    else:
        # The birth date itself is never shown.
        told = f"about {age_years:.0f} years old by {name_tag('PatientBirthDate')}"
    raise UnsupportedImage(
        f"The patient is a child, and the model is for {min_age_years} years and older: {told}.",
        ReasonCode.CHILD,
    )


def _check_size(elements: DicomElements) -> None:
    rows, columns = elements.integer("Rows") or 0, elements.integer("Columns") or 0
    size = f"{name_tag('Rows')} is {rows}, {name_tag('Columns')} is {columns}"
    if rows == 0 or columns == 0:
        missing = name_tag("Rows" if rows == 0 else "Columns")
        raise UnsupportedImage(
            f"There is no picture in this file: {missing} is missing or 0.", ReasonCode.NO_PIXELS
        )
    if min(rows, columns) < SMALLEST_SIDE:
        raise UnsupportedImage(
            f"The picture is too small for a film: {size}; the shorter side must have "
            f"{SMALLEST_SIDE} pixels.",
            ReasonCode.TOO_SMALL,
        )
    if rows * columns > MAX_PIXELS:
        raise UnsupportedImage(
            f"The picture is too large: {size}; the limit is 120 megapixels.",
            ReasonCode.TOO_LARGE,
        )


def _quote(elements: DicomElements, keyword: str) -> str:
    value = elements.text(keyword, longest=40)
    return f"{name_tag(keyword)} is '{value}'" if value else f"{name_tag(keyword)} is empty"


def _other_part(told: str) -> UnsupportedImage:
    return UnsupportedImage(f"This is not a chest film: {told}.", ReasonCode.OTHER_BODY_PART)


def _not_frontal(told: str) -> UnsupportedImage:
    return UnsupportedImage(f"This is not a frontal view: {told}.", ReasonCode.LATERAL_VIEW)
