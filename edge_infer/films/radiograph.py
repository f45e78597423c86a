"""Read one film, whatever its format: a path becomes a Radiograph or an ImageError."""

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
    image's own maximum, is 65535."""
    pixel_aspect: float
    """Height of one pixel over its width (PixelAspectRatio or PixelSpacing); 1.0 when unknown."""
    study: StudyInfo
