"""Differences between cells of a comparison, paired by group and seed.

The interval and the p-value come from one bootstrap of two levels: seeds, then groups, are drawn
with replacement, the same draw for both cells, so that what both find hard cancels. With one seed
the spread between trainings is unknown: there is an interval over groups, and no p-value.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from cxr_train.figures.measures import MeasuredFilms
from cxr_train.figures.resampling import (
    Values,
    Weights,
    accuracy_values,
    confusions,
    group_weights,
    macro_f1_values,
)
from edge_infer.model.model_card import Interval

FEWEST_SEEDS = 3


@dataclass(frozen=True, kw_only=True)
class Effect:
    """How much better the second cell is than the first."""

    first: str
    second: str
    figure: str
    """macro_f1 or accuracy."""
    difference: Interval
    """Second minus first, -1..1, with its 95 % interval."""
    seeds: int
    groups: int
    p: float | None
    """Two-sided; None with fewer than three seeds."""
    p_holm: float | None = None
    """After Holm's correction over all pairs compared by this figure."""

    @property
    def seeds_told(self) -> str:
        """Say how many seeds in words."""
        return "one seed" if self.seeds == 1 else f"{self.seeds} seeds"


def compare_pair(
    first: MeasuredFilms, second: MeasuredFilms, names: tuple[str, str]
) -> tuple[Effect, ...]:
    """Compare two cells on the same films, model by model (the same seeds in the same order)."""
    if first.examples != second.examples or len(first.models) != len(second.models):
        raise ValueError("a pair needs the same films and seeds")
    weights = group_weights(first.groups)
    draws = _draw_seeds(len(first.models), len(weights) - 1)
    effects = []
    for figure, statistic in (("macro_f1", macro_f1_values), ("accuracy", accuracy_values)):
        per_seed = np.stack(
            [
                statistic(confusions(second.labels, b.predictions, weights))
                - statistic(confusions(first.labels, a.predictions, weights))
                for a, b in zip(first.models, second.models, strict=True)
            ]
        )
        effects.append(_effect(per_seed, draws, names, figure, len(set(first.groups))))
    return tuple(effects)


def correct_by_holm(effects: Sequence[Effect]) -> tuple[Effect, ...]:
    """Fill `p_holm`: per figure, the k-th smallest of m p-values times m - k + 1, never falling."""
    corrected = list(effects)
    for figure in {effect.figure for effect in effects}:
        places = [
            place
            for place, effect in enumerate(effects)
            if effect.figure == figure and effect.p is not None
        ]
        places.sort(key=lambda place: effects[place].p or 0.0)
        largest = 0.0
        for rank, place in enumerate(places):
            p = effects[place].p
            assert p is not None
            largest = min(1.0, max(largest, p * (len(places) - rank)))
            corrected[place] = replace(effects[place], p_holm=largest)
    return tuple(corrected)


def _effect(
    per_seed: NDArray[np.float64],
    draws: NDArray[np.float64],
    names: tuple[str, str],
    figure: str,
    groups: int,
) -> Effect:
    """Combine differences [seeds, resamples + 1] by the drawn seeds' weights [resamples, seeds]."""
    seeds = len(per_seed)
    drawn: Values = (draws * per_seed[:, 1:].T).sum(axis=1)
    value = float(per_seed[:, 0].mean())
    low, high = (float(bound) for bound in np.percentile(drawn, [2.5, 97.5]))
    beyond = min((drawn <= 0).sum(), (drawn >= 0).sum())
    p = min(1.0, 2 * (float(beyond) + 1) / (len(drawn) + 1))
    return Effect(
        first=names[0],
        second=names[1],
        figure=figure,
        difference=Interval(value=value, low=low, high=high),
        seeds=seeds,
        groups=groups,
        p=p if seeds >= FEWEST_SEEDS else None,
    )


def _draw_seeds(seeds: int, n: int) -> Weights:
    random = np.random.default_rng(1)
    counts = random.multinomial(seeds, np.full(seeds, 1 / seeds), size=n)
    return np.asarray(counts / seeds, dtype=np.float64)
