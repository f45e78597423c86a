"""What the audit reads of every file as stored: its fingerprint, its properties, global numbers."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cxr_train.data.manifest import MIN_AGE_YEARS, Example
from cxr_train.errors import DataError
from cxr_train.terminal import Progress
from edge_infer.errors import ImageError
from edge_infer.films.read import read_radiograph

PROPERTIES = ("width", "height", "aspect", "file bytes", "bytes per pixel", "suffix", "bit depth")
GLOBAL_NUMBERS = (
    "mean",
    "standard deviation",
    "5th percentile",
    "95th percentile",
    "top border",
    "bottom border",
    "left border",
    "right border",
    "aspect",
    "size",
)
"""Ten numbers that know nothing of anatomy. Grey is 0..1 as stored, before any stretching."""
BORDER_SHARE = 0.06
"""A side's border is this share of the picture: collimation and letters, hardly any lung."""


@dataclass(frozen=True, kw_only=True)
class FilmFacts:
    """One file as stored."""

    digest: str
    """SHA-256 of the file's bytes."""
    is_square: bool
    """Width equals height, to the pixel."""
    properties: tuple[float, ...]
    """In order of PROPERTIES; the suffix as a number that stands for its letters."""
    global_numbers: tuple[float, ...]
    """In order of GLOBAL_NUMBERS."""


def read_film_facts(
    examples: Sequence[Example], *, progress: Progress | None = None
) -> tuple[FilmFacts, ...]:
    """Read every example once more, without preprocessing; same order and length.

    Raises DataError for a film that can no longer be read (`examples` are those that could).
    """
    facts = []
    for done, example in enumerate(examples, 1):
        try:
            content = example.path.read_bytes()
            pixels = read_radiograph(example.path, min_age_years=MIN_AGE_YEARS).pixels
        except (OSError, ImageError) as error:
            raise DataError(f"{example.name} changed while it was read: {error}.") from error
        facts.append(_facts_of(example, content, pixels))
        if progress:
            progress(done, len(examples))
    return tuple(facts)


def _facts_of(example: Example, content: bytes, pixels: NDArray[np.uint16]) -> FilmFacts:
    height, width = pixels.shape
    # The raster readers multiply 8 bit grey by 257 to fill 16.
    bits = 8 if not (pixels % 257).any() else 16
    suffix = int.from_bytes(example.path.suffix.lower().encode()[:6], "big")
    n_bytes = len(content)
    properties = (
        width,
        height,
        width / height,
        n_bytes,
        n_bytes / (width * height),
        suffix,
        bits,
    )
    return FilmFacts(
        digest=hashlib.sha256(content).hexdigest(),
        is_square=height == width,
        properties=tuple(float(value) for value in properties),
        global_numbers=measure_globals(pixels),
    )


def measure_globals(pixels: NDArray[np.uint16]) -> tuple[float, ...]:
    """Measure GLOBAL_NUMBERS of grey [H, W] uint16."""
    height, width = pixels.shape
    grey = pixels / np.float32(65535)
    rows, columns = (max(1, round(side * BORDER_SHARE)) for side in (height, width))
    low, high = np.percentile(grey, (5, 95))
    numbers = (
        grey.mean(),
        grey.std(),
        low,
        high,
        grey[:rows].mean(),
        grey[-rows:].mean(),
        grey[:, :columns].mean(),
        grey[:, -columns:].mean(),
        width / height,
        width * height / 1e6,
    )
    return tuple(float(number) for number in numbers)
