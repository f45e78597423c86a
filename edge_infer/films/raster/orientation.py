"""Turn a picture as its Orientation tag asks (TIFF 6.0 and EXIF: 1 upright, 2 to 8 not)."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray


def turn(picture: NDArray[Any], orientation: int) -> NDArray[Any]:
    """Return [H, W] or [H, W, C] upright; 5 to 8 change the sides, unknown numbers nothing."""
    if orientation in (5, 6, 7, 8):
        picture = picture.swapaxes(0, 1)
    rows = slice(None, None, -1 if orientation in (3, 4, 7, 8) else 1)
    columns = slice(None, None, -1 if orientation in (2, 3, 6, 7) else 1)
    return picture[rows, columns]
