"""Figures by hand: proportions, populations, pairs, and the mean over several models."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from cxr_train.figures.measures import (
    AGAINST_ALL,
    AGAINST_NORMAL,
    AGAINST_OTHER,
    ALL,
    CEILING,
    MeasuredFilms,
    ModelScores,
    measure,
)
from edge_infer.model.model_card import Metric, ScoreRule
from edge_infer.model.proportions import wilson_interval
from tests.train.tiny_films import film

LABELS = [0] * 30 + [1] * 20 + [2] * 10 + [3] * 20


def make_films(*wrong: int, sources: str = "hospital", models: int = 1) -> MeasuredFilms:
    """Return 80 films called right but for those in `wrong`, which are called normal or TB."""
    logits = 6 * np.eye(4, dtype=np.float32)[LABELS]
    for index in wrong:
        logits[index] = (6, 0, 0, 0) if LABELS[index] else (0, 0, 0, 6)
    one = ModelScores(logits=logits, rule=ScoreRule(temperature=1.0), tb_threshold=500)
    examples = tuple(film(label, f"p{k}", sources) for k, label in enumerate(LABELS))
    return MeasuredFilms(
        split="val", input_type="raster", examples=examples, models=(one,) * models
    )


def find(films: MeasuredFilms, source: str, name: str, class_name: str = "") -> Metric:
    (found,) = (
        metric
        for metric in measure(films)
        if (metric.source, metric.name, metric.class_name) == (source, name, class_name)
    )
    return found


def test_proportions_carry_wilsons_interval_and_their_own_n() -> None:
    films = make_films(0, 1, 60)  # two normals called TB, one TB called normal
    assert find(films, ALL, "accuracy").estimate == wilson_interval(77, 80)
    recall = find(films, ALL, "recall", "tuberculosis")
    assert (recall.estimate, recall.n, recall.groups) == (wilson_interval(19, 20), 20, 20)
    precision = find(films, ALL, "precision", "tuberculosis")
    assert (precision.estimate, precision.n) == (wilson_interval(19, 21), 21)
    assert find(films, ALL, "f1", "tuberculosis").estimate.value == pytest.approx(38 / 41)


def test_tb_is_judged_against_normals_and_against_all_others() -> None:
    films = make_films(0, 1, 60)
    assert find(films, AGAINST_NORMAL, "sensitivity", "tuberculosis").n == 20
    normal = find(films, AGAINST_NORMAL, "specificity", "tuberculosis")
    assert (normal.estimate, normal.n) == (wilson_interval(28, 30), 30)
    ceiling = find(films, AGAINST_NORMAL, CEILING, "tuberculosis")
    assert (ceiling.estimate, ceiling.n) == (wilson_interval(28, 30), 30), "two are of class TB"
    others = find(films, AGAINST_ALL, "specificity", "tuberculosis")
    assert (others.estimate, others.n) == (wilson_interval(58, 60), 60)
    ill = find(films, AGAINST_OTHER, "specificity", "tuberculosis")
    assert (ill.estimate, ill.n) == (wilson_interval(30, 30), 30)
    assert find(films, AGAINST_OTHER, "auroc", "tuberculosis").n == 50


def test_a_source_without_tb_still_tells_how_many_it_refers() -> None:
    films = make_films(0, 1).only(np.array(LABELS) != 3)
    refers = find(films, "hospital", "specificity", "tuberculosis")
    assert (refers.estimate, refers.n) == (wilson_interval(58, 60), 60)
    assert not [m for m in measure(films) if m.name == "sensitivity"]


def test_a_source_s_calibration_needs_thirty_films() -> None:
    assert find(make_films(), "hospital", "ece").n == 80
    fewer = make_films().only(np.arange(80) < 29)
    assert not [m for m in measure(fewer) if (m.source, m.name) == ("hospital", "ece")]


def test_children_are_in_no_tb_figure() -> None:
    films = make_films(0, 1)
    children = tuple(
        replace(example, source="Kermany") if k < 25 else example
        for k, example in enumerate(films.examples)
    )
    films = replace(films, examples=children)
    assert find(films, AGAINST_NORMAL, "specificity", "tuberculosis").n == 5
    assert find(films, ALL, "accuracy").n == 80


def test_pairs_inside_a_source_need_ten_films_of_each() -> None:
    films = make_films(60)
    pairs = {m.class_name: m.n for m in measure(films) if m.name == "pair_auroc"}
    assert pairs == {"pneumonia": 50, "covid19": 40, "tuberculosis": 50}
    fewer = films.only(np.arange(80) >= 21)
    assert not [m for m in measure(fewer) if m.name == "pair_auroc"]


def test_several_models_are_averaged_and_never_pooled() -> None:
    two = replace(make_films(), models=(make_films(0, 1).models[0], make_films().models[0]))
    accuracy = find(two, ALL, "accuracy")
    assert accuracy.n == 80
    assert accuracy.estimate.value == pytest.approx((78 / 80 + 1) / 2)
    assert accuracy.estimate.low == pytest.approx(wilson_interval(79, 80).low)


def test_without_a_threshold_there_is_no_sensitivity() -> None:
    films = make_films()
    unread = replace(films, models=(replace(films.models[0], tb_threshold=None),))
    names = {metric.name for metric in measure(unread)}
    assert "sensitivity" not in names and "auroc" in names


def test_no_film_has_no_figure() -> None:
    assert list(measure(make_films().only(np.zeros(80, dtype=bool)))) == []
