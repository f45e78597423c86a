"""The card inside every model file: what the model is, what it was shown to do, how to use it."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any, NoReturn

from edge_infer.errors import ModelError
from edge_infer.model.card_json import from_plain, to_plain
from edge_infer.model.gate import Gate, is_gate

CLASSES = ("normal", "pneumonia", "covid19", "tuberculosis")
CARD_KEY = "cxr.model_card"
SCHEMA_MAJOR, SCHEMA_MINOR = 1, 4
REFERRAL = "referral"
"""The output that follows those of CLASSES in networks that have it: one logit, one map."""
HISTOGRAM_BINS = 200
_LARGEST_CARD = 1 << 20
_LARGEST_WEIGHT = 100.0
_LARGEST_LOGIT = 1000.0
_OLDEST = 150
_MOST_FILMS = 10**9


@dataclass(frozen=True, kw_only=True)
class Interval:
    """An estimate with its 95 % interval, all in 0..1."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, kw_only=True)
class InputSpec:
    """The network's input: uint8 [N, 1, height, width], grey, bones bright."""

    height: int
    width: int
    preprocessing_version: int


@dataclass(frozen=True, kw_only=True)
class HospitalPoint:
    """What a TB threshold does to the films of one hospital, TB against normal."""

    source: str
    own_threshold: float
    """The highest, in score points, that reaches the target here."""
    sensitivity: Interval
    """At the model's threshold, as `specificity`."""
    specificity: Interval
    n_positive: int
    n_negative: int
    n_groups: int


@dataclass(frozen=True, kw_only=True)
class OperatingPoint:
    """One threshold: a printed score at or above it takes the decision.

    Sensitivity and specificity count films as the worklist decides: for refer_tb a film whose
    likeliest class is tuberculosis too.
    """

    threshold: float
    """In score points 0..100, a multiple of 0.1."""
    target_sensitivity: float
    sensitivity: Interval
    specificity: Interval
    n_positive: int
    n_negative: int
    n_groups: int
    population: str
    """Which films it was chosen on, in words."""
    hospitals: tuple[HospitalPoint, ...] = ()
    """Those that the target was to be reached in, each alone."""

    @property
    def tenths(self) -> int:
        """The threshold in tenths of a point, for exact comparison with printed scores."""
        return round(self.threshold * 10)


@dataclass(frozen=True, kw_only=True)
class OperatingPoints:
    """The thresholds of the decisions; `tb_score` for refer_tb, 100 (1 - p_normal) for abnormal."""

    refer_tb: OperatingPoint
    abnormal: OperatingPoint


@dataclass(frozen=True, kw_only=True)
class ConformalClass:
    """One class of the uncertain band."""

    class_name: str
    threshold_units: int
    """In ten-thousandths: a printed probability at or above it puts the class in a film's set."""
    n: int
    """Validation films of the class that chose it."""
    groups: int
    coverage: Interval
    """Share of the class's new films whose set holds it: mean and 95 % range over choices of the
    validation films."""


@dataclass(frozen=True, kw_only=True)
class UncertainBand:
    """Films whose set of possible classes is not exactly one are undecided."""

    method: str
    alpha: float
    """Share of a class's films whose set may lack it."""
    population: str
    """Which films the thresholds were chosen on, in words."""
    classes: tuple[ConformalClass, ...]
    fingerprint: str
    """Of those films."""


@dataclass(frozen=True, kw_only=True)
class ScoreHistogram:
    """Validation films of one class counted over 200 equal bins of each score, 0..100 points."""

    class_name: str
    tb_score: tuple[int, ...]
    abnormal_score: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class Metric:
    """One measured figure."""

    split: str
    source: str
    """`all`, or one source of the data."""
    input_type: str
    """`raster` or `dicom`: what kind of file the figure was measured on."""
    name: str
    """accuracy, macro_f1, f1, recall, precision, auroc."""
    class_name: str
    """Empty for figures over all classes."""
    estimate: Interval
    n: int
    groups: int


@dataclass(frozen=True, kw_only=True)
class Quantization:
    """How the weights became INT8 and what that changed on the validation films."""

    method: str
    calibration_images: int
    exempt_nodes: tuple[str, ...]
    int8_convolutions: int
    fp32_convolutions: int
    largest_logit_difference: float
    mean_logit_difference: float
    class_agreement: float
    macro_f1_drop: float
    tb_missed_more: int


@dataclass(frozen=True, kw_only=True)
class SelfTest:
    """Logits this model gave at export for inputs from `edge_infer.model.self_test`."""

    formula: str
    logits: tuple[tuple[float, ...], ...]
    """[k][4] in order of CLASSES, whatever that of `classes`, which is so tested too; then the
    referral logit where there is one."""
    tolerance: float


@dataclass(frozen=True, kw_only=True)
class Referral:
    """What the TB score is made of, where it is not the calibrated probability of tuberculosis.

    It is 100 / (1 + exp(-z)), z = head * r + tuberculosis * logit(p_tuberculosis)
    + abnormal * logit(1 - p_normal) + offset, where r is the referral logit. No weight is negative:
    more of any term never lowers the score.
    """

    statement: str
    """In words: what the score is, and on which films the weights were chosen."""
    head: float
    """Weight of the graph's fifth output; 0 where it has four."""
    tuberculosis: float
    abnormal: float
    offset: float
    map: str = "tuberculosis"
    """Whose class activation map is shown of a referred film: `tuberculosis` or `referral`."""

    @property
    def is_probability(self) -> bool:
        """Whether the score is what it is without this block."""
        weights = (self.head, self.tuberculosis, self.abnormal, self.offset)
        return weights == (0, 1, 0, 0)

    @property
    def uses_output(self) -> bool:
        """Whether score or map need the graph's fifth output."""
        return self.head > 0 or self.map == REFERRAL


@dataclass(frozen=True, kw_only=True)
class ScoreRule:
    """How logits become the printed scores."""

    temperature: float
    referral: Referral | None = None
    """None: the TB score is 100 times the calibrated probability of tuberculosis."""


@dataclass(frozen=True, kw_only=True)
class ModelCard:
    """Everything a model file says about itself (schema major.minor)."""

    schema: str
    name: str
    version: str
    classes: tuple[str, ...]
    """In output order."""
    input: InputSpec
    temperature: float
    operating_points: OperatingPoints
    histograms: tuple[ScoreHistogram, ...]
    metrics: tuple[Metric, ...]
    data_fingerprint: str
    data_statement: str
    """Sources and what their licences allow."""
    recipe: str
    git_revision: str
    quantization: Quantization
    modalities: tuple[str, ...]
    views: tuple[str, ...]
    min_age_years: int
    intended_use: str
    self_test: SelfTest
    model_sha256: str
    """Of the model file without its card."""
    gate: Gate | None = None
    """Which pictures are no upright frontal chest film; None: nobody looks."""
    uncertain: UncertainBand | None = None
    """Which films the model cannot decide; None: no film is called uncertain."""
    referral: Referral | None = None
    """What the TB score is made of; None: it is 100 times p_tuberculosis."""
    lung_head: str = ""
    """What a head that weighs places by how likely they are lung learnt from, in words; empty:
    every logit is the mean of its map over the whole film."""

    @property
    def schema_minor(self) -> int:
        """The second number of the schema."""
        return int(self.schema.partition(".")[2])

    @property
    def score_rule(self) -> ScoreRule:
        """How this model's logits become scores."""
        return ScoreRule(temperature=self.temperature, referral=self.referral)

    def to_json(self) -> str:
        """Return the card as readable ASCII JSON with sorted keys."""
        return json.dumps(to_plain(self), sort_keys=True, allow_nan=False)

    @classmethod
    def from_json(cls, text: str) -> ModelCard:
        """Read and check a card; ModelError names what is wrong and what to do next."""
        if len(text) > _LARGEST_CARD:
            raise ModelError("The model card is larger than 1 MiB: re-export with cxr-export.")
        try:
            plain = json.loads(text, parse_constant=_refuse_constant)
        except (ValueError, RecursionError) as error:
            raise ModelError("The model card is damaged: copy the model file again.") from error
        _check_schema(plain)
        card = from_plain(cls, plain)
        _check_values(card)
        return card


def _refuse_constant(name: str) -> NoReturn:
    """Refuse what Python's JSON adds: an infinite tolerance would switch the self-test off."""
    raise ValueError(f"{name} is not JSON")


def _check_schema(plain: Any) -> None:
    schema = plain.get("schema") if isinstance(plain, dict) else None
    if not isinstance(schema, str) or not re.fullmatch(rf"{SCHEMA_MAJOR}\.[0-9]{{1,4}}", schema):
        raise ModelError(
            f"The model card has schema {schema}, this program reads {SCHEMA_MAJOR}.x: "
            "install the cxr-edge version the model was exported with, or re-export it."
        )


def _check_values(card: ModelCard) -> None:
    rules = [
        (sorted(card.classes) == sorted(CLASSES), "classes"),
        (0.01 <= card.temperature <= 100, "temperature"),
        (32 <= card.input.height <= 1024 and 32 <= card.input.width <= 1024, "input"),
        (_are_points(card.operating_points), "operating_points"),
        (_are_histograms(card.histograms), "histograms"),
        (all(_is_metric(metric) for metric in card.metrics), "metrics"),
        (card.uncertain is None or _is_band(card.uncertain), "uncertain"),
        (card.referral is None or _is_referral(card.referral), "referral"),
        (card.gate is None or is_gate(card.gate, len(card.self_test.logits)), "gate"),
        (_is_quantization(card.quantization), "quantization"),
        (0 <= card.min_age_years <= _OLDEST, "min_age_years"),
        (_are_self_test_logits(card), "self_test.logits"),
        (bool(card.self_test.logits) and 0 < card.self_test.tolerance <= 1, "self_test"),
    ]
    for holds, key in rules:
        if not holds:
            raise ModelError(
                f"The model card's '{key}' is impossible: re-export the model with cxr-export."
            )


def _are_points(points: OperatingPoints) -> bool:
    return all(map(_is_point, (points.refer_tb, points.abnormal)))


def _is_point(point: OperatingPoint) -> bool:
    places: tuple[OperatingPoint | HospitalPoint, ...] = (point, *point.hospitals)
    return (
        0 < point.target_sensitivity <= 1
        and all(map(_is_threshold, _thresholds(point)))
        and all(
            _are_shares(one.sensitivity, one.specificity)
            and _are_counts(one.n_positive, one.n_negative, one.n_groups)
            for one in places
        )
    )


def _thresholds(point: OperatingPoint) -> list[float]:
    return [point.threshold, *(one.own_threshold for one in point.hospitals)]


def _is_threshold(points: float) -> bool:
    return 0 <= points <= 100 and abs(points * 10 - round(points * 10)) < 1e-6


def _are_shares(*intervals: Interval) -> bool:
    return all(0 <= one.low <= one.high <= 1 and 0 <= one.value <= 1 for one in intervals)


def _are_counts(*numbers: int) -> bool:
    return all(0 <= number <= _MOST_FILMS for number in numbers)


def _is_metric(metric: Metric) -> bool:
    return (
        metric.class_name in ("", *CLASSES)
        and _are_shares(metric.estimate)
        and _are_counts(metric.n, metric.groups)
    )


def _is_quantization(facts: Quantization) -> bool:
    differences = (facts.largest_logit_difference, facts.mean_logit_difference)
    return (
        _are_counts(facts.calibration_images, facts.int8_convolutions, facts.fp32_convolutions)
        and all(0 <= difference <= _LARGEST_LOGIT for difference in differences)
        and 0 <= facts.class_agreement <= 1
        and -1 <= facts.macro_f1_drop <= 1
        and abs(facts.tb_missed_more) <= _MOST_FILMS
    )


def _is_band(band: UncertainBand) -> bool:
    """Whether each class has one possible threshold."""
    return (
        sorted(one.class_name for one in band.classes) == sorted(CLASSES)
        and 0 < band.alpha < 1
        and all(
            0 <= one.threshold_units <= 10_000
            and _are_counts(one.n, one.groups)
            and _are_shares(one.coverage)
            for one in band.classes
        )
    )


def _is_referral(referral: Referral) -> bool:
    """Whether the weights, of which a large one could overflow, make a score that rises."""
    weights = (referral.head, referral.tuberculosis, referral.abnormal)
    return (
        all(0 <= weight <= _LARGEST_WEIGHT for weight in weights)
        and any(weights)
        and abs(referral.offset) <= _LARGEST_WEIGHT
        and referral.map in ("tuberculosis", REFERRAL)
    )


def _are_self_test_logits(card: ModelCard) -> bool:
    """Whether all rows have as many logits as this card's graph may have outputs."""
    rows = card.self_test.logits
    if any(abs(logit) > _LARGEST_LOGIT for row in rows for logit in row):
        return False
    widths = {len(row) for row in rows}
    if card.referral is None:
        return widths <= {len(CLASSES)}
    fewest = len(CLASSES) + card.referral.uses_output
    return len(widths) <= 1 and all(fewest <= width <= len(CLASSES) + 1 for width in widths)


def _are_histograms(histograms: tuple[ScoreHistogram, ...]) -> bool:
    """Whether each class has one, with a count in every bin."""
    counts = [scores for each in histograms for scores in (each.tb_score, each.abnormal_score)]
    return sorted(each.class_name for each in histograms) == sorted(CLASSES) and all(
        len(scores) == HISTOGRAM_BINS and min(scores) >= 0 for scores in counts
    )
