"""The table and the choice, against counts made by hand."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_infer.calibration.labels import Labelled, LabelledFilm
from edge_infer.calibration.listed_films import ListedFilm
from edge_infer.calibration.text import describe_obstacles, describe_warnings, table_lines
from edge_infer.calibration.thresholds import (
    LAST_TENTHS,
    Calibration,
    calibrate,
    choose_tenths,
    count_at,
)
from edge_infer.worklist.rows import Decision, decide
from tests.edge.calibration.made_labels import labelled, listed
from tests.edge.made_day import make_card, make_finding


def calibrate_films(
    films: list[LabelledFilm],
    *,
    unlabelled: tuple[ListedFilm, ...] = (),
    target: float = 0.95,
    in_use: int | None = None,
) -> Calibration:
    known = Labelled(films=tuple(films), lines={}, n_rows=len(films))
    rows = (*(one.film for one in films), *unlabelled)
    return calibrate(known, rows, target=target, prevalence=0.01, in_use=in_use)


def test_a_row_of_the_table_by_hand() -> None:
    """At 30.0: two of four with TB found, one of them by its class; one of five called in vain."""
    films = labelled([300, 299, 10], [0, 5, 100, 299, 300], by_class=[5])
    (row,) = count_at(films, [300], 0.01)
    assert (row.tp, row.fp, row.fn, row.tn) == (2, 1, 2, 4)
    assert row.sensitivity is not None and row.specificity is not None
    assert (row.sensitivity.value, row.specificity.value) == (0.5, 0.8)
    # Wilson, 2 of 4 and 4 of 5
    assert (round(row.sensitivity.low, 4), round(row.sensitivity.high, 4)) == (0.1500, 0.8500)
    assert (round(row.specificity.low, 4), round(row.specificity.high, 4)) == (0.3755, 0.9638)
    seen, stated = row.observed, row.expected
    assert seen.ppv is not None and seen.npv is not None and seen.referred is not None
    assert (seen.ppv.value, seen.npv.value, seen.referred.value) == (2 / 3, 4 / 6, 3 / 9)
    assert stated.ppv is not None and stated.npv is not None and stated.referred is not None
    assert stated.ppv.value == pytest.approx(0.005 / (0.005 + 0.198))
    assert stated.npv.value == pytest.approx(0.792 / (0.792 + 0.005))
    assert stated.referred.value == pytest.approx(0.203)


def test_a_film_of_the_tb_class_is_referred_at_any_threshold() -> None:
    films = labelled([], [0], by_class=[5])
    assert count_at(films, [LAST_TENTHS], 0.01)[0].tp == 1
    # The score alone would miss it: 0.5 points.
    assert count_at(labelled([5], [0]), [LAST_TENTHS], 0.01)[0].tp == 0


def test_a_high_score_alone_is_not_referred_at_a_higher_threshold() -> None:
    """A score made of more than p_tuberculosis passes 50 without the class, and may need more."""
    films = labelled([900, 610], [600])
    assert [(row.tp, row.fp) for row in count_at(films, [600, 601, 700], 0.01)] == [
        (2, 1),
        (2, 0),
        (1, 0),
    ]
    assert choose_tenths([one.film for one in films if one.has_tb], 1.0) == 610


def test_the_highest_threshold_that_reaches_the_target_is_chosen() -> None:
    scores = [listed(str(t), t) for t in range(100, 300, 10)]  # 20 films, 10.0 to 29.0
    assert choose_tenths(scores, 1.0) == 100
    assert choose_tenths(scores, 0.95) == 110
    assert choose_tenths(scores, 0.951) == 100
    assert choose_tenths(scores, 0.5) == 200


def test_films_of_one_score_are_referred_together() -> None:
    scores = [listed(str(i), t) for i, t in enumerate([300, 200, 200, 200])]
    assert choose_tenths(scores, 0.5) == 200
    films = [LabelledFilm(film=film, has_tb=True) for film in scores]
    assert [row.tp for row in count_at(films, [200, 201], 0.01)] == [4, 1]


def test_no_threshold_beyond_the_last_that_matters_is_chosen() -> None:
    films = [listed(str(i), t, has_tb_class=True) for i, t in enumerate([900, 30, 700])]
    assert choose_tenths(films, 0.95) == LAST_TENTHS
    with pytest.raises(ValueError, match="needs a film"):
        choose_tenths([], 0.95)


tenths = st.integers(0, 1000)


@given(st.lists(tenths, min_size=1, max_size=30), st.floats(0.5, 1.0), st.data())
def test_the_chosen_threshold_reaches_the_target_and_the_next_does_not(
    scores: list[int], target: float, data: st.DataObject
) -> None:
    films = [
        LabelledFilm(
            film=listed(str(i), score, has_tb_class=data.draw(st.booleans())),
            has_tb=True,
        )
        for i, score in enumerate(scores)
    ]
    chosen = choose_tenths([one.film for one in films], target)
    assert count_at(films, [chosen], 0.01)[0].tp / len(films) >= target - 1e-9
    if chosen < LAST_TENTHS:
        assert count_at(films, [chosen + 1], 0.01)[0].tp / len(films) < target


def test_the_table_holds_the_choice_and_the_threshold_in_use_and_no_repeats() -> None:
    films = labelled(range(200, 260), range(0, 100))
    made = calibrate_films(films, in_use=378)
    shown = [row.tenths for row in made.rows]
    assert made.chosen is not None and made.chosen.tenths == 203
    assert shown == sorted(set(shown)) and {203, 378} <= set(shown)
    counts = [(row.tp, row.fp) for row in made.rows if row.tenths not in (203, 378)]
    assert len(counts) == len(set(counts))
    text = list(table_lines(made))
    assert sum("20.3* " in line for line in text) == 3
    assert sum("37.8 =" in line for line in text) == 3
    assert any("If 1 % of the patients have TB" in line for line in text)
    assert any("As observed, 37.5 % with TB" in line for line in text)


def test_too_few_positives_are_counted_and_stop_the_site_file() -> None:
    made = calibrate_films(labelled(range(400, 444), range(0, 100)))
    assert (made.missing_positives, made.missing_negatives, made.can_be_used) == (1, 0, False)
    (obstacle,) = describe_obstacles(made)
    assert obstacle.startswith("1 more films with TB are needed: a sensitivity of 95 % takes 45")
    enough = calibrate_films(labelled(range(400, 445), range(0, 100)))
    assert enough.can_be_used and describe_obstacles(enough) == []
    few = calibrate_films(labelled(range(400, 445), range(0, 44)))
    assert few.missing_negatives == 1 and not few.can_be_used
    nobody = calibrate_films(labelled([], range(0, 50)))
    assert nobody.chosen is None and nobody.missing_positives == 45
    assert all(row.sensitivity is None and row.expected.ppv is None for row in nobody.rows)


def test_labels_of_the_referred_only_are_refused_and_mostly_of_them_warned_of() -> None:
    films = labelled(range(400, 450), range(400, 450))
    unknown = tuple(listed(f"u{i}", 5) for i in range(40))
    only = calibrate_films(films, unlabelled=unknown)
    assert only.only_referred_labelled and not only.can_be_used
    assert "None of the 40 films that were not referred has a label" in describe_obstacles(only)[0]
    some = labelled(range(400, 450), [*range(400, 450), *range(0, 10)])
    uneven = calibrate_films(some, unlabelled=unknown)
    assert uneven.can_be_used and uneven.is_uneven
    assert (
        "10 of 50 films not referred have a label, but 100 of 100" in describe_warnings(uneven)[0]
    )
    even = calibrate_films(some)
    assert not even.is_uneven and describe_warnings(even) == []


def test_a_threshold_no_better_than_chance_is_warned_of() -> None:
    same = calibrate_films(labelled([100] * 50, [100] * 50))
    assert same.can_be_used and same.is_chance
    assert "does not tell them apart" in describe_warnings(same)[0]


@given(st.lists(st.tuples(tenths, st.booleans(), st.booleans()), max_size=20), tenths)
def test_films_are_counted_as_the_worklist_decides(
    drawn: list[tuple[int, bool, bool]], threshold: int
) -> None:
    films, referred = [], 0
    for number, (score, has_class, has_tb) in enumerate(drawn):
        prediction = "tuberculosis" if has_class else "normal"
        decision = decide(make_finding(prediction, tb_tenths=score), make_card(threshold / 10))
        referred += decision is Decision.REFER_TB
        film = listed(str(number), score, has_tb_class=has_class)
        films.append(LabelledFilm(film=film, has_tb=has_tb))
    (row,) = count_at(films, [threshold], 0.01)
    assert row.tp + row.fp == referred
