"""Why a film was decided as it was, in words; the numbers are those that were compared."""

from __future__ import annotations

from edge_infer.model.gate import is_doubt
from edge_infer.model.model_card import CLASSES
from edge_infer.words.form import PageWords
from edge_infer.words.sentences import translate
from edge_infer.worklist.rows import Decision, ScreenedDay, WorklistRow, possible_classes


def explain_decision(row: WorklistRow, day: ScreenedDay, words: PageWords) -> str:
    """Return the sentences for a screened film, plain text; '' for one that was not screened."""
    if row.finding is None or row.decision is None:
        return ""
    beside = translate(row.reason, day.lang) or row.reason
    if is_doubt(row.reason_code):
        return beside
    says = _explain(row, day, words)
    return f"{beside} {says}" if beside else says


def _explain(row: WorklistRow, day: ScreenedDay, words: PageWords) -> str:
    if row.decision is Decision.REFER_TB:
        return _explain_referral(row, day, words)
    if row.decision is Decision.ABNORMAL:
        return _explain_abnormal(row, day, words)
    if row.decision is Decision.UNCERTAIN:
        return _explain_uncertain(row, day, words)
    points = day.card.operating_points
    return words.why.clear.format(
        tb=f"{points.refer_tb.threshold:.1f}", abnormal=f"{points.abnormal.threshold:.1f}"
    )


def _explain_referral(row: WorklistRow, day: ScreenedDay, words: PageWords) -> str:
    assert row.finding is not None, "it was screened"
    point, why = day.card.operating_points.refer_tb, words.why
    threshold = f"{point.threshold:.1f}"
    if row.finding.tb_tenths < point.tenths:
        return why.tb_likeliest.format(threshold=threshold)
    reached = why.tb_reached if day.site is None else why.tb_reached_here
    says = reached.format(threshold=threshold)
    is_plain = row.finding.prediction == "tuberculosis"
    return says if is_plain else f"{says} {why.score_decides}"


def _explain_abnormal(row: WorklistRow, day: ScreenedDay, words: PageWords) -> str:
    assert row.finding is not None, "it was screened"
    point, why = day.card.operating_points.abnormal, words.why
    is_reached = row.finding.abnormal_tenths >= point.tenths
    says = (why.abnormal_reached if is_reached else why.abnormal_likeliest).format(
        score=f"{row.finding.abnormal_tenths / 10:.1f}", threshold=f"{point.threshold:.1f}"
    )
    return f"{says} {why.score_decides}" if row.finding.prediction == "normal" else says


def _explain_uncertain(row: WorklistRow, day: ScreenedDay, words: PageWords) -> str:
    assert row.finding is not None, "it was screened"
    possible = possible_classes(row.finding, day.card.uncertain) if day.card.uncertain else set()
    names = [words.classes[name] for name in CLASSES if name in possible and name != "normal"]
    if not names:
        return words.why.uncertain_none
    return words.why.uncertain.format(classes=", ".join(names))
