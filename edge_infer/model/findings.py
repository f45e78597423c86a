"""Logits become the numbers that are printed; decisions compare these and no others.

All arithmetic after the logits is exact: logits are rounded to 1e-4, probabilities to whole
ten-thousandths by largest remainder, scores are whole tenths of a point. Two PCs whose logits are
equal after that rounding print the same row.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

import numpy as np
from numpy.typing import NDArray

from edge_infer.errors import ModelError
from edge_infer.model.model_card import CLASSES, ModelCard

UNITS = 10_000
"""A printed probability is a whole number of these parts."""
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
    """Turn logits [4], in order of CLASSES, into what is printed; ModelError when not finite."""
    units = printed_units(np.asarray(logits)[None], card.temperature)[0]
    tb, abnormal = _tenths(units[_TB]), _tenths(UNITS - units[_NORMAL])
    best = max(_URGENCY, key=lambda name: units[CLASSES.index(name)])
    return Finding(
        units=tuple(int(unit) for unit in units),
        tb_tenths=int(tb),
        abnormal_tenths=int(abnormal),
        prediction=best,
    )


def printed_scores(
    logits: NDArray[np.float32], temperature: float
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return TB and abnormal scores [N] in tenths of a point, exactly as `to_finding` prints."""
    units = printed_units(logits, temperature)
    return _tenths(units[:, _TB]), _tenths(UNITS - units[:, _NORMAL])


def calibrated_probabilities(
    logits: NDArray[np.float32], temperature: float
) -> NDArray[np.float64]:
    """Return softmax(logits / temperature) [N, 4] in float64 of logits rounded to 1e-4."""
    rounded = np.round(np.asarray(logits, dtype=np.float64), 4) / temperature
    if not np.isfinite(rounded).all():
        raise ModelError("The model gave a score that is not a number: copy the model file again.")
    powers = np.exp(rounded - rounded.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def printed_units(logits: NDArray[np.float32], temperature: float) -> NDArray[np.int64]:
    """Return printed probabilities [N, 4] in ten-thousandths that sum to 10,000.

    The largest remainders round up. `logits` [N, 4]; ModelError when one is not finite.
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
