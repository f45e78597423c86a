"""`cxr-train card`: MODEL_CARD.md, from the card inside an .onnx and an evaluation of that file.

Nothing is written here that is not in one of the two: same facts, for reading. The words are in
model_card.md beside this file.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cxr_train.data.sources import SAME_HOSPITAL, SOURCES, describe_pair
from cxr_train.errors import DataError
from cxr_train.evaluate.goals import Goal, Judged, Verdict
from cxr_train.figures.conformal import Coverage
from cxr_train.figures.measures import AGAINST_NORMAL, ALL, POPULATIONS
from cxr_train.page import load_template
from cxr_train.result_files import write_text
from edge_infer.model.classifier import Classifier
from edge_infer.model.gate import GateFigure
from edge_infer.model.model_card import Interval, Metric, ModelCard
from edge_infer.model.proportions import wilson_interval

_POPULATIONS = (ALL, *POPULATIONS)
_FAILING_ACCURACY = 0.8
_SEEN = {
    "site": "never seen",
    "test": "other patients of a hospital it learned from",
}
"""What a split's name says of its hospitals."""
_Plain = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class _Hospital:
    """What the shipped threshold does with the films of one hospital."""

    name: str
    seen: str
    """What the training knew of it."""
    sensitivity: Metric
    specificity: Metric
    area: Interval | None
    """TB against normal; None: not measured."""


@dataclass(frozen=True, kw_only=True)
class _View:
    """What the model tells from one kind of file, whole or with parts painted over."""

    name: str
    kind: str
    estimates: tuple[Interval | None, ...]
    """Accuracy, macro-F1, and AUROC of TB against normal; None: not measured."""


@dataclass(frozen=True, kw_only=True)
class _Split:
    """One split of an evaluation."""

    name: str
    films: int
    refused: int
    metrics: tuple[Metric, ...]
    views: tuple[_View, ...]
    coverage: tuple[Coverage, ...]
    undecided: float | None


def write_model_card(
    model: Path, evaluation: Path, out: Path, left_out: Sequence[Path] = ()
) -> None:
    """Write `out` (Markdown) for the .onnx at `model` and its evaluation.json.

    `left_out` are files of `cxr-train leave-out`: trainings by the model's recipe without a
    hospital, and what they do there. Raises ModelError for an unusable model, DataError when the
    evaluation is of another file or a file is none, and ReportError when `out` cannot be written.
    """
    classifier = Classifier.load(model)
    measured = read_evaluation(evaluation, sha256=classifier.sha256)
    folds = [fold for file in left_out for fold in read_folds(file)]
    write_text(render_model_card(classifier.card, classifier.sha256, measured, folds), out)


def read_evaluation(file: Path, *, sha256: str) -> _Plain:
    """Read an evaluation.json made of the model with this hash, else DataError."""
    try:
        plain: _Plain = json.loads(file.read_text(encoding="utf-8"))
        made_of = plain["sha256"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"{file} is no evaluation: make one with `cxr-train evaluate MODEL DATA --out DIR`."
        ) from error
    if made_of != sha256:
        raise DataError(
            f"{file} was measured on another model file: repeat `cxr-train evaluate` on this one."
        )
    return plain


def read_folds(file: Path) -> list[_Plain]:
    """Read the folds of a leave-out.json, else DataError."""
    try:
        folds: list[_Plain] = json.loads(file.read_text(encoding="utf-8"))["folds"]
        for fold in folds:
            [_metric(plain) for plain in fold["metrics"]]
            ", ".join(fold["sources"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"{file} holds no left-out folds: make them with `cxr-train leave-out`."
        ) from error
    return folds


def render_model_card(
    card: ModelCard, sha256: str, measured: _Plain, folds: Sequence[_Plain] = ()
) -> Iterator[str]:
    """Yield the page piece by piece."""
    splits = [_split(plain) for plain in measured["splits"]]
    named = ((name, facts) for name, facts in sorted(SOURCES.items()))
    return load_template("evaluate/model_card.md").generate(
        card=card,
        sha256=sha256,
        made=measured["made"],
        ages=measured.get("ages", ""),
        hospitals=list(_hospitals(splits, folds)),
        sources=[(name, facts) for name, facts in named if _is_named(name, card.data_statement)],
        lite_arch=_lite_arch(card.recipe),
        splits=splits,
        judged=[_judged(plain) for plain in measured["judged"]],
        populations=_POPULATIONS,
        failing_accuracy=_FAILING_ACCURACY,
        describe_pair=describe_pair,
        held_back=_held_back,
    )


def _held_back(figure: GateFigure) -> Interval:
    return wilson_interval(figure.refused + figure.doubtful, figure.n)


def _lite_arch(recipe: str) -> str:
    """Name the EfficientNet-Lite that a card's recipe trains; empty for another network."""
    found = re.search(r'"arch": "(efficientnet_lite\d)"', recipe)
    return found[1] if found else ""


def _hospitals(splits: Sequence[_Split], folds: Sequence[_Plain]) -> Iterator[_Hospital]:
    """Yield the hospitals whose TB and normal films were counted, those never seen first."""
    for split in splits:
        for source in sorted({metric.source for metric in split.metrics} - {*_POPULATIONS}):
            if describe_pair(source) == SAME_HOSPITAL:
                seen = _SEEN.get(split.name, f"split `{split.name}`")
                yield from _hospital(source, seen, source, split.metrics)
    for fold in folds:
        metrics = [_metric(plain) for plain in fold["metrics"]]
        name = ", ".join(fold["sources"])
        yield from _hospital(name, "left out of a training like this", AGAINST_NORMAL, metrics)


def _hospital(name: str, seen: str, source: str, metrics: Sequence[Metric]) -> Iterator[_Hospital]:
    own = [metric for metric in metrics if metric.source == source]
    found = {metric.name: metric for metric in own}
    sensitivity, specificity = found.get("sensitivity"), found.get("specificity")
    if sensitivity is None or specificity is None:
        return
    areas = (
        metric.estimate
        for metric in own
        if metric.name in ("pair_auroc", "auroc") and metric.class_name == sensitivity.class_name
    )
    yield _Hospital(
        name=name,
        seen=seen,
        sensitivity=sensitivity,
        specificity=specificity,
        area=next(areas, None),
    )


def _is_named(source: str, statement: str) -> bool:
    """Whether a list `a, b, c` in the statement has this very entry."""
    ends = (",", " (fingerprint", ". ")
    return any(f"{start}{source}{end}" in statement for start in ("from ", ", ") for end in ends)


def _split(plain: _Plain) -> _Split:
    metrics = tuple(map(_metric, plain["metrics"]))
    views = {"whole film": metrics, **{k: [*map(_metric, v)] for k, v in plain["views"].items()}}
    return _Split(
        name=plain["split"],
        films=plain["films"],
        refused=plain["refused"],
        metrics=metrics,
        views=tuple(view for name, found in views.items() for view in _views(name, found)),
        coverage=tuple(map(_coverage, plain["coverage"])),
        undecided=plain["undecided"],
    )


def _views(name: str, metrics: Sequence[Metric]) -> Iterator[_View]:
    for kind in sorted({metric.input_type for metric in metrics}):
        own = {
            (metric.source, metric.name): metric.estimate
            for metric in reversed(metrics)
            if metric.input_type == kind
        }
        wanted = ((ALL, "accuracy"), (ALL, "macro_f1"), (AGAINST_NORMAL, "auroc"))
        yield _View(name=name, kind=kind, estimates=tuple(map(own.get, wanted)))


def _metric(plain: _Plain) -> Metric:
    return Metric(**{**plain, "estimate": Interval(**plain["estimate"])})


def _coverage(plain: _Plain) -> Coverage:
    ends = {name: Interval(**plain[name]) for name in ("covered", "expected")}
    return Coverage(**{**plain, **ends})


def _judged(plain: _Plain) -> Judged:
    return Judged(
        goal=Goal(**plain["goal"]),
        metric=_metric(plain["metric"]),
        verdict=Verdict(plain["verdict"]),
    )
