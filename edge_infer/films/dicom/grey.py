"""Stored values to displayed grey (PS3.3 C.11.1, C.11.2, PS3.4 N.2), through one table.

Order: modality LUT or rescale, VOI LUT or window, scaling by the range those steps map to,
MONOCHROME1 inverted once and last, padding black. Choices where the standard or files leave one:

- A Modality LUT Sequence wins over RescaleSlope/Intercept, a VOI LUT Sequence over a window, as
  in pydicom's `apply_voi_lut(prefer_lut=True)`; of several, the first that can be used. Beside a
  window, one that is too short, or covers less than half of what the window shows, cannot.
- Without either VOI step the range is all that BitsStored maps to, never the image's own maximum:
  one lead marker would move everything.
- PresentationLUTShape is ignored: Fuji files carry wrong ones; PhotometricInterpretation decides.
- An impossible window (width below 1, or not above 0 for LINEAR_EXACT and SIGMOID) counts as
  absent, a RescaleSlope of 0 as 1.

All arithmetic is on the at most 65,536 possible values; pixels only look their grey up.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from edge_infer.films.dicom.elements import DicomElements
from edge_infer.films.dicom.lut import (
    LookupTable,
    find_lookup_table,
    read_lookup_table,
)

_WHITE = 65535


class VoiFunction(StrEnum):
    """VOILUTFunction (0028,1056); LINEAR when absent or unknown."""

    LINEAR = "LINEAR"
    LINEAR_EXACT = "LINEAR_EXACT"
    SIGMOID = "SIGMOID"


@dataclass(frozen=True, kw_only=True)
class Window:
    """The first window of a film, in the units of the modality step's output."""

    centre: float
    width: float
    function: VoiFunction


@dataclass(frozen=True, kw_only=True)
class GreySteps:
    """What a header asks to be done to stored values before they are shown."""

    modality_lut: LookupTable | None = None
    slope: float = 1.0
    intercept: float = 0.0
    voi_lut: LookupTable | None = None
    window: Window | None = None
    padding: tuple[int, int] | None = None
    """Stored values from the first to the second, both included, are no part of the film."""
    is_inverted: bool = False
    """MONOCHROME1: the lowest value is shown white."""


def read_grey_steps(elements: DicomElements, *, bits: int, is_signed: bool) -> GreySteps:
    """Read the steps from a header; `bits` and `is_signed` are those of the stored values."""
    slope, intercept = elements.numbers("RescaleSlope"), elements.numbers("RescaleIntercept")
    modality_lut = read_lookup_table(elements, "ModalityLUTSequence", is_signed=is_signed)
    # Inputs of the VOI LUT are outputs of the modality step, which a rescale can make negative.
    is_voi_signed = modality_lut is None and (is_signed or bool(intercept and intercept[0] < 0))
    steps = GreySteps(
        modality_lut=modality_lut,
        slope=slope[0] if slope and slope[0] != 0 else 1.0,
        intercept=intercept[0] if intercept else 0.0,
        window=_read_window(elements),
        padding=_read_padding(elements, is_signed=is_signed),
        is_inverted=elements.text("PhotometricInterpretation").upper() == "MONOCHROME1",
    )
    if steps.window is None:
        voi_lut = read_lookup_table(elements, "VOILUTSequence", is_signed=is_voi_signed)
        return replace(steps, voi_lut=voi_lut)
    voi_lut = find_lookup_table(elements, "VOILUTSequence", is_signed=is_voi_signed)
    lowest, highest = _range_of_values(steps, bits=bits, is_signed=is_signed)
    is_used = voi_lut is not None and _covers(voi_lut, steps.window, lowest, highest)
    return replace(steps, voi_lut=voi_lut if is_used else None)


def _range_of_values(steps: GreySteps, *, bits: int, is_signed: bool) -> tuple[float, float]:
    """Return the lowest and highest value that the modality step can give."""
    first = -(1 << (bits - 1)) if is_signed else 0
    stored = np.array([first, first + (1 << bits) - 1], dtype=np.int64)
    return _apply_modality(stored, steps)[1:]


def _covers(table: LookupTable, window: Window, lowest: float, highest: float) -> bool:
    """Tell whether a VOI LUT has entries for half of the values that the window tells apart."""
    start = max(window.centre - window.width / 2, lowest)
    stop = min(window.centre + window.width / 2, highest)
    common = min(stop, table.first + table.entries.size - 1) - max(start, table.first)
    # What the window tells apart may be nothing.
    return stop <= start or common >= (stop - start) / 2


def _read_window(elements: DicomElements) -> Window | None:
    centre, width = elements.numbers("WindowCenter"), elements.numbers("WindowWidth")
    name = elements.text("VOILUTFunction").upper()
    function = VoiFunction(name) if name in list(VoiFunction) else VoiFunction.LINEAR
    if not centre or not width:
        return None
    if width[0] < 1 if function is VoiFunction.LINEAR else width[0] <= 0:
        return None
    return Window(centre=centre[0], width=width[0], function=function)


def _read_padding(elements: DicomElements, *, is_signed: bool) -> tuple[int, int] | None:
    first = elements.integer("PixelPaddingValue", signed=is_signed)
    if first is None:
        return None
    last = elements.integer("PixelPaddingRangeLimit", signed=is_signed)
    return (first, first) if last is None else (min(first, last), max(first, last))


def build_grey_table(steps: GreySteps, *, bits: int, is_signed: bool) -> NDArray[np.uint16]:
    """Return the displayed grey, 0 (black) to 65535 (white), of each of the 2**bits patterns."""
    patterns = np.arange(1 << bits, dtype=np.int64)
    stored = np.where(patterns >= 1 << (bits - 1), patterns - (1 << bits), patterns)
    stored = stored if is_signed else patterns
    fraction = _apply_voi(*_apply_modality(stored, steps), steps)
    grey = np.rint(fraction * _WHITE).astype(np.uint16)
    if steps.is_inverted:
        grey = _WHITE - grey
    if steps.padding is not None:
        grey[(stored >= steps.padding[0]) & (stored <= steps.padding[1])] = 0
    return grey


def _apply_modality(
    stored: NDArray[np.int64], steps: GreySteps
) -> tuple[NDArray[np.float64], float, float]:
    """Return the modality step's output with the lowest and highest value it can have."""
    if steps.modality_lut is not None:
        return steps.modality_lut.look_up(stored), 0.0, float(steps.modality_lut.highest)
    values = np.asarray(stored * steps.slope + steps.intercept, dtype=np.float64)
    return values, float(values.min()), float(values.max())


def _apply_voi(
    values: NDArray[np.float64], lowest: float, highest: float, steps: GreySteps
) -> NDArray[np.float64]:
    """Return the display fraction, 0 to 1."""
    if steps.voi_lut is not None:
        return steps.voi_lut.look_up(values) / steps.voi_lut.highest
    if steps.window is None:
        # An intercept can swallow a tiny slope: then nothing can be told apart.
        return (values - lowest) / (highest - lowest) if highest > lowest else values * 0
    centre, width = steps.window.centre, steps.window.width
    if steps.window.function is VoiFunction.SIGMOID:
        # PS3.3 C.11.2.1.3.1; the exponent is limited because exp overflows beyond 709, and the
        # result rounded because the last digit of exp differs between processors.
        powers = np.exp(np.clip(-4 * (values - centre) / width, -700, 700))
        return np.asarray(np.round(1 / (1 + powers), 12))
    if steps.window.function is VoiFunction.LINEAR_EXACT:  # PS3.3 C.11.2.1.3.2
        return np.clip((values - centre) / width + 0.5, 0, 1)
    if width == 1:  # PS3.3 C.11.2.1.2.1: a threshold
        return (values > centre - 0.5).astype(np.float64)
    return np.clip((values - (centre - 0.5)) / (width - 1) + 0.5, 0, 1)
