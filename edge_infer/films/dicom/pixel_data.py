"""Take the bytes of one frame out of the file: native, or the fragments of an encapsulation."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import BinaryIO

from edge_infer.errors import ReasonCode, UnreadableImage, UnsupportedImage
from edge_infer.films.dicom.file import DicomFile
from edge_infer.films.dicom.syntax import TransferSyntax
from edge_infer.films.file import take
from edge_infer.films.memory import MOST_PACKED_BYTES, too_large

_PIXEL_DATA = (0x7FE0, 0x0010)
_ITEM, _SEQUENCE_END = (0xFFFE, 0xE000), (0xFFFE, 0xE0DD)
_UNDEFINED = 0xFFFFFFFF
_LOOKED_AT = 4096
"""Bytes after the pixels that are looked at: a sector."""
_LONG_FORM = (b"OB", b"OW", b"OF", b"OD", b"UN", b"OL", b"OV", b"SQ", b"UT", b"UC", b"UR")


@dataclass(frozen=True, kw_only=True)
class PixelData:
    """The PixelData element: its head read, the stream standing before its value."""

    stream: BinaryIO
    representation: str
    """VR; empty in implicit syntaxes."""
    length: int
    syntax: TransferSyntax
    syntax_uid: str


def open_pixel_data(film: DicomFile) -> PixelData:
    """Read the head of the pixel data element; raises NO_PIXELS or TRUNCATED."""
    order = "<" if film.syntax.is_little_endian else ">"
    head = film.stream.read(8)
    if len(head) < 8:
        raise _truncated() if head else _no_pixels()
    if struct.unpack(f"{order}HH", head[:4]) != _PIXEL_DATA:
        raise UnsupportedImage(
            "There is no picture in this file: its pixels are measurements (float pixel data).",
            ReasonCode.NO_PIXELS,
        )
    representation = head[4:6]
    if film.is_implicit or not representation.isalpha():
        representation, length = b"", struct.unpack(f"{order}I", head[4:])[0]
    elif representation in _LONG_FORM:
        tail = film.stream.read(4)
        if len(tail) < 4:
            raise _truncated()
        (length,) = struct.unpack(f"{order}I", tail)
    else:
        (length,) = struct.unpack(f"{order}H", head[6:])
    if length == 0:
        raise _no_pixels()
    return PixelData(
        stream=film.stream,
        representation=representation.decode("ascii"),
        length=length,
        syntax=film.syntax,
        syntax_uid=film.syntax_uid,
    )


def read_native_frame(
    pixel_data: PixelData, *, size: int, line: int = _UNDEFINED
) -> bytes | memoryview:
    """Return the first `size` bytes of uncompressed pixels; raises TRUNCATED or DAMAGED.

    Damaged is also a picture with more bytes than its rows and columns account for: a `line` (the
    bytes of a row or column, whichever are fewer) or more, unless they are zeros.
    """
    if pixel_data.length == _UNDEFINED:
        raise UnreadableImage(
            "The picture is damaged: PixelData (7FE0,0010) is compressed, but "
            f"TransferSyntaxUID (0002,0010) '{pixel_data.syntax_uid}' says it is not.",
            ReasonCode.DAMAGED,
        )
    data = take(pixel_data.stream, min(size, pixel_data.length))
    if len(data) < size:
        raise _truncated()
    over = pixel_data.length - size
    rest = bytes(take(pixel_data.stream, min(over, _LOOKED_AT)))
    if over >= line and rest.strip(b"\0"):
        raise UnreadableImage(
            "The picture is damaged: PixelData (7FE0,0010) holds more than Rows (0028,0010) and "
            "Columns (0028,0011) say.",
            ReasonCode.DAMAGED,
        )
    if over < _LOOKED_AT:
        _check_end(pixel_data)
    return data


def _check_end(pixel_data: PixelData) -> None:
    """Refuse pixels that are followed by neither an element, nor padding, nor the file's end."""
    rest = bytes(take(pixel_data.stream, _LOOKED_AT))
    if len(rest) < 8 or not rest.strip(b"\0"):
        return
    order = "<" if pixel_data.syntax.is_little_endian else ">"
    if struct.unpack(f"{order}HH", rest[:4]) <= _PIXEL_DATA:
        raise UnreadableImage(
            "The picture is damaged: PixelData (7FE0,0010) is followed by something that is no "
            "element.",
            ReasonCode.DAMAGED,
        )


def read_encapsulated_frame(pixel_data: PixelData) -> bytes | memoryview:
    """Return the compressed frame, its fragments joined (PS3.5 A.4).

    Only films of one frame come here, so every fragment after the offset table belongs to it.
    Raises UnsupportedImage NO_PIXELS, UnreadableImage TRUNCATED or DAMAGED.
    """
    if pixel_data.length != _UNDEFINED:
        raise UnreadableImage(
            "The picture is damaged: PixelData (7FE0,0010) is not wrapped as "
            f"TransferSyntaxUID (0002,0010) '{pixel_data.syntax_uid}' demands.",
            ReasonCode.DAMAGED,
        )
    fragments = _read_fragments(pixel_data.stream)
    if not any(fragments):
        raise _no_pixels()
    return fragments[0] if len(fragments) == 1 else b"".join(fragments)


def _read_fragments(stream: BinaryIO) -> list[bytes | memoryview]:
    fragments: list[bytes | memoryview] = []
    while len(head := stream.read(8)) == 8:
        group, element, length = struct.unpack("<HHI", head)
        if (group, element) == _SEQUENCE_END:
            break
        if (group, element) != _ITEM or length == _UNDEFINED:
            raise UnreadableImage(
                "The picture is damaged: the parts of PixelData (7FE0,0010) are out of order.",
                ReasonCode.DAMAGED,
            )
        if length > MOST_PACKED_BYTES:
            raise too_large(f"one part of it has {length >> 20} MB")
        data = take(stream, length)
        if len(data) < length:
            raise _truncated()
        fragments.append(data)
    # Nothing after the offset table, and no end: the file stops here.
    if len(fragments) < 2 and len(head) < 8:
        raise _truncated()
    return fragments[1:]


def _no_pixels() -> UnsupportedImage:
    return UnsupportedImage(
        "There is no picture in this file: PixelData (7FE0,0010) is missing or empty.",
        ReasonCode.NO_PIXELS,
    )


def _truncated() -> UnreadableImage:
    return UnreadableImage(
        "The file is cut off: PixelData (7FE0,0010) ends before the picture is complete.",
        ReasonCode.TRUNCATED,
    )
