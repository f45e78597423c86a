"""The display shutter (PS3.3 C.7.6.11): what lies outside it is not part of the film."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edge_infer.films.dicom.elements import DicomElements

_SMALLEST_SHARE = 0.1
"""Of the picture; a shutter that leaves less open is a mistake."""


def read_shutter(elements: DicomElements, shape: tuple[int, int]) -> NDArray[np.bool_] | None:
    """Return where the film can be seen, [H, W], or None where all of it can.

    Of several shapes, what all of them leave open. A shape that cannot be, or that would hide
    nearly everything, is ignored.
    """
    names = {name.strip().upper() for name in elements.text("ShutterShape").split("\\")}
    readers = {"RECTANGULAR": _rectangle, "CIRCULAR": _circle, "POLYGONAL": _polygon}
    if not names & set(readers):
        return None
    seen = np.ones(shape, np.bool_)
    for name, read in readers.items():
        open_here = read(elements, shape) if name in names else None
        if open_here is not None and open_here.mean() >= _SMALLEST_SHARE:
            seen &= open_here
    return None if seen.all() or seen.mean() < _SMALLEST_SHARE else seen


def _rectangle(elements: DicomElements, shape: tuple[int, int]) -> NDArray[np.bool_] | None:
    names = ("UpperHorizontal", "LowerHorizontal", "LeftVertical", "RightVertical")
    edges = [elements.numbers(f"Shutter{name}Edge") for name in names]
    if not all(edges):
        return None
    top, bottom, left, right = (round(edge[0]) for edge in edges)
    seen = np.zeros(shape, np.bool_)
    # The first row and column are 1, and edges belong to what is seen.
    seen[max(top - 1, 0) : max(bottom, 0), max(left - 1, 0) : max(right, 0)] = True
    return seen


def _circle(elements: DicomElements, shape: tuple[int, int]) -> NDArray[np.bool_] | None:
    centre, radius = (
        elements.numbers(name) for name in ("CenterOfCircularShutter", "RadiusOfCircularShutter")
    )
    if len(centre) != 2 or not radius or radius[0] <= 0:
        return None
    rows, columns = np.ogrid[1 : shape[0] + 1, 1 : shape[1] + 1]
    return np.asarray((rows - centre[0]) ** 2 + (columns - centre[1]) ** 2 <= radius[0] ** 2)


def _polygon(elements: DicomElements, shape: tuple[int, int]) -> NDArray[np.bool_] | None:
    numbers = elements.numbers("VerticesOfThePolygonalShutter", longest=4096)
    if len(numbers) < 6 or len(numbers) % 2:
        return None
    import cv2

    rows_and_columns = np.clip(np.array(numbers).reshape(-1, 2), -(2**15), 2**15)
    corners = np.rint(rows_and_columns[:, ::-1] - 1).astype(np.int32)
    seen = np.zeros(shape, np.uint8)
    cv2.fillPoly(seen, [corners], 1)
    return seen.astype(np.bool_)
