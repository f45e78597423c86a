"""Content decides what a file is; text and archives are never DICOM."""

from __future__ import annotations

import struct

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_infer.films.sniff import HEAD_BYTES, FileKind, sniff

GREY = np.tile(np.arange(128, dtype=np.uint8), (128, 1))
IMPLICIT = struct.pack("<HHI", 0x0008, 0x0005, 10) + b"ISO_IR 100" + b"\x08\x00\x08\x00"
EXPLICIT = struct.pack("<HH2sH", 0x0008, 0x0005, b"CS", 10) + b"ISO_IR 100" + b"\x08\x00\x08\x00"
BIG_ENDIAN = struct.pack(">HH2sH", 0x0008, 0x0005, b"CS", 10) + b"ISO_IR 100" + b"\0\x08\0\x08"
ACR_NEMA = struct.pack("<HHII", 0x0008, 0x0000, 4, 286) + struct.pack("<HHI", 0x0008, 0x0008, 16)
META_ONLY = struct.pack("<HH2sHI", 0x0002, 0x0000, b"UL", 4, 200) + b"\x02\x00\x01\x00OB\0\0"


def encoded(suffix: str) -> bytes:
    return cv2.imencode(suffix, GREY)[1].tobytes()


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (bytes(128) + b"DICM", FileKind.DICOM),
        (b"\x89PNG" * 32 + b"DICM\x02\x00", FileKind.DICOM),
        (IMPLICIT, FileKind.DICOM),
        (EXPLICIT, FileKind.DICOM),
        (BIG_ENDIAN, FileKind.DICOM),
        (ACR_NEMA, FileKind.DICOM),
        (META_ONLY, FileKind.DICOM),
        (b"DICM" + META_ONLY, FileKind.DICOM),
        (b"DICM is the prefix of a DICOM file, this is a letter about it", FileKind.OTHER),
        (encoded(".png"), FileKind.PNG),
        (encoded(".jpg"), FileKind.JPEG),
        (encoded(".tif"), FileKind.TIFF),
        (b"MM\x00*\x00\x00\x00\x08", FileKind.TIFF),
        (encoded(".bmp"), FileKind.BMP),
        (encoded(".webp"), FileKind.OTHER_IMAGE),
        (encoded(".jp2"), FileKind.OTHER_IMAGE),
        (b"\xff\x4f\xff\x51\x00\x29", FileKind.OTHER_IMAGE),
        (b"GIF89a\x10\x00\x10\x00", FileKind.OTHER_IMAGE),
        (b"\x00\x00\x00\x1cftypheic\x00\x00\x00\x00", FileKind.OTHER_IMAGE),
        (b"\x00\x00\x00\x1cftypavif\x00\x00\x00\x00", FileKind.OTHER_IMAGE),
        (b"P5\n# made by hand\n512 512\n255\n\x00\x00", FileKind.OTHER_IMAGE),
        (b"\x00\x00\x00\x1cftypisom\x00\x00\x00\x00", FileKind.OTHER),
        (b"", FileKind.OTHER),
        (b"BMI of the patients\nKim 21.3\nLee 24.0\n", FileKind.OTHER),
        (b"P5 is the name of a marker, not a picture", FileKind.OTHER),
        (b"<!DOCTYPE html><html><body>CR</body></html>", FileKind.OTHER),
        (b"PK\x03\x04\x14\x00\x08\x00\x08\x00" + bytes(60), FileKind.OTHER),
        (b"%PDF-1.7\n", FileKind.OTHER),
        (b"\xff\xd8 not a JPEG", FileKind.OTHER),
        (bytes(4096), FileKind.OTHER),
        (b"\x08\x00\x05\x00XX\x0a\x00ISO_IR 100\x08\x00\x08\x00", FileKind.OTHER),
        (struct.pack("<HHI", 0x0008, 0x0016, 27) + bytes(60), FileKind.OTHER),
        (IMPLICIT[:-4] + b"\x08\x00\x01\x00", FileKind.OTHER),
        ("\ufeff환자, 나이\r\n".encode("utf-16"), FileKind.OTHER),
    ],
)
def test_names_the_kind_of_a_file(head: bytes, kind: FileKind) -> None:
    assert sniff(head) is kind


@given(st.text(min_size=1))
def test_text_is_never_dicom(text: str) -> None:
    # A group 0002 or 0008 in front of text would need its control characters.
    printable = "".join(c for c in text if c.isprintable() or c in "\r\n\t")
    assert sniff(printable.encode()) is not FileKind.DICOM


@given(st.binary(max_size=HEAD_BYTES))
def test_any_bytes_have_a_kind(head: bytes) -> None:
    assert sniff(head) in FileKind


@given(st.integers(0, len(IMPLICIT)), st.sampled_from([IMPLICIT, EXPLICIT, BIG_ENDIAN, ACR_NEMA]))
def test_a_cut_head_never_fails(length: int, head: bytes) -> None:
    assert sniff(head[:length]) in (FileKind.DICOM, FileKind.OTHER)
