"""Temperature scaling on validation logits (Guo et al. 2017)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from edge_infer.model.model_card import CLASSES

_COLDEST, _HOTTEST = np.log(0.05), np.log(20.0)
_GOLDEN = (np.sqrt(5) - 1) / 2


FEWEST_OF_A_SOURCE = 30
"""A source of fewer films weighs less than the others: its calibration is chance."""


def source_weights(sources: Sequence[str]) -> NDArray[np.float64]:
    """Return weights [N], 1 on average, by which every source counts alike, however many films."""
    _, which, counts = np.unique(
        np.asarray(sources, dtype=str), return_inverse=True, return_counts=True
    )
    weights = 1 / np.maximum(counts, FEWEST_OF_A_SOURCE)[which]
    return np.asarray(weights / weights.mean())


def fit_temperature(
    logits: NDArray[np.float32], labels: ArrayLike, weights: NDArray[np.float64] | None = None
) -> float:
    """Return the temperature, 0.05..20 to 4 decimals, that minimises the log loss.

    `logits` [N, K] begin with those of the four classes, `labels` [N], `weights` [N] say how
    much a film counts (None: all alike). The loss is unimodal in the logarithm of the temperature:
    golden-section search, no starting point, no randomness. ValueError for no film.
    """
    scores, truth = class_logits(logits), np.asarray(labels)
    if len(scores) == 0:
        raise ValueError("a temperature cannot be fitted on no film")
    low, high = float(_COLDEST), float(_HOTTEST)
    while high - low > 1e-6:
        left, right = high - _GOLDEN * (high - low), low + _GOLDEN * (high - low)
        cold, hot = (log_loss(scores, truth, np.exp(at), weights) for at in (left, right))
        if cold <= hot:
            high = right
        else:
            low = left
    return round(float(np.exp((low + high) / 2)), 4)


def fit_class_shift(logits: NDArray[np.float32], labels: ArrayLike) -> NDArray[np.float64]:
    """Return what to add to each class's logit [4], summing to 0, for the least log loss.

    Fitted together with a temperature (bias-corrected temperature scaling, Alexandari et al. 2020),
    which is not returned: it is fitted again on the INT8 logits. Training draws classes in other
    shares than the data has; this puts that right where counting the draws does not suffice.
    """
    from scipy.optimize import minimize

    scores, truth = class_logits(logits), np.asarray(labels)
    if len(scores) == 0:
        raise ValueError("a class shift cannot be fitted on no film")

    def loss(parameters: NDArray[np.float64]) -> float:
        shift = np.append(parameters[:3], 0.0)
        return log_loss(scores + shift, truth, float(np.exp(parameters[3])))

    found = minimize(loss, np.zeros(4), method="BFGS", options={"gtol": 1e-6})
    shift = np.append(found.x[:3], 0.0)
    return np.asarray(np.round(shift - shift.mean(), 4))


def class_logits(logits: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the logits [N, 4] of the classes, without a referral logit after them."""
    return np.asarray(logits, dtype=np.float64)[:, : len(CLASSES)]


def log_loss(
    logits: NDArray[np.float64],
    labels: NDArray[np.int64],
    temperature: float,
    weights: NDArray[np.float64] | None = None,
) -> float:
    """Return the mean negative log probability of the true class; `logits` [N, 4].

    `weights` [N] say how much a film counts; None: all alike.
    """
    scaled = logits / temperature
    scaled = scaled - scaled.max(axis=1, keepdims=True)
    log_sum = np.log(np.exp(scaled).sum(axis=1))
    return float(np.average(log_sum - scaled[np.arange(len(scaled)), labels], weights=weights))
