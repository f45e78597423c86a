"""PNG, TIFF and JPEG films read at a part of their size; refusals are those of the exact path."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from edge_infer.errors import ImageError, ReasonCode
from edge_infer.films.read import read_radiograph
from edge_infer.flow.screen import prepare_film
from edge_infer.model.preprocess import stretch_grey, to_model_input
from tests.edge.films.area_reference import SIZE, assert_area_means
from tests.edge.films.raster.raster_files import make_tiff


def film(height: int = 301, width: int = 262) -> NDArray[np.uint8]:
    rows, columns = np.mgrid[0:height, 0:width]
    noise = np.random.default_rng(0).normal(0, 2, (height, width))
    grey = 128 + 70 * np.sin(rows / 31) * np.cos(columns / 23) + noise
    return np.asarray(grey.clip(0, 255), np.uint8)


def write(folder: Path, suffix: str, pixels: NDArray[np.uint8 | np.uint16]) -> Path:
    path = folder / f"film{suffix}"
    path.write_bytes(cv2.imencode(suffix, pixels)[1].tobytes())
    return path


def test_png_of_8_and_16_bits_and_in_grey_colour(tmp_path: Path) -> None:
    grey = film()
    for pixels in (grey, grey.astype(np.uint16) * 200, np.dstack([grey] * 3)):
        assert_area_means(write(tmp_path, ".png", pixels), 1, within=0.51)


def test_white_is_zero(tmp_path: Path) -> None:
    path = tmp_path / "film.tif"
    path.write_bytes(make_tiff(film().astype(np.uint16) * 200, photometric=0))
    assert_area_means(path, 1, within=0.51)


@pytest.mark.parametrize("shape", [(301, 262), (520, 530), (400, 390)])
@pytest.mark.parametrize("colours", [1, 3])
def test_jpeg_by_its_dct(shape: tuple[int, int], colours: int, tmp_path: Path) -> None:
    grey = film(*shape)
    pixels = grey if colours == 1 else np.dstack([grey] * 3)
    # A quarter would fit the largest, half of that is what its DCT does well.
    scale = 2 if min(shape) >= 512 else 1
    assert_area_means(write(tmp_path, ".jpg", pixels), scale, within=160)


def test_a_jpeg_is_turned_as_its_exif_says(tmp_path: Path) -> None:
    path = write(tmp_path, ".jpg", film(536, 528))
    plain = path.read_bytes()
    tiff = b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0"
    exif = b"\xff\xe1" + (len(tiff) + 8).to_bytes(2, "big") + b"Exif\0\0" + tiff
    path.write_bytes(plain[:2] + exif + plain[2:])
    turned = read_radiograph(path, size=SIZE)
    assert turned.pixels.shape == SIZE and turned.full_shape == (528, 536)
    assert_area_means(path, 2, within=160)


def refusal(path: Path, size: tuple[int, int] | None) -> ReasonCode:
    with pytest.raises(ImageError) as caught:
        read_radiograph(path, size=size)
    return caught.value.code


@pytest.mark.parametrize("kept", [0.2, 0.5, 0.9])
@pytest.mark.parametrize("ending", [b"", b"\xff\xd9"])
@pytest.mark.parametrize("side", [301, 520, 1100])
def test_a_cut_jpeg_is_refused_either_way(
    side: int, ending: bytes, kept: float, tmp_path: Path
) -> None:
    path = write(tmp_path, ".jpg", film(side, side))
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * kept)] + ending)
    assert refusal(path, None) is refusal(path, SIZE) is ReasonCode.TRUNCATED


def test_colour_and_blank_are_refused_either_way(tmp_path: Path) -> None:
    grey = film()
    tinted = np.dstack([grey // 2, grey, grey])
    for suffix in (".png", ".jpg"):
        path = write(tmp_path, suffix, tinted)
        assert refusal(path, None) is refusal(path, SIZE) is ReasonCode.COLOUR
        path = write(tmp_path, suffix, np.full((300, 300), 77, np.uint8))
        assert refusal(path, None) is refusal(path, SIZE) is ReasonCode.BLANK


def test_full_decode_reads_every_pixel(tmp_path: Path) -> None:
    prepare = partial(prepare_film, height=64, width=64, min_age_years=15, include_patient=False)
    for suffix, differs in ((".png", False), (".jpg", True)):
        path = write(tmp_path, suffix, film(900, 777))
        whole, less = prepare(path, full_decode=True), prepare(path)
        exact = to_model_input(read_radiograph(path).pixels, height=64, width=64)
        np.testing.assert_array_equal(stretch_grey(whole.grey)[None], exact)
        gap = np.abs(stretch_grey(whole.grey).astype(int) - stretch_grey(less.grey))
        assert bool(gap.any()) is differs
        assert gap.max() <= 2
