"""Thresholds of the gate and what is counted at them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from cxr_train.gate.figures import (
    Thresholds,
    choose_thresholds,
    figures_of,
    figures_of_kinds,
    gate_tenths,
)
from cxr_train.gate.pictures import GateConfig, Picture
from edge_infer.model.gate import GateState
from edge_infer.model.gate_reading import read_gate
from tests.edge.made_gate import make_gate


def test_scores_are_those_the_runner_prints() -> None:
    logits = np.random.default_rng(1).normal(0, 4, (200, len(GateState)))
    printed = [read_gate(row.astype(np.float32), make_gate()).tenths for row in logits]
    assert gate_tenths(logits.astype(np.float32).astype(np.float64)).tolist() == printed


def test_thresholds_stop_no_more_than_was_allowed() -> None:
    tenths = np.arange(1000) * 9 // 10  # 0 to 899
    config = GateConfig(most_refused=0.01, most_doubtful=0.05, least_refuse=0.0)
    chosen = choose_thresholds(tenths, ["one"] * 1000, config)
    assert (tenths >= chosen.refuse).mean() <= 0.01 < (tenths >= chosen.refuse - 1).mean()
    assert (tenths >= chosen.doubt).mean() <= 0.05 < (tenths >= chosen.doubt - 1).mean()


def test_a_source_whose_films_look_odd_raises_the_threshold() -> None:
    tenths = np.array([0] * 980 + [700] * 20)
    together = ["a hospital"] * 1000
    apart = ["a hospital"] * 980 + ["a portable machine"] * 20
    config = GateConfig(most_refused=0.03, most_doubtful=0.03, least_refuse=0.0)
    assert choose_thresholds(tenths, together, config).refuse <= 700
    assert choose_thresholds(tenths, apart, config).refuse == 701


def test_no_threshold_is_so_low_that_it_means_nothing() -> None:
    chosen = choose_thresholds(np.zeros(50, np.int64), [""] * 50, GateConfig())
    assert chosen == Thresholds(doubt=50, refuse=900)


def picture(made: str, state: GateState, kind: str, split: str = "val") -> Picture:
    return Picture(path=Path("x"), made=made, state=state, seed=0, split=split, kind=kind)


def test_sound_films_are_counted_per_source_and_wrong_ones_per_way() -> None:
    pictures = [
        picture("as it is", GateState.FRONTAL, "NIH"),
        picture("as it is", GateState.FRONTAL, ""),
        picture("inverted", GateState.INVERTED, "NIH"),
        picture("inverted", GateState.INVERTED, ""),
    ]
    tenths = np.array([0, 300, 990, 250])
    thresholds = Thresholds(doubt=200, refuse=500)
    counted = {
        one.pictures: (one.is_wrong, one.refused, one.doubtful, one.n)
        for one in figures_of(pictures, tenths, thresholds, where="val")
    }
    assert counted == {
        "val, unnamed source": (False, 0, 1, 1),
        "val, NIH": (False, 0, 0, 1),
        "val, inverted": (True, 1, 1, 2),
    }


def test_varied_copies_of_other_pictures_are_not_counted() -> None:
    pictures = [
        picture("as it is", GateState.NOT_CHEST, "hand", "others"),
        picture("varied", GateState.NOT_CHEST, "hand", "others"),
    ]
    (figure,) = figures_of_kinds(
        pictures, np.array([900, 0]), Thresholds(doubt=1, refuse=500), where="other images"
    )
    assert (figure.pictures, figure.refused, figure.n) == ("other images, hand", 1, 1)
