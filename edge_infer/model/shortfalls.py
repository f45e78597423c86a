"""Whether a model's own card says that nobody should work with its tuberculosis decisions.

The figures are those of the operating point in use: the model's validation films, or a clinic's own
once a site file's threshold is applied.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from edge_infer.model.model_card import HospitalPoint, ModelCard, OperatingPoint

LEAST_SPECIFICITY: Final = 0.5
"""Below it more than every second person without tuberculosis is referred."""


class Fault(StrEnum):
    """What is wrong."""

    UNMEASURED = "unmeasured"
    """No film with, or none without, tuberculosis was ever measured."""
    CHANCE = "chance"
    """As far as was measured it may refer people with and without tuberculosis alike."""
    LOW_SPECIFICITY = "low_specificity"


@dataclass(frozen=True, kw_only=True)
class Shortfall:
    """One fault, with the figures that show it."""

    fault: Fault
    point: OperatingPoint | HospitalPoint
    hospital: str = ""
    """Where it was measured, if in one hospital alone."""


def find_shortfalls(card: ModelCard) -> tuple[Shortfall, ...]:
    """Return what the card's figures for tuberculosis fall short of; () for a model to work with.

    Chance: the lower 95 % bounds of sensitivity and specificity add up to no more than 1, as those
    of an untrained network do, wherever its threshold is.
    """
    point = card.operating_points.refer_tb
    if not point.n_positive or not point.n_negative:
        return (Shortfall(fault=Fault.UNMEASURED, point=point),)
    if point.sensitivity.low + point.specificity.low <= 1:
        return (Shortfall(fault=Fault.CHANCE, point=point),)
    places: list[tuple[str, OperatingPoint | HospitalPoint]] = [("", point)]
    places += [(one.source, one) for one in point.hospitals]
    return tuple(
        Shortfall(fault=Fault.LOW_SPECIFICITY, point=one, hospital=name)
        for name, one in places
        if one.specificity.value < LEAST_SPECIFICITY
    )
