"""The `uncertain` band: class-conditional conformal prediction (Vovk 2012; Sadinle et al. 2019).

A class is in a film's set when its printed probability reaches the class's threshold. Each class's
threshold is chosen on its own validation films, so that a film of the class, exchangeable with
them, has its class in its set with probability 1 - alpha or more. A film whose set is not exactly
one class is one the model cannot decide. Tuberculosis has its threshold like every class: it is
rare, and an overall guarantee could be kept while every TB film is missed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import ceil

import numpy as np
from numpy.typing import NDArray

from cxr_train.errors import DataError
from edge_infer.model.findings import printed_units
from edge_infer.model.model_card import CLASSES, ConformalClass, Interval, UncertainBand
from edge_infer.model.proportions import wilson_interval

ALPHA = 0.1
"""Share of films of a class whose set may lack it. At 0.05 the bundled model called 77 of 132
adults' normal validation films uncertain and 24 clear; at 0.1 it is 33 and 68."""


@dataclass(frozen=True, kw_only=True)
class Coverage:
    """How often the true class was in the set, and how often it should have been."""

    population: str
    covered: Interval
    """With Wilson's interval."""
    n: int
    groups: int
    expected: Interval
    """95 % of beta-binomial outcomes for these many validation and test films."""

    @property
    def is_as_promised(self) -> bool:
        """Whether the covered share lies inside what chance allows."""
        return self.expected.low <= self.covered.value <= self.expected.high


def fit_band(
    logits: NDArray[np.float32],
    labels: NDArray[np.int64],
    groups: Sequence[str],
    temperature: float,
    *,
    fingerprint: str,
    population: str,
    alpha: float = ALPHA,
) -> UncertainBand:
    """Choose each class's threshold on printed probabilities of validation films.

    DataError when a class has too few films for the promise (fewer than 1 / alpha - 1).
    """
    units = printed_units(logits, temperature)
    names = np.asarray(groups, dtype=str)
    classes = []
    for index, name in enumerate(CLASSES):
        of_class = labels == index
        own = np.sort(units[of_class, index])
        rank = _rank(len(own), alpha)
        if rank < 1:
            raise DataError(
                f"A conformal threshold at {1 - alpha:.0%} needs {ceil(1 / alpha) - 1} validation "
                f"films of {name}; there are {len(own)}."
            )
        classes.append(
            ConformalClass(
                class_name=name,
                threshold_units=int(own[rank - 1]),
                n=len(own),
                groups=len(set(names[of_class])),
                coverage=_promised(len(own), rank),
            )
        )
    return UncertainBand(
        method="class-conditional conformal prediction on printed probabilities",
        alpha=alpha,
        population=population,
        classes=tuple(classes),
        fingerprint=fingerprint,
    )


def in_set(units: NDArray[np.int64], band: UncertainBand) -> NDArray[np.bool_]:
    """Return the sets [N, 4] of films with printed probabilities [N, 4] in ten-thousandths."""
    thresholds = {one.class_name: one.threshold_units for one in band.classes}
    return np.asarray(units >= np.array([thresholds[name] for name in CLASSES]))


def measure_coverage(
    logits: NDArray[np.float32],
    labels: NDArray[np.int64],
    groups: Sequence[str],
    temperature: float,
    band: UncertainBand,
) -> tuple[Coverage, ...]:
    """Measure coverage on films the thresholds were not chosen on: overall, then per class."""
    sets = in_set(printed_units(logits, temperature), band)
    hits = sets[np.arange(len(labels)), labels]
    names = np.asarray(groups, dtype=str)
    rows = [_coverage("all classes", hits, names, _expected(band, labels))]
    for index, name in enumerate(CLASSES):
        chosen = labels == index
        if chosen.any():
            expected = _expected(band, labels[chosen])
            rows.append(_coverage(name, hits[chosen], names[chosen], expected))
    return tuple(rows)


def undecided(logits: NDArray[np.float32], temperature: float, band: UncertainBand) -> float:
    """Return the share of films whose set is not exactly one class."""
    return float((in_set(printed_units(logits, temperature), band).sum(axis=1) != 1).mean())


def _rank(n: int, alpha: float) -> int:
    """Return the place, from 1, of the threshold among the class's `n` sorted probabilities.

    A new film ranks below the k-th smallest of n with probability k / (n + 1) at most.
    """
    return int(alpha * (n + 1) + 1e-9)


def _promised(n: int, rank: int) -> Interval:
    """Return mean and 95 % range of the coverage over draws of the validation films: a beta."""
    from scipy.stats import beta

    law = beta(n + 1 - rank, rank)
    return Interval(value=float(law.mean()), low=float(law.ppf(0.025)), high=float(law.ppf(0.975)))


def _coverage(
    population: str, hits: NDArray[np.bool_], groups: NDArray[np.str_], expected: Interval
) -> Coverage:
    return Coverage(
        population=population,
        covered=wilson_interval(int(hits.sum()), len(hits)),
        n=len(hits),
        groups=len(set(groups)),
        expected=expected,
    )


def _expected(band: UncertainBand, labels: NDArray[np.int64]) -> Interval:
    """Return what coverage of these films may be: per class beta-binomial, summed over classes."""
    from scipy.stats import betabinom

    law = np.ones(1)
    for one in band.classes:
        count = int((labels == CLASSES.index(one.class_name)).sum())
        if count:
            rank = _rank(one.n, band.alpha)
            outcomes = np.arange(count + 1)
            law = np.convolve(law, betabinom.pmf(outcomes, count, one.n + 1 - rank, rank))
    cumulated = np.cumsum(law)
    low, high = (int(np.searchsorted(cumulated, share)) for share in (0.025, 0.975))
    mean = float(law @ np.arange(len(law)))
    return Interval(value=mean / len(labels), low=low / len(labels), high=high / len(labels))


def describe(rows: Iterable[Coverage]) -> list[str]:
    """Say each coverage in a line."""
    return [
        f"{row.population}: {row.covered.value:.3f} of {row.n} films, expected "
        f"{row.expected.low:.3f} to {row.expected.high:.3f}: "
        f"{'as promised' if row.is_as_promised else 'outside'}"
        for row in rows
    ]
