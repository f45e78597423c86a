"""Small made-up films whose class is a bright spot's corner; eight or more teach a tiny network."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from cxr_train.data.manifest import Example
from edge_infer.model.model_card import CLASSES

_CORNERS = ((40, 40), (40, 120), (120, 40), (120, 120))


def write_film(path: Path, label: int, seed: int) -> None:
    """Write one 160 x 160 PNG of class `label`."""
    random = np.random.default_rng(seed)
    pixels = random.normal(90, 12, (160, 160))
    row, column = _CORNERS[label]
    rows, columns = np.mgrid[0:160, 0:160]
    pixels += 130 * np.exp(-((rows - row) ** 2 + (columns - column) ** 2) / 300)
    path.parent.mkdir(parents=True, exist_ok=True)
    encoded = cv2.imencode(".png", pixels.clip(0, 255).astype(np.uint8))[1]
    path.write_bytes(encoded.tobytes())


def write_data(folder: Path, *, train: int = 4, val: int = 2) -> Path:
    """Write class folders under train/ and val/ with that many films per class."""
    for split, count in (("train", train), ("val", val)):
        for label, name in enumerate(CLASSES):
            for number in range(count):
                seed = label + 10 * number + (1000 if split == "val" else 0)
                write_film(folder / split / name / f"{name}{seed}.png", label, seed)
    return folder


def film(label: int, group: str, source: str = "", split: str = "val") -> Example:
    """Return an example whose file need not exist."""
    return Example(
        path=Path(group), name=group, label=label, split=split, group=group, source=source
    )
