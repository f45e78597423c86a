"""Films of 8 to 12 bits in containers of 16, whose range they fill a small part of.

Nothing says how many bits are meant: BitsStored is 16, the window or table reaches to 65535, a PNG
has no such field. The film would be nearly black, or, inverted, nearly white, and a preprocessing
that must not enlarge the noise of blank pictures would leave it so.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_WHITE = 65535
_CONTENT_BITS = (8, 10, 12)
_FEWEST_LEVELS = 32
"""Of grey in a film; a blank picture's noise has fewer, and stays dark."""
_STRAYS = 0.1
"""Percent of the pixels that may lie outside: a marker must not hide what the film is."""


def find_narrow_range(sample: NDArray[np.uint16]) -> tuple[int, int] | None:
    """Return black and white of the range that a film fills, None where its own is the right one.

    `sample` is some of its displayed grey, 0 to 65535. What is displayed as 0 may be padding.
    """
    shown = sample[sample > 0]
    if not shown.size:
        return None
    high = int(np.percentile(sample, 100 - _STRAYS, method="nearest"))
    low = int(np.percentile(shown, _STRAYS, method="nearest"))
    for bits in _CONTENT_BITS:
        width = (1 << bits) - 1
        found = (0, width) if high <= width else (_WHITE - width, _WHITE)
        if (high <= width or low >= _WHITE - width) and _is_film(shown, found):
            return found
    return None


def _is_film(shown: NDArray[np.uint16], found: tuple[int, int]) -> bool:
    inside = shown[(shown >= found[0]) & (shown <= found[1])]
    return np.unique(inside).size >= _FEWEST_LEVELS


def fill_range(grey: NDArray[np.uint16], found: tuple[int, int]) -> NDArray[np.uint16]:
    """Stretch black and white of the range found to 0 and 65535, halves up."""
    black, white = found
    above = np.clip(grey.astype(np.int64) - black, 0, white - black)
    return ((above * _WHITE + (white - black) // 2) // (white - black)).astype(np.uint16)
