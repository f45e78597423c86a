"""95 % intervals by resampling groups (patients and their look-alikes), all resamples at once.

A resample is a row of weights: how often each film was drawn. Row 0 is the films as they are, so a
statistic's first value is its estimate and the others its spread. `cxr_train.figures.metrics` has
the same figures for one set of films; a test holds the two, and scikit-learn's, together.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from edge_infer.model.model_card import CLASSES, Interval

RESAMPLES = 1000
Weights = NDArray[np.float64]
"""[R, N], row 0 all ones."""
Values = NDArray[np.float64]
"""[R]; nan where a resample leaves the figure undefined."""


def group_weights(groups: Sequence[str], *, n: int = RESAMPLES, seed: int = 0) -> Weights:
    """Draw `n` resamples of whole groups with replacement: weights [n + 1, N]."""
    names, membership = np.unique(np.asarray(groups, dtype=str), return_inverse=True)
    random = np.random.default_rng(seed)
    counts = random.multinomial(len(names), np.full(len(names), 1 / len(names)), size=n)
    drawn = counts[:, membership].astype(np.float64)
    return np.vstack([np.ones((1, len(membership))), drawn])


def interval_of(values: Values, *, centred: bool = False) -> Interval | None:
    """Return estimate and 95 % percentile interval of a statistic over resamples.

    None when it is undefined on the films themselves or on more than half of the resamples.
    `centred` reflects the interval about the estimate (the basic bootstrap), for figures that
    resampling itself pushes up, such as a calibration error; it is cut at 0 and 1.
    """
    estimate, drawn = float(values[0]), values[1:][np.isfinite(values[1:])]
    if not np.isfinite(estimate) or len(drawn) < (len(values) - 1) / 2:
        return None
    low, high = (float(bound) for bound in np.percentile(drawn, [2.5, 97.5]))
    if centred:
        low, high = max(0.0, 2 * estimate - high), min(1.0, 2 * estimate - low)
    return Interval(value=estimate, low=low, high=high)


def confusions(labels: ArrayLike, predictions: ArrayLike, weights: Weights) -> NDArray[np.float64]:
    """Count [R, 4, 4] per resample: rows are the truth, columns the prediction."""
    n = len(CLASSES)
    cells = np.asarray(labels) * n + np.asarray(predictions)
    return np.asarray((weights @ np.eye(n * n)[cells]).reshape(-1, n, n))


def f1_values(matrices: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return F1 [R, 4] per class; nan for a class neither present nor predicted."""
    hits = np.diagonal(matrices, axis1=1, axis2=2)
    return _ratio(2 * hits, matrices.sum(axis=1) + matrices.sum(axis=2))


def macro_f1_values(matrices: NDArray[np.float64]) -> Values:
    """Return the mean F1 [R] of the classes that occur as truth or prediction."""
    scores = f1_values(matrices)
    defined = np.isfinite(scores)
    return _ratio(np.where(defined, scores, 0).sum(axis=1), defined.sum(axis=1))


def weighted_f1_values(matrices: NDArray[np.float64]) -> Values:
    """Return the F1 [R] of all classes weighted by their films."""
    support = matrices.sum(axis=2)
    return _ratio(np.nansum(f1_values(matrices) * support, axis=1), support.sum(axis=1))


def accuracy_values(matrices: NDArray[np.float64]) -> Values:
    """Return the share [R] of films whose prediction is their label."""
    return _ratio(np.trace(matrices, axis1=1, axis2=2), matrices.sum(axis=(1, 2)))


def auroc_values(scores: ArrayLike, positives: ArrayLike, weights: Weights) -> Values:
    """Return the chance [R] that a positive outscores a negative, ties counting half."""
    values, is_positive = np.asarray(scores), np.asarray(positives, dtype=bool)
    order = np.argsort(values, kind="stable")
    if not len(values):
        return np.full(len(weights), np.nan)
    starts = np.flatnonzero(np.r_[True, np.diff(values[order]) != 0])
    in_order, truth = weights[:, order], is_positive[order]
    positive = np.add.reduceat(in_order * truth, starts, axis=1)
    negative = np.add.reduceat(in_order * ~truth, starts, axis=1)
    below = np.cumsum(negative, axis=1) - negative
    wins = (positive * (below + negative / 2)).sum(axis=1)
    return _ratio(wins, positive.sum(axis=1) * negative.sum(axis=1))


def calibration_error_values(
    confidence: NDArray[np.float64], hits: NDArray[np.bool_], weights: Weights, *, bins: int = 15
) -> Values:
    """Return the mean gap [R] between confidence and accuracy over equal-mass bins.

    The bins are those of the films as they are: resampling must not move them.
    """
    order = np.argsort(confidence, kind="stable")
    gaps = np.zeros(len(weights))
    for part in np.array_split(order, bins):
        if len(part):
            gaps += np.abs(weights[:, part] @ (confidence[part] - hits[part]))
    return _ratio(gaps, weights.sum(axis=1))


def _ratio(top: NDArray[np.float64], bottom: ArrayLike) -> NDArray[np.float64]:
    below = np.asarray(bottom, dtype=np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.where(below > 0, top / below, np.nan))
