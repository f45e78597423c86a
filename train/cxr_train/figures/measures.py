"""Every figure of a classifier on labelled films, each with n, groups and a 95 % interval.

One function serves the card, `evaluate` and `compare`. Proportions have Wilson's interval, other
figures the percentile interval over resampled groups. Tuberculosis is judged on adults' films only:
children, who seldom have it in these sets, would make it look easy.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from cxr_train.data.manifest import Example
from cxr_train.figures.operating_point import may_be_adult
from cxr_train.figures.resampling import (
    Values,
    Weights,
    auroc_values,
    calibration_error_values,
    confusions,
    f1_values,
    group_weights,
    interval_of,
    macro_f1_values,
    weighted_f1_values,
)
from edge_infer.model.findings import calibrated_probabilities, printed_scores
from edge_infer.model.model_card import CLASSES, Interval, Metric, ScoreRule
from edge_infer.model.proportions import wilson_interval
from edge_infer.model.referred import is_referred

ALL = "all"
AGAINST_NORMAL = "adults, TB against normal"
AGAINST_OTHER = "adults, TB against other disease"
AGAINST_ALL = "adults, TB against all others"
POPULATIONS = (AGAINST_NORMAL, AGAINST_OTHER, AGAINST_ALL)
"""What TB is told from, adults' films of all sources pooled."""
CEILING = "specificity_ceiling"
"""The specificity that no threshold can pass: films of class TB are referred at any."""
FEWEST_OF_A_PAIR = 10
"""A pair of one source needs this many films of each class to be reported."""
FEWEST_FOR_CALIBRATION = 30
"""A source needs this many films for its calibration error to be reported: half of 15 bins of one
film each would be error by chance alone."""
_NORMAL, _TB = CLASSES.index("normal"), CLASSES.index("tuberculosis")


@dataclass(frozen=True, kw_only=True)
class ModelScores:
    """What one model says of some films."""

    logits: NDArray[np.float32]
    """[N, K]: the classes in order of CLASSES, then the referral logit where there is one."""
    rule: ScoreRule
    """How logits become scores."""
    tb_threshold: int | None
    """The operating point in tenths of a score point; None: none was fitted."""

    def only(self, chosen: NDArray[np.bool_]) -> ModelScores:
        """Return what it says of the chosen films."""
        return replace(self, logits=self.logits[chosen])

    @property
    def predictions(self) -> NDArray[np.intp]:
        """[N] class indices."""
        return np.asarray(self.logits[:, : len(CLASSES)].argmax(axis=1))

    @property
    def tb_tenths(self) -> NDArray[np.int64]:
        """[N] printed TB scores in tenths of a point."""
        return printed_scores(self.logits, self.rule)[0]

    @property
    def probabilities(self) -> NDArray[np.float64]:
        """[N, 4], calibrated."""
        return calibrated_probabilities(self.logits, self.rule.temperature)


@dataclass(frozen=True, kw_only=True)
class MeasuredFilms:
    """The films of one split and input type, and one or more models' words on them.

    Several models (the same training from several seeds) give figures that are means over them.
    """

    split: str
    input_type: str
    examples: tuple[Example, ...]
    models: tuple[ModelScores, ...]

    @property
    def labels(self) -> NDArray[np.int64]:
        """[N] class indices."""
        return np.array([example.label for example in self.examples], dtype=np.int64)

    @property
    def sources(self) -> NDArray[np.str_]:
        """[N] names of sources."""
        return np.array([example.source for example in self.examples], dtype=np.str_)

    @property
    def groups(self) -> list[str]:
        """[N] patients."""
        return [example.group for example in self.examples]

    def only(self, chosen: NDArray[np.bool_]) -> MeasuredFilms:
        """Return the chosen films."""
        return MeasuredFilms(
            split=self.split,
            input_type=self.input_type,
            examples=tuple(e for e, keep in zip(self.examples, chosen, strict=True) if keep),
            models=tuple(model.only(chosen) for model in self.models),
        )


def measure(films: MeasuredFilms) -> Iterator[Metric]:
    """Yield every figure these films define, the overall ones first."""
    if not films.examples:
        return
    yield from measure_classes(films)
    adults = films.only(may_be_adult(films.examples))
    yield from measure_tb(adults)
    for source in sorted(set(films.sources)):
        yield from measure_source(films.only(films.sources == source), source or "unknown")


def measure_classes(films: MeasuredFilms) -> Iterator[Metric]:
    """Yield accuracy, F1, precision, recall, AUROC and calibration error over all films."""
    weights = group_weights(films.groups)
    labels = films.labels
    matrices = [confusions(labels, model.predictions, weights) for model in films.models]
    yield _proportion(films, ALL, "accuracy", "", [m.predictions == labels for m in films.models])
    if len(set(labels)) > 1:
        yield from _resampled(films, ALL, "macro_f1", "", map(macro_f1_values, matrices))
        yield from _resampled(films, ALL, "weighted_f1", "", map(weighted_f1_values, matrices))
    errors = [_calibration_error(model, labels, weights) for model in films.models]
    yield from _resampled(films, ALL, "ece", "", errors, centred=True)
    for index, name in enumerate(CLASSES):
        is_class = labels == index
        if not is_class.any():
            continue
        calls = [model.predictions == index for model in films.models]
        yield _proportion(films, ALL, "recall", name, calls, among=[is_class] * len(calls))
        if all(call.any() for call in calls):
            hits = [is_class] * len(calls)
            yield _proportion(films, ALL, "precision", name, hits, among=calls)
        f1 = [f1_values(matrix)[:, index] for matrix in matrices]
        yield from _resampled(films, ALL, "f1", name, f1)
        areas = [
            auroc_values(model.probabilities[:, index], is_class, weights) for model in films.models
        ]
        yield from _resampled(films, ALL, "auroc", name, areas)


def measure_tb(adults: MeasuredFilms) -> Iterator[Metric]:
    """Yield TB's AUROC, sensitivity and specificity against normals, other disease, and both."""
    is_tb = adults.labels == _TB
    name = CLASSES[_TB]
    is_normal = adults.labels == _NORMAL
    kinds = (is_tb | is_normal, ~is_normal, is_tb | True)
    for population, kept in zip(POPULATIONS, kinds, strict=True):
        part = adults.only(kept)
        truth = is_tb[kept]
        if not len(truth):
            continue
        weights = group_weights(part.groups)
        areas = [auroc_values(model.tb_tenths, truth, weights) for model in part.models]
        yield from _resampled(part, population, "auroc", name, areas)
        yield from _at_operating_point(part, population, truth)


def _at_operating_point(
    part: MeasuredFilms, population: str, truth: NDArray[np.bool_]
) -> Iterator[Metric]:
    called = [call for call in map(referred, part.models) if call is not None]
    if len(called) < len(part.models):
        return
    for figure, wanted in (("sensitivity", truth), ("specificity", ~truth)):
        if wanted.any():
            right = [call == truth for call in called]
            among = [wanted] * len(called)
            yield _proportion(part, population, figure, CLASSES[_TB], right, among=among)
    if (~truth).any():
        passed = [model.predictions != _TB for model in part.models]
        among = [~truth] * len(passed)
        yield _proportion(part, population, CEILING, CLASSES[_TB], passed, among=among)


def referred(model: ModelScores) -> NDArray[np.bool_] | None:
    """Say which films are called TB: by threshold, or because it is the likeliest class."""
    if model.tb_threshold is None:
        return None
    return is_referred(model.tb_tenths, model.predictions == _TB, model.tb_threshold)


def measure_source(part: MeasuredFilms, source: str) -> Iterator[Metric]:
    """Yield one source's accuracy, calibration error, TB figures and disease-normal AUROCs."""
    labels = part.labels
    yield _proportion(part, source, "accuracy", "", [m.predictions == labels for m in part.models])
    if len(labels) >= FEWEST_FOR_CALIBRATION:
        weights = group_weights(part.groups)
        errors = [_calibration_error(model, labels, weights) for model in part.models]
        yield from _resampled(part, source, "ece", "", errors, centred=True)
    if may_be_adult(part.examples).all():
        yield from _at_operating_point(part, source, labels == _TB)
    normal = labels == _NORMAL
    for index, name in enumerate(CLASSES):
        ill = labels == index
        if index == _NORMAL or min(ill.sum(), normal.sum()) < FEWEST_OF_A_PAIR:
            continue
        pair = part.only(ill | normal)
        weights = group_weights(pair.groups)
        areas = [
            auroc_values(_pair_score(model, index), pair.labels == index, weights)
            for model in pair.models
        ]
        yield from _resampled(pair, source, "pair_auroc", name, areas)


def _pair_score(model: ModelScores, index: int) -> NDArray[np.float64]:
    """Return TB's printed score, or how far another class's logit lies above that of normal."""
    if index == _TB:
        return model.tb_tenths.astype(np.float64)
    rounded = np.round(model.logits.astype(np.float64), 4)
    return np.asarray(rounded[:, index] - rounded[:, _NORMAL])


def _calibration_error(model: ModelScores, labels: NDArray[np.int64], weights: Weights) -> Values:
    probabilities = model.probabilities
    hits = probabilities.argmax(axis=1) == labels
    return calibration_error_values(probabilities.max(axis=1), hits, weights)


def _resampled(
    films: MeasuredFilms,
    source: str,
    name: str,
    class_name: str,
    values: Iterable[Values],
    *,
    centred: bool = False,
) -> Iterator[Metric]:
    mean = np.mean(np.stack(list(values)), axis=0)
    estimate = interval_of(mean, centred=centred)
    if estimate is not None:
        yield _metric(films, source, name, class_name, estimate)


def _proportion(
    films: MeasuredFilms,
    source: str,
    name: str,
    class_name: str,
    hits: Sequence[NDArray[np.bool_]],
    *,
    among: Sequence[NDArray[np.bool_]] | None = None,
) -> Metric:
    """Count `hits` [N] of each model `among` films [N] (default: all), with Wilson's interval.

    Several models are averaged, never pooled: they saw the same films.
    """
    trials = among or [np.ones(len(films.examples), dtype=np.bool_)] * len(hits)
    pairs = list(zip(hits, trials, strict=True))
    share = float(np.mean([(hit & trial).sum() / trial.sum() for hit, trial in pairs]))
    n = round(float(np.mean([trial.sum() for trial in trials])))
    wilson = wilson_interval(round(share * n), n)
    estimate = Interval(value=share, low=min(share, wilson.low), high=max(share, wilson.high))
    return replace(_metric(films.only(trials[0]), source, name, class_name, estimate), n=n)


def _metric(
    films: MeasuredFilms, source: str, name: str, class_name: str, estimate: Interval
) -> Metric:
    return Metric(
        split=films.split,
        source=source,
        input_type=films.input_type,
        name=name,
        class_name=class_name,
        estimate=estimate,
        n=len(films.examples),
        groups=len(set(films.groups)),
    )
