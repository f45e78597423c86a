"""Size and completeness of PNG, JPEG, TIFF and BMP files, from their own structure.

Decoders fill what is missing with grey and call it a picture (libjpeg), or allocate whatever a
header asks for, so both questions are settled here before any decoder runs.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass

from edge_infer.errors import ReasonCode, UnreadableImage, UnsupportedImage
from edge_infer.films.codecs.jpeg import Jpeg, read_jpeg
from edge_infer.films.raster.tiff_directory import TiffDirectory, read_tiff_directories
from edge_infer.films.raster.tiff_pieces import can_read_pieces
from edge_infer.films.sniff import FileKind

_THUMBNAIL_SIDE = 256
"""A page of a TIFF that is no larger, and no more than a quarter of another, is no film."""
_AGAIN = "copy it again or export it again from its source"


@dataclass(frozen=True, kw_only=True)
class RasterHeader:
    """What decides whether, and how, a raster file is decoded."""

    width: int
    height: int
    jpeg: Jpeg | None = None
    """Of a JPEG: read as far as its data."""
    tiff: TiffDirectory | None = None
    """Of a TIFF whose strips or tiles are read here."""
    is_rare_tiff: bool = False
    """A TIFF that only libtiff knows."""
    pixel_bytes: int = 4
    """What a pixel takes when decoded."""
    has_alpha: bool = False
    """The file holds transparency that hides what is under it."""
    white_is_zero: bool = False
    """Grey counts downwards, and still does so when decoded."""


def read_raster_header(data: bytes, kind: FileKind) -> RasterHeader:
    """Return the header of a whole PNG, JPEG, TIFF or BMP file.

    Raises UnreadableImage (truncated, damaged, no_decoder) or UnsupportedImage (several_frames).
    """
    readers = {
        FileKind.PNG: _read_png,
        FileKind.JPEG: _read_jpeg,
        FileKind.TIFF: _read_tiff,
        FileKind.BMP: _read_bmp,
    }
    try:
        header = readers[kind](data)
    except (struct.error, IndexError) as error:
        raise truncated() from error
    if header.width == 0 or header.height == 0:
        raise damaged()
    return header


def truncated() -> UnreadableImage:
    return UnreadableImage(
        f"The file ends before the picture does; {_AGAIN}.", ReasonCode.TRUNCATED
    )


def damaged() -> UnreadableImage:
    return UnreadableImage(f"The picture in this file is damaged; {_AGAIN}.", ReasonCode.DAMAGED)


def _several_frames(count: int) -> UnsupportedImage:
    return UnsupportedImage(
        f"The file holds {count} pictures instead of one; save each film as a file of its own.",
        ReasonCode.SEVERAL_FRAMES,
    )


def _no_decoder(what: str) -> UnreadableImage:
    return UnreadableImage(
        f"The file is {what}, which cannot be read here; export it as DICOM or as an ordinary PNG.",
        ReasonCode.NO_DECODER,
    )


def _read_png(data: bytes) -> RasterHeader:
    width, height, bits, colour_type = struct.unpack_from(">IIBB", data, 16)
    if data[12:16] != b"IHDR":
        raise damaged()
    has_alpha, has_data, at = bool(colour_type & 4), False, 8
    view = memoryview(data)
    while True:
        length, name = struct.unpack_from(">I4s", data, at)
        end = at + 12 + length
        if end > len(data):
            raise truncated()
        # Upper case: the picture depends on this chunk (PNG 5.4). Text may be wrong unharmed.
        if name[:1].isupper() and zlib.crc32(view[at + 4 : end - 4]) != _uint32(data, end - 4):
            raise damaged()
        if name == b"acTL" and length >= 4 and _uint32(data, at + 8) > 1:
            raise _several_frames(_uint32(data, at + 8))
        has_alpha |= name == b"tRNS"
        has_data |= name == b"IDAT"
        if name == b"IEND":
            break
        at = end
    if not has_data:
        raise damaged()
    channels = 1 if colour_type == 0 and not has_alpha else 3 + has_alpha
    return RasterHeader(
        width=width,
        height=height,
        has_alpha=has_alpha,
        pixel_bytes=channels * (2 if bits == 16 else 1),
    )


def _uint32(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 4], "big")


def _read_jpeg(data: bytes) -> RasterHeader:
    try:
        jpeg = read_jpeg(data)
    except ValueError as error:
        raise damaged() from error
    if jpeg.bits != 8 or not jpeg.is_dct:
        raise _no_decoder(f"a lossless or {jpeg.bits} bit JPEG")
    return RasterHeader(width=jpeg.columns, height=jpeg.rows, jpeg=jpeg, pixel_bytes=0)


def _read_bmp(data: bytes) -> RasterHeader:
    pixels_at, header_size = struct.unpack_from("<II", data, 10)
    if header_size == 12:
        width, height, _planes, bits = struct.unpack_from("<HHHH", data, 18)
        compression = 0
    else:
        width, height, _planes, bits, compression = struct.unpack_from("<iiHHI", data, 18)
    width, height = abs(width), abs(height)
    row = (width * bits + 31) // 32 * 4
    end = pixels_at + row * height
    if compression in (0, 3) and end > len(data):
        raise truncated()
    (stated,) = struct.unpack_from("<I", data, 2)
    # Two statements of the header agree, and the file is longer: bytes were put in.
    if compression in (0, 3) and stated == end < len(data) and data[end:].strip(b"\0"):
        raise damaged()
    # The fourth byte of a 32 bit BMP is padding, not transparency: most writers leave it 0.
    return RasterHeader(width=width, height=height)


def _read_tiff(data: bytes) -> RasterHeader:
    directories = read_tiff_directories(data)
    page = _find_film(directories)
    if can_read_pieces(page):
        return RasterHeader(
            width=page.width,
            height=page.height,
            tiff=page,
            pixel_bytes=page.samples * (1 if page.bits <= 8 else 2),
            has_alpha=page.extra_samples == 2 and page.samples in (2, 4),
            white_is_zero=page.photometric == 0,
        )
    # Fax and other rare ones are left to libtiff, which reads the first page.
    if directories[0].is_reduced or page.sample_format != 1 or page.bits not in (1, 8, 16):
        raise _no_decoder(f"a {page.bits} bit TIFF of an unusual kind")
    return RasterHeader(
        width=page.width,
        height=page.height,
        is_rare_tiff=True,
        # libtiff itself applies transparency at 8 bits, but not at 16.
        has_alpha=page.extra_samples == 2 and page.bits == 16,
        white_is_zero=page.photometric == 0 and page.bits > 8,
    )


def _find_film(directories: list[TiffDirectory]) -> TiffDirectory:
    """Return the page that is the film: the only one, or the one beside its thumbnails."""
    if not directories:
        raise damaged()
    # A writer may mark every page as reduced.
    full = [page for page in directories if not page.is_reduced] or directories
    largest = max(full, key=lambda page: page.width * page.height)
    longest = max(largest.width, largest.height)
    for page in full:
        side = max(page.width, page.height)
        is_thumbnail = side * 4 <= longest and side <= _THUMBNAIL_SIDE
        if page is not largest and not is_thumbnail:
            raise _several_frames(len(directories))
    return largest
