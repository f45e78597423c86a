"""What a comparison measured: its cells with their figures, best first, and the effects."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from cxr_train.compare.cells import Budget, Cell
from cxr_train.compare.effects import Effect
from cxr_train.figures.measures import MeasuredFilms
from edge_infer.model.model_card import Metric


@dataclass(frozen=True, kw_only=True)
class Deployed:
    """A cell's first seed as the clinic would run it."""

    megabytes: float
    milliseconds: float
    """Median of one film on one thread."""
    films: dict[str, MeasuredFilms]


@dataclass(frozen=True, kw_only=True)
class CellResult:
    """One cell's figures."""

    cell: Cell
    parameters: int
    macs: int
    """Multiply-accumulates of one film."""
    sha256: str
    """Of the first seed's checkpoint."""
    films: dict[str, MeasuredFilms]
    """Per split, with one model per seed."""
    metrics: tuple[Metric, ...]
    """Over all splits, means over seeds."""
    deployed: Deployed | None
    """None where there is no INT8 model."""
    int8_metrics: tuple[Metric, ...]
    history: tuple[dict[str, Any], ...]
    """Epoch records of the first seed."""
    not_deployed: str = ""
    """Why there is no INT8 model; empty where there is one."""

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
    ages: str
    """Of the films that TB figures count, in words."""
