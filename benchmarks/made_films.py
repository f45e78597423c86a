"""Films written as DICOM in many transfer syntaxes, for benchmarks; no patient data is written."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import UID, generate_uid

Encoder = Callable[[NDArray[Any], int], bytes]
"""From grey pixels and their bits to one codestream."""

SYNTAXES: dict[str, tuple[str, Encoder | None]] = {
    "explicit": ("1.2.840.10008.1.2.1", None),
    "implicit": ("1.2.840.10008.1.2", None),
    "deflated": ("1.2.840.10008.1.2.1.99", None),
    "jpeg_lossless": (
        "1.2.840.10008.1.2.4.70",
        # libjpeg-turbo states the precision (12, not 16) as archives do.
        lambda pixels, bits: imagecodecs.jpeg8_encode(
            pixels, lossless=True, predictor=1, bitspersample=bits
        ),
    ),
    "jpeg_ls": ("1.2.840.10008.1.2.4.80", lambda pixels, _bits: imagecodecs.jpegls_encode(pixels)),
    "jpeg2000": (
        "1.2.840.10008.1.2.4.90",
        # Lossless 5/3 with six resolutions (five decompositions), as archives write it.
        lambda pixels, bits: imagecodecs.jpeg2k_encode(
            pixels, level=0, codecformat="j2k", reversible=True, bitspersample=bits, resolutions=6
        ),
    ),
    "htj2k": (
        "1.2.840.10008.1.2.4.201",
        lambda pixels, _bits: imagecodecs.htj2k_encode(pixels, reversible=True),
    ),
    "rle": ("1.2.840.10008.1.2.5", None),
}
_BASELINE = (
    "1.2.840.10008.1.2.4.50",
    lambda pixels, _bits: imagecodecs.jpeg8_encode(pixels, level=90),
)


def write_dicom(
    path: Path,
    pixels: NDArray[np.uint16],
    syntax: str,
    *,
    bits: int = 12,
    window: tuple[int, int] | None = None,
) -> None:
    """Write grey `pixels` (already within `bits`) as a frontal chest film in `syntax`.

    A name of SYNTAXES, or "jpeg_dicom": 8-bit lossy JPEG, the one that does not keep the bits.
    `window` is centre and width in `bits`; without it the whole range is shown.
    """
    uid, encode = _BASELINE if syntax == "jpeg_dicom" else SYNTAXES[syntax]
    film = _describe(pixels)
    film.file_meta = FileMetaDataset()
    # pydicom compresses RLE itself, from an uncompressed film.
    film.file_meta.TransferSyntaxUID = UID(SYNTAXES["explicit"][0] if syntax == "rle" else uid)
    film.file_meta.MediaStorageSOPClassUID = film.SOPClassUID
    film.file_meta.MediaStorageSOPInstanceUID = film.SOPInstanceUID
    shift = bits - 8 if syntax == "jpeg_dicom" else 0
    stored = (pixels >> shift).astype(np.uint8) if shift else pixels
    bits -= shift
    film.BitsAllocated, film.BitsStored, film.HighBit = 8 * stored.itemsize, bits, bits - 1
    if window:
        film.WindowCenter, film.WindowWidth = (str(number >> shift) for number in window)
    if encode:
        film.PixelData = encapsulate([encode(np.ascontiguousarray(stored), bits)])
        film["PixelData"].VR = "OB"
        film["PixelData"].is_undefined_length = True
    else:
        film.PixelData = stored.astype("<u2").tobytes()
        film["PixelData"].VR = "OW"
    if syntax == "rle":
        film.compress(pydicom.uid.RLELossless, generate_instance_uid=False)
    film.save_as(path, enforce_file_format=True)


def _describe(pixels: NDArray[np.uint16]) -> Dataset:
    film = Dataset()
    film.SOPClassUID = UID("1.2.840.10008.5.1.4.1.1.1")
    # Of the film alone, so that the same film is the same bytes in every run.
    digest = hashlib.sha256(pixels.tobytes()).hexdigest()
    for keyword in ("SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID"):
        setattr(film, keyword, generate_uid(entropy_srcs=[keyword, digest]))
    film.Modality, film.BodyPartExamined, film.ViewPosition = "CR", "CHEST", "PA"
    film.Rows, film.Columns = pixels.shape
    film.SamplesPerPixel, film.PhotometricInterpretation = 1, "MONOCHROME2"
    film.PixelRepresentation = 0
    return film


def enlarge(grey: NDArray[np.uint8], shape: tuple[int, int], seed: int) -> NDArray[np.uint16]:
    """Enlarge an 8-bit film to `shape` in 12 bits with sensor noise of 8 of 4095."""
    import cv2

    large = cv2.resize(grey, shape[::-1], interpolation=cv2.INTER_CUBIC).astype(np.float32) * 16
    noise = np.random.default_rng(seed).normal(0, 8, shape).astype(np.float32)
    return np.asarray((large + noise).clip(0, 4095), dtype=np.uint16)
