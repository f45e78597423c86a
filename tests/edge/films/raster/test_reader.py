"""Raster films: every variant to hand-computed grey, and never half a picture."""

from __future__ import annotations

import contextlib
import struct
from pathlib import Path
from typing import Any

import cv2
import imagecodecs
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from edge_infer.errors import ImageError, ReasonCode, UnreadableImage, UnsupportedImage
from edge_infer.films.radiograph import Radiograph
from edge_infer.films.read import read_radiograph
from edge_infer.films.study import InputType
from tests.edge.films.raster.raster_files import make_png, make_tiff, png_chunk
from tests.shared_data import shared_data

RAMP = np.tile(np.arange(192, dtype=np.uint8), (130, 1))
"""[130, 192], 0 at the left to 191 at the right."""
RAMP16 = RAMP.astype(np.uint16) * 300
FULL = RAMP.astype(np.uint16) * 257
EXIF_TURN_RIGHT = b"MM\0*\0\0\0\x08\0\x01" + struct.pack(">HHIHH", 0x0112, 3, 1, 6, 0) + bytes(4)
NOISE = cv2.GaussianBlur(
    np.random.default_rng(7).integers(0, 256, (256, 192), dtype=np.uint8), (0, 0), 3
)


def encode(pixels: NDArray[Any], suffix: str, *options: int) -> bytes:
    done, encoded = cv2.imencode(suffix, pixels, options)
    assert done
    return encoded.tobytes()


def read(data: bytes, folder: Path) -> Radiograph:
    path = folder / "film.img"
    path.write_bytes(data)
    film = read_radiograph(path)
    assert film.pixels.dtype == np.uint16
    assert film.pixels.ndim == 2
    return film


def refuse(data: bytes, folder: Path) -> ImageError:
    with pytest.raises(ImageError) as caught:
        read(data, folder)
    assert caught.value.study is not None
    assert caught.value.study.input_type is InputType.RASTER
    assert str(caught.value).endswith(".")
    return caught.value


def stack(*channels: NDArray[Any]) -> NDArray[Any]:
    return np.dstack(channels)


def as_bytes(pixels: NDArray[np.uint16]) -> NDArray[np.uint8]:
    return pixels.astype(">u2").view(np.uint8).reshape(len(pixels), -1)


def with_exif(jpeg: bytes) -> bytes:
    block = b"Exif\0\0" + EXIF_TURN_RIGHT
    return jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(block) + 2) + block + jpeg[2:]


HALF_ALPHA = np.full_like(RAMP, 128)
PALETTE = png_chunk(b"PLTE", b"".join(bytes([255 - i] * 3) for i in range(256)))
GREY_ALPHA = stack(RAMP, HALF_ALPHA).reshape(130, -1)
HALVED = ((RAMP.astype(np.uint32) * 128 + 127) // 255).astype(np.uint16) * 257

EXACT: dict[str, tuple[bytes, NDArray[Any]]] = {
    "png grey 8": (encode(RAMP, ".png"), FULL),
    "png grey 16": (encode(RAMP16, ".png"), RAMP16),
    "png 12 bits in 16": (
        encode(RAMP16 // 16, ".png"),
        ((RAMP16 // 16).astype(np.int64) * 65535 + 2047) // 4095,
    ),
    "png rgb 8": (encode(stack(RAMP, RAMP, RAMP), ".png"), FULL),
    "png rgb 16": (encode(stack(RAMP16, RAMP16, RAMP16), ".png"), RAMP16),
    "png rgba": (encode(stack(RAMP, RAMP, RAMP, HALF_ALPHA), ".png"), HALVED),
    "png grey alpha": (make_png(GREY_ALPHA, width=192, bits=8, colour_type=4), HALVED),
    "png palette": (
        make_png(RAMP, width=192, bits=8, colour_type=3, extra=PALETTE),
        (255 - RAMP).astype(np.uint16) * 257,
    ),
    "png grey 4": (
        make_png(
            ((RAMP[:, ::2] & 0xF0) | (RAMP[:, 1::2] >> 4)).astype(np.uint8),
            width=192,
            bits=4,
            colour_type=0,
        ),
        (RAMP // 16 * 17).astype(np.uint16) * 257,
    ),
    "png grey 1": (
        make_png(np.packbits(RAMP > 90, axis=1), width=192, bits=1, colour_type=0),
        (RAMP > 90).astype(np.uint16) * 65535,
    ),
    "png turned by eXIf": (
        make_png(
            as_bytes(RAMP16),
            width=192,
            bits=16,
            colour_type=0,
            extra=png_chunk(b"eXIf", EXIF_TURN_RIGHT),
        ),
        np.rot90(RAMP16, -1),
    ),
    "bmp 8": (encode(RAMP, ".bmp"), FULL),
    "bmp, padded": (encode(RAMP, ".bmp") + bytes(512), FULL),
    "bmp 24": (encode(stack(RAMP, RAMP, RAMP), ".bmp"), FULL),
    "bmp 32, padding 0": (encode(stack(RAMP, RAMP, RAMP, RAMP * 0), ".bmp"), FULL),
    "tiff 8": (make_tiff(RAMP), FULL),
    "tiff 16 big endian": (make_tiff(RAMP16, order=">"), RAMP16),
    "tiff lzw": (encode(RAMP16, ".tif"), RAMP16),
    "tiff rgb": (make_tiff(stack(RAMP, RAMP, RAMP), photometric=2), FULL),
    "tiff white is zero": (make_tiff(255 - RAMP, photometric=0), FULL),
    "tiff 16 white is zero": (make_tiff(65535 - RAMP16, photometric=0), RAMP16),
    "tiff turned": (make_tiff(RAMP, tags={274: (3,)}), FULL[::-1, ::-1]),
    "tiff with alpha": (
        make_tiff(stack(RAMP, RAMP, RAMP, HALF_ALPHA), photometric=2, tags={338: (2,)}),
        HALVED,
    ),
    "tiff 16 with alpha": (
        make_tiff(
            stack(RAMP16, RAMP16, RAMP16, RAMP16 * 0 + 65535 // 3),
            photometric=2,
            tags={338: (2,)},
        ),
        RAMP16 // 3,
    ),
}


@pytest.mark.parametrize("name", EXACT)
def test_reads_to_the_grey_it_shows(name: str, tmp_path: Path) -> None:
    data, expected = EXACT[name]
    film = read(data, tmp_path)
    np.testing.assert_array_equal(film.pixels, expected)
    assert film.pixel_aspect == 1.0
    assert film.study.input_type is InputType.RASTER
    assert film.study.modality == ""


CMYK = imagecodecs.jpeg8_encode(
    np.ascontiguousarray(stack(*[np.full_like(RAMP, 255)] * 3, RAMP)),
    level=98,
    colorspace="CMYK",
    outcolorspace="CMYK",
)
NEAR: dict[str, tuple[bytes, NDArray[Any]]] = {
    "jpeg grey": (encode(RAMP, ".jpg"), FULL),
    "jpeg colour": (encode(stack(RAMP, RAMP, RAMP), ".jpg"), FULL),
    "jpeg chroma noise": (encode(stack(RAMP, RAMP + 2, RAMP + 1), ".jpg"), FULL),
    "jpeg progressive": (encode(RAMP, ".jpg", cv2.IMWRITE_JPEG_PROGRESSIVE, 1), FULL),
    "jpeg cmyk": (CMYK, FULL),
    "jpeg turned": (with_exif(encode(RAMP, ".jpg")), np.rot90(FULL, -1)),
    "jpeg, then rubbish": (encode(RAMP, ".jpg") + b"rubbish" * 99, FULL),
}


@pytest.mark.parametrize("name", NEAR)
def test_reads_jpeg_to_about_the_grey_it_shows(name: str, tmp_path: Path) -> None:
    data, expected = NEAR[name]
    film = read(data, tmp_path)
    difference = np.abs(film.pixels.astype(int) - expected)
    assert difference.max() <= 6 * 257


def test_a_jpeg_whose_corner_is_middle_grey_is_whole(tmp_path: Path) -> None:
    pixels = NOISE.copy()
    pixels[-64:, -64:] = 128
    assert read(encode(pixels, ".jpg"), tmp_path).pixels[-1, -1] == 128 * 257


def test_opens_names_in_any_language(tmp_path: Path) -> None:
    path = tmp_path / "김 영희 – grudź.png"
    path.write_bytes(encode(RAMP, ".png"))
    np.testing.assert_array_equal(read_radiograph(path).pixels, FULL)


HALF_JPEG = encode(NOISE, ".jpg")
HALF_JPEG = HALF_JPEG[: len(HALF_JPEG) // 2]
FLIPPED = bytearray(encode(NOISE, ".png"))
FLIPPED[len(FLIPPED) // 2] ^= 0xFF
HUGE_TIFF = make_tiff(RAMP, tags={256: (60_000,), 257: (60_000,)})
HUGE_BMP = bytearray(encode(RAMP, ".bmp"))
HUGE_BMP[18:26] = struct.pack("<ii", 60_000, -60_000)
HUGE_JPEG = encode(RAMP, ".jpg").replace(
    struct.pack(">BHH", 8, 130, 192), struct.pack(">BHH", 8, 60_000, 60_000)
)

REFUSED: dict[str, tuple[bytes, type[ImageError], ReasonCode]] = {
    "png cut": (encode(NOISE, ".png")[:9000], UnreadableImage, ReasonCode.TRUNCATED),
    "png head": (encode(NOISE, ".png")[:20], UnreadableImage, ReasonCode.TRUNCATED),
    "png without its end": (encode(NOISE, ".png")[:-12], UnreadableImage, ReasonCode.TRUNCATED),
    "png, one byte wrong": (bytes(FLIPPED), UnreadableImage, ReasonCode.DAMAGED),
    "png, rows missing": (
        make_png(RAMP, width=192, bits=8, colour_type=0)[:8]
        + make_png(RAMP[:40], width=192, bits=8, colour_type=0)[8:].replace(
            make_png(RAMP[:40], width=192, bits=8, colour_type=0)[8:33],
            make_png(RAMP, width=192, bits=8, colour_type=0)[8:33],
        ),
        UnreadableImage,
        ReasonCode.DAMAGED,
    ),
    "png animated": (
        make_png(
            RAMP,
            width=192,
            bits=8,
            colour_type=0,
            extra=png_chunk(b"acTL", struct.pack(">II", 3, 0)),
        ),
        UnsupportedImage,
        ReasonCode.SEVERAL_FRAMES,
    ),
    "jpeg cut": (HALF_JPEG, UnreadableImage, ReasonCode.TRUNCATED),
    "jpeg cut, end marker added": (
        HALF_JPEG + b"\xff\xd9",
        UnreadableImage,
        ReasonCode.TRUNCATED,
    ),
    "jpeg head": (encode(RAMP, ".jpg")[:100], UnreadableImage, ReasonCode.TRUNCATED),
    "jpeg without a picture": (b"\xff\xd8\xff\xd9", UnreadableImage, ReasonCode.DAMAGED),
    "jpeg of 12 bits": (
        imagecodecs.jpeg8_encode(RAMP16 // 16, bitspersample=12),
        UnreadableImage,
        ReasonCode.NO_DECODER,
    ),
    "tiff cut": (make_tiff(RAMP)[:9000], UnreadableImage, ReasonCode.TRUNCATED),
    "tiff lzw cut": (encode(NOISE, ".tif")[:9000], UnreadableImage, ReasonCode.TRUNCATED),
    "tiff strip beyond the end": (
        make_tiff(RAMP, tags={273: (9000,)}),
        UnreadableImage,
        ReasonCode.TRUNCATED,
    ),
    "tiff of two films": (
        make_tiff(RAMP, pages=2),
        UnsupportedImage,
        ReasonCode.SEVERAL_FRAMES,
    ),
    "tiff of floats": (
        make_tiff(RAMP.astype(np.float32), tags={339: (3,)}),
        UnreadableImage,
        ReasonCode.NO_DECODER,
    ),
    "big tiff": (b"II+\x00\x08\x00" + bytes(60), UnreadableImage, ReasonCode.NO_DECODER),
    "bmp cut": (encode(RAMP, ".bmp")[:9000], UnreadableImage, ReasonCode.TRUNCATED),
    "bmp with bytes put in": (
        encode(RAMP, ".bmp")[:9000] + b"\7" * 40 + encode(RAMP, ".bmp")[9000:],
        *(UnreadableImage, ReasonCode.DAMAGED),
    ),
    "colour": (
        encode(stack(RAMP, RAMP // 2, RAMP), ".png"),
        UnsupportedImage,
        ReasonCode.COLOUR,
    ),
    "small": (encode(RAMP[:127], ".png"), UnsupportedImage, ReasonCode.TOO_SMALL),
    "blank": (encode(RAMP * 0 + 9, ".png"), UnsupportedImage, ReasonCode.BLANK),
    "huge png": (
        make_png(RAMP, width=60_000, bits=8, colour_type=0).replace(b"\0\0\0\x82", b"\0\1\0\0"),
        UnreadableImage,
        ReasonCode.DAMAGED,  # its checksum is wrong, so its size need not be believed
    ),
    "huge png, sound header": (
        make_png(np.zeros((20_000, 1), np.uint8), width=20_000, bits=1, colour_type=0),
        UnsupportedImage,
        ReasonCode.TOO_LARGE,
    ),
    "huge jpeg": (HUGE_JPEG, UnsupportedImage, ReasonCode.TOO_LARGE),
    "huge tiff": (HUGE_TIFF, UnsupportedImage, ReasonCode.TOO_LARGE),
    "huge bmp": (bytes(HUGE_BMP), UnreadableImage, ReasonCode.TRUNCATED),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refuses_with_the_reason(name: str, tmp_path: Path) -> None:
    data, kind, code = REFUSED[name]
    error = refuse(data, tmp_path)
    assert (type(error), error.code) == (kind, code)


SHADE = np.zeros_like(RAMP)
SHADE[:, 150:] = 255
"""Opaque in a fifth of the picture."""


@pytest.mark.parametrize("alpha", [0, 1, 3])
def test_transparency_that_would_hide_the_film_is_passed_over(alpha: int, tmp_path: Path) -> None:
    clear = np.full_like(RAMP, alpha)
    colours = encode(stack(RAMP, RAMP, RAMP, clear), ".png")
    grey = make_png(stack(RAMP, clear).reshape(130, -1), width=192, bits=8, colour_type=4)
    tiff = make_tiff(stack(RAMP, RAMP, RAMP, clear), photometric=2, tags={338: (2,)})
    for data in (colours, grey, tiff):
        np.testing.assert_array_equal(read(data, tmp_path).pixels, FULL)


def test_transparency_that_hides_most_of_the_film_is_named(tmp_path: Path) -> None:
    for data in (
        encode(stack(RAMP, RAMP, RAMP, SHADE), ".png"),
        make_tiff(stack(RAMP, RAMP, RAMP, SHADE), photometric=2, tags={338: (2,)}),
    ):
        assert "transparen" in str(refuse(data, tmp_path))


def test_a_thumbnail_beside_the_film_is_no_second_film(tmp_path: Path) -> None:
    two = make_tiff(RAMP, pages=2, tags={254: (0,)})
    last = two.rindex(struct.pack("<HHII", 254, 4, 1, 0))
    marked = two[: last + 8] + struct.pack("<I", 1) + two[last + 12 :]
    np.testing.assert_array_equal(read(marked, tmp_path).pixels, FULL)


MAGICS = [
    encode(RAMP, ".png")[:33],
    encode(RAMP, ".jpg")[:200],
    make_tiff(RAMP)[:8],
    make_tiff(RAMP, order=">")[:8],
    encode(RAMP, ".bmp")[:54],
    b"\x89PNG\r\n\x1a\n",
    b"\xff\xd8\xff",
    b"II*\0",
    b"BM",
]


@settings(
    deadline=None, max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(magic=st.sampled_from(MAGICS), tail=st.binary(max_size=400))
def test_any_bytes_are_a_film_or_an_error(magic: bytes, tail: bytes, tmp_path: Path) -> None:
    path = tmp_path / "any"
    path.write_bytes(magic + tail)
    with contextlib.suppress(ImageError):
        assert isinstance(read_radiograph(path), Radiograph)


WHOLE = [encode(NOISE, ".png"), encode(NOISE, ".jpg"), encode(NOISE, ".tif"), make_tiff(RAMP)]
WHOLE += [encode(NOISE, ".bmp")]


@settings(
    deadline=None, max_examples=120, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    whole=st.sampled_from(WHOLE),
    changes=st.lists(st.tuples(st.floats(0, 0.999), st.integers(0, 255)), max_size=4),
    early=st.booleans(),
)
def test_changed_bytes_are_a_film_or_an_error(
    whole: bytes, changes: list[tuple[float, int]], early: bool, tmp_path: Path
) -> None:
    data = bytearray(whole)
    for place, value in changes:
        data[int(place * (600 if early else len(data)))] = value
    path = tmp_path / "changed"
    path.write_bytes(data)
    with contextlib.suppress(ImageError):
        assert isinstance(read_radiograph(path), Radiograph)


@settings(
    deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(whole=st.sampled_from(WHOLE), share=st.floats(0.001, 0.999))
def test_a_film_cut_short_is_never_read(whole: bytes, share: float, tmp_path: Path) -> None:
    with pytest.raises(ImageError):
        read(whole[: int(len(whole) * share)], tmp_path)


def test_reads_real_films() -> None:
    films = sorted((shared_data() / "cxr4").rglob("*.jpg"))[::150]
    assert len(films) > 40
    for film in films:
        assert read_radiograph(film).pixels.max() > 30_000, film.name
