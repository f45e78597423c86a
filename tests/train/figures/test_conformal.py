"""Conformal sets: thresholds by hand, and the promise kept on made-up films."""

from __future__ import annotations

import numpy as np
import pytest

from cxr_train.errors import DataError
from cxr_train.figures.conformal import fit_band, in_set, measure_coverage, undecided
from edge_infer.model.findings import printed_units
from edge_infer.model.model_card import CLASSES, UncertainBand


def make_films(n: int, seed: int) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Return logits [4 n, 4] that are right more often than not, labels and groups."""
    random = np.random.default_rng(seed)
    labels = np.repeat(np.arange(4), n)
    logits = random.normal(0, 1, (4 * n, 4)) + 2.0 * np.eye(4)[labels]
    return logits.astype(np.float32), labels, [str(k) for k in range(4 * n)]


def fit(n: int, seed: int = 0, alpha: float = 0.1) -> UncertainBand:
    logits, labels, groups = make_films(n, seed)
    return fit_band(logits, labels, groups, 1.0, fingerprint="f", population="made", alpha=alpha)


def test_the_threshold_is_the_ranked_probability_of_the_class_itself() -> None:
    logits, labels, _ = make_films(39, 0)
    band = fit(39)
    for index, one in enumerate(band.classes):
        own = np.sort(printed_units(logits, 1.0)[labels == index, index])
        assert one.class_name == CLASSES[index]
        assert one.threshold_units == own[3]  # floor(0.1 x 40) = 4th smallest
        assert (one.n, one.groups) == (39, 39)
        # Coverage over choices of 39 films: beta(36, 4), mean 0.9.
        assert one.coverage.value == pytest.approx(0.9)
        assert one.coverage.low < 0.9 < one.coverage.high


def test_the_promise_holds_per_class_over_many_draws() -> None:
    covered = []
    for seed in range(60):
        band = fit(59, seed)
        logits, labels, groups = make_films(200, 1000 + seed)
        rows = measure_coverage(logits, labels, groups, 1.0, band)
        assert [row.population for row in rows] == ["all classes", *CLASSES]
        covered.append([(row.covered.value, row.is_as_promised) for row in rows])
    values, promised = np.array(covered).transpose(2, 0, 1)
    np.testing.assert_allclose(values.mean(axis=0), 0.9, atol=0.015)
    # The 95 % beta-binomial range holds about 95 % of outcomes: neither all of them nor few.
    assert 0.9 <= promised.mean() <= 0.99


def test_a_shifted_hospital_breaks_the_promise_and_it_is_said() -> None:
    band = fit(99)
    logits, labels, groups = make_films(100, 5)
    logits[labels == 3, 3] -= 3
    rows = {row.population: row for row in measure_coverage(logits, labels, groups, 1.0, band)}
    assert not rows["tuberculosis"].is_as_promised
    assert rows["normal"].is_as_promised


def test_undecided_films_have_no_class_or_several() -> None:
    band = fit(99, alpha=0.02)
    logits = np.array([[9, 0, 0, 0], [0, 0, 0, 0]], dtype=np.float32)
    assert in_set(printed_units(logits, 1.0), band).sum(axis=1).tolist() == [1, 4]
    assert undecided(logits, 1.0, band) == 0.5


def test_too_few_films_of_a_class_are_refused_with_their_number() -> None:
    with pytest.raises(DataError, match="19 validation films of normal; there are 18"):
        fit(18, alpha=0.05)
    assert fit(19, alpha=0.05).classes[0].n == 19
