"""Figures of classification with their 95 % intervals, in numpy; undefined is None, never nan."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from edge_infer.model.model_card import CLASSES, Interval


@dataclass(frozen=True, kw_only=True)
class ClassScore:
    """How one class is told from the rest, each 0..1; None where its denominator is empty."""

    precision: float | None
    recall: float | None
    f1: float | None
    support: int
    """Films whose truth is this class."""


def confusion_matrix(
    labels: ArrayLike, predictions: ArrayLike, n: int = len(CLASSES)
) -> NDArray[np.int64]:
    """Count [n, n]: rows are the truth, columns the prediction."""
    matrix = np.zeros((n, n), dtype=np.int64)
    np.add.at(matrix, (np.asarray(labels), np.asarray(predictions)), 1)
    return matrix


def accuracy(labels: ArrayLike, predictions: ArrayLike) -> float:
    """Return the share of predictions that equal their label; ValueError when there are none."""
    hits = np.asarray(labels) == np.asarray(predictions)
    if hits.size == 0:
        raise ValueError("accuracy of no film is undefined")
    return float(hits.mean())


def class_scores(labels: ArrayLike, predictions: ArrayLike) -> tuple[ClassScore, ...]:
    """Return precision, recall and F1 of every class in order of CLASSES."""
    matrix = confusion_matrix(labels, predictions)
    scores = []
    for index in range(len(CLASSES)):
        hits, support, called = matrix[index, index], matrix[index].sum(), matrix[:, index].sum()
        scores.append(
            ClassScore(
                precision=float(hits / called) if called else None,
                recall=float(hits / support) if support else None,
                # A class that is neither present nor predicted has no F1; one that is present but
                # never predicted has F1 0.
                f1=float(2 * hits / (support + called)) if support + called else None,
                support=int(support),
            )
        )
    return tuple(scores)


def macro_f1(labels: ArrayLike, predictions: ArrayLike) -> float:
    """Return the mean F1 of the classes that occur as truth or prediction."""
    defined = [score.f1 for score in class_scores(labels, predictions) if score.f1 is not None]
    if not defined:
        raise ValueError("macro-F1 of no film is undefined")
    return float(np.mean(defined))


def auroc(scores: ArrayLike, positives: ArrayLike) -> float | None:
    """Return the chance that a positive outscores a negative, ties counting half (Mann-Whitney).

    `scores` [N], any order-preserving unit; `positives` [N] bool. None without both kinds.
    """
    values, is_positive = np.asarray(scores, dtype=np.float64), np.asarray(positives, dtype=bool)
    n_positive, n_negative = int(is_positive.sum()), int((~is_positive).sum())
    if not n_positive or not n_negative:
        return None
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    ranks = (ends - (counts - 1) / 2)[inverse]  # mean rank of equal scores, from 1
    total = float(ranks[is_positive].sum())
    return (total - n_positive * (n_positive + 1) / 2) / (n_positive * n_negative)


def group_bootstrap(
    statistic: Callable[[NDArray[np.intp]], float | None],
    groups: Sequence[str],
    *,
    n: int = 1000,
    seed: int = 0,
) -> Interval | None:
    """Return `statistic` of all films with its 95 % percentile interval, resampling groups.

    `statistic` takes film indices and may answer None (undefined); such resamples are left out.
    None when the statistic is undefined on all films, or on more than half of the resamples.
    """
    names, membership = np.unique(np.asarray(groups), return_inverse=True)
    members = [np.flatnonzero(membership == index) for index in range(len(names))]
    value = statistic(np.arange(len(membership)))
    random = np.random.default_rng(seed)
    drawn = []
    for _ in range(n):
        chosen = random.integers(0, len(names), size=len(names))
        result = statistic(np.concatenate([members[index] for index in chosen]))
        if result is not None:
            drawn.append(result)
    if value is None or len(drawn) < n / 2:
        return None
    low, high = np.percentile(drawn, [2.5, 97.5])
    return Interval(value=value, low=float(low), high=float(high))


def show_interval(estimate: Interval) -> str:
    """Return `0.884 (0.862 to 0.903)`."""
    return f"{estimate.value:.3f} ({estimate.low:.3f} to {estimate.high:.3f})"
