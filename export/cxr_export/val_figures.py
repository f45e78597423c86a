"""What the INT8 model does on the validation films: figures, thresholds, histograms."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cxr_export.parity import TARGET_SENSITIVITY
from cxr_train.manifest import Example
from cxr_train.metrics import (
    accuracy,
    auroc,
    class_scores,
    group_bootstrap,
    macro_f1,
    wilson_interval,
)
from cxr_train.operating_point import choose_operating_point, is_adult, require_enough
from edge_infer.films.sniff import HEAD_BYTES, FileKind, sniff
from edge_infer.model.findings import printed_scores
from edge_infer.model.model_card import (
    CLASSES,
    HISTOGRAM_BINS,
    Metric,
    OperatingPoints,
    ScoreHistogram,
)

TB_POPULATION = "validation films of adult sources, tuberculosis against all others"
ABNORMAL_POPULATION = "validation films of adult sources, any disease against normal"
_NORMAL, _TB = CLASSES.index("normal"), CLASSES.index("tuberculosis")


@dataclass(frozen=True, kw_only=True)
class Labelled:
    """Validation films with what the INT8 model says of them."""

    examples: tuple[Example, ...]
    logits: NDArray[np.float32]

    @property
    def labels(self) -> NDArray[np.int64]:
        """[N] class indices."""
        return np.array([example.label for example in self.examples], dtype=np.int64)

    @property
    def groups(self) -> list[str]:
        """[N] patients."""
        return [example.group for example in self.examples]

    def only(self, chosen: NDArray[np.bool_]) -> Labelled:
        """Return the chosen films."""
        kept = tuple(e for e, keep in zip(self.examples, chosen, strict=True) if keep)
        return Labelled(examples=kept, logits=self.logits[chosen])


def measure(val: Labelled, temperature: float) -> Iterator[Metric]:
    """Measure figures with 95 % intervals per input type, over all films and per source."""
    types = np.array([input_type(example.path) for example in val.examples])
    for kind in sorted(set(types)):
        yield from _measure_type(val.only(types == kind), temperature, kind)


def input_type(path: Path) -> str:
    """Return `dicom` or `raster`, by content as the runner decides it."""
    with path.open("rb") as file:
        return "dicom" if sniff(file.read(HEAD_BYTES)) is FileKind.DICOM else "raster"


def _measure_type(val: Labelled, temperature: float, kind: str) -> Iterator[Metric]:
    yield from _overall(val, kind)
    tb, _ = printed_scores(val.logits, temperature)
    adults = is_adult([example.source for example in val.examples])
    yield from _tb_auroc(val.only(adults), tb[adults], kind)
    for source in sorted({example.source for example in val.examples}):
        part = val.only(np.array([example.source == source for example in val.examples]))
        hits = int((part.logits.argmax(axis=1) == part.labels).sum())
        yield Metric(
            split="val",
            source=source or "unknown",
            input_type=kind,
            name="accuracy",
            class_name="",
            estimate=wilson_interval(hits, len(part.labels)),
            n=len(part.labels),
            groups=len(set(part.groups)),
        )


def _overall(val: Labelled, kind: str) -> Iterator[Metric]:
    labels, predictions = val.labels, val.logits.argmax(axis=1)

    def row(
        name: str, class_name: str, statistic: Callable[[NDArray[np.intp]], float | None]
    ) -> Iterator[Metric]:
        estimate = group_bootstrap(statistic, val.groups)
        if estimate is not None:
            yield Metric(
                split="val",
                source="all",
                input_type=kind,
                name=name,
                class_name=class_name,
                estimate=estimate,
                n=len(labels),
                groups=len(set(val.groups)),
            )

    yield from row("accuracy", "", lambda i: accuracy(labels[i], predictions[i]))
    yield from row("macro_f1", "", lambda i: macro_f1(labels[i], predictions[i]))
    for index, name in enumerate(CLASSES):
        for figure in ("f1", "recall", "precision"):

            def of_class(
                i: NDArray[np.intp], index: int = index, figure: str = figure
            ) -> float | None:
                value = getattr(class_scores(labels[i], predictions[i])[index], figure)
                return None if value is None else float(value)

            yield from row(figure, name, of_class)


def _tb_auroc(adults: Labelled, tb_tenths: NDArray[np.int64], kind: str) -> Iterator[Metric]:
    is_tb = adults.labels == _TB
    is_normal = adults.labels == _NORMAL
    for source, kept in (
        ("adults, TB against normal", is_tb | is_normal),
        ("adults, TB against all others", np.ones_like(is_tb)),
    ):
        part, scores, truth = adults.only(kept), tb_tenths[kept], is_tb[kept]
        estimate = group_bootstrap(
            lambda i, scores=scores, truth=truth: auroc(scores[i], truth[i]),  # type: ignore[misc]
            part.groups,
        )
        if estimate is not None:
            yield Metric(
                split="val",
                source=source,
                input_type=kind,
                name="auroc",
                class_name="tuberculosis",
                estimate=estimate,
                n=len(truth),
                groups=len(set(part.groups)),
            )


def check_thresholds_possible(examples: Sequence[Example]) -> None:
    """Raise DataError now, before the long work, when these val films cannot give a threshold."""
    labels = _adult_labels(examples)
    require_enough(labels == _TB, population=TB_POPULATION)
    require_enough(labels != _NORMAL, population=ABNORMAL_POPULATION)


def fit_operating_points(val: Labelled, temperature: float) -> OperatingPoints:
    """Choose both thresholds on the printed scores of films of adult sources."""
    adults = val.only(is_adult([example.source for example in val.examples]))
    tb, abnormal = printed_scores(adults.logits, temperature)
    return OperatingPoints(
        refer_tb=choose_operating_point(
            tb,
            adults.labels == _TB,
            adults.groups,
            target_sensitivity=TARGET_SENSITIVITY,
            population=TB_POPULATION,
        ),
        abnormal=choose_operating_point(
            abnormal,
            adults.labels != _NORMAL,
            adults.groups,
            target_sensitivity=TARGET_SENSITIVITY,
            population=ABNORMAL_POPULATION,
        ),
    )


def _adult_labels(examples: Sequence[Example]) -> NDArray[np.int64]:
    adult = is_adult([example.source for example in examples])
    return np.array([example.label for example in examples], dtype=np.int64)[adult]


def count_scores(val: Labelled, temperature: float) -> Iterator[ScoreHistogram]:
    """Count the films of each class over the bins of both scores."""
    tb, abnormal = printed_scores(val.logits, temperature)
    for index, name in enumerate(CLASSES):
        chosen = val.labels == index
        yield ScoreHistogram(
            class_name=name,
            tb_score=_bins(tb[chosen]),
            abnormal_score=_bins(abnormal[chosen]),
        )


def _bins(tenths: NDArray[np.int64]) -> tuple[int, ...]:
    # 0..1000 tenths in 200 bins of five; 1000 belongs to the last.
    places = np.minimum(tenths // (1000 // HISTOGRAM_BINS), HISTOGRAM_BINS - 1)
    return tuple(int(count) for count in np.bincount(places, minlength=HISTOGRAM_BINS))
