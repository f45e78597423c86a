"""Of 100 referred films: against numbers reckoned by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest

from edge_infer.model.model_card import Interval, OperatingPoint
from edge_infer.model.proportions import expected_share, positive_predictive_value
from tests.edge.made_day import make_card

POINT = make_card().operating_points.refer_tb


def point(sensitivity: Interval, specificity: Interval) -> OperatingPoint:
    return replace(POINT, sensitivity=sensitivity, specificity=specificity)


@pytest.mark.parametrize(
    ("sensitivity", "specificity", "prevalence", "expected"),
    [
        # 1,000 people, 10 sick: 9 of them and 297 of 990 healthy are referred.
        (0.9, 0.7, 0.01, 9 / 306),
        # 1,000 people, 500 sick: 450 and 50.
        (0.9, 0.9, 0.5, 0.9),
        (1.0, 1.0, 0.01, 1.0),
        (0.5, 0.0, 0.2, 0.1 / 0.9),
    ],
)
def test_by_hand(
    sensitivity: float, specificity: float, prevalence: float, expected: float
) -> None:
    assert positive_predictive_value(sensitivity, specificity, prevalence) == pytest.approx(
        expected
    )


def test_a_test_that_refers_nobody_is_no_number() -> None:
    with pytest.raises(ValueError, match="refers nobody"):
        positive_predictive_value(0.0, 1.0, 0.01)


def test_the_interval_takes_both_lower_and_both_upper_ends() -> None:
    share = expected_share(
        point(Interval(value=0.9, low=0.8, high=0.95), Interval(value=0.9, low=0.8, high=0.95)),
        0.01,
    )
    assert share is not None
    # 9 of 9 + 99; 8 of 8 + 198; 9.5 of 9.5 + 49.5, each of 1,000 people.
    assert share.value == pytest.approx(9 / 108)
    assert share.low == pytest.approx(8 / 206)
    assert share.high == pytest.approx(9.5 / 59)


@pytest.mark.parametrize(
    "point", [replace(POINT, n_positive=9), replace(POINT, n_negative=0)], ids=["TB", "others"]
)
def test_too_few_films_say_nothing(point: OperatingPoint) -> None:
    assert expected_share(point, 0.01) is None


@pytest.mark.parametrize("prevalence", [0.0, 1.0, -0.1])
def test_an_impossible_prevalence_says_nothing(prevalence: float) -> None:
    assert expected_share(POINT, prevalence) is None


def test_a_sensitivity_that_may_be_nothing_says_nothing() -> None:
    nothing = Interval(value=0.0, low=0.0, high=0.3)
    assert expected_share(point(nothing, Interval(value=1.0, low=0.9, high=1.0)), 0.01) is None
