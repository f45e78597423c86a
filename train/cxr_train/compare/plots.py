"""Pictures of a comparison, drawn without a screen and without matplotlib's global state."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from cxr_train.compare.comparison import CellResult
from cxr_train.figures.measures import MeasuredFilms
from cxr_train.figures.metrics import auroc, confusion_matrix
from cxr_train.figures.operating_point import is_adult
from cxr_train.result_files import write_file
from edge_infer.model.model_card import CLASSES

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_TB = CLASSES.index("tuberculosis")
_SHORT = ("normal", "pneum.", "COVID", "TB")
_BINS = 10


def draw_plots(results: Sequence[CellResult], split: str, out: Path) -> tuple[Path, ...]:
    """Draw five PNGs of `split` into `out`; each cell is shown by its first seed.

    ReportError when one cannot be written.
    """
    drawings: dict[str, Callable[[Sequence[CellResult], str], Figure]] = {
        "roc": draw_roc,
        "precision-recall": draw_precision_recall,
        "confusion": draw_confusions,
        "reliability": draw_reliability,
        "learning": draw_learning,
    }
    files = []
    for name, draw in drawings.items():
        file = out / f"{name}.png"
        write_file(file, partial(_save, draw(results, split)))
        files.append(file)
    return tuple(files)


def _save(figure: Figure, file: BinaryIO) -> None:
    # Without the date and version that matplotlib notes, the same data gives the same file.
    figure.savefig(file, format="png", dpi=110, metadata={"Software": None})


def draw_roc(results: Sequence[CellResult], split: str) -> Figure:
    """Draw TB against all others, adults' films: sensitivity over false alarms."""
    from sklearn.metrics import roc_curve

    figure, axes = _figure(6, 5)
    for result in results:
        scores, truth = _tb_scores(result.films[split])
        area = auroc(scores, truth)
        if area is not None:
            false_alarms, sensitivity, _ = roc_curve(truth, scores)
            axes.plot(false_alarms, sensitivity, label=f"{result.cell.name} {area:.3f}")
    axes.plot([0, 1], [0, 1], color="0.7", linewidth=0.8)
    axes.plot([0.3], [0.9], marker="x", color="black", linestyle="", label="WHO minimum")
    _finish(axes, f"TB against all others, adults, {split}", "1 - specificity", "sensitivity")
    return figure


def draw_precision_recall(results: Sequence[CellResult], split: str) -> Figure:
    """Draw TB against all others, adults' films: precision over sensitivity."""
    from sklearn.metrics import precision_recall_curve

    figure, axes = _figure(6, 5)
    for result in results:
        scores, truth = _tb_scores(result.films[split])
        if truth.any():
            precision, recall, _ = precision_recall_curve(truth, scores)
            axes.plot(recall, precision, label=result.cell.name)
            axes.axhline(truth.mean(), color="0.8", linewidth=0.8)
    _finish(axes, f"TB against all others, adults, {split}", "sensitivity", "precision")
    return figure


def draw_confusions(results: Sequence[CellResult], split: str) -> Figure:
    """Draw a confusion matrix per cell: rows are the truth, shares of a row by shade."""
    columns = min(3, len(results))
    rows = -(-len(results) // columns)
    figure = _empty(3.1 * columns, 3.1 * rows)
    for place, result in enumerate(results, 1):
        films = result.films[split]
        matrix = confusion_matrix(films.labels, films.models[0].predictions)
        shares = matrix / np.maximum(1, matrix.sum(axis=1, keepdims=True))
        axes = figure.add_subplot(rows, columns, place)
        axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
        for (row, column), count in np.ndenumerate(matrix):
            dark = shares[row, column] > 0.5
            axes.text(column, row, str(count), ha="center", va="center", color="w" if dark else "k")
        axes.set_xticks(range(len(CLASSES)), _SHORT, fontsize=7)
        axes.set_yticks(range(len(CLASSES)), _SHORT, fontsize=7)
        axes.set_title(result.cell.name, fontsize=9)
    figure.suptitle(f"{split}: rows are the truth, columns the prediction", fontsize=10)
    return figure


def draw_reliability(results: Sequence[CellResult], split: str) -> Figure:
    """Draw how often a class of a stated probability was right, in bins of equal mass."""
    figure, axes = _figure(6, 5)
    axes.plot([0, 1], [0, 1], color="0.7", linewidth=0.8)
    for result in results:
        films = result.films[split]
        probabilities = films.models[0].probabilities
        confidence = probabilities.max(axis=1)
        hits = probabilities.argmax(axis=1) == films.labels
        parts = np.array_split(np.argsort(confidence, kind="stable"), _BINS)
        points = [(confidence[part].mean(), hits[part].mean()) for part in parts if len(part)]
        axes.plot(*np.transpose(points), marker="o", markersize=3, label=result.cell.name)
    _finish(axes, f"Calibration, {split}", "stated probability", "share that was right")
    return figure


def draw_learning(results: Sequence[CellResult], split: str) -> Figure:
    """Draw validation macro-F1 by epoch; `split` is not looked at."""
    del split
    figure, axes = _figure(6, 5)
    for result in results:
        epochs = [record["epoch"] + 1 for record in result.history]
        scores = [record["val_macro_f1"] for record in result.history]
        axes.plot(epochs, scores, marker="o", markersize=3, label=result.cell.name)
    _finish(axes, "Learning, first seed", "epoch", "macro-F1 on val")
    axes.set_ylim(0, 1)
    return figure


def _tb_scores(films: MeasuredFilms) -> tuple[np.ndarray, np.ndarray]:
    adults = films.only(is_adult(list(films.sources)))
    return adults.models[0].tb_tenths, adults.labels == _TB


def _empty(width: float, height: float) -> Figure:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def _figure(width: float, height: float) -> tuple[Figure, Axes]:
    figure = _empty(width, height)
    return figure, figure.add_subplot()


def _finish(axes: Axes, title: str, across: str, up: str) -> None:
    axes.set_title(title, fontsize=10)
    axes.set_xlabel(across)
    axes.set_ylabel(up)
    axes.grid(visible=True, color="0.9")
    axes.legend(fontsize=7)
