"""Figures over resamples against scikit-learn, intervals against hand-worked and known cases."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, f1_score, roc_auc_score

from cxr_train.figures.metrics import accuracy, auroc, macro_f1
from cxr_train.figures.resampling import (
    accuracy_values,
    auroc_values,
    calibration_error_values,
    confusions,
    f1_values,
    group_weights,
    interval_of,
    macro_f1_values,
    weighted_f1_values,
)

RANDOM = np.random.default_rng(7)
N = 120
LABELS = RANDOM.integers(0, 4, N)
PREDICTIONS = np.where(RANDOM.random(N) < 0.7, LABELS, RANDOM.integers(0, 4, N))
SCORES = np.round(RANDOM.random(N) + 0.4 * (LABELS == 3), 1)  # with many ties
GROUPS = [f"patient{k // 2}" for k in range(N)]
WEIGHTS = group_weights(GROUPS, n=20)


def test_whole_groups_are_drawn_as_many_as_there_are() -> None:
    assert WEIGHTS.shape == (21, N)
    assert (WEIGHTS[0] == 1).all()
    assert (WEIGHTS[:, 0::2] == WEIGHTS[:, 1::2]).all()
    assert (WEIGHTS.sum(axis=1) == N).all()
    assert len({tuple(row) for row in WEIGHTS}) == 21


@pytest.mark.parametrize("row", [0, 1, 20])
def test_every_resample_has_scikit_learns_figures(row: int) -> None:
    drawn = WEIGHTS[row]
    matrices = confusions(LABELS, PREDICTIONS, WEIGHTS)
    f1 = f1_score(LABELS, PREDICTIONS, average=None, sample_weight=drawn)
    assert accuracy_values(matrices)[row] == pytest.approx(
        accuracy_score(LABELS, PREDICTIONS, sample_weight=drawn)
    )
    np.testing.assert_allclose(f1_values(matrices)[row], f1)
    assert macro_f1_values(matrices)[row] == pytest.approx(f1.mean())
    assert weighted_f1_values(matrices)[row] == pytest.approx(
        f1_score(LABELS, PREDICTIONS, average="weighted", sample_weight=drawn)
    )
    assert auroc_values(SCORES, LABELS == 3, WEIGHTS)[row] == pytest.approx(
        roc_auc_score(LABELS == 3, SCORES, sample_weight=drawn)
    )


def test_estimates_are_those_of_the_plain_figures() -> None:
    matrices = confusions(LABELS, PREDICTIONS, WEIGHTS)
    assert accuracy_values(matrices)[0] == pytest.approx(accuracy(LABELS, PREDICTIONS))
    assert macro_f1_values(matrices)[0] == pytest.approx(macro_f1(LABELS, PREDICTIONS))
    assert auroc_values(SCORES, LABELS == 3, WEIGHTS)[0] == auroc(SCORES, LABELS == 3)


def test_calibration_error_by_hand() -> None:
    confidence = np.array([0.9, 0.9, 0.6, 0.6])
    hits = np.array([True, False, True, True])
    # Two bins: at 0.9 half is right (gap 0.4), at 0.6 all (gap 0.4). Then the first film counts
    # four times: of a weight of 7 the first bin has 5, 4 of them right (gap 0.1).
    weights = np.array([[1.0, 1, 1, 1], [4, 1, 1, 1]])
    errors = calibration_error_values(confidence, hits, weights, bins=2)
    assert errors == pytest.approx([0.4, (5 * 0.1 + 2 * 0.4) / 7])
    assert calibration_error_values(np.ones(4), np.ones(4, bool), weights)[0] == 0.0


def test_undefined_stays_undefined() -> None:
    assert np.isnan(auroc_values(SCORES, LABELS < 9, WEIGHTS)).all()
    assert interval_of(auroc_values(SCORES, LABELS < 9, WEIGHTS)) is None
    matrices = confusions([0, 0], [0, 1], np.ones((1, 2)))
    assert np.isnan(f1_values(matrices)[0, 2:]).all()
    assert macro_f1_values(matrices)[0] == pytest.approx((2 / 3 + 0) / 2)


def test_the_interval_is_the_percentiles_by_hand() -> None:
    values = np.r_[0.5, np.arange(101) / 100]
    interval = interval_of(values)
    assert interval is not None
    assert (interval.value, interval.low, interval.high) == pytest.approx((0.5, 0.025, 0.975))
    centred = interval_of(np.r_[0.1, 0.1 + np.arange(101) / 1000], centred=True)
    assert centred is not None
    assert (centred.low, centred.high) == pytest.approx((0.0025, 0.0975))


def test_the_auroc_interval_agrees_with_delong_on_independent_films() -> None:
    """DeLong's variance by its definition: the placements of each film among the other kind."""
    random = np.random.default_rng(3)
    positive, negative = random.normal(1, 1, 80), random.normal(0, 1, 100)
    wins = (positive[:, None] > negative[None]).astype(float)
    variance = wins.mean(axis=1).var(ddof=1) / 80 + wins.mean(axis=0).var(ddof=1) / 100
    scores = np.r_[positive, negative]
    truth = np.arange(180) < 80
    weights = group_weights([str(k) for k in range(180)], n=4000)
    values = auroc_values(scores, truth, weights)
    assert values[0] == pytest.approx(wins.mean())
    assert values[1:].std() == pytest.approx(np.sqrt(variance), rel=0.08)


def test_films_of_one_patient_widen_the_interval() -> None:
    """Four copies of every film are no more evidence than one."""
    hits = (np.arange(50) % 5 > 0).astype(int)
    copies = np.repeat(hits, 4)
    groups = [str(k) for k in np.repeat(np.arange(50), 4)]

    def width(names: list[str], right: np.ndarray) -> float:
        found = interval_of(
            accuracy_values(confusions(np.ones_like(right), right, group_weights(names)))
        )
        assert found is not None
        return found.high - found.low

    alone = width([str(k) for k in range(50)], hits)
    assert width(groups, copies) == pytest.approx(alone, rel=0.1)
    assert width([str(k) for k in range(200)], copies) < 0.6 * alone
