"""Re-centring a threshold without labels: the rule by hand, and what its trial says of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks.unlabelled import (
    COLUMNS,
    Hospital,
    Tried,
    describe,
    hospitals_of,
    is_worth_shipping,
    read_scores,
    reference_quantile,
    shift_of,
    try_days,
)


def test_the_shift_by_hand() -> None:
    z = np.arange(100) / 99  # its quantile at 0.2 is 0.2
    assert shift_of(z, 0.0) == pytest.approx(0.2 * 100 / 200)
    assert shift_of(np.tile(z, 3), 0.0) == pytest.approx(0.2 * 300 / 400, abs=1e-3)
    assert shift_of(z - 0.2, 0.0) == pytest.approx(0.0, abs=1e-9)
    assert (shift_of(z + 50, 0.0), shift_of(z - 50, 0.0)) == (1.5, -1.5)


def test_every_source_of_the_reference_counts_alike() -> None:
    z = np.concatenate([np.zeros(90), np.ones(10)])
    sources = np.array(["many"] * 90 + ["few"] * 10)
    assert reference_quantile(z, sources) == 0.0
    assert reference_quantile(-z, sources) == -1.0, "half of the weight lies at -1"


def made(moved: float, *, tb_at: float = 2.0, by_class: float = 0.0) -> Hospital:
    """Return a hospital whose z is moved; TB films lie at `tb_at` and normals at -2."""
    random = np.random.default_rng(0)
    is_tb = np.arange(400) < 200
    z = random.normal(np.where(is_tb, tb_at, -2.0), 0.8) + moved
    return Hospital(
        name="Utopia",
        z=z,
        is_tb=is_tb,
        by_class=random.random(400) < by_class,
        threshold=0.0,
        reference=-2.0 - 0.84 * 0.8,
        specificity=0.99,
    )


def test_a_hospital_that_is_only_moved_is_put_right() -> None:
    tried = list(try_days(made(1.5), draws=30))
    assert [(one.films, one.share) for one in tried] == [
        (films, share) for films in (100, 300) for share in (0.05, 0.2, 0.5)
    ]
    at_few = next(one for one in tried if (one.films, one.share) == (300, 0.05))
    assert at_few.before[1] < 0.85 < 0.9 < at_few.after[1] and at_few.after[0] > 0.95
    assert is_worth_shipping(tried)
    assert list(describe(tried))[-1].endswith("after: worth shipping")


def test_a_hospital_whose_disease_is_not_recognised_is_made_worse() -> None:
    """Its normals lie higher and its TB lower: the rule takes the first and loses of the second."""
    tried = list(try_days(made(1.0, tb_at=0.0), draws=30))
    assert all(one.after[0] < one.before[0] for one in tried)
    assert not is_worth_shipping(tried)


def test_films_referred_for_their_class_stay_referred() -> None:
    for one in try_days(made(1.5, by_class=1.0), draws=3):
        assert one.before == one.after == (1.0, 0.0)


def test_the_verdict_by_hand() -> None:
    one = Tried(
        hospital="a",
        films=100,
        share=0.05,
        before=(0.9, 0.5),
        after=(0.9, 0.7),
        bad_day=0.9,
        shift=0.1,
        promised=(0.95, 0.8),
    )
    assert one.shortfall(one.before) == pytest.approx(0.3)
    assert is_worth_shipping([one])
    assert not is_worth_shipping([replace(one, after=(0.87, 0.7))]), "0.03 of sensitivity lost"
    assert not is_worth_shipping([replace(one, after=(0.9, 0.45))])
    above = replace(one, before=(1.0, 0.5), after=(0.94, 0.7))
    assert is_worth_shipping([above]), "0.94 is within 0.02 of what was promised"


def test_scores_are_read_as_they_are_written(tmp_path: Path) -> None:
    rows = [
        ",".join(COLUMNS),
        "reference,known,0,-2.0,0,0.5",
        "reference,known,0,1.0,0,0.5",
        "reference,known,1,3.0,0,0.5",
        "judged,Utopia,1,0.7,0,0.5",
        "judged,Utopia,0,-1.0,1,0.5",
    ]
    file = tmp_path / "scores.csv"
    file.write_text("\n".join(rows) + "\n", encoding="utf-8")
    (hospital,) = hospitals_of(read_scores(file))
    assert (hospital.name, hospital.threshold, hospital.specificity) == ("Utopia", 0.5, 0.5)
    assert hospital.reference == -2.0 and hospital.is_tb.tolist() == [True, False]
    assert hospital.by_class.tolist() == [False, True]
