"""Our own parsers meet any bytes: they return, in time, what they promise or their own errors."""

from __future__ import annotations

import contextlib
import struct

import imagecodecs
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_infer.errors import ImageError
from edge_infer.films.codecs.jpeg import decode_jpeg, read_jpeg
from edge_infer.films.codecs.jpeg_2000 import complete_jpeg_2000, read_jpeg_2000_header
from edge_infer.films.raster.tiff_directory import read_tiff_directories
from edge_infer.films.raster.tiff_pieces import can_read_pieces, read_pieces
from edge_infer.films.sniff import FileKind, sniff
from tests.edge.films.raster.raster_files import make_tiff

GREY = (np.arange(64 * 48, dtype=np.uint16).reshape(64, 48) * 7) & 4095
JPEGS = [
    bytes(imagecodecs.jpeg8_encode((GREY >> 4).astype(np.uint8), level=80)),
    bytes(imagecodecs.jpeg8_encode(GREY, lossless=True, predictor=1, bitspersample=12)),
    bytes(imagecodecs.jpeg8_encode(GREY, level=90, bitspersample=12)),
    bytes(imagecodecs.jpegls_encode(GREY)),
]
J2K = [
    bytes(imagecodecs.jpeg2k_encode(GREY, codecformat="j2k", reversible=True, level=0)),
    bytes(imagecodecs.htj2k_encode(GREY, reversible=True, tile=(32, 32))),
]
TIFFS = [make_tiff(GREY), make_tiff(GREY.astype(np.uint8), order=">", pages=2)]
CHANGES = st.lists(st.tuples(st.floats(0, 0.999), st.integers(0, 255)), min_size=1, max_size=6)
HEAD = 400


def change(whole: bytes, changes: list[tuple[float, int]], kept: float, early: bool) -> bytes:
    data = bytearray(whole[: max(4, int(len(whole) * kept))])
    for place, value in changes:
        data[int(place * (min(HEAD, len(data)) if early else len(data)))] = value
    return bytes(data)


HARM = {
    "changes": CHANGES,
    "kept": st.one_of(st.just(1.0), st.floats(0.01, 1.0)),
    "early": st.booleans(),
}


@settings(deadline=None, max_examples=200)
@given(whole=st.sampled_from(JPEGS), **HARM)
def test_jpeg(whole: bytes, changes: list[tuple[float, int]], kept: float, early: bool) -> None:
    data = change(whole, changes, kept, early)
    with contextlib.suppress(ImageError, ValueError, IndexError, struct.error):
        jpeg = read_jpeg(data)
        if jpeg.is_decodable and jpeg.rows * jpeg.columns < 1 << 20:
            assert decode_jpeg(jpeg).shape[:2] == (jpeg.rows, jpeg.columns)


@settings(deadline=None, max_examples=200)
@given(whole=st.sampled_from(J2K), **HARM)
def test_jpeg_2000(
    whole: bytes, changes: list[tuple[float, int]], kept: float, early: bool
) -> None:
    data = change(whole, changes, kept, early)
    with contextlib.suppress(ImageError, ValueError, IndexError, struct.error):
        read_jpeg_2000_header(data)
        done = complete_jpeg_2000(data)
        assert done.startswith(b"\xff\x4f\xff\x51") and done.endswith(b"\xff\xd9")


@settings(deadline=None, max_examples=200)
@given(whole=st.sampled_from(TIFFS), **HARM)
def test_tiff(whole: bytes, changes: list[tuple[float, int]], kept: float, early: bool) -> None:
    data = change(whole, changes, kept, early)
    with contextlib.suppress(ImageError, struct.error):
        for page in read_tiff_directories(data):
            if can_read_pieces(page) and page.width * page.height * page.samples < 1 << 20:
                assert read_pieces(data, page).shape[:2] == (page.height, page.width)


@settings(deadline=None, max_examples=300)
@given(head=st.binary(max_size=600))
def test_any_bytes_are_of_one_kind(head: bytes) -> None:
    assert sniff(head) in FileKind
    for start in (b"\xff\xd8\xff", b"\xff\x4f\xff\x51"):
        with contextlib.suppress(ImageError, ValueError, IndexError, struct.error):
            read_jpeg(start + head)
        with contextlib.suppress(ImageError):
            complete_jpeg_2000(start + head)
    for start in (b"II*\0", b"MM\0*"):
        with contextlib.suppress(ImageError, struct.error):
            read_tiff_directories(start + head)
