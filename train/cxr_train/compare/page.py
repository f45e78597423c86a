"""A comparison as one self-contained page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup

from cxr_train.compare.comparison import CellResult, Comparison
from cxr_train.compare.conclusions import conclude
from cxr_train.compare.table import LATEX_FILE, caption, describe_effects, find
from cxr_train.page import load_template
from cxr_train.result_files import write_text
from edge_infer.model.model_card import Interval

PAGE_FILE = "report.html"
_COLUMNS = {
    "accuracy": "accuracy",
    "macro_f1": "macro-F1",
    "weighted_f1": "weighted F1",
    "normal_f1": "F1 normal",
    "pneumonia_f1": "F1 pneumonia",
    "covid19_f1": "F1 COVID-19",
    "tuberculosis_f1": "F1 TB",
    "tb_auroc_against_normal": "TB AUROC against normal",
    "tb_sensitivity": "TB sensitivity",
    "tb_specificity_against_all": "TB specificity, against all others",
    "ece": "calibration error",
}


@dataclass(frozen=True, kw_only=True)
class _Row:
    """One cell in a table."""

    cell: str
    seeds: int
    cost: str
    estimates: tuple[Interval | None, ...]
    """In order of _COLUMNS; None: not measured."""
    why_not: str = ""
    """Why nothing was measured."""


@dataclass(frozen=True, kw_only=True)
class _Table:
    """All cells on one split, as checkpoints or as INT8 models."""

    split: str
    what: str
    cost: str
    """Heading of the rows' costs."""
    rows: tuple[_Row, ...]


def write_page(comparison: Comparison, pictures: Mapping[str, Markup], out: Path) -> Path:
    """Write report.html with tables and `pictures` inside; ReportError where that fails."""
    page = out / PAGE_FILE
    write_text(_render(comparison, pictures), page)
    return page


def _render(comparison: Comparison, pictures: Mapping[str, Markup]) -> Iterator[str]:
    return load_template("compare/page.html").generate(
        caption=caption(comparison),
        tables=list(_tables(comparison)),
        titles=list(_COLUMNS.values()),
        ages=comparison.ages,
        conclusions=list(conclude(comparison)),
        latex=LATEX_FILE,
        effects=list(describe_effects(comparison)),
        shown=comparison.splits[-1],
        pictures=pictures,
    )


def _tables(comparison: Comparison) -> Iterator[_Table]:
    for split in comparison.splits:
        yield _Table(
            split=split,
            what="checkpoints",
            cost="parameters, MACs",
            rows=tuple(_checkpoint_row(result, split) for result in comparison.results),
        )
        yield _Table(
            split=split,
            what="INT8, first seed",
            cost="MB, ms a film",
            rows=tuple(_int8_row(result, split) for result in comparison.results),
        )


def _checkpoint_row(result: CellResult, split: str) -> _Row:
    return _Row(
        cell=result.cell.name,
        seeds=len(result.cell.seeds),
        cost=f"{result.parameters / 1e6:.1f} M, {result.macs / 1e6:.0f} M",
        estimates=tuple(find(result.metrics, split, column) for column in _COLUMNS),
    )


def _int8_row(result: CellResult, split: str) -> _Row:
    size = result.deployed
    return _Row(
        cell=result.cell.name,
        seeds=1,
        cost=f"{size.megabytes:.1f}, {size.milliseconds:.1f}" if size is not None else "",
        estimates=tuple(find(result.int8_metrics, split, column) for column in _COLUMNS),
        why_not="" if size is not None else f"none: {result.not_deployed}",
    )
