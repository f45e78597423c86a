"""`cxr-train compare`: the study's experiment, read top to bottom.

Cells are trained on one budget, read (temperature, threshold) and ranked on validation films;
`final` looks at the held-out splits once and writes that into the ledger.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from queue import SimpleQueue
from typing import Any, Self, TypeVar

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
    train_cell,
)
from cxr_train.compare.comparison import CellResult, Comparison, Deployed
from cxr_train.compare.conclusions import conclude
from cxr_train.compare.effects import Effect, compare_pair, correct_by_holm
from cxr_train.compare.page import write_page
from cxr_train.compare.pictures import draw_all
from cxr_train.compare.table import caption, describe_effects, markdown, write_tables
from cxr_train.compare.worker import Worker
from cxr_train.config import TrainConfig
from cxr_train.data.ages import describe_ages, describe_films
from cxr_train.data.dataset import LoadedImages, load_films
from cxr_train.data.manifest import Example, fingerprint, read_data, require_every_class, select
from cxr_train.errors import DataError
from cxr_train.evaluate.ledger import Look, append, default_ledger, make_look
from cxr_train.evaluate.scoring import Model, open_onnx, read_checkpoint
from cxr_train.figures.measures import MeasuredFilms, measure
from cxr_train.figures.metrics import accuracy, macro_f1
from cxr_train.fit.pace import choose_format
from cxr_train.terminal import say, working

FINAL_SPLITS = ("test", "published")
SHORT_COLUMNS = ("accuracy", "macro_f1", "tb_auroc_against_normal")
_TIMED_RUNS = 30
T = TypeVar("T")


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
    _tell(
        f"{len(cells)} cells, {sum(len(cell.seeds) for cell in cells)} trainings of {spent} on "
        f"{choose_format(TrainConfig())}; {describe_films(examples)}"
    )
    # Decoded once, before trainings ask for it side by side.
    loaded = {split: _load(examples, split, spent, cache) for split in _splits(examples, final)}
    results = []
    with (
        working("cell") as task,
        _Crew(cells, data, out, budget=spent, jobs=jobs, int8=int8, cache=cache) as crew,
    ):
        for number, cell in enumerate(cells, 1):
            task.on(number, len(cells))
            for line in crew.train(cell):
                _tell(line)
            exported = crew.exported(cell)
            if isinstance(exported, str):
                _tell(f"{cell.name}: no INT8: {exported}")
            with working(f"measuring {cell.name}"):
                results.append(_measure_cell(cell, out, loaded, exported))
    with working("timing the INT8 models, one thread, in turn"):
        results = list(_time_in_turn(results, out, loaded["val"]))
    results.sort(key=lambda result: -result.val_macro_f1)
    with working("differences between cells, and the page"):
        comparison = Comparison(
            budget=spent,
            train_films=len(select(examples, "train")),
            splits=tuple(loaded),
            results=tuple(results),
            effects=correct_by_holm(tuple(_study_effects(results))),
            ages=describe_ages(examples),
        )
        if final:
            append(_looks(comparison), ledger or default_ledger(out))
        write_tables(comparison, out)
        page = write_page(comparison, draw_all(comparison, out), out)
    yield from (caption(comparison), "", *markdown(comparison, SHORT_COLUMNS), "")
    yield from (*conclude(comparison), "", *describe_effects(comparison), "", f"page: {page}")


class _Crew:
    """The processes that train and export, `jobs` of them, and what they have yet to do.

    One works through a cell while the next waits; several train ahead of what is measured here.
    """

    def __init__(
        self,
        cells: Sequence[Cell],
        data: Path,
        out: Path,
        *,
        budget: Budget,
        jobs: int,
        int8: bool,
        cache: Path | None,
    ) -> None:
        self._data, self._out, self._budget, self._cache = data, out, budget, cache
        self._int8, self._exported = int8, dict[Cell, Path | str]()
        threads = max(1, (os.cpu_count() or 1) // jobs) if jobs > 1 else 0
        self._open = ExitStack()
        self._free: SimpleQueue[Worker] = SimpleQueue()
        for _ in range(jobs):
            self._free.put(self._open.enter_context(Worker(threads=threads)))
        self._pool = ThreadPoolExecutor(max_workers=jobs)
        self._ahead = (
            {cell: [self._submit(cell, seed) for seed in cell.seeds] for cell in cells}
            if jobs > 1
            else {}
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: Any) -> None:
        if error[0] is not None:
            self._open.__exit__(*error)  # ends what runs, so that the pool need not wait for it
        self._pool.shutdown(cancel_futures=True)
        self._open.close()

    def train(self, cell: Cell) -> Iterator[str]:
        """Train a cell's seeds, or wait until they are trained; yield a line for each."""
        if cell in self._ahead:
            yield from (future.result() for future in self._ahead[cell])
        else:
            yield from (self._train(cell, seed) for seed in cell.seeds)

    def exported(self, cell: Cell) -> Path | str:
        """Return the model of a trained cell, or why there is none."""
        return self._exported[cell] if self._int8 else "--no-int8"

    def _submit(self, cell: Cell, seed: int) -> Future[str]:
        return self._pool.submit(self._train, cell, seed)

    def _train(self, cell: Cell, seed: int) -> str:
        return self._with_worker(lambda worker: self._train_and_export(cell, seed, worker))

    def _train_and_export(self, cell: Cell, seed: int, worker: Worker) -> str:
        line = train_cell(
            cell, seed, self._data, self._out, worker, budget=self._budget, cache=self._cache
        )
        # At once: later it would wait until a worker is free, behind all trainings of all cells.
        if self._int8 and seed == cell.seeds[0]:
            self._exported[cell] = export_cell(
                cell, self._data, self._out, worker, cache=self._cache
            )
        return line

    def _with_worker(self, work: Callable[[Worker], T]) -> T:
        worker = self._free.get()
        try:
            return work(worker)
        finally:
            self._free.put(worker)


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
    cell: Cell, out: Path, loaded: dict[str, LoadedImages], exported: Path | str
) -> CellResult:
    models = [read_checkpoint(cell.folder(out, seed), loaded["val"]) for seed in cell.seeds]
    films = _score(models, loaded)
    deployed = _deploy(exported, loaded) if isinstance(exported, Path) else None
    parameters, macs = _size(cell.folder(out, cell.seeds[0]))
    return CellResult(
        cell=cell,
        parameters=parameters,
        macs=macs,
        sha256=models[0].sha256,
        films=films,
        metrics=tuple(metric for part in films.values() for metric in measure(part)),
        deployed=deployed,
        not_deployed="" if isinstance(exported, Path) else exported,
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
    films = _score([open_onnx(file)], loaded)
    return Deployed(megabytes=file.stat().st_size / 1e6, milliseconds=0.0, films=films)


def _time_in_turn(
    results: Sequence[CellResult], out: Path, val: LoadedImages
) -> Iterator[CellResult]:
    """Yield the results with their models' times: film by film in turn, other load hits all."""
    film: NDArray[np.uint8] = np.array(val.pixels[:1])
    deployed = [result for result in results if result.deployed is not None]
    models = [open_onnx(result.cell.model(out)) for result in deployed]
    times: list[list[float]] = [[] for _ in models]
    for _ in range(_TIMED_RUNS if models else 0):
        for model, taken in zip(models, times, strict=True):
            started = time.perf_counter()
            model.ask(film)
            taken.append(1000 * (time.perf_counter() - started))
    medians = {
        result.cell: float(np.median(taken)) for result, taken in zip(deployed, times, strict=True)
    }
    for result in results:
        if result.deployed is None:
            yield result
        else:
            spent = medians[result.cell]
            yield replace(result, deployed=replace(result.deployed, milliseconds=spent))


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
