"""The weights of the TB score: what is planted in made-up logits is found, by the written rule."""

from __future__ import annotations

import numpy as np
import pytest

from cxr_train.errors import DataError
from cxr_train.figures.measures import ModelScores
from cxr_train.figures.metrics import auroc
from cxr_train.figures.operating_point import TARGET_SENSITIVITY
from cxr_train.figures.referral import make_referral
from cxr_train.figures.referral_weights import (
    Choice,
    JudgedFilms,
    choose_referral_weights,
    describe_choice,
    judged,
    weight_grid,
)
from cxr_train.figures.tb_threshold import choose_tb_point
from edge_infer.model.findings import printed_scores
from edge_infer.model.model_card import CLASSES, ScoreRule
from tests.train.tiny_films import film

NORMAL, PNEUMONIA, _, TB = range(4)


def make(
    labels: list[int], source: str, *, head: float, tb: float, abnormal: float, seed: int
) -> JudgedFilms:
    """Make films whose terms tell TB from normal (and `tb` TB from others) by so many deviations.

    The referral logit and "not normal" rise for pneumonia as for TB.
    """
    random = np.random.default_rng(seed)
    truth = np.array(labels)
    ill, is_tb = truth != NORMAL, truth == TB
    logits = random.normal(0, 1, (len(labels), 5)).astype(np.float32)
    logits[:, NORMAL] += np.where(ill, -abnormal, abnormal)
    logits[:, TB] += np.where(is_tb, tb, -tb)
    logits[:, 4] += np.where(ill, head, -head)
    examples = [film(label, f"{source}{k}", source) for k, label in enumerate(labels)]
    return judged(source, logits, examples, None)


VAL_LABELS = [NORMAL] * 60 + [PNEUMONIA] * 60 + [TB] * 60


def choose(*, head: float, tb: float, abnormal: float) -> tuple[Choice, JudgedFilms]:
    val = make(VAL_LABELS, "Utopia", head=1, tb=3, abnormal=2, seed=0)
    folds = [
        make([NORMAL] * 50 + [TB] * 50, name, head=head, tb=tb, abnormal=abnormal, seed=k)
        for k, name in enumerate(("Sakha-TB", "Shenzhen"), 1)
    ]
    return choose_referral_weights(val, folds), val


def test_the_term_that_carries_over_gets_the_weight() -> None:
    choice, _ = choose(head=0.0, tb=0.0, abnormal=1.5)
    a, _, c = choice.chosen.weights
    assert c >= 0.5 and a <= 0.25, "1 - p_normal alone tells them apart"
    choice, _ = choose(head=2.0, tb=0.0, abnormal=0.0)
    a, _, c = choice.chosen.weights
    assert a >= 0.25 and a >= c
    assert choice.chosen.worst == min(choice.chosen.folds)


def test_the_rule_by_hand_on_its_own_table() -> None:
    choice, _ = choose(head=0.5, tb=0.2, abnormal=1.0)
    assert len(choice.tried) == 15
    allowed = [one for one in choice.tried if one.against_other >= 0.95]
    best = max(one.worst for one in allowed)
    close = [one for one in allowed if one.worst >= best - 0.005]
    assert choice.chosen in close
    assert choice.chosen.against_other == max(one.against_other for one in close)
    said = list(describe_choice(choice, ["Sakha-TB", "Shenzhen"]))
    assert len(said) == 17 and sum(line.startswith("*") for line in said) == 1
    assert said[-1].startswith("referral_score = [")


def test_scale_and_offset_keep_the_order_and_put_the_threshold_at_50() -> None:
    choice, val = choose(head=0.5, tb=0.2, abnormal=1.0)
    referral = make_referral(choice.weights)
    values = val.values(choice.weights)
    assert values.std() == pytest.approx(2.0, abs=0.02)
    before = val.values(choice.chosen.weights)
    is_tb = val.labels == TB
    assert auroc(values, is_tb) == pytest.approx(auroc(before, is_tb), abs=2e-3)
    rule = ScoreRule(temperature=val.temperature, referral=referral)
    printed, _ = printed_scores(val.logits, rule)
    assert auroc(printed, is_tb) == pytest.approx(auroc(before, is_tb), abs=2e-3)
    point = choose_tb_point(
        ModelScores(logits=val.logits, rule=rule, tb_threshold=None),
        val.examples,
        target_sensitivity=TARGET_SENSITIVITY,
        population="made up",
    )
    assert point.threshold == pytest.approx(50.0, abs=0.3)


def test_scores_that_give_other_disease_away_are_refused() -> None:
    val = make(VAL_LABELS, "Utopia", head=2, tb=0.1, abnormal=2, seed=0)
    fold = make([NORMAL] * 50 + [TB] * 50, "Shenzhen", head=2, tb=0, abnormal=2, seed=1)
    with pytest.raises(DataError, match=r"tell TB from other disease at AUROC 0\.95: the best"):
        choose_referral_weights(val, [fold])


def test_a_fold_of_one_class_chooses_nothing() -> None:
    val = make(VAL_LABELS, "Utopia", head=1, tb=3, abnormal=2, seed=0)
    with pytest.raises(DataError, match="Shenzhen lacks films of TB or of normal"):
        choose_referral_weights(
            val, [make([NORMAL] * 50, "Shenzhen", head=1, tb=1, abnormal=1, seed=1)]
        )


def test_networks_without_a_referral_logit_have_no_weight_on_it() -> None:
    assert all(a == 0 and b + c == 1 for a, b, c in weight_grid(with_head=False))
    val = make(VAL_LABELS, "Utopia", head=1, tb=3, abnormal=2, seed=0)
    fold = make([NORMAL] * 50 + [TB] * 50, "Shenzhen", head=2, tb=0, abnormal=1, seed=1)
    four = [
        judged(one.name, one.logits[:, : len(CLASSES)], one.examples, None) for one in (val, fold)
    ]
    choice = choose_referral_weights(four[0], four[1:])
    assert len(choice.tried) == 5 and choice.weights[0] == 0
