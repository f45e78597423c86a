"""Seeds for `benchmarks.hostile`: one film in every format, and what may happen to its bytes."""

from __future__ import annotations

import io
import struct
import tempfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import imagecodecs
import numpy as np
import pydicom
from numpy.typing import NDArray
from PIL import Image
from pydicom.encaps import generate_frames

from benchmarks.made_films import SYNTAXES, write_dicom
from examples.draw_phantom import Finding, draw_phantom

HARMS = ("bits", "bytes", "zeroed", "lost", "inserted", "cut", "ended", "repeated", "head")
"""What is done to a seed: `ended` cuts and puts an end mark, `head` changes its first bytes."""
_RUN = 400
_HEAD = 900


@dataclass(frozen=True, kw_only=True)
class Seed:
    """One sound film."""

    name: str
    suffix: str
    content: bytes


def make_seeds(film: Path | None, *, height: int) -> list[Seed]:
    """Return the film (else a drawn phantom) of `height` rows in every format that is read."""
    twelve = _load(film, height)
    eight = (twelve >> 4).astype(np.uint8)
    seeds = [_dicom(name, twelve, 12) for name in SYNTAXES]
    seeds.append(_dicom("jpeg_baseline", twelve >> 4, 8))
    seeds.append(_dicom("jpeg_extended", twelve, 12))
    seeds += [
        Seed(name="jpg", suffix=".jpg", content=_pillow(eight, "JPEG", quality=92)),
        Seed(name="jpg_progressive", suffix=".jpg", content=_pillow(eight, "JPEG", progressive=1)),
        Seed(name="jpg_colour", suffix=".jpg", content=_pillow(np.dstack([eight] * 3), "JPEG")),
        Seed(name="png8", suffix=".png", content=_pillow(eight, "PNG")),
        Seed(name="png16", suffix=".png", content=cv2.imencode(".png", twelve * 16)[1].tobytes()),
        Seed(name="bmp", suffix=".bmp", content=_pillow(eight, "BMP")),
        Seed(name="tiff_plain", suffix=".tif", content=_tiff(twelve * 16, 1)),
        Seed(name="tiff_lzw", suffix=".tif", content=_tiff(twelve * 16, 5)),
        Seed(name="tiff_deflate", suffix=".tif", content=_tiff(twelve * 16, 8)),
        Seed(name="tiff_packbits", suffix=".tif", content=_tiff(eight, 32773)),
    ]
    return seeds


def harm(content: bytes, rng: np.random.Generator) -> tuple[str, bytes]:
    """Return what was done, one of HARMS, and the content it was done to."""
    kind = HARMS[int(rng.integers(len(HARMS)))]
    data = bytearray(content)
    at = int(rng.integers(len(data)))
    length = int(rng.choice([1, 4, 40, _RUN, 4 * _RUN]))
    if kind in ("bits", "bytes", "head"):
        for _ in range(int(rng.integers(1, 5))):
            place = int(rng.integers(min(len(data), _HEAD) if kind == "head" else len(data)))
            if kind == "bytes":
                data[place] = int(rng.integers(256))
            else:
                data[place] ^= 1 << int(rng.integers(8))
    elif kind == "zeroed":
        data[at : at + length] = bytes(len(data[at : at + length]))
    elif kind == "lost":
        del data[at : at + length]
    elif kind == "inserted":
        data[at:at] = rng.bytes(length)
    elif kind == "repeated":
        data[at:at] = data[at : at + length]
    else:
        del data[max(1, at) :]
        if kind == "ended":
            data += b"\xff\xd9" + struct.pack("<HHI", 0xFFFE, 0xE0DD, 0)
    return kind, bytes(data)


def harm_frame(content: bytes, rng: np.random.Generator) -> tuple[str, bytes]:
    """Harm only the compressed frame of a DICOM film, and wrap it soundly again."""
    film = pydicom.dcmread(io.BytesIO(content))
    if not film.file_meta.TransferSyntaxUID.is_encapsulated:
        return harm(content, rng)
    frame = next(generate_frames(film.PixelData, number_of_frames=1)).rstrip(b"\0")
    kind, harmed = harm(frame, rng)
    film.PixelData = pydicom.encaps.encapsulate([harmed])
    film["PixelData"].is_undefined_length = True
    out = io.BytesIO()
    film.save_as(out)
    return f"frame {kind}", out.getvalue()


def _load(film: Path | None, height: int) -> NDArray[np.uint16]:
    if film is None:
        rng = np.random.default_rng(5)
        picture = draw_phantom(rng, height=height, width=height * 7 // 8, finding=Finding.NONE)
        picture = picture + rng.normal(0, 0.004, picture.shape)
    else:
        read = cv2.imread(str(film), cv2.IMREAD_GRAYSCALE)
        assert read is not None, f"{film} cannot be read"
        size = height * read.shape[1] // read.shape[0], height
        picture = cv2.resize(read, size, interpolation=cv2.INTER_CUBIC) / 255
        picture = picture + np.random.default_rng(5).normal(0, 0.003, picture.shape)
    return np.asarray(np.clip(picture, 0, 1) * 4095, dtype=np.uint16)


def _dicom(name: str, pixels: NDArray[np.uint16], bits: int) -> Seed:
    encoders: dict[str, Callable[[], bytes]] = {
        "jpeg_baseline": lambda: imagecodecs.jpeg8_encode(pixels.astype(np.uint8), level=92),
        "jpeg_extended": lambda: imagecodecs.jpeg8_encode(pixels, level=92, bitspersample=12),
    }
    uids = {"jpeg_baseline": "1.2.840.10008.1.2.4.50", "jpeg_extended": "1.2.840.10008.1.2.4.51"}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "film.dcm"
        write_dicom(path, pixels, name if name in SYNTAXES else "explicit", bits=bits)
        if name in encoders:
            film = pydicom.dcmread(path)
            film.file_meta.TransferSyntaxUID = pydicom.uid.UID(uids[name])
            if bits == 8:
                film.BitsAllocated = 8
            film.PixelData = pydicom.encaps.encapsulate([bytes(encoders[name]())])
            film["PixelData"].VR = "OB"
            film["PixelData"].is_undefined_length = True
            film.save_as(path)
        return Seed(name=name, suffix=".dcm", content=path.read_bytes())


def _pillow(pixels: NDArray[np.uint8], form: str, **options: int) -> bytes:
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, form, **options)
    return out.getvalue()


def _tiff(pixels: NDArray[np.uint8 | np.uint16], compression: int) -> bytes:
    pack: dict[int, Callable[[bytes], bytes]] = {
        1: bytes,
        5: lambda raw: bytes(imagecodecs.lzw_encode(raw)),
        8: zlib.compress,
        32773: lambda raw: bytes(imagecodecs.packbits_encode(raw)),
    }
    rows = 32
    strips = [
        pack[compression](pixels[top : top + rows].tobytes()) for top in range(0, len(pixels), rows)
    ]
    many, lengths = len(strips), [len(strip) for strip in strips]
    offsets = [8 + sum(lengths[:index]) for index in range(many)]
    at = 8 + sum(lengths)
    tables = at + 2 + 12 * 9 + 4
    entries = [(256, 1, pixels.shape[1]), (257, 1, len(pixels)), (258, 1, 8 * pixels.itemsize)]
    entries += [(259, 1, compression), (262, 1, 1), (273, many, tables), (277, 1, 1)]
    entries += [(278, 1, rows), (279, many, tables + 4 * many)]
    directory = b"".join(
        struct.pack("<HHII", tag, 4, count, value) for tag, count, value in entries
    )
    head = b"II*\0" + struct.pack("<I", at) + b"".join(strips) + struct.pack("<H", len(entries))
    return head + directory + bytes(4) + struct.pack(f"<{2 * many}I", *offsets, *lengths)
