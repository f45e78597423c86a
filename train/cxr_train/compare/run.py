"""A comparison as the command does it: compute, write tables, pictures, page and ledger, print."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from pathlib import Path

from cxr_train.compare.cells import parse_budget
from cxr_train.compare.comparison import Comparison, compare
from cxr_train.compare.page import write_page
from cxr_train.compare.plots import draw_plots
from cxr_train.compare.table import caption, describe_effects, markdown, write_tables
from cxr_train.evaluate.ledger import Look, append, default_ledger, make_look
from cxr_train.figures.metrics import accuracy, macro_f1

SHORT_COLUMNS = ("accuracy", "macro_f1", "tb_auroc_against_normal")


def compare_run(
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
) -> Comparison:
    """Run a comparison and write all of it into `out`; errors as `compare` and ReportError."""
    comparison = compare(
        data,
        out,
        budget=parse_budget(budget),
        seeds=seeds,
        archs=archs,
        final=final,
        int8=int8,
        jobs=jobs,
        cache=cache,
        say=_say,
    )
    if final:
        append(_looks(comparison), ledger or default_ledger(out))
    write_tables(comparison, out)
    plots = draw_plots(comparison.results, comparison.splits[-1], out)
    page = write_page(comparison, plots, out)
    for line in (
        caption(comparison),
        "",
        *markdown(comparison, SHORT_COLUMNS),
        "",
        *describe_effects(comparison),
        "",
        f"page: {page}",
    ):
        print(line)  # noqa: T201
    return comparison


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


def _say(line: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {line}", file=sys.stderr, flush=True)  # noqa: T201
