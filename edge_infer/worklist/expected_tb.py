"""How many of 100 referred films are expected to have tuberculosis: the page's one honest sum.

A sensitivity and a specificity say nothing about a clinic until its share of sick people is put in:
where one of a hundred has tuberculosis, most referrals of a good test are healthy.
"""

from __future__ import annotations

from typing import Final

from edge_infer.model.model_card import Interval, OperatingPoint

DEFAULT_PREVALENCE: Final = 0.01
FEWEST_FILMS: Final = 10
"""Of each kind; with fewer, the interval reaches from nearly none to nearly all."""


def positive_predictive_value(sensitivity: float, specificity: float, prevalence: float) -> float:
    """Return the share of referred films that have the disease, all in 0..1.

    Raises ValueError where nothing would ever be referred.
    """
    true = sensitivity * prevalence
    referred = true + (1 - specificity) * (1 - prevalence)
    if referred <= 0:
        raise ValueError("a test that refers nobody has no positive predictive value")
    return true / referred


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
