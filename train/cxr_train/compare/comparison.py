"""`cxr-train compare`: the study's experiment, read top to bottom.

Cells are trained on one budget, read (temperature, threshold) and ranked on validation films;
`final` looks at the held-out splits once and writes that into the ledger.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cxr_train.compare.cells import (
    STUDY_ARCHS,
    STUDY_AUGMENTS,
    Budget,
    Cell,
    check_plan,
    export_cell,
    plan_cells,
    train_cells,
)
from cxr_train.compare.effects import Effect, compare_pair, correct_by_holm
from cxr_train.data.dataset import LoadedImages, load_films
from cxr_train.data.manifest import Example, fingerprint, read_data, require_every_class, select
from cxr_train.errors import DataError
from cxr_train.evaluate.scoring import Model, open_onnx, read_checkpoint
from cxr_train.figures.measures import Films, measure
from edge_infer.model.model_card import Metric

FINAL_SPLITS = ("test", "published")
_TIMED_RUNS = 30


@dataclass(frozen=True, kw_only=True)
class Deployed:
    """A cell's first seed as the clinic would run it."""

    megabytes: float
    milliseconds: float
    """Median of one film on one thread."""
    films: dict[str, Films]


@dataclass(frozen=True, kw_only=True)
class CellResult:
    """One cell's figures."""

    cell: Cell
    parameters: int
    macs: int
    """Multiply-accumulates of one film."""
    sha256: str
    """Of the first seed's checkpoint."""
    films: dict[str, Films]
    """Per split, with one model per seed."""
    metrics: tuple[Metric, ...]
    """Over all splits, means over seeds."""
    deployed: Deployed | None
    """None without INT8, or where the export's gates rejected the model."""
    int8_metrics: tuple[Metric, ...]
    history: tuple[dict[str, Any], ...]
    """Epoch records of the first seed."""

    @property
    def val_macro_f1(self) -> float:
        """What cells are ranked by."""
        return next(
            metric.estimate.value
            for metric in self.metrics
            if (metric.split, metric.source, metric.name) == ("val", "all", "macro_f1")
        )


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """All cells, best on validation first, and the effects between the study's four."""

    budget: Budget
    train_films: int
    splits: tuple[str, ...]
    results: tuple[CellResult, ...]
    effects: tuple[Effect, ...]


def compare(
    data: Path,
    out: Path,
    *,
    budget: Budget,
    seeds: int = 3,
    archs: Sequence[str] = (),
    final: bool = False,
    int8: bool = True,
    jobs: int = 1,
    cache: Path | None = None,
    say: Callable[[str], None],
) -> Comparison:
    """Train, read, measure and rank every cell; what is already in `out` is not done again.

    Raises ConfigError, DataError or ReportError.
    """
    examples = read_data(data)
    for split in ("train", "val"):
        require_every_class(examples, split)
    cells = plan_cells(archs, seeds)
    check_plan(out, budget, fingerprint(examples))
    # Decoded once, before trainings ask for it side by side.
    loaded = {split: _load(examples, split, budget, cache) for split in _splits(examples, final)}
    for line in train_cells(cells, data, out, budget=budget, jobs=jobs, cache=cache):
        say(line)
    results = []
    for cell in cells:
        say(f"measuring {cell.name}")
        results.append(_measure_cell(cell, data, out, loaded, int8=int8, cache=cache))
    results.sort(key=lambda result: -result.val_macro_f1)
    return Comparison(
        budget=budget,
        train_films=len(select(examples, "train")),
        splits=tuple(loaded),
        results=tuple(results),
        effects=correct_by_holm(tuple(_study_effects(results))),
    )


def _splits(examples: Sequence[Example], final: bool) -> tuple[str, ...]:
    held_out = [split for split in FINAL_SPLITS if select(examples, split)] if final else []
    if final and not held_out:
        raise DataError(f"--final needs a split {' or '.join(FINAL_SPLITS)}; the data has none.")
    return ("val", *held_out)


def _load(
    examples: Sequence[Example], split: str, budget: Budget, cache: Path | None
) -> LoadedImages:
    return load_films(select(examples, split), budget.size, what=split, cache=cache)


def _measure_cell(
    cell: Cell,
    data: Path,
    out: Path,
    loaded: dict[str, LoadedImages],
    *,
    int8: bool,
    cache: Path | None,
) -> CellResult:
    models = [read_checkpoint(cell.folder(out, seed), loaded["val"]) for seed in cell.seeds]
    films = _score(models, loaded)
    exported = export_cell(cell, data, out, cache=cache) if int8 else None
    deployed = _deploy(exported, loaded) if exported is not None else None
    parameters, macs = _size(cell.folder(out, cell.seeds[0]))
    return CellResult(
        cell=cell,
        parameters=parameters,
        macs=macs,
        sha256=models[0].sha256,
        films=films,
        metrics=tuple(metric for part in films.values() for metric in measure(part)),
        deployed=deployed,
        int8_metrics=tuple(
            metric
            for part in (deployed.films.values() if deployed is not None else ())
            for metric in measure(part)
        ),
        history=_history(cell.folder(out, cell.seeds[0])),
    )


def _score(models: Sequence[Model], loaded: dict[str, LoadedImages]) -> dict[str, Films]:
    return {
        split: Films(
            split=split,
            input_type="any",
            examples=part.examples,
            models=tuple(model.score(part.pixels) for model in models),
        )
        for split, part in loaded.items()
    }


def _deploy(file: Path, loaded: dict[str, LoadedImages]) -> Deployed:
    model = open_onnx(file)
    film: NDArray[np.uint8] = np.array(loaded["val"].pixels[:1])
    times = []
    for _ in range(_TIMED_RUNS):
        started = time.perf_counter()
        model.ask(film)
        times.append(time.perf_counter() - started)
    return Deployed(
        megabytes=file.stat().st_size / 1e6,
        milliseconds=float(np.median(times)) * 1e3,
        films=_score([model], loaded),
    )


def _size(folder: Path) -> tuple[int, int]:
    """Return parameters, and multiply-accumulates of one film, of a run's network."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    from cxr_train.fit.checkpoint import load_run

    run = load_run(folder)
    side = run.config.input_size
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        run.network(torch.zeros(1, 1, side, side))
    parameters = sum(parameter.numel() for parameter in run.network.parameters())
    return parameters, counter.get_total_flops() // 2


def _history(folder: Path) -> tuple[dict[str, Any], ...]:
    import json

    return tuple(json.loads((folder / "history.json").read_text(encoding="utf-8")))


def _study_effects(results: Sequence[CellResult]) -> Iterator[Effect]:
    """Compare the study's cells that differ in one thing: augmentation, or architecture."""
    cells = [
        result
        for arch in STUDY_ARCHS
        for augment in STUDY_AUGMENTS
        for result in results
        if (result.cell.arch, result.cell.augment) == (arch, augment)
    ]
    for first, second in combinations(cells, 2):
        if (first.cell.arch == second.cell.arch) != (first.cell.augment == second.cell.augment):
            names = (first.cell.name, second.cell.name)
            yield from compare_pair(first.films["val"], second.films["val"], names)
