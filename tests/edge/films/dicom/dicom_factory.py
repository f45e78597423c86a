"""Make DICOM files in memory: photometric x bits x signed x grey steps x transfer syntax."""

from __future__ import annotations

import io
import warnings
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import dcmwrite, write_dataset, write_file_meta_info
from pydicom.sequence import Sequence
from pydicom.uid import UID, generate_uid

IMPLICIT, EXPLICIT, BIG = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2"
DEFLATED, RLE = "1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.5"
JPEG_BASELINE, JPEG_EXTENDED = "1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.51"
JPEG_LOSSLESS, JPEG_LOSSLESS_SV1 = "1.2.840.10008.1.2.4.57", "1.2.840.10008.1.2.4.70"
JPEG_LS, JPEG_LS_NEAR = "1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.4.81"
J2K_LOSSLESS, J2K = "1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.4.91"
HTJ2K_LOSSLESS, HTJ2K_RPCL = "1.2.840.10008.1.2.4.201", "1.2.840.10008.1.2.4.202"
HTJ2K = "1.2.840.10008.1.2.4.203"

CR_CLASS = "1.2.840.10008.5.1.4.1.1.1"
IDENTITY = {
    "AccessionNumber": "ACC-77001",
    "PatientName": "MUSTERFRAU^ERIKA",
    "PatientID": "ID-990011",
    "PatientBirthDate": "20100704",
    "StudyDate": "20160402",
}
"""Who nobody may read about in a message."""

ROWS, COLUMNS = 128, 160
"""Of `bands`: the smallest side that is screened, and not square."""


def bands(values: list[int], dtype: str = "u2") -> NDArray[Any]:
    """Return a [128, 160] picture of vertical bands; in the lower half their order is reversed."""
    row = np.repeat(np.asarray(values, dtype=dtype), COLUMNS // len(values))
    return np.vstack([np.tile(row, (ROWS // 2, 1)), np.tile(row[::-1], (ROWS // 2, 1))])


def compress(pixels: NDArray[Any], syntax: str, *, bits: int, **options: Any) -> bytes:
    """Return the codestream of one frame, with the precision `bits`."""
    encoders: dict[str, Callable[[], Any]] = {
        RLE: lambda: _encode_rle(pixels),
        JPEG_BASELINE: lambda: imagecodecs.jpeg8_encode(pixels, 100, **options),
        JPEG_EXTENDED: lambda: imagecodecs.jpeg8_encode(pixels, 100, bitspersample=bits),
        JPEG_LOSSLESS: lambda: _encode_lossless(pixels, bits, predictor=7),
        JPEG_LOSSLESS_SV1: lambda: _encode_lossless(pixels, bits, predictor=1),
        JPEG_LS: lambda: imagecodecs.jpegls_encode(pixels),
        JPEG_LS_NEAR: lambda: imagecodecs.jpegls_encode(pixels, 2),
        J2K_LOSSLESS: lambda: _encode_j2k(pixels, bits, reversible=True),
        J2K: lambda: _encode_j2k(pixels, bits, reversible=False),
        HTJ2K_LOSSLESS: lambda: imagecodecs.htj2k_encode(pixels, reversible=True),
        HTJ2K_RPCL: lambda: imagecodecs.htj2k_encode(pixels, reversible=True),
        HTJ2K: lambda: imagecodecs.htj2k_encode(pixels, 0.0001, reversible=False),
    }
    return bytes(encoders[syntax]())


def make_dataset(
    pixels: NDArray[Any], *, bits: int = 0, photometric: str = "MONOCHROME2", **elements: Any
) -> Dataset:
    """Return an uncompressed adult frontal chest film; `elements` add, replace or (None) remove.

    `pixels` is [H, W] or [H, W, 3], uint8, uint16 or int16; `bits` is BitsStored.
    """
    allocated = 8 * pixels.dtype.itemsize
    bits = bits or allocated
    dataset = Dataset()
    defaults: dict[str, Any] = {
        "SOPClassUID": CR_CLASS,
        "SOPInstanceUID": "1.2.3.4",
        "StudyInstanceUID": "1.2.3",
        "Modality": "CR",
        "BodyPartExamined": "CHEST",
        "ViewPosition": "PA",
        "PatientName": "ROE^RICHARD",
        "PatientID": "PID4711",
        "PatientAge": "042Y",
        "SamplesPerPixel": 1 if pixels.ndim == 2 else 3,
        "PhotometricInterpretation": photometric,
        "Rows": pixels.shape[0],
        "Columns": pixels.shape[1],
        "BitsAllocated": allocated,
        "BitsStored": bits,
        "HighBit": bits - 1,
        "PixelRepresentation": int(pixels.dtype.kind == "i"),
        "PlanarConfiguration": None if pixels.ndim == 2 else 0,
        "PixelData": pixels.tobytes(),
    }
    for keyword, value in {**defaults, **elements}.items():
        if value is not None:
            setattr(dataset, keyword, value)
    if "PixelData" in dataset:
        dataset["PixelData"].VR = "OB" if allocated == 8 else "OW"
    return dataset


def make_dicom(
    pixels: NDArray[Any], *, syntax: str = EXPLICIT, frame: bytes | None = None, **options: Any
) -> bytes:
    """Return the bytes of a DICOM file; `frame` replaces the codestream of compressed syntaxes."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # invalid values are what many tests are about
        dataset = make_dataset(pixels, **options)
        if syntax not in (IMPLICIT, EXPLICIT, BIG, DEFLATED):
            bits = options.get("bits") or 8 * pixels.dtype.itemsize
            stream = frame if frame is not None else compress(pixels, syntax, bits=bits)
            dataset.PixelData = encapsulate([stream])
            dataset["PixelData"].VR = "OB"
            dataset["PixelData"].is_undefined_length = True
        if syntax == BIG:
            _swap_words(dataset)
        return _write(dataset, syntax)


def write_dicom(folder: Path, pixels: NDArray[Any], **options: Any) -> Path:
    """Write `make_dicom(pixels, **options)` into `folder` and return its path."""
    path = folder / "film.dcm"
    path.write_bytes(make_dicom(pixels, **options))
    return path


def make_lut(
    *, first: int, bits: int, entries: list[int], is_bytes: bool = False, signed: bool = False
) -> Sequence:
    """Return a LUT sequence of one item."""
    item = Dataset()
    item.add_new(0x00283002, "SS" if signed else "US", [len(entries), first, bits])
    dtype = "u1" if is_bytes else "<u2"
    item.add_new(0x00283006, "OW", np.asarray(entries, dtype=dtype).tobytes())
    return Sequence([item])


def make_code(meaning: str, value: str = "1") -> Sequence:
    """Return a code sequence of one item."""
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, "99X", meaning
    return Sequence([item])


def encode_headerless(dataset: Dataset, *, implicit: bool, little: bool = True) -> bytes:
    """Return the data set alone: no preamble, no file meta information."""
    buffer = DicomBytesIO()
    buffer.is_implicit_VR, buffer.is_little_endian = implicit, little
    write_dataset(buffer, dataset)
    return buffer.getvalue()


def encode_deflated(dataset_bytes: bytes) -> bytes:
    """Return a deflated file around already encoded (explicit little endian) elements."""
    deflater = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    return encode_meta(DEFLATED) + deflater.compress(dataset_bytes) + deflater.flush()


def encode_meta(syntax: str) -> bytes:
    """Return preamble and file meta information naming `syntax`."""
    buffer = DicomBytesIO()
    buffer.write(b"\0" * 128 + b"DICM")
    write_file_meta_info(buffer, _make_meta(syntax))
    return buffer.getvalue()


def _swap_words(dataset: Dataset) -> None:
    """Swap the bytes of OW values, which pydicom writes as they are."""
    for element in dataset:
        if element.VR == "SQ":
            for item in element.value:
                _swap_words(item)
        elif element.VR == "OW":
            element.value = np.frombuffer(element.value, "<u2").byteswap().tobytes()


def _make_meta(syntax: str) -> FileMetaDataset:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = UID(CR_CLASS)
    meta.MediaStorageSOPInstanceUID = UID("1.2.3.4")
    meta.TransferSyntaxUID = UID(syntax)
    meta.ImplementationClassUID = generate_uid(entropy_srcs=["cxr-edge tests"])
    return meta


def _write(dataset: Dataset, syntax: str) -> bytes:
    dataset.file_meta = _make_meta(syntax)
    buffer = io.BytesIO()
    dcmwrite(
        buffer,
        dataset,
        implicit_vr=syntax == IMPLICIT,
        little_endian=syntax != BIG,
        enforce_file_format=False,
    )
    content = buffer.getvalue()
    return content if content[128:132] == b"DICM" else b"\0" * 128 + b"DICM" + content


def _encode_lossless(pixels: NDArray[Any], bits: int, *, predictor: int) -> bytes:
    unsigned = pixels.view(f"u{pixels.dtype.itemsize}") & ((1 << bits) - 1)
    return bytes(
        imagecodecs.jpeg8_encode(
            unsigned.astype(f"u{pixels.dtype.itemsize}"),
            lossless=True,
            predictor=predictor,
            bitspersample=bits,
        )
    )


def _encode_j2k(pixels: NDArray[Any], bits: int, *, reversible: bool) -> bytes:
    return bytes(
        imagecodecs.jpeg2k_encode(
            pixels,
            level=None if reversible else 80,
            codecformat="J2K",
            bitspersample=bits,
            reversible=reversible,
        )
    )


def _encode_rle(pixels: NDArray[Any]) -> bytes:
    """Write the segments of PS3.5 Annex G: planes, and in each the high byte first."""
    planes = pixels[..., None] if pixels.ndim == 2 else pixels
    segments = []
    for plane in np.moveaxis(planes, -1, 0):
        split = np.ascontiguousarray(plane)[..., None].view(np.uint8)
        for index in reversed(range(pixels.dtype.itemsize)):
            packed = bytes(imagecodecs.packbits_encode(split[..., index].tobytes()))
            segments.append(packed + b"\0" * (len(packed) % 2))
    offsets = 64 + np.cumsum([0, *map(len, segments)])[:-1]
    header = np.zeros(16, "<u4")
    header[0], header[1 : 1 + len(segments)] = len(segments), offsets
    return header.tobytes() + b"".join(segments)
