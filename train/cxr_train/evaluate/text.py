"""An evaluation in plain text, every figure with its interval.

What the shipped threshold does comes first, in one hospital after the other: an AUROC promises what
a threshold chosen elsewhere need not keep.
"""

from __future__ import annotations

from collections.abc import Iterator

from cxr_train.data.ages import name_population
from cxr_train.data.sources import SAME_HOSPITAL, describe_pair
from cxr_train.evaluate.evaluation import Evaluation, SplitResult
from cxr_train.figures.conformal import describe
from cxr_train.figures.measures import AGAINST_NORMAL, ALL, CEILING, POPULATIONS
from cxr_train.figures.metrics import show_interval
from edge_infer.model.model_card import CLASSES, Metric

_CLASS_FIGURES = ("precision", "recall", "f1", "auroc")


def describe_evaluation(evaluation: Evaluation) -> Iterator[str]:
    """Yield the lines of the whole evaluation."""
    yield f"{evaluation.model} (SHA-256 {evaluation.sha256[:16]})"
    yield f"figures are estimates with 95 % intervals; TB figures: {evaluation.ages}"
    for result in evaluation.splits:
        yield ""
        yield from (name_population(line, evaluation.ages) for line in _describe_split(result))
    yield ""
    yield "goals"
    for one in evaluation.judged:
        goal, metric = one.goal, one.metric
        yield (
            f"  {metric.split}, {metric.input_type}: "
            f"{name_population(goal.title, evaluation.ages)} {goal.at_least:.0%}: "
            f"{show_interval(metric.estimate)}, n {metric.n}: {one.verdict.value}"
        )


def _describe_split(result: SplitResult) -> Iterator[str]:
    yield f"== {result.split}: {result.films} films, {len(result.refused)} of them refused"
    for kind in sorted({metric.input_type for metric in result.metrics}):
        metrics = [metric for metric in result.metrics if metric.input_type == kind]
        yield f"  {kind} files"
        yield from _describe_threshold(metrics)
        yield from _describe_pairs(metrics)
        yield from _describe_tb(metrics)
        yield from _describe_all(metrics)
        yield from _describe_sources(metrics)
        for view, hidden in result.views.items():
            yield from _describe_view(view.value, [m for m in hidden if m.input_type == kind])
    if result.coverage:
        yield "  conformal sets: how often the true class is in its film's set"
        yield from (f"    {line}" for line in describe(result.coverage))
        yield f"    films whose set is not exactly one class: {result.undecided or 0:.3f}"


def _describe_threshold(metrics: list[Metric]) -> Iterator[str]:
    """Yield what the shipped threshold does: same hospitals first, then other sources, then all."""
    found = {
        (metric.source, metric.name): f"{show_interval(metric.estimate)}, n {metric.n}"
        for metric in metrics
        if metric.name in ("sensitivity", "specificity")
    }
    ceilings = {m.source: m.estimate.value for m in metrics if m.name == CEILING}
    sources = sorted({source for source, _ in found} - set(POPULATIONS), key=_hospitals_first)
    if found:
        yield "    at the shipped TB threshold, films counted as the worklist decides:"
    for source in (*sources, *POPULATIONS):
        figures = [
            f"{name} {found[source, name]}"
            for name in ("sensitivity", "specificity")
            if (source, name) in found
        ]
        if figures:
            proves = "" if source in POPULATIONS else f" ({describe_pair(source)})"
            ceiling = ""
            if source in ceilings:
                ceiling = f" (no threshold passes {ceilings[source]:.3f})"
            where = f"{source}{proves if len(figures) > 1 else ''}"
            yield f"      {where}: {'; '.join(figures)}{ceiling}"


def _hospitals_first(source: str) -> tuple[bool, str]:
    return describe_pair(source) != SAME_HOSPITAL, source


def _describe_pairs(metrics: list[Metric]) -> Iterator[str]:
    pairs = [metric for metric in metrics if metric.name == "pair_auroc"]
    for metric in sorted(pairs, key=lambda one: _hospitals_first(one.source)):
        yield (
            f"    {metric.class_name} against normal inside {metric.source}: AUROC "
            f"{show_interval(metric.estimate)}, n {metric.n} ({describe_pair(metric.source)})"
        )


def _describe_tb(metrics: list[Metric]) -> Iterator[str]:
    for population in POPULATIONS:
        for metric in metrics:
            if metric.source == population and metric.name == "auroc":
                yield (
                    f"    {population}: {metric.name} {show_interval(metric.estimate)}, "
                    f"n {metric.n}"
                )


def _describe_all(metrics: list[Metric]) -> Iterator[str]:
    overall = [metric for metric in metrics if metric.source == ALL]
    for metric in overall:
        if not metric.class_name:
            yield f"    {metric.name} {show_interval(metric.estimate)}, n {metric.n}"
    for name in CLASSES:
        figures = [
            f"{metric.name} {show_interval(metric.estimate)}"
            for wanted in _CLASS_FIGURES
            for metric in overall
            if metric.class_name == name and metric.name == wanted
        ]
        if figures:
            yield f"    {name}: {', '.join(figures)}"


def _describe_sources(metrics: list[Metric]) -> Iterator[str]:
    for metric in metrics:
        if metric.source not in (ALL, *POPULATIONS) and metric.name in ("accuracy", "ece"):
            yield (
                f"    {metric.source}: {metric.name} {show_interval(metric.estimate)}, n {metric.n}"
            )


def _describe_view(view: str, metrics: list[Metric]) -> Iterator[str]:
    wanted = {(ALL, "accuracy"), (ALL, "macro_f1"), (AGAINST_NORMAL, "auroc")}
    figures = [
        f"{'TB ' if metric.source == AGAINST_NORMAL else ''}{metric.name} "
        f"{show_interval(metric.estimate)}"
        for metric in metrics
        if (metric.source, metric.name) in wanted
    ]
    if figures:
        yield f"    {view}: {', '.join(figures)}"
