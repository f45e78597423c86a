"""The threshold is the highest that reaches the target on printed scores."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cxr_train.errors import DataError
from cxr_train.figures.operating_point import choose_operating_point, is_adult


def choose(positive: list[int], negative: list[int], target: float = 0.95) -> object:
    tenths = np.array(positive + negative)
    truth = np.array([True] * len(positive) + [False] * len(negative))
    groups = [str(k) for k in range(len(tenths))]
    return choose_operating_point(
        tenths, truth, groups, target_sensitivity=target, population="made up"
    )


def test_by_hand() -> None:
    # Twenty positives at 50, 100, ... 1000 tenths; 95 % means 19 of them: the second lowest, 100.
    point = choose([50 * k for k in range(1, 21)], [99, 100, 500, 20])
    assert point.threshold == 10.0  # type: ignore[attr-defined]
    assert point.sensitivity.value == 0.95  # type: ignore[attr-defined]
    assert point.specificity.value == 0.5  # type: ignore[attr-defined]
    assert (point.n_positive, point.n_negative, point.n_groups) == (20, 4, 24)  # type: ignore


@given(
    st.lists(st.integers(0, 1000), min_size=10, max_size=60),
    st.lists(st.integers(0, 1000), min_size=1, max_size=20),
    st.sampled_from([0.5, 0.8, 0.9, 0.95, 1.0]),
)
def test_target_is_reached_and_no_higher_threshold_reaches_it(
    positive: list[int], negative: list[int], target: float
) -> None:
    point = choose(positive, negative, target)
    threshold = point.tenths  # type: ignore[attr-defined]
    scores = np.array(positive)
    assert (scores >= threshold).mean() >= target - 1e-12
    assert (scores >= threshold + 1).mean() < target


def test_too_few_positives_are_refused() -> None:
    with pytest.raises(DataError, match="10 positive films"):
        choose([1] * 9, [1])
    with pytest.raises(DataError, match="one negative"):
        choose([1] * 20, [])


def test_children_of_kermany_are_not_adults() -> None:
    assert is_adult(["Kermany", "RSNA 2018", ""]).tolist() == [False, True, True]
