"""What the INT8 model does on the validation films: figures, thresholds, histograms."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cxr_train.data.ages import describe_ages
from cxr_train.data.manifest import Example, fingerprint
from cxr_train.errors import DataError
from cxr_train.evaluate.scoring import by_input_type
from cxr_train.figures.conformal import fit_band
from cxr_train.figures.measures import ModelScores, measure
from cxr_train.figures.operating_point import (
    TARGET_SENSITIVITY,
    choose_operating_point,
    may_be_adult,
    require_enough,
)
from cxr_train.figures.tb_threshold import choose_tb_point
from cxr_train.figures.temperature import class_logits
from edge_infer.model.findings import printed_scores
from edge_infer.model.model_card import (
    CLASSES,
    HISTOGRAM_BINS,
    Metric,
    OperatingPoints,
    ScoreHistogram,
    ScoreRule,
    UncertainBand,
)

TB_TOLD = "tuberculosis against all others"
ABNORMAL_TOLD = "any disease against normal"
_NORMAL, _TB = CLASSES.index("normal"), CLASSES.index("tuberculosis")


@dataclass(frozen=True, kw_only=True)
class ValFilms:
    """Validation films with what the INT8 model says of them."""

    examples: tuple[Example, ...]
    logits: NDArray[np.float32]

    @property
    def labels(self) -> NDArray[np.int64]:
        """[N] class indices."""
        return np.array([example.label for example in self.examples], dtype=np.int64)

    @property
    def predictions(self) -> NDArray[np.intp]:
        """[N] indices of the likeliest class."""
        return np.asarray(class_logits(self.logits).argmax(axis=1))

    @property
    def groups(self) -> list[str]:
        """[N] patients."""
        return [example.group for example in self.examples]

    def only(self, chosen: NDArray[np.bool_]) -> ValFilms:
        """Return the chosen films."""
        kept = tuple(e for e, keep in zip(self.examples, chosen, strict=True) if keep)
        return ValFilms(examples=kept, logits=self.logits[chosen])


def population(examples: Sequence[Example], told: str = "") -> str:
    """Name the validation films that thresholds are chosen on, and what is told apart on them."""
    whose = f"validation films of {describe_ages(examples)}"
    return f"{whose}, {told}" if told else whose


def measure_val(val: ValFilms, rule: ScoreRule, tb_threshold: int) -> Iterator[Metric]:
    """Measure every figure with its 95 % interval per input type."""
    scored = ModelScores(logits=val.logits, rule=rule, tb_threshold=tb_threshold)
    for films in by_input_type("val", val.examples, (scored,)):
        yield from measure(films)


def check_thresholds_possible(examples: Sequence[Example]) -> None:
    """Raise DataError now, before the long work, when these val films cannot give a threshold."""
    labels = _adult_labels(examples)
    require_enough(labels == _TB, population=population(examples, TB_TOLD))
    require_enough(labels != _NORMAL, population=population(examples, ABNORMAL_TOLD))


def fit_operating_points(
    val: ValFilms, rule: ScoreRule, *, target_sensitivity: float = TARGET_SENSITIVITY
) -> OperatingPoints:
    """Choose both thresholds on the printed scores of films of adult sources."""
    adults = val.only(may_be_adult(val.examples))
    _, abnormal = printed_scores(adults.logits, rule)
    return OperatingPoints(
        refer_tb=choose_tb_point(
            ModelScores(logits=val.logits, rule=rule, tb_threshold=None),
            val.examples,
            target_sensitivity=target_sensitivity,
            population=population(val.examples, TB_TOLD),
        ),
        abnormal=choose_operating_point(
            abnormal,
            adults.labels != _NORMAL,
            adults.groups,
            by_class=adults.predictions != _NORMAL,
            target_sensitivity=target_sensitivity,
            population=population(val.examples, ABNORMAL_TOLD),
        ),
    )


def fit_uncertain_band(val: ValFilms, temperature: float) -> UncertainBand | None:
    """Choose the conformal thresholds on films of adult sources; None with too few of a class."""
    adults = val.only(may_be_adult(val.examples))
    try:
        return fit_band(
            adults.logits,
            adults.labels,
            adults.groups,
            temperature,
            population=population(val.examples),
            fingerprint=fingerprint(adults.examples),
        )
    except DataError:
        return None


def _adult_labels(examples: Sequence[Example]) -> NDArray[np.int64]:
    adult = may_be_adult(examples)
    return np.array([example.label for example in examples], dtype=np.int64)[adult]


def make_histograms(val: ValFilms, rule: ScoreRule) -> Iterator[ScoreHistogram]:
    """Count the films of each class over the bins of both scores."""
    tb, abnormal = printed_scores(val.logits, rule)
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
