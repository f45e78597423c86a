"""No file, whatever it claims, takes much more memory than a film."""

from __future__ import annotations

import struct
import tracemalloc
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from pydicom.dataset import Dataset

from edge_infer.errors import ImageError, ReasonCode, UnreadableImage
from edge_infer.films.read import read_radiograph
from tests.edge.films.area_reference import SIZE
from tests.edge.films.dicom import dicom_factory as made
from tests.edge.films.raster.raster_files import make_png, make_tiff

FILM = made.bands([10, 60, 130, 250], "u1")


def private(length: int) -> bytes:
    return struct.pack("<HH2s2xI", 0x0009, 0x1001, b"OB", length)


def deflated(value: int) -> bytes:
    """Return a deflated film with a private element of `value` zero bytes."""
    head, tail = split(made.make_dataset(FILM))
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    out = made.encode_meta(made.DEFLATED) + packer.compress(head + private(value))
    for _ in range(value >> 20):
        out += packer.compress(bytes(1 << 20))
    return out + packer.compress(tail) + packer.flush()


def split(dataset: Dataset) -> tuple[bytes, bytes]:
    """Return the elements before and after where a private one of group 0009 belongs."""
    content = made.encode_headerless(dataset, implicit=False)
    at = content.index(struct.pack("<HH", 0x0010, 0x0010))
    return content[:at], content[at:]


def sparse(path: Path, value: int) -> None:
    """Write a film whose private element of `value` bytes takes no room on disk."""
    head, tail = split(made.make_dataset(FILM))
    with path.open("wb") as file:
        file.write(made.encode_meta(made.EXPLICIT) + head + private(value))
        file.seek(value, 1)
        file.write(tail)


def peak(work: Callable[[], object]) -> int:
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def refused(path: Path, size: tuple[int, int] | None) -> ReasonCode:
    with pytest.raises(ImageError) as caught:
        read_radiograph(path, size=size)
    assert isinstance(caught.value, UnreadableImage)
    return caught.value.code


def test_a_deflated_element_of_900_mb(tmp_path: Path) -> None:
    path = tmp_path / "film.dcm"
    path.write_bytes(deflated(900 << 20))
    assert peak(lambda: refused(path, SIZE)) < 600 << 20
    assert refused(path, SIZE) is ReasonCode.TOO_LARGE
    path.write_bytes(deflated(8 << 20))
    assert read_radiograph(path).pixels.shape == FILM.shape


def test_an_element_of_900_mb_is_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "film.dcm"
    sparse(path, 900 << 20)
    assert peak(lambda: read_radiograph(path)) < 50 << 20
    np.testing.assert_array_equal(read_radiograph(path).pixels, FILM.astype(np.uint16) * 257)


def test_a_file_cut_in_an_element_that_is_passed_over(tmp_path: Path) -> None:
    head, _ = split(made.make_dataset(FILM))
    path = tmp_path / "film.dcm"
    path.write_bytes(made.encode_meta(made.EXPLICIT) + head + private(8 << 20) + bytes(3 << 20))
    assert refused(path, None) is ReasonCode.TRUNCATED


def test_a_sparse_picture_file(tmp_path: Path) -> None:
    path = tmp_path / "film.tif"
    path.write_bytes(make_tiff(FILM))
    with path.open("r+b") as file:
        file.truncate(900 << 20)
    assert peak(lambda: refused(path, SIZE)) < 50 << 20
    assert refused(path, None) is ReasonCode.TOO_LARGE


def test_transparent_colours_of_16_bits(tmp_path: Path) -> None:
    path = tmp_path / "film.png"
    path.write_bytes(make_png(np.zeros((8000, 10), np.uint8), width=8000, bits=16, colour_type=6))
    assert refused(path, SIZE) is ReasonCode.TOO_LARGE


def test_more_pixels_than_rows_and_columns_say(tmp_path: Path) -> None:
    path = tmp_path / "film.dcm"
    noise = np.random.default_rng(0).integers(1, 255, (200, 180), dtype=np.uint8)
    for change in ({"Rows": 199}, {"Columns": 179}, {"Columns": 150}):
        made.write_dicom(tmp_path, noise, **change)
        assert refused(path, SIZE) is refused(path, None) is ReasonCode.DAMAGED
    # Padding is no picture.
    for padding in (b"\1", bytes(5000), b"\1" * 100):
        made.write_dicom(tmp_path, noise, PixelData=noise.tobytes() + padding)
        assert read_radiograph(path).full_shape == (200, 180)


def test_what_follows_the_pixels_is_an_element_or_padding(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(1, 255, (200, 180), dtype=np.uint8)
    content = made.make_dicom(noise)
    path = tmp_path / "film.dcm"
    trailing = struct.pack("<HH2s2xI", 0xFFFC, 0xFFFC, b"OB", 40) + bytes(40)
    for padding in (b"", bytes(2), bytes(512), trailing):
        path.write_bytes(content + padding)
        assert read_radiograph(path).full_shape == (200, 180)
    # One byte more in the middle moves one out at the end, and swaps the halves of all after it.
    for rest in (b"\x01\x02\x03\x04" * 100, b"\x07", b"\0"):
        path.write_bytes(content + rest)
        assert refused(path, None) is ReasonCode.DAMAGED


def test_bytes_after_deflated_data(tmp_path: Path) -> None:
    path = tmp_path / "film.dcm"
    content = deflated(0)
    path.write_bytes(content + bytes(512))
    assert read_radiograph(path).full_shape == FILM.shape
    path.write_bytes(content + b"\x17\x99more")
    assert refused(path, None) is ReasonCode.DAMAGED
