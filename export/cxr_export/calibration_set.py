"""The films that set the INT8 ranges: from the train split only, never random numbers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from cxr_train.data.manifest import Example
from cxr_train.errors import DataError

CALIBRATION_IMAGES = 200
"""Enough for the ranges: the fallback methods, Percentile and Entropy, gain nothing from more."""


def choose_calibration(
    examples: Sequence[Example], *, count: int = CALIBRATION_IMAGES, seed: int = 0
) -> tuple[Example, ...]:
    """Choose `count` films of the train split, every class and source in turn.

    Raises DataError when there is no training film.
    """
    train = [example for example in examples if example.split == "train"]
    if not train:
        raise DataError("There is no training film to calibrate with: name data by --calibration.")
    random = np.random.default_rng(seed)
    cells: dict[tuple[int, str], list[Example]] = {}
    for index in random.permutation(len(train)):
        cells.setdefault((train[index].label, train[index].source), []).append(train[index])
    chosen: list[Example] = []
    while len(chosen) < min(count, len(train)):
        for key in sorted(cells):
            if cells[key]:
                chosen.append(cells[key].pop())
    return tuple(chosen[:count])


class CalibrationFilms:
    """Hand the calibrator one film at a time (onnxruntime's CalibrationDataReader protocol)."""

    def __init__(self, pixels: NDArray[np.uint8]) -> None:
        self._pixels = pixels
        self._next, self._end = 0, len(pixels)

    def __len__(self) -> int:
        return len(self._pixels)

    def get_next(self) -> dict[str, NDArray[np.uint8]] | None:
        """Return the next input, or None when all of the range were given."""
        if self._next == self._end:
            return None
        self._next += 1
        return {"image": np.array(self._pixels[self._next - 1 : self._next])}

    def set_range(self, start_index: int, end_index: int) -> None:
        """Give only films `start_index` to `end_index` - 1 from now on."""
        self._next, self._end = start_index, end_index
