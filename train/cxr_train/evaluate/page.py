"""An evaluation as one self-contained page: goals first, then each split."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from markupsafe import Markup

from cxr_train.data.ages import name_population
from cxr_train.data.sources import describe_pair
from cxr_train.drawing import Row, draw_rows, matrix, svg
from cxr_train.evaluate.evaluation import Evaluation, SplitResult
from cxr_train.figures.measures import ALL, POPULATIONS
from cxr_train.page import load_template
from cxr_train.result_files import write_text
from edge_infer.model.model_card import Metric

PAGE_FILE = "evaluation.html"
_SHORT = ("normal", "pneum.", "COVID", "TB")
_PROPORTIONS = ("accuracy", "macro_f1", "f1", "auroc", "sensitivity", "specificity", "pair_auroc")


def write_page(evaluation: Evaluation, out: Path) -> Path:
    """Write evaluation.html; ReportError when it cannot be written."""
    page = out / PAGE_FILE
    write_text(_render(evaluation), page)
    return page


def _render(evaluation: Evaluation) -> Iterator[str]:
    return load_template("evaluate/page.html").generate(
        evaluation=evaluation,
        goals=_draw_goals(evaluation) if evaluation.judged else "",
        splits=[
            (
                result,
                _draw_split(result, evaluation.ages),
                _draw_confusion(result),
                list(_tables(result, evaluation.ages)),
            )
            for result in evaluation.splits
        ],
    )


def _draw_goals(evaluation: Evaluation) -> Markup:
    rows = [
        Row(
            name=f"{one.metric.split}: {name_population(one.goal.title, evaluation.ages)}",
            estimate=one.metric.estimate,
            told=f"n {one.metric.n}: {one.verdict.value}",
            mark=one.goal.at_least,
        )
        for one in evaluation.judged
    ]
    return draw_rows(rows, "estimate with 95 % interval; dashed: the goal")


def _draw_split(result: SplitResult, ages: str) -> Markup:
    rows = [
        Row(
            name=_name(metric, ages),
            estimate=metric.estimate,
            told=f"n {metric.n}, {metric.groups} groups",
            colour=0 if metric.source in (ALL, *POPULATIONS) else 1,
        )
        for metric in result.metrics
        if metric.name in _PROPORTIONS
    ]
    return draw_rows(rows, "estimate with 95 % interval; orange: one source alone")


def _draw_confusion(result: SplitResult) -> Markup:
    parts = list(matrix(70, 44, 220, result.confusion, _SHORT, "all films"))
    return svg(320, 276, parts, f"Confusion matrix on {result.split}")


def _tables(result: SplitResult, ages: str) -> Iterator[tuple[str, list[tuple[str, Metric, str]]]]:
    """Yield each kind of file with its figures: name, figure, what a source's pair proves."""
    for kind in sorted({metric.input_type for metric in result.metrics}):
        yield (
            kind,
            [
                (
                    _name(metric, ages),
                    metric,
                    describe_pair(metric.source) if metric.name == "pair_auroc" else "",
                )
                for metric in result.metrics
                if metric.input_type == kind
            ],
        )


def _name(metric: Metric, ages: str) -> str:
    where = "" if metric.source == ALL else f" ({name_population(metric.source, ages)})"
    figure = "AUROC against normal" if metric.name == "pair_auroc" else metric.name
    return f"{metric.class_name} {figure.replace('_', ' ')}".strip() + where
