"""The gate's arithmetic: logits to a verdict, and pictures put right."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from edge_infer.errors import ModelError, ReasonCode
from edge_infer.model.gate import GateFigure, GateState, is_doubt, is_gate
from edge_infer.model.gate_reading import RIGHTING, Verdict, put_right, read_gate
from tests.edge.made_gate import make_gate, make_gate_logits


@pytest.mark.parametrize(
    ("points", "verdict"),
    [
        (0.0, Verdict.PASSED),
        (19.9, Verdict.PASSED),
        (20.0, Verdict.DOUBTFUL),
        (49.9, Verdict.DOUBTFUL),
        (50.0, Verdict.REFUSED),
        (99.9, Verdict.REFUSED),
    ],
)
def test_the_printed_score_decides(points: float, verdict: Verdict) -> None:
    reading = read_gate(make_gate_logits(GateState.LATERAL, points), make_gate())
    assert (reading.tenths, reading.verdict) == (round(points * 10), verdict)
    assert points == 0 or reading.likeliest is GateState.LATERAL


def test_the_order_of_a_cards_states_is_the_graphs() -> None:
    gate = replace(make_gate(), states=tuple(reversed(list(GateState))))
    logits = make_gate_logits(GateState.INVERTED, 90.0)[::-1]
    reading = read_gate(logits, gate)
    assert (reading.tenths, reading.likeliest) == (900, GateState.INVERTED)


def test_a_gate_that_gives_no_number_is_a_model_error() -> None:
    logits = make_gate_logits(GateState.LATERAL, 50.0)
    logits[3] = np.nan
    with pytest.raises(ModelError, match="no number"):
        read_gate(logits, make_gate())


@pytest.mark.parametrize("state", list(RIGHTING))
def test_what_is_put_right_is_the_upright_picture(state: GateState) -> None:
    upright = np.random.default_rng(3).integers(0, 256, (1, 6, 6), dtype=np.uint8)
    wrong = {
        GateState.TURNED_LEFT: np.rot90(upright, 1, axes=(1, 2)),
        GateState.TURNED_RIGHT: np.rot90(upright, -1, axes=(1, 2)),
        GateState.UPSIDE_DOWN: np.rot90(upright, 2, axes=(1, 2)),
        GateState.INVERTED: 255 - upright,
    }[state]
    assert not np.array_equal(wrong, upright)
    np.testing.assert_array_equal(put_right(wrong, state), upright)


def test_only_doubts_make_a_scored_film_uncertain() -> None:
    certain = {None, ReasonCode.PUT_UPRIGHT, ReasonCode.MADE_POSITIVE, ReasonCode.GATE_OFF}
    assert {code for code in (None, *ReasonCode) if not is_doubt(code)} == certain


def test_a_block_that_makes_no_sense_is_noticed() -> None:
    gate = make_gate()
    figure = GateFigure(pictures="x", is_wrong=True, refused=3, doubtful=1, n=3)
    senseless = [
        replace(gate, states=gate.states[1:]),
        replace(gate, states=(*gate.states, "frontal")),
        replace(gate, states=(*gate.states[:-1], "a cat")),
        replace(gate, doubt=60.0),
        replace(gate, refuse=50.03),
        replace(gate, refuse=101.0),
        replace(gate, figures=(figure,)),
        replace(gate, self_test=gate.self_test[:-1]),
        replace(gate, self_test=tuple(row[:-1] for row in gate.self_test)),
    ]
    assert is_gate(gate, 4)
    assert [one for one in senseless if is_gate(one, 4)] == []
