"""What the taps see of many pictures, computed once by several processes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cxr_train.gate.pictures import Picture, make_picture
from cxr_train.gate.taps import TappedNetwork, Taps
from cxr_train.terminal import Progress
from edge_infer.pc.native_code import limit_threads

_CHUNK = 32


def compute_features(
    pictures: Sequence[Picture],
    model: Path,
    taps: Taps,
    folder: Path,
    *,
    workers: int,
    progress: Progress,
) -> list[NDArray[np.uint8]]:
    """Make every picture and map from disk what the taps see of it, each uint8 [N, C, h, w].

    45,000 pictures are 2 GB, in `folder`, which is the caller's to remove. DataError names a
    picture that cannot be read.
    """
    sides = (taps.grid, *(tap.side for tap in taps.layers))
    arrays = [
        np.lib.format.open_memmap(
            folder / f"{index}.npy", "w+", np.uint8, (len(pictures), width, side, side)
        )
        for index, (width, side) in enumerate(zip(taps.widths, sides, strict=True))
    ]
    for start, found in _look_at_all(pictures, model, taps, workers):
        for array, seen in zip(arrays, found, strict=True):
            array[start : start + len(seen)] = seen
        progress(min(start + _CHUNK, len(pictures)), len(pictures))
    return list(arrays)


def _look_at_all(
    pictures: Sequence[Picture], model: Path, taps: Taps, workers: int
) -> Iterator[tuple[int, list[NDArray[np.uint8]]]]:
    starts = range(0, len(pictures), _CHUNK)
    chunks = ((str(model), taps, list(pictures[at : at + _CHUNK])) for at in starts)
    with get_context("spawn").Pool(workers) as pool:
        yield from zip(starts, pool.imap(_look_at_some, chunks), strict=True)


def _look_at_some(work: tuple[str, Taps, list[Picture]]) -> list[NDArray[np.uint8]]:
    model, taps, pictures = work
    limit_threads()
    network = _network(model, taps)
    seen = [network.look(make_picture(picture, taps.side)) for picture in pictures]
    return [np.stack(layer) for layer in zip(*seen, strict=True)]


@cache
def _network(model: str, taps: Taps) -> TappedNetwork:
    return TappedNetwork.open(Path(model), taps)
