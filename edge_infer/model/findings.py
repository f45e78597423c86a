"""Logits become the numbers that are printed; decisions compare these and no others.

All arithmetic after the logits is exact: logits are rounded to 1e-4, probabilities to whole
ten-thousandths by largest remainder, scores are whole tenths of a point. Two PCs whose logits are
equal after that rounding print the same row.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from math import log

import numpy as np
from numpy.typing import NDArray

from edge_infer.errors import ModelError
from edge_infer.model.model_card import CLASSES, ModelCard, Referral, ScoreRule

UNITS = 10_000
"""A printed probability is a whole number of these parts."""
LEAST_PROBABILITY = 1e-6
"""Of the terms of a referral score: below it, and above 1 minus it, a probability counts as it."""
_NORMAL, _TB = CLASSES.index("normal"), CLASSES.index("tuberculosis")
# Of equal printed probabilities the class that must not wait wins.
_URGENCY = ("tuberculosis", "covid19", "pneumonia", "normal")


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """What is printed of one film."""

    units: tuple[int, ...]
    """Calibrated probabilities in ten-thousandths, in order of CLASSES, summing to 10,000."""
    tb_tenths: int
    """The TB score in tenths of a point, 0..1000."""
    abnormal_tenths: int
    """100 (1 - p_normal) in tenths of a point, 0..1000."""
    prediction: str

    @property
    def probabilities(self) -> tuple[Decimal, ...]:
        """Printed probabilities, four decimals, in order of CLASSES."""
        return tuple(Decimal(unit).scaleb(-4) for unit in self.units)

    @property
    def tb_score(self) -> Decimal:
        """The printed TB score, one decimal, 0.0..100.0."""
        return Decimal(self.tb_tenths).scaleb(-1)


def to_finding(logits: NDArray[np.float32], card: ModelCard) -> Finding:
    """Turn logits [K] of one film into what is printed; ModelError when not finite.

    K is 4, in order of CLASSES, or 5 with the referral logit.
    """
    films = np.asarray(logits)[None]
    units = printed_units(films, card.temperature)[0]
    tb, abnormal = (int(tenths[0]) for tenths in _scores(units[None], films, card.score_rule))
    best = max(_URGENCY, key=lambda name: units[CLASSES.index(name)])
    return Finding(
        units=tuple(int(unit) for unit in units),
        tb_tenths=tb,
        abnormal_tenths=abnormal,
        prediction=best,
    )


def printed_scores(
    logits: NDArray[np.float32], rule: ScoreRule
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return TB and abnormal scores [N] in tenths of a point, as `to_finding` prints them.

    `logits` [N, K]. The one place where they are made: what is chosen or measured on scores, is
    on these.
    """
    return _scores(printed_units(logits, rule.temperature), logits, rule)


def _scores(
    units: NDArray[np.int64], logits: NDArray[np.float32], rule: ScoreRule
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return both scores [N] of films whose printed probabilities are `units` [N, 4]."""
    abnormal = _tenths(UNITS - units[:, _NORMAL])
    if rule.referral is None or rule.referral.is_probability:
        return _tenths(units[:, _TB]), abnormal
    points = 1000 / (1 + np.exp(-referral_values(logits, rule.temperature, rule.referral)))
    # Rounded first, as remainders are: exp() and log() may differ in the last digit.
    return np.rint(np.round(points, 6)).astype(np.int64), abnormal


def referral_values(
    logits: NDArray[np.float32], temperature: float, referral: Referral
) -> NDArray[np.float64]:
    """Return z [N], of which the TB score is 100 / (1 + exp(-z)); see `Referral`.

    `logits` [N, K], K = 5 where the referral logit has a weight.
    """
    scaled = _rounded(logits) / temperature
    classes = scaled[:, : len(CLASSES)]
    z = np.full(len(classes), referral.offset, dtype=np.float64)
    if referral.head:
        z += referral.head * _rounded(logits)[:, len(CLASSES)]
    z += referral.tuberculosis * _log_odds(classes, _TB)
    z -= referral.abnormal * _log_odds(classes, _NORMAL)
    # Far beyond what a score shows; exp() of more would overflow.
    return np.asarray(z.clip(-100, 100))


def _log_odds(scaled: NDArray[np.float64], index: int) -> NDArray[np.float64]:
    """Return logit(p) [N] of one class, p within LEAST_PROBABILITY of 0 and 1 cut there.

    From logits [N, 4] over the temperature, not from p, of which little is left near 1.
    """
    others = np.delete(scaled, index, axis=1)
    largest = others.max(axis=1)
    below = largest + np.log(np.exp(others - largest[:, None]).sum(axis=1))
    bound = log((1 - LEAST_PROBABILITY) / LEAST_PROBABILITY)
    return np.asarray((scaled[:, index] - below).clip(-bound, bound))


def _rounded(logits: NDArray[np.float32]) -> NDArray[np.float64]:
    rounded = np.asarray(np.round(np.asarray(logits, dtype=np.float64), 4), dtype=np.float64)
    if not np.isfinite(rounded).all():
        raise ModelError("The model gave a score that is not a number: copy the model file again.")
    return rounded


def calibrated_probabilities(
    logits: NDArray[np.float32], temperature: float
) -> NDArray[np.float64]:
    """Return softmax(logits / temperature) [N, 4] in float64 of logits rounded to 1e-4.

    `logits` [N, K]: what follows the four classes is no part of it.
    """
    scaled = _rounded(logits)[:, : len(CLASSES)] / temperature
    powers = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def printed_units(logits: NDArray[np.float32], temperature: float) -> NDArray[np.int64]:
    """Return printed probabilities [N, 4] in ten-thousandths that sum to 10,000.

    The largest remainders round up. `logits` [N, K]; ModelError when one is not finite.
    """
    scaled = calibrated_probabilities(logits, temperature) * UNITS
    units = np.floor(scaled).astype(np.int64)
    # Rounded so that a last-digit difference of exp() between libraries cannot change a tie.
    remainders = np.round(scaled - units, 6)
    order = np.argsort(-remainders, axis=1, kind="stable")
    missing = UNITS - units.sum(axis=1)
    for row, count in enumerate(missing):
        units[row, order[row, :count]] += 1
    return units


def _tenths(units: NDArray[np.int64]) -> NDArray[np.int64]:
    """Ten-thousandths of 1 to tenths of 100 points, i.e. a tenth of the number, half to even."""
    whole, rest = np.divmod(units, 10)
    return np.asarray(whole + ((rest > 5) | ((rest == 5) & (whole % 2 == 1))))
