"""Colour pixels whose channels agree are a grey film (screen captures, exports); others are not."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edge_infer.errors import ReasonCode, UnsupportedImage
from edge_infer.films.dicom.elements import DicomElements, name_tag
from edge_infer.films.dicom.lut import make_lookup_table
from edge_infer.films.dicom.pixels import StoredPixels

_TOLERATED = 8 / 255
"""Largest channel difference of grey: JPEG chroma noise stays below, tinted films do not."""
_SHARE = 99
"""Percentile of pixels that must be grey: a small coloured marker does not make a colour film."""
_SAMPLED_PIXELS = 2**20
_WHITE = 65535


def merge_channels(stored: StoredPixels, photometric: str) -> StoredPixels:
    """Turn [H, W, 3] into the [H, W] grey it shows; raises UnsupportedImage COLOUR."""
    step = _subsampling(stored.patterns.shape)
    sample = stored.patterns[::step, ::step].astype(np.float32) / ((1 << stored.bits) - 1)
    if photometric.startswith("YBR") and not stored.has_rgb:
        luma_channel = 0
        # PS3.3 C.7.6.3.1.2: R - Y, G - Y, B - Y of each pixel.
        blue, red = sample[..., 1] - 0.5, sample[..., 2] - 0.5
        offsets = np.stack([1.402 * red, -0.344136 * blue - 0.714136 * red, 1.772 * blue])
        spread = offsets.max(axis=0) - offsets.min(axis=0)
    else:
        luma_channel = 1
        spread = sample.max(axis=2) - sample.min(axis=2)
    _require_grey(spread, photometric)
    grey = np.ascontiguousarray(stored.patterns[..., luma_channel])
    return StoredPixels(patterns=grey, bits=stored.bits, is_signed=False)


def build_palette_table(elements: DicomElements, stored: StoredPixels) -> NDArray[np.uint16]:
    """Return the grey (0..65535) of each pattern of a PALETTE COLOR film, or raise COLOUR."""
    colours = ("Red", "Green", "Blue")
    tables = [
        make_lookup_table(
            elements,
            f"{colour}PaletteColorLookupTableDescriptor",
            f"{colour}PaletteColorLookupTableData",
            is_signed=stored.is_signed,
        )
        for colour in colours
    ]
    patterns = np.arange(1 << stored.bits, dtype=np.int64)
    shown = [table.look_up(patterns) / table.highest for table in tables if table is not None]
    if len(shown) < len(colours):
        raise _colour("PALETTE COLOR")
    spread = np.max(shown, axis=0) - np.min(shown, axis=0)
    step = _subsampling(stored.patterns.shape)
    _require_grey(spread[stored.patterns[::step, ::step]], "PALETTE COLOR")
    return np.asarray(np.rint(shown[1] * _WHITE), dtype=np.uint16)


def _require_grey(spread: NDArray[np.floating], photometric: str) -> None:
    if np.percentile(spread, _SHARE) > _TOLERATED:
        raise _colour(photometric)


def _subsampling(shape: tuple[int, ...]) -> int:
    return max(1, int((shape[0] * shape[1] / _SAMPLED_PIXELS) ** 0.5))


def _colour(photometric: str) -> UnsupportedImage:
    return UnsupportedImage(
        "This is a colour picture, not a film: "
        f"{name_tag('PhotometricInterpretation')} is '{photometric}'.",
        ReasonCode.COLOUR,
    )
