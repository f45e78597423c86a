"""Heat maps: the right class, the right place, the thumbnail's size, and nothing from nothing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from edge_infer.model.findings import Finding
from edge_infer.model.heatmap import draw_heat, heat_class, spread_heat
from edge_infer.model.model_card import CLASSES
from tests.edge.made_heat import grey_jpeg, maps_with, redness
from tests.edge.model.make_tiny_onnx import REFERRAL


def finding(*units: int) -> Finding:
    return Finding(units=units, tb_tenths=0, abnormal_tenths=0, prediction="normal")


@pytest.mark.parametrize(
    ("units", "is_referred", "expected"),
    [
        ((9_000, 500, 400, 100), True, "tuberculosis"),
        ((100, 9_000, 800, 100), False, "pneumonia"),
        ((9_000, 100, 800, 100), False, "covid19"),
        ((9_997, 1, 1, 1), False, "pneumonia"),
        ((9_000, 100, 100, 800), False, "tuberculosis"),
    ],
)
def test_the_map_shown_is_the_referral_s_or_the_likeliest_disease_s(
    units: tuple[int, ...], is_referred: bool, expected: str
) -> None:
    assert heat_class(finding(*units), is_referred=is_referred) == expected


def test_the_card_says_whose_map_a_referred_film_shows() -> None:
    film = finding(9_000, 900, 50, 50)
    assert heat_class(film, is_referred=True, referral=REFERRAL) == "referral"
    assert heat_class(film, is_referred=False, referral=REFERRAL) == "pneumonia"
    on_tb = replace(REFERRAL, map="tuberculosis")
    assert heat_class(film, is_referred=True, referral=on_tb) == "tuberculosis"
    cam = np.concatenate([maps_with(tuberculosis=(1, 1)), np.full((1, 7, 7), -1.0, np.float32)])
    cam[4, 5, 2] = 3.0
    assert np.argwhere(spread_heat(cam, "referral")).tolist() == [[5, 2]]


def test_what_lowers_the_score_is_no_heat() -> None:
    cam = maps_with(tuberculosis=(2, 3))
    cam[CLASSES.index("tuberculosis"), 0, 0] = 2.5
    heat = spread_heat(cam, "tuberculosis")
    assert heat[2, 3] == 1.0 and heat[0, 0] == 0.5
    assert np.count_nonzero(heat) == 2


@pytest.mark.parametrize(("row", "column"), [(0, 0), (0, 6), (3, 3), (6, 1)])
def test_the_colour_stands_where_the_map_is_strongest(row: int, column: int) -> None:
    """The film is 80 x 60: place (row, column) of 7 x 7 covers its seventh in each direction."""
    drawn = redness(draw_heat(grey_jpeg(), maps_with(pneumonia=(row, column)), "pneumonia"))
    assert drawn.shape == (80, 60)
    warm_rows, warm_columns = np.nonzero(drawn > drawn.max() * 0.8)
    assert abs(warm_rows.mean() - (row + 0.5) * 80 / 7) < 80 / 7 / 2
    assert abs(warm_columns.mean() - (column + 0.5) * 60 / 7) < 60 / 7 / 2
    opposite = drawn[(row + 3) % 7 * 80 // 7 + 5, (column + 3) % 7 * 60 // 7 + 4]
    assert abs(int(opposite)) < 12, "elsewhere the film stays grey"


def test_another_class_s_map_draws_nothing() -> None:
    cam = maps_with(pneumonia=(1, 1))
    assert draw_heat(grey_jpeg(), cam, "tuberculosis") == b""
    assert draw_heat(b"", cam, "pneumonia") == b""
    cam[:] = np.nan
    assert draw_heat(grey_jpeg(), cam, "pneumonia") == b""


def test_the_anatomy_stays_visible_under_the_strongest_colour() -> None:
    cam = np.ones((4, 7, 7), np.float32)
    dark, bright = (draw_heat(grey_jpeg(grey=g), cam, "covid19") for g in (20, 220))
    import cv2

    means = [
        np.mean(np.asarray(cv2.imdecode(np.frombuffer(j, np.uint8), 0))) for j in (dark, bright)
    ]
    assert means[1] - means[0] > 50
