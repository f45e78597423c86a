"""Stored values to the grey that is shown, shrunk on the way where the caller asks for it.

Almost every grey table is a straight line between two plateaus (a rescale and a linear window, or
neither). Then clipping the stored values to the line, averaging, and mapping the averages gives
what mapping all pixels and averaging would, with arithmetic on a hundredth of the pixels. Any other
table (LUT sequence, sigmoid, padding, palette) is looked up for every pixel, before the mean.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge_infer.area_mean import Samples, area_sums, round_means
from edge_infer.films.dicom.pixels import StoredPixels

_WHITE = 65535
_TOLERANCE = 4.0
"""Of 65535, a sixtieth of the network's grey level: what the ends of a line may be off by."""


@dataclass(frozen=True, kw_only=True)
class _Ramp:
    """The table's straight part: from value `first`, shown as `start`, to `last` and `stop`.

    Values count in parts of a stored value, 1 / 2**shift: a window may begin between two.
    """

    first: int
    last: int
    start: int
    stop: int
    shift: int


@dataclass(frozen=True, kw_only=True)
class PlainGrey:
    """A straight table taken apart: all that the film holds, and the window that shows it so."""

    table: NDArray[np.uint16]
    """The grey of each of the 2**bits patterns over its whole range, 0 to 65535, inverted where
    the film is: nothing is cut off."""
    low: float
    """The grey of `table` that is shown black, and the one shown white; they may lie outside of
    it."""
    high: float


def take_apart(table: NDArray[np.uint16], *, bits: int, is_signed: bool) -> PlainGrey | None:
    """Return the window of a straight table, or None where it is none (LUT, sigmoid, padding)."""
    sign = 1 << (bits - 1) if is_signed else 0
    ramp = _find_ramp(np.concatenate([table[sign:], table[:sign]]), bits)
    if ramp is None:
        return None
    plain = np.rint(np.arange(table.size) * (_WHITE / (table.size - 1)))
    ends = np.array([ramp.first, ramp.last]) / (1 << ramp.shift) * (_WHITE / (table.size - 1))
    if ramp.start > ramp.stop:
        plain, ends = _WHITE - plain, _WHITE - ends
    slope = (ramp.stop - ramp.start) / (ends[1] - ends[0])
    grey = plain.astype(np.uint16)
    return PlainGrey(
        table=np.concatenate([grey[grey.size - sign :], grey[: grey.size - sign]]),
        low=float(ends[0] - ramp.start / slope),
        high=float(ends[0] + (_WHITE - ramp.start) / slope),
    )


def show(
    stored: StoredPixels,
    table: NDArray[np.uint16],
    *,
    size: tuple[int, int] | None = None,
    full_shape: tuple[int, int] | None = None,
) -> NDArray[np.uint16]:
    """Return the displayed grey, 0 (black) to 65535 (white): [H, W], or [h, w] of `size`.

    `table` holds the grey of each of the 2**bits patterns. With `size` the film, which has
    `full_shape`, is given as its area means; a straight table's are not rounded pixel by pixel.
    """
    if size is None:
        return table[stored.patterns]
    # Two's complement patterns in the order of the numbers they stand for.
    sign = 1 << (stored.bits - 1) if stored.is_signed else 0
    ramp = _find_ramp(np.concatenate([table[sign:], table[:sign]]), stored.bits)

    def clip(strip: Samples) -> Samples:
        if ramp is None:
            return table.take(strip, mode="clip")
        ordered = strip ^ strip.dtype.type(sign) if sign else strip
        if ramp.shift:
            ordered = ordered.astype(np.uint16) << np.uint16(ramp.shift)
        elif ramp.first == 0 and ramp.last == table.size - 1:
            return ordered
        kind = ordered.dtype.type
        return np.clip(ordered, kind(ramp.first), kind(ramp.last))

    sums, parts = area_sums(
        stored.patterns,
        size,
        bits=16 if ramp is None else stored.bits + ramp.shift,
        scale=stored.scale,
        full=full_shape,
        prepare=clip,
    )
    if ramp is None:
        return round_means(sums, parts)
    # Each of these operations is rounded correctly, so alike on every processor.
    above = sums.astype(np.float64)
    above -= ramp.first * parts
    above *= ramp.stop - ramp.start
    above /= (ramp.last - ramp.first) * parts
    above += ramp.start + 0.5
    return np.floor(above, out=above).astype(np.uint16)


def _find_ramp(table: NDArray[np.uint16], bits: int) -> _Ramp | None:
    """Return the straight part between the plateaus of a table, or None where it is not straight.

    The line is that of the values between the ends, which a window clips.
    """
    changes = np.flatnonzero(table[1:] != table[:-1])
    if changes.size < 4:
        return None
    below, above = int(changes[0]), int(changes[-1]) + 1
    inner = table[below + 1 : above].astype(np.float64)
    step = (inner[-1] - inner[0]) / (inner.size - 1)
    line = inner[0] + step * np.arange(inner.size)
    if step == 0 or np.abs(inner - line).max() > 1:
        return None
    start, stop = int(table[below]), int(table[above])
    ends = below + 1 + np.array([start - inner[0], stop - inner[0]]) / step
    for shift in (0, 16 - bits):
        first, last = (round(float(end) * (1 << shift)) for end in ends)
        off = np.abs(ends - np.array([first, last]) / (1 << shift)).max() * abs(step)
        if off <= _TOLERANCE and below << shift <= first < last <= above << shift:
            return _Ramp(first=first, last=last, start=start, stop=stop, shift=shift)
    return None
