"""Goals and what a figure says of them: met is not shown, and few films show nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from cxr_train.figures.measures import AGAINST_ALL, AGAINST_NORMAL, AGAINST_OTHER, ALL
from edge_infer.model.model_card import Interval, Metric
from edge_infer.model.proportions import wilson_interval


class Verdict(StrEnum):
    """What a figure with its interval says of a goal."""

    SHOWN = "shown"
    """The lower 95 % bound reaches the goal."""
    MET = "met, not shown"
    """The estimate reaches it, the lower bound does not."""
    MISSED = "missed"
    """The estimate is below it; the interval still holds the goal."""
    RULED_OUT = "missed, ruled out"
    """Even the upper bound is below it."""
    TOO_SMALL = "cannot tell, n too small"
    """Not even a flawless result on so few films would show it."""


@dataclass(frozen=True, kw_only=True)
class Goal:
    """A lower limit for one figure."""

    title: str
    source: str
    name: str
    class_name: str
    at_least: float


GOALS: tuple[Goal, ...] = (
    Goal(
        title="the study's goal: accuracy", source=ALL, name="accuracy", class_name="", at_least=0.7
    ),
    *(
        Goal(
            title=f"WHO minimum: {figure}, {population}",
            source=population,
            name=figure,
            class_name="tuberculosis",
            at_least=limit,
        )
        for population in (AGAINST_NORMAL, AGAINST_ALL)
        for figure, limit in (("sensitivity", 0.9), ("specificity", 0.7))
    ),
    *(
        Goal(
            title=f"AUROC, {population}",
            source=population,
            name="auroc",
            class_name="tuberculosis",
            at_least=0.93,
        )
        for population in (AGAINST_NORMAL, AGAINST_OTHER)
    ),
)
"""WHO's 2014 target product profile for a triage test of TB: at least 90 % sensitivity at 70 %
specificity. Both must hold at the model's one operating point."""


@dataclass(frozen=True, kw_only=True)
class Judged:
    """One goal beside the figure that was measured for it."""

    goal: Goal
    metric: Metric
    verdict: Verdict


def judge(metrics: Iterable[Metric]) -> Iterator[Judged]:
    """Judge every goal on every split and input type that has its figure."""
    figures = list(metrics)
    for goal in GOALS:
        for metric in figures:
            key = (metric.source, metric.name, metric.class_name)
            if key == (goal.source, goal.name, goal.class_name):
                verdict = judge_one(metric.estimate, goal.at_least, metric.n)
                yield Judged(goal=goal, metric=metric, verdict=verdict)


def judge_one(estimate: Interval, at_least: float, n: int) -> Verdict:
    """Judge a proportion of `n` films against a lower limit in 0..1."""
    if estimate.high < at_least:
        return Verdict.RULED_OUT
    if wilson_interval(n, n).low < at_least:
        return Verdict.TOO_SMALL
    if estimate.low >= at_least:
        return Verdict.SHOWN
    return Verdict.MET if estimate.value >= at_least else Verdict.MISSED
