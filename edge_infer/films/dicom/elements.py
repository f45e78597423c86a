"""Typed values out of a parsed DICOM data set; nothing in it, however wrong, raises.

Values are taken as the raw bytes of the file and converted here: pydicom's own conversions refuse
whole films for an invalid age or an unknown character set.
"""

from __future__ import annotations

import unicodedata
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Literal

from pydicom.charset import decode_bytes
from pydicom.datadict import tag_for_keyword
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.tag import BaseTag, Tag
from pydicom.valuerep import PN_DELIMS, TEXT_VR_DELIMS

_LONGEST_TEXT = 10_240
"""Bytes of a text value looked at; the longest the standard allows (LT) in any field read."""


_LARGEST_NUMBER = 1e15
"""Beyond any real slope, window or spacing, and small enough that no product overflows."""


_DEMANDING = frozenset({"utf8", "utf-8", "gb18030", "gbk", "gb2312", "euc_kr", "shift_jis"})
"""Character sets, in lower case as pydicom names them, that other text seldom fits."""
_GUESSES = (
    *("utf-8", "cp949", "gb18030", "big5", "cp932", "euc_jp"),
    *("cp1251", "koi8_r", "cp866", "iso8859_5", "mac_cyrillic"),
)
"""Tried where the character set is not sure: Unicode, Korean, Chinese, Japanese, Russian."""


def name_tag(keyword: str) -> str:
    """Return a keyword with its tag as messages show it: 'Modality (0008,0060)'."""
    tag = Tag(keyword)
    return f"{keyword} ({tag.group:04X},{tag.element:04X})"


@dataclass(frozen=True)
class DicomElements:
    """The elements of one data set or sequence item, asked for by DICOM keyword."""

    dataset: Dataset

    def has(self, keyword: str) -> bool:
        """Say whether the element is there, even empty."""
        return _tag(keyword) in self.dataset

    def raw(self, keyword: str) -> bytes:
        """Return the value's bytes as they stand in the file; b'' when absent or a sequence."""
        if not self.has(keyword):
            return b""
        value = self.dataset.get_item(_tag(keyword), keep_deferred=True).value
        return value if isinstance(value, bytes) else b""

    def text(self, keyword: str, *, longest: int = 64) -> str:
        """Return the value decoded, without control characters, at most `longest` characters."""
        raw = self.raw(keyword)[:_LONGEST_TEXT]
        if not raw:
            return ""
        decoded = _decode(raw, self._encodings(), is_name=keyword == "PatientName")
        if not decoded.isprintable():
            decoded = "".join(" " if unicodedata.category(c)[0] == "C" else c for c in decoded)
        return " ".join(decoded.split())[:longest].strip()

    def spellings(self, keyword: str, *, longest: int = 64) -> tuple[str, ...]:
        """Return what the value may read, `text` first; one where its character set is sure.

        Many systems write their own country's text and declare no character set, or Latin-1, or one
        that is not defined. Among the wrong readings that come along, words of several characters
        do not occur by chance; single characters do (로 of Korean is 肺, lung, in Chinese).
        """
        raw = self.raw(keyword)[:_LONGEST_TEXT]
        first = self.text(keyword, longest=longest)
        if raw.isascii() or _is_sure(raw, self._encodings()[0]):
            return (first,) if first else ()
        unicode = _read(raw, "utf-8")
        # Two bytes of another character set may also be one of UTF-8 below U+0800; three hardly.
        is_unicode = max(unicode, default="") > "\u07ff"
        guesses = [unicode] if is_unicode else [first, *(_read(raw, name) for name in _GUESSES)]
        return tuple(" ".join(text.split())[:longest] for text in dict.fromkeys(guesses) if text)

    def numbers(self, keyword: str, *, longest: int = 256) -> tuple[float, ...]:
        """Return the values of a decimal or integer string, up to the first that is no number.

        A comma is taken for the decimal point, as some systems write it in their country's way.
        """
        values: list[float] = []
        for part in self.text(keyword, longest=longest).split("\\"):
            try:
                value = float(part.replace(",", ".") if part.count(",") == 1 else part)
            except ValueError:
                break
            if not abs(value) < _LARGEST_NUMBER:
                break
            values.append(value)
        return tuple(values)

    def integer(self, keyword: str, *, signed: bool = False) -> int | None:
        """Return the first value of a binary US, SS or UL element, or None."""
        values = self.integers(keyword, signed=signed)
        return values[0] if values else None

    def integers(self, keyword: str, *, signed: bool = False) -> tuple[int, ...]:
        """Return all values of a binary element: 16 bits each, or one of 32."""
        raw = self.raw(keyword)
        size = 4 if self._vr(keyword) in ("UL", "SL") else 2
        order = self.byte_order(keyword)
        starts = range(0, len(raw) - size + 1, size)
        return tuple(int.from_bytes(raw[i : i + size], order, signed=signed) for i in starts)

    def items(self, keyword: str) -> tuple[DicomElements, ...]:
        """Return the items of a sequence; () when absent or damaged."""
        if not self.has(keyword):
            return ()
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                value = self.dataset[_tag(keyword)].value
        # pydicom parses a sequence on access, and damaged ones raise anything.
        except Exception:  # noqa: BLE001
            return ()
        if not isinstance(value, Sequence):
            return ()
        return tuple(DicomElements(item) for item in value if isinstance(item, Dataset))

    def byte_order(self, keyword: str) -> Literal["little", "big"]:
        """Return the byte order this element was written in."""
        element = (
            self.dataset.get_item(_tag(keyword), keep_deferred=True) if self.has(keyword) else None
        )
        if isinstance(element, RawDataElement) and not element.is_little_endian:
            return "big"
        return "little"

    def _vr(self, keyword: str) -> str:
        return (
            (self.dataset.get_item(_tag(keyword), keep_deferred=True).VR or "")
            if self.has(keyword)
            else ""
        )

    def _encodings(self) -> list[str]:
        encodings = self.dataset.original_character_set
        return [encodings] if isinstance(encodings, str) else list(encodings)


@cache
def _tag(keyword: str) -> BaseTag:
    """Return the tag; pydicom would look it up and check it for each of 60 questions a film."""
    tag = tag_for_keyword(keyword)
    if tag is None:
        raise KeyError(keyword)
    return Tag(tag)


def _is_sure(raw: bytes, declared: str) -> bool:
    """Tell whether text that is not ASCII can only be read as declared."""
    return b"\x1b" in raw or (declared.lower() in _DEMANDING and _read(raw, declared) != "")


def _read(raw: bytes, encoding: str) -> str:
    """Return the text in this encoding, '' where it does not fit."""
    try:
        return raw.decode(encoding)
    except (UnicodeDecodeError, LookupError):
        return ""


def _decode(raw: bytes, encodings: list[str], *, is_name: bool) -> str:
    """Decode text by its declared character set; undeclared text is often UTF-8."""
    if raw.isascii() and b"\x1b" not in raw:
        return raw.decode("ascii")
    if encodings in (["iso8859"], ["latin_1"]):
        try:
            return raw.decode("utf-8")
        except UnicodeDecodeError:
            return raw.decode("latin-1")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return decode_bytes(raw, encodings, PN_DELIMS if is_name else TEXT_VR_DELIMS)
    except (LookupError, ValueError):
        return raw.decode("latin-1")
