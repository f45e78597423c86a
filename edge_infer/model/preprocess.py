"""The one preprocessing: training, calibration, export and the clinic all call this function.

The rules, in the order a film meets them, each with its reason:

1. Modality LUT or rescale, then the VOI window or LUT (of several windows the first; LINEAR,
   LINEAR_EXACT, SIGMOID and LUT sequences), scaled by the range those steps map to, MONOCHROME1
   inverted once and last, padding excluded: done by `edge_infer.films`, so that `pixels` here is
   what a viewer would show. A DICOM and a PNG exported from it therefore start out alike.
2. Area mean down to the network's size, both sides independently (the picture is squashed to a
   square). Some public sets were published squashed, so the aspect ratio names the source; when
   every film is squashed it names nothing. Nothing is cropped: tuberculosis sits in the apices.
3. Grey stretched so that the 0.5 and 99.5 percentiles of the central part become 0 and 255. Full
   range exports, 12 bits stored in 16 and different windows of one film then look alike, and global
   brightness (a cue for the source, not the disease) is gone. Percentiles, never the maximum: one
   lead marker would move everything. Central: borders and markers lie outside.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

PREPROCESSING_VERSION = 1

_CENTRAL_MARGIN = 0.1
_LOW, _HIGH = 0.005, 0.995
_SMALLEST_RANGE = 1024
"""Of 65535: below this the film is nearly blank and stretching would only enlarge its noise.
12-bit data stored in 16 bits spans 4095."""


def to_model_input(pixels: NDArray[np.uint16], *, height: int, width: int) -> NDArray[np.uint8]:
    """Turn displayed grey into the network's input.

    `pixels` is [H, W] uint16, 0..65535, bones bright (see `Radiograph`); the result is
    [1, height, width] uint8, 0..255. Raises ValueError for anything but a grey uint16 image.
    """
    if pixels.ndim != 2 or pixels.dtype != np.uint16 or pixels.size == 0:
        raise ValueError(f"expected uint16 [H, W], got {pixels.dtype} {pixels.shape}")
    return stretch_grey(_resize(pixels, height, width))[None]


def stretch_grey(pixels: NDArray[np.uint16]) -> NDArray[np.uint8]:
    """Map the central 0.5..99.5 percentiles of [h, w] uint16 to 0..255, in integers only."""
    height, width = pixels.shape
    top, left = int(height * _CENTRAL_MARGIN), int(width * _CENTRAL_MARGIN)
    centre = np.sort(pixels[top : height - top, left : width - left], axis=None)
    low = int(centre[int(_LOW * (centre.size - 1))])
    high = int(centre[int(_HIGH * (centre.size - 1))])
    span = max(high - low, _SMALLEST_RANGE)
    above = np.clip(pixels.astype(np.int64) - low, 0, span)
    return ((above * 255 + span // 2) // span).astype(np.uint8)


def _resize(pixels: NDArray[np.uint16], height: int, width: int) -> NDArray[np.uint16]:
    import cv2

    # INTER_AREA is a true mean only while shrinking; a side that must grow is interpolated after.
    shrunk = (min(width, pixels.shape[1]), min(height, pixels.shape[0]))
    small = cv2.resize(pixels, shrunk, interpolation=cv2.INTER_AREA)
    if shrunk != (width, height):
        small = cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.asarray(small, dtype=np.uint16)
