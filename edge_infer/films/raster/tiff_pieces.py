"""The strips or tiles of a TIFF page, each checked: of what its bytes say, and of their number.

OpenCV does not look at what libtiff makes of a strip: a failed one leaves the film as it is.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_infer.errors import ImageError, ReasonCode, UnreadableImage
from edge_infer.films.codecs.jpeg import decode_jpeg, read_jpeg
from edge_infer.films.raster.tiff_directory import TiffDirectory

_PLAIN, _LZW, _JPEG, _DEFLATE, _OLD_DEFLATE, _PACKBITS = 1, 5, 7, 8, 32946, 32773
_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB, _PALETTE, _YCBCR = 0, 1, 2, 3, 6
_UNSIGNED, _SIGNED, _UNKNOWN = 1, 2, 4
_SLACK = 1024
"""Bytes by which a strip may be longer than its rows, so that a decoder comes to its end."""
_JPEG_END = b"\xff\xd9"


def can_read_pieces(page: TiffDirectory) -> bool:
    """Say whether `read_pieces` knows the page's compression, colours and numbers."""
    if page.is_bit_reversed or page.bits > 16 or page.bits < 1 or not 1 <= page.samples <= 5:
        return False
    if page.compression == _JPEG:
        return page.photometric in (_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB, _YCBCR)
    if page.compression not in (_PLAIN, _LZW, _DEFLATE, _OLD_DEFLATE, _PACKBITS):
        return False
    if page.predictor not in (1, 2) or (page.predictor == 2 and page.bits not in (8, 16)):
        return False
    if page.sample_format == _SIGNED:
        return page.bits in (8, 16) and page.photometric in (_WHITE_IS_ZERO, _BLACK_IS_ZERO)
    return page.sample_format in (_UNSIGNED, _UNKNOWN) and page.photometric in (
        *(_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB, _PALETTE),
    )


def read_pieces(data: bytes, page: TiffDirectory) -> NDArray[np.uint8 | np.uint16]:
    """Return the page's samples over the whole range of 8 or 16 bits: [H, W] or [H, W, C].

    Palettes become colours; WhiteIsZero, transparency and orientation are left to the caller.
    Raises UnreadableImage: TRUNCATED where a strip or tile, or a part of it, is not there; DAMAGED.
    """
    places = _lay_out(page)
    offsets, counts = _locate(data, page, places)
    picture = np.empty(
        (page.height, page.width, page.samples), np.uint8 if page.bits <= 8 else "u2"
    )
    for place, start, count in zip(places, offsets, counts, strict=True):
        piece = _decode_piece(data[start : start + count], page, place)
        picture[place.rows, place.columns, place.samples] = piece[: place.height, : place.width]
    if page.sample_format == _SIGNED:
        picture ^= picture.dtype.type(1 << (page.bits - 1))
    if page.photometric == _PALETTE:
        return _apply_palette(picture[..., 0], page)
    full = 8 * picture.dtype.itemsize
    if page.bits < full and page.compression != _JPEG:
        most, white = (1 << page.bits) - 1, (1 << full) - 1
        picture = (picture.astype(np.uint32) * white // most).astype(picture.dtype)
    return picture[..., 0] if page.samples == 1 else picture


@dataclass(frozen=True, kw_only=True)
class _Place:
    """Where a strip or tile belongs, and how many rows and columns of it are of the picture."""

    rows: slice
    columns: slice
    samples: slice
    height: int
    width: int

    @property
    def channels(self) -> int:
        return int(self.samples.stop - self.samples.start)


def _lay_out(page: TiffDirectory) -> list[_Place]:
    height, width = page.piece
    if height < 1 or width < 1:
        raise damaged_tiff()
    planes = page.samples if page.is_planar else 1
    if page.offsets.size != planes * -(-page.height // height) * -(-page.width // width):
        raise damaged_tiff()
    return [
        _Place(
            rows=slice(top, top + height),
            columns=slice(left, left + width),
            samples=slice(plane, plane + 1) if page.is_planar else slice(0, page.samples),
            height=min(height, page.height - top),
            width=min(width, page.width - left),
        )
        for plane in range(planes)
        for top in range(0, page.height, height)
        for left in range(0, page.width, width)
    ]


def _locate(data: bytes, page: TiffDirectory, places: list[_Place]) -> tuple[list[int], list[int]]:
    """Return offset and length of each piece, in the file as far as it goes."""
    offsets = page.offsets.astype(np.int64)
    if page.counts.size == page.offsets.size:
        counts = page.counts.astype(np.int64)
    elif page.counts.size == 0 and offsets.size == 1:
        counts = np.array([len(data)], np.int64)
    else:
        raise damaged_tiff()
    if page.compression == _PLAIN:
        # A count may be wrong; how much is needed is known.
        needed = np.array([_row_bytes(page, place) * _rows_due(page, place) for place in places])
        there = np.minimum(counts, len(data) - offsets)
        if (counts < needed).any() or (there > [_most_plain(page, one) for one in places]).any():
            raise damaged_tiff()
        counts = needed
    order = np.argsort(offsets, kind="stable")
    if (offsets[order][:-1] + counts[order][:-1] > offsets[order][1:]).any():
        raise damaged_tiff()  # two pieces made of the same bytes
    if page.compression == _PLAIN and (offsets + counts > len(data)).any():
        raise _truncated()
    if (offsets >= len(data)).any() or (offsets + counts > len(data) + 2 * _SLACK).any():
        raise _truncated()
    return offsets.tolist(), counts.tolist()


def _most_plain(page: TiffDirectory, place: _Place) -> int:
    """Return how many bytes an uncompressed piece may have, beyond which it is of other numbers.

    Read with fewer bits than it was written, a film would be noise. The last strip's count is the
    one that is often wrong.
    """
    whole = _row_bytes(page, place) * page.piece[0]
    is_last = not page.is_tiled and place.rows.stop >= page.height
    return 2 * whole - 1 if is_last else whole + _row_bytes(page, place) - 1


def _rows_due(page: TiffDirectory, place: _Place) -> int:
    return page.piece[0] if page.is_tiled else place.height


def _row_bytes(page: TiffDirectory, place: _Place) -> int:
    return -(-page.piece[1] * place.channels * page.bits // 8)


def _decode_piece(piece: bytes, page: TiffDirectory, place: _Place) -> NDArray[Any]:
    """Return the samples of one strip or tile, [rows, columns, channels]."""
    if page.compression == _JPEG:
        return _decode_jpeg_piece(piece, page, place)
    row_bytes = _row_bytes(page, place)
    due = row_bytes * _rows_due(page, place)
    # The last strip may be as long as the others.
    most = row_bytes * page.piece[0]
    raw = _UNPACK[page.compression](piece, most + _SLACK)
    if len(raw) < due:
        raise _truncated()
    # Where nothing else tells of a changed bit, the length does: of 43 films so harmed all were a
    # few bytes too long. What has a checksum may be longer, by less than a row.
    spare = 1 if page.compression in (_LZW, _PACKBITS) else row_bytes
    if len(raw) - due >= spare and len(raw) != most:
        raise damaged_tiff()
    values: NDArray[Any] = np.frombuffer(raw, np.uint8, due).reshape(-1, row_bytes)
    if page.bits == 16:
        values = values.view(f"{page.order}u2").astype(np.uint16, copy=False)
    elif page.bits != 8:
        values = _spread_bits(values, page.bits, page.piece[1] * place.channels)
    samples = values.reshape(values.shape[0], page.piece[1], place.channels)
    if page.predictor == 2 and page.compression != _PLAIN:
        samples = np.cumsum(samples, axis=1, dtype=samples.dtype)
    return samples


def _spread_bits(packed: NDArray[np.uint8], bits: int, count: int) -> NDArray[np.uint8 | np.uint16]:
    """Return the `count` numbers of `bits` in each row, most significant bit first."""
    single = np.unpackbits(packed, axis=1)[:, : count * bits].reshape(len(packed), count, bits)
    values = np.zeros((len(packed), count), np.uint16)
    for bit in range(bits):
        values = (values << np.uint16(1)) | single[..., bit]
    return values.astype(np.uint8) if bits <= 8 else values


def _unpack_plain(piece: bytes, most: int) -> bytes:
    return piece[:most]


def _inflate(piece: bytes, most: int) -> bytes:
    inflater = zlib.decompressobj()
    try:
        raw = inflater.decompress(piece, most)
    except zlib.error as error:
        raise damaged_tiff() from error
    if not inflater.eof:  # only there has the checksum been looked at
        raise damaged_tiff() if inflater.unconsumed_tail else _truncated()
    return raw


def _unpack_lzw(piece: bytes, most: int) -> bytes:
    import imagecodecs

    return _unpack_with(imagecodecs.lzw_decode, piece, most)


def _unpack_packbits(piece: bytes, most: int) -> bytes:
    import imagecodecs

    return _unpack_with(imagecodecs.packbits_decode, piece, most)


def _unpack_with(decode: Callable[..., Any], piece: bytes, most: int) -> bytes:
    try:
        return bytes(decode(piece, out=bytearray(most)))
    # The boundary of decoding; see jpeg.py.
    except Exception as error:
        raise damaged_tiff() from error


_UNPACK: dict[int, Callable[[bytes, int], bytes]] = {
    _PLAIN: _unpack_plain,
    _LZW: _unpack_lzw,
    _DEFLATE: _inflate,
    _OLD_DEFLATE: _inflate,
    _PACKBITS: _unpack_packbits,
}


def _decode_jpeg_piece(piece: bytes, page: TiffDirectory, place: _Place) -> NDArray[Any]:
    """Decode a JPEG whose tables may stand in a tag of their own (TIFF Technical Note 2)."""
    if page.jpeg_tables.endswith(_JPEG_END):
        piece = page.jpeg_tables[:-2] + piece[2:]
    try:
        jpeg = read_jpeg(piece)
        if not jpeg.is_decodable or jpeg.bits != page.bits or jpeg.samples != place.channels:
            raise ValueError("another picture than the page's")
        samples = decode_jpeg(jpeg, is_rgb=page.photometric == _RGB)
    except ImageError:
        raise
    except Exception as error:
        raise damaged_tiff() from error
    if samples.shape[0] < place.height or samples.shape[1] < place.width:
        raise damaged_tiff()
    if jpeg.bits > 8:
        samples = samples << samples.dtype.type(16 - jpeg.bits)
    return samples if samples.ndim == 3 else samples[..., None]


def _apply_palette(indices: NDArray[Any], page: TiffDirectory) -> NDArray[np.uint8]:
    entries = 1 << page.bits
    if page.colour_map.size != 3 * entries or page.samples != 1:
        raise damaged_tiff()
    colours = (page.colour_map.reshape(3, entries).T // 257).astype(np.uint8)
    return np.asarray(colours[indices])


def damaged_tiff() -> UnreadableImage:
    return UnreadableImage(
        "The picture in this TIFF file is damaged; copy it again or export it again from its "
        "source.",
        ReasonCode.DAMAGED,
    )


def _truncated() -> UnreadableImage:
    return UnreadableImage(
        "The file ends before the picture does; copy it again or export it again from its source.",
        ReasonCode.TRUNCATED,
    )
