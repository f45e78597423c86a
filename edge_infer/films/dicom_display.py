"""Stored values to the grey that is shown, shrunk on the way where the caller asks for it.

Almost every grey table is a straight line between two plateaus (a rescale and a linear window, or
neither). Then clipping the stored values to the line, averaging, and mapping the averages gives
what mapping all pixels and averaging would, and touches 16 times fewer pixels with arithmetic. Any
other table (LUT sequence, sigmoid, padding, palette) is looked up for every pixel, before the mean.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge_infer.films.dicom_pixels import StoredPixels
from edge_infer.films.shrink import Samples, block_sums


@dataclass(frozen=True, kw_only=True)
class _Ramp:
    """The table's straight part: from value `first`, shown as `start`, to `last` and `stop`."""

    first: int
    last: int
    start: int
    stop: int


def show(stored: StoredPixels, table: NDArray[np.uint16], factor: int = 1) -> NDArray[np.uint16]:
    """Return the displayed grey [ceil(H / factor), ceil(W / factor)], 0 (black) to 65535 (white).

    `table` holds the grey of each of the 2**bits patterns; `factor` shrinks both sides by area
    means. The means of a straight table are off by at most half the table's step where a window
    begins or ends between two stored values.
    """
    if factor == 1:
        return table[stored.patterns]
    # Two's complement patterns in the order of the numbers they stand for.
    sign = 1 << (stored.bits - 1) if stored.is_signed else 0
    ramp = _find_ramp(np.concatenate([table[sign:], table[:sign]]))
    count = factor**2
    if ramp is None:
        sums = block_sums(
            stored.patterns, factor, bits=16, prepare=lambda strip: table.take(strip, mode="clip")
        )
        return ((sums + np.uint32(count // 2)) // np.uint32(count)).astype(np.uint16)

    def clip(strip: Samples) -> Samples:
        ordered = strip ^ strip.dtype.type(sign) if sign else strip
        if ramp.first == 0 and ramp.last == table.size - 1:
            return ordered
        return np.clip(ordered, strip.dtype.type(ramp.first), strip.dtype.type(ramp.last))

    sums = block_sums(stored.patterns, factor, bits=stored.bits, prepare=clip)
    # Products stay below 2**53, and one correctly rounded division is the same on every processor.
    above = sums.astype(np.float64)
    above -= ramp.first * count
    above *= ramp.stop - ramp.start
    above /= (ramp.last - ramp.first) * count
    above += ramp.start
    return np.rint(above, out=above).astype(np.uint16)


def _find_ramp(table: NDArray[np.uint16]) -> _Ramp | None:
    """Return the straight part between the plateaus of a table, or None where it is not straight.

    Half a step is tolerated: a window may begin between two stored values.
    """
    changes = np.flatnonzero(table[1:] != table[:-1])
    if changes.size == 0:
        return None
    first, last = int(changes[0]), int(changes[-1]) + 1
    start, stop = int(table[first]), int(table[last])
    step = (stop - start) / (last - first)
    line = start + step * np.arange(last - first + 1)
    if np.abs(table[first : last + 1] - line).max() > 1 + abs(step) / 2:
        return None
    return _Ramp(first=first, last=last, start=start, stop=stop)
