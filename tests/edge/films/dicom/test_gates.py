"""What the model is not for is refused from the header, naming keyword, tag and value."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_infer.errors import ImageError, ReasonCode, UnsupportedImage
from edge_infer.films.read import read_radiograph
from tests.edge.films.dicom import dicom_factory as made
from tests.edge.films.dicom.dicom_factory import IDENTITY, bands, make_code, write_dicom

PIXELS = bands([10, 60, 130, 250], "u1")
COLOURS = np.dstack([PIXELS, PIXELS // 2, PIXELS // 4])

DX_CLASS = "1.2.840.10008.5.1.4.1.1.1.1"

ACCEPTED: dict[str, dict[str, Any]] = {
    "as it is": {},
    "DX": {"Modality": "DX"},
    "RG": {"Modality": "RG"},
    "no modality": {"Modality": None},
    "no modality, no class": {"Modality": None, "SOPClassUID": None},
    "SC, body part chest": {"Modality": "SC"},
    "OT, description chest": {
        **{"Modality": "OT", "BodyPartExamined": None},
        "StudyDescription": "Thorax p.a.",
    },
    "no body part": {"BodyPartExamined": None},
    "empty body part": {"BodyPartExamined": ""},
    "body part unknown": {"BodyPartExamined": "UNKNOWN"},
    "body part THORAX": {"BodyPartExamined": "THORAX"},
    "body part CHEST_PA": {"BodyPartExamined": "CHEST_PA"},
    "body part CHESTABDOMEN": {"BodyPartExamined": "CHESTABDOMEN"},
    "body part Lunge": {"BodyPartExamined": "Lunge"},
    "body part TÓRAX": {"BodyPartExamined": "TÓRAX", "SpecificCharacterSet": "ISO_IR 100"},
    "finding as description": {"BodyPartExamined": None, "StudyDescription": "No Finding"},
    "effusion": {"BodyPartExamined": None, "StudyDescription": "Effusion, costophrenic sinus"},
    "chest and abdomen": {"BodyPartExamined": None, "StudyDescription": "CHEST, ABDOMEN"},
    "chest code": {
        "BodyPartExamined": None,
        "AnatomicRegionSequence": make_code("Region 1", "51185008"),
        "StudyDescription": "knee and others",
    },
    "main hospital": {"BodyPartExamined": None, "StudyDescription": "Main Hospital, C-arm"},
    "no view": {"ViewPosition": None},
    "AP supine": {"ViewPosition": "AP SUPINE"},
    "PA and lateral study": {"ViewPosition": None, "StudyDescription": "Chest PA and lateral"},
    "PA and lateral series": {"ViewPosition": None, "SeriesDescription": "Chest PA/LAT"},
    "bilateral": {"SeriesDescription": "bilateral opacities"},
    "frontal orientation": {"PatientOrientation": ["L", "F"]},
    "one frame": {"NumberOfFrames": 1},
    "15 years": {"PatientAge": "015Y"},
    "180 months": {"PatientAge": "180M"},
    "age without unit": {"PatientAge": "33"},
    "age 000Y": {"PatientAge": "000Y"},
    "age 000": {"PatientAge": "000"},
    "age unreadable": {"PatientAge": "adult"},
    "no age": {"PatientAge": None},
    "fifteenth birthday": {
        "PatientAge": None,
        "PatientBirthDate": "20010815",
        "StudyDate": "20160815",
    },
    "born after the study": {
        "PatientAge": None,
        "PatientBirthDate": "20200101",
        "StudyDate": "19010101",
    },
    "born in the year of 15 years before": {
        **{"PatientAge": None, "PatientBirthDate": "20100000"},
        "StudyDate": "20250601",
    },
    "born in no year": {
        "PatientAge": None,
        "PatientBirthDate": "00000000",
        "StudyDate": "20250601",
    },
    "a date that is none": {
        **{"PatientAge": None, "PatientBirthDate": "unknown"},
        "StudyDate": "20250601",
    },
    "RX of a film's class": {"Modality": "RX"},
    "CR and DX": {"Modality": ["CR", "DX"], "SOPClassUID": None},
    "XR of DX's class": {"Modality": "XR", "SOPClassUID": DX_CLASS},
    "for presentation": {"SOPClassUID": DX_CLASS, "PresentationIntentType": "FOR PRESENTATION"},
    "adult by PatientAge": {"PatientBirthDate": "20150101", "StudyDate": "20160101"},
}

REFUSED: dict[str, tuple[dict[str, Any], ReasonCode, str]] = {
    "CT": ({"Modality": "CT"}, ReasonCode.OTHER_MODALITY, "Modality (0008,0060) is 'CT'"),
    "MG": ({"Modality": "MG"}, ReasonCode.OTHER_MODALITY, "Modality (0008,0060) is 'MG'"),
    "a result of ours, of the chest": (
        {"Modality": "OT", "Manufacturer": "cxr-edge"},
        ReasonCode.OTHER_MODALITY,
        "Manufacturer (0008,0070) is 'cxr-edge'",
    ),
    "a capture by us": (
        {"SecondaryCaptureDeviceManufacturer": "cxr-edge"},
        ReasonCode.OTHER_MODALITY,
        "SecondaryCaptureDeviceManufacturer (0018,1016) is 'cxr-edge'",
    ),
    "CT class without modality": (
        {"Modality": None, "SOPClassUID": "1.2.840.10008.5.1.4.1.1.2"},
        ReasonCode.OTHER_MODALITY,
        "SOPClassUID (0008,0016) is '1.2.840.10008.5.1.4.1.1.2'",
    ),
    "SC of nothing said": (
        {"Modality": "SC", "BodyPartExamined": None},
        ReasonCode.OTHER_MODALITY,
        "Modality (0008,0060) is 'SC'",
    ),
    "OT of a knee": (
        {"Modality": "OT", "BodyPartExamined": "KNEE"},
        ReasonCode.OTHER_MODALITY,
        "BodyPartExamined (0018,0015)",
    ),
    "directory": (
        {"SOPClassUID": "1.2.840.10008.1.3.10", "Modality": None},
        ReasonCode.NO_PIXELS,
        "DICOMDIR",
    ),
    "body part": (
        {"BodyPartExamined": "EXTREMITY"},
        ReasonCode.OTHER_BODY_PART,
        "This is not a chest film: BodyPartExamined (0018,0015) is 'EXTREMITY'.",
    ),
    "thoracic spine": (
        {"BodyPartExamined": "THORACIC SPINE"},
        ReasonCode.OTHER_BODY_PART,
        "'THORACIC SPINE'",
    ),
    "TSPINE": ({"BodyPartExamined": "TSPINE"}, ReasonCode.OTHER_BODY_PART, "'TSPINE'"),
    "anatomy code": (
        {"BodyPartExamined": None, "AnatomicRegionSequence": make_code("Knee joint")},
        ReasonCode.OTHER_BODY_PART,
        "AnatomicRegionSequence (0008,2218) says 'knee'",
    ),
    "LL": ({"ViewPosition": "LL"}, ReasonCode.LATERAL_VIEW, "ViewPosition (0018,5101) is 'LL'"),
    "RLD": ({"ViewPosition": "RLD"}, ReasonCode.LATERAL_VIEW, "'RLD'"),
    "LATERAL": ({"ViewPosition": "LATERAL"}, ReasonCode.LATERAL_VIEW, "'LATERAL'"),
    "LAO": ({"ViewPosition": "LAO"}, ReasonCode.LATERAL_VIEW, "'LAO'"),
    "lateral series": (
        {"ViewPosition": None, "SeriesDescription": "Thorax seitlich"},
        ReasonCode.LATERAL_VIEW,
        "SeriesDescription (0008,103E) says 'seitlich'",
    ),
    "lateral series, PA by default": (
        {"SeriesDescription": "view: LATERAL"},
        ReasonCode.LATERAL_VIEW,
        "says 'lateral'",
    ),
    "Korean lateral": (
        {"ViewPosition": None, "ProtocolName": "흉부 측면", "SpecificCharacterSet": "ISO_IR 192"},
        ReasonCode.LATERAL_VIEW,
        "ProtocolName (0018,1030) says '측면'",
    ),
    "Japanese lateral": (
        {"ViewPosition": None, "SeriesDescription": "側面", "SpecificCharacterSet": "ISO_IR 192"},
        ReasonCode.LATERAL_VIEW,
        "'側面'",
    ),
    "lateral in the body part": (
        {"ViewPosition": None, "BodyPartExamined": "CHEST_LAT"},
        ReasonCode.LATERAL_VIEW,
        "BodyPartExamined (0018,0015) says 'lat'",
    ),
    "view code": (
        {"ViewPosition": None, "ViewCodeSequence": make_code("left lateral")},
        ReasonCode.LATERAL_VIEW,
        "ViewCodeSequence (0054,0220) says 'lateral'",
    ),
    "lateral orientation": (
        {"ViewPosition": None, "PatientOrientation": ["A", "F"]},
        ReasonCode.LATERAL_VIEW,
        "PatientOrientation (0020,0020) is 'A\\F'",
    ),
    "frames": (
        {"NumberOfFrames": 12},
        ReasonCode.SEVERAL_FRAMES,
        "NumberOfFrames (0028,0008) is '12'",
    ),
    "age 9": ({"PatientAge": "9"}, ReasonCode.CHILD, "PatientAge (0010,1010) is '9'"),
    "age 014Y": ({"PatientAge": "014Y"}, ReasonCode.CHILD, "'014Y'"),
    "age 179M": ({"PatientAge": "179M"}, ReasonCode.CHILD, "'179M'"),
    "age 052W": ({"PatientAge": "052W"}, ReasonCode.CHILD, "'052W'"),
    "age 003D": ({"PatientAge": "003D"}, ReasonCode.CHILD, "'003D'"),
    "age by dates": (
        {"PatientAge": "000Y", "PatientBirthDate": "20070301", "StudyDate": "20160402"},
        ReasonCode.CHILD,
        "about 9 years old by PatientBirthDate (0010,0030)",
    ),
    "day before the fifteenth birthday": (
        {"PatientAge": None, "PatientBirthDate": "20010815", "StudyDate": "20160814"},
        ReasonCode.CHILD,
        "about 14 years old",
    ),
    **{
        f"born {born}, taken {taken}": (
            {"PatientAge": None, "PatientBirthDate": born, "StudyDate": taken},
            ReasonCode.CHILD,
            "about 8 years old by PatientBirthDate (0010,0030)",
        )
        for born, taken in [
            *(("20170000", "20251101"), ("201703", "20251101"), ("20170300", "20251101")),
            *(("2017-03-01", "20251101"), ("2017", "20251101"), ("20170230", "20251101")),
            *(("2017/3/1", "20251101"), ("2017.03.01", "20251101"), ("01.03.2017", "20251101")),
            *(("15MAR2017", "20251101"), ("Mar 15, 2017", "20251101"), ("15032017", "20251101")),
            *(("20032017", "20251101"), ("201703??", "20251101"), ("25600315", "20251101")),
            *(("20170315", "20250000"), ("20170315", "2025-11-01"), ("2017-03-15 08:30", "2025")),
        ]
    },
    "taken as AcquisitionDateTime says": (
        {
            **{"PatientAge": None, "PatientBirthDate": "20170315"},
            "AcquisitionDateTime": "20251101120000.000000+0900",
        },
        ReasonCode.CHILD,
        "about 8 years old",
    ),
    "age in words": ({"PatientAge": "008 Years"}, ReasonCode.CHILD, "'008 Years'"),
    "raw by class": (
        {"Modality": "DX", "SOPClassUID": f"{DX_CLASS}.1"},
        ReasonCode.RAW,
        f"SOPClassUID (0008,0016) is '{DX_CLASS}.1'; send the picture FOR PRESENTATION instead.",
    ),
    "raw by intent": (
        {"PresentationIntentType": "FOR PROCESSING"},
        ReasonCode.RAW,
        "PresentationIntentType (0008,0068) is 'FOR PROCESSING'",
    ),
    "raw mammogram": (
        {"Modality": "MG", "PresentationIntentType": "FOR PROCESSING"},
        ReasonCode.OTHER_MODALITY,
        "'MG'",
    ),
    "RX of no class": (
        {"Modality": "RX", "SOPClassUID": None},
        ReasonCode.OTHER_MODALITY,
        "Modality (0008,0060) is 'RX'",
    ),
    "CR and CT": ({"Modality": ["CR", "CT"]}, ReasonCode.OTHER_MODALITY, "CR\\CT"),
    "small": ({"Rows": 127}, ReasonCode.TOO_SMALL, "Rows (0028,0010) is 127"),
    "large": ({"Rows": 20000, "Columns": 20000}, ReasonCode.TOO_LARGE, "120 megapixels"),
}

OTHER_PARTS = [
    *("MODALITYLUT - TEETH", "Panorama", "OPG", "LEFT KNEE AP", "Hand links", "Röntgen Schädel"),
    *("HWS in 2 Ebenen", "Becken", "Fuß rechts", "Rachis lombaire", "Genou droit", "Crâne face"),
    *("Rodilla derecha", "Columna lumbar", "Muñeca", "Joelho esquerdo", "Mão", "Crânio"),
    *("Ginocchio dx", "Addome", "Mano sinistra", "L-SPINE", "KUB", "Abdomen", "PELVIS AP"),
    *(
        "요추 AP",
        "무릎",
        "파노라마",
        "복부",
        "腰椎",
        "膝関節",
        "パノラマ",
        "腹部",
        "颈椎",
        "胸椎正位",
        "흉추",
    ),
    *("右膝关节", "骨盆", "头颅"),
    *("Коленный сустав", "Череп 2 проекции", "Поясничный отдел позвоночника", "Кисть левая"),
]
CHEST_TEXTS = [
    *("Органы грудной клетки", "Рентгенография ОГК прямая", "Лёгкие", "Флюорография"),
    *("Chest PA", "CXR", "Thorax p.a.", "Röntgen Thorax", "Radiographie pulmonaire", "Tórax PA"),
    *("Torace", "흉부 PA", "胸部正面", "胸片", "Chest for scoliosis and spine", "手術後", "손상"),
    *("Pneumothorax", "Infiltration", "Cardiomegaly", "Portable, C-ARM", "PE?", "Hernia"),
]


@pytest.mark.parametrize("name", ACCEPTED)
def test_films_the_model_is_for(name: str, tmp_path: Path) -> None:
    film = read_radiograph(write_dicom(tmp_path, PIXELS, **ACCEPTED[name]))
    assert film.pixels.shape == PIXELS.shape


@pytest.mark.parametrize(
    ("charset", "raw"),
    [
        ("ISO_IR 192", "흉부".encode()),
        ("GB18030", "胸部".encode("gb18030")),
        ("ISO_IR 100", "TÓRAX".encode("latin-1")),
        (None, "胸部".encode()),
    ],
)
def test_body_parts_in_other_scripts(charset: str | None, raw: bytes, tmp_path: Path) -> None:
    content = made.make_dicom(PIXELS, BodyPartExamined="@" * len(raw), SpecificCharacterSet=charset)
    path = tmp_path / "film.dcm"
    path.write_bytes(content.replace(b"@" * len(raw), raw))
    read_radiograph(path)


@pytest.mark.parametrize("youngest", [None, 12, 13])
def test_the_youngest_age_is_the_callers(youngest: int | None, tmp_path: Path) -> None:
    path = write_dicom(tmp_path, PIXELS, PatientAge="012Y")
    if youngest != 13:
        read_radiograph(path, min_age_years=youngest)
        return
    with pytest.raises(UnsupportedImage, match="the model is for 13 years and older") as caught:
        read_radiograph(path, min_age_years=youngest)
    assert caught.value.code is ReasonCode.CHILD


@pytest.mark.parametrize("name", REFUSED)
def test_films_the_model_is_not_for(name: str, tmp_path: Path) -> None:
    elements, code, told = REFUSED[name]
    with pytest.raises(UnsupportedImage) as caught:
        read_radiograph(write_dicom(tmp_path, PIXELS, **elements), min_age_years=15)
    assert caught.value.code is code
    assert told in str(caught.value)
    assert str(caught.value).endswith(".")


@pytest.mark.parametrize("text", OTHER_PARTS)
def test_another_body_part_in_free_text(text: str, tmp_path: Path) -> None:
    elements = {"BodyPartExamined": None, "ViewPosition": None, "StudyDescription": text}
    with pytest.raises(UnsupportedImage, match=r"StudyDescription \(0008,1030\) says") as caught:
        read_radiograph(
            write_dicom(tmp_path, PIXELS, SpecificCharacterSet="ISO_IR 192", **elements)
        )
    assert caught.value.code is ReasonCode.OTHER_BODY_PART


@pytest.mark.parametrize("text", CHEST_TEXTS)
def test_no_chest_film_is_refused_for_its_free_text(text: str, tmp_path: Path) -> None:
    elements = {"BodyPartExamined": None, "ViewPosition": None, "StudyDescription": text}
    read_radiograph(write_dicom(tmp_path, PIXELS, SpecificCharacterSet="ISO_IR 192", **elements))


@pytest.mark.parametrize("name", REFUSED)
def test_no_message_contains_the_identity(name: str, tmp_path: Path) -> None:
    elements = {**REFUSED[name][0], **IDENTITY}
    with pytest.raises(ImageError) as caught:
        read_radiograph(write_dicom(tmp_path, PIXELS, **elements), min_age_years=15)
    shown = str(caught.value) + repr(caught.value.study)
    for secret in ("ACC-77001", "MUSTERFRAU", "ERIKA", "ID-990011", "20100704"):
        assert secret not in shown


def undeclared(tmp_path: Path, keyword: str, raw: bytes, charset: str | None) -> Path:
    """Write a film whose text is not what its SpecificCharacterSet says."""
    mark = b"@" * (len(raw) + len(raw) % 2)
    elements: dict[str, Any] = {
        "BodyPartExamined": None,
        "ViewPosition": None,
        keyword: mark.decode(),
    }
    content = made.make_dicom(PIXELS, SpecificCharacterSet=charset, **elements)
    path = tmp_path / "film.dcm"
    path.write_bytes(content.replace(mark, raw.ljust(len(mark))))
    return path


@pytest.mark.parametrize("charset", [None, "ISO_IR 100", "ISO_IR 149", "\\ISO 2022 IR 149", "X"])
@pytest.mark.parametrize(
    ("text", "encoding", "code"),
    [
        ("흉부 측면", "cp949", ReasonCode.LATERAL_VIEW),
        ("무릎 AP", "cp949", ReasonCode.OTHER_BODY_PART),
        ("胸部侧位", "gbk", ReasonCode.LATERAL_VIEW),
        ("胸部側位", "big5", ReasonCode.LATERAL_VIEW),
        ("胸部側面", "cp932", ReasonCode.LATERAL_VIEW),
        ("腰椎", "euc_jp", ReasonCode.OTHER_BODY_PART),
        ("ОГК боковая", "cp1251", ReasonCode.LATERAL_VIEW),
        ("Коленный сустав", "koi8_r", ReasonCode.OTHER_BODY_PART),
        ("Череп", "cp866", ReasonCode.OTHER_BODY_PART),
        ("흉부 측면", "utf-8", ReasonCode.LATERAL_VIEW),
    ],
)
def test_text_of_another_character_set_than_declared(
    charset: str | None, text: str, encoding: str, code: ReasonCode, tmp_path: Path
) -> None:
    path = undeclared(tmp_path, "SeriesDescription", text.encode(encoding), charset)
    with pytest.raises(UnsupportedImage) as caught:
        read_radiograph(path)
    assert caught.value.code is code


@pytest.mark.parametrize("encoding", ["cp949", "gb18030", "cp932", "cp1251", "latin-1", "utf-8"])
@pytest.mark.parametrize("text", CHEST_TEXTS)
def test_a_wrong_reading_of_a_chest_film_s_text_refuses_nothing(
    text: str, encoding: str, tmp_path: Path
) -> None:
    raw = text.encode(encoding, "ignore")
    read_radiograph(undeclared(tmp_path, "StudyDescription", raw, None))


def test_a_single_character_of_a_wrong_reading_makes_no_chest(tmp_path: Path) -> None:
    """로 of Korean (B7CE) is 肺, lung, in Chinese."""
    path = undeclared(tmp_path, "StudyDescription", "무릎으로".encode("cp949"), None)
    with pytest.raises(UnsupportedImage, match="'무릎'"):
        read_radiograph(path)
