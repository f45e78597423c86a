"""`cxr-train compare`: the study's experiment, read top to bottom.

Cells are trained on one budget, read (temperature, threshold) and ranked on validation films;
`final` looks at the held-out splits once and writes that into the ledger.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
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
    parse_budget,
    plan_cells,
    train_cells,
)
from cxr_train.compare.comparison import CellResult, Comparison, Deployed
from cxr_train.compare.effects import Effect, compare_pair, correct_by_holm
from cxr_train.compare.page import write_page
from cxr_train.compare.plots import draw_plots
from cxr_train.compare.table import caption, describe_effects, markdown, write_tables
from cxr_train.data.dataset import LoadedImages, load_films
from cxr_train.data.manifest import Example, fingerprint, read_data, require_every_class, select
from cxr_train.errors import DataError
from cxr_train.evaluate.ledger import Look, append, default_ledger, make_look
from cxr_train.evaluate.scoring import Model, open_onnx, read_checkpoint
from cxr_train.figures.measures import MeasuredFilms, measure
from cxr_train.figures.metrics import accuracy, macro_f1
from cxr_train.terminal import say

FINAL_SPLITS = ("test", "published")
SHORT_COLUMNS = ("accuracy", "macro_f1", "tb_auroc_against_normal")
_TIMED_RUNS = 30


def compare(
    data: Path,
    out: Path,
    *,
    budget: str,
    seeds: int,
    archs: Sequence[str],
    final: bool,
    int8: bool,
    jobs: int,
    ledger: Path | None,
    cache: Path | None,
) -> Iterator[str]:
    """Train, read, measure and rank every cell, write all of it into `out`; yield the result.

    What is already in `out` is not done again. Raises ConfigError, DataError or ReportError.
    """
    examples = read_data(data)
    for split in ("train", "val"):
        require_every_class(examples, split)
    cells, spent = plan_cells(archs, seeds), parse_budget(budget)
    check_plan(out, spent, fingerprint(examples))
    # Decoded once, before trainings ask for it side by side.
    loaded = {split: _load(examples, split, spent, cache) for split in _splits(examples, final)}
    for line in train_cells(cells, data, out, budget=spent, jobs=jobs, cache=cache):
        _tell(line)
    results = []
    for cell in cells:
        _tell(f"measuring {cell.name}")
        results.append(_measure_cell(cell, data, out, loaded, int8=int8, cache=cache))
    results.sort(key=lambda result: -result.val_macro_f1)
    comparison = Comparison(
        budget=spent,
        train_films=len(select(examples, "train")),
        splits=tuple(loaded),
        results=tuple(results),
        effects=correct_by_holm(tuple(_study_effects(results))),
    )
    if final:
        append(_looks(comparison), ledger or default_ledger(out))
    write_tables(comparison, out)
    plots = draw_plots(comparison.results, comparison.splits[-1], out)
    page = write_page(comparison, plots, out)
    yield from (caption(comparison), "", *markdown(comparison, SHORT_COLUMNS), "")
    yield from (*describe_effects(comparison), "", f"page: {page}")


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


def _score(models: Sequence[Model], loaded: dict[str, LoadedImages]) -> dict[str, MeasuredFilms]:
    return {
        split: MeasuredFilms(
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


def _looks(comparison: Comparison) -> list[Look]:
    looks = []
    for result in comparison.results:
        for split, films in result.films.items():
            if split == "val":
                continue
            predictions = films.models[0].predictions
            looks.append(
                make_look(
                    model=f"compare: {result.cell.name}, first seed",
                    sha256=result.sha256,
                    split=split,
                    n=len(films.examples),
                    accuracy=accuracy(films.labels, predictions),
                    macro_f1=macro_f1(films.labels, predictions),
                    note=f"{comparison.budget}, fp32",
                )
            )
    return looks


def _tell(line: str) -> None:
    say(f"{time.strftime('%H:%M:%S')} {line}")
