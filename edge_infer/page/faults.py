"""What is wrong with a model, in words."""

from __future__ import annotations

from edge_infer.model.model_card import ModelCard
from edge_infer.model.shortfalls import Fault, Shortfall, find_shortfalls
from edge_infer.words.form import PageWords


def describe_faults(card: ModelCard, words: PageWords) -> list[str]:
    """Return a sentence for each shortfall of the model, plain text; [] for one to work with."""
    return [_describe(one, f"{card.name} {card.version}", words) for one in find_shortfalls(card)]


def _describe(shortfall: Shortfall, model: str, words: PageWords) -> str:
    template = {
        Fault.UNMEASURED: words.faults.unmeasured,
        Fault.CHANCE: words.faults.chance,
        Fault.LOW_SPECIFICITY: words.faults.low_in_hospital
        if shortfall.hospital
        else words.faults.low_specificity,
    }[shortfall.fault]
    specificity = shortfall.point.specificity
    return template.format(
        model=model,
        hospital=shortfall.hospital,
        sensitivity=f"{100 * shortfall.point.sensitivity.value:.0f}\xa0%",
        specificity=f"{100 * specificity.value:.0f}\xa0%",
        referred=f"{100 - 100 * specificity.value:.0f}",
    )
