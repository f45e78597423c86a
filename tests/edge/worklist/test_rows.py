"""The decision, the order, the counts and the exit code of a worklist."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_infer.errors import ReasonCode
from edge_infer.films.study import InputType, StudyInfo
from edge_infer.model.gate import Remark
from edge_infer.worklist.rows import (
    ORDER,
    Decision,
    Status,
    WorklistRow,
    count_decisions,
    count_reasons,
    decide,
    exit_code,
    in_order,
    screened_row,
)
from tests.edge.made_day import make_band, make_card, make_finding, refused, screened

THRESHOLDS = make_card(refer_tb=40.0, abnormal=50.0)


@pytest.mark.parametrize(
    ("prediction", "tb_tenths", "abnormal_tenths", "decision"),
    [
        ("normal", 0, 0, Decision.CLEAR),
        ("normal", 399, 499, Decision.CLEAR),
        ("normal", 0, 500, Decision.ABNORMAL),
        ("normal", 400, 499, Decision.REFER_TB),
        ("normal", 400, 500, Decision.REFER_TB),
        ("pneumonia", 0, 0, Decision.ABNORMAL),
        ("covid19", 399, 0, Decision.ABNORMAL),
        ("covid19", 400, 0, Decision.REFER_TB),
        ("tuberculosis", 0, 0, Decision.REFER_TB),
    ],
)
def test_decisions_compare_printed_tenths(
    prediction: str, tb_tenths: int, abnormal_tenths: int, decision: Decision
) -> None:
    finding = make_finding(prediction, tb_tenths=tb_tenths, abnormal_tenths=abnormal_tenths)
    assert decide(finding, THRESHOLDS) is decision


def test_a_threshold_that_binary_cannot_hold_is_met_by_its_own_print() -> None:
    points = make_card(refer_tb=35.3, abnormal=50.0)
    assert decide(make_finding("normal", tb_tenths=353), points) is Decision.REFER_TB
    assert decide(make_finding("normal", tb_tenths=352), points) is Decision.CLEAR


@pytest.mark.parametrize(
    ("tb_tenths", "thresholds", "decision"),
    [
        (20, {"normal": 5_000}, Decision.CLEAR),
        (20, {"normal": 5_000, "tuberculosis": 200}, Decision.UNCERTAIN),
        (20, {"normal": 5_000, "tuberculosis": 201}, Decision.CLEAR),
        (20, {}, Decision.UNCERTAIN),  # not even normal is possible
        (400, {"normal": 5_000, "tuberculosis": 200}, Decision.REFER_TB),
    ],
)
def test_a_film_that_may_be_something_else_is_uncertain_and_never_clear(
    tb_tenths: int, thresholds: dict[str, int], decision: Decision
) -> None:
    card = replace(THRESHOLDS, uncertain=make_band(**thresholds))
    assert decide(make_finding("normal", tb_tenths=tb_tenths), card) is decision


def test_rows_say_why_there_is_no_score() -> None:
    lateral, cut = refused("a", ReasonCode.LATERAL_VIEW), refused("b", ReasonCode.TRUNCATED)
    assert lateral.status is Status.UNSUPPORTED
    assert cut.status is Status.UNREADABLE
    assert cut.reason == "Why b <has> no score." and cut.reason_code is ReasonCode.TRUNCATED
    assert cut.decision is None and cut.finding is None


def test_the_order_is_the_contract_s() -> None:
    rows = [
        screened("calm.png"),
        screened("z.png", tb_tenths=100),
        refused("cut.png"),
        screened("lung.png", "pneumonia", tb_tenths=300),
        screened("b.png", "tuberculosis", tb_tenths=410),
        screened("\U0001f600.png", "tuberculosis", tb_tenths=900),
        screened("\uff21.png", "tuberculosis", tb_tenths=900),
        screened("A.png", "tuberculosis", tb_tenths=900),
    ]
    # By code point: UTF-16 would put U+1F600 before U+FF21.
    assert [row.path for row in in_order(rows)] == [
        "A.png",
        "\uff21.png",
        "\U0001f600.png",
        "b.png",
        "lung.png",
        "cut.png",
        "z.png",
        "calm.png",
    ]


row_strategy = st.one_of(
    st.builds(
        screened,
        st.text(max_size=4),
        st.sampled_from(["normal", "pneumonia", "covid19", "tuberculosis"]),
        tb_tenths=st.integers(0, 1000),
    ),
    st.builds(refused, st.text(max_size=4), st.sampled_from(list(ReasonCode))),
)
rows_strategy = st.lists(row_strategy, max_size=12, unique_by=lambda row: row.path)


@given(rows_strategy, st.randoms())
def test_the_order_is_total_and_loses_nothing(rows: list[WorklistRow], random: object) -> None:
    ordered = in_order(rows)
    shuffled = rows.copy()
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert in_order(shuffled) == ordered
    assert sorted(row.path for row in ordered) == sorted(row.path for row in rows)
    for first, second in pairwise(ordered):
        assert ORDER.index(first.decision) <= ORDER.index(second.decision)
        if first.decision is second.decision and first.finding and second.finding:
            assert first.finding.tb_tenths >= second.finding.tb_tenths


@given(rows_strategy)
def test_the_counts_add_up(rows: list[WorklistRow]) -> None:
    counts = count_decisions(rows)
    assert tuple(counts) == ORDER
    assert sum(counts.values()) == len(rows)
    assert sum(count_reasons(rows).values()) == counts[None]


def test_the_exit_code_is_derived_from_the_rows() -> None:
    assert exit_code([]) == 5
    assert exit_code([screened("a", "tuberculosis", tb_tenths=999)]) == 0
    assert exit_code([screened("a"), refused("b")]) == 4
    assert exit_code([screened("a")], ["locked"]) == 4


@pytest.mark.parametrize(
    ("code", "decision"),
    [
        (ReasonCode.LATERAL_PICTURE, Decision.UNCERTAIN),
        (ReasonCode.NOT_CHEST_PICTURE, Decision.UNCERTAIN),
        (ReasonCode.PUT_UPRIGHT, Decision.REFER_TB),
        (ReasonCode.GATE_OFF, Decision.REFER_TB),
    ],
)
def test_a_film_that_the_gate_doubts_is_uncertain_whatever_its_scores(
    code: ReasonCode, decision: Decision
) -> None:
    row = screened_row(
        "a.png",
        make_finding("tuberculosis", tb_tenths=990, abnormal_tenths=990),
        make_card(),
        study=StudyInfo(input_type=InputType.RASTER),
        thumbnail=b"",
        remark=Remark("Why.", code),
    )
    assert (row.status, row.decision) == (Status.SCREENED, decision)
    assert (row.reason, row.reason_code) == ("Why.", code)
    assert count_reasons([row]) == {} and exit_code([row]) == 0
