"""The one preprocessing: same film, same input, whatever its size, range or window."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from edge_infer.model.preprocess import stretch_grey, to_model_input


def film(height: int = 300, width: int = 260, seed: int = 0) -> NDArray[np.uint16]:
    random = np.random.default_rng(seed)
    rows, columns = np.mgrid[0:height, 0:width]
    shade = 20000 + 12000 * np.sin(rows / 40) * np.cos(columns / 30)
    noisy = shade + random.normal(0, 900, size=(height, width))
    return np.asarray(noisy.clip(0, 65535), np.uint16)


def test_shape_type_and_range() -> None:
    model_input = to_model_input(film(), height=64, width=48)
    assert model_input.shape == (1, 64, 48)
    assert model_input.dtype == np.uint8
    assert model_input.min() == 0
    assert model_input.max() == 255


def test_percentiles_by_hand() -> None:
    # 10 x 10 whose central 8 x 8 holds 64 known values: 0.5 and 99.5 percentiles of 64 sorted
    # values are those at index int(0.005 * 63) = 0 and int(0.995 * 63) = 62.
    pixels = np.full((10, 10), 65535, dtype=np.uint16)
    pixels[1:9, 1:9] = 1000 + 100 * np.arange(64).reshape(8, 8)
    stretched = stretch_grey(pixels)
    low, high = 1000, 1000 + 6200
    assert stretched[1, 1] == 0
    assert stretched[8, 8] == 255
    assert stretched[0, 0] == 255
    assert stretched[4, 4] == ((1000 + 100 * 27 - low) * 255 + 3100) // (high - low)


@settings(max_examples=25, deadline=None)
@given(st.floats(0.25, 1.0), st.integers(0, 12000), st.integers(0, 5))
def test_brightness_and_contrast_of_the_export_do_not_matter(
    gain: float, offset: int, seed: int
) -> None:
    original = film(seed=seed)
    other = (original * gain + offset).clip(0, 65535).astype(np.uint16)
    one = to_model_input(original, height=64, width=64).astype(int)
    two = to_model_input(other, height=64, width=64).astype(int)
    assert np.abs(one - two).max() <= 1


def test_twelve_bits_stored_in_sixteen_look_like_full_range() -> None:
    full = film()
    narrow = (full >> 4).astype(np.uint16)
    one = to_model_input(full, height=64, width=64).astype(int)
    two = to_model_input(narrow, height=64, width=64).astype(int)
    assert np.abs(one - two).max() <= 1


def test_a_bright_marker_moves_nothing_else() -> None:
    plain, marked = film(), film()
    marked[5:20, 5:20] = 65535
    one = to_model_input(plain, height=64, width=64)[0]
    two = to_model_input(marked, height=64, width=64)[0]
    np.testing.assert_array_equal(one[8:], two[8:])


def test_size_of_the_film_hardly_matters() -> None:
    small = film(320, 320)
    large = np.repeat(np.repeat(small, 4, axis=0), 4, axis=1)
    one = to_model_input(small, height=80, width=80).astype(int)
    two = to_model_input(large, height=80, width=80).astype(int)
    assert np.abs(one - two).max() <= 1


def test_nothing_is_cropped() -> None:
    pixels = film()
    brighter_corner = pixels.copy()
    brighter_corner[:12, :12] = 65535
    one = to_model_input(pixels, height=64, width=64)
    two = to_model_input(brighter_corner, height=64, width=64)
    assert (one[0, 0, 0] != two[0, 0, 0]) and two[0, 0, 0] == 255


def test_films_smaller_than_the_input_are_enlarged() -> None:
    model_input = to_model_input(film(130, 400), height=224, width=224)
    assert model_input.shape == (1, 224, 224)
    assert model_input.std() > 20


def test_flat_noise_is_not_blown_up() -> None:
    nearly_blank = np.full((200, 200), 30000, dtype=np.uint16)
    nearly_blank[::2] += 20
    assert int(to_model_input(nearly_blank, height=64, width=64).max()) < 16


@pytest.mark.parametrize(
    "pixels",
    [
        np.zeros((4, 4), dtype=np.uint8),
        np.zeros((4, 4, 3), dtype=np.uint16),
        np.zeros((0, 4), dtype=np.uint16),
    ],
)
def test_anything_but_grey_uint16_is_a_bug(pixels: NDArray[np.uint16]) -> None:
    with pytest.raises(ValueError, match="expected uint16"):
        to_model_input(pixels, height=8, width=8)
