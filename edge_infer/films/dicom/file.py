"""Parse the header of a DICOM file safely, up to the pixels, which are not read yet.

pydicom's `dcmread` inflates a deflated file without a limit, takes any text for DICOM under
`force=True`, and loads the pixels with the header. Its element parser is used here instead, on a
stream that this module inflates and bounds.
"""

from __future__ import annotations

import io
import re
import struct
import warnings
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from itertools import chain, pairwise
from typing import BinaryIO, cast

from pydicom.datadict import dictionary_has_tag, repeater_has_tag
from pydicom.dataset import Dataset
from pydicom.filereader import read_dataset
from pydicom.tag import BaseTag

from edge_infer.errors import ImageError, ReasonCode, UnreadableImage
from edge_infer.films.dicom.elements import DicomElements
from edge_infer.films.dicom.syntax import Encoding, TransferSyntax
from edge_infer.films.file import take
from edge_infer.films.memory import MOST_PACKED_BYTES, too_large

MAX_INFLATED_BYTES = MOST_PACKED_BYTES
"""A deflated header and picture may fill this much memory and no more (1 MB can hold 1 GB)."""
_LONGEST_VALUE = 2**20
"""Header values beyond this (private elements; no table is that long) are passed over, unread."""
_MOST_HEADER_BYTES = 2**26
"""All the others together."""
_PADDING = 2
"""Bytes that may follow a deflated data set, which is made even, or a sector full of zeros."""

_UID_ROOT, _UID = "1.2.840.", re.compile(r"[0-9.]+")
_PIXEL_TAGS = frozenset({0x7FE00008, 0x7FE00009, 0x7FE00010})
"""Float, double float and integer pixel data: parsing stops before any of them."""


@dataclass(frozen=True, kw_only=True)
class DicomFile:
    """A parsed header and the stream standing before the pixel data element."""

    elements: DicomElements
    syntax: TransferSyntax
    syntax_uid: str
    """As the file states it; empty when it does not."""
    stream: BinaryIO
    is_implicit: bool
    """Whether the elements that follow have no VR (the file may differ from its syntax)."""
    is_cut: bool
    """Whether the file ends in the middle of a header element, with no pixel data after it."""


class _WatchedStream:
    """The reads of a stream, with a note of whether one wanted more than there was."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._read = 0
        self.is_cut = False
        self.tell = stream.tell
        start = stream.tell()
        self._end = stream.seek(0, io.SEEK_END)
        stream.seek(start)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        at = self._stream.seek(offset, whence)
        self.is_cut |= at > self._end
        return at

    def read(self, size: int = -1) -> bytes:
        data = self._stream.read(min(size, _MOST_HEADER_BYTES) if size >= 0 else size)
        self._read += len(data)
        if self._read > _MOST_HEADER_BYTES:
            raise too_large("its header alone is larger than a film")
        # An 8-byte read that finds nothing is the parser looking for one more element.
        if len(data) < size and (data or size > 8):
            self.is_cut = True
        return data


def parse_dicom(file: BinaryIO) -> DicomFile:
    """Parse the header of a DICOM file, with or without its 128-byte preamble.

    Raises UnreadableImage DAMAGED or TOO_LARGE: whatever pydicom raises for a
    damaged header is converted here.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return _parse_header(file)
    except ImageError:
        raise
    # Byte mutations raised AttributeError, NotImplementedError, ValueError, TypeError, OSError,
    # RuntimeError, InvalidDicomError, RecursionError and more: no list is complete.
    except Exception as error:
        raise _damaged() from error


def _parse_header(file: BinaryIO) -> DicomFile:
    head = file.read(132)
    # Some copies lose the preamble alone, and begin with the prefix that follows it.
    file.seek(132 if head[128:] == b"DICM" else 4 if head[:4] == b"DICM" else 0)
    meta, _ = _read_elements(file, TransferSyntax.EXPLICIT_LITTLE, _is_past_file_meta)
    syntax_uid = DicomElements(meta).text("TransferSyntaxUID")
    if syntax_uid.startswith(_UID_ROOT) and not _UID.fullmatch(syntax_uid):
        raise _damaged()  # a bit of it was lost, and may not have been the only one
    syntax = TransferSyntax.find(syntax_uid) if syntax_uid else _guess_syntax(file)
    # A stream cut while deflated still gives its header; its pixels will be found missing.
    stream, is_whole = _inflate(file) if syntax.encoding is Encoding.DEFLATED else (file, True)
    dataset, is_cut = _read_elements(stream, syntax, lambda tag, _vr, _length: tag in _PIXEL_TAGS)
    if any(_is_changed_tag(*pair) for pair in pairwise(chain(meta.keys(), dataset.keys()))):
        raise _damaged()
    return DicomFile(
        elements=DicomElements(dataset),
        syntax=syntax,
        syntax_uid=syntax_uid,
        stream=stream,
        is_implicit=bool(dataset.original_encoding[0]),
        is_cut=is_cut or (not is_whole and _is_at_end(stream)),
    )


def _read_elements(
    stream: BinaryIO,
    syntax: TransferSyntax,
    stop_when: Callable[[BaseTag, str | None, int], bool],
) -> tuple[Dataset, bool]:
    watched = _WatchedStream(stream)
    dataset = read_dataset(
        cast(BinaryIO, watched),
        syntax.is_implicit,
        syntax.is_little_endian,
        stop_when=stop_when,
        defer_size=_LONGEST_VALUE,
    )
    return dataset, watched.is_cut and _is_at_end(stream)


def _is_changed_tag(tag: BaseTag, following: BaseTag) -> bool:
    """Tell that a tag was changed: it stands out of order (PS3.5 7.1), and no standard knows it.

    Some systems write elements in an order of their own, and private ones of any number: neither
    alone is damage. Where a bit of a tag is lost, so is what it said: how the pixels are stored.
    """
    return following <= tag and not (_is_known(tag) and _is_known(following))


def _is_known(tag: BaseTag) -> bool:
    is_group_length = tag.element == 0
    return bool(
        tag.is_private or is_group_length or dictionary_has_tag(tag) or repeater_has_tag(tag)
    )


def _is_at_end(stream: BinaryIO) -> bool:
    start = stream.tell()
    is_at_end = not stream.read(1)
    stream.seek(start)
    return is_at_end


def _is_past_file_meta(tag: BaseTag, _vr: str | None, _length: int) -> bool:
    return tag.group != 2


def _guess_syntax(file: BinaryIO) -> TransferSyntax:
    """Tell explicit from implicit by whether the first element names a VR (two capitals)."""
    start = file.tell()
    first = file.read(6)
    file.seek(start)
    if len(first) < 6 or not (first[4:6].isalpha() and first[4:6].isupper()):
        return TransferSyntax.IMPLICIT_LITTLE
    little, big = struct.unpack("<H", first[:2])[0], struct.unpack(">H", first[:2])[0]
    return TransferSyntax.EXPLICIT_LITTLE if little <= big else TransferSyntax.EXPLICIT_BIG


def _inflate(file: BinaryIO) -> tuple[BinaryIO, bool]:
    """Inflate the rest of the file into memory, and say whether it was all there.

    Raises UnreadableImage TOO_LARGE beyond MAX_INFLATED_BYTES; DAMAGED, also where more follows.
    """
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    inflated = io.BytesIO()
    try:
        while not inflater.eof and (compressed := take(file, 2**20)):
            while compressed:
                inflated.write(inflater.decompress(compressed, 2**24))
                if inflated.tell() > MAX_INFLATED_BYTES:
                    raise too_large(f"its deflated content exceeds {MAX_INFLATED_BYTES >> 20} MB")
                compressed = inflater.unconsumed_tail
    except zlib.error as error:
        raise _damaged() from error
    after = inflater.unused_data + bytes(take(file, 2**16))
    if len(after) > _PADDING and after.strip(b"\0") and not _is_checksum(after, inflated):
        raise _damaged()
    inflated.seek(0)
    return inflated, inflater.eof


def _is_checksum(after: bytes, inflated: io.BytesIO) -> bool:
    """Tell whether a deflated data set ends as gzip or zlib end theirs, which some writers do."""
    content = inflated.getvalue()
    of_gzip = struct.pack("<II", zlib.crc32(content), len(content))
    of_zlib = struct.pack(">I", zlib.adler32(content))
    return any(
        after.startswith(end) and not after[len(end) :].strip(b"\0") for end in (of_gzip, of_zlib)
    )


def _damaged() -> UnreadableImage:
    return UnreadableImage("The DICOM header is damaged.", ReasonCode.DAMAGED)
