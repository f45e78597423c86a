"""The threshold is the highest that reaches the target on printed scores."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cxr_train.data.ages import describe_ages, name_population
from cxr_train.errors import DataError
from cxr_train.figures.measures import AGAINST_NORMAL
from cxr_train.figures.operating_point import choose_operating_point, may_be_adult
from edge_infer.model.model_card import OperatingPoint
from tests.train.tiny_films import film


def choose(
    positive: list[int], negative: list[int], target: float = 0.95, by_class: tuple[int, ...] = ()
) -> OperatingPoint:
    tenths = np.array(positive + negative)
    truth = np.array([True] * len(positive) + [False] * len(negative))
    groups = [str(k) for k in range(len(tenths))]
    return choose_operating_point(
        tenths,
        truth,
        groups,
        by_class=np.isin(np.arange(len(tenths)), by_class),
        target_sensitivity=target,
        population="made up",
    )


def test_by_hand() -> None:
    # Twenty positives at 50, 100, ... 1000 tenths; 95 % means 19 of them: the second lowest, 100.
    point = choose([50 * k for k in range(1, 21)], [99, 100, 500, 20])
    assert point.threshold == 10.0
    assert point.sensitivity.value == 0.95
    assert point.specificity.value == 0.5
    assert (point.n_positive, point.n_negative, point.n_groups) == (20, 4, 24)


def test_films_of_the_class_count_as_referred_whatever_they_score() -> None:
    scores = [50 * k for k in range(1, 21)], [99, 100, 500, 20]
    point = choose(*scores, by_class=(0, 20))  # a TB film of 5.0 and another film of 9.9
    assert point.threshold == 10.0
    assert (point.sensitivity.value, point.specificity.value) == (1.0, 0.25)


@given(
    st.lists(st.integers(0, 1000), min_size=10, max_size=60),
    st.lists(st.integers(0, 1000), min_size=1, max_size=20),
    st.sampled_from([0.5, 0.8, 0.9, 0.95, 1.0]),
)
def test_target_is_reached_and_no_higher_threshold_reaches_it(
    positive: list[int], negative: list[int], target: float
) -> None:
    point = choose(positive, negative, target)
    threshold = point.tenths
    scores = np.array(positive)
    assert (scores >= threshold).mean() >= target - 1e-12
    assert (scores >= threshold + 1).mean() < target


def test_too_few_positives_are_refused() -> None:
    with pytest.raises(DataError, match="10 positive films"):
        choose([1] * 9, [1])
    with pytest.raises(DataError, match="one negative"):
        choose([1] * 20, [])


def test_known_children_are_not_counted_and_unknown_is_not_adult() -> None:
    films = [film(0, "a", source) for source in ("Kermany", "RSNA 2018", "")]
    assert may_be_adult(films).tolist() == [False, True, True]
    aged = [replace(film(0, "a"), age=age) for age in (14.9, 15.0)]
    assert may_be_adult(aged).tolist() == [False, True]
    assert describe_ages(films[:2]) == "adults" == describe_ages(aged)
    assert describe_ages([films[0], films[2]]) == "age unknown"
    assert describe_ages(films) == "adults, and age unknown of 1 of 2 films"
    assert describe_ages(films[:1]) == "none, all films are of children"
    assert may_be_adult([film(0, "a", "Chest X-Ray (Pediatric), Guangzhou")]).tolist() == [False]


def test_no_figure_of_unknown_age_is_called_adults() -> None:
    assert name_population(AGAINST_NORMAL, "adults") == "adults, TB against normal"
    assert name_population(AGAINST_NORMAL, "age unknown") == "age unknown, TB against normal"
    mixed = name_population(AGAINST_NORMAL, "adults, and age unknown of 1 of 2 films")
    assert mixed == "adults or age unknown, TB against normal"
