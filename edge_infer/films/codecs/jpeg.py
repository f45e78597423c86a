"""JPEG (ISO 10918-1), as a file or in a DICOM: its header, and samples that nobody had to repair.

JPEG-LS (ISO 14495-1) has the same header; its decoder, CharLS, checks its data itself.

libjpeg fills what it cannot read with grey and says so only in a warning, which OpenCV,
imagecodecs and Pillow drop: a film of which a part was lost came back as a whole one. simplejpeg
(MIT, libjpeg-turbo inside) makes an error of every warning. It knows 8 bits only, so deeper films
are decoded by imagecodecs, and `_decode_deep` finds out whether their data came to an end where
the picture did.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_infer.errors import ReasonCode, UnreadableImage
from edge_infer.films.memory import require_memory
from edge_infer.films.shrink import scaled_shape

_SOI, _EOI = b"\xff\xd8", b"\xff\xd9"
_SOF, _DHT, _DAC, _DQT, _DRI, _SOS = 0xC0, 0xC4, 0xCC, 0xDB, 0xDD, 0xDA
_APP0, _APP1, _APP14 = 0xE0, 0xE1, 0xEE
_KEPT = frozenset({_DHT, _DAC, _DQT, _DRI, _SOS, 0xE8, 0xF8})
"""With APP8 and LSE, in which JPEG-LS keeps its colour transform and its parameters."""
_FRAMES = frozenset(range(0xC0, 0xD0)) - {_DHT, 0xC8, _DAC} | {0xF7}
"""SOF0..SOF15 without DHT, JPG and DAC, and SOF55 of JPEG-LS."""
_SEQUENTIAL = frozenset({0xC0, 0xC1})
_PROGRESSIVE = frozenset({0xC2, 0xCA})
_LOSSLESS = 0xC3
_JPEG_LS = 0xF7
_DCT = frozenset({0xC0, 0xC1, 0xC2, 0xC9, 0xCA})
"""Baseline, extended, progressive, and two of them arithmetically coded."""
_DECODED = _DCT | {_LOSSLESS, _JPEG_LS}
_SCAN = bytes([0xFF, _SOS])
_LONGEST_SCAN_HEADER = 14
"""Its length, and what it says of four components."""
_ALONE = frozenset({0x01, *range(0xD0, 0xD9)})
_MARKER = re.compile(rb"\xff+([^\x00\xff])")
_EXTRANEOUS = re.compile(r"(\d+) extraneous bytes before marker 0xd9")
_MOST_PADDING = 16
"""Zero bytes before the end mark; more are a stretch that was overwritten."""
_MOST_STRAY = 64
"""Bytes before a marker of the header that belong to nothing. Viewers pass over them; a table of
quantisers, which must not be lost so, is longer."""
_LARGEST_SCALE = 8
"""libjpeg scales an 8 x 8 block down to one pixel and no further."""
_ZEROS = bytes(16)
"""So many zero bytes are 16 and more equal symbols in a row."""
_PADS = 8
"""Symbols of which the bits that pad the last byte can be made, and more."""
_ROUNDING = 2
"""By which a block may differ from another that is a step darker."""
_MOST_ROWS = 65535
_BLOCK = 8


@dataclass(frozen=True, kw_only=True)
class Jpeg:
    """A JPEG whose header was read, and whose data were not yet."""

    rows: int
    columns: int
    samples: int
    bits: int
    """Precision of a sample."""
    process: int
    """The marker of its frame, 0xC0 to 0xCF, or 0xF7 for JPEG-LS."""
    orientation: int
    """As EXIF says, 1 to 8; 1 is upright."""
    head: bytes
    """From SOI to the first scan's header, without what is no part of the picture."""
    frame_at: int
    """Where in `head` the frame states its precision; height and width follow."""
    has_restarts: bool
    data: bytes
    """The file's own bytes, of which those from `scan_at` to `end` are the picture."""
    scan_at: int
    end: int
    has_end: bool
    """Whether the end mark is there."""

    @property
    def is_decodable(self) -> bool:
        """Say whether `decode_jpeg` knows the process and the depth."""
        return self.process in _DECODED and 2 <= self.bits <= 16

    @property
    def stream(self) -> bytes:
        """The picture alone, from SOI to EOI."""
        return self.stream_after(self.head)

    def stream_after(self, head: bytes | bytearray) -> bytes:
        """Return the picture with another head; the data, several MB, are copied once."""
        return b"".join([head, memoryview(self.data)[self.scan_at : self.end], _EOI])

    @property
    def is_dct(self) -> bool:
        """Say whether the picture decodes to a part of its size."""
        return self.process in _DCT and self.bits == 8


def jpeg_scale(factor: int) -> int:
    """Return the scale for a picture that may shrink by `factor`: 1, 2, 4 or 8.

    It is half of what would fit: the DCT's small pictures are no area means (a slope inside a block
    comes out 14 % too steep where two pixels remain of eight, 1 % where four do).
    """
    return min(_LARGEST_SCALE, 1 << max(0, factor.bit_length() - 2))


def read_jpeg(data: bytes) -> Jpeg:
    """Walk the marker segments up to the first scan (B.2.2), and look for the end mark.

    Raises ValueError, IndexError or struct.error where there is no such header.
    """
    walk = _Walk(data)
    while walk.step():
        pass
    if walk.frame is None:
        raise ValueError("a scan before the frame header")
    # The last one: finding the first takes 5 ms for 4 MB, and decoders stop there by themselves.
    end = data.rfind(_EOI, walk.at)
    has_end = end >= 0
    end = end if has_end else len(data)
    while has_end and data[end - 1] == 0xFF:  # fill bytes
        end -= 1
    bits, rows, columns, samples = struct.unpack_from(">BHHB", walk.frame)
    head = b"".join([_SOI, *_colour_marks(walk, samples), *walk.kept])
    return Jpeg(
        rows=rows,
        columns=columns,
        samples=samples,
        bits=bits,
        process=walk.process,
        orientation=walk.orientation,
        head=head,
        frame_at=head.index(bytes([0xFF, walk.process])) + 4,
        has_restarts=walk.has_restarts,
        data=data,
        scan_at=walk.at,
        end=end,
        has_end=has_end,
    )


def decode_jpeg(
    jpeg: Jpeg, *, scale: int = 1, is_rgb: bool = False
) -> NDArray[np.uint8 | np.uint16]:
    """Return the samples: [h, w], [h, w, 3] red first, or [h, w, 4] as Adobe's inverted CMYK.

    `scale`, 1, 2, 4 or 8, divides the sides of a film that `is_dct` (rounded up). `is_rgb` decides
    what three samples are where the file does not. Raises UnreadableImage: TRUNCATED where the data
    end before the picture does, DAMAGED where they cannot be what was written. That the end mark
    alone is missing is no damage.
    """
    # Only a progressive picture is held whole, as coefficients of 16 bits.
    is_held = jpeg.process in _DCT - _SEQUENTIAL
    whole = jpeg.rows * jpeg.columns * jpeg.samples
    require_memory(whole * (1 + (jpeg.bits > 8)) // scale**2 + 2 * whole * is_held)
    if jpeg.process == _JPEG_LS:
        return _decode_jpeg_ls(jpeg)
    head = jpeg.head
    if is_rgb and jpeg.samples == 3 and head[3] not in (_APP0, _APP14):
        # Without a mark libjpeg takes three components for YCbCr.
        head = head[:2] + _adobe(0) + head[2:]
    if jpeg.process == _LOSSLESS and _is_zeroed(jpeg):
        raise _damaged()
    if jpeg.process in _PROGRESSIVE and not _is_finished(jpeg):
        raise _truncated()
    if jpeg.bits > 8:
        return _decode_deep(jpeg)
    decoded = _decode_strictly(jpeg, head, scale)
    if decoded.shape[:2] != scaled_shape((jpeg.rows, jpeg.columns), scale):
        raise _damaged()
    return decoded[..., 0] if decoded.shape[2] == 1 else decoded


class _Walk:
    """The header's segments, one a step."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = data.index(_SOI) + 2
        self.kept: list[bytes] = []
        self.frame: bytes | None = None
        self.process = 0
        self.orientation = 1
        self.is_jfif = False
        self.adobe_transform: int | None = None
        self.has_restarts = False

    def step(self) -> bool:
        """Read one segment; False after the header of the first scan."""
        found = _MARKER.search(self.data, self.at)
        if found is None:
            raise IndexError("no marker where one is due")
        marker = found[1][0]
        # An FF before a marker may be repeated; anything else is astray.
        if found.start() - self.at > _MOST_STRAY or marker == _EOI[1] or marker == _SOI[1]:
            raise ValueError("no segment where one is due")
        self.at = found.end()
        if marker in _ALONE:
            return True
        (length,) = struct.unpack_from(">H", self.data, self.at)
        segment = self.data[self.at + 2 : self.at + length]
        if length < 2 or len(segment) < length - 2:
            raise IndexError("the file ends in a segment of the header")
        self.at += int(length)
        self._take(marker, segment)
        return marker != _SOS

    def _take(self, marker: int, segment: bytes) -> None:
        if marker in _FRAMES:
            if self.frame is not None:
                raise ValueError("two frame headers")
            self.frame, self.process = segment, marker
        elif marker == _APP0:
            self.is_jfif |= segment.startswith(b"JFIF\0")
        elif marker == _APP1 and segment.startswith(b"Exif\0\0") and self.orientation == 1:
            self.orientation = _read_orientation(segment[6:])
        elif marker == _APP14 and segment.startswith(b"Adobe") and len(segment) >= 12:
            self.adobe_transform = segment[11]
        elif marker == _DRI:
            self.has_restarts = segment[:2] != b"\0\0"
        if marker in _FRAMES or marker in _KEPT:
            if marker == _SOS and self.process in _SEQUENTIAL and len(segment) > 3:
                segment = segment[:-3] + b"\0\x3f\0"  # nothing else means anything (B.2.3)
            self.kept.append(bytes([0xFF, marker]) + struct.pack(">H", len(segment) + 2) + segment)


def _colour_marks(walk: _Walk, samples: int) -> list[bytes]:
    """Return what decides on colours, in the form that libjpeg has nothing to warn of."""
    marks = []
    if samples > 1 and walk.is_jfif:
        marks.append(b"\xff\xe0\0\x10JFIF\0\x01\x01\0\0\x01\0\x01\0\0")
    if samples > 1 and walk.adobe_transform is not None:
        known = (0, 1) if samples == 3 else (0, 2)
        marks.append(_adobe(walk.adobe_transform if walk.adobe_transform in known else known[1]))
    return marks


def _adobe(transform: int) -> bytes:
    return b"\xff\xee\0\x0eAdobe\0\x64\0\0\0\0" + bytes([transform])


def _read_orientation(tiff: bytes) -> int:
    """Return the Orientation tag of an EXIF block, 1 where it has none that makes sense."""
    order = "<" if tiff[:2] == b"II" else ">"
    try:
        (at,) = struct.unpack_from(f"{order}I", tiff, 4)
        (count,) = struct.unpack_from(f"{order}H", tiff, at)
        for entry in range(at + 2, at + 2 + 12 * count, 12):
            tag, kind, values, value = struct.unpack_from(f"{order}HHIH", tiff, entry)
            if (tag, kind, values) == (0x0112, 3, 1):
                return int(value) if 1 <= value <= 8 else 1
    except struct.error:
        pass
    return 1


def _decode_jpeg_ls(jpeg: Jpeg) -> NDArray[np.uint8 | np.uint16]:
    import imagecodecs

    # Never without an end mark: CharLS 2.4.3 does not come back from data that just stop.
    try:
        decoded = np.asarray(imagecodecs.jpegls_decode(jpeg.stream))
    except MemoryError:
        raise
    except Exception as error:
        raise (_damaged() if jpeg.has_end else _truncated()) from error
    if decoded.dtype.kind != "u" or decoded.shape[:2] != (jpeg.rows, jpeg.columns):
        raise _damaged()
    return decoded


def _is_zeroed(jpeg: Jpeg) -> bool:
    """Tell a lossless film in whose data a stretch was overwritten with zeros.

    Zeros are one symbol again and again: the first of the code's table. In a film's flat parts that
    is "as predicted"; the same step up or down, pixel after pixel, no film shows.
    """
    table = jpeg.head.find(bytes([0xFF, _DHT]))
    is_flat = table < 0 or jpeg.head[table + 21 : table + 22] == b"\0"
    return not is_flat and jpeg.data.find(_ZEROS, jpeg.scan_at, jpeg.end) >= 0


def _is_finished(jpeg: Jpeg) -> bool:
    """Tell whether a progressive picture's scans bring every coefficient to its last bit (G.1.1.1).

    One that was cut between two scans decodes without a warning, coarsely; the standard asks for
    the DC coefficients alone, but encoders write all.
    """
    first = jpeg.frame_at + 6
    names = jpeg.head[first : first + 3 * jpeg.samples : 3]
    bits_left = {name: [1] * _BLOCK**2 for name in names}
    scans = [jpeg.head[jpeg.head.rindex(_SCAN) + 2 :]]
    at = jpeg.scan_at
    while (at := jpeg.data.find(_SCAN, at, jpeg.end)) >= 0:  # never within the data of a scan
        at += 2
        scans.append(jpeg.data[at : at + _LONGEST_SCAN_HEADER])
    for head in scans:
        segment = head[2 : int.from_bytes(head[:2], "big")]
        if len(segment) < 4:
            continue
        low, last, start = segment[-1] & 15, segment[-2], segment[-3]
        for name in segment[1 : 1 + 2 * segment[0] : 2]:
            for place in range(start, min(last + 1, _BLOCK**2)) if name in bits_left else ():
                bits_left[name][place] = low
    return not any(map(any, bits_left.values()))


def _decode_strictly(jpeg: Jpeg, head: bytes, scale: int) -> NDArray[np.uint8]:
    """Decode 8 bits, or what has been made to look so; every warning of libjpeg is an error."""
    import simplejpeg

    colours = {1: "GRAY", 3: "RGB", 4: "CMYK"}
    stream = jpeg.stream_after(head)
    rows, columns = scaled_shape((jpeg.rows, jpeg.columns), scale)
    try:
        decoded: NDArray[np.uint8] = simplejpeg.decode_jpeg(
            stream,
            colours[jpeg.samples],
            min_height=rows,
            min_width=columns,
            min_factor=scale,
            strict=True,
        )
    except (ValueError, KeyError) as error:
        left = _EXTRANEOUS.search(str(error))
        padding = bytes(int(left[1])) if left else b""
        if 0 < len(padding) <= _MOST_PADDING and jpeg.data.endswith(
            padding, jpeg.scan_at, jpeg.end
        ):
            return _decode_strictly(replace(jpeg, end=jpeg.end - len(padding)), head, scale)
        # A cut file has no end mark, or one that its copier put there.
        is_cut = "premature end" in str(error).lower()
        raise (_truncated() if is_cut else _damaged()) from error
    return decoded


def _decode_deep(jpeg: Jpeg) -> NDArray[np.uint8 | np.uint16]:
    """Decode 9 to 16 bits, and doubt what the rows below the picture do not bear out.

    The frame's height is raised by a row of blocks, or two lines where it is lossless. In a sound
    film the data end there: the decoder makes one more symbol of the bits that pad the last byte
    and grey of the rest. Data that end early leave all of it grey, data that are left over show in
    it: both are what becomes of a stream in which bytes were lost, zeroed or cut. It costs 1 % of
    the time; what is doubtful, or of a kind for which this does not hold, is decoded once more.
    """
    rows = jpeg.rows
    if jpeg.process in _SEQUENTIAL:
        rows = -(-rows // _BLOCK) * _BLOCK + _BLOCK
    elif jpeg.process == _LOSSLESS:
        rows += 2
    is_simple = jpeg.samples == 1 and not jpeg.has_restarts and jpeg.rows < rows <= _MOST_ROWS
    decoded = _decode_rows(jpeg, rows if is_simple else jpeg.rows)
    if not is_simple or not _is_borne_out(jpeg, decoded):
        _check_strictly(jpeg)
        if is_simple and jpeg.process == _LOSSLESS:
            raise _damaged()  # libjpeg does not look at what its buffer of bits still holds
    decoded = decoded[: jpeg.rows]
    # Its steps are counted modulo 65,536; where one was changed, what follows leaves the range.
    if jpeg.process == _LOSSLESS and jpeg.bits < 16 and int(decoded.max()) >> jpeg.bits:
        raise _damaged()
    return decoded


def _decode_rows(jpeg: Jpeg, rows: int) -> NDArray[np.uint8 | np.uint16]:
    import imagecodecs

    head = bytearray(jpeg.head)
    struct.pack_into(">HH", head, jpeg.frame_at + 1, rows, jpeg.columns)
    # The boundary of decoding: imagecodecs raises its own errors for damaged streams, and
    # ValueError, TypeError or MemoryError for stranger ones.
    try:
        decoded = np.asarray(imagecodecs.jpeg8_decode(jpeg.stream_after(head)))
    except MemoryError:
        raise
    except Exception as error:
        raise _damaged() from error
    if decoded.dtype.kind != "u" or decoded.shape[:2] != (rows, jpeg.columns):
        raise _damaged()
    return decoded


def _is_borne_out(jpeg: Jpeg, decoded: NDArray[Any]) -> bool:
    grey = 1 << (jpeg.bits - 1)
    if jpeg.process != _LOSSLESS:
        first, others = decoded[-_BLOCK:, :_BLOCK].astype(np.int64), decoded[-_BLOCK:, _BLOCK:]
        if (first == grey).all() or not (others == grey).all():
            return False
        white = 2 * grey - 1
        return any(_is_shifted(first, pads, white) for pads in _decode_pads(jpeg, _BLOCK))
    above, below, last = decoded[-3].astype(np.int64), decoded[-2].astype(np.int64), decoded[-1]
    if (below == grey).all() or not (last == grey).all():
        return False
    steps = below - np.concatenate(
        [above[:1], _predict(jpeg.head[-3], below[:-1], above[1:], above[:-1])]
    )
    return _count_bits_left(jpeg, (steps + 0x8000 & 0xFFFF) - 0x8000) < 8


def _count_bits_left(jpeg: Jpeg, steps: NDArray[np.int64]) -> int:
    """Return how many bits, up to the last one that is 1, the symbols of a row were made of.

    After it come zeros without end: the symbol that the row ends with.
    """
    others = np.flatnonzero(steps != steps[-1])
    if not others.size:
        return 0
    if others.size > _PADS:
        return 8 * int(others.size)
    bits = "".join(_spell(jpeg, int(step)) for step in steps[: others[-1] + 1])
    bits = bits.rstrip("0")
    return len(bits) if "0" in bits or len(bits) > 2 * _PADS else 0  # a byte of pads harms nobody


def _spell(jpeg: Jpeg, step: int) -> str:
    """Return the bits of one step (H.1.2.2): the code of its length, and the number."""
    length = abs(step).bit_length()
    number = step if step > 0 else step + (1 << length) - 1
    code = _read_codes(jpeg.head, jpeg.head[-4] >> 4).get(length)
    if code is None:
        return "1" * 8  # not a symbol of this film
    return code + (format(number, f"0{length}b") if length and length < 16 else "")


@lru_cache(maxsize=1)
def _read_codes(head: bytes, table: int) -> dict[int, str]:
    """Return the code of each symbol of a DC table (C.2) as a string of bits."""
    at, codes = 2, dict[int, str]()
    while head[at + 1] != _SOS:
        end = at + 2 + int.from_bytes(head[at + 2 : at + 4], "big")
        start = at + 4
        while head[at + 1] == _DHT and start + 17 <= end:
            counts = head[start + 1 : start + 17]
            if head[start] == table:
                codes = _spell_codes(counts, head[start + 17 : end])
            start += 17 + sum(counts)
        at = end
    return codes


def _spell_codes(counts: bytes, symbols: bytes) -> dict[int, str]:
    codes, code, place = dict[int, str](), 0, 0
    for length, count in enumerate(counts, 1):
        for symbol in symbols[place : place + count]:
            codes[symbol] = format(code, f"0{length}b")
            code += 1
        place += count
        code <<= 1
    return codes


def _is_shifted(block: NDArray[np.int64], other: NDArray[np.int64], white: int) -> bool:
    """Tell whether a block is another one made darker or brighter, as far as the range shows it."""
    inside = (block > 0) & (block < white) & (other > 0) & (other < white)
    if not inside.any():
        return bool(block.min() == other.min() == 0 or block.max() == other.max() == white)
    return int(np.ptp((block - other)[inside])) <= _ROUNDING


def _decode_pads(jpeg: Jpeg, side: int) -> list[NDArray[np.int64]]:
    """Return what the bits that pad the last byte, none to seven ones, become: [side, side] each.

    Up to one number, from which the decoder goes on: here half of the range.
    """
    small = replace(jpeg, rows=side, columns=side, scan_at=0, end=1)
    tails = [bytes([0xFF00 >> count & 0xFF]) for count in range(8)]
    return [_decode_rows(replace(small, data=tail), side).astype(np.int64) for tail in tails]


def _predict(
    selector: int, left: NDArray[np.int64], above: NDArray[np.int64], corner: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Return what each sample of a lossless frame was predicted to be (H.1.2.1, table H.1)."""
    return {
        1: left,
        2: above,
        3: corner,
        4: left + above - corner,
        5: left + ((above - corner) >> 1),
        6: above + ((left - corner) >> 1),
        7: (left + above) >> 1,
    }.get(selector, corner * 0)


def _check_strictly(jpeg: Jpeg) -> None:
    """Decode as if there were 8 bits: how bits become coefficients does not depend on that."""
    head = bytearray(jpeg.head)
    head[jpeg.frame_at] = 8
    _decode_strictly(jpeg, bytes(head), _LARGEST_SCALE if jpeg.process in _DCT else 1)


def _truncated() -> UnreadableImage:
    return UnreadableImage(
        "The picture is cut off: its JPEG data end before the picture does; "
        "copy it again or export it again from its source.",
        ReasonCode.TRUNCATED,
    )


def _damaged() -> UnreadableImage:
    return UnreadableImage(
        "The picture is damaged: its JPEG data cannot be decoded without gaps; "
        "copy it again or export it again from its source.",
        ReasonCode.DAMAGED,
    )
