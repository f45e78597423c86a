"""Films made for `--check`: a chest-like picture, written in every way that can be read here.

Nothing is drawn from a patient. DICOM is written by hand (PS3.5 A.2, explicit little endian): the
few elements a film needs, without loading pydicom's writer.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import imagecodecs
import numpy as np
from numpy.typing import NDArray

from edge_infer.films.dicom.syntax import TransferSyntax
from edge_infer.pc.native_code import import_opencv

BITS: Final = 12
_DIGITAL_X_RAY = "1.2.840.10008.5.1.4.1.1.1"

Pixels = NDArray[np.uint16]


@dataclass(frozen=True, kw_only=True)
class Kind:
    """One way of storing a film."""

    name: str
    """As in the report."""
    encode: Callable[[Pixels], bytes]
    """Turns [H, W] of 12 bits into the bytes of a file."""
    is_lossy: bool = False


def draw_film(height: int, width: int, *, noise: float = 8.0) -> Pixels:
    """Return [height, width] of 12 bits, 0..4095: a trunk, two lungs, ribs, and sensor noise.

    Noise with a standard deviation of 8 of 4095 is what detectors have; without it a lossless codec
    would look two to five times as fast as it is.
    """
    rows = np.linspace(-1, 1, height, dtype=np.float32)[:, None]
    columns = np.linspace(-1, 1, width, dtype=np.float32)[None, :]
    picture = 3000 - 900 * (rows**2 + columns**2)
    for centre in (-0.42, 0.42):
        lung = ((columns - centre) / 0.34) ** 2 + (rows / 0.78) ** 2
        ribs = 120 * np.sin(rows * 34 + 6 * columns**2)
        picture -= np.where(lung < 1, (1500 + ribs) * np.sqrt(np.maximum(1 - lung, 0)), 0)
    picture += np.random.default_rng(7).normal(0, noise, (height, width)).astype(np.float32)
    return picture.clip(0, 4095).astype(np.uint16)


def all_kinds() -> tuple[Kind, ...]:
    """Return every kind of file that can be read, the syntaxes of DICOM first."""
    syntax = TransferSyntax
    native = (syntax.IMPLICIT_LITTLE, syntax.EXPLICIT_LITTLE, syntax.EXPLICIT_BIG, syntax.DEFLATED)
    dicoms = [Kind(name=_name(one), encode=_dicom(one, None)) for one in native]
    for one, encode, is_lossy in (
        (syntax.RLE, _encode_rle, False),
        (syntax.JPEG_BASELINE, _encode_jpeg8, True),
        (syntax.JPEG_EXTENDED, lambda film: imagecodecs.jpeg8_encode(film, 95, **_12_BITS), True),
        (syntax.JPEG_LOSSLESS, _lossless_jpeg(7), False),
        (syntax.JPEG_LOSSLESS_SV1, _lossless_jpeg(1), False),
        (syntax.JPEG_LS_LOSSLESS, imagecodecs.jpegls_encode, False),
        (syntax.JPEG_LS_NEAR_LOSSLESS, lambda film: imagecodecs.jpegls_encode(film, 2), True),
        (syntax.JPEG_2000_LOSSLESS, _jpeg_2000(0), False),
        (syntax.JPEG_2000, _jpeg_2000(60), True),
        (syntax.HTJ2K_LOSSLESS, _htj2k_lossless, False),
        (syntax.HTJ2K_LOSSLESS_RPCL, _htj2k_lossless, False),
        (syntax.HTJ2K, lambda film: imagecodecs.htj2k_encode(film, 0.0005, reversible=False), True),
    ):
        dicoms.append(Kind(name=_name(one), encode=_dicom(one, encode), is_lossy=is_lossy))
    return (
        *dicoms,
        Kind(name="PNG, 16 bit", encode=lambda film: _with_opencv(".png", film << 4)),
        Kind(name="JPEG", encode=_encode_jpeg8, is_lossy=True),
        Kind(name="TIFF, 16 bit", encode=lambda film: _with_opencv(".tiff", film << 4)),
        Kind(name="BMP", encode=lambda film: _with_opencv(".bmp", _to_8(film)), is_lossy=True),
    )


_12_BITS: Final[dict[str, Any]] = {"bitspersample": BITS}


def _name(syntax: TransferSyntax) -> str:
    return "DICOM " + syntax.name.lower().replace("_", " ")


def _dicom(
    syntax: TransferSyntax, encode: Callable[[Pixels], bytes] | None
) -> Callable[[Pixels], bytes]:
    """Return what writes a film as DICOM in `syntax`; `encode` makes the codestream."""

    def write(film: Pixels) -> bytes:
        meta = _element(0x00020010, "UI", syntax.uid.encode())
        start = b"\0" * 128 + b"DICM" + _element(0x00020000, "UL", struct.pack("<I", len(meta)))
        body = _dataset(syntax, film, None if encode is None else bytes(encode(film)))
        if syntax is TransferSyntax.DEFLATED:
            deflater = zlib.compressobj(6, zlib.DEFLATED, -zlib.MAX_WBITS)
            body = deflater.compress(body) + deflater.flush()
        return start + meta + body

    return write


def _dataset(syntax: TransferSyntax, film: Pixels, codestream: bytes | None) -> bytes:
    order = "<" if syntax.is_little_endian else ">"
    bits = 8 if syntax is TransferSyntax.JPEG_BASELINE else BITS
    texts: dict[int, tuple[str, str]] = {
        0x00080016: ("UI", _DIGITAL_X_RAY),
        0x00080060: ("CS", "DX"),
        0x00180015: ("CS", "CHEST"),
        0x00185101: ("CS", "PA"),
        0x00280004: ("CS", "MONOCHROME2"),
    }
    allocated = 8 if bits == 8 else 16
    numbers = {0x00280002: 1, 0x00280010: film.shape[0], 0x00280011: film.shape[1]}
    numbers |= {0x00280100: allocated, 0x00280101: bits, 0x00280102: bits - 1, 0x00280103: 0}
    elements = {tag: (vr, text.encode()) for tag, (vr, text) in texts.items()}
    elements |= {tag: ("US", struct.pack(f"{order}H", value)) for tag, value in numbers.items()}
    head = b"".join(
        _element(tag, vr, value, order=order, is_implicit=syntax.is_implicit)
        for tag, (vr, value) in sorted(elements.items())
    )
    if codestream is None:
        value = film.astype(f"{order}u2").tobytes()
        return head + _element(0x7FE00010, "OW", value, order=order, is_implicit=syntax.is_implicit)
    codestream += b"\0" * (len(codestream) % 2)
    start = struct.pack("<HH2sHI", 0x7FE0, 0x0010, b"OB", 0, 0xFFFFFFFF)
    table = struct.pack("<HHI", 0xFFFE, 0xE000, 0)
    item = struct.pack("<HHI", 0xFFFE, 0xE000, len(codestream)) + codestream
    return head + start + table + item + struct.pack("<HHI", 0xFFFE, 0xE0DD, 0)


def _element(
    tag: int, vr: str, value: bytes, *, order: str = "<", is_implicit: bool = False
) -> bytes:
    value += (b"\0" if vr == "UI" else b" ") * (len(value) % 2)
    place = struct.pack(f"{order}HH", tag >> 16, tag & 0xFFFF)
    if is_implicit:
        return place + struct.pack("<I", len(value)) + value
    if vr == "OW":
        return place + b"OW\0\0" + struct.pack(f"{order}I", len(value)) + value
    return place + vr.encode() + struct.pack(f"{order}H", len(value)) + value


def _encode_rle(film: Pixels) -> bytes:
    """Write the segments of PS3.5 Annex G: the high bytes, then the low ones."""
    segments = []
    for plane in ((film >> 8).astype(np.uint8), (film & 0xFF).astype(np.uint8)):
        packed = bytes(imagecodecs.packbits_encode(plane))
        segments.append(packed + b"\0" * (len(packed) % 2))
    header = struct.pack("<16I", 2, 64, 64 + len(segments[0]), *([0] * 13))
    return header + b"".join(segments)


def _encode_jpeg8(film: Pixels) -> bytes:
    return bytes(imagecodecs.jpeg8_encode(_to_8(film), 95))


def _lossless_jpeg(predictor: int) -> Callable[[Pixels], bytes]:
    return lambda film: bytes(
        imagecodecs.jpeg8_encode(film, lossless=True, predictor=predictor, **_12_BITS)
    )


def _jpeg_2000(level: int) -> Callable[[Pixels], bytes]:
    """Return the encoder; level 0 is lossless, others are a signal-to-noise ratio in dB."""
    return lambda film: bytes(
        imagecodecs.jpeg2k_encode(
            film, level=level, codecformat="J2K", reversible=level == 0, **_12_BITS
        )
    )


def _htj2k_lossless(film: Pixels) -> bytes:
    return bytes(imagecodecs.htj2k_encode(film, reversible=True))


def _with_opencv(suffix: str, film: NDArray[Any]) -> bytes:
    encoded, data = import_opencv().imencode(suffix, film)
    assert encoded, "a grey picture can be written in every format"
    return bytes(data)


def _to_8(film: Pixels) -> NDArray[np.uint8]:
    return (film >> (BITS - 8)).astype(np.uint8)
