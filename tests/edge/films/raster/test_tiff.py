"""TIFF films strip by strip: every packing to its pixels, every fault in them a refusal."""

from __future__ import annotations

import contextlib
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import imagecodecs
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from edge_infer.errors import ImageError, ReasonCode
from edge_infer.films.raster.tiff_directory import read_tiff_directories
from edge_infer.films.read import read_radiograph
from tests.edge.films.area_reference import SIZE
from tests.edge.films.raster.raster_files import make_strips, make_tiff

ROWS, COLUMNS, PER_STRIP = 300, 262, 64
GREY16 = (
    cv2.GaussianBlur(np.random.default_rng(3).normal(0, 1, (ROWS, COLUMNS)), (0, 0), 5) * 90_000
    + 30_000
).astype(np.uint16)
GREY8 = (GREY16 >> 8).astype(np.uint8)

PACK: dict[int, Callable[[bytes], bytes]] = {
    1: bytes,
    5: lambda raw: bytes(imagecodecs.lzw_encode(raw)),
    8: zlib.compress,
    32946: zlib.compress,
    32773: lambda raw: bytes(imagecodecs.packbits_encode(raw)),
}


def strips(pixels: NDArray[Any], compression: int, *, predictor: int = 1) -> list[bytes]:
    packed = []
    for top in range(0, len(pixels), PER_STRIP):
        part = pixels[top : top + PER_STRIP]
        if predictor == 2:
            part = part.copy()
            part[:, 1:] -= pixels[top : top + PER_STRIP, :-1]
        packed.append(PACK[compression](part.tobytes()))
    return packed


def film(pixels: NDArray[Any], compression: int, *, predictor: int = 1, **more: Any) -> bytes:
    tags = {317: (predictor,), **more.pop("tags", {})}
    return make_strips(
        strips(pixels, compression, predictor=predictor),
        shape=pixels.shape[:2],
        bits=8 * pixels.dtype.itemsize,
        compression=compression,
        rows=PER_STRIP,
        samples=pixels.shape[2] if pixels.ndim == 3 else 1,
        tags=tags,
        **more,
    )


def read(data: bytes, folder: Path) -> NDArray[np.uint16]:
    path = folder / "film.tif"
    path.write_bytes(data)
    return read_radiograph(path).pixels


def refuse(data: bytes, folder: Path) -> ReasonCode:
    path = folder / "film.tif"
    path.write_bytes(data)
    codes = []
    for size in (None, SIZE):
        with pytest.raises(ImageError) as caught:
            read_radiograph(path, size=size)
        codes.append(caught.value.code)
    assert codes[0] is codes[1]
    return codes[0]


@pytest.mark.parametrize("predictor", [1, 2])
@pytest.mark.parametrize("compression", PACK)
def test_every_packing_gives_its_pixels(compression: int, predictor: int, tmp_path: Path) -> None:
    if compression == 1 and predictor == 2:
        predictor = 1
    got = read(film(GREY16, compression, predictor=predictor), tmp_path)
    np.testing.assert_array_equal(got, GREY16)
    got = read(film(GREY8, compression, predictor=predictor), tmp_path)
    np.testing.assert_array_equal(got, GREY8.astype(np.uint16) * 257)
    colours = np.dstack([GREY8] * 3)
    if predictor == 1:
        got = read(film(colours, compression), tmp_path)
        np.testing.assert_array_equal(got, GREY8.astype(np.uint16) * 257)


def test_planes_one_after_the_other(tmp_path: Path) -> None:
    planes = [part for _ in range(3) for part in strips(GREY16, 8)]
    data = make_strips(
        planes,
        shape=GREY16.shape,
        bits=16,
        compression=8,
        rows=PER_STRIP,
        samples=3,
        tags={284: (2,)},
    )
    np.testing.assert_array_equal(read(data, tmp_path), GREY16)


def test_tiles_and_a_jpeg_in_strips_and_big_endian(tmp_path: Path) -> None:
    tiles = []
    wide = np.pad(GREY16, ((0, 20), (0, 58)), mode="edge")
    for top in range(0, 320, 64):
        for left in range(0, 320, 64):
            tiles.append(zlib.compress(wide[top : top + 64, left : left + 64].tobytes()))
    lengths = tuple(map(len, tiles))
    offsets = tuple(8 + sum(lengths[:index]) for index in range(len(tiles)))
    places = {322: (64,), 323: (64,), 324: offsets, 325: lengths, 273: (), 278: (), 279: ()}
    data = make_strips(tiles, shape=GREY16.shape, bits=16, compression=8, tags=places)
    np.testing.assert_array_equal(read(data, tmp_path), GREY16)

    jpegs = [
        cv2.imencode(".jpg", GREY8[top : top + PER_STRIP], (cv2.IMWRITE_JPEG_QUALITY, 98))[1]
        for top in range(0, ROWS, PER_STRIP)
    ]
    parts = [jpeg.tobytes() for jpeg in jpegs]
    data = make_strips(parts, shape=GREY8.shape, bits=8, compression=7, rows=PER_STRIP)
    np.testing.assert_allclose(read(data, tmp_path), GREY8.astype(int) * 257, atol=4 * 257)
    parts[2] = parts[2][: len(parts[2]) // 2] + b"\xff\xd9"
    data = make_strips(parts, shape=GREY8.shape, bits=8, compression=7, rows=PER_STRIP)
    assert refuse(data, tmp_path) is ReasonCode.TRUNCATED

    big = film(GREY16.astype(">u2"), 8, order=">")
    np.testing.assert_array_equal(read(big, tmp_path), GREY16)


@pytest.mark.parametrize("bits", [1, 4, 10, 12, 14])
def test_any_number_of_bits_covers_the_whole_range(bits: int, tmp_path: Path) -> None:
    values = (GREY16.astype(np.uint32) >> (16 - bits)).astype(np.uint16)
    single = (values[..., None] >> np.arange(bits - 1, -1, -1)) & 1
    packed = np.packbits(single.reshape(ROWS, -1).astype(np.uint8), axis=1)
    data = make_strips([packed.tobytes()], shape=GREY16.shape, bits=bits)
    expected = values.astype(np.int64) * 65535 // ((1 << bits) - 1)
    np.testing.assert_allclose(read(data, tmp_path), expected, atol=1)


def test_signed_numbers_and_palettes(tmp_path: Path) -> None:
    signed = (GREY16.astype(np.int32) - 32768).astype(np.int16)
    data = film(signed.view(np.uint16), 8, tags={339: (2,)})
    np.testing.assert_array_equal(read(data, tmp_path), GREY16)
    ramp = tuple(257 * (255 - index) for index in range(256)) * 3
    data = film(GREY8, 5, tags={262: (3,), 320: ramp})
    np.testing.assert_array_equal(read(data, tmp_path), (255 - GREY8).astype(np.uint16) * 257)


def test_counts_that_are_wrong_where_it_does_not_matter(tmp_path: Path) -> None:
    whole = make_tiff(GREY8)
    size = GREY8.nbytes
    for count in (size + 1, size + 2, size + 100):
        path = make_tiff(GREY8, tags={279: (count,)})
        assert len(path) == len(whole)
        np.testing.assert_array_equal(read(path, tmp_path), GREY8.astype(np.uint16) * 257)
    assert refuse(make_tiff(GREY8, tags={279: (size - 300,)}), tmp_path) is ReasonCode.DAMAGED


def _retype(data: bytes, tag: int, kind: int) -> bytes:
    (at,) = struct.unpack_from("<I", data, 4)
    (count,) = struct.unpack_from("<H", data, at)
    for entry in range(at + 2, at + 2 + 12 * count, 12):
        if struct.unpack_from("<H", data, entry)[0] == tag:
            return data[: entry + 2] + struct.pack("<H", kind) + data[entry + 4 :]
    raise AssertionError(f"no tag {tag}")


@pytest.mark.parametrize("tag", [256, 258, 259, 262, 273, 277, 278])
@pytest.mark.parametrize("kind", [0, 2, 5, 12])
def test_a_tag_that_is_no_number_is_damage(tag: int, kind: int, tmp_path: Path) -> None:
    """A bit of the type of BitsPerSample, and the film was read as one of 1 bit."""
    assert refuse(_retype(film(GREY16, 1), tag, kind), tmp_path) is ReasonCode.DAMAGED


@pytest.mark.parametrize("per_strip", [PER_STRIP, ROWS])
@pytest.mark.parametrize("bits", [(), (1,), (8,)])
def test_strips_of_more_bytes_than_their_numbers_take_are_no_film(
    bits: tuple[int, ...], per_strip: int, tmp_path: Path
) -> None:
    parts = [GREY16[top : top + per_strip].tobytes() for top in range(0, ROWS, per_strip)]
    data = make_strips(parts, shape=GREY16.shape, bits=16, rows=per_strip, tags={258: bits})
    assert refuse(data, tmp_path) is ReasonCode.DAMAGED


@pytest.mark.parametrize("compression", [5, 32773])
@pytest.mark.parametrize("over", [1, 2, 5])
def test_a_strip_without_a_checksum_that_is_a_byte_too_long_is_damage(
    compression: int, over: int, tmp_path: Path
) -> None:
    """One bit of a code, and what follows in the strip is moved: nothing but the length tells."""
    for strip in (0, 2, -1):
        parts = [GREY16[top : top + PER_STRIP].tobytes() for top in range(0, ROWS, PER_STRIP)]
        parts[strip] = parts[strip][:5000] + bytes(over) + parts[strip][5000:]
        packed = [PACK[compression](part) for part in parts]
        data = make_strips(
            packed, shape=GREY16.shape, bits=16, compression=compression, rows=PER_STRIP
        )
        assert refuse(data, tmp_path) is ReasonCode.DAMAGED


def test_signed_types_of_tags_are_numbers_too(tmp_path: Path) -> None:
    data = film(GREY16, 1)
    for tag in (256, 257, 258, 259, 273, 278, 279):
        data = _retype(data, tag, 9)
    np.testing.assert_array_equal(read(data, tmp_path), GREY16)


def test_a_thumbnail_may_come_first(tmp_path: Path) -> None:
    for reduced in ((1,), (0,)):
        both = _chain([GREY8[:64, :60], GREY8], reduced=(reduced[0], 0))
        np.testing.assert_array_equal(read(both, tmp_path), GREY8.astype(np.uint16) * 257)
    # The writer marked both.
    both = _chain([GREY8[:64, :60], GREY8], reduced=(1, 1))
    np.testing.assert_array_equal(read(both, tmp_path), GREY8.astype(np.uint16) * 257)
    two_films = _chain([GREY8, GREY8], reduced=(0, 0))
    assert refuse(two_films, tmp_path) is ReasonCode.SEVERAL_FRAMES


def _chain(pages: list[NDArray[np.uint8]], reduced: tuple[int, int]) -> bytes:
    out, link = bytearray(b"II*\0" + bytes(4)), 4
    for page, mark in zip(pages, reduced, strict=True):
        start = len(out)
        out += page.tobytes() + bytes(page.size % 2)
        struct.pack_into("<I", out, link, len(out))
        entries = [(254, mark), (256, page.shape[1]), (257, page.shape[0]), (258, 8), (259, 1)]
        entries += [(262, 1), (273, start), (277, 1), (278, page.shape[0]), (279, page.size)]
        out += struct.pack("<H", len(entries))
        out += b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in entries)
        link = len(out)
        out += bytes(4)
    return bytes(out)


@pytest.mark.parametrize("compression", [5, 8, 32773])
def test_a_strip_that_lost_something_is_refused(compression: int, tmp_path: Path) -> None:
    sound = strips(GREY16, compression)
    for place in (0, 2, len(sound) - 1):
        part = sound[place]
        third = len(part) // 3
        harmed = {
            "cut": part[: -len(part) // 3],
            "zeroed": part[:third] + bytes(400) + part[third + 400 :],
            "lost": part[:third] + part[third + 400 :],
        }
        for name, harm in harmed.items():
            data = make_strips(
                [*sound[:place], harm, *sound[place + 1 :]],
                shape=GREY16.shape,
                bits=16,
                compression=compression,
                rows=PER_STRIP,
            )
            code = refuse(data, tmp_path)
            assert code in (ReasonCode.TRUNCATED, ReasonCode.DAMAGED), (name, place)


def test_pages_that_point_at_themselves_end_at_once(tmp_path: Path) -> None:
    # A million strips on a page that follows itself: each turn kept a million pairs.
    count = 1_000_000
    tags = [(256, 256), (257, 256), (258, 8), (259, 1), (262, 1)]
    at = 8 + 2 + 12 * 9 + 4
    entries = [(tag, 1, value) for tag, value in tags]
    entries += [(273, count, at), (277, 1, 1), (278, 1, 1), (279, count, at + 4 * count)]
    data = b"II*\0" + struct.pack("<IH", 8, 9)
    data += b"".join(struct.pack("<HHII", tag, 4, many, value) for tag, many, value in entries)
    assert refuse(data + struct.pack("<I", 8) + bytes(8 * count), tmp_path) is ReasonCode.DAMAGED
    assert refuse(data + bytes(4) + bytes(8 * count), tmp_path) is ReasonCode.DAMAGED


def test_two_strips_of_the_same_bytes_are_no_film(tmp_path: Path) -> None:
    sound = film(GREY16, 8)
    first = read_tiff_directories(sound)[0]
    second = int(first.offsets[1])
    at = sound.index(struct.pack("<II", int(first.offsets[0]), second)) + 4
    data = sound[:at] + struct.pack("<I", int(first.offsets[0])) + sound[at + 4 :]
    assert refuse(data, tmp_path) is ReasonCode.DAMAGED


@settings(
    deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    compression=st.sampled_from([1, 5, 8, 32773]),
    changes=st.lists(st.tuples(st.integers(0, 260), st.integers(0, 255)), min_size=1, max_size=3),
)
def test_a_changed_directory_is_a_film_or_an_error(
    compression: int, changes: list[tuple[int, int]], tmp_path: Path
) -> None:
    data = bytearray(film(GREY8, compression))
    (start,) = struct.unpack_from("<I", data, 4)
    for place, value in changes:
        data[min(start + place, len(data) - 1)] = value
    path = tmp_path / "film.tif"
    path.write_bytes(data)
    with contextlib.suppress(ImageError):
        assert read_radiograph(path, size=SIZE).pixels.dtype == np.uint16
