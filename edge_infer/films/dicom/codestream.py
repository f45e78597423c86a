"""Compressed frames: what the codestream says of itself, and its samples.

imagecodecs (BSD) does the decoding. Size, precision and sign are read here first: a decoder would
fill memory for a codestream that claims 65535 x 65535, and decoders return 12 bits in 16 without
saying so.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any

import imagecodecs
import numpy as np
from numpy.typing import NDArray

from edge_infer.errors import ReasonCode, UnreadableImage
from edge_infer.films.codecs.jpeg_2000 import decode_reduced, read_jpeg_2000_header
from edge_infer.films.codecs.opencv import decode_with_opencv, jpeg_scale, scaled_jpeg_mode
from edge_infer.films.dicom.syntax import Encoding
from edge_infer.films.shrink import scaled_shape

_FRAME_MARKERS = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC} | {0xF7}
"""SOF0..SOF15 without DHT, JPG and DAC, and SOF55 of JPEG-LS."""
_DCT_MARKERS = frozenset({0xC0, 0xC1})
"""Baseline and extended, Huffman coded: what is decoded at a part of its size."""
_IN_SCAN = np.isin(np.arange(256), [0x00, *range(0xD0, 0xD8), 0xFF])
"""What may follow FF inside entropy-coded data: a stuffed zero, a restart marker, a fill byte."""
_END = b"\xff\xd9"
"""EOI and EOC. libjpeg decodes a cut stream to a film that is grey below the cut, without a word;
inside the entropy-coded data this pair cannot occur."""


@dataclass(frozen=True, kw_only=True)
class Codestream:
    """What the header of a JPEG, JPEG-LS or JPEG 2000 codestream states."""

    rows: int
    columns: int
    samples: int
    bits: int
    """Precision of a sample."""
    is_signed: bool | None
    """None where the format cannot say it (all but JPEG 2000)."""
    is_scalable: bool = False
    """A grey 8-bit JPEG, which decodes to a half, a quarter or an eighth through its DCT."""


def describe_codestream(data: bytes, encoding: Encoding) -> Codestream:
    """Read size, samples, precision and sign; raises UnreadableImage DAMAGED or NO_DECODER."""
    try:
        is_jpeg_2000 = encoding is Encoding.JPEG_2000
        stream = _describe_jpeg_2000(data) if is_jpeg_2000 else _describe_jpeg(data)
    except (struct.error, IndexError, ValueError) as error:
        raise _damaged() from error
    if not 2 <= stream.bits <= 16 or stream.samples not in (1, 3):
        raise UnreadableImage(
            f"The compressed picture cannot be read here: it has {stream.samples} samples of "
            f"{stream.bits} bits per pixel.",
            ReasonCode.NO_DECODER,
        )
    return stream


def decode_codestream(
    data: bytes, encoding: Encoding, stream: Codestream, *, is_rgb: bool, factor: int = 1
) -> tuple[NDArray[np.uint8 | np.uint16 | np.int8 | np.int16], int]:
    """Return the samples, [H, W] or [H, W, 3], and by which scale both sides were reduced.

    The scale is a power of two, at most `factor`, and 1 where the format knows no smaller picture.
    `is_rgb` is what PhotometricInterpretation says; it decides where a JPEG does not. Raises
    UnreadableImage TRUNCATED or DAMAGED.
    """
    if data.rfind(_END, -max(64, len(data) // 2)) < 0:
        raise UnreadableImage(
            "The file is cut off: the compressed picture has no end.", ReasonCode.TRUNCATED
        )
    reduced = _decode_reduced(data, encoding, stream, factor) if factor > 1 else None
    if reduced is not None:
        return reduced
    # The boundary of decoding: imagecodecs raises its own errors for damaged streams, and
    # ValueError, TypeError or MemoryError for stranger ones.
    try:
        decoded = np.asarray(_decode(encoding, data, is_rgb=is_rgb))
    except Exception as error:
        raise _damaged() from error
    if decoded.dtype.kind not in "iu" or decoded.dtype.itemsize > 2:
        raise _damaged()
    return decoded, 1


def _decode_reduced(
    data: bytes, encoding: Encoding, stream: Codestream, factor: int
) -> tuple[NDArray[np.uint8 | np.uint16], int] | None:
    """Decode fewer pixels where the format can; None leaves the film to the whole decoder."""
    if encoding is Encoding.JPEG_2000:
        return decode_reduced(data, factor)
    if encoding is not Encoding.JPEG or not stream.is_scalable or not _is_one_scan(data):
        return None
    scale = jpeg_scale(factor)
    if scale == 1:
        return None
    import cv2

    # DICOM has elements of its own for orientation.
    mode = scaled_jpeg_mode(scale, is_grey=True) | cv2.IMREAD_IGNORE_ORIENTATION
    decoded = decode_with_opencv(data, mode)
    expected = scaled_shape((stream.rows, stream.columns), scale)
    return (decoded, scale) if decoded is not None and decoded.shape == expected else None


def _is_one_scan(data: bytes) -> bool:
    """Tell whether nothing but picture lies between the first scan's start and the end mark.

    imagecodecs refuses a stray marker there, OpenCV paints over it: the former shall decide.
    """
    scan = np.frombuffer(data, np.uint8)[data.find(b"\xff\xda") + 2 :]
    following = scan[1:][scan[:-1] == 0xFF]
    ends = np.flatnonzero(following == 0xD9)
    return bool(ends.size and _IN_SCAN[following[: ends[0]]].all())


def _decode(encoding: Encoding, data: bytes, *, is_rgb: bool) -> Any:
    if encoding is Encoding.JPEG_LS:
        return imagecodecs.jpegls_decode(data)
    if encoding is Encoding.JPEG_2000:
        # OpenJPEG for HTJ2K too, although `htj2k_decode` takes half the time: the latter prints the
        # errors of damaged streams to stderr and returns what lay in memory as the picture.
        return imagecodecs.jpeg2k_decode(data)
    if is_rgb and b"JFIF" not in data[:64] and b"Adobe" not in data[:64]:
        # Without a marker libjpeg takes three components for YCbCr.
        return imagecodecs.jpeg8_decode(data, colorspace="RGB", outcolorspace="RGB")
    return imagecodecs.jpeg8_decode(data)


def _describe_jpeg(data: bytes) -> Codestream:
    """Walk the marker segments to the frame header (ISO 10918-1 B.2.2, ISO 14495-1 C.2.2)."""
    at = data.index(b"\xff\xd8") + 2
    while True:
        if data[at] != 0xFF:
            raise ValueError("no marker where one is due")
        marker = data[at + 1]
        if marker in _FRAME_MARKERS:
            bits, rows, columns, samples = struct.unpack_from(">BHHB", data, at + 4)
            return Codestream(
                rows=rows,
                columns=columns,
                samples=samples,
                bits=bits,
                is_signed=None,
                is_scalable=marker in _DCT_MARKERS and bits == 8 and samples == 1,
            )
        if marker == 0xFF:  # fill byte
            at += 1
        elif marker == 0xDA:
            raise ValueError("a scan before the frame header")
        else:
            at += 2 + int(struct.unpack_from(">H", data, at + 2)[0])


def _describe_jpeg_2000(data: bytes) -> Codestream:
    header = read_jpeg_2000_header(data)
    return Codestream(
        rows=header.rows,
        columns=header.columns,
        samples=header.samples,
        bits=header.bits,
        is_signed=header.is_signed,
    )


def _damaged() -> UnreadableImage:
    return UnreadableImage(
        "The picture is damaged: its compressed data cannot be decoded.", ReasonCode.DAMAGED
    )
