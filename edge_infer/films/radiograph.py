"""What every reader of films returns."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge_infer.films.study import StudyInfo


@dataclass(frozen=True, kw_only=True)
class Radiograph:
    """One frontal film as the reader would see it."""

    pixels: NDArray[np.uint16]
    """[H, W] grey, 0 (black) to 65535 (white), bones bright; the whole display range, not the
    image's own maximum, is 65535. Where the reader was given a size, and the film is at least twice
    that, the film's area means, [h, w]."""
    pixel_aspect: float
    """Height of one pixel over its width (PixelAspectRatio or PixelSpacing); 1.0 when unknown."""
    study: StudyInfo
    full_shape: tuple[int, int]
    """Rows and columns of the file's own picture."""
    decoded_scale: int = 1
    """By which the decoder made both sides smaller before any mean was taken."""
