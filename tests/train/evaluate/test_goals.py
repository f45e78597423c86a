"""Verdicts on goals: met is not shown, and few films show nothing."""

from __future__ import annotations

import pytest

from cxr_train.evaluate.goals import Verdict, judge, judge_one
from cxr_train.figures.measures import AGAINST_ALL
from edge_infer.model.model_card import Metric
from edge_infer.model.proportions import wilson_interval


@pytest.mark.parametrize(
    ("hits", "n", "verdict"),
    [
        (195, 200, Verdict.SHOWN),
        (37, 41, Verdict.MET),  # 90.2 %, interval 77.5 to 96.1 %: the study's own case
        (176, 200, Verdict.MISSED),
        (150, 200, Verdict.RULED_OUT),
        (34, 34, Verdict.TOO_SMALL),  # Wilson's lower bound of 34 of 34 is 0.8985
        (35, 35, Verdict.SHOWN),
        (20, 24, Verdict.TOO_SMALL),
        (10, 24, Verdict.RULED_OUT),  # few, but too bad for any doubt
    ],
)
def test_verdicts_at_90_percent(hits: int, n: int, verdict: Verdict) -> None:
    assert judge_one(wilson_interval(hits, n), 0.9, n) is verdict


def test_each_goal_finds_its_figure_and_no_other() -> None:
    def metric(name: str, source: str, value: int) -> Metric:
        return Metric(
            split="site",
            source=source,
            input_type="raster",
            name=name,
            class_name="tuberculosis",
            estimate=wilson_interval(value, 100),
            n=100,
            groups=100,
        )

    rows = list(
        judge(
            [
                metric("sensitivity", AGAINST_ALL, 99),
                metric("specificity", AGAINST_ALL, 60),
                metric("specificity", "Kermany", 99),
                metric("auroc", AGAINST_ALL, 99),
            ]
        )
    )
    assert [(row.goal.name, row.verdict) for row in rows] == [
        ("sensitivity", Verdict.SHOWN),
        ("specificity", Verdict.RULED_OUT),
    ]
