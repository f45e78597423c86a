"""Why a film was decided as it was: the sentence fits the numbers that were compared."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from edge_infer.errors import ReasonCode
from edge_infer.page.html import words_in
from edge_infer.page.why import explain_decision
from edge_infer.pc.language import Lang
from edge_infer.worklist.rows import Decision, WorklistRow, decide
from tests.edge.made_day import make_band, make_card, make_day, make_finding, refused, screened

BETWEEN = {"prediction": "normal", "tb": 20, "abnormal": 20}


def explained(
    prediction: str, *, tb: int, abnormal: int, band: dict[str, int] | None = None
) -> tuple[Decision | None, str]:
    """Decide a film by thresholds of 40 and 50 and say why."""
    card = replace(make_card(), uncertain=make_band(**band) if band else None)
    finding = make_finding(prediction, tb_tenths=tb, abnormal_tenths=abnormal)
    row = replace(screened("a.dcm"), finding=finding, decision=decide(finding, card))
    day = replace(make_day([row]), card=card)
    return row.decision, explain_decision(row, day, words_in(Lang.EN))


@pytest.mark.parametrize(
    ("film", "decision", "says"),
    [
        (
            {"prediction": "tuberculosis", "tb": 931, "abnormal": 931},
            Decision.REFER_TB,
            "TB score at or above the model's threshold, 40.0.",
        ),
        (
            {"prediction": "normal", "tb": 400, "abnormal": 400},
            Decision.REFER_TB,
            "TB score at or above the model's threshold, 40.0. The score decides, whatever the "
            "likeliest class.",
        ),
        (
            {"prediction": "tuberculosis", "tb": 399, "abnormal": 900},
            Decision.REFER_TB,
            "Tuberculosis is the likeliest class, which refers whatever the score (threshold "
            "40.0).",
        ),
        (
            {"prediction": "pneumonia", "tb": 100, "abnormal": 960},
            Decision.ABNORMAL,
            "Abnormal score 96.0: at or above the threshold, 50.0.",
        ),
        (
            {"prediction": "normal", "tb": 100, "abnormal": 500},
            Decision.ABNORMAL,
            "Abnormal score 50.0: at or above the threshold, 50.0. The score decides, whatever "
            "the likeliest class.",
        ),
        (
            {"prediction": "pneumonia", "tb": 100, "abnormal": 499},
            Decision.ABNORMAL,
            "The likeliest class is not normal, though the abnormal score 49.9 is below the "
            "threshold, 50.0.",
        ),
        (
            {**BETWEEN, "band": {"normal": 5_000, "tuberculosis": 150}},
            Decision.UNCERTAIN,
            "Below both thresholds, but not ruled out: Tuberculosis.",
        ),
        (
            {"prediction": "normal", "tb": 20, "abnormal": 400, "band": {"normal": 9_999}},
            Decision.UNCERTAIN,
            "Below both thresholds, but the film fits no class.",
        ),
        (
            {"prediction": "normal", "tb": 20, "abnormal": 20},
            Decision.CLEAR,
            "Below both thresholds (TB 40.0, abnormal 50.0); normal is likeliest.",
        ),
    ],
)
def test_the_sentence_fits_the_decision(
    film: dict[str, Any], decision: Decision, says: str
) -> None:
    assert explained(**film) == (decision, says)


def test_a_file_without_a_score_has_its_reason_instead() -> None:
    row: WorklistRow = refused("a.dcm")
    assert explain_decision(row, make_day([row]), words_in(Lang.EN)) == ""


def test_a_doubt_of_the_gate_is_the_whole_why() -> None:
    doubtful = replace(
        screened("a.png", "tuberculosis", tb_tenths=900),
        decision=Decision.UNCERTAIN,
        reason="Doubtful, whatever the scores say (gate 30.0 of 100): The picture is upside down: "
        "turn it at the workstation and send it again.",
        reason_code=ReasonCode.UPSIDE_DOWN,
    )
    day = make_day([doubtful])
    assert explain_decision(doubtful, day, words_in(Lang.EN)) == doubtful.reason
    korean = explain_decision(doubtful, replace(day, lang=Lang.KO), words_in(Lang.KO))
    assert "30.0" in korean and "위아래가 뒤집혔습니다" in korean


def test_what_was_put_right_is_said_before_the_why() -> None:
    turned = replace(
        screened("a.png", "tuberculosis", tb_tenths=900),
        reason="The film was upside down and was turned before it was screened.",
        reason_code=ReasonCode.PUT_UPRIGHT,
    )
    says = explain_decision(turned, make_day([turned]), words_in(Lang.EN))
    assert says.startswith("The film was upside down") and "threshold, 40.0" in says
