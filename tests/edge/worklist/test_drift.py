"""The drift line fires on a day of one class, stays quiet on a validation day, and says why."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from edge_infer.commands.terminal import summarise
from edge_infer.model.bundled import bundled_model
from edge_infer.model.model_card import CLASSES, Interval
from edge_infer.model.model_file import load_model_file
from edge_infer.worklist.drift import FEWEST_FILMS, compare, merge_bins
from edge_infer.worklist.lists import to_csv, to_json
from edge_infer.worklist.rows import ScreenedDay
from edge_infer.worklist.site import Site
from tests.edge.made_day import make_day, refused, screened

CARD = load_model_file(bundled_model()).card
HISTOGRAMS = {each.class_name: np.array(each.tb_score) for each in CARD.histograms}
MIX: NDArray[np.int64] = np.sum(list(HISTOGRAMS.values()), axis=0)


def make_films(histogram: NDArray[np.int64], n: int) -> ScreenedDay:
    """Return a day of `n` films spread evenly over a histogram, under the bundled model's card."""
    places = np.repeat(np.arange(200), histogram)
    chosen = places[np.linspace(0, len(places) - 1, n).round().astype(int)]
    rows = [screened(f"{i}.dcm", tb_tenths=int(5 * place)) for i, place in enumerate(chosen)]
    return replace(make_day([*rows, refused("cut.dcm")]), card=CARD)


@pytest.mark.parametrize("name", CLASSES)
def test_a_day_of_one_class_is_named_in_one_sentence(name: str) -> None:
    day = make_films(HISTOGRAMS[name], 300)
    drift = day.drift
    assert drift is not None and drift.is_shifted and drift.films == 300
    assert day.drift == drift and day.drift is day.drift, "the lists of one day share it"
    assert drift.sentence.count(". ") == 0 and drift.sentence.endswith(".")
    assert "an unusual mix of patients does this" in drift.sentence
    assert drift.sentence in summarise(day, Path("out"), Path("out") / "worklist.csv")
    plain = json.loads(to_json(day))["drift"]
    assert plain["shifted"] is True and plain["sentence"] == drift.sentence
    assert "shift" not in to_csv(day)


@pytest.mark.parametrize("n", [50, 94, 300])
def test_a_validation_day_is_quiet(n: int) -> None:
    day = make_films(MIX, n)
    drift = day.drift
    assert drift is not None and not drift.is_shifted and drift.sentence == ""
    assert drift.psi < 0.2 and drift.p_value > 0.05
    plain = json.loads(to_json(day))["drift"]
    assert plain["shifted"] is False and plain["sentence"] is None
    assert not any(
        "scores" in line for line in summarise(day, Path("out"), Path("out") / "worklist.csv")
    )


def test_false_alarms_are_rare() -> None:
    """2,000 days of 50 films gave 0.15 %, of 100 films 0.1 %: three of 200 would be too many."""
    days = np.random.default_rng(11).multinomial(50, MIX / MIX.sum(), size=200)
    found = [compare(day, MIX, "x") for day in days]
    assert sum(drift is not None and drift.is_shifted for drift in found) <= 2
    assert None not in found


def test_too_few_films_say_nothing() -> None:
    assert make_films(HISTOGRAMS["tuberculosis"], FEWEST_FILMS - 1).drift is None
    assert make_films(HISTOGRAMS["tuberculosis"], FEWEST_FILMS).drift is not None
    assert json.loads(to_json(make_films(MIX, 49)))["drift"] is None
    # The tiny model's card has no validation films to compare with.
    assert make_day([screened(f"{i}.dcm") for i in range(60)]).drift is None


def test_the_same_day_gives_the_same_numbers() -> None:
    day = make_films(HISTOGRAMS["covid19"], 120)
    assert day.drift == replace(day).drift


def test_the_stability_index_by_hand() -> None:
    """Two merged bins, 3:1 against 1:1, half a film added to each of them."""
    reference = np.zeros(200, dtype=np.int64)
    reference[[0, 199]] = 100, 100
    today = np.zeros(200, dtype=np.int64)
    today[[0, 199]] = 75, 25
    drift = compare(today, reference, "x")
    p = 75.5 / 101
    assert drift is not None
    assert drift.psi == pytest.approx((p - 0.5) * np.log(p / (1 - p)), abs=1e-4)
    # Hypergeometric tails: 100 of 300 drawn, 175 of them low; 75 or more, or 41 and fewer.
    assert drift.p_value < 0.001
    same = compare(reference, reference, "x")
    assert same is not None and (same.psi, same.p_value) == (0.0, 1.0)


def test_a_day_of_one_score_is_no_division_by_nothing() -> None:
    one = np.zeros(200, dtype=np.int64)
    one[3] = 100
    drift = compare(one, one, "x")
    assert drift is not None and not drift.is_shifted


def test_bins_are_merged_until_each_holds_a_twentieth() -> None:
    starts = merge_bins(MIX)
    held = np.add.reduceat(MIX, starts)
    assert starts[0] == 0 and len(starts) >= 5 and held.min() >= 0.05 * MIX.sum()


def test_a_site_file_is_compared_with_its_own_days() -> None:
    """A clinic whose patients are nearly all normal is told of a shift from that, not from ours."""
    normal = HISTOGRAMS["normal"]
    share = Interval(value=0.9, low=0.8, high=0.95)
    site = Site(
        kind="cxr-site",
        schema="1.0",
        site_id="site-0123456789ab",
        created="2026-11-24",
        model_name=CARD.name,
        model_version=CARD.version,
        model_sha256="ab" * 32,
        target_sensitivity=0.95,
        prevalence=0.01,
        threshold=30.0,
        n_positive=50,
        n_negative=254,
        sensitivity=share,
        specificity=share,
        ppv=share,
        npv=share,
        referred=share,
        worklists=3,
        labels_sha256="cd" * 32,
        tb_score=tuple(int(count) for count in normal),
    )
    usual = replace(make_films(normal, 300), site=site, card=site.apply(CARD))
    quiet = usual.drift
    assert quiet is not None and not quiet.is_shifted
    ill = replace(make_films(HISTOGRAMS["tuberculosis"], 60), site=site).drift
    assert ill is not None and ill.is_shifted
    assert "this clinic's calibration days" in ill.sentence
