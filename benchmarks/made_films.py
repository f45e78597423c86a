"""Films written as DICOM in many transfer syntaxes, for benchmarks; no patient data is written."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import imagecodecs
import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import UID, generate_uid

Encoder = Callable[[NDArray[np.uint16]], bytes]

SYNTAXES: dict[str, tuple[str, Encoder | None]] = {
    "explicit": ("1.2.840.10008.1.2.1", None),
    "implicit": ("1.2.840.10008.1.2", None),
    "deflated": ("1.2.840.10008.1.2.1.99", None),
    "jpeg_lossless": ("1.2.840.10008.1.2.4.70", imagecodecs.ljpeg_encode),
    "jpeg_ls": ("1.2.840.10008.1.2.4.80", imagecodecs.jpegls_encode),
    "jpeg2000": (
        "1.2.840.10008.1.2.4.90",
        lambda pixels: imagecodecs.jpeg2k_encode(pixels, level=0, codecformat="j2k"),
    ),
    "htj2k": (
        "1.2.840.10008.1.2.4.201",
        lambda pixels: imagecodecs.htj2k_encode(pixels, reversible=True),
    ),
    "rle": ("1.2.840.10008.1.2.5", None),
}


def write_dicom(path: Path, pixels: NDArray[np.uint16], syntax: str, *, bits: int = 12) -> None:
    """Write grey `pixels` (already within `bits`) as a frontal chest film in `syntax`."""
    uid, encode = SYNTAXES[syntax]
    film = Dataset()
    film.file_meta = FileMetaDataset()
    film.file_meta.TransferSyntaxUID = UID(
        uid if uid != "1.2.840.10008.1.2.5" else "1.2.840.10008.1.2.1"
    )
    film.SOPClassUID = film.file_meta.MediaStorageSOPClassUID = UID("1.2.840.10008.5.1.4.1.1.1")
    film.SOPInstanceUID = film.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    film.StudyInstanceUID, film.SeriesInstanceUID = generate_uid(), generate_uid()
    film.Modality, film.BodyPartExamined, film.ViewPosition = "CR", "CHEST", "PA"
    film.Rows, film.Columns = pixels.shape
    film.SamplesPerPixel, film.PhotometricInterpretation = 1, "MONOCHROME2"
    film.BitsAllocated, film.BitsStored, film.HighBit = 16, bits, bits - 1
    film.PixelRepresentation = 0
    if encode:
        film.PixelData = encapsulate([encode(np.ascontiguousarray(pixels))])
        film["PixelData"].VR = "OB"
        film["PixelData"].is_undefined_length = True
    else:
        film.PixelData = pixels.astype("<u2").tobytes()
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
