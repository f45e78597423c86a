"""The one preprocessing: training, calibration, export and the clinic all call this function.

The rules, in the order a film meets them, each with its reason:

1. Modality LUT or rescale, then the VOI window or LUT (of several windows the first; LINEAR,
   LINEAR_EXACT, SIGMOID and LUT sequences), scaled by the range those steps map to, MONOCHROME1
   inverted once and last, padding excluded: done by `edge_infer.films`, so that `pixels` here is
   what a viewer would show. A DICOM and a PNG exported from it therefore start out alike.
2. Area mean down to the network's size, both sides independently (the picture is squashed to a
   square). Some public sets were published squashed, so the aspect ratio names the source; when
   every film is squashed it names nothing. Nothing is cropped: tuberculosis sits in the apices.
   In whole numbers only, so that every processor gives the network the same input.
3. Grey stretched so that the 0.5 and 99.5 percentiles of the central part become 0 and 255. Full
   range exports, 12 bits stored in 16 and different windows of one film then look alike, and global
   brightness (a cue for the source, not the disease) is gone. Percentiles, never the maximum: one
   lead marker would move everything. Central: borders and markers lie outside.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge_infer.area_mean import area_means

PREPROCESSING_VERSION = 1

_CENTRAL_MARGIN = 0.1
_LOW, _HIGH = 0.005, 0.995
_SMALLEST_RANGE = 1024
"""Of 65535: below this the film is nearly blank and stretching would only enlarge its noise.
12-bit data stored in 16 bits spans 4095."""


def to_model_input(
    pixels: NDArray[np.uint16],
    *,
    height: int,
    width: int,
) -> NDArray[np.uint8]:
    """Turn displayed grey into the network's input.

    `pixels` is [H, W] uint16, 0..65535, bones bright (see `Radiograph`); the result is
    [1, height, width] uint8, 0..255. Pixels that have that size already are taken as they are.

    Raises ValueError for anything but a grey uint16 image.
    """
    return stretch_grey(shrink_grey(pixels, height=height, width=width))[None]


def shrink_grey(pixels: NDArray[np.uint16], *, height: int, width: int) -> NDArray[np.uint16]:
    """Bring displayed grey to the network's size, [height, width] uint16, before it is stretched.

    Raises ValueError for anything but a grey uint16 image.
    """
    if pixels.ndim != 2 or pixels.dtype != np.uint16 or pixels.size == 0:
        raise ValueError(f"expected uint16 [H, W], got {pixels.dtype} {pixels.shape}")
    return _resize(pixels, (height, width))


def stretch_grey(pixels: NDArray[np.uint16]) -> NDArray[np.uint8]:
    """Map the central 0.5..99.5 percentiles of [h, w] uint16 to 0..255, in integers only."""
    height, width = pixels.shape
    top, left = int(height * _CENTRAL_MARGIN), int(width * _CENTRAL_MARGIN)
    centre = np.sort(pixels[top : height - top, left : width - left], axis=None)
    low = int(centre[int(_LOW * (centre.size - 1))])
    high = int(centre[int(_HIGH * (centre.size - 1))])
    span = max(high - low, _SMALLEST_RANGE)
    # 65,535 * 255 and half of it fit 32 bits, which divide in half the time of 64.
    above = np.clip(pixels.astype(np.int32) - low, 0, span).astype(np.uint32)
    return ((above * 255 + span // 2) // span).astype(np.uint8)


@dataclass(frozen=True, kw_only=True)
class _Weights:
    """What one side's new pixels are made of, in whole parts of `total`."""

    sources: NDArray[np.int64]
    """[k, new side]: which old pixel is the k-th of each new one."""
    parts: NDArray[np.int64]
    """[k, new side]; they sum to `total` over k."""
    total: int


def _resize(pixels: NDArray[np.uint16], size: tuple[int, int]) -> NDArray[np.uint16]:
    """Resize in whole numbers, rounded once, halves up: area means, bilinear where a side grows.

    OpenCV's INTER_AREA sums floats, in another order on another processor.
    """
    if pixels.shape == size:
        return pixels
    if pixels.shape[0] >= size[0] and pixels.shape[1] >= size[1]:
        return area_means(pixels, size)
    upright, across = _weigh(pixels.shape[0], size[0]), _weigh(pixels.shape[1], size[1])
    # Sums stay below 2**53, where float64 is exact. Turned over between the two passes, because
    # whole rows add faster.
    rows = _mix_rows(pixels, upright)
    total = _mix_rows(np.ascontiguousarray(rows.T), across).T
    parts = upright.total * across.total
    return np.asarray(np.floor((total + parts // 2) / parts), dtype=np.uint16)


def _weigh(old: int, new: int) -> _Weights:
    """Return the weights that take a side of `old` pixels to `new`."""
    ordinals = np.arange(new)
    if new > old:
        # Pixel centres, in halves of a new pixel: (i + 1/2) old / new - 1/2.
        places = np.clip((2 * ordinals + 1) * old - new, 0, 2 * new * (old - 1))
        before, part = np.divmod(places, 2 * new)
        after = np.minimum(before + 1, old - 1)
        return _Weights(
            sources=np.stack([before, after]), parts=np.stack([2 * new - part, part]), total=2 * new
        )
    # An old pixel is `new` units long, a new one `old`, and what they share is a whole number.
    starts = ordinals * old
    sources = starts // new + np.arange((old - 1) // new + 2)[:, None]
    ends = np.minimum((sources + 1) * new, old * new)
    shared = np.minimum(starts + old, ends) - np.maximum(starts, sources * new)
    return _Weights(sources=np.minimum(sources, old - 1), parts=np.maximum(shared, 0), total=old)


def _mix_rows(
    values: NDArray[np.uint16] | NDArray[np.float64], weights: _Weights
) -> NDArray[np.float64]:
    mixed = np.zeros((weights.parts.shape[1], values.shape[1]), np.float64)
    for source, part in zip(weights.sources, weights.parts, strict=True):
        mixed += values[source].astype(np.float64) * part[:, None]
    return mixed
