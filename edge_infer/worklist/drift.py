"""Whether today's TB scores are spread as those the model was validated on.

Two things must hold before a day is called shifted, because either alone cries wolf. The population
stability index says how much: above 0.2 is the usual mark of a shift that matters, but a small day
passes it by chance. The test says whether chance explains it: a chi-square statistic whose p-value
is the share of random splits of both sets of films together (permutations, seeded) that differ as
much. Both use the same merged bins.

Measured with the card of 0.3.1 (2,000 days drawn from the validation mix, 200 of each class
alone; films a day: share of days called shifted):
mix 50: 0.15 %, 100: 0.1 %, 150 to 300: none; all TB 50: 100 %; all COVID-19 100: 88 %, 150: 98 %;
all pneumonia 100: 54 %, 150: 99 %; all normal 100: 26 %, 150: 71 %, 200: 95 %, 300: 100 %.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edge_infer.model.model_card import ModelCard
from edge_infer.worklist.site import Site, count_in_bins

FEWEST_FILMS: Final = 50
"""With fewer films today nothing is said."""
FEWEST_REFERENCE: Final = 100
"""With fewer films to compare with nothing is said."""
MAJOR_SHIFT: Final = 0.2
LARGEST_P: Final = 0.005
"""With MAJOR_SHIFT, at most one false alarm in some 650 days where nothing changed."""
_SMALLEST_SHARE = 0.05
_PERMUTATIONS = 9_999
_SEED = 20_261_124


@dataclass(frozen=True, kw_only=True)
class Drift:
    """How today's scores compare; absent (None) where there are too few films."""

    films: int
    reference: str
    """Which films they are compared with, in words."""
    reference_films: int
    psi: float
    """Population stability index over the merged bins."""
    p_value: float

    @property
    def is_shifted(self) -> bool:
        """Whether the day differs by much, and by more than chance."""
        return self.psi >= MAJOR_SHIFT and self.p_value < LARGEST_P

    @property
    def sentence(self) -> str:
        """One plain sentence for a shifted day; empty for any other."""
        if not self.is_shifted:
            return ""
        return (
            f"Today's TB scores are not spread like those of {self.reference} ({self.films} "
            f"films, stability index {self.psi:.2f}): an unusual mix of patients does this, and so "
            "does a changed machine, export or window, so look at a few films and do not rely on "
            "the threshold until you know why."
        )


def describe_drift(tenths: Iterable[int], card: ModelCard, site: Site | None) -> Drift | None:
    """Compare a day's TB scores with the clinic's calibration days, or the card's validation films.

    Deterministic. None with fewer than 50 scores, or 100 to compare with.
    """
    return compare(np.array(count_in_bins(tenths), dtype=np.int64), *_reference(card, site))


def compare(today: NDArray[np.int64], reference: NDArray[np.int64], name: str) -> Drift | None:
    """Compare two histograms over the 200 bins of the TB score; None with too few films."""
    if today.sum() < FEWEST_FILMS or reference.sum() < FEWEST_REFERENCE:
        return None
    starts = merge_bins(reference)
    merged = np.add.reduceat(today, starts), np.add.reduceat(reference, starts)
    return Drift(
        films=int(today.sum()),
        reference=name,
        reference_films=int(reference.sum()),
        psi=round(_stability_index(*merged), 4),
        p_value=_permutation_p(*merged),
    )


def merge_bins(reference: NDArray[np.int64]) -> list[int]:
    """Return where each merged bin begins: the fewest neighbours with 5 % of the reference each.

    What is left over at the top joins the last bin.
    """
    starts, needed, held = [0], _SMALLEST_SHARE * reference.sum(), 0
    left = int(reference.sum())
    for place, count in enumerate(reference):
        if held >= needed and left >= needed:
            starts.append(place)
            held = 0
        held += int(count)
        left -= int(count)
    return starts


def _reference(card: ModelCard, site: Site | None) -> tuple[NDArray[np.int64], str]:
    if site is not None:
        return np.array(site.tb_score, dtype=np.int64), "this clinic's calibration days"
    counts = [each.tb_score for each in card.histograms]
    return np.sum(np.array(counts, dtype=np.int64), axis=0), "the model's validation films"


def _stability_index(today: NDArray[np.int64], reference: NDArray[np.int64]) -> float:
    # Half a film is added to each bin: an empty one would make the index infinite.
    shares = [(counts + 0.5) / (counts + 0.5).sum() for counts in (today, reference)]
    return float(((shares[0] - shares[1]) * np.log(shares[0] / shares[1])).sum())


def _permutation_p(today: NDArray[np.int64], reference: NDArray[np.int64]) -> float:
    pooled = today + reference
    if np.count_nonzero(pooled) < 2:
        return 1.0
    random = np.random.default_rng(_SEED)
    draws = random.multivariate_hypergeometric(pooled, int(today.sum()), size=_PERMUTATIONS)
    observed, drawn = _chi_square(today[None], pooled)[0], _chi_square(draws, pooled)
    # Rounding must not decide between splits that differ by the same amount.
    as_much = int((drawn >= observed - 1e-9).sum())
    return (as_much + 1) / (_PERMUTATIONS + 1)


def _chi_square(draws: NDArray[np.int64], pooled: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return [R] chi-square statistics, up to a constant factor, of splits [R, B] of `pooled`."""
    filled = pooled > 0
    expected = pooled[filled] * (draws.sum(axis=1, keepdims=True) / pooled.sum())
    return np.asarray(((draws[:, filled] - expected) ** 2 / expected).sum(axis=1))
