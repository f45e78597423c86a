"""Compressed frames: what the codestream says of itself, and its samples.

Size, precision and sign are read first: a decoder would fill memory for a codestream that claims
65535 x 65535, and decoders return 12 bits in 16 without saying so.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

import imagecodecs
import numpy as np
from numpy.typing import NDArray

from edge_infer.errors import ReasonCode, UnreadableImage
from edge_infer.films.codecs.jpeg import Jpeg, decode_jpeg, jpeg_scale, read_jpeg
from edge_infer.films.codecs.jpeg_2000 import (
    complete_jpeg_2000,
    decode_reduced,
    read_jpeg_2000_header,
)
from edge_infer.films.dicom.syntax import Encoding
from edge_infer.films.memory import require_memory


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
    jpeg: Jpeg | None = None
    """Read as far as its data; None of JPEG 2000."""


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
    data: bytes, stream: Codestream, *, is_rgb: bool, factor: int = 1
) -> tuple[NDArray[np.uint8 | np.uint16 | np.int8 | np.int16], int]:
    """Return the samples, [H, W] or [H, W, 3], and by which scale both sides were reduced.

    The scale is a power of two, at most `factor`, and 1 where the format knows no smaller picture.
    `is_rgb` is what PhotometricInterpretation says; it decides where a JPEG does not. Raises
    UnreadableImage TRUNCATED or DAMAGED.
    """
    if stream.jpeg is not None:
        scale = jpeg_scale(factor) if stream.jpeg.is_dct and stream.samples == 1 else 1
        return decode_jpeg(stream.jpeg, scale=scale, is_rgb=is_rgb), scale
    data = complete_jpeg_2000(data)
    reduced = decode_reduced(data, factor) if factor > 1 else None
    if reduced is not None:
        return reduced
    # OpenJPEG works on 32 bits a sample.
    require_memory(stream.rows * stream.columns * stream.samples * (4 + (1 + (stream.bits > 8))))
    # The boundary of decoding: imagecodecs raises its own errors for damaged streams, and
    # ValueError, TypeError or MemoryError for stranger ones. OpenJPEG for HTJ2K too, although
    # `htj2k_decode` takes half the time: the latter prints the errors of damaged streams to stderr
    # and returns what lay in memory as the picture.
    try:
        decoded = np.asarray(imagecodecs.jpeg2k_decode(data))
    except MemoryError:
        raise
    except Exception as error:
        raise _damaged() from error
    if decoded.dtype.kind not in "iu" or decoded.dtype.itemsize > 2:
        raise _damaged()
    return decoded, 1


def _describe_jpeg(data: bytes) -> Codestream:
    jpeg = read_jpeg(data)
    if not jpeg.is_decodable:
        raise ValueError("a JPEG process that nothing decodes")
    return Codestream(
        rows=jpeg.rows,
        columns=jpeg.columns,
        samples=jpeg.samples,
        bits=jpeg.bits,
        is_signed=None,
        jpeg=jpeg,
    )


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
