"""Read a DICOM film for a person to look at: all its grey, and the window its header asks for."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edge_infer.errors import ReasonCode, UnreadableImage
from edge_infer.films.dicom.display import take_apart
from edge_infer.films.dicom.file import parse_dicom
from edge_infer.films.dicom.gates import check_picture
from edge_infer.films.dicom.orientation import find_orientation
from edge_infer.films.dicom.reader import (
    FIRST_ON_ITS_SIDE,
    StoredGrey,
    find_pixel_aspect,
    read_stored_grey,
)
from edge_infer.films.file import FilmFile
from edge_infer.films.film_view import FilmView
from edge_infer.films.raster.orientation import turn

_BYTE = 257
"""A grey of 8 bits is this many of 16."""


def view_dicom(file: FilmFile, *, size: tuple[int, int] | None = None) -> FilmView:
    """Read a film that need not be one the model is for: a lateral view, a child's.

    `size` as in `read_radiograph`, but no means are taken: what comes back is as the decoder made
    it. Raises UnreadableImage or UnsupportedImage where there is no picture.
    """
    film = parse_dicom(file.stream)
    if film.is_cut:
        raise UnreadableImage(
            "The file is cut off: it ends before its picture.", ReasonCode.TRUNCATED
        )
    check_picture(film.elements)
    orientation = find_orientation(film.elements)
    is_on_its_side = orientation >= FIRST_ON_ITS_SIDE
    grey = read_stored_grey(film, size[::-1] if size is not None and is_on_its_side else size)
    pixels, low, high = _to_pixels(grey)
    aspect, full_shape = find_pixel_aspect(film.elements), grey.full_shape
    return FilmView(
        pixels=np.ascontiguousarray(turn(pixels, orientation)),
        low=low,
        high=high,
        pixel_aspect=1 / aspect if is_on_its_side else aspect,
        full_shape=full_shape[::-1] if is_on_its_side else full_shape,
        scale=grey.stored.scale,
    )


def _to_pixels(grey: StoredGrey) -> tuple[NDArray[np.uint8 | np.uint16], float, float]:
    stored = grey.stored
    plain = take_apart(grey.table, bits=stored.bits, is_signed=stored.is_signed)
    table, low, high = grey.table, 0.0, 65535.0
    if plain is not None:
        table, low, high = plain.table, plain.low, plain.high
    pixels: NDArray[np.uint8 | np.uint16]
    if stored.bits == 8 and plain is not None:
        pixels = (table // _BYTE).astype(np.uint8)[stored.patterns]
        low, high = low / _BYTE, high / _BYTE
    else:
        pixels = table[stored.patterns]
    return pixels if grey.shutter is None else pixels * grey.shutter, low, high
