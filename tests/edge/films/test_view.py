"""A film for a person: windowed as asked it is what the reader shows, and nothing is cut off."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from edge_infer.errors import ReasonCode, UnreadableImage, UnsupportedImage
from edge_infer.films.film_view import FilmView
from edge_infer.films.read import read_radiograph
from edge_infer.films.view import ViewRequest, read_view
from tests.edge.films.dicom.dicom_factory import (
    HTJ2K_LOSSLESS,
    IDENTITY,
    J2K_LOSSLESS,
    JPEG_LOSSLESS_SV1,
    JPEG_LS,
    RLE,
    bands,
    make_lut,
    write_dicom,
)
from tests.edge.made_films import png

FILM = (np.add.outer(np.arange(128), np.arange(160)) * 14).astype(np.uint16)
"""Greys 0 to 4004 of 12 bits, smooth."""


def view(path: Path) -> FilmView:
    return read_view(ViewRequest(path=path)).view


def windowed(film: FilmView) -> NDArray[np.float64]:
    """Return what a viewer shows at first, 0 to 1."""
    return np.clip((film.pixels.astype(np.float64) - film.low) / (film.high - film.low), 0, 1)


@pytest.mark.parametrize(
    "elements",
    [
        {},
        {"WindowCenter": 1800, "WindowWidth": 900},
        {"WindowCenter": 100, "WindowWidth": 9000},
        {"WindowCenter": 700, "WindowWidth": 500, "photometric": "MONOCHROME1"},
        {"WindowCenter": 50, "WindowWidth": 400, "RescaleSlope": "0.5", "RescaleIntercept": "-700"},
        {"WindowCenter": 1800, "WindowWidth": 900, "VOILUTFunction": "SIGMOID"},
        {"VOILUTSequence": make_lut(first=0, bits=12, entries=[*range(0, 4096, 2)] * 2)},
        {"PixelPaddingValue": 0, "WindowCenter": 1800, "WindowWidth": 900},
        {"PatientOrientation": ["A", "F"], "WindowCenter": 1800, "WindowWidth": 900},
    ],
    ids=lambda elements: "-".join(elements) or "plain",
)
def test_at_first_it_looks_as_the_header_asks(elements: dict[str, Any], tmp_path: Path) -> None:
    path = write_dicom(tmp_path, FILM, bits=12, ViewPosition="PA", **elements)
    shown = read_radiograph(path).pixels / 65535
    assert np.abs(windowed(view(path)) - shown).max() < 0.002


def test_a_window_cuts_nothing_off(tmp_path: Path) -> None:
    path = write_dicom(tmp_path, FILM, bits=12, WindowCenter=1800, WindowWidth=300)
    film = view(path)
    assert np.unique(film.pixels).size == np.unique(FILM).size
    assert np.array_equal(np.rint(film.pixels / 65535 * 4095), FILM)


@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
def test_eight_bits_stay_eight(photometric: str, tmp_path: Path) -> None:
    pixels = bands([0, 40, 200, 255], "u1")
    film = view(write_dicom(tmp_path, pixels, photometric=photometric))
    assert film.pixels.dtype == np.uint8
    assert np.array_equal(film.pixels, pixels if photometric == "MONOCHROME2" else 255 - pixels)
    assert (film.low, film.high) == pytest.approx((0, 255))


def test_signed_values_keep_their_order(tmp_path: Path) -> None:
    pixels = (FILM.astype(np.int32) - 2000).astype(np.int16)
    film = view(write_dicom(tmp_path, pixels, WindowCenter=0, WindowWidth=1000))
    assert np.array_equal(np.rint(film.pixels / 65535 * 65535) - 32768, pixels)


@pytest.mark.parametrize("syntax", [RLE, JPEG_LOSSLESS_SV1, JPEG_LS, J2K_LOSSLESS, HTJ2K_LOSSLESS])
def test_every_lossless_syntax_gives_the_same_pixels(syntax: str, tmp_path: Path) -> None:
    plain = view(write_dicom(tmp_path, FILM, bits=12)).pixels
    assert np.array_equal(view(write_dicom(tmp_path, FILM, bits=12, syntax=syntax)).pixels, plain)


@pytest.mark.parametrize("syntax", [J2K_LOSSLESS, JPEG_LS])
def test_a_quick_view_is_smaller_and_the_same_grey(syntax: str, tmp_path: Path) -> None:
    big = np.kron(FILM[:100, :120], np.ones((22, 20), np.uint16))
    path = write_dicom(tmp_path, big, bits=12, syntax=syntax)
    quick = read_view(ViewRequest(path=path, is_quick=True)).view
    whole = view(path)
    assert (quick.scale, whole.scale) == (2, 1)
    assert quick.full_shape == whole.full_shape == big.shape
    assert quick.pixels.shape == (1100, 1200)
    assert (quick.low, quick.high) == (whole.low, whole.high)
    halved = whole.pixels[::2, ::2].astype(np.int32)
    assert np.median(np.abs(quick.pixels.astype(np.int32) - halved)) < 65535 * 0.01


def test_films_that_the_model_is_not_for_can_be_looked_at(tmp_path: Path) -> None:
    child = write_dicom(tmp_path, FILM, bits=12, ViewPosition="LL", PatientAge="004Y")
    assert view(child).pixels.shape == FILM.shape


def test_what_has_no_single_picture_says_why(tmp_path: Path) -> None:
    several = write_dicom(tmp_path, FILM, bits=12, NumberOfFrames=3, **IDENTITY)
    with pytest.raises(UnsupportedImage) as refused:
        view(several)
    assert refused.value.code is ReasonCode.SEVERAL_FRAMES
    (tmp_path / "text.dcm").write_bytes(b"no film at all")
    with pytest.raises(UnreadableImage) as unread:
        view(tmp_path / "text.dcm")
    assert unread.value.code is ReasonCode.NOT_AN_IMAGE


def test_a_png_is_shown_over_its_whole_range(tmp_path: Path) -> None:
    (tmp_path / "film.png").write_bytes(png(1))
    film = view(tmp_path / "film.png")
    assert film.pixels.dtype == np.uint8 and (film.low, film.high) == (0.0, 255.0)
    read = read_radiograph(tmp_path / "film.png").pixels
    assert np.array_equal(film.pixels.astype(np.uint16) * 257, read)


def test_it_says_which_content_it_read(tmp_path: Path) -> None:
    path = write_dicom(tmp_path, FILM, bits=12)
    first = read_view(ViewRequest(path=path)).sha256
    write_dicom(tmp_path, FILM + 1, bits=12)
    assert read_view(ViewRequest(path=path)).sha256 != first
