"""The card inside every model file: what the model is, what it was shown to do, how to use it."""

from __future__ import annotations

from dataclasses import dataclass

CLASSES = ("normal", "pneumonia", "covid19", "tuberculosis")
CARD_KEY = "cxr.model_card"
SCHEMA_MAJOR = 1
SCHEMA_MINOR = 0


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
class OperatingPoint:
    """One threshold: a printed score at or above it takes the decision."""

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


@dataclass(frozen=True, kw_only=True)
class OperatingPoints:
    """The thresholds of the decisions; `tb_score` for refer_tb, `1 - p_normal` for abnormal."""

    refer_tb: OperatingPoint
    abnormal: OperatingPoint
