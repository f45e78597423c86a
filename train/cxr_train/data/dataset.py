"""Decode films once into a cached uint8 array, through the runner's reader and preprocessing."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cxr_train.config import Balance
from cxr_train.data.manifest import MIN_AGE_YEARS, Example
from cxr_train.errors import DataError
from cxr_train.result_files import write_file, write_json
from cxr_train.terminal import Progress, Say, say, working
from edge_infer.errors import ImageError
from edge_infer.films.read import read_radiograph
from edge_infer.model.preprocess import PREPROCESSING_VERSION, to_model_input


@dataclass(frozen=True, kw_only=True)
class LoadedImages:
    """Decoded films, in the order of `examples`."""

    pixels: NDArray[np.uint8]
    """[N, 1, height, width], the network's input."""
    examples: tuple[Example, ...]
    """The examples that could be read, same order and length as `pixels`."""
    skipped: tuple[str, ...]
    """One sentence for each film that could not be read."""

    @property
    def labels(self) -> NDArray[np.int64]:
        """[N] class indices."""
        return np.array([example.label for example in self.examples], dtype=np.int64)


def training_side(size: int) -> int:
    """Return the side at which training films are decoded for an input of `size` pixels.

    A little more, so that a crop keeps its detail.
    """
    return round(size * 8 / 7)


def default_cache() -> Path:
    """Return the folder for decoded films: `CXR_CACHE`, or the user's cache folder."""
    chosen = os.environ.get("CXR_CACHE")
    if chosen:
        return Path(chosen)
    base = os.environ.get("LOCALAPPDATA") or os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "cxr-edge"


def load_films(
    examples: Sequence[Example],
    side: int,
    *,
    what: str,
    cache: Path | None = None,
    tell: Say = say,
) -> LoadedImages:
    """Decode films for square inputs of `side` pixels, with progress as `what` films.

    Those that cannot be read are told. Raises as `load_images`.
    """
    with working(f"reading {what} films") as task:
        loaded = load_images(examples, height=side, width=side, cache=cache, progress=task.at)
    for reason in loaded.skipped:
        tell(f"not used: {reason}")
    return loaded


def load_images(
    examples: Sequence[Example],
    *,
    height: int,
    width: int,
    cache: Path | None = None,
    progress: Progress | None = None,
) -> LoadedImages:
    """Decode `examples` to uint8 [N, 1, height, width], or map the array decoded before.

    The cache is keyed by the list of files with their sizes and times, the picture size and the
    preprocessing version. Raises DataError when no film at all can be read, ReportError when the
    cache cannot be written.
    """
    folder = cache or default_cache()
    key = _key(examples, height, width)
    array_file, report_file = folder / f"{key}.npy", folder / f"{key}.json"
    if not (array_file.is_file() and report_file.is_file()):
        _decode_all(examples, height, width, array_file, report_file, progress)
    skipped: dict[str, str] = json.loads(report_file.read_text(encoding="utf-8"))
    read = tuple(example for example in examples if str(example.path) not in skipped)
    if not read:
        reason = next(iter(skipped.values()), "there are none")
        raise DataError(f"No image of the data can be read; the first: {reason}")
    return LoadedImages(
        pixels=np.load(array_file, mmap_mode="r"),
        examples=read,
        skipped=tuple(f"{name}: {reason}" for name, reason in skipped.items()),
    )


def sampling_weights(
    examples: Sequence[Example], balance: Balance, power: float
) -> NDArray[np.float64]:
    """Return the probability [N] of drawing each film, equal inside a cell.

    A cell (class, or source x class) of n films is drawn with weight n ** (1 - power).
    """
    if balance is Balance.NONE:
        return np.full(len(examples), 1 / len(examples))
    by_source = balance is Balance.SOURCE
    cells = [(example.label, example.source if by_source else "") for example in examples]
    counts = {cell: cells.count(cell) for cell in set(cells)}
    weights = np.array([counts[cell] ** -power for cell in cells])
    return np.asarray(weights / weights.sum(), dtype=np.float64)


def _key(examples: Sequence[Example], height: int, width: int) -> str:
    digest = hashlib.sha256(f"{PREPROCESSING_VERSION} {height}x{width}".encode())
    for example in examples:
        try:
            state = example.path.stat()
            line = f"{example.path}\t{state.st_size}\t{state.st_mtime_ns}\n"
        except OSError:
            line = f"{example.path}\tmissing\n"
        digest.update(line.encode("utf-8", "surrogateescape"))
    return digest.hexdigest()[:32]


def _decode_all(
    examples: Sequence[Example],
    height: int,
    width: int,
    array_file: Path,
    report_file: Path,
    progress: Progress | None,
) -> None:
    import cv2

    cv2.setNumThreads(1)

    def decode(example: Example) -> NDArray[np.uint8] | str:
        try:
            film = read_radiograph(example.path, min_age_years=MIN_AGE_YEARS)
            return to_model_input(film.pixels, height=height, width=width)
        except ImageError as error:
            return str(error)

    skipped: dict[str, str] = {}
    pixels = np.empty((len(examples), 1, height, width), dtype=np.uint8)
    count = 0
    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        for done, (example, result) in enumerate(
            zip(examples, pool.map(decode, examples), strict=True), 1
        ):
            if isinstance(result, str):
                skipped[str(example.path)] = result
            else:
                pixels[count] = result
                count += 1
            if progress:
                progress(done, len(examples))
    write_file(array_file, lambda file: np.save(file, pixels[:count]))
    write_json(skipped, report_file)
