"""Colour whose channels agree is a grey film; other colour is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pytest
from numpy.typing import NDArray

from edge_infer.errors import ReasonCode, UnsupportedImage
from edge_infer.films.read import read_radiograph
from tests.edge.films.dicom import dicom_factory as made
from tests.edge.films.dicom.dicom_factory import bands, write_dicom

GREY = bands([10, 60, 130, 250], "u1")
GREY_SHOWN = bands([2570, 15420, 33410, 64250])
GREY_RGB = np.dstack([GREY, GREY, GREY])
TINTED = np.dstack([GREY, GREY, GREY // 2])
NEUTRAL = np.full_like(GREY, 128)
GREY_YBR = np.dstack([GREY, NEUTRAL, NEUTRAL])
TINTED_YBR = np.dstack([GREY, NEUTRAL, NEUTRAL + 20])

GREY_FILMS: dict[str, tuple[NDArray[Any], dict[str, Any]]] = {
    "RGB": (GREY_RGB, {"photometric": "RGB"}),
    "RGB by plane": (
        GREY_RGB,
        {
            "photometric": "RGB",
            "PlanarConfiguration": 1,
            "PixelData": np.moveaxis(GREY_RGB, -1, 0).tobytes(),
        },
    ),
    "YBR_FULL": (GREY_YBR, {"photometric": "YBR_FULL"}),
    "YBR_FULL_422": (
        GREY_YBR,
        {
            "photometric": "YBR_FULL_422",
            "PixelData": np.dstack(
                [GREY[:, ::2], GREY[:, 1::2], NEUTRAL[:, ::2], NEUTRAL[:, ::2]]
            ).tobytes(),
        },
    ),
    "RLE": (GREY_RGB, {"photometric": "RGB", "syntax": made.RLE}),
    "RLE YBR_FULL": (GREY_YBR, {"photometric": "YBR_FULL", "syntax": made.RLE}),
    "J2K": (GREY_RGB, {"photometric": "YBR_RCT", "syntax": made.J2K_LOSSLESS}),
    "JPEG-LS": (GREY_RGB, {"photometric": "RGB", "syntax": made.JPEG_LS}),
    "JPEG lossless": (GREY_RGB, {"photometric": "RGB", "syntax": made.JPEG_LOSSLESS_SV1}),
}


@pytest.mark.parametrize("name", GREY_FILMS)
def test_grey_in_colour_is_a_film(name: str, tmp_path: Path) -> None:
    pixels, options = GREY_FILMS[name]
    film = read_radiograph(write_dicom(tmp_path, pixels, **options))
    np.testing.assert_array_equal(film.pixels, GREY_SHOWN)


COLOURED: dict[str, tuple[NDArray[Any], dict[str, Any]]] = {
    "RGB": (TINTED, {"photometric": "RGB"}),
    "YBR_FULL": (TINTED_YBR, {"photometric": "YBR_FULL"}),
    "RLE": (TINTED, {"photometric": "RGB", "syntax": made.RLE}),
    "J2K": (TINTED, {"photometric": "YBR_RCT", "syntax": made.J2K_LOSSLESS}),
}


@pytest.mark.parametrize("name", COLOURED)
def test_real_colour_is_refused(name: str, tmp_path: Path) -> None:
    pixels, options = COLOURED[name]
    with pytest.raises(
        UnsupportedImage, match=r"PhotometricInterpretation \(0028,0004\)"
    ) as caught:
        read_radiograph(write_dicom(tmp_path, pixels, **options))
    assert caught.value.code is ReasonCode.COLOUR


@pytest.mark.parametrize("photometric", ["YBR_FULL_422", "RGB"])
def test_grey_baseline_jpeg_of_three_components(photometric: str, tmp_path: Path) -> None:
    frame = bytes(imagecodecs.jpeg8_encode(GREY_RGB, 95))
    film = read_radiograph(
        write_dicom(
            *(tmp_path, GREY_RGB), photometric=photometric, syntax=made.JPEG_BASELINE, frame=frame
        )
    )
    assert np.abs(film.pixels.astype(int) - GREY_SHOWN).max() <= 4 * 257


def test_unmarked_jpeg_is_what_the_header_says(tmp_path: Path) -> None:
    marked = bytes(imagecodecs.jpeg8_encode(GREY_RGB, 95, outcolorspace="RGB"))
    at = marked.index(b"\xff\xee")
    length = int.from_bytes(marked[at + 2 : at + 4], "big")
    frame = marked[:at] + marked[at + 2 + length :]
    film = read_radiograph(
        write_dicom(
            *(tmp_path, GREY_RGB), photometric="RGB", syntax=made.JPEG_BASELINE, frame=frame
        )
    )
    assert np.abs(film.pixels.astype(int) - GREY_SHOWN).max() <= 4 * 257


def test_a_small_coloured_marker_leaves_a_film(tmp_path: Path) -> None:
    pixels = GREY_RGB.copy()
    pixels[:10, :15] = [255, 0, 0]  # 0.7 % of the picture
    read_radiograph(write_dicom(tmp_path, pixels, photometric="RGB"))


def test_16_bits_per_channel(tmp_path: Path) -> None:
    pixels = bands([0, 1000, 40000, 65535])
    film = read_radiograph(write_dicom(tmp_path, np.dstack([pixels] * 3), photometric="RGB"))
    np.testing.assert_array_equal(film.pixels, pixels)


def _palette(*, blue: list[int]) -> dict[str, Any]:
    ramp = np.asarray([0, 5000, 30000, 65535], "<u2").tobytes()
    elements: dict[str, Any] = {"photometric": "PALETTE COLOR"}
    for colour in ("Red", "Green", "Blue"):
        elements[f"{colour}PaletteColorLookupTableDescriptor"] = [4, 0, 16]
        elements[f"{colour}PaletteColorLookupTableData"] = ramp
    elements["BluePaletteColorLookupTableData"] = np.asarray(blue, "<u2").tobytes()
    return elements


def test_a_grey_palette_is_a_film(tmp_path: Path) -> None:
    palette = _palette(blue=[0, 5000, 30000, 65535])
    film = read_radiograph(write_dicom(tmp_path, bands([0, 1, 2, 200], "u1"), **palette))
    np.testing.assert_array_equal(film.pixels, bands([0, 5000, 30000, 65535]))


@pytest.mark.parametrize("blue", [[0, 5000, 60000, 65535], [0, 1]])
def test_a_coloured_or_missing_palette_is_refused(blue: list[int], tmp_path: Path) -> None:
    with pytest.raises(UnsupportedImage) as caught:
        read_radiograph(write_dicom(tmp_path, bands([0, 1, 2, 3], "u1"), **_palette(blue=blue)))
    assert caught.value.code is ReasonCode.COLOUR
