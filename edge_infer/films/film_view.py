"""What a film looks like, for a person: every grey it holds."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True)
class FilmView:
    """A film's own pixels, and how it asks to be shown at first."""

    pixels: NDArray[np.uint8 | np.uint16] = field(repr=False)
    """[h, w] grey, bones bright, over the whole range of 8 or 16 bits: nothing is cut off."""
    low: float
    """The grey shown black, in the units of `pixels`; it may lie outside their range."""
    high: float
    """The grey shown white."""
    pixel_aspect: float
    """Height of one pixel over its width."""
    full_shape: tuple[int, int]
    """Rows and columns of the file's own picture."""
    scale: int
    """By which the decoder made both sides smaller; 1: this is every pixel."""
