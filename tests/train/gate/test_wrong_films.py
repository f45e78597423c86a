"""Films made wrong, and films varied that stay sound."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from cxr_train.gate import wrong_films
from cxr_train.gate.wrong_films import MAKERS, Maker
from edge_infer.model.gate import GateState
from edge_infer.model.gate_reading import put_right


@pytest.fixture(scope="module")
def film() -> NDArray[np.uint8]:
    """Two dark ellipses on grey, brighter towards the foot: something with a right way up."""
    rows, _ = np.mgrid[0:240, 0:200]
    drawn = (90 + rows * 0.5).astype(np.uint8)
    for centre in ((60, 110), (140, 110)):
        cv2.ellipse(drawn, centre, (34, 80), 0, 0, 360, 40, -1)
    return np.asarray(drawn, np.uint8)


@pytest.mark.parametrize(
    "make",
    [wrong_films.vary, wrong_films.whiten_lung, wrong_films.vary_other, wrong_films.vary_lateral]
    + [make for _, _, make in MAKERS],
)
def test_every_maker_gives_a_grey_picture_again_and_again(
    make: Maker, film: NDArray[np.uint8]
) -> None:
    before = film.copy()
    for seed in range(25):
        made = make(film, np.random.default_rng(seed))
        assert made.dtype == np.uint8 and made.ndim == 2 and min(made.shape) >= 8
        np.testing.assert_array_equal(made, make(film, np.random.default_rng(seed)))
    np.testing.assert_array_equal(film, before)


@pytest.mark.parametrize(
    ("name", "state"),
    [(name, state) for name, state, _ in MAKERS if state in ("turned_left", "turned_right")]
    + [("upside down", GateState.UPSIDE_DOWN), ("inverted", GateState.INVERTED)],
)
def test_what_the_runner_puts_right_is_the_film_again(
    name: str, state: GateState, film: NDArray[np.uint8]
) -> None:
    make = next(make for one, _, make in MAKERS if one == name)
    made = make(film, np.random.default_rng(0))
    assert not np.array_equal(made, film)
    np.testing.assert_array_equal(put_right(made, state), film)


def test_cut_and_covered_films_lose_at_least_a_third(film: NDArray[np.uint8]) -> None:
    for seed in range(40):
        rng = np.random.default_rng(seed)
        assert wrong_films.cut_in_half(film, rng).size <= 0.63 * film.size
        assert wrong_films.cut_out_part(film, rng).size <= 0.31 * film.size
        covered = wrong_films.blank_half(film, rng)
        assert covered.shape == film.shape
        assert (covered == film).mean() <= 0.66


def test_a_badly_exposed_film_has_lost_most_of_its_grey_levels(film: NDArray[np.uint8]) -> None:
    noisy = np.clip(film + np.random.default_rng(0).normal(0, 12, film.shape), 0, 255)
    sound = noisy.astype(np.uint8)
    for seed in range(60):
        made = wrong_films.spoil_exposure(sound, np.random.default_rng(seed))
        ends = (made <= 1).mean() + (made >= 254).mean()
        own = np.corrcoef(made.ravel().astype(float), sound.ravel())[0, 1] if made.std() else 0.0
        assert ends >= 0.3 or len(np.unique(made)) <= 3 or own < 0.97
