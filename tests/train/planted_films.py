"""Made-up chests that share one template, with known faults planted among them."""

from __future__ import annotations

import csv
from functools import cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_infer.model.model_card import CLASSES

HEIGHT, WIDTH = 320, 300
Grey = NDArray[np.uint8]


def make_film(seed: int) -> Grey:
    """Draw one film [320, 300]: a chest that all share, slightly bent, and its own anatomy.

    What is shared is strong enough that films are alike in small pictures (correlation about 0.8).
    """
    random = np.random.default_rng(seed)
    bend = random.normal(0, (0.01, 0.01, 2), (2, 3))
    size, edge = (WIDTH, HEIGHT), cv2.BORDER_REPLICATE
    bent = cv2.warpAffine(_shared_chest(), np.eye(2, 3) + bend, size, borderMode=edge)
    film = np.asarray(bent, dtype=np.float32)
    for grain, strength in ((40, 10), (14, 6), (5, 6), (1.6, 5)):
        film = film + strength * _texture(random, grain)
    return np.asarray(film.clip(5, 245), dtype=np.uint8)


@cache
def _shared_chest() -> NDArray[np.float32]:
    rows, columns = np.mgrid[0:HEIGHT, 0:WIDTH].astype(np.float32)
    y, x = rows / HEIGHT, columns / WIDTH - 0.5
    body = np.exp(-((x / 0.47) ** 8)) * (1 - np.exp(-((y / 0.12) ** 2)))
    lungs = np.exp(-(((np.abs(x) - 0.22) / 0.13) ** 4) - ((y - 0.45) / 0.3) ** 4)
    ribs = np.cos(2 * np.pi * (9 * y + 6 * x * x)) * np.exp(-((x / 0.42) ** 6))
    chest = 40 + 110 * body - 75 * lungs + 14 * ribs
    random = np.random.default_rng(2**32)
    return np.asarray(chest + 10 * _texture(random, 14) + 3 * _texture(random, 7), np.float32)


def _texture(random: np.random.Generator, grain: float) -> NDArray[np.float32]:
    """Return smooth noise [320, 300] of mean 0 and deviation 1 whose grains are so many pixels."""
    size = round(HEIGHT / grain), round(WIDTH / grain)
    noise = random.normal(size=size).astype(np.float32)
    large = cv2.resize(noise, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)
    return np.asarray((large - large.mean()) / large.std(), dtype=np.float32)


def edit_film(film: Grey, seed: int) -> Grey:
    """Copy a film as it travels: cropped by 5 %, halved, another gamma, JPEG of quality 40."""
    random = np.random.default_rng(seed)
    height, width = (round(0.95 * side) for side in film.shape)
    top = random.integers(0, film.shape[0] - height + 1)
    left = random.integers(0, film.shape[1] - width + 1)
    crop = film[top : top + height, left : left + width]
    small = cv2.resize(crop, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    brighter = np.asarray(255 * (small / 255) ** 0.8, dtype=np.uint8)
    jpeg = cv2.imencode(".jpg", brighter, [cv2.IMWRITE_JPEG_QUALITY, 40])[1]
    return np.asarray(cv2.imdecode(jpeg, cv2.IMREAD_GRAYSCALE), dtype=np.uint8)


def add_marker(film: Grey, seed: int) -> None:
    """Paint a white square of 22 pixels near the upper left corner, not always in one place."""
    top, left = np.random.default_rng(seed).integers(12, 20, size=2)
    film[top : top + 22, left : left + 22] = 255


class FilmFolder:
    """A folder of films with the manifest that describes them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.rows: list[dict[str, Any]] = []
        folder.mkdir(parents=True, exist_ok=True)

    def add(self, name: str, film: Grey, label: int, split: str, group: str | None = None) -> str:
        """Write one film as PNG and note its row; returns the name."""
        (self.folder / name).write_bytes(cv2.imencode(".png", film)[1].tobytes())
        row = {"path": name, "class": CLASSES[label], "split": split, "group_id": group or name}
        self.rows.append(row)
        return name

    def write_manifest(self) -> Path:
        """Write manifest.csv and return the folder."""
        with (self.folder / "manifest.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, self.rows[0])
            writer.writeheader()
            writer.writerows(self.rows)
        return self.folder
