"""Whose films these are: known children's, known adults', or nobody knows. Unknown is not adult."""

from __future__ import annotations

import re
from collections.abc import Sequence

from cxr_train.data.manifest import MIN_AGE_YEARS, Example
from cxr_train.data.sources import SOURCES
from edge_infer.model.model_card import CLASSES

ADULTS, UNKNOWN = "adults", "age unknown"
NOBODY = "none, all films are of children"
_OF_CHILDREN = re.compile(r"kermany|guangzhou|vindrpcxr|pa?ediatric|children", re.IGNORECASE)
"""In a source's name, letters and digits only: Kermany 2018 (Guangzhou), VinDr-PCXR."""


def is_child(example: Example) -> bool:
    """Say whether a film is known to be of somebody younger than 15, by age or by source."""
    if example.age is not None:
        return example.age < MIN_AGE_YEARS
    return bool(_OF_CHILDREN.search(re.sub(r"[^a-zA-Z0-9]", "", example.source)))


def is_known_adult(example: Example) -> bool:
    """Say whether a film is known to be of somebody of 15 years or older."""
    if example.age is not None:
        return example.age >= MIN_AGE_YEARS
    facts = SOURCES.get(example.source)
    return facts is not None and facts.of_adults


def describe_ages(examples: Sequence[Example]) -> str:
    """Say whose films TB figures count, known children's left out: adults, or age unknown.

    Or nobody's, where all films are of children.
    """
    counted = [one for one in examples if not is_child(one)]
    if examples and not counted:
        return NOBODY
    known = sum(map(is_known_adult, counted))
    if known == len(counted):
        return ADULTS
    if not known:
        return UNKNOWN
    return f"{ADULTS}, and {UNKNOWN} of {len(counted) - known} of {len(counted)} films"


def name_population(population: str, ages: str) -> str:
    """Return a population's name, which begins with `adults`, as far as that is known."""
    begins = UNKNOWN if ages == UNKNOWN else "adults or age unknown"
    return population if ages == ADULTS else population.replace(ADULTS, begins, 1)


def describe_films(examples: Sequence[Example]) -> str:
    """Count films, classes, sources and children, and say what is known of ages."""
    sources = sorted({one.source or "unknown" for one in examples})
    children = sum(map(is_child, examples))
    classes = {one.label for one in examples}
    left = f"; {children} of children, whom TB figures leave out" if children else ""
    return (
        f"{len(examples)} films, {len(classes)} of {len(CLASSES)} classes; "
        f"source{'s' if len(sources) > 1 else ''}: {', '.join(sources)}{left}; "
        f"TB figures: {describe_ages(examples)}"
    )
