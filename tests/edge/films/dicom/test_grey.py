"""Stored values become the displayed grey the standard says: each case computed by hand."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom.tag import Tag

from edge_infer.errors import ReasonCode, UnreadableImage, UnsupportedImage
from edge_infer.films.read import read_radiograph
from tests.edge.films.dicom.dicom_factory import (
    BIG,
    COLUMNS,
    IMPLICIT,
    bands,
    make_lut,
    write_dicom,
)

EIGHT = [0, 64, 128, 255]
EIGHT_GREY = [0, 16448, 32896, 65535]  # x 257
TWELVE = [0, 1024, 2048, 4095]
TWELVE_GREY = [0, 16388, 32776, 65535]  # x 65535 / 4095 = x 16.00366
WINDOWED = [0, 328, 33095, 65535]  # (x - 99.5) / 100 + 0.5 of 49, 50, 100, 150

CASES: dict[str, tuple[str, int, dict[str, Any], list[int], list[int]]] = {
    "8 bits, full range": ("u1", 8, {}, EIGHT, EIGHT_GREY),
    "12 bits, full range": ("u2", 12, {}, TWELVE, TWELVE_GREY),
    "10 bits": ("u2", 10, {}, [0, 341, 682, 1023], [0, 21845, 43690, 65535]),
    "16 bits": ("u2", 16, {}, [0, 1, 30000, 65535], [0, 1, 30000, 65535]),
    "junk above BitsStored": ("u2", 12, {}, [v | 0xA000 for v in TWELVE], TWELVE_GREY),
    "HighBit 15": ("u2", 12, {"HighBit": 15}, [v << 4 for v in TWELVE], TWELVE_GREY),
    "signed 12 bits": ("i2", 12, {}, [-2048, -1, 0, 2047], [0, 32759, 32776, 65535]),
    "signed 16 bits": ("i2", 16, {}, [-32768, -1, 0, 32767], [0, 32767, 32768, 65535]),
    "signed 12 bits, sign not extended": (
        *("u2", 12, {"PixelRepresentation": 1}),
        *([0x800, 0xFFF, 0, 0x7FF], [0, 32759, 32776, 65535]),
    ),
    "MONOCHROME1": ("u1", 8, {"photometric": "MONOCHROME1"}, EIGHT, [65535, 49087, 32639, 0]),
    "MONOCHROME1 with a wrong shape": (
        *("u1", 8, {"photometric": "MONOCHROME1", "PresentationLUTShape": "IDENTITY"}),
        *(EIGHT, [65535, 49087, 32639, 0]),
    ),
    "rescale alone changes nothing": (
        *("u1", 8, {"RescaleSlope": 2, "RescaleIntercept": -100}),
        *(EIGHT, EIGHT_GREY),
    ),
    "falling rescale": (
        *("u1", 8, {"RescaleSlope": -1, "RescaleIntercept": 255}),
        *(EIGHT, [65535, 49087, 32639, 0]),
    ),
    "slope 0 is no slope": ("u1", 8, {"RescaleSlope": 0}, EIGHT, EIGHT_GREY),
    "LINEAR": (
        *("u1", 8, {"WindowCenter": 100, "WindowWidth": 101}),
        *([49, 50, 100, 150], WINDOWED),
    ),
    "LINEAR as wide as the range": (
        *("u2", 12, {"WindowCenter": 2048, "WindowWidth": 4096}),
        *(TWELVE, TWELVE_GREY),
    ),
    "LINEAR, width 1": (
        *("u1", 8, {"WindowCenter": 100, "WindowWidth": 1}),
        *([0, 99, 100, 255], [0, 0, 65535, 65535]),
    ),
    "LINEAR_EXACT": (
        *("u1", 8, {"WindowCenter": 100, "WindowWidth": 100, "VOILUTFunction": "LINEAR_EXACT"}),
        *([50, 75, 100, 150], [0, 16384, 32768, 65535]),
    ),
    "SIGMOID": (
        *("u1", 8, {"WindowCenter": 100, "WindowWidth": 100, "VOILUTFunction": "SIGMOID"}),
        *([50, 100, 150, 200], [7812, 32768, 57723, 64356]),  # 1 / (1 + exp(-4 (x - 100) / 100))
    ),
    "the first of several windows": (
        *("u1", 8, {"WindowCenter": [100, 10], "WindowWidth": [101, 20]}),
        *([49, 50, 100, 150], WINDOWED),
    ),
    "the window is in rescaled units": (
        "u1",
        8,
        {"RescaleSlope": 10, "RescaleIntercept": -1000, "WindowCenter": 100, "WindowWidth": 101},
        [100, 105, 110, 115],
        WINDOWED,
    ),
    "an impossible window is none": (
        *("u1", 8, {"WindowCenter": 100, "WindowWidth": 0}),
        *(EIGHT, EIGHT_GREY),
    ),
    "window and MONOCHROME1": (
        *("u1", 8, {"WindowCenter": 100, "WindowWidth": 101, "photometric": "MONOCHROME1"}),
        *([49, 50, 100, 150], [65535 - grey for grey in WINDOWED]),
    ),
    "modality LUT": (
        *("u2", 12, {"ModalityLUTSequence": [10, 16, [7, 1000, 3000, 65535]]}),
        *([5, 11, 12, 4000], [7, 1000, 3000, 65535]),
    ),
    "modality LUT wins over rescale": (
        *("u2", 12, {"ModalityLUTSequence": [10, 16, [7, 9, 99, 65535]], "RescaleSlope": 3}),
        *([5, 11, 12, 4000], [7, 9, 99, 65535]),
    ),
    "modality LUT, signed input": (
        *("i2", 12, {"ModalityLUTSequence": [-1, 16, [7, 1000, 3000, 65535]]}),
        *([-2048, 0, 1, 2], [7, 1000, 3000, 65535]),
    ),
    "VOI LUT of 8 bits": (
        *("u1", 8, {"VOILUTSequence": [0, 8, [0, 51, 102, 255]]}),
        *([0, 1, 2, 200], [0, 13107, 26214, 65535]),
    ),
    "VOI LUT of 12 bits": (
        *("u1", 8, {"VOILUTSequence": [100, 12, [0, 1024, 2048, 4095]]}),
        *([99, 101, 102, 103], TWELVE_GREY),
    ),
    "VOI LUT wins over the window": (
        "u1",
        8,
        {"VOILUTSequence": [0, 8, [0, 51, 102, 255]], "WindowCenter": 1, "WindowWidth": 2},
        [0, 1, 2, 200],
        [0, 13107, 26214, 65535],
    ),
    "VOI LUT after a rescale to negative values": (
        *("u1", 8, {"VOILUTSequence": [-100, 8, [0, 51, 102, 255]], "RescaleIntercept": -100}),
        *([0, 1, 2, 200], [0, 13107, 26214, 65535]),
    ),
    "padding is black": ("u1", 8, {"PixelPaddingValue": 255}, EIGHT, [0, 16448, 32896, 0]),
    "padding is black in MONOCHROME1": (
        *("u1", 8, {"PixelPaddingValue": 0, "photometric": "MONOCHROME1"}),
        *(EIGHT, [0, 49087, 32639, 0]),
    ),
    "padding range": (
        *("u1", 8, {"PixelPaddingValue": 255, "PixelPaddingRangeLimit": 100}),
        *(EIGHT, [0, 16448, 0, 0]),
    ),
    "signed padding": (
        *("i2", 12, {"PixelPaddingValue": -2000}),
        *([-2000, -1, 0, 2047], [0, 32759, 32776, 65535]),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_grey_equals_the_hand_computed(name: str, tmp_path: Path) -> None:
    dtype, bits, elements, stored, expected = CASES[name]
    pixels = bands(stored, dtype)
    film = read_radiograph(write_dicom(tmp_path, pixels, bits=bits, **_with_tables(elements)))
    assert film.pixels.dtype == np.uint16
    np.testing.assert_array_equal(film.pixels, bands(expected))


@pytest.mark.parametrize("syntax", [IMPLICIT, BIG])
@pytest.mark.parametrize("name", ["signed 12 bits", "modality LUT", "signed padding", "LINEAR"])
def test_binary_header_values_in_other_encodings(name: str, syntax: str, tmp_path: Path) -> None:
    dtype, bits, elements, stored, expected = CASES[name]
    path = write_dicom(
        tmp_path, bands(stored, dtype), bits=bits, syntax=syntax, **_with_tables(elements)
    )
    np.testing.assert_array_equal(read_radiograph(path).pixels, bands(expected))


def test_eight_bit_entries_packed_in_bytes(tmp_path: Path) -> None:
    lut = make_lut(first=0, bits=8, entries=[0, 51, 102, 255], is_bytes=True)
    path = write_dicom(tmp_path, bands([0, 1, 2, 200], "u1"), VOILUTSequence=lut)
    np.testing.assert_array_equal(read_radiograph(path).pixels, bands([0, 13107, 26214, 65535]))


def test_a_damaged_modality_lut_is_no_film(tmp_path: Path) -> None:
    lut = make_lut(first=0, bits=16, entries=[1, 2, 3])
    lut[0].LUTDescriptor = [4000, 0, 16]
    path = write_dicom(tmp_path, bands(EIGHT, "u1"), ModalityLUTSequence=lut)
    with pytest.raises(UnreadableImage, match=r"ModalityLUTSequence \(0028,3000\)") as caught:
        read_radiograph(path)
    assert caught.value.code is ReasonCode.DAMAGED


WINDOW = {"WindowCenter": 2048, "WindowWidth": 4096}


def broken_luts() -> dict[str, Any]:
    entries = list(range(4096))
    short = make_lut(first=0, bits=12, entries=entries[:-1])
    short[0].LUTDescriptor = [4096, 0, 12]
    empty = make_lut(first=0, bits=12, entries=entries)
    del empty[0].LUTDescriptor, empty[0].LUTData
    return {
        "one entry short": short,
        "an empty item": empty,
        "one entry": make_lut(first=0, bits=12, entries=[4095]),
        "all entries alike": make_lut(first=0, bits=12, entries=[9] * 4096),
        "the first values only": make_lut(first=0, bits=8, entries=list(range(256))),
        "some values only": make_lut(first=2048, bits=8, entries=list(range(256))),
    }


@pytest.mark.parametrize("name", broken_luts())
def test_a_voi_lut_that_cannot_be_meant_leaves_the_film_to_its_window(
    name: str, tmp_path: Path
) -> None:
    pixels = bands(TWELVE)
    lut = broken_luts()[name]
    film = read_radiograph(write_dicom(tmp_path, pixels, bits=12, VOILUTSequence=lut, **WINDOW))
    np.testing.assert_array_equal(film.pixels, bands(TWELVE_GREY))


def test_the_first_voi_lut_that_can_be_used_is(tmp_path: Path) -> None:
    luts = make_lut(first=0, bits=12, entries=[4095])
    luts.extend(make_lut(first=0, bits=12, entries=list(range(4095, -1, -1))))
    film = read_radiograph(
        write_dicom(tmp_path, bands(TWELVE), bits=12, VOILUTSequence=luts, **WINDOW)
    )
    np.testing.assert_array_equal(film.pixels, 65535 - bands(TWELVE_GREY))


def test_a_broken_voi_lut_without_a_window_is_no_film(tmp_path: Path) -> None:
    lut = broken_luts()["one entry short"]
    path = write_dicom(tmp_path, bands(TWELVE), bits=12, VOILUTSequence=lut)
    with pytest.raises(UnreadableImage, match=r"VOILUTSequence \(0028,3010\)"):
        read_radiograph(path)


@pytest.mark.parametrize(
    ("comma", "point"),
    [
        ({"RescaleSlope": "0,25"}, {"RescaleSlope": "0.25"}),
        ({"RescaleIntercept": "-1024,0"}, {"RescaleIntercept": "-1024.0"}),
        ({"WindowCenter": "700,5"}, {"WindowCenter": "700.5"}),
        ({"WindowWidth": "900,0"}, {"WindowWidth": "900.0"}),
    ],
)
def test_a_decimal_comma_is_a_point(
    comma: dict[str, str], point: dict[str, str], tmp_path: Path
) -> None:
    plain = {"RescaleSlope": "1", "RescaleIntercept": "0"}
    plain |= {"WindowCenter": "512", "WindowWidth": "1024"}
    (keyword,) = comma
    mark = "1" * len(comma[keyword])
    content = write_dicom(tmp_path, bands(TWELVE), bits=12, **plain | {keyword: mark}).read_bytes()
    films = []
    for value in (comma[keyword], point[keyword]):
        path = tmp_path / "written.dcm"
        tag = Tag(keyword)
        head = struct.pack("<HH2sH", tag.group, tag.element, b"DS", len(mark) + len(mark) % 2)
        assert content.count(head + mark.encode()) == 1
        path.write_bytes(content.replace(head + mark.encode(), head + value.encode()))
        films.append(read_radiograph(path).pixels)
    np.testing.assert_array_equal(films[0], films[1])


def test_a_window_beside_all_values_is_named(tmp_path: Path) -> None:
    path = write_dicom(
        tmp_path, bands([40000, 41000, 50000, 60000]), WindowCenter="2725", WindowWidth="5310"
    )
    with pytest.raises(UnsupportedImage, match=r"WindowCenter \(0028,1050\) '2725'") as caught:
        read_radiograph(path)
    assert caught.value.code is ReasonCode.BLANK
    assert "WindowWidth (0028,1051) '5310'" in str(caught.value)


def test_one_grey_is_blank(tmp_path: Path) -> None:
    pixels = bands([7, 7, 7, 7], "u1")
    pixels[0, 0] = 200  # one marker does not make a film
    with pytest.raises(UnsupportedImage) as caught:
        read_radiograph(write_dicom(tmp_path, pixels))
    assert caught.value.code is ReasonCode.BLANK


def test_a_marker_does_not_change_the_film(tmp_path: Path) -> None:
    pixels = bands([0, 100, 200, 300])
    marked = pixels.copy()
    marked[0, 0] = 4095
    plain = read_radiograph(write_dicom(tmp_path, pixels, bits=12)).pixels
    np.testing.assert_array_equal(
        plain[1:], read_radiograph(write_dicom(tmp_path, marked, bits=12)).pixels[1:]
    )


@settings(
    max_examples=25,
    derandomize=True,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    seed=st.integers(0, 2**32 - 1),
    bits=st.integers(8, 16),
    centre=st.integers(1, 60000),
    width=st.integers(2, 65535),
)
def test_monochrome1_is_monochrome2_of_the_inverse(
    seed: int, bits: int, centre: int, width: int, tmp_path: Path
) -> None:
    top = (1 << bits) - 1
    pixels = np.random.default_rng(seed).integers(0, top + 1, (128, COLUMNS)).astype("u2")
    centre, width = 1 + centre % top, 2 + width % top
    # x -> top - x turns the LINEAR window (c, w) into (top + 1 - c, w): C.11.2.1.2.1's half steps.
    one = {"photometric": "MONOCHROME1", "WindowCenter": top + 1 - centre, "WindowWidth": width}
    two = {"photometric": "MONOCHROME2", "WindowCenter": centre, "WindowWidth": width}
    try:
        shown = read_radiograph(write_dicom(tmp_path, pixels, bits=bits, **two)).pixels
    except UnsupportedImage:  # a window beside the values shows nothing; the inverse neither
        with pytest.raises(UnsupportedImage):
            read_radiograph(write_dicom(tmp_path, top - pixels, bits=bits, **one))
        return
    inverse = read_radiograph(write_dicom(tmp_path, top - pixels, bits=bits, **one)).pixels
    assert np.abs(shown.astype(int) - inverse).max() <= 1  # rounding of halves


def _with_tables(elements: dict[str, Any]) -> dict[str, Any]:
    """Turn [first, bits, entries] of a case into a LUT sequence."""
    made = dict(elements)
    for keyword in ("ModalityLUTSequence", "VOILUTSequence"):
        if keyword in made:
            first, bits, entries = made[keyword]
            made[keyword] = make_lut(first=first, bits=bits, entries=entries, signed=first < 0)
    return made
