"""Take the bytes of one frame out of the file: native, or the fragments of an encapsulation."""

from __future__ import annotations

import struct
from typing import BinaryIO

from edge_infer.errors import ReasonCode, UnreadableImage, UnsupportedImage
from edge_infer.films.dicom_file import DicomFile

_PIXEL_DATA = (0x7FE0, 0x0010)
_ITEM, _SEQUENCE_END = (0xFFFE, 0xE000), (0xFFFE, 0xE0DD)
_UNDEFINED = 0xFFFFFFFF
_LONG_FORM = (b"OB", b"OW", b"OF", b"OD", b"UN", b"OL", b"OV", b"SQ", b"UT", b"UC", b"UR")


def read_native_frame(film: DicomFile, *, size: int) -> tuple[bytes, str]:
    """Return the first `size` bytes of uncompressed pixel data and its VR.

    Raises UnsupportedImage NO_PIXELS, UnreadableImage TRUNCATED or DAMAGED.
    """
    representation, length = _open_pixel_data(film)
    if length == _UNDEFINED:
        raise UnreadableImage(
            "The picture is damaged: PixelData (7FE0,0010) is compressed, but "
            f"TransferSyntaxUID (0002,0010) '{film.syntax_uid}' says it is not.",
            ReasonCode.DAMAGED,
        )
    data = film.stream.read(min(size, length))
    if len(data) < size:
        raise _truncated()
    return data, representation


def read_encapsulated_frame(film: DicomFile) -> bytes:
    """Return the compressed frame, its fragments joined (PS3.5 A.4).

    Only films of one frame come here, so every fragment after the offset table belongs to it.
    Raises UnsupportedImage NO_PIXELS, UnreadableImage TRUNCATED or DAMAGED.
    """
    _, length = _open_pixel_data(film)
    if length != _UNDEFINED:
        raise UnreadableImage(
            "The picture is damaged: PixelData (7FE0,0010) is not wrapped as "
            f"TransferSyntaxUID (0002,0010) '{film.syntax_uid}' demands.",
            ReasonCode.DAMAGED,
        )
    fragments = _read_fragments(film.stream)
    if not any(fragments):
        raise _no_pixels()
    return b"".join(fragments)


def _read_fragments(stream: BinaryIO) -> list[bytes]:
    fragments: list[bytes] = []
    while len(head := stream.read(8)) == 8:
        group, element, length = struct.unpack("<HHI", head)
        if (group, element) == _SEQUENCE_END:
            break
        if (group, element) != _ITEM or length == _UNDEFINED:
            raise UnreadableImage(
                "The picture is damaged: the parts of PixelData (7FE0,0010) are out of order.",
                ReasonCode.DAMAGED,
            )
        data = stream.read(length)
        if len(data) < length:
            raise _truncated()
        fragments.append(data)
    if not fragments:
        raise _truncated()
    return fragments[1:]


def _open_pixel_data(film: DicomFile) -> tuple[str, int]:
    """Read the head of the pixel data element: its VR ('' if implicit) and length."""
    order = "<" if film.syntax.is_little_endian else ">"
    head = film.stream.read(8)
    if not head and not film.is_cut:
        raise _no_pixels()
    if len(head) < 8:
        raise _truncated()
    tag = struct.unpack(f"{order}HH", head[:4])
    if tag != _PIXEL_DATA:
        raise _no_pixels()
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
    return representation.decode("ascii"), length


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
