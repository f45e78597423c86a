"""The transfer syntaxes that can be read, and what each means for the bytes (PS3.5 Annex A)."""

from __future__ import annotations

from enum import Enum, auto


class Encoding(Enum):
    """How the pixel data, and for DEFLATED the whole data set, is packed."""

    NATIVE = auto()
    DEFLATED = auto()
    RLE = auto()
    JPEG = auto()
    """Baseline, extended and lossless: one decoder reads all three."""
    JPEG_LS = auto()
    JPEG_2000 = auto()
    """With HTJ2K, which is its Part 15."""
    UNKNOWN = auto()


class TransferSyntax(Enum):
    """Known transfer syntaxes: UID, encoding, implicit VR, little endian."""

    IMPLICIT_LITTLE = ("1.2.840.10008.1.2", Encoding.NATIVE, True, True)
    EXPLICIT_LITTLE = ("1.2.840.10008.1.2.1", Encoding.NATIVE, False, True)
    EXPLICIT_BIG = ("1.2.840.10008.1.2.2", Encoding.NATIVE, False, False)
    DEFLATED = ("1.2.840.10008.1.2.1.99", Encoding.DEFLATED, False, True)
    RLE = ("1.2.840.10008.1.2.5", Encoding.RLE, False, True)
    JPEG_BASELINE = ("1.2.840.10008.1.2.4.50", Encoding.JPEG, False, True)
    JPEG_EXTENDED = ("1.2.840.10008.1.2.4.51", Encoding.JPEG, False, True)
    JPEG_LOSSLESS = ("1.2.840.10008.1.2.4.57", Encoding.JPEG, False, True)
    JPEG_LOSSLESS_SV1 = ("1.2.840.10008.1.2.4.70", Encoding.JPEG, False, True)
    JPEG_LS_LOSSLESS = ("1.2.840.10008.1.2.4.80", Encoding.JPEG_LS, False, True)
    JPEG_LS_NEAR_LOSSLESS = ("1.2.840.10008.1.2.4.81", Encoding.JPEG_LS, False, True)
    JPEG_2000_LOSSLESS = ("1.2.840.10008.1.2.4.90", Encoding.JPEG_2000, False, True)
    JPEG_2000 = ("1.2.840.10008.1.2.4.91", Encoding.JPEG_2000, False, True)
    HTJ2K_LOSSLESS = ("1.2.840.10008.1.2.4.201", Encoding.JPEG_2000, False, True)
    HTJ2K_LOSSLESS_RPCL = ("1.2.840.10008.1.2.4.202", Encoding.JPEG_2000, False, True)
    HTJ2K = ("1.2.840.10008.1.2.4.203", Encoding.JPEG_2000, False, True)

    UNKNOWN = ("", Encoding.UNKNOWN, False, True)
    """Any other: the header can be read (all others are explicit little endian), pixels cannot."""

    def __init__(
        self, uid: str, encoding: Encoding, is_implicit: bool, is_little_endian: bool
    ) -> None:
        self.uid = uid
        self.encoding = encoding
        self.is_implicit = is_implicit
        self.is_little_endian = is_little_endian

    @classmethod
    def find(cls, uid: str) -> TransferSyntax:
        """Return the syntax with this UID, or UNKNOWN."""
        return next((syntax for syntax in cls if syntax.uid == uid), cls.UNKNOWN)
