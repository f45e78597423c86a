"""Where lungs and lesions lie on training films: masks and boxes, read beside the films.

Masks are a folder with a `manifest.csv` (columns `film`, `mask`, paths relative to DATA and to the
folder); boxes a CSV with a row a box: `film, x0, y0, x1, y1`, shares of width and height.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from cxr_train.data.dataset import LoadedImages
from cxr_train.data.manifest import Example
from cxr_train.data.tables import BOX_COLUMNS, MASK_COLUMNS, read_rows
from cxr_train.errors import DataError
from cxr_train.fit.lungs import MASK_SIDE, find_lungs


@dataclass(frozen=True, kw_only=True)
class DrawnGuides:
    """Masks and boxes as somebody drew them."""

    maps: NDArray[np.uint8]
    """[N, 2, 64, 64], 0..255: lungs, then boxes; 0 where a film has none."""
    has_mask: NDArray[np.bool_]
    boxes: int
    """On all films together."""


def make_guides(
    films: LoadedImages,
    *,
    lungs: Path | None,
    boxes: Path | None,
    device: torch.device,
    tell: Callable[[str], None],
) -> NDArray[np.uint8] | None:
    """Return guides [N, 2, 64, 64] of `films`, 0..255: lungs, then boxes; None without either.

    Lungs without a mask are found by a network trained on the masks of these films.
    Raises DataError for a file that cannot be read or that names no film here.
    """
    if lungs is None and boxes is None:
        return None
    drawn = draw_guides(films.examples, lungs=lungs, boxes=boxes)
    guides, known = drawn.maps, drawn.has_mask
    if lungs is not None:
        tell(f"{int(known.sum())} of {len(known)} training films have a lung mask")
        guides[:, 0] = find_lungs(films.pixels, guides[:, 0], known, device=device, tell=tell)
    if boxes is not None:
        tell(f"{drawn.boxes} boxes on training films")
    return guides


def draw_guides(
    examples: Sequence[Example], *, lungs: Path | None, boxes: Path | None
) -> DrawnGuides:
    """Return what masks and boxes say of films; DataError as `make_guides`."""
    places = {example.name: index for index, example in enumerate(examples)}
    maps = np.zeros((len(places), 2, MASK_SIDE, MASK_SIDE), np.uint8)
    has_mask, count = np.zeros(len(places), np.bool_), 0
    if lungs is not None:
        maps[:, 0], has_mask = _read_masks(lungs, places)
    if boxes is not None:
        count = _draw_boxes(boxes, places, maps[:, 1])
    return DrawnGuides(maps=maps, has_mask=has_mask, boxes=count)


def _read_masks(
    folder: Path, places: dict[str, int]
) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Return masks [N, 64, 64], 0..255, and which films have one; `places` are films' indices.

    Raises DataError where none has, or a mask cannot be read.
    """
    import cv2

    masks = np.zeros((len(places), MASK_SIDE, MASK_SIDE), np.uint8)
    known = np.zeros(len(places), np.bool_)
    for row in read_rows(folder / "manifest.csv", MASK_COLUMNS):
        if row["film"] not in places:
            continue
        path = folder / row["mask"]
        try:
            mask = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_GRAYSCALE)
        except (OSError, cv2.error) as error:
            raise DataError(f"The lung mask {path} cannot be read: {error}.") from error
        if mask is None:
            raise DataError(f"The lung mask {path} is no picture.")
        inside = (mask > 0).astype(np.float32) * 255
        side = (MASK_SIDE, MASK_SIDE)
        masks[places[row["film"]]] = cv2.resize(inside, side, interpolation=cv2.INTER_AREA)
        known[places[row["film"]]] = True
    if not known.any():
        raise DataError(f"{folder} has no mask of a training film: are its names those of DATA?")
    return masks, known


def _draw_boxes(path: Path, places: dict[str, int], maps: NDArray[np.uint8]) -> int:
    """Draw boxes as 255 into `maps` [N, 64, 64] and return their number; DataError without one."""
    count = 0
    for row in read_rows(path, BOX_COLUMNS):
        if row["film"] not in places:
            continue
        try:
            x0, y0, x1, y1 = (round(float(row[key]) * MASK_SIDE) for key in BOX_COLUMNS[1:])
        except ValueError as error:
            raise DataError(f"{path}: a box of {row['film']} is no number: {error}.") from error
        maps[places[row["film"]], y0 : max(y1, y0 + 1), x0 : max(x1, x0 + 1)] = 255
        count += 1
    if not count:
        raise DataError(f"{path} has no box on a training film: are its names those of DATA?")
    return count


def films_in(path: Path) -> frozenset[str]:
    """Return the films that a manifest of masks, or a CSV of boxes, names; DataError as above."""
    return frozenset(row["film"] for row in read_rows(path, ("film",)))
