"""Decode with OpenCV, and a baseline JPEG at a half, a quarter or an eighth by its DCT.

The one place where OpenCV's decoding exceptions arrive.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

_LARGEST_SCALE = 8
"""libjpeg scales an 8 x 8 block down to one pixel and no further."""


def decode_with_opencv(data: bytes, mode: int) -> NDArray[Any] | None:
    """Decode a picture as `mode` (cv2.IMREAD_...) says; None where OpenCV cannot."""
    import cv2

    log_level = cv2.utils.logging.getLogLevel()
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    try:
        # From bytes: imread does not open non-ASCII paths on Windows.
        return cv2.imdecode(np.frombuffer(data, np.uint8), mode)
    except cv2.error as error:
        if error.code == cv2.Error.StsNoMem:
            raise MemoryError(str(error)) from error
        return None
    finally:
        cv2.utils.logging.setLogLevel(log_level)


def jpeg_scale(factor: int) -> int:
    """Return the scale for a picture that may shrink by `factor`: 1, 2, 4 or 8.

    It is half of what would fit: the DCT's small pictures are no area means (a slope inside a block
    comes out 14 % too steep where two pixels remain of eight, 1 % where four do).
    """
    return min(_LARGEST_SCALE, 1 << max(0, factor.bit_length() - 2))


def scaled_jpeg_mode(scale: int, *, is_grey: bool) -> int:
    """Return the IMREAD mode that decodes a JPEG to ceil(side / scale), `scale` 2, 4 or 8.

    The whole stream is read, but the inverse DCT makes few pixels: 2500 x 2048 took 4.8 ms whole,
    4.1, 3.5 and 3.0 ms scaled.
    """
    import cv2

    grey = {
        2: cv2.IMREAD_REDUCED_GRAYSCALE_2,
        4: cv2.IMREAD_REDUCED_GRAYSCALE_4,
        8: cv2.IMREAD_REDUCED_GRAYSCALE_8,
    }
    colour = {
        2: cv2.IMREAD_REDUCED_COLOR_2,
        4: cv2.IMREAD_REDUCED_COLOR_4,
        8: cv2.IMREAD_REDUCED_COLOR_8,
    }
    return int((grey if is_grey else colour)[scale])
