"""One film as a file of every kind that is read: lossless, lossy, windowed, DICOM and picture."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import imagecodecs
import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.encaps import encapsulate
from pydicom.uid import UID

from benchmarks.made_films import write_dicom

_MADE = ("explicit", "deflated", "jpeg_lossless", "jpeg_ls", "jpeg2000", "htj2k", "rle")
_WINDOWED = {"explicit_window": "explicit", "jpeg2000_window": "jpeg2000"}
"""With a window that clips a tenth of the range at each end."""


def _encode_jpeg2000(pixels: NDArray[np.uint16]) -> bytes:
    """Compress about ten to one with the 9/7 wavelet."""
    return bytes(
        imagecodecs.jpeg2k_encode(
            pixels, level=60, codecformat="j2k", bitspersample=12, reversible=False, resolutions=6
        )
    )


_LOSSY: dict[str, tuple[str, int, Callable[[NDArray[Any]], bytes]]] = {
    "jpeg_baseline": (
        "1.2.840.10008.1.2.4.50",
        8,
        lambda pixels: bytes(imagecodecs.jpeg8_encode(pixels, level=90)),
    ),
    "jpeg_extended": (
        "1.2.840.10008.1.2.4.51",
        12,
        lambda pixels: bytes(imagecodecs.jpeg8_encode(pixels, level=90, bitspersample=12)),
    ),
    "jpeg2000_lossy": ("1.2.840.10008.1.2.4.91", 12, _encode_jpeg2000),
    "htj2k_lossy": (
        "1.2.840.10008.1.2.4.203",
        12,
        lambda pixels: bytes(imagecodecs.htj2k_encode(pixels, 0.001, reversible=False)),
    ),
}
KINDS = (*_MADE, *_LOSSY, *_WINDOWED, "png16.png", "jpeg.jpg")


def write_film(folder: Path, pixels: NDArray[np.uint16], kind: str) -> Path:
    """Write 12-bit grey `pixels` into `folder` as `kind`, one of KINDS, and return the file."""
    path = folder / (kind if "." in kind else f"{kind}.dcm")
    if kind == "png16.png":
        path.write_bytes(cv2.imencode(".png", pixels * np.uint16(16))[1].tobytes())
    elif kind == "jpeg.jpg":
        small = (pixels >> 4).astype(np.uint8)
        path.write_bytes(cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, 90])[1].tobytes())
    elif kind in _LOSSY:
        _write_lossy(path, pixels, *_LOSSY[kind])
    else:
        write_dicom(path, pixels, _WINDOWED.get(kind, kind))
        if kind in _WINDOWED:
            film = pydicom.dcmread(path)
            film.WindowCenter, film.WindowWidth = "2048", "3277"
            film.save_as(path, enforce_file_format=True)
    return path


def _write_lossy(
    path: Path,
    pixels: NDArray[np.uint16],
    uid: str,
    bits: int,
    encode: Callable[[NDArray[Any]], bytes],
) -> None:
    write_dicom(path, pixels, "explicit")
    film = pydicom.dcmread(path)
    stored = pixels if bits > 8 else (pixels >> (12 - bits)).astype(np.uint8)
    film.file_meta.TransferSyntaxUID = UID(uid)
    film.BitsAllocated, film.BitsStored, film.HighBit = 8 * stored.itemsize, bits, bits - 1
    film.PixelData = encapsulate([encode(np.ascontiguousarray(stored))])
    film["PixelData"].VR = "OB"
    film["PixelData"].is_undefined_length = True
    film.save_as(path, enforce_file_format=True)
