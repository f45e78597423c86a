"""The TB threshold: sources count alike, and no hospital that can be told apart is left behind.

Pooled film by film, a threshold is one of the sources with the most TB films, whose normals come
from elsewhere. So every source with TB counts alike, and in a hospital that has films of both
classes the target must be reached by itself, where that leaves half of its normal films alone. A
hospital where it would not (Sakha-TB: to find 95 % there, three of four of its normal films would
be referred, and nearly every film of another disease anywhere) has its figures stated and no say.
By scores alone: films that are called for their likeliest class come on top, because the class is
what carries over to another hospital least.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from cxr_train.data.manifest import Example
from cxr_train.data.sources import SOURCES
from cxr_train.figures.measures import ModelScores
from cxr_train.figures.operating_point import (
    choose_operating_point,
    highest_threshold,
    may_be_adult,
    require_enough,
)
from cxr_train.figures.temperature import fit_temperature, source_weights
from edge_infer.model.model_card import (
    CLASSES,
    HospitalPoint,
    OperatingPoint,
    Referral,
    ScoreRule,
)
from edge_infer.model.proportions import wilson_interval
from edge_infer.model.referred import is_referred

LEAST_SPECIFICITY = 0.5
"""A hospital whose own threshold refers more of its normal films than this leaves has no say."""
FEWEST_OF_A_HOSPITAL = 10
"""A hospital needs this many films with TB and this many normal ones to have a say."""
_NORMAL, _TB = CLASSES.index("normal"), CLASSES.index("tuberculosis")


def fit_rule(
    logits: NDArray[np.float32], examples: Sequence[Example], referral: Referral | None
) -> ScoreRule:
    """Fit the temperature on validation logits [N, K], every source counting alike.

    `referral` is what the TB score is made of; None: p_tuberculosis.
    """
    labels = np.array([example.label for example in examples], dtype=np.int64)
    weights = source_weights([example.source for example in examples])
    return ScoreRule(temperature=fit_temperature(logits, labels, weights), referral=referral)


def choose_tb_point(
    scored: ModelScores, examples: Sequence[Example], *, target_sensitivity: float, population: str
) -> OperatingPoint:
    """Choose the TB threshold on validation films, of which those of adult sources count.

    Without a hospital that has films enough of TB and normal, the pooled films choose alone.
    Raises DataError where there are fewer than ten TB films or no other.
    """
    adult = may_be_adult(examples)
    films = [example for example, kept in zip(examples, adult, strict=True) if kept]
    scored = scored.only(adult)
    labels = np.array([film.label for film in films], dtype=np.int64)
    tenths, by_class = scored.tb_tenths, scored.predictions == _TB
    sources = np.array([film.source for film in films], dtype=np.str_)
    pairs = dict(_hospitals(sources, labels))
    own = {
        source: highest_threshold(tenths[chosen & (labels == _TB)], target_sensitivity)
        for source, chosen in pairs.items()
    }
    heard = {
        source: own[source]
        for source, chosen in pairs.items()
        if _is_told_apart(tenths[chosen & (labels == _NORMAL)], own[source])
    }
    require_enough(labels == _TB, population=population)
    alike = _threshold_of_sources(tenths[labels == _TB], sources[labels == _TB], target_sensitivity)
    groups = np.array([film.group for film in films], dtype=np.str_)
    point = choose_operating_point(
        tenths,
        labels == _TB,
        list(groups),
        target_sensitivity=target_sensitivity,
        population=_describe(population, heard),
        by_class=by_class,
        at_most=min([alike, *heard.values()]),
    )
    called = is_referred(tenths, by_class, point.tenths)
    hospitals = tuple(
        _measure(source, own[source], called[chosen], labels[chosen] == _TB, groups[chosen])
        for source, chosen in pairs.items()
    )
    return replace(point, hospitals=hospitals)


def _hospitals(
    sources: NDArray[np.str_], labels: NDArray[np.int64]
) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    """Yield each source that is one hospital, as far as known, and which films of it are a pair."""
    for source in sorted(set(sources) - {""}):
        facts = SOURCES.get(str(source))
        tb, normal = ((sources == source) & (labels == index) for index in (_TB, _NORMAL))
        is_one_hospital = facts is None or facts.one_hospital
        if is_one_hospital and min(tb.sum(), normal.sum()) >= FEWEST_OF_A_HOSPITAL:
            yield str(source), tb | normal


def _describe(population: str, own: dict[str, int]) -> str:
    if not own:
        return population
    return f"{population}; the target holds in {', '.join(own)} alone, and with sources alike"


def _is_told_apart(normal_tenths: NDArray[np.int64], threshold: int) -> bool:
    return bool((normal_tenths < threshold).mean() >= LEAST_SPECIFICITY)


def _threshold_of_sources(
    tenths: NDArray[np.int64], sources: NDArray[np.str_], target_sensitivity: float
) -> int:
    """Return the highest threshold whose mean sensitivity over sources reaches the target."""
    weights = np.array([1 / (sources == source).sum() for source in sources])
    order = np.argsort(-tenths, kind="stable")
    reached = np.cumsum(weights[order]) / weights.sum()
    return int(tenths[order][np.searchsorted(reached, target_sensitivity - 1e-9)])


def _measure(
    source: str,
    own_tenths: int,
    called: NDArray[np.bool_],
    is_tb: NDArray[np.bool_],
    groups: NDArray[np.str_],
) -> HospitalPoint:
    n_positive, n_negative = int(is_tb.sum()), int((~is_tb).sum())
    return HospitalPoint(
        source=source,
        own_threshold=own_tenths / 10,
        sensitivity=wilson_interval(int((called & is_tb).sum()), n_positive),
        specificity=wilson_interval(int((~called & ~is_tb).sum()), n_negative),
        n_positive=n_positive,
        n_negative=n_negative,
        n_groups=len(set(groups)),
    )
