"""Read one film for a person to look at, whatever its format; runs in a worker."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge_infer.errors import ImageError
from edge_infer.films.file import FilmFile
from edge_infer.films.film_view import FilmView
from edge_infer.films.look import look_at
from edge_infer.films.read import kind_of
from edge_infer.films.shrink import shrink_factor
from edge_infer.films.sniff import FileKind
from edge_infer.pc.native_code import return_large_blocks

_QUICK_SIZE = (512, 512)
"""A quick view has at least twice that on each side where the film has."""


@dataclass(frozen=True, kw_only=True)
class ViewRequest:
    """Which film to read, and how well."""

    path: Path
    is_quick: bool = False
    """Whether a reduced picture will do: a quarter of the bytes to send and to draw, and of JPEG
    2000, whose format holds one, a quarter of the decoding."""


@dataclass(frozen=True, kw_only=True)
class ReadView:
    """A film as it is read, and of which content."""

    view: FilmView
    sha256: str


def load_readers() -> None:
    """Import what reading any film needs: the first one a person opens then takes no longer.

    For a process that stays: what films took is given back.
    """
    return_large_blocks()
    from edge_infer.films.dicom import view
    from edge_infer.films.raster import reader

    assert view and reader


def read_view(request: ViewRequest) -> ReadView:
    """Read a film's every grey; raises ImageError where there is no picture to show."""
    size = _QUICK_SIZE if request.is_quick else None
    look = look_at(request.path, read=partial(_view, size=size), known=frozenset())
    if isinstance(look.outcome, ImageError):
        raise look.outcome
    assert look.outcome is not None and look.sha256 is not None, "it was read"
    view = _shrink(look.outcome) if request.is_quick else look.outcome
    return ReadView(view=view, sha256=look.sha256)


def _view(file: FilmFile, *, size: tuple[int, int] | None) -> FilmView:
    kind = kind_of(file)
    if kind is FileKind.DICOM:
        from edge_infer.films.dicom.view import view_dicom

        return view_dicom(file, size=size)
    from edge_infer.films.raster.reader import read_raster

    film = read_raster(file, kind)
    pixels = _in_bytes(film.pixels)
    return FilmView(
        pixels=pixels,
        low=0.0,
        high=float(np.iinfo(pixels.dtype).max),
        pixel_aspect=film.pixel_aspect,
        full_shape=film.full_shape,
        scale=1,
    )


def _shrink(view: FilmView) -> FilmView:
    """Return means of what the decoder has not made smaller itself; a last odd line is left out."""
    factor = shrink_factor(view.pixels.shape, _QUICK_SIZE)
    if view.scale > 1 or factor == 1:
        return view
    import cv2

    height, width = (side // factor for side in view.pixels.shape)
    whole = view.pixels[: height * factor, : width * factor]
    small = cv2.resize(whole, (width, height), interpolation=cv2.INTER_AREA)
    return replace(view, pixels=np.asarray(small, dtype=view.pixels.dtype), scale=factor)


def _in_bytes(grey: NDArray[np.uint16]) -> NDArray[np.uint8 | np.uint16]:
    """Return 8 bits where the film has no more: half as much to send."""
    small = (grey >> 8).astype(np.uint8)
    is_all = np.array_equal(small.astype(np.uint16) * np.uint16(257), grey)
    return small if is_all else grey
