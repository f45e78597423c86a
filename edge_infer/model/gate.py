"""The gate: whether a picture is an upright frontal chest film at all, from its pixels alone.

A second output of the network says what a picture looks like. Its figures and its two thresholds
stand in the card. Arithmetic as in `findings`: logits rounded to 1e-4, scores in whole tenths of a
point, so that every PC lets the same films through.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from edge_infer.errors import ModelError, ReasonCode


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


class Verdict(StrEnum):
    """What becomes of a picture at the gate."""

    PASSED = "passed"
    DOUBTFUL = "doubtful"
    """Scored, but `uncertain` whatever its scores."""
    REFUSED = "refused"


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


@dataclass(frozen=True, kw_only=True, slots=True)
class GateReading:
    """What the gate says of one picture."""

    tenths: int
    """100 (1 - p_frontal) in tenths of a point, 0..1000."""
    likeliest: GateState
    """Of the states other than frontal."""
    verdict: Verdict


def read_gate(logits: NDArray[np.float32], gate: Gate) -> GateReading:
    """Return what gate logits [states] of one picture mean; ModelError when not finite."""
    rounded = np.round(np.asarray(logits, dtype=np.float64), 4)
    if not np.isfinite(rounded).all():
        raise ModelError("The model's gate gave no number: copy the model file again.")
    frontal = gate.states.index(GateState.FRONTAL)
    powers = np.exp(rounded - rounded.max())
    others = np.delete(powers, frontal)
    # Rounded first: exp() may differ in the last digit between libraries.
    tenths = int(np.rint(np.round(1000 * others.sum() / powers.sum(), 6)))
    likeliest = GateState(
        [state for index, state in enumerate(gate.states) if index != frontal][others.argmax()]
    )
    verdict = Verdict.PASSED
    if tenths >= round(gate.refuse * 10):
        verdict = Verdict.REFUSED
    elif tenths >= round(gate.doubt * 10):
        verdict = Verdict.DOUBTFUL
    return GateReading(tenths=tenths, likeliest=likeliest, verdict=verdict)


@dataclass(frozen=True)
class Remark:
    """What must stand beside a film's scores: it is doubtful, was put right, or nobody checked."""

    reason: str
    code: ReasonCode


def is_doubt(code: ReasonCode | None) -> bool:
    """Tell whether a scored film with this code is `uncertain` whatever its scores."""
    return code is not None and code not in _NO_DOUBT


_NO_DOUBT: Final = (ReasonCode.PUT_UPRIGHT, ReasonCode.MADE_POSITIVE, ReasonCode.GATE_OFF)

Grey = TypeVar("Grey", np.uint8, np.uint16)
RIGHTING: dict[GateState, Callable[[NDArray[Any]], NDArray[Any]]] = {
    GateState.TURNED_LEFT: lambda picture: np.rot90(picture, -1, axes=(-2, -1)),
    GateState.TURNED_RIGHT: lambda picture: np.rot90(picture, 1, axes=(-2, -1)),
    GateState.UPSIDE_DOWN: lambda picture: np.rot90(picture, 2, axes=(-2, -1)),
    GateState.INVERTED: lambda picture: np.iinfo(picture.dtype).max - picture,
}
"""How pictures [..., H, W] of some states are put right, without loss."""


def put_right(picture: NDArray[Grey], state: GateState) -> NDArray[Grey]:
    """Return the upright, bones bright picture [..., H, W] of one in a state of RIGHTING."""
    return np.ascontiguousarray(RIGHTING[state](picture), dtype=picture.dtype)


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
