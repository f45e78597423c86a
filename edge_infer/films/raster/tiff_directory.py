"""The image file directories of a TIFF file (TIFF 6.0, section 2)."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from edge_infer.errors import ReasonCode, UnreadableImage

_FORMATS = {1: "u1", 3: "u2", 4: "u4", 6: "u1", 7: "u1", 8: "u2", 9: "u4", 13: "u4"}
"""BYTE, SHORT, LONG, UNDEFINED, which every tag that is read here should be of; and SBYTE, SSHORT,
SLONG, IFD, as some writers have it (no number here is negative)."""
_TAGS = frozenset(
    (
        *(254, 255, 256, 257, 258, 259, 262, 266, 273, 274, 277, 278, 279),
        *(284, 317, 320, 322, 323, 324, 325, 338, 339, 347),
    )
)
_MOST_PAGES = 1000
Order = Literal["<", ">"]
_Tags = dict[int, NDArray[np.unsignedinteger]]


@dataclass(frozen=True, kw_only=True)
class TiffDirectory:
    """One page: the tags that decide how it is decoded."""

    order: Order
    """Of the bytes in its numbers, `<` or `>`."""
    width: int
    height: int
    bits: int
    """0 where the samples differ."""
    samples: int
    compression: int
    photometric: int
    """0: white is zero, 1: black is zero, 2: RGB, 3: palette."""
    sample_format: int
    """1: unsigned whole numbers, 2: signed ones."""
    extra_samples: int
    """2: transparency not yet applied to the colours."""
    orientation: int
    predictor: int
    """2: each sample is stored as its difference from the one before."""
    is_planar: bool
    is_bit_reversed: bool
    is_reduced: bool
    """A thumbnail of another page, or its mask (NewSubfileType, SubfileType)."""
    piece: tuple[int, int]
    """Rows and columns of a strip or tile."""
    is_tiled: bool
    offsets: NDArray[np.unsignedinteger] = field(repr=False)
    """Where in the file each strip or tile lies."""
    counts: NDArray[np.unsignedinteger] = field(repr=False)
    """How many bytes each has; empty where the file does not say."""
    colour_map: NDArray[np.unsignedinteger] = field(repr=False)
    jpeg_tables: bytes = field(repr=False)


def read_tiff_directories(data: bytes) -> list[TiffDirectory]:
    """Return the pages of a classic TIFF file, first to last.

    Raises struct.error where the file ends too early and UnreadableImage for BigTIFF, for loops,
    and for a tag that is no whole number.
    """
    order: Order = "<" if data[:2] == b"II" else ">"
    if struct.unpack_from(f"{order}H", data, 2)[0] != 42:
        raise UnreadableImage(
            "The file is a BigTIFF, which cannot be read here; export it as DICOM or as a PNG.",
            ReasonCode.NO_DECODER,
        )
    directories: list[TiffDirectory] = []
    (at,) = struct.unpack_from(f"{order}I", data, 4)
    seen = set[int]()
    while at:
        if at in seen or len(directories) == _MOST_PAGES:
            raise UnreadableImage(
                "The list of pages in this TIFF file is damaged; export it again.",
                ReasonCode.DAMAGED,
            )
        seen.add(at)
        tags, at = _read_tags(data, at, order)
        directories.append(_to_directory(tags, order))
    return directories


def _read_tags(data: bytes, at: int, order: Order) -> tuple[_Tags, int]:
    """Return the values of the tags, which are views of `data`, and where the next page is."""
    (count,) = struct.unpack_from(f"{order}H", data, at)
    tags: _Tags = {}
    for entry in range(at + 2, at + 2 + 12 * count, 12):
        tag, kind, values = struct.unpack_from(f"{order}HHI", data, entry)
        if tag not in _TAGS:
            continue
        if kind not in _FORMATS:
            raise UnreadableImage(
                f"The tags of this TIFF file are damaged (tag {tag} has type {kind}); export it "
                "again.",
                ReasonCode.DAMAGED,
            )
        number = np.dtype(_FORMATS[kind]).newbyteorder(order)
        start = entry + 8
        if number.itemsize * values > 4:
            (start,) = struct.unpack_from(f"{order}I", data, start)
        if start + number.itemsize * values > len(data):
            raise struct.error(f"tag {tag} lies beyond the end of the file")
        tags[tag] = np.frombuffer(data, number, values, start)
    (following,) = struct.unpack_from(f"{order}I", data, at + 2 + 12 * count)
    return tags, following


def _to_directory(tags: _Tags, order: Order) -> TiffDirectory:
    def first(tag: int, default: int) -> int:
        values = tags.get(tag)
        return int(values[0]) if values is not None and values.size else default

    nothing = np.empty(0, np.uint32)
    bits = tags.get(258, np.ones(1, np.uint32))
    is_tiled = 324 in tags
    width, height = first(256, 0), first(257, 0)
    strip = min(first(278, height), height), width
    return TiffDirectory(
        order=order,
        width=width,
        height=height,
        bits=int(bits[0]) if bits.size and (bits == bits[0]).all() else 0,
        samples=first(277, 1),
        compression=first(259, 1),
        photometric=first(262, 1),
        sample_format=first(339, 1),
        extra_samples=first(338, 0),
        orientation=first(274, 1),
        predictor=first(317, 1),
        is_planar=first(284, 1) == 2,
        is_bit_reversed=first(266, 1) == 2,
        is_reduced=bool(first(254, 0) & 5) or first(255, 1) == 2,
        piece=(first(323, 0), first(322, 0)) if is_tiled else strip,
        is_tiled=is_tiled,
        offsets=tags.get(324 if is_tiled else 273, nothing),
        counts=tags.get(325 if is_tiled else 279, nothing),
        colour_map=tags.get(320, nothing),
        jpeg_tables=tags.get(347, nothing).tobytes(),
    )
