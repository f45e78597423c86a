"""Films written as DICOM in many transfer syntaxes, for benchmarks; no patient data is written."""

from __future__ import annotations

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
BASELINE_JPEG = "jpeg_dicom"
"""8-bit lossy JPEG inside DICOM, the one syntax that does not keep the film's bits."""


def write_dicom(
    path: Path,
    pixels: NDArray[np.uint16],
    syntax: str,
    *,
    bits: int = 12,
    window: tuple[int, int] | None = None,
) -> None:
    """Write grey `pixels` (already within `bits`) as a frontal chest film in `syntax`.

    `window` is centre and width in `bits`; without it the whole range is shown.
    """
    uid, encode = (
        SYNTAXES[syntax]
        if syntax != BASELINE_JPEG
        else (
            "1.2.840.10008.1.2.4.50",
            lambda pixels, _bits: imagecodecs.jpeg8_encode(pixels, level=90),
        )
    )
    stored: NDArray[Any] = pixels
    shift = bits - 8 if syntax == BASELINE_JPEG else 0
    if syntax == BASELINE_JPEG:
        stored, bits = (pixels >> shift).astype(np.uint8), 8
    film = Dataset()
    film.file_meta = FileMetaDataset()
    film.file_meta.TransferSyntaxUID = UID(
        uid if uid != "1.2.840.10008.1.2.5" else "1.2.840.10008.1.2.1"
    )
    film.SOPClassUID = film.file_meta.MediaStorageSOPClassUID = UID("1.2.840.10008.5.1.4.1.1.1")
    film.SOPInstanceUID = film.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    film.StudyInstanceUID, film.SeriesInstanceUID = generate_uid(), generate_uid()
    film.Modality, film.BodyPartExamined, film.ViewPosition = "CR", "CHEST", "PA"
    film.Rows, film.Columns = stored.shape
    film.SamplesPerPixel, film.PhotometricInterpretation = 1, "MONOCHROME2"
    film.BitsAllocated, film.BitsStored, film.HighBit = 8 * stored.itemsize, bits, bits - 1
    film.PixelRepresentation = 0
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


def enlarge(grey: NDArray[np.uint8], shape: tuple[int, int], seed: int) -> NDArray[np.uint16]:
    """Enlarge an 8-bit film to `shape` in 12 bits with sensor noise of 8 of 4095."""
    import cv2

    large = cv2.resize(grey, shape[::-1], interpolation=cv2.INTER_CUBIC).astype(np.float32) * 16
    noise = np.random.default_rng(seed).normal(0, 8, shape).astype(np.float32)
    return np.asarray((large + noise).clip(0, 4095), dtype=np.uint16)
