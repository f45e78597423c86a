"""Proportions with their intervals, and what follows from two of them, in plain arithmetic.

A sensitivity and a specificity say nothing about a clinic until its share of sick people is put in:
where one of a hundred has tuberculosis, most referrals of a good test are healthy.
"""

from __future__ import annotations

from functools import cache
from math import ceil, sqrt
from typing import Final

from edge_infer.model.model_card import Interval, OperatingPoint

Z95: Final = 1.959963984540054
Z_BOTH: Final = 2.236477
"""Of two independent intervals at 97.468 %, whose product is 95 %: both hold at once in 95 %."""
INFORMATIVE_MARGIN: Final = 0.10
"""How far below its target a sensitivity's interval may reach and still say something."""
FEWEST_FILMS: Final = 10
"""Of each kind; with fewer, the interval reaches from nearly none to nearly all."""
_SEARCHED = 2000


def wilson_interval(hits: int, n: int, *, z: float = Z95) -> Interval:
    """Return a proportion with its Wilson score interval; ValueError for n = 0."""
    if not 0 <= hits <= n or n == 0:
        raise ValueError(f"{hits} of {n} is no proportion")
    share = hits / n
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    # At 0 and n the bounds are exactly 0 and 1; the formula misses them by a rounding error.
    return Interval(
        value=share,
        low=centre - half if hits else 0.0,
        high=centre + half if hits < n else 1.0,
    )


def hits_needed(n: int, target: float) -> int:
    """Return the fewest hits of `n` whose share reaches `target`."""
    return ceil(target * n - 1e-9)


@cache
def positives_needed(target: float) -> int:
    """Return from how many positives on a sensitivity that reaches `target` says something.

    The rule: the 95 % Wilson interval of the fewest hits that reach the target begins no more than
    ten points below the target, for this number of positives and for every larger one (with few
    films the bound jumps each time one more miss is allowed). 0.95 needs 45, 0.90 needs 61.
    """
    needed = 1
    for n in range(1, _SEARCHED):
        if wilson_interval(hits_needed(n, target), n).low < target - INFORMATIVE_MARGIN:
            needed = n + 1
    return needed


def positive_predictive_value(sensitivity: float, specificity: float, prevalence: float) -> float:
    """Return the share of referred films that have the disease, all in 0..1.

    Raises ValueError where nothing would ever be referred.
    """
    true = sensitivity * prevalence
    referred = true + (1 - specificity) * (1 - prevalence)
    if referred <= 0:
        raise ValueError("a test that refers nobody has no positive predictive value")
    return true / referred


def predictive_values(
    sensitivity: Interval, specificity: Interval, prevalence: float
) -> tuple[Interval | None, Interval | None, Interval]:
    """Return PPV, NPV and the share referred at a prevalence, by Bayes' rule.

    Each bound is the value at the least favourable corner of the two intervals. Given intervals at
    Z_BOTH, both of which hold at once in 95 %, these hold in at least 95 %. A predictive value of
    no film is None.
    """

    def ppv(sens: float, spec: float) -> float:
        return positive_predictive_value(sens, spec, prevalence)

    def npv(sens: float, spec: float) -> float:
        passed, missed = spec * (1 - prevalence), (1 - sens) * prevalence
        return passed / (passed + missed)

    def referred(sens: float, spec: float) -> float:
        return sens * prevalence + (1 - spec) * (1 - prevalence)

    se, sp = sensitivity, specificity
    has_referred = se.value > 0 or sp.value < 1
    has_passed = sp.value > 0 or se.value < 1
    return (
        Interval(value=ppv(se.value, sp.value), low=ppv(se.low, sp.low), high=ppv(se.high, sp.high))
        if has_referred
        else None,
        Interval(value=npv(se.value, sp.value), low=npv(se.low, sp.low), high=npv(se.high, sp.high))
        if has_passed
        else None,
        Interval(
            value=referred(se.value, sp.value),
            low=referred(se.low, sp.high),
            high=referred(se.high, sp.low),
        ),
    )


def expected_share(point: OperatingPoint, prevalence: float) -> Interval | None:
    """Return the share of referred films that have tuberculosis; None: the card cannot say.

    The interval takes the lower ends of sensitivity and specificity together, and both upper ends:
    wider than 95 %, on purpose. `prevalence` is in 0..1.
    """
    if min(point.n_positive, point.n_negative) < FEWEST_FILMS or not 0 < prevalence < 1:
        return None
    sensitivity, specificity = point.sensitivity, point.specificity
    if sensitivity.low <= 0:
        return None
    return Interval(
        value=positive_predictive_value(sensitivity.value, specificity.value, prevalence),
        low=positive_predictive_value(sensitivity.low, specificity.low, prevalence),
        high=positive_predictive_value(sensitivity.high, specificity.high, prevalence),
    )
