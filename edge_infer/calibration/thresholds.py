"""Choose a clinic's own TB threshold on its own films whose truth is known."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from edge_infer.calibration.labels import Labelled, LabelledFilm
from edge_infer.calibration.listed_films import ListedFilm
from edge_infer.model.model_card import Interval
from edge_infer.model.proportions import (
    Z_BOTH,
    hits_needed,
    positives_needed,
    predictive_values,
    wilson_interval,
)

LAST_TENTHS: Final = 1000
"""100.0 points, the highest threshold there is."""
_ROUND_TENTHS = tuple(range(0, LAST_TENTHS, 50))
_SENSITIVITIES = (1.0, 0.99, 0.98, 0.97, 0.95, 0.925, 0.90, 0.85, 0.80, 0.70, 0.60, 0.50)
UNEVEN: Final = 0.5
"""Labelled share of the films not referred over that of the referred: below, a warning."""


@dataclass(frozen=True, kw_only=True)
class Yield:
    """What referring at a threshold gives; None where no film is referred, or none passed."""

    ppv: Interval | None
    npv: Interval | None
    referred: Interval | None
    """Share of all films."""


@dataclass(frozen=True, kw_only=True)
class ThresholdRow:
    """The labelled films counted at one threshold, by the rule that decides: a film is referred
    when its score reaches the threshold or tuberculosis is its likeliest class."""

    tenths: int
    tp: int
    fp: int
    fn: int
    tn: int
    sensitivity: Interval | None
    """None without a film with TB; `specificity` None without one that has none."""
    specificity: Interval | None
    observed: Yield
    """At the share of TB among the labelled films."""
    expected: Yield
    """At the stated prevalence."""

    @property
    def threshold(self) -> float:
        """In score points."""
        return self.tenths / 10


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """The table, the choice, and what is known of the labels behind it."""

    target: float
    prevalence: float
    n_positive: int
    n_negative: int
    by_class: int
    """Films with TB that are referred for their class, whatever the threshold."""
    in_use: int | None
    """The threshold, in tenths, that the worklists were decided with."""
    chosen: ThresholdRow | None
    """None without a film with TB."""
    rows: tuple[ThresholdRow, ...]
    """By threshold, ascending: of thresholds that decide alike the highest, and the chosen one and
    the one in use."""
    labelled_referred: tuple[int, int]
    """(labelled, all) of the screened films that the worklists refer."""
    labelled_passed: tuple[int, int]
    """(labelled, all) of the other screened films."""

    @property
    def missing_positives(self) -> int:
        """How many more films with TB the target needs."""
        return max(0, positives_needed(self.target) - self.n_positive)

    @property
    def missing_negatives(self) -> int:
        """How many more films without TB are needed: as many as of the others, at least."""
        return max(0, positives_needed(self.target) - self.n_negative)

    @property
    def only_referred_labelled(self) -> bool:
        """Whether nothing is known of the films not referred, where the missed ones would be."""
        labelled, passed = self.labelled_passed
        return passed > 0 and labelled == 0

    @property
    def is_uneven(self) -> bool:
        """Whether films not referred are labelled less than half as often as the referred."""
        (labelled_r, referred), (labelled_p, passed) = self.labelled_referred, self.labelled_passed
        return referred > 0 and passed > 0 and labelled_p * referred < UNEVEN * labelled_r * passed

    @property
    def is_chance(self) -> bool:
        """Whether the choice may refer films without TB as often as those with it."""
        row = self.chosen
        if row is None or row.sensitivity is None or row.specificity is None:
            return False
        return row.sensitivity.value + row.specificity.low <= 1

    @property
    def can_be_used(self) -> bool:
        """Whether the choice may become a site file."""
        return (
            self.chosen is not None
            and not self.missing_positives
            and not self.missing_negatives
            and not self.only_referred_labelled
        )


def calibrate(
    labelled: Labelled,
    listed: Sequence[ListedFilm],
    *,
    target: float,
    prevalence: float,
    in_use: int | None,
) -> Calibration:
    """Make the table and choose the highest threshold whose sensitivity reaches the target.

    `listed` are all rows of the worklists, `in_use` the threshold in tenths they were decided with.
    """
    films = labelled.films
    positives = [one.film for one in films if one.has_tb]
    chosen = choose_tenths(positives, target) if positives else None
    shown = {*_ROUND_TENTHS, LAST_TENTHS}
    shown |= {choose_tenths(positives, share) for share in _SENSITIVITIES if positives}
    kept = {tenths for tenths in (chosen, in_use) if tenths is not None}
    rows = count_at(films, sorted(shown | kept), prevalence)
    known = {id(one.film) for one in films}
    screened = [film for film in listed if film.tb_tenths is not None]
    referred = [film for film in screened if film.was_referred]
    passed = [film for film in screened if not film.was_referred]
    return Calibration(
        target=target,
        prevalence=prevalence,
        n_positive=len(positives),
        n_negative=len(films) - len(positives),
        by_class=sum(film.has_tb_class for film in positives),
        in_use=in_use,
        chosen=None if chosen is None else count_at(films, [chosen], prevalence)[0],
        rows=tuple(_without_repeats(rows, kept)),
        labelled_referred=(sum(id(film) in known for film in referred), len(referred)),
        labelled_passed=(sum(id(film) in known for film in passed), len(passed)),
    )


def _without_repeats(rows: Sequence[ThresholdRow], kept: set[int]) -> Iterator[ThresholdRow]:
    """Yield, of neighbours with the same counts, the highest; those in `kept` always."""
    for row, above in zip(rows, [*rows[1:], None], strict=True):
        if above is None or row.tenths in kept or (row.tp, row.fp) != (above.tp, above.fp):
            yield row


def choose_tenths(positives: Sequence[ListedFilm], target: float) -> int:
    """Return the highest threshold in tenths that refers `target` of these films.

    ValueError without a film. Films of one score are referred together: the share may be larger.
    """
    if not positives:
        raise ValueError("a sensitivity needs a film with TB")
    effective = sorted((_effective_tenths(film) for film in positives), reverse=True)
    return effective[max(hits_needed(len(positives), target), 1) - 1]


def count_at(
    films: Sequence[LabelledFilm], thresholds: Iterable[int], prevalence: float
) -> list[ThresholdRow]:
    """Count the films at each threshold in tenths; every figure with its 95 % interval."""
    positives = sorted(_effective_tenths(one.film) for one in films if one.has_tb)
    negatives = sorted(_effective_tenths(one.film) for one in films if not one.has_tb)
    return [
        _row(
            tenths,
            tp=_count_referred(positives, tenths),
            n_positive=len(positives),
            fp=_count_referred(negatives, tenths),
            n_negative=len(negatives),
            prevalence=prevalence,
        )
        for tenths in thresholds
    ]


def _row(
    tenths: int, *, tp: int, n_positive: int, fp: int, n_negative: int, prevalence: float
) -> ThresholdRow:
    fn, tn = n_positive - tp, n_negative - fp
    return ThresholdRow(
        tenths=tenths,
        tp=tp,
        fp=fp,
        fn=fn,
        tn=tn,
        sensitivity=_share(tp, n_positive),
        specificity=_share(tn, n_negative),
        observed=Yield(
            ppv=_share(tp, tp + fp),
            npv=_share(tn, tn + fn),
            referred=_share(tp + fp, n_positive + n_negative),
        ),
        expected=_expect(tp, fp, fn, tn, prevalence),
    )


def _expect(tp: int, fp: int, fn: int, tn: int, prevalence: float) -> Yield:
    if not tp + fn or not tn + fp:
        return Yield(ppv=None, npv=None, referred=None)
    sensitivity = wilson_interval(tp, tp + fn, z=Z_BOTH)
    specificity = wilson_interval(tn, tn + fp, z=Z_BOTH)
    ppv, npv, referred = predictive_values(sensitivity, specificity, prevalence)
    return Yield(ppv=ppv, npv=npv, referred=referred)


def _share(hits: int, n: int) -> Interval | None:
    return wilson_interval(hits, n) if n else None


def _count_referred(ascending: Sequence[int], tenths: int) -> int:
    """Count the films that `is_referred` at a threshold, by their effective scores."""
    return len(ascending) - bisect_left(ascending, tenths)


def _effective_tenths(film: ListedFilm) -> int:
    """The highest threshold at which the film is referred: for its class at any."""
    assert film.tb_tenths is not None, "only screened films are labelled"
    return LAST_TENTHS if film.has_tb_class else film.tb_tenths
