"""Choose what the TB score is made of, by a rule that was written before any figure was seen.

1. Tried: weights a, b, c of the referral logit, logit(p_tuberculosis) and logit(1 - p_normal) in
   steps of a quarter that sum to 1 (a = 0 for networks without a referral logit).
2. Allowed: those with an AUROC of TB against adults with other disease of 0.95 or more on the
   validation films: a score that only says "not normal" would send every pneumonia to a TB test.
3. Chosen: the largest AUROC of TB against normal in the worst of the hospitals that were left out
   of training; of those within 0.005 of it, more than so few films can tell apart, the one with the
   largest AUROC against other disease.
4. Scale and offset change no order, only how points spread: the standard deviation of z over
   adults' validation films becomes 2, which keeps the printed tenths of a point apart at both ends,
   and the threshold that reaches the target in the worst validation hospital falls at 50 points.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cxr_train.data.manifest import Example
from cxr_train.errors import DataError
from cxr_train.figures.measures import ModelScores
from cxr_train.figures.metrics import auroc
from cxr_train.figures.operating_point import TARGET_SENSITIVITY, may_be_adult
from cxr_train.figures.referral import make_referral
from cxr_train.figures.tb_threshold import choose_tb_point, fit_rule
from edge_infer.model.findings import referral_values
from edge_infer.model.model_card import CLASSES, ScoreRule

STEPS = 4
LEAST_AGAINST_OTHER = 0.95
INDISTINCT = 0.005
SPREAD = 2.0
_NORMAL, _TB = CLASSES.index("normal"), CLASSES.index("tuberculosis")
Weights = tuple[float, float, float]
"""a, b, c."""


@dataclass(frozen=True, kw_only=True)
class JudgedFilms:
    """What one network says of labelled films."""

    name: str
    logits: NDArray[np.float32]
    """[N, K], K is 5 with a referral logit."""
    examples: tuple[Example, ...]
    temperature: float
    """Of this network, fitted on its own validation films."""

    @property
    def labels(self) -> NDArray[np.int64]:
        """[N] class indices."""
        return np.array([example.label for example in self.examples], dtype=np.int64)

    def values(self, weights: Sequence[float]) -> NDArray[np.float64]:
        """Return z [N] of a score with weights a, b, c and perhaps d."""
        four = (*weights, 0.0)[:4]
        return referral_values(self.logits, self.temperature, make_referral(four))


@dataclass(frozen=True, kw_only=True)
class Tried:
    """One set of weights and what it does."""

    weights: Weights
    folds: tuple[float, ...]
    """AUROC of TB against normal in each left-out hospital, in the order given."""
    against_other: float
    """AUROC of TB against other disease, adults' validation films."""

    @property
    def worst(self) -> float:
        """The AUROC in the worst hospital."""
        return min(self.folds)


@dataclass(frozen=True, kw_only=True)
class Choice:
    """The weights a, b, c, d for a recipe's `referral_score`, and all that was tried."""

    weights: tuple[float, float, float, float]
    chosen: Tried
    tried: tuple[Tried, ...]
    allowed: tuple[Tried, ...]
    """Those that still tell TB from other disease."""


def choose_referral_weights(
    val: JudgedFilms,
    folds: Sequence[JudgedFilms],
    *,
    least_against_other: float = LEAST_AGAINST_OTHER,
) -> Choice:
    """Choose by the rule above.

    `val`: validation films by the network to be released; `folds`: the films of each left-out
    hospital by the network that was trained without it. DataError where a fold lacks TB or normal
    films, or no weights are allowed.
    """
    tried = tuple(_try(weights, val, folds) for weights in weight_grid(with_head=_has_head(val)))
    allowed = [one for one in tried if one.against_other >= least_against_other]
    if not allowed:
        nearest = max(tried, key=lambda one: one.against_other)
        raise DataError(
            f"No weights tell TB from other disease at AUROC {least_against_other}: the best are "
            f"{nearest.weights} with {nearest.against_other:.3f}."
        )
    best = max(one.worst for one in allowed)
    close = [one for one in allowed if one.worst >= best - INDISTINCT]
    chosen = max(close, key=lambda one: one.against_other)
    return Choice(
        weights=_spread(chosen.weights, val), chosen=chosen, tried=tried, allowed=tuple(allowed)
    )


def weight_grid(*, with_head: bool) -> Iterator[Weights]:
    """Yield a, b, c in quarters that sum to 1."""
    for a in range(STEPS + 1 if with_head else 1):
        for b in range(STEPS - a + 1):
            yield a / STEPS, b / STEPS, (STEPS - a - b) / STEPS


def describe_choice(choice: Choice, folds: Sequence[str]) -> Iterator[str]:
    """Yield a table of everything tried, the chosen one marked."""
    yield f"a, b, c | {' | '.join(folds)} | against other disease, val"
    for one in sorted(choice.tried, key=lambda one: -one.worst):
        mark = "*" if one == choice.chosen else " " if one in choice.allowed else "x"
        cells = [f"{area:.3f}" for area in (*one.folds, one.against_other)]
        yield f"{mark} {', '.join(f'{weight:.2f}' for weight in one.weights)} | {' | '.join(cells)}"
    yield f"referral_score = [{', '.join(f'{weight:g}' for weight in choice.weights)}]"


def _has_head(films: JudgedFilms) -> bool:
    return bool(films.logits.shape[1] > len(CLASSES))


def _try(weights: Weights, val: JudgedFilms, folds: Sequence[JudgedFilms]) -> Tried:
    adults = may_be_adult(val.examples)
    return Tried(
        weights=weights,
        folds=tuple(
            _area(fold, weights, np.isin(fold.labels, (_NORMAL, _TB)), "normal") for fold in folds
        ),
        against_other=_area(val, weights, adults & (val.labels != _NORMAL), "other disease"),
    )


def _area(films: JudgedFilms, weights: Weights, kept: NDArray[np.bool_], against: str) -> float:
    area = auroc(films.values(weights)[kept], films.labels[kept] == _TB)
    if area is None:
        raise DataError(f"{films.name} lacks films of TB or of {against}: nothing to choose by.")
    return area


def _spread(weights: Weights, val: JudgedFilms) -> tuple[float, float, float, float]:
    """Scale the weights and choose the offset; three decimals, for a recipe."""
    adults = may_be_adult(val.examples)
    scale = SPREAD / float(val.values(weights)[adults].std())
    a, b, c = (round(scale * weight, 3) for weight in weights)
    # The threshold in z, found on scores that are spread about their own middle.
    middle = round(-float(np.median(val.values((a, b, c))[adults])), 3)
    rule = ScoreRule(temperature=val.temperature, referral=make_referral((a, b, c, middle)))
    point = choose_tb_point(
        ModelScores(logits=val.logits, rule=rule, tb_threshold=None),
        val.examples,
        target_sensitivity=TARGET_SENSITIVITY,
        population="validation films",
    )
    share = min(max(point.threshold / 100, 0.0005), 0.9995)
    return a, b, c, round(middle - float(np.log(share / (1 - share))), 3)


def judged(
    name: str, logits: NDArray[np.float32], examples: Sequence[Example], val: JudgedFilms | None
) -> JudgedFilms:
    """Return a network's films; the temperature is that of `val`, or fitted here where None."""
    temperature = fit_rule(logits, examples, None).temperature if val is None else val.temperature
    return JudgedFilms(name=name, logits=logits, examples=tuple(examples), temperature=temperature)
