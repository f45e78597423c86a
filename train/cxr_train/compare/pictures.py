"""The pictures of a comparison, each an SVG that stands in the page and beside it as a file."""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt
from pathlib import Path

import numpy as np
from markupsafe import Markup

from cxr_train.compare.comparison import Comparison
from cxr_train.compare.study import STUDY_F1
from cxr_train.compare.table import find
from cxr_train.data.ages import name_population
from cxr_train.drawing import (
    COLOURS,
    FAINT,
    STUDY,
    Box,
    axis_across,
    axis_upwards,
    circle,
    curve,
    dot,
    legend,
    line,
    matrix,
    svg,
    text,
    whisker,
)
from cxr_train.figures.measures import AGAINST_ALL, MeasuredFilms
from cxr_train.figures.metrics import auroc, confusion_matrix
from cxr_train.figures.operating_point import may_be_adult
from cxr_train.result_files import write_text
from edge_infer.model.model_card import CLASSES

WIDTH = 1060.0
_TB = CLASSES.index("tuberculosis")
_SHORT = ("normal", "pneum.", "COVID", "TB")
_BINS = 10
Points = list[tuple[float, float]]


def draw_all(comparison: Comparison, out: Path) -> dict[str, Markup]:
    """Draw every picture, write each into `out` as NAME.svg, and return them by name.

    Curves and matrices are of the last split and of each cell's first seed. ReportError when a file
    cannot be written.
    """
    pictures = {
        "quality": draw_quality(comparison),
        "effects": draw_effects(comparison),
        "cost": draw_cost(comparison),
        "confusion": draw_confusions(comparison),
        "roc": draw_roc(comparison),
        "precision-recall": draw_precision_recall(comparison),
        "reliability": draw_reliability(comparison),
        "learning": draw_learning(comparison),
    }
    for name, picture in pictures.items():
        write_text([picture, "\n"], out / f"{name}.svg")
    return pictures


def draw_quality(comparison: Comparison) -> Markup:
    """Draw macro-F1 of all cells with intervals, a panel a split, and the study's F1 as a line."""
    results, splits = comparison.results, comparison.splits
    lows = [
        estimate.low
        for result in results
        for split in splits
        if (estimate := find(result.metrics, split, "macro_f1")) is not None
    ]
    named = [STUDY_F1.get((result.cell.arch, result.cell.augment)) for result in results]
    low = max(0.0, np.floor(10 * min([*lows, *(f1 for f1 in named if f1 is not None)])) / 10)
    row, left = 46.0, 220.0
    width = (WIDTH - left - 20 * len(splits)) / len(splits)
    height = row * len(results)
    parts = []
    for place, result in enumerate(results):
        middle = 44 + row * (place + 0.5)
        parts.append(text(left - 12, middle + 1, result.cell.name, anchor="end", bold=place == 0))
        seeds = len(result.cell.seeds)
        told = f"{seeds} seed{'s' if seeds > 1 else ''}"
        parts.append(text(left - 12, middle + 15, told, anchor="end", size=10.5, colour=FAINT))
    for number, split in enumerate(splits):
        box = Box(
            left=left + number * (width + 20), top=44, width=width, height=height, low=low, high=1
        )
        parts.append(text(box.left, 20, f"macro-F1 on {split}", bold=True))
        parts += axis_across(box, "macro-F1, 95 % interval")
        for place, result in enumerate(results):
            top = box.top + row * place
            estimate = find(result.metrics, split, "macro_f1")
            int8 = find(result.int8_metrics, split, "macro_f1")
            if estimate is not None:
                parts += whisker(box, top + 16, estimate, COLOURS[0])
            if int8 is not None:
                parts += whisker(box, top + 30, int8, COLOURS[1], hollow=True)
            study = STUDY_F1.get((result.cell.arch, result.cell.augment))
            if study is not None:
                x = box.x(study)
                parts.append(line(x, top + 4, x, top + row - 4, colour=STUDY, width=2, dash="4 3"))
                if number == 0:
                    parts.append(text(x + 4, top + 13, f"{study:g}", size=10, colour=STUDY))
    foot = 44 + height + 54
    parts += [dot(left + 4, foot - 4, 4, COLOURS[0]), text(left + 14, foot, "checkpoints")]
    parts += [
        dot(left + 114, foot - 4, 4, COLOURS[1], hollow=True),
        text(left + 124, foot, "INT8, first seed"),
        line(left + 250, foot - 10, left + 250, foot + 2, colour=STUDY, width=2, dash="4 3"),
        text(left + 258, foot, "the study's F1, on other films", colour=STUDY),
    ]
    return svg(WIDTH, foot + 12, parts, "Macro-F1 of every cell with its interval")


def draw_effects(comparison: Comparison) -> Markup:
    """Draw the differences in macro-F1 between the study's cells, with intervals about 0."""
    effects = [effect for effect in comparison.effects if effect.figure == "macro_f1"]
    reach = max([0.05, *(abs(v) for e in effects for v in (e.difference.low, e.difference.high))])
    box = Box(
        left=330,
        top=20,
        width=WIDTH - 560,
        height=34.0 * max(1, len(effects)),
        low=-reach,
        high=reach,
    )
    parts = list(axis_across(box, "difference in macro-F1 on val, 95 % interval"))
    parts.append(line(box.x(0), box.top - 6, box.x(0), box.top + box.height, colour=FAINT))
    for place, effect in enumerate(effects):
        y = box.top + 34 * (place + 0.5)
        parts.append(text(box.left - 14, y + 4, f"{effect.first} → {effect.second}", anchor="end"))
        parts += whisker(box, y, effect.difference, COLOURS[0])
        change = f"{effect.difference.value:+.3f}"
        sure = f"{effect.seeds_told}: not tested"
        if effect.p_holm is not None:
            sure = f"p {effect.p_holm:.3f} (Holm)"
        parts.append(text(box.left + box.width + 16, y + 4, f"{change}, {sure}"))
    return svg(WIDTH, box.top + box.height + 42, parts, "Differences between the study's cells")


def draw_cost(comparison: Comparison) -> Markup:
    """Draw macro-F1 on val over the time of a film, the size of the file as area.

    Without any INT8 model: over multiply-accumulates, parameters as area.
    """
    deployed = any(result.deployed for result in comparison.results)
    points = []
    for result in comparison.results:
        if result.deployed is not None:
            across, area = result.deployed.milliseconds, result.deployed.megabytes
            told = f"{area:.1f} MB, {across:.1f} ms, {result.parameters / 1e6:.1f} M parameters"
        elif not deployed:
            across, area = result.macs / 1e6, result.parameters / 1e6
            told = f"{area:.1f} M parameters"
        else:
            continue
        points.append((across, result.val_macro_f1, area, f"{result.cell.name}: {told}"))
    right = 1.15 * max([1.0, *(point[0] for point in points)])
    lowest = min([1.0, *(point[1] for point in points)])
    box = Box(
        left=60,
        top=34,
        width=WIDTH - 480,
        height=300,
        low=0,
        high=right,
        bottom=max(0.0, np.floor(10 * lowest) / 10 - 0.05),
        upper=1,
    )
    unit = "ms a film, INT8, one thread" if deployed else "million multiply-accumulates a film"
    parts = [*axis_across(box, unit), *axis_upwards(box, "macro-F1 on val")]
    for place, (across, up, area, _) in enumerate(points):
        colour = COLOURS[place % len(COLOURS)]
        parts.append(circle(box.x(across), box.y(up), 4 + 3.2 * sqrt(area), colour))
        parts.append(dot(box.x(across), box.y(up), 2.5, colour))
    parts += legend(WIDTH - 400, 50, [point[3] for point in points])
    left_out = len(comparison.results) - len(points)
    if left_out:
        told = f"no INT8 model: {left_out} of {len(comparison.results)} cells, see below"
        parts.append(text(WIDTH - 400, 60 + 18 * len(points), told, colour=FAINT))
    return svg(WIDTH, box.top + box.height + 42, parts, "Cost against quality")


def draw_confusions(comparison: Comparison) -> Markup:
    """Draw a confusion matrix per cell: rows are the truth, shares of a row by shade."""
    split, columns, side = comparison.splits[-1], 4, 180.0
    parts: list[str] = []
    for place, result in enumerate(comparison.results):
        films = result.films[split]
        counts = confusion_matrix(films.labels, films.models[0].predictions).tolist()
        x = 62 + (place % columns) * (side + 78)
        y = 44 + (place // columns) * (side + 64)
        parts += matrix(x, y, side, counts, _SHORT, result.cell.name)
    rows = -(-len(comparison.results) // columns)
    return svg(WIDTH, rows * (side + 64) + 4, parts, f"Confusion matrices on {split}")


def draw_roc(comparison: Comparison) -> Markup:
    """Draw TB against all others: sensitivity over false alarms."""
    from sklearn.metrics import roc_curve

    curves: list[tuple[str, Points]] = []
    for result in comparison.results:
        scores, truth = _tb_scores(result.films[comparison.splits[-1]])
        area = auroc(scores, truth)
        if area is not None:
            false_alarms, sensitivity, _ = roc_curve(truth, scores)
            curves.append((f"{result.cell.name}: {area:.3f}", _pairs(false_alarms, sensitivity)))
    return _curves(
        curves,
        ("1 - specificity", "sensitivity"),
        f"{name_population(AGAINST_ALL, comparison.ages)}; cross: WHO's minimum",
        cross=(0.3, 0.9),
        diagonal=True,
    )


def draw_precision_recall(comparison: Comparison) -> Markup:
    """Draw TB against all others: precision over sensitivity."""
    from sklearn.metrics import precision_recall_curve

    curves: list[tuple[str, Points]] = []
    for result in comparison.results:
        scores, truth = _tb_scores(result.films[comparison.splits[-1]])
        if truth.any():
            precision, recall, _ = precision_recall_curve(truth, scores)
            curves.append((result.cell.name, _pairs(recall, precision)))
    named = name_population(AGAINST_ALL, comparison.ages)
    return _curves(curves, ("sensitivity", "precision"), named)


def draw_reliability(comparison: Comparison) -> Markup:
    """Draw how often a class of a stated probability was right, in bins of equal mass."""
    curves: list[tuple[str, Points]] = []
    for result in comparison.results:
        films = result.films[comparison.splits[-1]]
        probabilities = films.models[0].probabilities
        confidence = probabilities.max(axis=1)
        hits = probabilities.argmax(axis=1) == films.labels
        parts = np.array_split(np.argsort(confidence, kind="stable"), _BINS)
        points = [(confidence[part].mean(), hits[part].mean()) for part in parts if len(part)]
        curves.append((result.cell.name, points))
    axes = ("stated probability", "share that was right")
    return _curves(curves, axes, "Calibration", diagonal=True, dots=True)


def draw_learning(comparison: Comparison) -> Markup:
    """Draw validation macro-F1 by epoch; no other split is looked at."""
    curves = [
        (
            result.cell.name,
            [(one["epoch"] + 1, one["val_macro_f1"]) for one in result.history],
        )
        for result in comparison.results
    ]
    most = max(2, *(len(points) for _, points in curves))
    return _curves(curves, ("epoch", "macro-F1 on val"), "Learning", across=(1, most), dots=True)


def _curves(
    curves: Sequence[tuple[str, Points]],
    axes: tuple[str, str],
    title: str,
    *,
    across: tuple[float, float] = (0, 1),
    cross: tuple[float, float] | None = None,
    diagonal: bool = False,
    dots: bool = False,
) -> Markup:
    box = Box(left=56, top=56, width=440, height=300, low=across[0], high=across[1])
    below = box.top + box.height + 52
    parts = [text(20, 20, title, bold=True), *axis_across(box, axes[0])]
    parts += axis_upwards(box, axes[1])
    if diagonal:
        parts.append(line(box.x(0), box.y(0), box.x(1), box.y(1), colour=FAINT, dash="3 3"))
    for place, (_, points) in enumerate(curves):
        parts += curve(box, points, COLOURS[place % len(COLOURS)], dots=dots)
    if cross is not None:
        x, y = box.x(cross[0]), box.y(cross[1])
        parts += [line(x - 6, y, x + 6, y, colour=STUDY, width=2)]
        parts += [line(x, y - 6, x, y + 6, colour=STUDY, width=2)]
    parts += legend(box.left, below, [name for name, _ in curves])
    return svg(520, below + 18 * len(curves), parts, title)


def _pairs(across: np.ndarray, up: np.ndarray) -> Points:
    return list(zip(across.tolist(), up.tolist(), strict=True))


def _tb_scores(films: MeasuredFilms) -> tuple[np.ndarray, np.ndarray]:
    counted = films.only(may_be_adult(films.examples))
    return counted.models[0].tb_tenths, counted.labels == _TB
