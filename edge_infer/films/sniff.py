"""Tell what a file is from its first bytes; a name is only a claim."""

from __future__ import annotations

import re
import struct
from enum import StrEnum

HEAD_BYTES = 4096
"""How much of a file `sniff` wants to see."""

NAME_CLAIMS_DICOM = frozenset({".dcm", ".dic", ".ima"})
NAME_CLAIMS_IMAGE = NAME_CLAIMS_DICOM | {".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp"}
"""Lower-case suffixes that promise a film: such a file has a row whatever its content."""

_VALUE_REPRESENTATIONS = frozenset(
    b"AE AS AT CS DA DS DT FD FL IS LO LT OB OD OF OL OV OW PN SH SL SQ SS ST SV TM UC UI UL UN UR"
    b" US UT UV".split()
)
_LONG_FORM = frozenset(b"OB OD OF OL OV OW SQ SV UC UN UR UT UV".split())
"""VRs whose explicit length takes 32 bits after two reserved bytes (PS3.5 7.1.2)."""

_BMP_HEADER_SIZES = frozenset({12, 16, 40, 52, 56, 64, 108, 124})
_ISO_IMAGE_BRANDS = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"mif1", b"msf1"}) | {
    b"avif",
    b"avis",
}
_OTHER_IMAGE_STARTS = (
    b"GIF87a",
    b"GIF89a",
    b"\x00\x00\x00\x0cjP  \r\n\x87\n",  # JPEG 2000 file
    b"\xff\x4f\xff\x51",  # JPEG 2000 codestream
    b"\x00\x00\x00\x0cJXL \r\n\x87\n",  # JPEG XL
    b"II\xbc\x01",  # JPEG XR
    b"8BPS\x00",  # Photoshop
    b"\x76\x2f\x31\x01",  # OpenEXR
)
_NETPBM = re.compile(rb"P[1-6][ \t\r\n]+(#[^\n]*\n\s*)*\d+\s+(#[^\n]*\n\s*)*\d+\s|P7\nWIDTH ")


_ARCHIVE_STARTS = (
    *(b"PK\x03\x04", b"PK\x07\x08", b"\x1f\x8b\x08", b"BZh", b"\xfd7zXZ\x00"),
    *(b"7z\xbc\xaf\x27\x1c", b"Rar!\x1a\x07", b"\x28\xb5\x2f\xfd"),
)
_TAR_MAGIC_AT = 257
_DISC_IMAGES = (".iso", ".nrg", ".mdf")
_DOCUMENTS = (
    *(".docx", ".xlsx", ".pptx", ".docm", ".xlsm", ".odt", ".ods", ".odp", ".hwpx", ".epub"),
    *(
        ".jar",
        ".war",
        ".apk",
        ".whl",
        ".egg",
        ".vsdx",
        ".xps",
        ".kmz",
        ".pages",
        ".numbers",
        ".npz",
    ),
    *(".pt", ".pth", ".svgz", ".emz", ".rpm", ".deb"),
)
"""Names of what is packed like an archive and holds no films."""


def is_archive(name: str, head: bytes) -> bool:
    """Tell a zip, gz, tar, 7z, rar or disc image by its first bytes or its name."""
    name = name.lower()
    if name.endswith(_DISC_IMAGES):
        return True
    is_packed = head.startswith(_ARCHIVE_STARTS) or head[_TAR_MAGIC_AT:].startswith(b"ustar")
    return is_packed and not name.endswith(_DOCUMENTS)


class FileKind(StrEnum):
    """What the content of a file is."""

    DICOM = "dicom"
    PNG = "png"
    JPEG = "jpeg"
    TIFF = "tiff"
    BMP = "bmp"
    OTHER_IMAGE = "other_image"
    """A picture (GIF, WebP, JPEG 2000, HEIC, ...) in a format that is not read here."""
    OTHER = "other"


def sniff(head: bytes) -> FileKind:
    """Name the kind of file that begins with `head` (its first 4096 bytes, or all it has)."""
    if head[128:132] == b"DICM" or (head[:4] == b"DICM" and _is_headerless_dicom(head[4:])):
        return FileKind.DICOM
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return FileKind.PNG
    if head.startswith(b"\xff\xd8\xff"):
        return FileKind.JPEG
    if head.startswith((b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+")):
        return FileKind.TIFF
    if _is_bmp(head):
        return FileKind.BMP
    if _is_other_image(head):
        return FileKind.OTHER_IMAGE
    if _is_headerless_dicom(head):
        return FileKind.DICOM
    return FileKind.OTHER


def _is_bmp(head: bytes) -> bool:
    if head[:2] != b"BM" or len(head) < 26:
        return False
    pixels_at, header_size = struct.unpack_from("<II", head, 10)
    planes_at = 22 if header_size == 12 else 26
    planes = head[planes_at : planes_at + 2]
    return (
        header_size in _BMP_HEADER_SIZES
        and 14 + header_size <= pixels_at < 0x10000
        and planes in (b"\x01\x00", b"")
    )


def _is_other_image(head: bytes) -> bool:
    if head.startswith(_OTHER_IMAGE_STARTS):
        return True
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return True
    if head[4:8] == b"ftyp" and head[8:12] in _ISO_IMAGE_BRANDS:
        return True
    return _NETPBM.match(head) is not None


def _is_headerless_dicom(head: bytes) -> bool:
    """Accept a data set without preamble only if its first two elements are plausible.

    Text and most binary files fail at the first tag: group 0002 or 0008, in little endian, or in
    big endian with an explicit VR.
    """
    for order in "<>":
        if len(head) < 8:
            return False
        tag = struct.unpack_from(f"{order}HH", head)
        if tag[0] not in (0x0002, 0x0008) or tag[1] > 0x3010:
            continue
        value = _value_after(head, order)
        if value is None:
            continue
        after = sum(value)
        if after + 4 > len(head):
            return after <= HEAD_BYTES
        following = struct.unpack_from(f"{order}HH", head, after)
        if tag < following and following[0] <= 0x0020:
            return True
    return False


def _value_after(head: bytes, order: str) -> tuple[int, int] | None:
    """Return offset and length of the first element's value, or None where neither fits."""
    representation = head[4:6]
    if representation in _LONG_FORM and len(head) >= 12 and head[6:8] == b"\0\0":
        start, (length,) = 12, struct.unpack_from(f"{order}I", head, 8)
    elif representation in _VALUE_REPRESENTATIONS - _LONG_FORM:
        start, (length,) = 8, struct.unpack_from(f"{order}H", head, 6)
    elif order == "<":
        start, (length,) = 8, struct.unpack_from("<I", head, 4)
    else:
        return None
    return None if length % 2 or length > HEAD_BYTES else (start, length)
