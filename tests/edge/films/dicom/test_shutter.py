"""What a display shutter hides is black; a shutter that cannot be meant is not there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_infer.films.read import read_radiograph
from tests.edge.films.dicom.dicom_factory import J2K_LOSSLESS, write_dicom

ROWS, COLUMNS = 256, 320
PIXELS = np.random.default_rng(4).integers(100, 4096, (ROWS, COLUMNS)).astype(np.uint16)
RECTANGLE: dict[str, Any] = {
    "ShutterShape": "RECTANGULAR",
    "ShutterUpperHorizontalEdge": 11,
    "ShutterLowerHorizontalEdge": 240,
    "ShutterLeftVerticalEdge": 21,
    "ShutterRightVerticalEdge": 300,
}
CIRCLE: dict[str, Any] = {
    "ShutterShape": "CIRCULAR",
    "CenterOfCircularShutter": [128, 160],
    "RadiusOfCircularShutter": 100,
}
POLYGON: dict[str, Any] = {
    "ShutterShape": "POLYGONAL",
    "VerticesOfThePolygonalShutter": [11, 21, 11, 300, 240, 300, 240, 21],
}


def shown(tmp_path: Path, size: tuple[int, int] | None = None, **elements: Any) -> np.ndarray:
    path = write_dicom(tmp_path, PIXELS, bits=12, **elements)
    return read_radiograph(path, size=size).pixels


def inside() -> np.ndarray:
    seen = np.zeros((ROWS, COLUMNS), bool)
    seen[10:240, 20:300] = True
    return seen


@pytest.mark.parametrize("elements", [RECTANGLE, POLYGON])
@pytest.mark.parametrize("extra", [{}, {"syntax": J2K_LOSSLESS}])
def test_outside_is_black(elements: dict[str, Any], extra: Any, tmp_path: Path) -> None:
    expected = np.where(inside(), shown(tmp_path), 0)
    np.testing.assert_array_equal(shown(tmp_path, **elements, **extra), expected)


def test_outside_is_black_whatever_black_is_in_the_file(tmp_path: Path) -> None:
    expected = np.where(inside(), shown(tmp_path, photometric="MONOCHROME1"), 0)
    film = shown(tmp_path, photometric="MONOCHROME1", **RECTANGLE)
    np.testing.assert_array_equal(film, expected)


def test_a_circle(tmp_path: Path) -> None:
    rows, columns = np.mgrid[1 : ROWS + 1, 1 : COLUMNS + 1]
    seen = (rows - 128) ** 2 + (columns - 160) ** 2 <= 100**2
    expected = np.where(seen, shown(tmp_path), 0)
    np.testing.assert_array_equal(shown(tmp_path, **CIRCLE), expected)


def test_of_several_shapes_what_all_leave_open_is_seen(tmp_path: Path) -> None:
    both: dict[str, Any] = {**RECTANGLE, **CIRCLE, "ShutterShape": ["RECTANGULAR", "CIRCULAR"]}
    expected = np.where(inside(), shown(tmp_path, **CIRCLE), 0)
    np.testing.assert_array_equal(shown(tmp_path, **both), expected)


def test_a_small_film_has_no_mixed_border(tmp_path: Path) -> None:
    """A bright border averaged with the film's edge would be grey there."""
    film = read_radiograph(write_dicom(tmp_path, PIXELS, bits=12, **RECTANGLE), size=(64, 80))
    assert film.full_shape == film.pixels.shape == (ROWS, COLUMNS)


@pytest.mark.parametrize(
    "elements",
    [
        {"ShutterShape": "RECTANGULAR"},
        {**RECTANGLE, "ShutterRightVerticalEdge": 5},
        {**RECTANGLE, "ShutterLowerHorizontalEdge": 20},
        {**RECTANGLE, "ShutterShape": "SQUARE"},
        {**RECTANGLE, "ShutterShape": None},
        {**CIRCLE, "RadiusOfCircularShutter": 0},
        {**CIRCLE, "RadiusOfCircularShutter": 9},
        {**CIRCLE, "CenterOfCircularShutter": [128]},
        {**CIRCLE, "CenterOfCircularShutter": [5000, 5000]},
        {**POLYGON, "VerticesOfThePolygonalShutter": [10, 10]},
        {**POLYGON, "VerticesOfThePolygonalShutter": [10, 10, 20, 20, 30]},
        {**POLYGON, "VerticesOfThePolygonalShutter": [10, 10, 20, 20, 30, 30]},
        {
            **RECTANGLE,
            "ShutterUpperHorizontalEdge": 0,
            "ShutterLowerHorizontalEdge": 9999,
            "ShutterLeftVerticalEdge": -5,
            "ShutterRightVerticalEdge": 320,
        },
    ],
)
def test_what_is_no_shutter_hides_nothing(elements: dict[str, Any], tmp_path: Path) -> None:
    np.testing.assert_array_equal(shown(tmp_path, **elements), shown(tmp_path))
