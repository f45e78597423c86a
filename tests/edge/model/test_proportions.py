"""Intervals and predictive values against published and hand-computed numbers."""

from __future__ import annotations

import pytest

from edge_infer.model.model_card import Interval
from edge_infer.model.proportions import (
    hits_needed,
    positives_needed,
    predictive_values,
    wilson_interval,
)


@pytest.mark.parametrize(
    ("hits", "n", "low", "high"),
    [  # Newcombe, Statistics in Medicine 17 (1998) 857, table I, method 3
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_the_wilson_interval_is_the_published_one(
    hits: int, n: int, low: float, high: float
) -> None:
    interval = wilson_interval(hits, n)
    assert interval is not None
    assert (round(interval.low, 4), round(interval.high, 4)) == (low, high)
    assert interval.value == hits / n


def test_the_bounds_of_none_and_all_are_exact_and_none_of_none_is_unknown() -> None:
    none, every = wilson_interval(0, 7), wilson_interval(7, 7)
    assert (none.low, every.high) == (0.0, 1.0)
    # All of n: the lower bound is n / (n + z^2).
    assert every.low == pytest.approx(7 / (7 + 1.959963984540054**2), abs=1e-12)
    with pytest.raises(ValueError, match="no proportion"):
        wilson_interval(0, 0)
    with pytest.raises(ValueError, match="3 of 2"):
        wilson_interval(3, 2)


def test_hits_are_counted_exactly() -> None:
    assert [hits_needed(n, 0.95) for n in (1, 19, 20, 21, 40, 100)] == [1, 19, 19, 20, 38, 95]
    assert hits_needed(10, 0.7) == 7  # 0.7 * 10 is a little more than 7 in binary


@pytest.mark.parametrize(("target", "needed"), [(0.95, 45), (0.90, 61), (0.99, 32)])
def test_the_positives_needed_follow_the_stated_rule(target: float, needed: int) -> None:
    """From there on, the interval begins within ten points of the target; with one fewer not."""
    assert positives_needed(target) == needed
    lows = {}
    for n in range(needed - 1, 1500):
        lows[n] = wilson_interval(hits_needed(n, target), n).low
    assert lows.pop(needed - 1) < target - 0.10
    assert min(lows.values()) >= target - 0.10


def test_44_and_45_positives_by_hand() -> None:
    """42 of 44: (42 + 1.9207 - 1.96 sqrt(42*2/44 + 0.9604)) / 47.8415; 43 of 45 likewise."""
    below, enough = wilson_interval(42, 44), wilson_interval(43, 45)
    assert round(below.low, 4) == 0.8487
    assert round(enough.low, 4) == 0.8517


def test_predictive_values_by_hand() -> None:
    """Of 1,000 with 10 TB: 9 of 10 found, 198 of 990 false alarms."""
    exact = Interval(value=0.9, low=0.8, high=0.95)
    spec = Interval(value=0.8, low=0.7, high=0.9)
    ppv, npv, referred = predictive_values(exact, spec, 0.01)
    assert ppv is not None and npv is not None
    assert ppv.value == pytest.approx(9 / 207)
    assert ppv.low == pytest.approx(8 / (8 + 297)) and ppv.high == pytest.approx(9.5 / (9.5 + 99))
    assert npv.value == pytest.approx(792 / 793)
    assert npv.low == pytest.approx(693 / 695) and npv.high == pytest.approx(891 / 891.5)
    assert referred.value == pytest.approx(0.207)
    assert referred.low == pytest.approx(0.008 + 0.099)
    assert referred.high == pytest.approx(0.0095 + 0.297)


def test_a_predictive_value_of_nobody_is_unknown() -> None:
    nothing, everything = wilson_interval(0, 9), wilson_interval(9, 9)
    ppv, npv, _ = predictive_values(nothing, everything, 0.01)
    assert ppv is None and npv is not None
    ppv, npv, _ = predictive_values(everything, nothing, 0.01)
    assert ppv is not None and npv is None
