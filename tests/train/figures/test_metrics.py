"""Figures against cases worked by hand; undefined is None."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cxr_train.figures.metrics import (
    accuracy,
    auroc,
    class_scores,
    confusion_matrix,
    group_bootstrap,
    macro_f1,
)
from edge_infer.model.proportions import wilson_interval

LABELS = [0, 0, 0, 1, 1, 2, 2, 2, 3, 3]
PREDICTIONS = [0, 0, 1, 1, 1, 2, 0, 2, 3, 1]


def test_confusion_accuracy_and_f1_by_hand() -> None:
    assert confusion_matrix(LABELS, PREDICTIONS).tolist() == [
        [2, 1, 0, 0],
        [0, 2, 0, 0],
        [1, 0, 2, 0],
        [0, 1, 0, 1],
    ]
    assert accuracy(LABELS, PREDICTIONS) == 0.7
    scores = class_scores(LABELS, PREDICTIONS)
    # F1 = 2 hits / (support + called): 4/6, 4/6, 4/5, 2/3.
    assert [score.f1 for score in scores] == pytest.approx([4 / 6, 4 / 6, 4 / 5, 2 / 3])
    assert scores[1].precision == 0.5
    assert scores[1].recall == 1.0
    assert macro_f1(LABELS, PREDICTIONS) == pytest.approx((4 / 6 + 4 / 6 + 4 / 5 + 2 / 3) / 4)


def test_undefined_is_none_and_zero_is_zero() -> None:
    scores = class_scores([0, 0, 1], [0, 0, 0])
    assert scores[1].precision is None and scores[1].recall == 0.0 and scores[1].f1 == 0.0
    assert scores[2].f1 is None and scores[2].recall is None
    assert auroc([1, 2], [True, True]) is None
    with pytest.raises(ValueError, match="no film"):
        accuracy([], [])


def test_auroc_by_hand() -> None:
    # Positives 3, 2; negatives 1, 2: pairs 3>1, 3>2, 2>1, 2=2 -> 3.5 of 4.
    assert auroc([3, 2, 1, 2], [True, True, False, False]) == 0.875
    assert auroc([0, 0, 0], [True, False, False]) == 0.5


@given(st.lists(st.tuples(st.integers(0, 5), st.booleans()), min_size=2, max_size=40))
def test_auroc_is_the_share_of_ordered_pairs(films: list[tuple[int, bool]]) -> None:
    positives = [score for score, positive in films if positive]
    negatives = [score for score, positive in films if not positive]
    pairs = [(p > n) + 0.5 * (p == n) for p in positives for n in negatives]
    expected = pytest.approx(np.mean(pairs)) if pairs else None
    assert auroc([s for s, _ in films], [p for _, p in films]) == expected


def test_wilson_interval_of_37_of_41() -> None:
    interval = wilson_interval(37, 41)
    assert (interval.value, interval.low, interval.high) == pytest.approx(
        (0.902, 0.775, 0.961), abs=5e-4
    )
    assert wilson_interval(0, 10).low == 0.0
    assert wilson_interval(10, 10).high == 1.0
    with pytest.raises(ValueError, match="no proportion"):
        wilson_interval(0, 0)


def test_bootstrap_resamples_groups_not_films() -> None:
    values = np.repeat([0.0, 1.0], 50)
    alone = group_bootstrap(lambda i: float(values[i].mean()), [str(k) for k in range(100)])
    together = group_bootstrap(lambda i: float(values[i].mean()), ["a"] * 50 + ["b"] * 50)
    assert alone is not None and together is not None
    assert alone.value == together.value == 0.5
    # 100 independent films: standard error 0.05; two groups: every mean is 0, 0.5 or 1.
    assert alone.high - alone.low == pytest.approx(4 * 0.05, rel=0.2)
    assert (together.low, together.high) == (0.0, 1.0)


def test_bootstrap_of_an_undefined_statistic_is_none() -> None:
    assert group_bootstrap(lambda _: None, ["a", "b"]) is None
