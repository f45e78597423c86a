"""Area means in floating point, by the plain formula, and the check of a reduced film against."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge_infer.films.read import read_radiograph

SIZE = (64, 60)
"""Of a 300 x 262 film: 262 // (2 x 64) = 2, so a decoder may halve it."""


def share_out(old: int, new: int) -> NDArray[np.float64]:
    """Return [new, old]: which part of each new pixel each old one is."""
    edges = np.arange(new + 1)[:, None] * old / new
    covered = np.clip(edges - np.arange(old), 0, 1)
    return np.diff(covered, axis=0) * new / old


def plain_means(grey: NDArray[np.uint8 | np.uint16], size: tuple[int, int]) -> NDArray[np.float64]:
    upright, across = (share_out(old, new) for old, new in zip(grey.shape, size, strict=True))
    return np.asarray(upright @ grey.astype(np.float64) @ across.T)


def assert_area_means(
    path: Path, scale: int, *, within: float, size: tuple[int, int] = SIZE
) -> None:
    """Check that a film given as `size`, decoded at `scale`, is the exact path's area means."""
    exact, reduced = read_radiograph(path), read_radiograph(path, size=size)
    assert (exact.decoded_scale, reduced.decoded_scale) == (1, scale)
    assert exact.full_shape == reduced.full_shape == exact.pixels.shape
    assert reduced.pixels.shape == size
    assert reduced.pixels.dtype == np.uint16
    assert np.abs(reduced.pixels - plain_means(exact.pixels, size)).max() <= within
