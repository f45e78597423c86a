"""The same film as another file: other UIDs, so other bytes, and the same work to read.

A day keeps what it has screened by content, so a plain copy would be hashed and no more.
"""

from __future__ import annotations

import struct
import zlib
from pathlib import Path


def write_distinct(master: Path, place: Path, number: int) -> None:
    """Write `master` (DICOM, PNG or JPEG) to `place` with `number` worked into its bytes."""
    data = master.read_bytes()
    if master.suffix == ".dcm":
        place.write_bytes(_renumber(master, data, number))
    elif data.startswith(b"\x89PNG"):
        place.write_bytes(data[:33] + _png_text(number) + data[33:])  # after IHDR
    else:
        text = str(number).encode("ascii")
        comment = b"\xff\xfe" + struct.pack(">H", len(text) + 2) + text
        place.write_bytes(data[:2] + comment + data[2:])  # after SOI


def _renumber(master: Path, data: bytes, number: int) -> bytes:
    import pydicom

    header = pydicom.dcmread(master, stop_before_pixels=True)
    for uid in (header.SOPInstanceUID, header.StudyInstanceUID, header.SeriesInstanceUID):
        new = f"{uid[:-8]}{number:08}"
        assert len(new) == len(uid) and str(uid).encode() in data
        data = data.replace(str(uid).encode("ascii"), new.encode("ascii"))
    return data


def _png_text(number: int) -> bytes:
    body = b"tEXt" + b"Comment\0" + str(number).encode("ascii")
    return struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))
