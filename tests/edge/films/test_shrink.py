"""Whole-number area shrink: by hand, on odd sizes, and against the plain formula."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from edge_infer.films import shrink
from edge_infer.films.shrink import block_means, block_sums, shrink_factor


@pytest.mark.parametrize(
    ("shape", "at_least", "factor"),
    [
        ((2500, 2048), 224, 4),  # 625 x 512, at least 448
        ((2048, 2500), 224, 4),
        ((1791, 4000), 224, 3),  # a quarter would be 447.75
        ((1792, 4000), 224, 4),
        ((895, 2000), 224, 1),  # a half would be 447.5
        ((896, 2000), 224, 2),
        ((128, 128), 224, 1),
        ((2500, 2048), None, 1),
        ((600, 600, 3), 64, 4),
    ],
)
def test_what_remains_is_at_least_twice_the_input(
    shape: tuple[int, ...], at_least: int | None, factor: int
) -> None:
    assert shrink_factor(shape, at_least) == factor


def test_sums_and_means_by_hand_with_the_last_row_and_column_repeated() -> None:
    film = np.array([[0, 2, 4, 6, 9], [1, 3, 5, 7, 11], [8, 8, 20, 21, 65535]], np.uint16)
    # The last block is 65535 four times; the one above it 9, 11 and both once more.
    sums = [[6, 22, 40], [32, 82, 262140]]
    np.testing.assert_array_equal(block_sums(film, 2, bits=16), sums)
    # 1.5 and 5.5 go up, 20.5 too.
    np.testing.assert_array_equal(block_means(film, 2, bits=16), [[2, 6, 10], [8, 21, 65535]])


def test_a_factor_of_one_touches_nothing() -> None:
    film = np.arange(12, dtype=np.uint8).reshape(3, 4)
    assert block_means(film, 1, bits=8) is film


def test_a_factor_whose_sums_would_overflow_is_refused() -> None:
    with pytest.raises(ValueError, match="256 at most"):
        block_sums(np.zeros((300, 300), np.uint16), 257, bits=16)


def plain_sums(film: NDArray[np.uint16], factor: int) -> NDArray[np.int64]:
    padding = [(0, -side % factor) for side in film.shape]
    full = np.pad(film.astype(np.int64), padding, mode="edge")
    return np.add.reduceat(
        np.add.reduceat(full, range(0, full.shape[0], factor), 0),
        range(0, full.shape[1], factor),
        1,
    )


@settings(max_examples=60, deadline=None)
@given(
    height=st.integers(1, 70),
    width=st.integers(1, 70),
    factor=st.integers(1, 9),
    bits=st.sampled_from([1, 8, 12, 16]),
    strip=st.integers(1, 4000),
    seed=st.integers(0, 9),
)
def test_sums_are_those_of_the_plain_formula(
    height: int, width: int, factor: int, bits: int, strip: int, seed: int
) -> None:
    dtype = np.uint8 if bits <= 8 else np.uint16
    random = np.random.default_rng(seed)
    film = random.integers(0, 1 << bits, (height, width)).astype(dtype)
    film[0] = (1 << bits) - 1  # the largest sums there can be
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shrink, "_STRIP_PIXELS", strip)
        sums = block_sums(film, factor, bits=bits)
    np.testing.assert_array_equal(sums, plain_sums(film, factor))


def test_strips_are_prepared_before_they_are_summed() -> None:
    film = np.array([[0, 100], [200, 255]] * 3, np.uint8)
    sums = block_sums(film, 2, bits=8, prepare=lambda strip: np.minimum(strip, np.uint8(100)))
    np.testing.assert_array_equal(sums, [[300]] * 3)
