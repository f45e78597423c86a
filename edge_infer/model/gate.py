"""The gate: whether a picture is an upright frontal chest film at all, from its pixels alone.

A second output of the network says what a picture looks like. Its figures and its two thresholds
stand in the card; `gate_reading` compares with them. Types alone are here: lists and pages need no
numpy.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from edge_infer.errors import ReasonCode


class GateState(StrEnum):
    """What a picture is, as far as the gate tells; a model's card orders them as its graph does."""

    FRONTAL = "frontal"
    """An upright frontal chest film, mirrored or not: the model is for it."""
    NOT_CHEST = "not_chest"
    LATERAL = "lateral"
    TURNED_LEFT = "turned_left"
    """Lies on its side: a quarter turn to the right puts it upright."""
    TURNED_RIGHT = "turned_right"
    UPSIDE_DOWN = "upside_down"
    INVERTED = "inverted"
    """Bones dark: the header said otherwise, or a picture was saved so."""
    CUT_OFF = "cut_off"
    """Lungs cut off, or not both in view."""
    BAD_EXPOSURE = "bad_exposure"
    """Blank, clipped, far too dark or too light."""
    PHOTOGRAPH = "photograph"
    """Of a screen, a light box or a print; or a film within another picture."""


@dataclass(frozen=True, kw_only=True)
class GateFigure:
    """How many of some pictures the gate held back: refused, put right or doubtful."""

    pictures: str
    """Which, in words: a source of films, what was done to films, or a kind of other pictures."""
    is_wrong: bool
    """Whether they should be held back; of films that should pass, it is the false alarms."""
    refused: int
    """Or put right, where their state can be."""
    doubtful: int
    n: int


@dataclass(frozen=True, kw_only=True)
class Gate:
    """The card's `gate` block."""

    states: tuple[str, ...]
    """In order of the graph's output `gate`; GateState's values."""
    doubt: float
    """In points 0..100, a multiple of 0.1: a gate score at or above it makes a film doubtful."""
    refuse: float
    """The same, and at or above it a film is refused or put right; not below `doubt`."""
    statement: str
    """In words: what it was trained on, how the thresholds were chosen."""
    figures: tuple[GateFigure, ...]
    self_test: tuple[tuple[float, ...], ...]
    """[k][states]: the gate's logits for the card's self-test inputs."""


@dataclass(frozen=True)
class Remark:
    """What must stand beside a film's scores: it is doubtful, was put right, or nobody checked."""

    reason: str
    code: ReasonCode


def is_doubt(code: ReasonCode | None) -> bool:
    """Tell whether a scored film with this code is `uncertain` whatever its scores."""
    return code is not None and code not in _NO_DOUBT


_NO_DOUBT: Final = (ReasonCode.PUT_UPRIGHT, ReasonCode.MADE_POSITIVE, ReasonCode.GATE_OFF)


def is_gate(gate: Gate, n_self_tests: int) -> bool:
    """Tell whether a card's block makes sense: states, thresholds, counts, lengths."""
    return (
        len(set(gate.states)) == len(gate.states)
        and GateState.FRONTAL in gate.states
        and len(gate.states) > 1
        and set(gate.states) <= set(GateState)
        and 0 < gate.doubt <= gate.refuse <= 100
        and all(abs(one * 10 - round(one * 10)) < 1e-6 for one in (gate.doubt, gate.refuse))
        and all(min(one.refused, one.doubtful) >= 0 for one in gate.figures)
        and all(one.refused + one.doubtful <= one.n for one in gate.figures)
        and len(gate.self_test) == n_self_tests
        and all(len(row) == len(gate.states) for row in gate.self_test)
        and all(abs(logit) <= _LARGEST_LOGIT for row in gate.self_test for logit in row)
    )


_LARGEST_LOGIT = 1000.0
