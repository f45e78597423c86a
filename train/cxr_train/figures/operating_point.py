"""Thresholds on printed scores, chosen on validation films only."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from cxr_train.data.ages import is_child
from cxr_train.data.manifest import Example
from cxr_train.errors import DataError
from edge_infer.model.model_card import OperatingPoint
from edge_infer.model.proportions import hits_needed, wilson_interval
from edge_infer.model.referred import is_referred

FEWEST_POSITIVES = 10
TARGET_SENSITIVITY = 0.95
"""What the TB and the abnormal threshold are chosen for, on validation films."""


def choose_operating_point(
    tenths: NDArray[np.int64],
    positives: NDArray[np.bool_],
    groups: Sequence[str],
    *,
    by_class: NDArray[np.bool_],
    target_sensitivity: float,
    population: str,
    at_most: int = 1000,
) -> OperatingPoint:
    """Return the highest threshold at which the scores of these films reach the target.

    `tenths` [N] are printed scores in tenths of a point, `positives` [N] the truth, `groups` [N]
    patients, `by_class` [N] films that are referred for their likeliest class, whatever the
    threshold: they count in sensitivity and specificity as they do in a worklist. `at_most` is a
    threshold, in tenths, that another population needs. The intervals are Wilson's, which take
    films for independent: compare `n_groups` with the films. Raises DataError as `require_enough`
    does.
    """
    require_enough(positives, population=population)
    n_positive, n_negative = int(positives.sum()), int((~positives).sum())
    threshold = min(at_most, highest_threshold(tenths[positives], target_sensitivity))
    called = is_referred(tenths, by_class, threshold)
    return OperatingPoint(
        threshold=threshold / 10,
        target_sensitivity=target_sensitivity,
        sensitivity=wilson_interval(int((called & positives).sum()), n_positive),
        specificity=wilson_interval(int((~called & ~positives).sum()), n_negative),
        n_positive=n_positive,
        n_negative=n_negative,
        n_groups=len(set(groups)),
        population=population,
    )


def highest_threshold(tenths: NDArray[np.int64], target_sensitivity: float) -> int:
    """Return the highest threshold that this share of the scores [n] reaches; n is 1 or more."""
    needed = hits_needed(len(tenths), target_sensitivity)
    return int(np.sort(tenths)[::-1][needed - 1])


def require_enough(positives: NDArray[np.bool_], *, population: str) -> None:
    """Raise DataError with fewer than ten positives or no negative: a threshold means nothing."""
    n_positive, n_negative = int(positives.sum()), int((~positives).sum())
    if n_positive < FEWEST_POSITIVES or n_negative == 0:
        raise DataError(
            f"A threshold needs {FEWEST_POSITIVES} positive films and one negative; {population} "
            f"has {n_positive} and {n_negative}: add labelled validation films."
        )


def may_be_adult(examples: Sequence[Example]) -> NDArray[np.bool_]:
    """Say for each film [N] whether TB figures count it: all but those known to be children's.

    Children, who seldom have tuberculosis in public sets, make it look easy.
    """
    return np.array([not is_child(example) for example in examples], dtype=np.bool_)
