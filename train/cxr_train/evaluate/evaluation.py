"""`cxr-train evaluate`: every figure of one finished model on labelled films, read top to bottom.

Nothing is chosen here: temperature and threshold come with the model.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from cxr_train.data.ages import describe_ages, describe_films
from cxr_train.data.dataset import LoadedImages, load_films
from cxr_train.data.manifest import Example, fingerprint, read_data, select
from cxr_train.errors import DataError
from cxr_train.evaluate.goals import Judged, judge
from cxr_train.evaluate.scoring import Model, by_input_type, open_model
from cxr_train.evaluate.views import View, show
from cxr_train.figures.conformal import Coverage, measure_coverage, undecided
from cxr_train.figures.measures import ModelScores, measure, measure_classes, measure_tb
from cxr_train.figures.metrics import confusion_matrix
from cxr_train.figures.operating_point import may_be_adult
from cxr_train.result_files import write_csv, write_json
from cxr_train.terminal import say, working
from edge_infer.model.card_json import to_plain
from edge_infer.model.model_card import Metric

EVALUATION_FILE = "evaluation.json"
FIGURES_FILE = "evaluation.csv"
FIGURE_COLUMNS = (
    *("view", "split", "source", "input_type", "name", "class_name"),
    *("value", "low", "high", "n", "groups"),
)


@dataclass(frozen=True, kw_only=True)
class SplitResult:
    """One split's figures."""

    split: str
    films: int
    refused: tuple[str, ...]
    """One sentence per film that could not be read: it is in no figure."""
    metrics: tuple[Metric, ...]
    confusion: tuple[tuple[int, ...], ...]
    """Films by class: rows are the truth, columns what the model says."""
    views: dict[View, tuple[Metric, ...]]
    """Overall and TB figures with parts of the films painted over."""
    coverage: tuple[Coverage, ...]
    """Of the conformal sets, adults' films; empty where the model has no band."""
    undecided: float | None
    """Share of adults' films whose set is not exactly one class."""


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """What one model does on the evaluation splits of one data set."""

    model: str
    sha256: str
    data_fingerprint: str
    made: str
    """Date."""
    splits: tuple[SplitResult, ...]
    judged: tuple[Judged, ...]
    ages: str
    """Of the films that TB figures count, in words."""


def evaluate(
    model_path: Path,
    data: Path,
    *,
    splits: Sequence[str] = (),
    out: Path | None = None,
    cache: Path | None = None,
) -> Evaluation:
    """Measure the model at `model_path` (run folder or .onnx) on `splits` of `data`.

    Default: every split but `train`, those of one hospital first. Writes evaluation.json and
    evaluation.csv into `out`. Raises DataError, ModelError or ReportError.
    """
    model = open_model(model_path, cache=cache)
    examples = read_data(data)
    chosen = tuple(splits) or evaluation_splits(examples)
    say(f"{model.name}; {describe_films([one for one in examples if one.split in chosen])}")
    results = []
    with working("split") as task:
        for number, split in enumerate(chosen, 1):
            task.on(number, len(chosen), split)
            results.append(_evaluate_split(model, examples, split, cache))
    figures = [metric for result in results for metric in result.metrics]
    evaluation = Evaluation(
        model=model.name,
        sha256=model.sha256,
        data_fingerprint=fingerprint([e for e in examples if e.split in chosen]),
        made=datetime.now(UTC).date().isoformat(),
        splits=tuple(results),
        judged=tuple(judge(figures)),
        ages=describe_ages([one for one in examples if one.split in chosen]),
    )
    if out is not None:
        write_evaluation(evaluation, out)
    return evaluation


def evaluation_splits(examples: Sequence[Example]) -> tuple[str, ...]:
    """Return the splits that are not trained on, `site` (one hospital's TB and normals) first."""
    order = {"site": 0, "test": 1, "published": 2, "val": 9}
    names = {example.split for example in examples} - {"train"}
    if not names:
        raise DataError("All films of the data are for training: there is nothing to evaluate on.")
    return tuple(sorted(names, key=lambda name: (order.get(name, 5), name)))


def _evaluate_split(
    model: Model, examples: Sequence[Example], split: str, cache: Path | None
) -> SplitResult:
    films = select(examples, split)
    if not films:
        known = ", ".join(sorted({example.split for example in examples}))
        raise DataError(f"The data has no split '{split}'; it has: {known}.")
    loaded = load_films(films, model.side, what=split, cache=cache)
    scored = model.score(loaded.pixels)
    with working("figures and their intervals"):
        coverage, share = _cover(model, loaded, scored)
        metrics = tuple(
            metric
            for part in by_input_type(split, loaded.examples, (scored,))
            for metric in measure(part)
        )
    return SplitResult(
        split=split,
        films=len(films),
        refused=loaded.skipped,
        metrics=metrics,
        confusion=tuple(
            tuple(map(int, row))
            for row in confusion_matrix(loaded.labels, scored.predictions).tolist()
        ),
        views={view: _measure_view(model, loaded, split, view) for view in tuple(View)[1:]},
        coverage=coverage,
        undecided=share,
    )


def _measure_view(model: Model, loaded: LoadedImages, split: str, view: View) -> tuple[Metric, ...]:
    with working(view):
        scored = model.score(show(np.asarray(loaded.pixels), view))
    figures: list[Metric] = []
    for part in by_input_type(split, loaded.examples, (scored,)):
        figures += measure_classes(part)
        figures += measure_tb(part.only(may_be_adult(part.examples)))
    return tuple(figures)


def _cover(
    model: Model, loaded: LoadedImages, scored: ModelScores
) -> tuple[tuple[Coverage, ...], float | None]:
    band = model.card.uncertain if model.card is not None else None
    adults = may_be_adult(loaded.examples)
    if band is None or not adults.any():
        return (), None
    groups = [e.group for e, adult in zip(loaded.examples, adults, strict=True) if adult]
    logits, temperature = scored.logits[adults], model.rule.temperature
    coverage = measure_coverage(logits, loaded.labels[adults], groups, temperature, band)
    return coverage, undecided(logits, temperature, band)


def write_evaluation(evaluation: Evaluation, out: Path) -> None:
    """Write every figure as JSON and as a table; ReportError when `out` cannot be written."""
    write_json(to_json(evaluation), out / EVALUATION_FILE)
    write_csv(FIGURE_COLUMNS, figure_rows(evaluation), out / FIGURES_FILE)


def to_json(evaluation: Evaluation) -> dict[str, Any]:
    """Return plain JSON values; the names of refused films stay out of it, their number stays."""
    plain: dict[str, Any] = json.loads(json.dumps(to_plain(evaluation)))
    for split in plain["splits"]:
        split["refused"] = len(split["refused"])
    return plain


def figure_rows(evaluation: Evaluation) -> Iterator[dict[str, object]]:
    """Yield one row of FIGURE_COLUMNS per figure."""
    for result in evaluation.splits:
        for view, metrics in {View.WHOLE: result.metrics, **result.views}.items():
            for metric in metrics:
                estimate = metric.estimate
                yield {
                    "view": view.value,
                    "split": metric.split,
                    "source": metric.source,
                    "input_type": metric.input_type,
                    "name": metric.name,
                    "class_name": metric.class_name,
                    "value": f"{estimate.value:.4f}",
                    "low": f"{estimate.low:.4f}",
                    "high": f"{estimate.high:.4f}",
                    "n": metric.n,
                    "groups": metric.groups,
                }
