"""The TB threshold holds in every hospital that is told apart; the class is counted beside it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cxr_train.figures.measures import ModelScores
from cxr_train.figures.tb_threshold import choose_tb_point, fit_rule
from cxr_train.figures.temperature import fit_temperature, source_weights
from edge_infer.model.model_card import CLASSES, OperatingPoint, Referral, ScoreRule
from tests.train.tiny_films import film

HEAD_ALONE = Referral(statement="", head=1.0, tuberculosis=0.0, abnormal=0.0, offset=0.0)
RULE = ScoreRule(temperature=1.0, referral=HEAD_ALONE)
NORMAL, TB = CLASSES.index("normal"), CLASSES.index("tuberculosis")


def choose(films: list[tuple[str, int, float, int]], target: float = 0.95) -> OperatingPoint:
    """Choose for films of (source, label, TB score in points, likeliest class)."""
    points = np.array([score for _, _, score, _ in films]) / 100
    logits = np.zeros((len(films), 5), np.float32)
    logits[np.arange(len(films)), [likeliest for *_, likeliest in films]] = 3
    logits[:, 4] = np.log(points / (1 - points))
    examples = [film(label, str(k), source) for k, (source, label, _, _) in enumerate(films)]
    return choose_tb_point(
        ModelScores(logits=logits, rule=RULE, tb_threshold=None),
        examples,
        target_sensitivity=target,
        population="made up",
    )


def hospital(name: str, tb: list[float], normal: list[float]) -> list[tuple[str, int, float, int]]:
    films = [(name, TB, score, NORMAL) for score in tb]
    return films + [(name, NORMAL, score, NORMAL) for score in normal]


EASY = hospital("Shenzhen", [90.0] * 40, [10.0] * 30)
HARD = hospital("Sakha-TB", [30.0] + [60.0] * 19, [20.0] * 10 + [70.0] * 10)


def test_the_worst_hospital_decides() -> None:
    point = choose(EASY + HARD)
    assert point.threshold == 60.0, "19 of 20 in the hard hospital"
    by_name = {one.source: one for one in point.hospitals}
    assert list(by_name) == ["Sakha-TB", "Shenzhen"]
    hard, easy = by_name["Sakha-TB"], by_name["Shenzhen"]
    assert (hard.own_threshold, easy.own_threshold) == (60.0, 90.0)
    assert (hard.sensitivity.value, hard.specificity.value) == (0.95, 0.5)
    assert (easy.sensitivity.value, easy.specificity.value) == (1.0, 1.0)
    assert (hard.n_positive, hard.n_negative, hard.n_groups) == (20, 20, 40)
    # Pooled, 95 % of the 60 TB films would take no more than 60.0 either: it misses one of them.
    assert point.sensitivity.value == pytest.approx(59 / 60)
    assert point.population.startswith("made up; the target holds in Sakha-TB, Shenzhen alone")


def test_a_pooled_source_that_needs_less_decides_where_no_hospital_does() -> None:
    elsewhere = [("TBX11K", TB, 5.0, NORMAL)] * 20
    point = choose(EASY + elsewhere)
    assert point.threshold == 5.0 and [one.own_threshold for one in point.hospitals] == [90.0]
    alone = choose([("", label, score, called) for _, label, score, called in EASY])
    assert alone.hospitals == () and alone.population == "made up"


def test_a_hospital_that_is_not_told_apart_is_stated_and_has_no_say() -> None:
    hopeless = hospital("Sakha-TB", [2.0] * 4 + [60.0] * 16, [20.0] * 20)
    point = choose(EASY + hopeless, target=0.9)
    assert point.threshold == 60.0, "half of the weight each: 90 % of it is reached at 60.0"
    by_name = {one.source: one for one in point.hospitals}
    assert by_name["Sakha-TB"].own_threshold == 2.0
    assert by_name["Sakha-TB"].sensitivity.value == 0.8
    assert "Sakha-TB" not in point.population and "Shenzhen alone" in point.population


def test_sources_count_alike_whatever_their_number_of_films() -> None:
    many = [("TBX11K", TB, 80.0, NORMAL)] * 300
    few = [("Rahman TB db", TB, score, NORMAL) for score in [7.0] * 3 + [70.0] * 17]
    normal = [("OpenIST", NORMAL, 1.0, NORMAL)] * 5
    # Film by film 317 of 320 reach 70.0; source by source only 92.5 % do.
    assert choose(many + few + normal).threshold == 7.0


def test_classes_of_different_hospitals_are_no_hospital() -> None:
    mixed = hospital("Rahman TB db", [3.0] * 2 + [80.0] * 38, [10.0] * 20)
    assert [one.source for one in choose(EASY + mixed).hospitals] == ["Shenzhen"]
    few = hospital("Utopia", [1.0] * 9, [0.5] * 20)
    assert [one.source for one in choose(EASY + few).hospitals] == ["Shenzhen"]


def test_films_of_the_tb_class_are_referred_whatever_their_score() -> None:
    """They count in the figures, and the threshold is not raised for their sake."""
    films = hospital("Utopia", [50.0] * 20, [10.0] * 20)
    films[0] = ("Utopia", TB, 1.0, TB)
    films[1] = ("Utopia", TB, 1.0, TB)
    films[-1] = ("Utopia", NORMAL, 1.0, TB)
    point = choose(films)
    assert point.threshold == 1.0, "the scores alone reach 18 of 20 at 50.0"
    assert choose(films, target=0.9).sensitivity.value == 1.0
    assert choose(films, target=0.9).specificity.value == 0.95
    (one,) = choose(films, target=0.9).hospitals
    assert (one.sensitivity.value, one.specificity.value) == (1.0, 0.95)


@settings(deadline=None)  # a busy machine
@given(
    st.lists(st.integers(1, 999), min_size=10, max_size=30),
    st.lists(st.integers(1, 999), min_size=10, max_size=30),
    st.sampled_from([0.8, 0.95, 1.0]),
)
def test_every_hospital_that_is_told_apart_reaches_the_target(
    a: list[int], b: list[int], target: float
) -> None:
    films = hospital("A", [t / 10 for t in a], [50.0] * 10)
    films += hospital("B", [t / 10 for t in b], [50.0] * 10)
    point = choose(films, target)
    heard = [one for one in point.hospitals if one.own_threshold > 50.0]
    assert all(one.sensitivity.value >= target - 1e-9 for one in heard)
    assert all(point.threshold <= one.own_threshold for one in heard)
    mean = sum(one.sensitivity.value for one in point.hospitals) / 2
    assert mean >= target - 1e-9 and point.sensitivity.value >= 0


def test_every_source_counts_alike_for_the_temperature() -> None:
    """300 films of one source that is too sure, 60 of one that is not sure enough."""
    random = np.random.default_rng(0)
    labels = np.arange(360) % 4
    truth = np.eye(4)[labels] * 2 + random.gumbel(0, 1, (360, 4))
    sure = np.where(np.arange(360) < 300, 3.0, 0.5)[:, None]
    logits = (np.log(np.exp(2 * np.eye(4)[truth.argmax(axis=1)])) * sure).astype(np.float32)
    examples = [film(int(k), str(i), "a" if i < 300 else "b") for i, k in enumerate(labels)]
    alike = fit_rule(logits, examples, None).temperature
    own = [fit_temperature(logits[part], labels[part]) for part in (slice(300), slice(300, 360))]
    pooled = fit_temperature(logits, labels)
    assert own[1] < alike < pooled < own[0]


def test_a_source_of_few_films_weighs_less() -> None:
    weights = source_weights(["a"] * 60 + ["b"] * 30 + ["c"] * 3)
    assert weights.mean() == pytest.approx(1)
    sums = [weights[:60].sum(), weights[60:90].sum(), weights[90:].sum()]
    assert sums[0] == pytest.approx(sums[1]) and sums[2] == pytest.approx(sums[1] / 10)
