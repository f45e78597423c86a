"""JPEG 2000 and HTJ2K codestreams: their header, and decoding at a lower resolution.

A codestream of L levels holds the film at 1/2, 1/4 ... 1/2**L of its sides, and lower ones decode
without the higher: 2500 x 2048 in 12 bits took 460 ms whole, 114, 30 and 9 ms at 1/2, 1/4, 1/8
(HTJ2K 55, 22, 6, 2). OpenJPEG does it for both; imagecodecs does not offer its resolutions, Pillow
(same OpenJPEG 2.5) does. OpenJPH would need a quarter of the time for HTJ2K, but returns memory as
it found it for damaged streams.

What is left to decode is mostly noise: bit planes below the film's own, which cost the most and
which the network's area means remove. They are left out of losslessly compressed films, see
`_count_noise_planes`: a third of the remaining time.
"""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass, replace
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from edge_infer.errors import ReasonCode, UnreadableImage

_START = b"\xff\x4f\xff\x51"
"""SOC and SIZ, which follow each other."""
_COD, _QCD, _SOT, _EOC = 0xFF52, 0xFF5C, 0xFF90, 0xFFD9
_NOT_FOR_ALL = frozenset({0xFF50, 0xFF53, 0xFF5D, 0xFF5E, 0xFF5F})
"""CAP (HTJ2K), COC, QCC, RGN, POC: where one of them is, the main COD and QCD do not say all."""
_NOISE_BITS = 2.3
"""What noise of one step takes a pixel: log2(sqrt(2 pi e)) = 2.05, and the coder's own share."""
_DEPTH_AT = 42
"""Where a grey codestream states its depth (SIZ)."""
_SMALLEST_PART = 14
"""Bytes of a tile-part that holds nothing: SOT and SOD."""
_MOST_TILES = 65535
_PARTS = 128
_TAPS = {
    True: ((-7, 105, 35, -5), (-8, 89, 54, -7), (-8, 81, 63, -8), (-8, 77, 67, -8)),
    False: ((-18, 124, 31, -9), (-19, 105, 56, -14), (-19, 94, 69, -16), (-18, 88, 75, -17)),
}
"""Of _PARTS, for the samples before, at, after and after that of each new one; by whether the
wavelet is the reversible 5/3, then for 1/2, 1/4, 1/8, 1/16. See `_recentre`."""
_MOST_REDUCTION = len(_TAPS[True])


@dataclass(frozen=True, kw_only=True)
class Jpeg2000Header:
    """The SIZ segment (ISO 15444-1 A.5.1)."""

    rows: int
    columns: int
    samples: int
    bits: int
    is_signed: bool


def read_jpeg_2000_header(data: bytes) -> Jpeg2000Header:
    """Read size and depth, also of a codestream wrapped as a JP2 file.

    Raises ValueError, IndexError or struct.error where they cannot be read.
    """
    at = data.index(_START) + 8
    right, bottom, left, top = struct.unpack_from(">IIII", data, at)
    (samples,) = struct.unpack_from(">H", data, at + 32)
    components = [tuple(data[at + 34 + 3 * i : at + 37 + 3 * i]) for i in range(min(samples, 4))]
    depth = components[0][0]
    if any(component != (depth, 1, 1) for component in components):
        raise ValueError("components of different size or depth")
    return Jpeg2000Header(
        rows=bottom - top,
        columns=right - left,
        samples=samples,
        bits=(depth & 0x7F) + 1,
        is_signed=bool(depth >> 7),
    )


def decode_reduced(data: bytes, factor: int) -> tuple[NDArray[np.uint8 | np.uint16], int] | None:
    """Return a grey film's patterns at a lower resolution with the scale, or None.

    The scale is the largest power of two that is at most `factor` and that the codestream holds;
    the patterns are [ceil(H / scale), ceil(W / scale)], two's complement where signed. None where
    there is nothing to gain, or anything unusual: the whole decoder then decides what the file is.
    """
    # Whatever goes wrong here, the whole decoder goes over the same bytes and names it.
    try:
        data = data[data.index(_START) :]
        header = read_jpeg_2000_header(data)
        coding = _read_coding(data)
        reduction = min(coding.levels, factor.bit_length() - 1, _MOST_REDUCTION)
        if header.samples != 1 or not 2 <= header.bits <= 16 or not reduction:
            return None
        grey = _decode_most_planes(data, header, coding, reduction)
        grey = _decode(io.BytesIO(data), header, reduction) if grey is None else grey
    except Exception:  # noqa: BLE001
        return None
    grey = _recentre(grey, reduction, header.bits, is_reversible=coding.is_reversible)
    kind = grey.dtype.type
    return grey ^ kind(1 << (header.bits - 1)) if header.is_signed else grey, 1 << reduction


def _decode_most_planes(
    data: bytes, header: Jpeg2000Header, coding: _Coding, reduction: int
) -> NDArray[np.uint8 | np.uint16] | None:
    """Decode without the bit planes of noise; None where there are none, or the decoder objects.

    With the exponents that say how many planes the bands have lowered by `planes`, and the
    precision with them, the decoder stops so many planes early and gives the film in fewer bits.
    """
    planes = _count_noise_planes(data, header, coding)
    if not planes:
        return None
    head = bytearray(data[: coding.end])
    head[_DEPTH_AT] -= planes
    for at in coding.exponents:
        head[at] -= planes << 3
    fewer = replace(header, bits=header.bits - planes)
    try:
        grey = _decode(_OtherHead(data, bytes(head)), fewer, reduction)
    except Exception:  # noqa: BLE001 - the film as it is, is still to be tried
        return None
    return np.asarray(_widen(fewer.bits, planes, coding.levels - reduction)[grey])


class _OtherHead(io.BytesIO):
    """A stream of `data` with another beginning, as long as its own; nothing is copied."""

    def __init__(self, data: bytes, head: bytes) -> None:
        super().__init__(data)
        self._head = head

    def read(self, size: int | None = -1, /) -> bytes:
        start = self.tell()
        found = super().read(size)
        changed = self._head[start : start + len(found)]
        return changed + found[len(changed) :] if changed else found


def _widen(bits: int, planes: int, levels: int) -> NDArray[np.uint8 | np.uint16]:
    """Return what each value of a film without its lowest `planes` had been, on average.

    Where there is noise, each of the `levels` put together has rounded down by half a step, and the
    coarsest band towards the middle grey.
    """
    lost = (1 << planes) - 1
    values = np.arange(1 << bits, dtype=np.int64) << planes
    middle = 1 << (bits + planes - 1)
    values[1:] += np.where(values[1:] >= middle, (levels + 1) * lost, (levels - 1) * lost) // 2
    kind = np.uint8 if bits + planes <= 8 else np.uint16
    return np.asarray(np.clip(values, 0, 2 * middle - 1), dtype=kind)


def _count_noise_planes(data: bytes, header: Jpeg2000Header, coding: _Coding) -> int:
    """Return how many of the lowest bit planes a film can do without.

    A film compressed without loss cannot be smaller than its noise, so its size says how large that
    is at most; planes of up to half of it are left out. Where detail, not noise, fills the file,
    the film is still known to half of what two neighbouring pixels differ by. With noise of 16 of
    4095 two planes go, and the network's input is off by 0.51 grey levels (RMS) instead of 0.40.
    """
    if not coding.exponents or not coding.is_reversible:
        return 0
    size = len(data) - coding.end
    noise = 8 * size / (header.rows * header.columns) - _NOISE_BITS
    return max(0, min(int(noise) - 1, header.bits - 2, *(data[at] >> 3 for at in coding.exponents)))


def _decode(
    data: BinaryIO, header: Jpeg2000Header, reduction: int
) -> NDArray[np.uint8 | np.uint16]:
    from PIL.Jpeg2KImagePlugin import Jpeg2KImageFile

    scale = 1 << reduction
    rows, columns = -(-header.rows // scale), -(-header.columns // scale)
    with Jpeg2KImageFile(data) as image:
        # Pillow rounds the reduced sides to the nearest, OpenJPEG up, and one pixel less is an
        # error: a size that divides evenly makes both agree.
        image._size = (columns * scale, rows * scale)
        image.reduce = reduction
        image.load()
        grey: NDArray[np.uint8 | np.uint16] = np.asarray(image)
    if grey.shape != (rows, columns) or grey.dtype != (np.uint8 if header.bits <= 8 else np.uint16):
        raise ValueError("decoded to another size")
    # Pillow shifts samples up to 8 or 16 bits, and makes signed ones positive.
    return np.asarray(grey >> grey.dtype.type(8 * grey.dtype.itemsize - header.bits))


def _recentre(
    grey: NDArray[np.uint8 | np.uint16], reduction: int, bits: int, *, is_reversible: bool
) -> NDArray[np.uint8 | np.uint16]:
    """Turn the samples of a lower resolution into what block means show.

    The wavelet's low-pass filter is centred on every `scale`-th pixel, so the picture lies half a
    block up and to the left; and it is not as wide as a block: that of the 9/7 wavelet is wider,
    that of the 5/3 narrower than nothing. Mixing four neighbours puts both right: the 5/3 needs the
    cubic through them, the 9/7 a sharper mix (variance -0.3 (1 - 1/4**reduction); both agree within
    0.02 with the best mix for random films). Against the exact path, in grey levels of the
    network's input (RMS, 2500 x 2048 at 1/4): 0.36 and 0.35; mixing two neighbours 0.67 and 1.2.
    """
    taps = _TAPS[is_reversible][reduction - 1]
    wide = np.pad(grey, (1, 2), mode="edge").astype(np.int32)
    rows, columns = grey.shape
    down = _mix([wide[start : start + rows] for start in range(len(taps))], taps)
    right = _mix([down[:, start : start + columns] for start in range(len(taps))], taps)
    right += _PARTS**2 // 2
    right >>= 2 * (_PARTS.bit_length() - 1)
    return np.clip(right, 0, (1 << bits) - 1, out=right).astype(grey.dtype)


def _mix(neighbours: list[NDArray[np.int32]], taps: tuple[int, ...]) -> NDArray[np.int32]:
    """Return the weighted sum; of two passes over 16 bits at most 1.65 * _PARTS**2, which fits."""
    mixed = neighbours[0] * np.int32(taps[0])
    for values, tap in zip(neighbours[1:], taps[1:], strict=True):
        mixed += values * np.int32(tap)
    return mixed


@dataclass(frozen=True, kw_only=True)
class _Coding:
    """What COD and QCD say (A.6.1, A.6.4)."""

    levels: int
    is_reversible: bool
    exponents: tuple[int, ...]
    """Where in the codestream the exponents of the bands are; empty unless they are of all there is
    and nothing is quantised."""
    end: int
    """Where the main header ends."""


def _read_coding(data: bytes) -> _Coding:
    levels, is_reversible, is_simple = 0, False, True
    exponents = range(0)
    at = 2
    while (marker := struct.unpack_from(">H", data, at)[0]) != _SOT:
        (length,) = struct.unpack_from(">H", data, at + 2)
        if marker == _COD:
            levels, is_reversible = data[at + 9], data[at + 13] == 1
        elif marker == _QCD and data[at + 4] & 31 == 0:
            exponents = range(at + 5, at + 2 + length)
        elif marker in _NOT_FOR_ALL:
            is_simple = False
        at += 2 + int(length)
    return _Coding(
        levels=levels,
        is_reversible=is_reversible,
        exponents=tuple(exponents) if is_simple and len(exponents) == 3 * levels + 1 else (),
        end=at,
    )


def complete_jpeg_2000(data: bytes) -> bytes:
    """Return the codestream alone, ended where its last tile-part ends (A.4.2).

    OpenJPEG leaves a missing tile black, and refuses what some writers put between the last
    tile-part and the end mark. A missing end mark is put there. Raises UnreadableImage: TRUNCATED
    where a tile, or a part of one, is not there; DAMAGED where the parts do not follow each other.
    """
    try:
        start = data.index(_START)
        end = _find_end(data, start)
    except (struct.error, IndexError) as error:
        raise _truncated() from error
    except (ValueError, ZeroDivisionError) as error:
        raise _damaged() from error
    ended = _EOC.to_bytes(2, "big")
    if start == 0 and data[end:] in (ended, ended + b"\0"):
        return data  # as it is, but for what makes its length even: several MB need no copy
    return data[start:end] + ended


def _find_end(data: bytes, start: int) -> int:
    """Return where the last tile-part ends; raises IndexError where there is less than is due."""
    due = _count_tiles(data, start)
    at, end = start + 2, 0
    found, stated = dict[int, int](), dict[int, int]()  # tile-parts by tile
    while at + 2 <= len(data) and (marker := struct.unpack_from(">H", data, at)[0]) != _EOC:
        if marker == _SOT:
            tile, length, part, count = struct.unpack_from(">HIBB", data, at + 4)
            found[tile] = found.get(tile, 0) + 1
            stated[tile] = max(stated.get(tile, 1), count, part + 1)
            if length == 0:  # up to the end mark
                end = data.rfind(_EOC.to_bytes(2, "big"), at)
                break
            if tile >= due or length < _SMALLEST_PART:
                raise ValueError("a tile-part that cannot be")
            at = end = at + length
        elif end and (marker >> 8 == 0 or marker == 0xFFFF):  # padding
            at += 1
        elif marker >> 8 == 0xFF:
            at += 2 + int(struct.unpack_from(">H", data, at + 2)[0])
        else:
            raise ValueError("something other than a tile-part where one is due")
    if not 0 < end <= len(data) or len(found) < due or found != stated:
        raise IndexError("a tile, or its end, is missing")
    return end


def _count_tiles(data: bytes, start: int) -> int:
    right, bottom, _, _, width, height, left, top = struct.unpack_from(">IIIIIIII", data, start + 8)
    due = int(-(-(right - left) // width) * -(-(bottom - top) // height))
    if not 0 < due <= _MOST_TILES:
        raise ValueError("an impossible number of tiles")
    return due


def _truncated() -> UnreadableImage:
    return UnreadableImage(
        "The picture is cut off: its JPEG 2000 data end before the picture does; "
        "copy it again or export it again from its source.",
        ReasonCode.TRUNCATED,
    )


def _damaged() -> UnreadableImage:
    return UnreadableImage(
        "The picture is damaged: its JPEG 2000 data cannot be decoded without gaps; "
        "copy it again or export it again from its source.",
        ReasonCode.DAMAGED,
    )
