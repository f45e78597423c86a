"""Take the bytes of one frame out of the file, and tell how they are packed.

The transfer syntax is only a claim: archives rewrite it without the pixels, and the other way
round. What begins with an item, or with the magic of a codestream, is that; what is not, and has
exactly the length of the uncompressed picture, is that. Otherwise the syntax decides.
"""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass
from typing import BinaryIO

from edge_infer.errors import ReasonCode, UnreadableImage, UnsupportedImage
from edge_infer.films.dicom.file import DicomFile
from edge_infer.films.dicom.syntax import Encoding, TransferSyntax
from edge_infer.films.file import take
from edge_infer.films.memory import MOST_PACKED_BYTES, too_large

_PIXEL_DATA = (0x7FE0, 0x0010)
_ITEM, _SEQUENCE_END = (0xFFFE, 0xE000), (0xFFFE, 0xE0DD)
_ITEM_START = b"\xfe\xff\x00\xe0"
_JPEG, _JPEG_LS_FRAME = b"\xff\xd8\xff", 0xF7
_JPEG_2000 = (b"\xff\x4f\xff\x51", b"\x00\x00\x00\x0cjP  \r\n\x87\n")
_SCAN = 0xDA
_STANDARD = "1.2.840.10008.1.2"
"""What UIDs of the standard's syntaxes begin with: all but one are little endian. Of a maker's own
syntax the length of the uncompressed picture does not tell the order of its bytes."""
_UNDEFINED = 0xFFFFFFFF
_END_MARK = struct.pack("<HH", *_SEQUENCE_END)
_LOOKED_AT = 4096
"""Bytes after the pixels that are looked at: a sector."""
_LONG_FORM = (b"OB", b"OW", b"OF", b"OD", b"UN", b"OL", b"OV", b"SQ", b"UT", b"UC", b"UR")
_SHORT_FORM = (
    *(b"AE", b"AS", b"AT", b"CS", b"DA", b"DS", b"DT", b"FL", b"FD", b"IS", b"LO", b"LT", b"PN"),
    *(b"SH", b"SL", b"SS", b"ST", b"SV", b"TM", b"UI", b"UL", b"US", b"UV"),
)
_LAST_GROUPS = (0x7FE0, 0xFFFA, 0xFFFC, 0xFFFE)
"""After PixelData the standard has its own group, signatures, padding and ends; and there are
private groups, which are odd."""


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


@dataclass(frozen=True, kw_only=True)
class Frame:
    """One film's picture as it lies in the file."""

    encoding: Encoding
    """What it is: never DEFLATED, and UNKNOWN where neither content nor syntax tells."""
    data: bytes | memoryview


def read_frame(pixel_data: PixelData, *, size: int, line: int) -> Frame:
    """Read the film's picture, whose `size` is that uncompressed; `line` as `read_native_frame`.

    Raises UnsupportedImage NO_PIXELS, UnreadableImage TRUNCATED or DAMAGED.
    """
    stated = pixel_data.syntax.encoding
    if stated is Encoding.DEFLATED:
        stated = Encoding.NATIVE
    start = pixel_data.stream.tell()
    head = bytes(take(pixel_data.stream, 16))
    pixel_data.stream.seek(start)
    has_native_length = pixel_data.length in (size, size + size % 2)
    is_standard = pixel_data.syntax_uid.startswith(_STANDARD)
    is_plain = stated is Encoding.NATIVE and has_native_length
    if not is_plain and (pixel_data.length == _UNDEFINED or head.startswith(_ITEM_START)):
        data = _read_wrapped(pixel_data)
        found = _recognise(data, size if is_standard else 0)
        return Frame(encoding=found or stated, data=data)
    if not has_native_length and head.startswith((_JPEG, *_JPEG_2000)):
        return _read_bare(pixel_data)
    if stated is not Encoding.NATIVE and not (has_native_length and is_standard):
        if stated is Encoding.UNKNOWN:
            return Frame(encoding=stated, data=b"")
        raise UnreadableImage(
            "The picture is damaged: PixelData (7FE0,0010) is not wrapped as "
            f"TransferSyntaxUID (0002,0010) '{pixel_data.syntax_uid}' demands.",
            ReasonCode.DAMAGED,
        )
    return Frame(encoding=Encoding.NATIVE, data=read_native_frame(pixel_data, size=size, line=line))


def _read_bare(pixel_data: PixelData) -> Frame:
    """Read a codestream that lies in the element without items."""
    if pixel_data.length > MOST_PACKED_BYTES:
        raise too_large(f"its compressed picture has {pixel_data.length >> 20} MB")
    data = take(pixel_data.stream, pixel_data.length)
    if len(data) < pixel_data.length:
        raise _truncated()
    encoding = _recognise(data, 0)
    assert encoding is not None, "its head was recognised"
    return Frame(encoding=encoding, data=data)


def _recognise(data: bytes | memoryview, size: int) -> Encoding | None:
    """Tell a packing by its first bytes, or by being `size` bytes long; None where neither does."""
    head = bytes(data[:64])
    if head.startswith(_JPEG_2000):
        return Encoding.JPEG_2000
    if head.startswith(_JPEG):
        return Encoding.JPEG_LS if _is_jpeg_ls(data) else Encoding.JPEG
    # PS3.5 G.5: the number of segments, the first of which begins after the header of 64 bytes.
    if len(head) == 64 and 1 <= head[0] <= 15 and head[1:8] == b"\0\0\0\x40\0\0\0":
        return Encoding.RLE
    return Encoding.NATIVE if size and len(data) in (size, size + size % 2) else None


def _is_jpeg_ls(data: bytes | memoryview) -> bool:
    """Tell by the frame header, which the marker segments before the first scan lead to."""
    at = 2
    while at + 4 <= len(data) and data[at] == 0xFF and data[at + 1] not in (_SCAN, _JPEG_LS_FRAME):
        at += 1 if data[at + 1] == 0xFF else 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    return at + 1 < len(data) and data[at + 1] == _JPEG_LS_FRAME


def read_native_frame(
    pixel_data: PixelData, *, size: int, line: int = _UNDEFINED
) -> bytes | memoryview:
    """Return the first `size` bytes of uncompressed pixels; raises TRUNCATED or DAMAGED.

    Damaged is also a picture with more bytes than its rows and columns account for: a `line` (the
    bytes of a row or column, whichever are fewer) or more, unless they are zeros.
    """
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
    # A film's last byte may be zero, so one that something has moved out may be too.
    if not rest.strip(b"\0") and (len(rest) >= 8 or len(rest) % 2 == 0):
        return
    if len(rest) < 8 or not _is_element(rest, pixel_data):
        raise UnreadableImage(
            "The picture is damaged: PixelData (7FE0,0010) is followed by something that is no "
            "element.",
            ReasonCode.DAMAGED,
        )


def _is_element(head: bytes, pixel_data: PixelData) -> bool:
    """Tell whether bytes after the pixels may be an element, and not pixels that were moved there.

    Half of all numbers are larger than PixelData's tag; few are of a group that may follow, and
    name a VR, or where there is none a length that the file has.
    """
    order = "<" if pixel_data.syntax.is_little_endian else ">"
    group, element = struct.unpack(f"{order}HH", head[:4])
    if (group, element) <= _PIXEL_DATA or not (group % 2 or group in _LAST_GROUPS):
        return False
    if pixel_data.representation:
        return head[4:6] in _LONG_FORM or head[4:6] in _SHORT_FORM
    (length,) = struct.unpack(f"{order}I", head[4:8])
    stream = pixel_data.stream
    start = stream.tell()
    end = stream.seek(0, io.SEEK_END)
    stream.seek(start)
    return bool(length == _UNDEFINED or length <= end - start + len(head) - 8)


def _read_wrapped(pixel_data: PixelData) -> bytes | memoryview:
    """Return the compressed frame, its fragments joined (PS3.5 A.4).

    Only films of one frame come here, so every fragment after the offset table belongs to it.
    """
    fragments = _read_fragments(pixel_data)
    if not any(fragments):
        raise _no_pixels()
    return fragments[0] if len(fragments) == 1 else b"".join(fragments)


def _read_fragments(pixel_data: PixelData) -> list[bytes | memoryview]:
    """Return the items without the offset table, which some writers leave out."""
    stream, fragments = pixel_data.stream, list[bytes | memoryview]()
    # A defined length is not for what is wrapped, but it is written, and holds.
    is_open = pixel_data.length == _UNDEFINED
    end = stream.tell() + pixel_data.length
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
        if not is_open and stream.tell() >= end:
            break
    if is_open and len(head) < 8 and (head or _END_MARK in bytes(b"".join(fragments[-1:])[-8:])):
        raise _truncated()  # a part ends in, or behind, the mark that should follow it
    is_picture = bool(fragments) and _recognise(fragments[0], 0) is not None
    # Nothing after the offset table, and no end: the file stops here.
    if len(fragments) < 2 and len(head) < 8 and not is_picture:
        raise _truncated()
    return fragments if is_picture else fragments[1:]


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
