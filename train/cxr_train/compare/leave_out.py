"""`cxr-train leave-out`: train without a source, then look at nothing but that source.

Its films of the train and val splits serve, which no such training saw; held-out splits stay
untouched. Temperature and threshold are fitted on the validation films of the other sources, as a
clinic would get them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from markupsafe import Markup

from cxr_train.compare.cells import Budget, check_plan, train_run
from cxr_train.compare.worker import Worker
from cxr_train.config import TrainConfig
from cxr_train.data.ages import describe_ages, describe_films, name_population
from cxr_train.data.dataset import load_films
from cxr_train.data.manifest import Example, fingerprint, read_data
from cxr_train.drawing import Row, draw_rows
from cxr_train.errors import DataError
from cxr_train.evaluate.scoring import open_model
from cxr_train.figures.measures import MeasuredFilms, measure_classes, measure_tb
from cxr_train.figures.metrics import show_interval
from cxr_train.figures.operating_point import may_be_adult
from cxr_train.fit.pace import choose_format
from cxr_train.page import load_template
from cxr_train.result_files import write_json, write_text
from cxr_train.terminal import say, working
from edge_infer.model.card_json import to_plain
from edge_infer.model.model_card import Metric

RESULT_FILE, PAGE_FILE = "leave-out.json", "leave-out.html"
SPLIT = "left out"
_SHOWN = ("accuracy", "recall", "auroc", "sensitivity", "specificity")


@dataclass(frozen=True, kw_only=True)
class Fold:
    """A training without some sources, and what it makes of them."""

    sources: tuple[str, ...]
    films: int
    metrics: tuple[Metric, ...]
    """Over the left-out films. A class that stands alone there has no AUROC."""
    other_val: tuple[Metric, ...]
    """The same model on validation films of the sources it knows."""
    ages: str
    """Of the left-out films that TB figures count, in words."""
    other_ages: str
    """The same of the validation films."""


def leave_out(
    data: Path,
    out: Path,
    *,
    folds: Sequence[str],
    budget: Budget,
    arch: str,
    augment: str,
    cache: Path | None = None,
) -> tuple[Fold, ...]:
    """Train and measure one fold per entry of `folds`, each a list of sources parted by commas.

    What is already trained in `out` is not trained again. Raises ConfigError, DataError or
    ReportError.
    """
    examples = read_data(data)
    parted = [_read_fold(text, examples) for text in folds]
    results = []
    check_plan(out, budget, fingerprint(examples))
    say(
        f"{len(parted)} folds of {arch}, {augment}, {budget} on {choose_format(TrainConfig())}; "
        f"{describe_films(examples)}"
    )
    # The worker takes seconds to end: inside the line that says what is going on.
    with working("fold") as task, Worker() as worker:
        for number, sources in enumerate(parted, 1):
            task.on(number, len(parted))
            named = f"without {', '.join(sources)}"
            say(named)
            folder = out / "runs" / _folder_name(sources, arch, augment)
            words: list[object] = [data, "--arch", arch, "--augment", augment]
            words += ["--size", budget.size, "--epochs", budget.epochs]
            words += [word for source in sources for word in ("--without", source)]
            train_run(words, folder, worker, what=f"training {named}", cache=cache)
            with working(f"measuring {named}"):
                results.append(measure_fold(folder, examples, sources, cache))
    with working("the page"):
        write_json(_to_json(results, budget, arch, augment), out / RESULT_FILE)
        page = load_template("compare/leave_out_page.html").generate(
            arch=arch,
            augment=augment,
            budget=budget,
            folds=[(fold, _draw(fold)) for fold in results],
        )
        write_text(page, out / PAGE_FILE)
    say(f"page: {out / PAGE_FILE}")
    return tuple(results)


def describe_folds(folds: Sequence[Fold]) -> Iterator[str]:
    """Yield the folds as lines."""
    for fold in folds:
        films = f"{fold.films} films of it, TB figures: {fold.ages}"
        yield f"without {', '.join(fold.sources)}: {films}"
        for title, metrics, ages in (
            ("left out", fold.metrics, fold.ages),
            ("known sources' val", fold.other_val, fold.other_ages),
        ):
            for metric in metrics:
                if metric.name in _SHOWN and not (
                    metric.name == "auroc" and metric.source == "all"
                ):
                    what = " ".join(filter(None, (metric.class_name, metric.name)))
                    population = name_population(metric.source, ages)
                    where = "" if metric.source == "all" else f" ({population})"
                    estimate = show_interval(metric.estimate)
                    yield f"  {title}: {what}{where} {estimate}, n {metric.n}"


def _draw(fold: Fold) -> Markup:
    rows = []
    parts = ((fold.metrics, fold.ages), (fold.other_val, fold.other_ages))
    for colour, (metrics, ages) in enumerate(parts):
        for metric in metrics:
            if metric.name in _SHOWN and not (metric.name == "auroc" and metric.source == "all"):
                population = name_population(metric.source, ages)
                where = "" if metric.source == "all" else f" ({population})"
                name = f"{metric.class_name} {metric.name}".strip() + where
                told = f"n {metric.n}{', known sources' if colour else ''}"
                rows.append(Row(name=name, estimate=metric.estimate, told=told, colour=colour))
    return draw_rows(sorted(rows, key=lambda row: row.name), "estimate with 95 % interval")


def _read_fold(text: str, examples: Sequence[Example]) -> tuple[str, ...]:
    sources = tuple(part.strip() for part in text.split(",") if part.strip())
    known = {example.source for example in examples} - {""}
    if not known:
        raise DataError(
            "No film says from which hospital or collection it is, so none can be left out. Give "
            "a CSV manifest with a row a film and the columns path, class and source. With "
            "patient_id or group_id a patient stays in one split; `split` keeps your own splits."
        )
    missing = [source for source in sources if source not in known]
    if missing or not sources:
        raise DataError(
            f"No film has the source '{', '.join(missing)}'; there are: {', '.join(sorted(known))}."
        )
    return sources


def _folder_name(sources: Sequence[str], arch: str, augment: str) -> str:
    return f"{arch}-{augment}-{hashlib.sha256(','.join(sources).encode()).hexdigest()[:10]}"


def measure_fold(
    trained: Path, examples: Sequence[Example], sources: Sequence[str], cache: Path | None = None
) -> Fold:
    """Measure a run folder or .onnx that was trained without `sources` on their films.

    Films of the train and val splits serve. The caller knows that the training did not see them.
    """
    model = open_model(trained, cache=cache)

    def figures(films: Sequence[Example], what: str) -> tuple[Metric, ...]:
        loaded = load_films(films, model.side, what=what, cache=cache)
        scored = MeasuredFilms(
            split=what,
            input_type="any",
            examples=loaded.examples,
            models=(model.score(loaded.pixels),),
        )
        adults = scored.only(may_be_adult(scored.examples))
        return (*measure_classes(scored), *measure_tb(adults))

    seen = ("train", "val")
    out = [e for e in examples if e.source in sources and e.split in seen]
    rest = [e for e in examples if e.source not in sources and e.split == "val"]
    return Fold(
        sources=tuple(sources),
        films=len(out),
        ages=describe_ages(out),
        other_ages=describe_ages(rest),
        metrics=figures(out, SPLIT),
        other_val=figures(rest, "val"),
    )


def _to_json(results: Sequence[Fold], budget: Budget, arch: str, augment: str) -> dict[str, Any]:
    plain = {"budget": budget, "arch": arch, "augment": augment, "folds": list(results)}
    ready: dict[str, Any] = json.loads(json.dumps(to_plain(plain)))
    return ready
