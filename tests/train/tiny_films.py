"""Small made-up films whose class is a bright spot's corner; eight or more teach a tiny network."""

from __future__ import annotations

import csv
import tarfile
from collections.abc import Iterable, Sequence
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


def write_hospitals(
    folder: Path, hospitals: Sequence[str] = "AB", *, first: int = 0
) -> dict[str, Path]:
    """Write films of two hospitals with a manifest, a mask and a box for some of them.

    They are numbered from `first`, a multiple of 8. Returns the places of data, lungs and boxes.
    """
    films, masks = folder / "films", folder / "masks"
    masks.mkdir(parents=True)
    rows, masked, boxes = [], [], []
    for number in range(first, first + 32):
        label, split = number % 4, "val" if number >= first + 24 else "train"
        name = f"{CLASSES[label]}/{number}.png"
        write_film(films / name, label, number)
        rows.append([name, CLASSES[label], split, hospitals[number // 4 % 2], f"p{number}"])
        if number < first + 8:
            mask = np.full((40, 40), 255, np.uint8)
            cv2.imencode(".png", mask)[1].tofile(masks / f"{number}.png")
            masked.append([name, f"{number}.png"])
        if CLASSES[label] == "tuberculosis":
            boxes.append([name, 0.2, 0.2, 0.6, 0.6])
    given = {"data": films / "manifest.csv", "lungs": masks, "boxes": folder / "boxes.csv"}
    for path, head, lines in (
        (given["data"], ["path", "class", "split", "source", "patient_id"], rows),
        (masks / "manifest.csv", ["film", "mask"], masked),
        (given["boxes"], ["film", "x0", "y0", "x1", "y1"], boxes),
    ):
        with path.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([head, *lines])
    return given


def unpack(parts: Iterable[Path], folder: Path) -> Path:
    """Unpack what `cxr-train pack` wrote into a new folder."""
    folder.mkdir()
    for part in parts:
        with tarfile.open(part) as tar:
            tar.extractall(folder, filter="data")
    return folder


def film(label: int, group: str, source: str = "", split: str = "val") -> Example:
    """Return an example whose file need not exist."""
    return Example(
        path=Path(group), name=group, label=label, split=split, group=group, source=source
    )
