"""The image file directories of a TIFF file (TIFF 6.0, section 2)."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from edge_infer.errors import ReasonCode, UnreadableImage

_FORMATS = {1: "B", 3: "H", 4: "I"}
"""BYTE, SHORT, LONG: the types of every tag that is read here."""
_TAGS = frozenset({254, 256, 257, 258, 262, 273, 279, 324, 325, 338, 339})
_MOST_PAGES = 1000


@dataclass(frozen=True, kw_only=True)
class TiffDirectory:
    """One page: the tags that decide how it is decoded."""

    width: int
    height: int
    bits: int
    photometric: int
    """0: white is zero, 1: black is zero, 2: RGB, 3: palette."""
    sample_format: int
    """1: unsigned whole numbers."""
    extra_samples: int
    """2: transparency not yet applied to the colours."""
    is_reduced: bool
    """A thumbnail of another page (NewSubfileType)."""
    strips: tuple[tuple[int, int], ...]
    """Offset and length of each strip or tile in the file; empty where the lengths are absent."""


def read_tiff_directories(data: bytes) -> list[TiffDirectory]:
    """Return the pages of a classic TIFF file, first to last.

    Raises struct.error where the file ends too early and UnreadableImage for BigTIFF and loops.
    """
    order = "<" if data[:2] == b"II" else ">"
    if struct.unpack_from(f"{order}H", data, 2)[0] != 42:
        raise UnreadableImage(
            "The file is a BigTIFF, which cannot be read here; export it as DICOM or as a PNG.",
            ReasonCode.NO_DECODER,
        )
    directories: list[TiffDirectory] = []
    (at,) = struct.unpack_from(f"{order}I", data, 4)
    while at:
        if len(directories) == _MOST_PAGES:
            raise UnreadableImage(
                "The list of pages in this TIFF file is damaged; export it again.",
                ReasonCode.DAMAGED,
            )
        tags, at = _read_tags(data, at, order)
        directories.append(_to_directory(tags))
    return directories


def _read_tags(data: bytes, at: int, order: str) -> tuple[dict[int, tuple[int, ...]], int]:
    (count,) = struct.unpack_from(f"{order}H", data, at)
    tags: dict[int, tuple[int, ...]] = {}
    for entry in range(at + 2, at + 2 + 12 * count, 12):
        tag, kind, values = struct.unpack_from(f"{order}HHI", data, entry)
        letter = _FORMATS.get(kind)
        if letter is None or tag not in _TAGS:
            continue
        size = struct.calcsize(letter) * values
        start = entry + 8
        if size > 4:
            (start,) = struct.unpack_from(f"{order}I", data, start)
        if start + size > len(data):
            raise struct.error(f"tag {tag} lies beyond the end of the file")
        tags[tag] = struct.unpack_from(f"{order}{values}{letter}", data, start)
    (following,) = struct.unpack_from(f"{order}I", data, at + 2 + 12 * count)
    return tags, following


def _to_directory(tags: dict[int, tuple[int, ...]]) -> TiffDirectory:
    def first(tag: int, default: int) -> int:
        return (tags.get(tag) or (default,))[0]

    offsets = tags.get(273) or tags.get(324) or ()
    lengths = tags.get(279) or tags.get(325) or ()
    return TiffDirectory(
        width=first(256, 0),
        height=first(257, 0),
        bits=first(258, 1),
        photometric=first(262, 1),
        sample_format=first(339, 1),
        extra_samples=first(338, 0),
        is_reduced=bool(first(254, 0) & 1),
        strips=tuple(zip(offsets, lengths, strict=False)),
    )
