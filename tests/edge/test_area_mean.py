"""Area means in whole numbers: by hand, and against the plain formula."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_infer.area_mean import area_means, area_sums
from edge_infer.films.shrink import shrink_factor
from tests.edge.films.area_reference import plain_means


@pytest.mark.parametrize(
    ("shape", "size", "factor"),
    [
        ((2500, 2048), (224, 224), 4),  # 625 x 512, at least 448
        ((2048, 2500), (224, 200), 4),
        ((1791, 4000), (224, 224), 3),  # a quarter would be 447.75
        ((1792, 4000), (200, 224), 4),
        ((895, 2000), (224, 224), 1),  # a half would be 447.5
        ((896, 2000), (224, 224), 2),
        ((128, 128), (224, 224), 1),
        ((2500, 2048), None, 1),
        ((600, 600, 3), (64, 64), 4),
    ],
)
def test_what_a_decoder_leaves_is_at_least_twice_the_input(
    shape: tuple[int, ...], size: tuple[int, int] | None, factor: int
) -> None:
    assert shrink_factor(shape, size) == factor


def test_means_by_hand() -> None:
    film = np.array([[0, 2, 4], [10, 20, 30], [65535, 65535, 65535]], np.uint16)
    # Two of three rows are a row and a half each: (2 (0 + 2 / 2) + 10 + 20 / 2) / 4.5 = 4.9.
    # Halves: (2 x 0.5 + ...) are worked out in parts of 3 x 3.
    sums, parts = area_sums(film, (2, 2), bits=16)
    assert parts == 9
    np.testing.assert_array_equal(
        sums,
        [
            [4 * 0 + 2 * 2 + 2 * 10 + 20, 4 * 4 + 2 * 2 + 2 * 30 + 20],
            [9 * 65535 - 3 * 65535 + 2 * 10 + 20, 6 * 65535 + 2 * 30 + 20],
        ],
    )
    np.testing.assert_array_equal(area_means(film, (2, 2)), np.rint(sums / 9))
    assert area_means(np.array([[0, 1]], np.uint8), (1, 1)) == 1, "halves go up"


def test_values_that_stand_for_fewer_pixels_count_less() -> None:
    # Five pixels, halved by a decoder: the last value stands for one of them.
    film = np.array([[10, 20, 40]], np.uint16)
    sums, parts = area_sums(film, (1, 1), bits=16, scale=2, full=(1, 5))
    assert (sums.item(), parts) == (10 * 2 + 20 * 2 + 40, 5)


def test_the_same_size_changes_nothing() -> None:
    film = np.arange(12, dtype=np.uint8).reshape(3, 4)
    np.testing.assert_array_equal(area_means(film, (3, 4)), film)


def test_a_film_smaller_than_its_means_is_refused() -> None:
    with pytest.raises(ValueError, match="smaller"):
        area_sums(np.zeros((10, 4), np.uint8), (5, 5), bits=8)


@settings(max_examples=80, deadline=None)
@given(
    height=st.integers(1, 90),
    width=st.integers(1, 90),
    data=st.data(),
    bits=st.sampled_from([1, 8, 12, 16]),
    seed=st.integers(0, 9),
)
def test_sums_are_those_of_the_plain_formula(
    height: int, width: int, data: st.DataObject, bits: int, seed: int
) -> None:
    size = data.draw(st.integers(1, height)), data.draw(st.integers(1, width))
    random = np.random.default_rng(seed)
    film = random.integers(0, 1 << bits, (height, width)).astype("u1" if bits <= 8 else "u2")
    film[: height // 2] = (1 << bits) - 1  # the largest sums there can be
    sums, parts = area_sums(film, size, bits=bits)
    np.testing.assert_allclose(sums / parts, plain_means(film, size), rtol=1e-12, atol=1e-9)
    # A decoder that halves by repeating nothing: each value stands for scale x scale pixels.
    scale = data.draw(st.integers(1, 4))
    cut = data.draw(st.integers(0, scale - 1))
    full = height * scale - cut, width * scale - cut
    grown = film.repeat(scale, 0).repeat(scale, 1)[: full[0], : full[1]]
    if min(height // size[0], width // size[1]) >= 2:
        sums, parts = area_sums(film, size, bits=bits, scale=scale, full=full)
        np.testing.assert_allclose(sums / parts, plain_means(grown, size), rtol=1e-12, atol=1e-9)


@pytest.mark.parametrize("shape", [(70_000, 3), (3, 70_000), (17, 60_000)])
def test_the_largest_sums_fit(shape: tuple[int, int]) -> None:
    white = np.full(shape, 65535, np.uint16)
    np.testing.assert_array_equal(area_means(white, (2, 2)), 65535)


def test_rows_are_prepared_before_they_are_summed() -> None:
    film = np.array([[0, 100], [200, 255]] * 3, np.uint8)
    sums, parts = area_sums(
        film, (3, 1), bits=8, prepare=lambda strip: np.minimum(strip, np.uint8(100))
    )
    np.testing.assert_array_equal(sums * 4, [[300 * parts]] * 3)
