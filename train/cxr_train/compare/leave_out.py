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

from cxr_train.compare.cells import Budget, check_plan, train_run
from cxr_train.data.dataset import load_films
from cxr_train.data.manifest import Example, fingerprint, read_data
from cxr_train.errors import DataError
from cxr_train.evaluate.scoring import open_model
from cxr_train.figures.measures import MeasuredFilms, measure_classes, measure_tb
from cxr_train.figures.metrics import show_interval
from cxr_train.figures.operating_point import is_adult
from cxr_train.result_files import write_json
from cxr_train.terminal import say
from edge_infer.model.card_json import to_plain
from edge_infer.model.model_card import Metric

RESULT_FILE = "leave-out.json"
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
    for sources in parted:
        say(f"without {', '.join(sources)}")
        folder = out / "runs" / _folder_name(sources, arch, augment)
        words: list[object] = [data, "--arch", arch, "--augment", augment]
        words += ["--size", budget.size, "--epochs", budget.epochs]
        words += [word for source in sources for word in ("--without", source)]
        train_run(words, folder, cache=cache)
        results.append(measure_fold(folder, examples, sources, cache))
    write_json(_to_json(results, budget, arch, augment), out / RESULT_FILE)
    return tuple(results)


def describe_folds(folds: Sequence[Fold]) -> Iterator[str]:
    """Yield the folds as lines."""
    for fold in folds:
        yield f"without {', '.join(fold.sources)}: {fold.films} films of it"
        for title, metrics in (("left out", fold.metrics), ("known sources' val", fold.other_val)):
            for metric in metrics:
                if metric.name in _SHOWN and not (
                    metric.name == "auroc" and metric.source == "all"
                ):
                    what = " ".join(filter(None, (metric.class_name, metric.name)))
                    where = "" if metric.source == "all" else f" ({metric.source})"
                    estimate = show_interval(metric.estimate)
                    yield f"  {title}: {what}{where} {estimate}, n {metric.n}"


def _read_fold(text: str, examples: Sequence[Example]) -> tuple[str, ...]:
    sources = tuple(part.strip() for part in text.split(",") if part.strip())
    known = {example.source for example in examples}
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
        adults = scored.only(is_adult(list(scored.sources)))
        return (*measure_classes(scored), *measure_tb(adults))

    seen = ("train", "val")
    out = [e for e in examples if e.source in sources and e.split in seen]
    rest = [e for e in examples if e.source not in sources and e.split == "val"]
    return Fold(
        sources=tuple(sources),
        films=len(out),
        metrics=figures(out, SPLIT),
        other_val=figures(rest, "val"),
    )


def _to_json(results: Sequence[Fold], budget: Budget, arch: str, augment: str) -> dict[str, Any]:
    plain = {"budget": budget, "arch": arch, "augment": augment, "folds": list(results)}
    ready: dict[str, Any] = json.loads(json.dumps(to_plain(plain)))
    return ready
