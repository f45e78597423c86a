"""Read one film, whatever its format: a path becomes a Radiograph or an ImageError."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge_infer.errors import ReasonCode, UnreadableImage
from edge_infer.films.film_file import FilmFile, open_film_file
from edge_infer.films.sniff import HEAD_BYTES, FileKind, sniff
from edge_infer.films.study import StudyInfo


@dataclass(frozen=True, kw_only=True)
class Radiograph:
    """One frontal film as the reader would see it."""

    pixels: NDArray[np.uint16]
    """[H, W] grey, 0 (black) to 65535 (white), bones bright; the whole display range, not the
    image's own maximum, is 65535. Where the reader was told how little is needed, the film's area
    means by `shrink`, [ceil(H / shrink), ceil(W / shrink)]."""
    pixel_aspect: float
    """Height of one pixel over its width (PixelAspectRatio or PixelSpacing); 1.0 when unknown."""
    study: StudyInfo
    full_shape: tuple[int, int]
    """Rows and columns of the file's own picture."""
    shrink: int = 1
    """How many of its rows and columns one pixel stands for; the last may stand for fewer."""


def read_radiograph(file: Path | FilmFile, *, at_least: int | None = None) -> Radiograph:
    """Read the film at a path, of whatever format its content is (its name is not looked at).

    A file that is open already, to be hashed, is not read again.

    With `at_least`, the longer side of the model's input, the film may come back reduced by a whole
    number, but never below twice `at_least` on a side: JPEG 2000 is decoded by resolution level,
    JPEG through its DCT, all others are averaged in blocks before any other arithmetic. None reads
    every pixel: the exact path. Whether a film is refused, and why, does not depend on it, except
    that bytes damaged inside HTJ2K data which is skipped are not seen.

    Raises UnreadableImage or UnsupportedImage, whose text says why in one sentence.
    """
    if isinstance(file, Path):
        with open_film_file(file) as opened:
            return read_radiograph(opened, at_least=at_least)
    kind = _look_at(file)
    # Imported late: a folder of JPEGs never loads pydicom, and the readers import Radiograph.
    if kind is FileKind.DICOM:
        from edge_infer.films.dicom_reader import read_dicom

        return read_dicom(file, at_least=at_least)
    if kind is FileKind.OTHER_IMAGE:
        raise UnreadableImage(
            "This picture format cannot be read here; save it as DICOM, PNG, JPEG, TIFF or BMP.",
            ReasonCode.NO_DECODER,
        )
    if kind is FileKind.OTHER:
        raise UnreadableImage(
            "This is not an image: its content is neither DICOM nor a picture.",
            ReasonCode.NOT_AN_IMAGE,
        )
    from edge_infer.films.raster_reader import read_raster

    return read_raster(file, kind, at_least=at_least)


def _look_at(file: FilmFile) -> FileKind:
    """Name the kind of a file that is not empty."""
    head = file.stream.read(HEAD_BYTES)
    file.stream.seek(0)
    if not head:
        raise UnreadableImage("The file is empty.", ReasonCode.EMPTY_FILE)
    return sniff(head)
