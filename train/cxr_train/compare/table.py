"""A comparison as rows: compare.csv, compare.json and the short table for reading."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from cxr_train.compare.comparison import CellResult, Comparison
from cxr_train.figures.measures import AGAINST_ALL, AGAINST_NORMAL, ALL
from cxr_train.figures.metrics import show_interval
from cxr_train.result_files import write_csv, write_json, write_text
from edge_infer.model.card_json import to_plain
from edge_infer.model.model_card import CLASSES, Interval, Metric

CSV_FILE, JSON_FILE, LATEX_FILE = "compare.csv", "compare.json", "compare.tex"
FACTS = (
    *("rank", "arch", "augment", "pretrained", "seeds", "split", "precision", "parameters", "macs"),
    *("megabytes", "ms_per_film"),
)
_TB = "tuberculosis"
FIGURES: dict[str, tuple[str, str, str]] = {
    "accuracy": (ALL, "accuracy", ""),
    "macro_f1": (ALL, "macro_f1", ""),
    "weighted_f1": (ALL, "weighted_f1", ""),
    "ece": (ALL, "ece", ""),
    **{
        f"{name}_{figure}": (ALL, figure, name)
        for name in CLASSES
        for figure in ("precision", "recall", "f1", "auroc")
    },
    "tb_auroc_against_normal": (AGAINST_NORMAL, "auroc", _TB),
    "tb_auroc_against_all": (AGAINST_ALL, "auroc", _TB),
    "tb_sensitivity": (AGAINST_ALL, "sensitivity", _TB),
    "tb_specificity_against_normal": (AGAINST_NORMAL, "specificity", _TB),
    "tb_specificity_against_all": (AGAINST_ALL, "specificity", _TB),
}
"""Columns, each with `_low` and `_high`; TB's at the operating point, without known children."""
LATEX_COLUMNS = {
    "accuracy": "accuracy",
    "macro_f1": "macro-F1",
    "tuberculosis_f1": "F1 TB",
    "tb_auroc_against_normal": "TB AUROC",
}


def caption(comparison: Comparison) -> str:
    """Say on what terms the cells were compared."""
    begun = "from scratch"
    if any(result.cell.pretrained for result in comparison.results):
        begun += " unless it says from ImageNet"
    return (
        f"Every cell: {comparison.budget}, {comparison.train_films} training films, {begun}. "
        "Cells with several seeds are means over them; intervals are 95 %, over groups "
        "(patients). Ranked by macro-F1 on val."
    )


def write_tables(comparison: Comparison, out: Path) -> None:
    """Write compare.csv, .json and .tex into `out`; ReportError when they cannot be written."""
    write_csv(_columns(), rows(comparison), out / CSV_FILE)
    write_json(_to_json(comparison), out / JSON_FILE)
    write_text((f"{line}\n" for line in latex(comparison)), out / LATEX_FILE)


def rows(comparison: Comparison) -> Iterator[dict[str, object]]:
    """Yield a row per cell, split and precision."""
    for rank, result in enumerate(comparison.results, 1):
        for precision, metrics in (("fp32", result.metrics), ("int8", result.int8_metrics)):
            for split in comparison.splits:
                yield {
                    "rank": rank,
                    "split": split,
                    "precision": precision,
                    **_facts(result, precision),
                    **_figures([metric for metric in metrics if metric.split == split]),
                }


def find(metrics: Iterable[Metric], split: str, column: str) -> Interval | None:
    """Return the figure of a column on a split; None when it was not measured."""
    for metric in metrics:
        if (metric.split, (metric.source, metric.name, metric.class_name)) == (
            split,
            FIGURES[column],
        ):
            return metric.estimate
    return None


def markdown(comparison: Comparison, columns: tuple[str, ...]) -> Iterator[str]:
    """Yield a Markdown table of `columns` on every split, and INT8 size and speed."""
    heads = [f"{split} {column}" for split in comparison.splits for column in columns]
    yield "| " + " | ".join(["cell", "seeds", *heads, "INT8 MB", "ms/film"]) + " |"
    yield "|" + " --- |" * (len(heads) + 4)
    for result in comparison.results:
        numbers = [
            _show(find(result.metrics, split, column))
            for split in comparison.splits
            for column in columns
        ]
        size = result.deployed
        cells = [result.cell.name, str(len(result.cell.seeds)), *numbers]
        cells += [f"{size.megabytes:.1f}", f"{size.milliseconds:.1f}"] if size else ["", ""]
        yield "| " + " | ".join(cells) + " |"


def latex(comparison: Comparison) -> Iterator[str]:
    """Yield a table for LaTeX (package booktabs) of each split, and one of the differences."""
    for split in comparison.splits:
        yield f"% {split}: estimates with 95 % intervals over patients; {comparison.budget}"
        yield rf"\begin{{tabular}}{{l{'r' * (len(LATEX_COLUMNS) + 1)}}}"
        yield r"\toprule"
        yield " & ".join(["cell", "seeds", *LATEX_COLUMNS.values()]) + r" \\"
        yield r"\midrule"
        for result in comparison.results:
            figures = [find(result.metrics, split, column) for column in LATEX_COLUMNS]
            numbers = [_latex_interval(one) for one in figures]
            name = _latex_text(result.cell.name)
            yield " & ".join([name, str(len(result.cell.seeds)), *numbers]) + r" \\"
        yield from (r"\bottomrule", r"\end{tabular}", "")
    yield "% differences on val, paired by patient and seed; p after Holm's correction"
    yield from (r"\begin{tabular}{lllrr}", r"\toprule")
    yield r"from & to & figure & difference & $p$ \\"
    yield r"\midrule"
    for effect in comparison.effects:
        p = "" if effect.p_holm is None else f"{effect.p_holm:.3f}"
        words = [_latex_text(one) for one in (effect.first, effect.second, effect.figure)]
        yield " & ".join([*words, _latex_interval(effect.difference), p]) + r" \\"
    yield from (r"\bottomrule", r"\end{tabular}")


def _latex_text(words: str) -> str:
    return "".join(f"\\{letter}" if letter in "_%&#$" else letter for letter in words)


def _latex_interval(estimate: Interval | None) -> str:
    if estimate is None:
        return ""
    return f"${estimate.value:.3f}$ (${estimate.low:.3f}$ to ${estimate.high:.3f}$)"


def describe_effects(comparison: Comparison) -> Iterator[str]:
    """Yield a line per effect."""
    for effect in comparison.effects:
        change = effect.difference
        line = (
            f"{effect.figure}: {effect.first} -> {effect.second}: {change.value:+.3f} "
            f"({change.low:+.3f} to {change.high:+.3f}), {effect.seeds_told}, "
            f"{effect.groups} groups"
        )
        yield line if effect.p_holm is None else f"{line}, p {effect.p_holm:.3f} (Holm)"


def _columns() -> list[str]:
    return [
        *FACTS,
        *(f"{name}{end}" for name in FIGURES for end in ("", "_low", "_high")),
    ]


def _facts(result: CellResult, precision: str) -> dict[str, object]:
    facts: dict[str, object] = {
        "arch": result.cell.arch,
        "augment": str(result.cell.augment),
        "pretrained": int(result.cell.pretrained),
        "seeds": len(result.cell.seeds) if precision == "fp32" else 1,
        "parameters": result.parameters,
        "macs": result.macs,
    }
    if precision == "int8" and result.deployed is not None:
        facts["megabytes"] = f"{result.deployed.megabytes:.2f}"
        facts["ms_per_film"] = f"{result.deployed.milliseconds:.2f}"
    return facts


def _figures(metrics: list[Metric]) -> dict[str, str]:
    values: dict[str, str] = {}
    for column, wanted in FIGURES.items():
        for metric in metrics:
            if (metric.source, metric.name, metric.class_name) == wanted:
                values[column] = f"{metric.estimate.value:.4f}"
                values[f"{column}_low"] = f"{metric.estimate.low:.4f}"
                values[f"{column}_high"] = f"{metric.estimate.high:.4f}"
    return values


def _to_json(comparison: Comparison) -> dict[str, Any]:
    plain = {
        "caption": caption(comparison),
        "budget": comparison.budget,
        "splits": comparison.splits,
        "cells": [
            {
                "name": result.cell.name,
                "seeds": result.cell.seeds,
                "parameters": result.parameters,
                "macs": result.macs,
                "sha256": result.sha256,
                "metrics": result.metrics,
                "no_int8_because": result.not_deployed,
                "int8": None
                if result.deployed is None
                else {
                    "megabytes": result.deployed.megabytes,
                    "ms_per_film": result.deployed.milliseconds,
                    "metrics": result.int8_metrics,
                },
                "history": result.history,
            }
            for result in comparison.results
        ],
        "effects": comparison.effects,
        "ages": comparison.ages,
    }
    ready: dict[str, Any] = json.loads(json.dumps(to_plain(plain)))
    return ready


def _show(estimate: Interval | None) -> str:
    return "" if estimate is None else show_interval(estimate)
