"""A film that its header says lies on its side or its head is turned upright."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from edge_infer.errors import ReasonCode, UnsupportedImage
from edge_infer.films.read import read_radiograph
from tests.edge.films.dicom.dicom_factory import write_dicom

UPRIGHT = np.random.default_rng(4).integers(0, 4096, (256, 320)).astype(np.uint16)
LYING: dict[str, tuple[list[str], NDArray[np.uint16]]] = {
    "on its left side": (["H", "L"], np.rot90(UPRIGHT, -1)),
    "on its right side": (["F", "R"], np.rot90(UPRIGHT, 1)),
    "on its head": (["R", "H"], np.rot90(UPRIGHT, 2)),
    "on its head, from behind": (["L", "H"], UPRIGHT[::-1]),
    "on its side, from behind": (["F", "L"], UPRIGHT.T),
    "on its other side, from behind": (["H", "R"], UPRIGHT[::-1, ::-1].T),
    "between two directions": (["HL", "LF"], np.rot90(UPRIGHT, -1)),
}


@pytest.mark.parametrize("size", [None, (64, 80)])
@pytest.mark.parametrize("name", LYING)
def test_a_lying_film_is_turned(name: str, size: tuple[int, int] | None, tmp_path: Path) -> None:
    plain = read_radiograph(write_dicom(tmp_path, UPRIGHT, bits=12), size=size)
    orientation, pixels = LYING[name]
    pixels = np.ascontiguousarray(pixels)
    path = write_dicom(tmp_path, pixels, bits=12, PatientOrientation=orientation)
    film = read_radiograph(path, size=size)
    assert film.full_shape == plain.full_shape == (256, 320)
    np.testing.assert_array_equal(film.pixels, plain.pixels)


def test_pixels_that_are_not_square_are_turned_too(tmp_path: Path) -> None:
    lying = np.ascontiguousarray(np.rot90(UPRIGHT))
    elements = {"PatientOrientation": ["F", "R"], "PixelAspectRatio": [2, 1]}
    assert read_radiograph(write_dicom(tmp_path, lying, bits=12, **elements)).pixel_aspect == 0.5


@pytest.mark.parametrize(
    "orientation",
    [["L", "F"], ["R", "F"], ["?", "?"], ["H", "H"], ["L"], "", ["F", "R", "L"], ["", "F"], None],
)
def test_upright_films_and_rubbish_stay(orientation: Any, tmp_path: Path) -> None:
    plain = read_radiograph(write_dicom(tmp_path, UPRIGHT, bits=12))
    path = write_dicom(tmp_path, UPRIGHT, bits=12, PatientOrientation=orientation)
    np.testing.assert_array_equal(read_radiograph(path).pixels, plain.pixels)


@pytest.mark.parametrize("orientation", [["A", "F"], ["F", "P"], ["H", "A"], ["P", "H"]])
def test_a_lateral_film_is_one_however_it_lies(orientation: list[str], tmp_path: Path) -> None:
    path = write_dicom(
        tmp_path, UPRIGHT, bits=12, PatientOrientation=orientation, ViewPosition=None
    )
    with pytest.raises(UnsupportedImage) as caught:
        read_radiograph(path)
    assert caught.value.code is ReasonCode.LATERAL_VIEW
