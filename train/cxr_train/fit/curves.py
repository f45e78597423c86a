"""Learning curves of a run as a picture: loss and validation macro-F1 by epoch."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cxr_train.result_files import write_file

if TYPE_CHECKING:
    from matplotlib.axes import Axes

CURVES_FILE = "curves.png"


def draw_curves(history: list[dict[str, Any]], path: Path, *, choosing_from: int = 0) -> None:
    """Draw `history` (the lines of history.json) as a PNG.

    The best epoch is the first one with the highest validation macro-F1 among those from
    `choosing_from` on, as the loop chooses; before any of these is done none is marked.
    """
    # Its own canvas, not pyplot: nothing global, no display, no window left open.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 6), layout="constrained")
    FigureCanvasAgg(figure)
    loss, quality = figure.subplots(2, 1, sharex=True)
    epochs = [line["epoch"] + 1 for line in history]
    _draw_line(loss, epochs, history, "train_loss", "training (with label smoothing)", "--")
    _draw_line(loss, epochs, history, "val_loss", "validation", "-")
    loss.set_ylabel("loss")
    _draw_line(quality, epochs, history, "val_macro_f1", "validation", "-")
    quality.set_ylabel("macro-F1")
    quality.set_xlabel("epoch")
    quality.xaxis.get_major_locator().set_params(integer=True)
    for axes in (loss, quality):
        axes.grid(alpha=0.3)
    _mark_sizes(loss, quality, history)
    best = best_epoch(history, choosing_from=choosing_from)
    if best is not None:
        _mark_best(quality, loss, best)
    loss.legend()
    quality.legend()
    write_file(path, lambda file: figure.savefig(file, format="png", dpi=100))


def best_epoch(history: list[dict[str, Any]], *, choosing_from: int = 0) -> dict[str, Any] | None:
    """Return the line whose weights are the run's best; None while none can be."""
    eligible = [line for line in history if line["epoch"] >= choosing_from]
    return max(eligible, key=lambda line: float(line["val_macro_f1"]), default=None)


def _draw_line(
    axes: Axes, epochs: list[int], history: list[dict[str, Any]], key: str, label: str, style: str
) -> None:
    values = [line[key] for line in history]
    axes.plot(epochs, values, style, marker=".", markersize=4, label=label)


def _mark_sizes(loss: Axes, quality: Axes, history: list[dict[str, Any]]) -> None:
    for before, after in pairwise(history):
        if before["size"] != after["size"]:
            edge = after["epoch"] + 0.5
            for axes in (loss, quality):
                axes.axvline(edge, color="grey", linestyle=":")
            place = ("data", "axes fraction")
            words = f" {after['size']} px"
            loss.annotate(words, (edge, 1.02), xycoords=place, color="grey", annotation_clip=False)


def _mark_best(quality: Axes, loss: Axes, best: dict[str, Any]) -> None:
    number, value = best["epoch"] + 1, best["val_macro_f1"]
    label = f"best: epoch {number}, {value:.4f}"
    quality.plot([number], [value], "o", markerfacecolor="none", color="black", label=label)
    for axes in (quality, loss):
        axes.axvline(number, color="black", linewidth=0.8, alpha=0.5)
