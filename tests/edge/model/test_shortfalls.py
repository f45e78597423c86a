"""A model that its own card speaks against is named, and a sound one is not."""

from __future__ import annotations

from dataclasses import replace

import pytest

from edge_infer.model.bundled import bundled_model
from edge_infer.model.model_card import HospitalPoint, Interval, ModelCard
from edge_infer.model.model_file import load_model_file
from edge_infer.model.shortfalls import Fault, find_shortfalls
from tests.edge.made_day import make_card


def interval(value: float, low: float, high: float) -> Interval:
    return Interval(value=value, low=low, high=high)


def card_with(sensitivity: Interval, specificity: Interval, n: int = 200) -> ModelCard:
    card = make_card()
    point = replace(
        card.operating_points.refer_tb,
        sensitivity=sensitivity,
        specificity=specificity,
        n_positive=n,
        n_negative=n,
    )
    return replace(card, operating_points=replace(card.operating_points, refer_tb=point))


FOUND = interval(0.95, 0.91, 0.98)


@pytest.mark.parametrize(
    ("card", "faults"),
    [
        (card_with(FOUND, interval(0.74, 0.70, 0.77)), []),
        (card_with(FOUND, interval(0.50, 0.43, 0.57)), []),
        (card_with(FOUND, interval(0.49, 0.42, 0.56)), [Fault.LOW_SPECIFICITY]),
        (card_with(FOUND, interval(0.06, 0.03, 0.09)), [Fault.CHANCE]),
        (card_with(interval(0.50, 0.40, 0.60), interval(0.60, 0.50, 0.70)), [Fault.CHANCE]),
        (card_with(FOUND, interval(0.74, 0.70, 0.77), n=0), [Fault.UNMEASURED]),
    ],
)
def test_the_figures_of_the_threshold_in_use_decide(card: ModelCard, faults: list[Fault]) -> None:
    assert [one.fault for one in find_shortfalls(card)] == faults


def test_one_hospital_in_which_the_goal_was_missed_is_named() -> None:
    card = card_with(FOUND, interval(0.74, 0.70, 0.77))
    point = card.operating_points.refer_tb
    places = [
        HospitalPoint(
            source=name,
            own_threshold=3.1,
            sensitivity=FOUND,
            specificity=interval(value, value - 0.1, value + 0.1),
            n_positive=30,
            n_negative=30,
            n_groups=60,
        )
        for name, value in (("North", 0.72), ("South", 0.31))
    ]
    points = replace(card.operating_points, refer_tb=replace(point, hospitals=tuple(places)))
    (fault,) = find_shortfalls(replace(card, operating_points=points))
    assert fault.hospital == "South" and fault.fault is Fault.LOW_SPECIFICITY


def test_the_bundled_model_is_one_to_work_with() -> None:
    """By its card: 0.74 on validation films, 0.62 and 0.72 in the two hospitals it names."""
    assert find_shortfalls(load_model_file(bundled_model()).card) == ()
