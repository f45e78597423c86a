"""Decode with OpenCV.

The one place where OpenCV's decoding exceptions arrive.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


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
