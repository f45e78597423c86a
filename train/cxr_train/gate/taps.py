"""What the gate sees: layers of the classifier's own INT8 network, and statistics of its input.

What the gate adds to the network is a few thousand multiplications in double precision.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import onnx
from numpy.typing import NDArray

from cxr_train.errors import ConfigError
from cxr_train.int8_layers import Tap, input_side, open_with_layers, quantized_layers
from edge_infer.model.model_file import load_model_file

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

STATISTICS = ("mean", "deviation", "black", "white")
"""Of each of the grid's cells of the input: mean, standard deviation, 255 times the shares of
pixels that are 0 and 255."""


@dataclass(frozen=True, kw_only=True)
class Taps:
    """Where in a network its gate looks."""

    side: int
    """Of the input."""
    grid: int
    """Side of the coarsest layer; all else is averaged down to it."""
    layers: tuple[Tap, ...]

    @property
    def widths(self) -> tuple[int, ...]:
        """Channels of the statistics, then of each layer."""
        return (len(STATISTICS), *(tap.channels for tap in self.layers))


class TappedNetwork:
    """A model file that also gives what its taps see."""

    def __init__(self, session: InferenceSession, taps: Taps) -> None:
        self._session, self.taps = session, taps

    @classmethod
    def open(cls, path: Path, taps: Taps | None = None) -> TappedNetwork:
        """Open a model file; its taps are chosen where none are given.

        Raises ModelError where the file is no model of ours, ConfigError where it is not INT8.
        """
        load_model_file(path)
        model = onnx.load(path)
        if taps is None:
            taps = choose_taps(model)
        return cls(open_with_layers(model, [tap.name for tap in taps.layers]), taps)

    def look(self, image: NDArray[np.uint8]) -> list[NDArray[np.uint8]]:
        """Return the statistics and the layers, each uint8 [C, h, w], of an input [1, H, W]."""
        names = [tap.name for tap in self.taps.layers]
        layers = self._session.run(names, {"image": image[None]})
        return [cell_statistics(image[0], self.taps.grid), *(layer[0] for layer in layers)]


def cell_statistics(image: NDArray[np.uint8], grid: int) -> NDArray[np.uint8]:
    """Return STATISTICS [4, grid, grid] of an input [H, W], rounded down to whole numbers."""
    size = image.shape[0] // grid
    cells = image.reshape(grid, size, grid, size).astype(np.float64)
    mean = cells.mean((1, 3))
    spread = np.sqrt(np.maximum((cells * cells).mean((1, 3)) - mean * mean, 0))
    black, white = ((cells == level).mean((1, 3)) * 255 for level in (0, 255))
    return np.asarray(np.floor(np.stack([mean, spread, black, white])), dtype=np.uint8)


def choose_taps(model: onnx.ModelProto) -> Taps:
    """Choose, of the quantized layers of each of the two coarsest sizes, the last narrow ones.

    Narrow: with the fewest channels of that size, which between an inverted residual block's wide
    layers are the block's output. ConfigError where the network is not quantized throughout.
    """
    found, side = quantized_layers(model), input_side(model)
    sizes = sorted({tap.side for tap in found})[:2]
    chosen = []
    for size in reversed(sizes):
        of_size = [tap for tap in found if tap.side == size]
        fewest = min(tap.channels for tap in of_size)
        chosen.append([tap for tap in of_size if tap.channels == fewest][-1])
    if len(chosen) < 2 or side % sizes[0] or any(tap.side % sizes[0] for tap in chosen):
        raise ConfigError(
            "The gate needs an INT8 model of cxr-export whose coarsest layers divide its input: "
            "this one has none."
        )
    return Taps(side=side, grid=sizes[0], layers=tuple(chosen))
