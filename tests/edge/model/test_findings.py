"""Printed numbers: they sum to one, round half to even, and equal their vectorised twins."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_infer.errors import ModelError
from edge_infer.model.findings import (
    LEAST_PROBABILITY,
    calibrated_probabilities,
    printed_scores,
    to_finding,
)
from edge_infer.model.model_card import CLASSES, Referral, ScoreRule
from edge_infer.model.model_file import load_model_file

CARD = replace(load_model_file(Path(__file__).with_name("tiny.onnx")).card, temperature=1.0)
NO_REFERRAL = Referral(statement="", head=0.0, tuberculosis=1.0, abnormal=0.0, offset=0.0)
WEIGHTS = st.floats(0, 4)
REFERRALS = st.builds(
    Referral,
    statement=st.just(""),
    head=st.floats(0.01, 4),
    tuberculosis=WEIGHTS,
    abnormal=WEIGHTS,
    offset=st.floats(-4, 4),
)
LOGITS = st.lists(st.floats(-60, 60, width=32), min_size=4, max_size=4)


def logits_of(*probabilities: float) -> np.ndarray:
    return np.log(np.array(probabilities, dtype=np.float64))


@given(LOGITS, st.floats(0.1, 8))
def test_units_sum_and_twins_agree(values: list[float], temperature: float) -> None:
    card = replace(CARD, temperature=temperature)
    logits = np.array(values, dtype=np.float32)
    finding = to_finding(logits, card)
    assert sum(finding.units) == 10_000 and min(finding.units) >= 0
    assert sum(finding.probabilities) == Decimal(1)
    tb, abnormal = printed_scores(logits[None], card.score_rule)
    assert (int(tb[0]), int(abnormal[0])) == (finding.tb_tenths, finding.abnormal_tenths)
    exact = calibrated_probabilities(logits[None], temperature)[0] * 10_000
    assert np.abs(np.array(finding.units) - exact).max() < 1
    assert finding.units[CLASSES.index(finding.prediction)] == max(finding.units)


@given(LOGITS, st.integers(0, 3), st.floats(0, 20), st.floats(0.1, 8))
def test_a_larger_logit_never_prints_less_of_its_class(
    values: list[float], index: int, more: float, temperature: float
) -> None:
    card = replace(CARD, temperature=temperature)
    logits = np.array(values)
    raised = logits.copy()
    raised[index] += more
    before, after = to_finding(logits, card), to_finding(raised, card)
    assert after.units[index] >= before.units[index]
    if index == CLASSES.index("tuberculosis"):
        assert after.tb_tenths >= before.tb_tenths
    if index == CLASSES.index("normal"):
        assert after.abnormal_tenths <= before.abnormal_tenths


@pytest.mark.parametrize(
    ("p_tb", "score"),
    [
        (0.1234, "12.3"),
        (0.1235, "12.4"),  # 12.35 lies half way: 12.4 is even
        (0.1225, "12.2"),  # 12.25 lies half way: 12.2 is even
        (0.1226, "12.3"),
        (0.0005, "0.0"),
        (0.9995, "100.0"),
    ],
)
def test_scores_round_half_to_even(p_tb: float, score: str) -> None:
    rest = 1 - p_tb
    finding = to_finding(logits_of(rest / 2, rest / 4, rest / 4, p_tb), CARD)
    # Rounding logits to 1e-4 moves a probability by less than half a unit here.
    assert finding.units[3] == round(p_tb * 10_000)
    assert finding.tb_score == Decimal(score)


def test_largest_remainder_by_hand() -> None:
    # Thirds: 3333.33 each leaves one unit, which goes to the first of equals.
    finding = to_finding(np.array([1.0, 1.0, 1.0, -60.0]), CARD)
    assert finding.units == (3334, 3333, 3333, 0)


def test_of_equal_classes_the_more_urgent_is_predicted() -> None:
    assert to_finding(np.zeros(4, dtype=np.float32), CARD).prediction == "tuberculosis"
    assert to_finding(np.array([1.0, 1.0, 0.0, -9.0]), CARD).prediction == "pneumonia"
    # By hand: 3189.45, 3189.45, 3189.45 and 431.65 leave two units, the second for the first of
    # equals: the printed numbers differ, so no tie is left to break.
    finding = to_finding(np.array([2.0, 2.0, 2.0, 0.0]), CARD)
    assert finding.units == (3190, 3189, 3189, 432)
    assert finding.prediction == "normal"


def test_logits_that_differ_below_the_rounding_print_alike() -> None:
    one = np.array([1.0, 0.5, -0.25, 0.125], dtype=np.float32)
    assert to_finding(one, CARD) == to_finding(one + np.float32(2e-5), CARD)


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), float("-inf")])
def test_a_number_that_means_nothing_is_an_error(bad: float) -> None:
    with pytest.raises(ModelError, match="not a number"):
        to_finding(np.array([0, 0, 0, bad], dtype=np.float32), CARD)


@given(LOGITS, st.floats(-30, 30, width=32), REFERRALS, st.floats(0.1, 8))
def test_a_referral_score_is_the_formula_of_its_card(
    values: list[float], head: float, referral: Referral, temperature: float
) -> None:
    card = replace(CARD, temperature=temperature, referral=referral)
    logits = np.array([*values, head], dtype=np.float32)
    finding = to_finding(logits, card)
    shares = calibrated_probabilities(logits[None], temperature)[0]
    shares = shares.clip(LEAST_PROBABILITY, 1 - LEAST_PROBABILITY)
    p_tb, p_normal = shares[3], shares[0]
    z = (
        referral.head * round(float(logits[4]), 4)
        + referral.tuberculosis * np.log(p_tb / (1 - p_tb))
        + referral.abnormal * np.log((1 - p_normal) / p_normal)
        + referral.offset
    )
    assert abs(float(finding.tb_score) - 100 / (1 + np.exp(-z))) <= 0.051
    # What the score is made of changes nothing else.
    plain = to_finding(logits[:4], replace(card, referral=None))
    assert replace(finding, tb_tenths=plain.tb_tenths) == plain


@given(LOGITS, st.floats(-30, 30), REFERRALS, st.sampled_from([0, 3, 4]), st.floats(0, 9))
def test_more_of_a_term_never_lowers_a_referral_score(
    values: list[float], head: float, referral: Referral, index: int, more: float
) -> None:
    logits = np.array([*values, head])
    raised = logits.copy()
    raised[index] += more if index else -more
    (before, after), _ = printed_scores(
        np.stack([logits, raised]), ScoreRule(temperature=1.5, referral=referral)
    )
    assert after >= before


@given(LOGITS, st.floats(0.1, 8))
def test_a_block_with_the_weight_of_tuberculosis_alone_changes_nothing(
    values: list[float], temperature: float
) -> None:
    logits = np.array(values, dtype=np.float32)
    card = replace(CARD, temperature=temperature)
    assert to_finding(logits, replace(card, referral=NO_REFERRAL)) == to_finding(logits, card)


def test_a_referral_score_by_hand() -> None:
    referral = replace(NO_REFERRAL, head=0.5, tuberculosis=0.25, abnormal=0.75, offset=-0.5)
    logits = np.append(logits_of(0.4, 0.2, 0.2, 0.2), 1.0)
    # 0.5 + 0.25 log(0.2 / 0.8) + 0.75 log(0.6 / 0.4) - 0.5 = -0.0425: 48.94 points.
    assert to_finding(logits, replace(CARD, referral=referral)).tb_score == Decimal("48.9")
    # z = 0 lies half way between no two tenths, z a hair above 500.5 tenths prints the even one.
    tie = replace(NO_REFERRAL, head=1.0, tuberculosis=0.0)
    logits[4] = 0.0
    assert to_finding(logits, replace(CARD, referral=tie)).tb_score == Decimal("50.0")
    half = replace(tie, offset=float(np.log(0.5005 / 0.4995)))
    for nudge in (-1e-14, 0.0, 1e-14):
        nudged = replace(half, offset=half.offset + nudge)
        assert to_finding(logits, replace(CARD, referral=nudged)).tb_score == Decimal("50.0")


def test_films_far_from_all_else_do_not_overflow() -> None:
    referral = replace(NO_REFERRAL, head=100.0, tuberculosis=100.0, abnormal=100.0)
    card = replace(CARD, referral=referral)
    for sign, score in ((1, "100.0"), (-1, "0.0")):
        logits = sign * np.array([-1e4, 0.0, 0.0, 1e4, 1e4])
        assert to_finding(logits, card).tb_score == Decimal(score)


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_referral_logit_that_means_nothing_is_an_error(bad: float) -> None:
    logits = np.array([0, 0, 0, 0, bad], dtype=np.float32)
    with pytest.raises(ModelError, match="not a number"):
        to_finding(logits, replace(CARD, referral=replace(NO_REFERRAL, head=1.0)))
